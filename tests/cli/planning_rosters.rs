//! `plan` for what the rows of rosters become.

use serde_json::{Value, json};

use crate::importing::{all_ready, at};
use crate::kit::{PATIENCE, Place};
use crate::planning::{Folder, account};
use crate::support::{Sandbox, eventually};
use crate::{json_of, printed, scim, stderr};

/// A roster of the people in this sheet, and the ConfigMap that holds it.
fn roster(connection: &str, rows: &str) -> [Value; 2] {
    let roster = json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimRoster", "metadata": {"name": "people"},
        "spec": {"connectionRef": {"name": connection}, "source": {"configMaps": {"namePrefix": "people"}}, "key": "row.id",
            "mappings": [{"target": "userName", "value": "row.mail"}, {"target": "title", "value": "row.title"}]},
    });
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "data": {"people.csv": format!("id,mail,title\n{rows}")},
        "metadata": {"name": "people", "labels": {"scim-operator.dev/roster-source": "true"}},
    });
    [roster, map]
}

/// What the object with this userName comes to.
fn called<'a>(plans: &'a Value, name: &str) -> &'a Value {
    let all = plans[0]["objects"].as_array().expect("objects");
    let called = format!("{name}@example.com");
    all.iter().find(|object| object["called"] == called).unwrap_or_else(|| panic!("no {name} in {plans:#}"))
}

#[tokio::test]
async fn rows_of_a_roster_are_planned_as_the_users_that_they_become() {
    let sandbox = Sandbox::start();
    for name in ["ada", "gone"] {
        account(&sandbox, name, "Engineer").await;
    }
    let journal = sandbox.admin("GET", "/journal", None).await;
    let folder = Folder::of(
        &sandbox.base_url,
        &sandbox.token,
        &json!({}),
        &roster("c", "1,ada@example.com,Countess\n2,new@example.com,Apprentice\n,nobody@example.com,x\n"),
    );
    let rows = "1,ada@example.com,Engineer\n4,gone@example.com,Engineer\n";
    let before = Folder::of(&sandbox.base_url, &sandbox.token, &json!({}), &roster("c", rows));
    let output = folder.plan(&["-o", "json", "--before", before.path()]).await;
    let plans = json_of(&output);
    // The row that is rejected may be that of whoever is gone.
    assert_eq!(output.status.code(), Some(3), "{plans:#}{}", stderr(&output));
    assert!(plans[0]["notes"].to_string().contains("nobody leaves, since row 4 may be any of them"), "{plans:#}");
    let refused = &plans[0]["objects"].as_array().expect("objects").last().expect("the roster");
    assert_eq!((&refused["kind"], &refused["action"]), (&json!("ScimRoster"), &json!("refused")), "{refused}");
    assert!(refused["message"].as_str().unwrap_or_default().starts_with("row 4 is rejected"), "{refused}");
    let ada = called(&plans, "ada");
    let change = json!([{"attribute": "title", "old": "Engineer", "new": "Countess"}]);
    assert_eq!((&ada["action"], &ada["changes"]), (&json!("adopt"), &change), "{ada}");
    assert_eq!(called(&plans, "new")["action"], "create", "{plans:#}");

    folder.declare(&roster("c", "1,ada@example.com,Countess\n2,new@example.com,Apprentice\n"));
    let output = folder.plan(&["-o", "json", "--before", before.path()]).await;
    let plans = json_of(&output);
    assert_eq!(called(&plans, "gone")["action"], "deactivate", "{plans:#}");
    assert_eq!((&plans[0]["sums"]["deactivate"], &plans[0]["sums"]["create"]), (&json!(1), &json!(1)), "{plans:#}");
    assert_eq!(sandbox.admin("GET", "/journal", None).await, journal, "nothing was written");
}

#[tokio::test]
async fn a_roster_that_is_deleted_or_suspended_deletes_nobody() {
    let sandbox = Sandbox::start();
    account(&sandbox, "ada", "Engineer").await;
    let now = roster("c", "1,ada@example.com,Engineer\n");
    let before = Folder::of(&sandbox.base_url, &sandbox.token, &json!({}), &now);
    let mut suspended = now.clone();
    suspended[0]["spec"]["suspend"] = json!(true);
    for after in [&suspended[..], &now[1..]] {
        let folder = Folder::of(&sandbox.base_url, &sandbox.token, &json!({}), after);
        let output = folder.plan(&["-o", "json", "--before", before.path()]).await;
        let plans = json_of(&output);
        assert_eq!(output.status.code(), Some(0), "{plans:#}{}", stderr(&output));
        assert_eq!(called(&plans, "ada")["action"], "adopt", "{plans:#}");
    }
}

