//! docs/tutorial.md and the example of one table for many services go as they are written.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::kit::{PATIENCE, Place};
use crate::operator;
use crate::support::{Directory, Jackson, eventually, part, repository, scratch};

/// All commands of the page, as one script: a later one uses what an earlier one has set.
fn script() -> String {
    let page = fs::read_to_string(repository().join("docs/tutorial.md")).unwrap();
    let blocks = page.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap());
    blocks.collect::<Vec<_>>().join("\n")
}

/// A kubeconfig as the demo's: its context is in this namespace.
fn kubeconfig(place: &Place) -> std::path::PathBuf {
    let admin = fs::read_to_string(place.cluster.admin_kubeconfig()).unwrap();
    let mut config: Value = serde_json::from_str(&admin).unwrap();
    config["contexts"][0]["context"]["namespace"] = place.namespace.clone().into();
    let file = scratch().join("data/tutorial.kubeconfig");
    fs::write(&file, config.to_string()).unwrap();
    file
}

#[tokio::test]
async fn the_tutorial_goes_as_it_is_written() {
    operator().await;
    let place = Place::without_operator().await;
    // Where `make demo` ends.
    let connection = fs::read_to_string(repository().join("examples/connection.yaml")).unwrap();
    let connection = connection.replace("BASE_URL", &place.directory.base_url).replace("TOKEN", &place.directory.token);
    place.cluster.apply(&place.namespace, &connection);
    place.cluster.apply(&place.namespace, &fs::read_to_string(repository().join("examples/team.yaml")).unwrap());
    place.kubectl(&["wait", "--for=condition=Ready", "scimuser", "--all", "--timeout=180s"]);

    let kubectl = part("bin/kubectl");
    let path = format!("{}:{}", kubectl.parent().unwrap().display(), std::env::var("PATH").unwrap());
    // It has a loop that waits.
    let mut shell = Command::new("timeout");
    shell.args(["400", "bash", "-euxo", "pipefail", "-c", &script()]).current_dir(repository()).env("PATH", path);
    shell.env("KUBECONFIG", kubeconfig(&place)).env("BASE", &place.directory.base_url);
    shell.env("TOKEN", &place.directory.token).env("NO_PROXY", "127.0.0.1");
    let done = tokio::task::spawn_blocking(move || shell.output()).await.unwrap().expect("bash");
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}\n{}", String::from_utf8_lossy(&done.stderr));
    assert!(said.lines().any(|line| line.trim() == "26"), "all are active while the hold waits: {said}");
    // Nobody was lost, and those of the table have come: 25, Hypatia, two.
    let accounts = place.directory.users().await;
    let active = accounts.iter().filter(|account| account["active"] == true).count();
    assert_eq!(active, 28, "{accounts:?}");
}

/// examples/one-table-many-services.yaml, with a directory of Jackson as each service.
#[tokio::test]
async fn one_table_serves_many_services_and_who_loses_one_keeps_the_others() {
    operator().await;
    let place = Place::without_operator().await;
    let chat = Jackson::shared().await.new_directory("generic-scim-v2").await;
    for (name, directory) in [("chat", &chat), ("monitoring", &place.directory)] {
        let key = json!({"apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": name, "labels": {"scim-operator.dev/credentials": "true"}},
            "stringData": {"token": directory.token}});
        place.apply(key);
        let mut connection = place.connection(json!({"baseUrl": directory.base_url,
            "auth": {"bearerToken": {"secretKeyRef": {"name": name, "key": "token"}}}}));
        connection["metadata"]["name"] = json!(name);
        place.apply(connection);
    }
    let example = fs::read_to_string(repository().join("examples/one-table-many-services.yaml")).unwrap();
    place.cluster.apply(&place.namespace, &example);
    let ready = |kind: &str| place.kubectl(&["wait", "--for=condition=Ready", kind, "--all", "--timeout=120s"]);
    ready("scimroster");
    ready("scimuser");
    ready("scimgroup");
    let active = async |directory: &Directory| {
        let accounts = directory.users().await;
        let active = accounts.into_iter().filter(|account| account["active"] == true);
        let mut names: Vec<String> = active.map(|account| account["email"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(active(&chat).await, ["ada@example.com", "grace@example.com", "susan@example.com"]);
    assert_eq!(active(&place.directory).await, ["ada@example.com", "alan@example.com", "grace@example.com"]);
    let accounts = place.directory.users().await;
    assert!(accounts.iter().any(|account| account["raw"]["title"] == "Rear Admiral"), "{accounts:?}");

    let moved = example.replace("Engineer,Engineering,chat;monitoring,", "Engineer,Engineering,monitoring,");
    assert_ne!(moved, example);
    place.cluster.apply(&place.namespace, &moved);
    eventually(PATIENCE, "ada has lost one service", async || {
        let names = active(&chat).await;
        if names == ["grace@example.com", "susan@example.com"] { Ok(()) } else { Err(names) }
    })
    .await;
    assert_eq!(active(&place.directory).await, ["ada@example.com", "alan@example.com", "grace@example.com"]);
}
