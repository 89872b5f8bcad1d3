//! `roster preview`: a roster, or a spreadsheet, looked at before it is applied.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::kit::Place;
use crate::planning::account;
use crate::support::{Front, Sandbox, scratch, unique};
use crate::{alone, json_of, printed, program, scim, stderr};

fn roster(fields: Value) -> Value {
    let mut roster = json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimRoster", "metadata": {"name": "people"},
        "spec": {
            "connectionRef": {"name": "jackson"}, "source": {"configMaps": {"namePrefix": "people"}}, "key": "row.id",
            "scope": "row.department == 'Engineering'",
            "mappings": [
                {"target": "userName", "value": "row.mail"}, {"target": "title", "value": "coalesce(row.title, 'Engineer')"},
                {"target": "active", "value": "row.active"}
            ],
        },
    });
    for (field, value) in fields.as_object().into_iter().flatten() {
        roster["spec"][field] = value.clone();
    }
    roster
}

fn map(rows: &str) -> Value {
    hashed("7h2k9mf4dt", rows)
}

fn hashed(hash: &str, rows: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "data": {"people.csv": rows},
        "metadata": {"name": format!("people-{hash}"), "labels": {"scim-operator.dev/roster-source": "true"}},
    })
}

const ROWS: &str = "id,mail,title,active,department\n1,ada@example.com,Countess,WAHR,Engineering\n\
    2,grace@example.com,,yes,Engineering\n3,alan@example.com,=1+2,yes,Engineering\n4,kim@example.com,x,maybe,Engineering\n\
    5,eve@example.com,x,no,Sales\n6,\u{200b}tim@example.com,x,no,Engineering,x\n7,not a mail,x,,Engineering\n";

/// A directory with these objects, and another that is nobody's here.
fn directory(objects: &[Value]) -> PathBuf {
    let directory = scratch().join(unique("preview"));
    std::fs::create_dir_all(directory.join("below")).expect("a directory");
    for (number, object) in objects.iter().enumerate() {
        std::fs::write(directory.join(format!("below/{number}.json")), object.to_string()).expect("a file");
    }
    std::fs::write(directory.join("deployment.yaml"), "apiVersion: apps/v1\nkind: Deployment\n").expect("a file");
    std::fs::write(directory.join("values.yaml"), "people: []\n").expect("a file");
    directory
}

#[tokio::test]
async fn i29_each_row_is_mapped_left_out_or_rejected_by_number_and_column() {
    let files = directory(&[roster(json!({})), map(ROWS)]);
    let files = files.to_string_lossy();
    let output = alone(&["roster", "preview", "-f", &files, "-R", "-o", "json"]).await;
    assert_eq!(output.status.code(), Some(2), "rows are rejected: {}", stderr(&output));
    assert!(stderr(&output).contains("1 Deployment"), "{}", stderr(&output));
    let report = &json_of(&output)[0];
    assert_eq!(report["sums"], json!({"rows": 7, "mapped": 2, "outOfScope": 1, "rejected": 4}), "{report:#}");
    let row = |number: usize| report["rows"][number - 2].clone();
    assert_eq!((&row(2)["spec"]["active"], &row(2)["spec"]["title"]), (&json!(true), &json!("Countess")));
    assert_eq!(row(3)["spec"]["title"], "Engineer");
    for (number, expected) in [(4, "column title: it is a formula"), (5, "column active"), (7, "6 values")] {
        let reason = row(number)["reason"].as_str().unwrap_or_default().to_owned();
        assert!(reason.contains(expected) && row(number)["row"] == number, "{number}: {reason}");
    }
    assert_eq!(row(6)["outcome"], "outOfScope");

    let steps = alone(&["roster", "preview", "-f", &files, "-R", "--row", "3", "-o", "json"]).await;
    let steps = json_of(&steps);
    let step =
        |what: &str| steps.as_array().unwrap().iter().find(|step| step["step"] == what).cloned().unwrap_or_default();
    assert_eq!(step("title")["read"], json!([{"column": "title", "value": ""}]), "{steps:#}");
    assert_eq!((&step("title")["value"], &step("scope")["value"]), (&json!("Engineer"), &json!(true)), "{steps:#}");
    let none = alone(&["roster", "preview", "-f", &files, "-R", "--row", "99"]).await;
    assert!(none.status.code() == Some(1) && stderr(&none).contains("there is no row 99"), "{}", stderr(&none));

    // A sheet without a roster, by a portal's table.
    let sheet = scratch().join(unique("sheet"));
    std::fs::write(&sheet, "userPrincipalName,accountEnabled,jobTitle\nada@example.com,True,Countess\n")
        .expect("a file");
    let args = ["roster", "preview", "--source", &sheet.to_string_lossy(), "--preset", "entraDatadog"];
    let output = alone(&args).await;
    assert!(
        output.status.success() && printed(&output).contains("1 mapped"),
        "{}{}",
        printed(&output),
        stderr(&output)
    );
}