#[tokio::test]
async fn i13_leavers_whom_the_guard_of_a_roster_holds_are_shown_as_held() {
    let sandbox = Sandbox::start();
    let row = |number: usize| format!("{number},person-{number}@example.com,Engineer\n");
    let rows = |numbers: std::ops::Range<usize>| numbers.map(row).collect::<String>();
    for number in 0..9 {
        account(&sandbox, &format!("person-{number}"), "Engineer").await;
    }
    let of = |rows: String| Folder::of(&sandbox.base_url, &sandbox.token, &json!({}), &roster("c", &rows));
    let (folder, before) = (of(rows(0..2)), of(rows(0..9)));
    let output = folder.plan(&["-o", "json", "--before", before.path()]).await;
    let plans = json_of(&output);
    assert_eq!(output.status.code(), Some(3), "{plans:#}{}", stderr(&output));
    assert_eq!((&plans[0]["sums"]["held"], &plans[0]["sums"]["requests"]), (&json!(7), &json!(0)), "{plans:#}");
    assert_eq!(called(&plans, "person-5")["held"], json!({"by": "roster/people", "needsAnswer": true}), "{plans:#}");
    let hold = &plans[0]["holds"][0];
    assert_eq!((&hold["reason"], &hold["deletes"]), (&json!("roster/people"), &json!(7)), "{hold}");
    let text = printed(&folder.plan(&["--before", before.path()]).await);
    assert!(text.contains("Held by the guard of roster/people: 7 deletions"), "{text}");
}

/// The roster has made two ScimUsers, and they are synced.
async fn both_are_ready(place: &Place) {
    eventually(PATIENCE, "both have a ScimUser", async || {
        let users = place.users().await.len();
        if users == 2 { Ok(()) } else { Err(users) }
    })
    .await;
    all_ready(place, "scimuser").await;
}

#[tokio::test]
async fn a_roster_over_a_cluster_tells_who_joins_moves_and_leaves() {
    let sandbox = Sandbox::start();
    let place = at(&sandbox).await;
    for object in roster("jackson", "1,ada@example.com,Engineer\n2,grace@example.com,Admiral\n") {
        place.apply(object);
    }
    both_are_ready(&place).await;
    let rows = "1,ada@example.com,Countess\n3,alan@example.com,Engineer\n";
    let folder =
        Folder::of(&sandbox.base_url, &sandbox.token, &json!({}), &roster("jackson", rows)).without_connection();
    let args = ["plan", "--allow-loopback-http", "-R", "-f", folder.path(), "--against", "-o", "json"];
    for prune in [&[][..], &["--prune"]] {
        let output = scim(&place.namespace, &[&args[..], prune].concat()).await;
        let plans = json_of(&output);
        assert_eq!(output.status.code(), Some(2), "{plans:#}{}", stderr(&output));
        // What the roster made is the roster's, so that no prune takes it for gone.
        let change = json!([{"attribute": "title", "old": "Engineer", "new": "Countess"}]);
        assert_eq!(called(&plans, "ada")["changes"], change, "{prune:?}: {plans:#}");
        let actions = ["alan", "grace"].map(|name| called(&plans, name)["action"].clone());
        assert_eq!(actions, ["create", "deactivate"], "{prune:?}: {plans:#}");
        assert_eq!(plans[0]["objects"].as_array().map(Vec::len), Some(3), "{prune:?}: {plans:#}");
    }
    let explained = explain(&place, &format!("user/{}", name_of(&place, "grace").await)).await;
    assert!(explained.contains("row 3 of") && explained.contains("in roster/people"), "{explained}");
}

/// Kustomize names what it generates by a hash: the new one is another object than the one that is there.
#[tokio::test]
async fn i10_a_sheet_under_a_new_hash_is_planned_and_not_the_one_that_it_replaces() {
    let sandbox = Sandbox::start();
    let place = at(&sandbox).await;
    let hashed = |hash: &str, rows: &str| {
        let [roster, mut map] = roster("jackson", rows);
        map["metadata"]["name"] = json!(format!("people-{hash}"));
        [roster, map]
    };
    for object in hashed("7h2k9mf4dt", "1,ada@example.com,Engineer\n2,grace@example.com,Admiral\n") {
        place.apply(object);
    }
    both_are_ready(&place).await;
    let after = hashed("2bc4567dfg", "1,ada@example.com,Countess\n3,alan@example.com,Engineer\n");
    let folder = Folder::of(&sandbox.base_url, &sandbox.token, &json!({}), &after).without_connection();
    let args = ["plan", "--allow-loopback-http", "-R", "-f", folder.path(), "--against", "-o", "json"];
    for prune in [&[][..], &["--prune"]] {
        let output = scim(&place.namespace, &[&args[..], prune].concat()).await;
        let plans = json_of(&output);
        assert_eq!(output.status.code(), Some(2), "{prune:?}: {plans:#}{}", stderr(&output));
        let actions = ["alan", "grace"].map(|name| called(&plans, name)["action"].clone());
        assert_eq!(actions, ["create", "deactivate"], "{prune:?}: {plans:#}");
        assert!(!plans[0]["notes"].to_string().contains("kubectl delete"), "{prune:?}: {plans:#}");
    }
}

async fn name_of(place: &Place, name: &str) -> String {
    let called = format!("{name}@example.com");
    let users = place.users().await;
    let user = users.iter().find(|user| user["spec"]["userName"] == called).expect("a ScimUser");
    user["metadata"]["name"].as_str().expect("a name").to_owned()
}

async fn explain(place: &Place, target: &str) -> String {
    let output = scim(&place.namespace, &["explain", target]).await;
    format!("{}{}", printed(&output), stderr(&output))
}
