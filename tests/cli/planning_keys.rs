//! `plan` and the key that it was given: it goes to one server, and not to one that a change brings along.

use serde_json::{Value, json};

use crate::importing::at;
use crate::planning::{Folder, account, group, object, user};
use crate::support::{Front, Sandbox};
use crate::{json_of, printed, program, scim, stderr};

const KEY: &str = "one-key";

fn connection(name: &str, base_url: &str) -> Value {
    json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimConnection", "metadata": {"name": name},
        "spec": {"baseUrl": base_url, "auth": {"bearerToken": {"secretKeyRef": {"name": "key", "key": "token"}}}},
    })
}

#[tokio::test]
async fn i24_a_key_is_sent_to_one_server_and_to_none_that_a_change_brings_along() {
    let (ours, theirs) = (Sandbox::start(), Sandbox::start());
    let door = |sandbox: &Sandbox| {
        Front::before(&sandbox.base_url, &sandbox.token).asking_for("authorization", "Bearer one-key").open()
    };
    let (good, other) = (door(&ours), door(&theirs));
    let folder =
        Folder::of(&good.base_url, KEY, &json!({}), &[user("ada", "Countess"), connection("d", &other.base_url)]);
    let output = folder.plan(&[]).await;
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("would be sent to 2 servers") && text.contains("default/d at http"), "{text}");
    assert!(other.take().is_empty() && good.take().is_empty(), "nothing was sent");
    let output = folder.plan(&["c"]).await;
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(other.take().is_empty() && !good.take().is_empty());

    // The change of a branch moves the connection elsewhere.
    let before = Folder::of(&good.base_url, KEY, &json!({}), &[user("ada", "Countess")]);
    let moved = Folder::of(&other.base_url, KEY, &json!({}), &[user("ada", "Countess")]);
    let output = moved.plan(&["--before", before.path()]).await;
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("the key is not sent to a server that is new with the change"), "{text}");
    assert!(other.take().is_empty(), "nothing was sent");
}

/// Whoever stands on the way to a server gets the key as well.
#[tokio::test]
async fn i24_no_token_endpoint_and_no_proxy_of_a_change_gets_the_key() {
    let (ours, theirs) = (Sandbox::start(), Sandbox::start());
    let good = Front::before(&ours.base_url, &ours.token).open();
    let evil = Front::before(&theirs.base_url, &theirs.token).open();
    let secret = json!({"name": "key", "key": "token"});
    let oauth = |url: &str| json!({"oauth2ClientCredentials": {"tokenUrl": url, "clientId": "a", "clientSecretKeyRef": secret}});
    let of = |spec: Value| Folder::of(&good.base_url, KEY, &spec, &[user("ada", "Countess")]);
    let before = of(json!({"auth": oauth(&format!("{}/token", good.base_url))}));
    let endpoint = json!({"auth": oauth(&format!("{}/token", evil.base_url))});
    let proxied =
        json!({"proxy": {"url": &evil.base_url[..evil.base_url.rfind("/scim").unwrap_or(evil.base_url.len())]}});
    for (change, said) in [(endpoint, "the token endpoint http"), (proxied, "the proxy http")] {
        let folder = of(change);
        let output = folder.plan(&["--before", before.path()]).await;
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(said) && text.contains("new with the change"), "{text}");
        let output = folder.plan(&["--server", &good.base_url]).await;
        let text = stderr(&output);
        assert!(output.status.code() == Some(1) && text.contains("which no --server names"), "{text}");
        assert!(evil.take().is_empty() && good.take().is_empty(), "nothing was sent");
    }
}

/// Files that are laid over a cluster move no key away from where it goes there.
#[tokio::test]
async fn i24_a_key_of_a_cluster_goes_where_the_cluster_says() {
    let (ours, theirs) = (Sandbox::start(), Sandbox::start());
    let place = at(&ours).await;
    let evil = Front::before(&theirs.base_url, &theirs.token).open();
    let mut moved = place.connection(json!({"baseUrl": evil.base_url}));
    moved["metadata"]["namespace"] = json!(place.namespace);
    let folder = Folder::of(&ours.base_url, &ours.token, &json!({}), &[moved]).without_connection();
    let args = ["plan", "--allow-loopback-http", "-R", "-f", folder.path(), "--against"];
    let key = folder.key.to_string_lossy().into_owned();
    for more in [&[][..], &["--key-file", &key]] {
        let output = scim(&place.namespace, &[&args[..], more].concat()).await;
        let text = stderr(&output);
        assert!(output.status.code() == Some(1) && text.contains("in the cluster it doesn't"), "{more:?}: {text}");
        assert!(evil.take().is_empty(), "nothing was sent");
    }
}