#[tokio::test]
async fn i29_what_can_not_be_read_is_told_by_file_document_and_line() {
    let half = roster(json!({})).to_string().replace("connectionRef", "conectionRef");
    let unlabelled = map(ROWS).to_string().replace("roster-source", "rooster-source");
    let other = map("mail\nada@example.com\n");
    for (objects, expected) in [
        (
            format!("{}\n---\n{half}\n", map(ROWS)),
            "document 2 (line 3): ScimRoster people: there is no field spec.conectionRef",
        ),
        (format!("---\n{}\n---\nkind: [\n", map(ROWS)), "document 2 (line 4): line"),
        (format!("{}\n---\n{}", roster(json!({})), unlabelled), "with the label scim-operator.dev/roster-source=true"),
        (format!("{}\n---\n{}", roster(json!({})), other), "the source has no column department"),
        (
            format!("{}\n---\n{}", roster(json!({"scope": "row.department = 'x'"})), map(ROWS)),
            "spec.scope: line 1 column",
        ),
        (map(ROWS).to_string(), "there is no ScimRoster in the files"),
    ] {
        let file = scratch().join(format!("{}.yaml", unique("half")));
        std::fs::write(&file, &objects).expect("a file");
        let output = alone(&["roster", "preview", "-f", &file.to_string_lossy()]).await;
        let told = stderr(&output);
        assert!(output.status.code() == Some(1) && told.contains(expected), "{expected}: {told}");
        assert!(!told.contains("panicked") && told.lines().count() < 8, "{told}");
    }
}

