//! `plan` for a folder that isn't there yet, or not any more: the first and the last pull request.

use serde_json::json;

use crate::planning::{Folder, account, object, user};
use crate::support::Sandbox;
use crate::{json_of, stderr};

/// A folder without a manifest.
fn empty(sandbox: &Sandbox) -> Folder {
    let folder = Folder::of(&sandbox.base_url, &sandbox.token, &json!({}), &[]).without_connection();
    std::fs::remove_dir_all(folder.path.join("people")).expect("it had one");
    folder
}

#[tokio::test]
async fn the_first_and_the_last_change_of_a_folder_are_planned() {
    let sandbox = Sandbox::start();
    account(&sandbox, "ada", "Countess").await;
    let people = [user("ada", "Countess"), user("new", "Apprentice")];
    let folder = Folder::of(&sandbox.base_url, &sandbox.token, &json!({}), &people);
    let nothing = empty(&sandbox);
    // Whose server that is nobody has said yet.
    let output = folder.plan(&["--before", nothing.path()]).await;
    let text = stderr(&output);
    assert!(output.status.code() == Some(1) && text.contains("name by --server where the key may go"), "{text}");
    let named = ["-o", "json", "--before", nothing.path(), "--server", &sandbox.base_url];
    let output = folder.plan(&named).await;
    let plans = json_of(&output);
    assert_eq!(output.status.code(), Some(2), "{plans:#}{}", stderr(&output));
    assert_eq!(object(&plans, "new")["action"], "create", "{plans:#}");
    assert!(stderr(&output).contains("nothing was declared there before"), "{}", stderr(&output));

    let output = nothing.plan(&["-o", "json", "--before", folder.path()]).await;
    let plans = json_of(&output);
    assert_eq!(output.status.code(), Some(2), "{plans:#}{}", stderr(&output));
    assert_eq!(object(&plans, "ada")["action"], "deactivate", "{plans:#}");
    assert!(stderr(&output).contains("nothing is declared there any more"), "{}", stderr(&output));
}

/// A name that is mistyped, or -R forgotten, declares nobody gone.
#[tokio::test]
async fn i10_a_folder_without_manifests_on_both_sides_is_a_mistake() {
    let sandbox = Sandbox::start();
    let folder = Folder::of(&sandbox.base_url, &sandbox.token, &json!({}), &[user("ada", "Countess")]);
    let nothing = empty(&sandbox);
    let none = "holds no .yaml, .yml or .json";
    for output in [nothing.plan(&[]).await, nothing.plan(&["--before", empty(&sandbox).path()]).await] {
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        assert!(stderr(&output).contains(none), "{}", stderr(&output));
    }
    let missing = format!("{}/peopel", folder.path());
    let output = folder.plan(&["--before", &missing]).await;
    assert!(output.status.code() == Some(1) && stderr(&output).contains("can't be read"), "{}", stderr(&output));
    // The manifests are in a folder below.
    std::fs::remove_file(folder.path.join("connection.yaml")).expect("it had one");
    let flat = folder.path.to_string_lossy().into_owned();
    let key = folder.key.to_string_lossy().into_owned();
    let before = Folder::of(&sandbox.base_url, &sandbox.token, &json!({}), &[user("ada", "Countess")]);
    let args = ["plan", "-f", &flat, "--before", before.path(), "--key-file", &key, "--allow-loopback-http"];
    let output = crate::alone(&args).await;
    assert!(output.status.code() == Some(1) && stderr(&output).contains("-R looks into"), "{}", stderr(&output));
}