/// What the files name is compared where they say that it is, whatever namespace the command runs in.
#[tokio::test]
async fn i24_a_connection_of_another_namespace_is_compared_with_itself() {
    let sandbox = Sandbox::start();
    let place = at(&sandbox).await;
    let here = |mut object: Value| {
        object["metadata"]["namespace"] = json!(place.namespace);
        object
    };
    let mut ada = here(user("ada", "Countess"));
    ada["spec"]["connectionRef"] = json!({"name": "jackson"});
    let same = here(place.connection(json!({"provider": "Generic", "baseUrl": sandbox.base_url})));
    let folder = Folder::of(&sandbox.base_url, "none", &json!({}), &[same, ada.clone()]).without_connection();
    let args = ["plan", "--allow-loopback-http", "-R", "-f", folder.path(), "--against", "-o", "json"];
    let output = scim("default", &args).await;
    assert_eq!(output.status.code(), Some(2), "{}{}", printed(&output), stderr(&output));
    assert_eq!(object(&json_of(&output), "ada")["action"], "create", "{}", printed(&output));
    // Beside a connection that is in the cluster alone, too.
    folder.declare(&[ada]);
    let output = scim("default", &args).await;
    assert_eq!(object(&json_of(&output), "ada")["action"], "create", "{}{}", printed(&output), stderr(&output));
}

/// Overlays of Kustomize have the same connection, each at its own server.
#[tokio::test]
async fn i24_of_a_connection_that_is_there_twice_no_server_is_sent_the_key() {
    let (ours, theirs) = (Sandbox::start(), Sandbox::start());
    let front = |sandbox: &Sandbox| Front::before(&sandbox.base_url, &sandbox.token).open();
    let (prod, staging) = (front(&ours), front(&theirs));
    let folder = Folder::of(&prod.base_url, KEY, &json!({}), &[user("ada", "Countess")]);
    std::fs::create_dir_all(folder.path.join("staging")).expect("a folder");
    let overlay = folder.path.join("staging/connection.yaml");
    std::fs::write(&overlay, connection("c", &staging.base_url).to_string()).expect("a manifest");
    let output = folder.plan(&[]).await;
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let first = folder.path.join("connection.yaml");
    let said = format!("staging/connection.yaml: document 1 (line 1): ScimConnection c is in {}", first.display());
    assert!(text.contains(&said) && text.contains("kubectl kustomize"), "{text}");
    assert!(prod.take().is_empty() && staging.take().is_empty(), "nothing was sent");

    // One file that is named twice is there once.
    std::fs::remove_file(&overlay).expect("it was there");
    let again = first.to_string_lossy().into_owned();
    let output = folder.plan(&["-f", &again]).await;
    assert!(!stderr(&output).contains("already"), "{}{}", printed(&output), stderr(&output));
}

/// What nobody knows is not told as unchanged.
#[tokio::test]
async fn what_could_not_be_read_is_unknown_and_ends_with_1() {
    let sandbox = Sandbox::start();
    let ada = account(&sandbox, "ada", "Engineer").await;
    let schemas = json!(["urn:ietf:params:scim:schemas:core:2.0:Group"]);
    let body = json!({"schemas": schemas, "displayName": "team", "members": [{"value": ada}]});
    let (status, made) = sandbox.scim("POST", "/Groups", Some(body)).await;
    assert_eq!(status, 201, "{made}");
    let mut team = group("team", &["ada"]);
    team["metadata"]["annotations"] = json!({"scim-operator.dev/remote-id": made["id"]});
    let folder = Folder::of(&sandbox.base_url, &sandbox.token, &json!({}), &[user("ada", "Engineer"), team]);
    let whole = folder.plan(&["-o", "json"]).await;
    assert_eq!(whole.status.code(), Some(0), "{}", stderr(&whole));
    for (code, retry_after) in [(429, json!(1)), (503, Value::Null)] {
        sandbox.admin("DELETE", "/faults", None).await;
        let matching =
            json!({"method": "GET", "path_prefix": format!("/Groups/{}", made["id"].as_str().expect("an id"))});
        let fault = json!({"kind": "status", "code": code, "retry_after": retry_after});
        sandbox.admin("POST", "/faults", Some(json!([{"match": matching, "fault": fault}]))).await;
        let output = folder.plan(&["-o", "json"]).await;
        let plans = json_of(&output);
        let team = object(&plans, "team");
        // A server that fails for one object alone again and again refuses it.
        let known = [json!("unknown"), json!("refused")];
        assert!(known.contains(&team["action"]), "{code}: {team}{}", stderr(&output));
        assert!(matches!(output.status.code(), Some(1 | 3)), "{code}: {:?} {team}", output.status);
        assert!(code != 429 || stderr(&output).contains("1 objects could not be looked at"), "{}", stderr(&output));
    }
}

/// `| head` closes the pipe; what was found is what a gate is told.
#[tokio::test]
async fn a_reader_that_goes_changes_no_exit_code() {
    let sandbox = Sandbox::start();
    let people: Vec<Value> = (0..200).map(|number| user(&format!("person-{number}"), "Engineer")).collect();
    let folder = Folder::of(&sandbox.base_url, &sandbox.token, &json!({}), &people);
    let mut command = program(std::path::Path::new("/there/is/none"));
    command
        .args(["plan", "-R", "-f"])
        .arg(&folder.path)
        .arg("--key-file")
        .arg(&folder.key)
        .arg("--allow-loopback-http");
    command.args(["-o", "markdown"]).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let ended = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().expect("kubectl-scim");
        drop(child.stdout.take());
        child.wait_with_output().expect("it ran")
    });
    let output = ended.await.expect("it ran");
    assert_eq!(output.status.code(), Some(2), "{}{}", printed(&output), stderr(&output));
}