#[tokio::test]
async fn joiners_changes_and_leavers_are_told_against_a_cluster() {
    let place = Place::without_operator().await;
    place.cluster.install_crds().await;
    let before = json!([{"id": "1", "mail": "ada@example.com"}, {"id": "2", "mail": "grace@example.com"}]);
    let mappings = json!([{"target": "userName", "value": "row.mail"}]);
    let fields = json!({"source": {"inline": before}, "mappings": mappings, "scope": "true"});
    place.apply(roster(fields));
    for (name, user) in [("ada", "ada@example.com"), ("grace", "grace@example.com"), ("alan", "alan@example.com")] {
        let labels = json!({"scim-operator.dev/roster": "people"});
        place.apply(json!({
            "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimUser", "metadata": {"name": name, "labels": labels},
            "spec": {"connectionRef": {"name": "jackson"}, "userName": user},
        }));
    }
    let after = json!([{"id": "1", "mail": "ada@example.com", "title": "Countess"}, {"id": "9", "mail": "joan@example.com", "title": ""}]);
    let mappings = json!([{"target": "userName", "value": "row.mail"}, {"target": "title", "value": "row.title"}]);
    let file = scratch().join(format!("{}.json", unique("against")));
    let fields = json!({"source": {"inline": after}, "mappings": mappings, "scope": "true"});
    std::fs::write(&file, roster(fields).to_string()).expect("a file");
    let args = ["roster", "preview", "-f", &file.to_string_lossy(), "--against", "-o", "json"];
    let output = scim(&place.namespace, &args).await;
    let report = &json_of(&output)[0]["against"];
    let told = |what: &str| {
        let people = report["people"].as_array().unwrap().iter().filter(|person| person["what"] == what);
        people.map(|person| person["userName"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(told("joins"), ["joan@example.com"], "{report:#}");
    assert_eq!(told("changes"), ["ada@example.com"], "{report:#}");
    assert_eq!(told("leaves"), ["alan@example.com", "grace@example.com"], "{report:#}");
    let change =
        &report["people"].as_array().unwrap().iter().find(|person| person["what"] == "changes").unwrap()["changes"][0];
    assert_eq!(change, &json!({"field": "title", "old": null, "new": "Countess"}), "{report:#}");
    assert_eq!(place.users().await.len(), 3, "nothing was written");
}

/// A sheet under a new hash takes the place of the one in the cluster; after a revert without a prune it doesn't.
#[tokio::test]
async fn i10_of_two_hashes_the_one_is_compared_that_is_in_force_once_it_is_applied() {
    let place = Place::without_operator().await;
    place.cluster.install_crds().await;
    let rows = |ada: &str, alan: &str| format!("id,mail,title\n1,ada@example.com,{ada}\n{alan}");
    let old = hashed("7h2k9mf4dt", &rows("Engineer", "2,alan@example.com,Engineer\n"));
    let new = hashed("2bc4567dfg", &rows("Countess", ""));
    for name in ["ada", "alan"] {
        let labels = json!({"scim-operator.dev/roster": "people"});
        place.apply(json!({
            "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimUser", "metadata": {"name": name, "labels": labels},
            "spec": {"connectionRef": {"name": "jackson"}, "userName": format!("{name}@example.com"), "title": "Engineer"},
        }));
    }
    let mappings = json!([{"target": "userName", "value": "row.mail"}, {"target": "title", "value": "row.title"}]);
    let of = |map: &Value| directory(&[roster(json!({"mappings": mappings, "scope": "true"})), map.clone()]);
    let compared = async |files: PathBuf| {
        let args = ["roster", "preview", "-R", "-f", &files.to_string_lossy(), "--against", "-o", "json"];
        let output = scim(&place.namespace, &args).await;
        let report = json_of(&output)[0].clone();
        let people = report["against"]["people"].as_array().expect("people").iter();
        let told: Vec<String> = people
            .map(|person| format!("{} {}", person["userName"], person["what"]))
            .map(|told| told.replace('"', ""))
            .collect();
        (told, report["notes"].to_string())
    };
    place.apply(old.clone());
    let moves = ["ada@example.com changes", "alan@example.com leaves"];
    let (told, notes) = compared(of(&new)).await;
    assert!(told == moves && notes == "[]", "{told:?} {notes}");
    place.apply(new);
    let (told, notes) = compared(of(&old)).await;
    assert!(told == moves && notes.contains("kubectl delete configmap people-2bc4567dfg"), "{told:?} {notes}");
}

/// kubectl would refuse it; here the rows of one namespace would be compared with the people of another.
#[tokio::test]
async fn i26_a_roster_is_looked_at_in_its_own_namespace_alone() {
    let mut elsewhere = roster(json!({}));
    elsewhere["metadata"]["namespace"] = json!("tenant-b");
    let files = directory(&[elsewhere, map(ROWS)]);
    let files = files.to_string_lossy();
    let output = alone(&["roster", "preview", "-n", "tenant-a", "-R", "-f", &files]).await;
    let told = stderr(&output);
    assert!(output.status.code() == Some(1) && told.contains("say -n tenant-b"), "{told}");
    let output = alone(&["roster", "preview", "-n", "tenant-b", "-R", "-f", &files]).await;
    assert_eq!(output.status.code(), Some(2), "rows are rejected: {}", stderr(&output));

    // With a selector both would be read, and every row would be there twice.
    let files = directory(&[roster(json!({})), map(ROWS), map(ROWS)]);
    let output = alone(&["roster", "preview", "-R", "-f", &files.to_string_lossy()]).await;
    let told = stderr(&output);
    assert!(output.status.code() == Some(1) && told.contains("ConfigMap people-7h2k9mf4dt is in"), "{told}");
}

#[tokio::test]
async fn joiners_changes_and_accounts_without_a_row_are_told_against_a_server() {
    let sandbox = Sandbox::start();
    for (name, title) in [("ada", "Countess"), ("grace", "Apprentice"), ("alan", "Engineer")] {
        account(&sandbox, name, title).await;
    }
    let front =
        Front::before(&sandbox.base_url, &sandbox.token).asking_for("authorization", "Bearer preview-key").open();
    let rows = "id,mail,title,active,department\n1,ada@example.com,Countess,yes,Engineering\n\
        2,grace@example.com,Admiral,yes,Engineering\n3,joan@example.com,,yes,Engineering\n";
    let connection = |url: &str| {
        json!({
            "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimConnection", "metadata": {"name": "jackson"},
            "spec": {"baseUrl": url, "auth": {"bearerToken": {"secretKeyRef": {"name": "key", "key": "token"}}},
                "adoptionPolicy": {"users": "Refuse"}},
        })
    };
    let preview = async |files: &std::path::Path, key: &str| {
        let mut command = program(std::path::Path::new("/there/is/none"));
        command.args(["roster", "preview", "-R", "--against=server", "--allow-loopback-http", "-o", "json", "-f"]);
        command.arg(files).env("SCIM_KEY", key).stdin(std::process::Stdio::null());
        tokio::task::spawn_blocking(move || command.output().expect("kubectl-scim")).await.expect("it ran")
    };
    let files = directory(&[roster(json!({})), map(rows), connection(&front.base_url)]);
    let output = preview(&files, "preview-key").await;
    let report = &json_of(&output)[0]["against"];
    let told = |what: &str| {
        let people = report["people"].as_array().unwrap().iter().filter(|person| person["what"] == what);
        people.map(|person| person["userName"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(told("joins"), ["joan@example.com"], "{report:#}");
    assert_eq!(told("changes"), ["grace@example.com"], "{report:#}");
    assert_eq!(told("no row"), ["alan@example.com"], "{report:#}");
    let grace = report["people"].as_array().unwrap().iter().find(|person| person["what"] == "changes").unwrap();
    assert_eq!(grace["changes"], json!([{"field": "title", "old": "Apprentice", "new": "Admiral"}]), "{report:#}");
    assert!(report["notes"].to_string().contains("adoptionPolicy.users: Refuse"), "{report:#}");
    let seen = front.take();
    assert!(!seen.is_empty() && seen.iter().all(|request| request.method == "GET"), "{seen:#?}");

    let output = preview(&files, "another-key").await;
    assert_eq!(output.status.code(), Some(1), "{}", printed(&output));
    assert!(stderr(&output).contains("401") && !stderr(&output).contains("another-key"), "{}", stderr(&output));
    let output = preview(&directory(&[roster(json!({})), map(rows), connection("http://127.0.0.1:9/v2")]), "k").await;
    assert!(output.status.code() == Some(1) && stderr(&output).contains("127.0.0.1:9"), "{}", stderr(&output));
    // A second roster, whose connection a change brought along.
    let evil = Front::before(&sandbox.base_url, &sandbox.token).open();
    let mut other = connection(&evil.base_url);
    other["metadata"]["name"] = json!("other");
    let mut second = roster(json!({"connectionRef": {"name": "other"}}));
    second["metadata"]["name"] = json!("second");
    let both = directory(&[roster(json!({})), map(rows), connection(&front.base_url), second, other]);
    front.take();
    let output = preview(&both, "preview-key").await;
    assert!(output.status.code() == Some(1) && stderr(&output).contains("2 servers"), "{}", stderr(&output));
    assert!(evil.take().is_empty() && front.take().is_empty(), "nothing was sent");
    let output = preview(&directory(&[roster(json!({})), map(rows)]), "preview-key").await;
    assert_eq!(output.status.code(), Some(1), "neither a connection nor a cluster: {}", printed(&output));
}
