//! What is held, seen and answered; and what people tell the operator otherwise.

use serde_json::{Value, json};

use crate::importing::{all_ready, at};
use crate::kit::PATIENCE;
use crate::planning::{account, group, object, user};
use crate::support::{Sandbox, eventually};
use crate::{audit_file, connected, json_of, printed, program, scim, stderr};

/// Nobody is removed unseen.
fn none_unseen() -> Value {
    json!({"guards": {"removals": {"maxPercent": 0, "minCount": 0, "maxCount": 0}}})
}

#[tokio::test]
async fn i13_a_hold_is_seen_whole_and_answered_by_its_count() {
    let place = connected(None, none_unseen()).await;
    let namespace = place.namespace.as_str();
    for name in ["ada", "grace", "alan"] {
        place.user(name, json!({}));
    }
    let ada = place.synced("ada").await;
    place.synced("grace").await;
    place.synced("alan").await;
    place.kubectl(&["delete", "scimuser", "ada", "grace", "--wait=false"]);
    let id = place.hold_id().await;

    let holds = json_of(&scim(namespace, &["holds", "-o", "json"]).await);
    assert_eq!((&holds[0]["id"], &holds[0]["deactivations"]), (&json!(id), &json!(2)), "{holds}");
    let members = eventually(PATIENCE, "both say that they are in it", async || {
        let members = json_of(&scim(namespace, &["holds", &id, "-o", "json"]).await);
        if members.as_array().map(Vec::len) == Some(2) { Ok(members) } else { Err(members) }
    })
    .await;
    assert!(members.as_array().unwrap().iter().all(|held| held["heldOperation"] == "Deactivate"), "{members}");
    let status = scim(namespace, &["status"]).await;
    assert_eq!(status.status.code(), Some(2), "a person is needed: {}", printed(&status));
    assert!(printed(&status).contains(&id), "{}", printed(&status));

    let explained = scim(namespace, &["explain", "user/ada"]).await;
    assert_eq!(explained.status.code(), Some(2), "{}", stderr(&explained));
    assert!(printed(&explained).contains(&format!("hold {id} of removals")), "{}", printed(&explained));

    let asked = scim(namespace, &["approve", &id]).await;
    assert!(asked.status.code() == Some(1) && stderr(&asked).contains("--yes 2"), "{}", stderr(&asked));
    let wrong = scim(namespace, &["approve", &id, "--yes", "3"]).await;
    assert!(wrong.status.code() == Some(1) && stderr(&wrong).contains("there are 2"), "{}", stderr(&wrong));
    assert_eq!(place.get_connection().await["spec"]["approvedHold"], Value::Null);

    let approved = scim(namespace, &["approve", &id, "--yes", "2"]).await;
    assert!(approved.status.success(), "{}", stderr(&approved));
    place.is_gone("ada").await;
    place.is_gone("grace").await;
    assert_eq!(place.account(&ada).await.expect("the account")["raw"]["active"], false);
    let connection = place.get_connection().await;
    let managers = connection["metadata"]["managedFields"].as_array().expect("managers");
    let ours = managers.iter().find(|entry| entry["manager"] == "kubectl-scim").expect("it writes in its own name");
    assert!(ours["fieldsV1"]["f:spec"]["f:approvedHold"].is_object(), "{ours}");

    let audit = audit_file().to_string_lossy().into_owned();
    let history = json_of(&scim(namespace, &["history", &audit, "--hold", &id, "-o", "json"]).await);
    assert_eq!(history.as_array().map(Vec::len), Some(2), "{history}");
    assert!(
        history.as_array().unwrap().iter().all(|line| line["hold"]["approvedBy"] == json!(["kubectl-scim"])),
        "{history}"
    );

    let spent = scim(namespace, &["reject", &id, "--yes", "2"]).await;
    assert!(spent.status.code() == Some(1) && stderr(&spent).contains("there is no hold"), "{}", stderr(&spent));

    // The other answer: the object goes, its account doesn't.
    let alan = place.synced("alan").await;
    place.kubectl(&["delete", "scimuser", "alan", "--wait=false"]);
    let id = place.hold_id().await;
    eventually(PATIENCE, "it can be refused", async || {
        let rejected = scim(namespace, &["reject", &id, "--yes", "1"]).await;
        if rejected.status.success() { Ok(()) } else { Err(stderr(&rejected)) }
    })
    .await;
    place.is_gone("alan").await;
    assert_eq!(place.account(&alan).await.expect("the account")["raw"]["active"], true);
}

#[tokio::test]
async fn objects_are_listed_synced_suspended_and_released() {
    let place = connected(None, json!({})).await;
    let namespace = place.namespace.as_str();
    place.user("ada", json!({}));
    let id = place.synced("ada").await;
    // Somebody else declares her, later.
    place.user("double", json!({"userName": "ada@example.com"}));
    place.is("double", "False", "Conflict").await;

    let failures = json_of(&scim(namespace, &["failures", "-o", "json"]).await);
    assert_eq!((&failures[0]["name"], &failures[0]["reason"]), (&json!("double"), &json!("Conflict")), "{failures}");
    let status = json_of(&scim(namespace, &["status", "-o", "json"]).await);
    assert_eq!(status["failing"][0]["count"], 1, "{status}");
    assert!(status["connections"][0]["keyChanged"].is_string(), "{status}");
    let active = scim(namespace, &["get", "users", "--state", "active", "-o", "csv"]).await;
    assert_eq!(printed(&active).lines().count(), 2, "{}", printed(&active));
    assert!(printed(&active).contains("ada@example.com") && printed(&active).contains(&id), "{}", printed(&active));

    let group = json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimGroup", "metadata": {"name": "platform"},
        "spec": {"connectionRef": {"name": "jackson"}, "displayName": "Platform", "membership": "Additive",
            "members": [{"userRef": {"name": "ada"}}]},
    });
    place.apply(group);
    let report = printed(&scim(namespace, &["report", "access", "-o", "markdown"]).await);
    let rows = report.lines().filter(|line| line.starts_with('|')).count();
    assert_eq!(rows, 3, "one account is active: {report}");
    assert!(report.contains("These are the accounts that ScimUsers declare"), "{report}");
    assert!(
        ["ada@example.com", "Platform", "kubectl-client-side-apply"].iter().all(|word| report.contains(word)),
        "{report}"
    );

    let before = place.get("ada").await.expect("ada")["status"]["lastHandledReconcileAt"].clone();
    assert!(scim(namespace, &["sync", "connection/jackson"]).await.status.success());
    eventually(PATIENCE, "it was looked at again", async || {
        let now = place.get("ada").await.expect("ada")["status"]["lastHandledReconcileAt"].clone();
        if now == before { Err(now) } else { Ok(()) }
    })
    .await;

    assert!(scim(namespace, &["suspend", "user/ada"]).await.status.success());
    eventually(PATIENCE, "ada is suspended", async || {
        let ada = place.get("ada").await.expect("ada");
        if ada["status"]["state"] == "Suspended" { Ok(()) } else { Err(ada["status"].clone()) }
    })
    .await;
    let early = scim(namespace, &["release", "user/ada", "--yes", "1"]).await;
    assert!(early.status.code() == Some(1) && stderr(&early).contains("not under deletion"), "{}", stderr(&early));
    // Else she would be handed over to it.
    place.kubectl(&["delete", "scimuser", "double", "--timeout=90s"]);
    place.kubectl(&["delete", "scimuser", "ada", "--wait=false"]);
    assert!(scim(namespace, &["release", "user/ada", "--yes", "1"]).await.status.success());
    place.is_gone("ada").await;
    assert_eq!(place.account(&id).await.expect("the account")["raw"]["active"], true);

    let typo = scim(namespace, &["resume", "user/adda"]).await;
    assert!(typo.status.code() == Some(1) && stderr(&typo).contains("is not there"), "{}", stderr(&typo));
    assert!(scim(namespace, &["suspend", "connection/jackson"]).await.status.success());
    assert_eq!(place.get_connection().await["spec"]["suspend"], true);
}

/// The operator records which attributes are held and never their values; a plan reads them.
#[tokio::test]
async fn i13_a_hold_names_the_command_that_shows_the_old_and_the_new_values() {
    let sandbox = Sandbox::start();
    account(&sandbox, "ada", "Engineer").await;
    let journal = sandbox.admin("GET", "/journal", None).await;
    let guards = json!({"rewrites": {"maxPercent": 0, "minCount": 0, "maxCount": 0}});
    let fields = json!({"provider": "Generic", "baseUrl": sandbox.base_url, "guards": guards});
    let place = connected(Some(&sandbox.token), fields).await;
    let namespace = place.namespace.as_str();
    let mut ada = user("ada", "Countess");
    ada["spec"]["connectionRef"] = json!({"name": "jackson"});
    place.apply(ada);
    let id = place.hold_id().await;
    let told = stderr(&scim(namespace, &["holds", &id]).await);
    let command = format!("kubectl scim plan -n {namespace} jackson shows the old and the new values");
    assert!(told.contains(&command), "{told}");
    let planned = scim(namespace, &["plan", "jackson", "--allow-loopback-http", "-o", "json"]).await;
    let plans = json_of(&planned);
    let change = json!([{"attribute": "title", "old": "Engineer", "new": "Countess"}]);
    assert_eq!(object(&plans, "ada")["changes"], change, "{plans:#}{}", stderr(&planned));

    // Whoever may read the key sees them beside the hold itself, before the question too.
    let shown = scim(namespace, &["holds", &id, "--allow-loopback-http", "-o", "json"]).await;
    let members = json_of(&shown);
    assert_eq!(members[0]["changes"], change, "{members:#}{}", stderr(&shown));
    let asked = stderr(&scim(namespace, &["approve", &id, "--allow-loopback-http"]).await);
    // A key in the environment may be another server's.
    for args in [
        &["holds", &id][..],
        &["approve", &id],
        &["unmanaged", "--live"],
        &["explain", "user/ada", "--live"],
        &["plan", "user/ada"],
        &["plan"],
    ] {
        let mut command = program(place.cluster.admin_kubeconfig());
        command.args(["-n", namespace]).args(args).arg("--allow-loopback-http").env("SCIM_KEY", "another-servers");
        command.stdin(std::process::Stdio::null());
        let output =
            tokio::task::spawn_blocking(move || command.output().expect("kubectl-scim")).await.expect("it ran");
        let text = stderr(&output) + &printed(&output);
        assert!(
            !text.contains("401") && (args[0] == "unmanaged" || text.contains("Engineer → Countess")),
            "{args:?}: {text}"
        );
    }
    assert!(asked.contains("title: Engineer → Countess") && asked.contains("--yes 1"), "{asked}");
    assert_eq!(sandbox.admin("GET", "/journal", None).await, journal, "nothing was written");
}

/// Whoever is thrown out of a group is named before that is approved.
#[tokio::test]
async fn i13_a_hold_of_memberships_names_who_would_go() {
    let sandbox = Sandbox::start();
    let guards = json!({"memberships": {"maxPercent": 0, "minCount": 0, "maxCount": 0}});
    let fields = json!({"provider": "Generic", "baseUrl": sandbox.base_url, "guards": guards});
    let place = connected(Some(&sandbox.token), fields).await;
    let here = |mut object: Value| {
        object["spec"]["connectionRef"] = json!({"name": "jackson"});
        object
    };
    for name in ["ada", "grace"] {
        place.apply(here(user(name, "Engineer")));
    }
    place.apply(here(group("team", &["ada", "grace"])));
    all_ready(&place, "scimgroup").await;
    place.apply(here(group("team", &["ada"])));
    let id = place.hold_id().await;
    let keys = ["holds", &id, "--allow-loopback-http"];
    let shown = eventually(PATIENCE, "the group says that it is in it", async || {
        let shown = printed(&scim(&place.namespace, &keys).await);
        if shown.contains("team") { Ok(shown) } else { Err(shown) }
    })
    .await;
    assert!(shown.contains("−grace") && !shown.contains("ada"), "{shown}");
    let asked = stderr(&scim(&place.namespace, &["approve", &id, "--allow-loopback-http"]).await);
    assert!(asked.contains("−grace"), "{asked}");
}

/// A rejection isn't the end: it is shown, and taken back by the id that everybody names.
#[tokio::test]
async fn i13_an_edit_that_was_rejected_is_shown_and_approved_after_all() {
    let sandbox = Sandbox::start();
    let ada = account(&sandbox, "ada", "Engineer").await;
    let guards = json!({"rewrites": {"maxPercent": 0, "minCount": 0, "maxCount": 0}});
    let fields = json!({"provider": "Generic", "baseUrl": sandbox.base_url, "guards": guards});
    let place = connected(Some(&sandbox.token), fields).await;
    let namespace = place.namespace.as_str();
    let mut declared = user("ada", "Countess");
    declared["spec"]["connectionRef"] = json!({"name": "jackson"});
    place.apply(declared);
    let id = place.hold_id().await;
    eventually(PATIENCE, "it can be refused", async || {
        let rejected = scim(namespace, &["reject", &id, "--yes", "1"]).await;
        if rejected.status.success() { Ok(()) } else { Err(stderr(&rejected)) }
    })
    .await;
    let explained = eventually(PATIENCE, "it is rejected", async || {
        let text = printed(&scim(namespace, &["explain", "user/ada", "-o", "json"]).await);
        if text.contains("was rejected (hold") { Ok(text) } else { Err(text) }
    })
    .await;
    let way = format!("kubectl scim approve {id} takes the rejection back");
    assert!(explained.contains(&way) && !explained.contains("a person answers"), "{explained}");
    let listed = scim(namespace, &["holds"]).await;
    let text = printed(&listed);
    assert!(text.contains(&id) && text.contains("(rejected)"), "{text}{}", stderr(&listed));
    assert_eq!(listed.status.code(), Some(0), "it waits for nobody");
    let shown = scim(namespace, &["holds", &id]).await;
    assert!(printed(&shown).contains("ada@example.com"), "{}{}", printed(&shown), stderr(&shown));
    let again = stderr(&scim(namespace, &["reject", &id, "--yes", "1"]).await);
    assert!(again.contains("is rejected already"), "{again}");
    let approved = scim(namespace, &["approve", &id, "--yes", "1"]).await;
    assert!(approved.status.success(), "{}", stderr(&approved));
    eventually(PATIENCE, "it is sent", async || {
        let (_, account) = sandbox.scim("GET", &format!("/Users/{ada}"), None).await;
        if account["title"] == "Countess" { Ok(()) } else { Err(account) }
    })
    .await;
    let spent = scim(namespace, &["approve", &id, "--yes", "1"]).await;
    assert!(stderr(&spent).contains("there is no hold"), "{}", stderr(&spent));
}

/// A roster's status names twenty; all of them are shown to whoever may read its source.
#[tokio::test]
async fn i13_a_hold_of_a_roster_is_seen_whole() {
    let sandbox = Sandbox::start();
    let place = at(&sandbox).await;
    let roster = |people: usize| {
        let rows: Vec<Value> = (0..people)
            .map(|number| json!({"id": number.to_string(), "mail": format!("p{number}@example.com")}))
            .collect();
        json!({
            "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimRoster", "metadata": {"name": "people"},
            "spec": {"connectionRef": {"name": "jackson"}, "source": {"inline": rows}, "key": "row.id",
                "mappings": [{"target": "userName", "value": "row.mail"}]},
        })
    };
    place.apply(roster(25));
    eventually(PATIENCE, "everybody has a ScimUser", async || {
        let users = place.users().await.len();
        if users == 25 { Ok(()) } else { Err(users) }
    })
    .await;
    place.apply(roster(1));
    let id = eventually(PATIENCE, "it is held", async || {
        let id = place.kubectl(&["get", "scimroster", "people", "-o", "jsonpath={.status.hold.id}"]);
        if id.is_empty() { Err(id) } else { Ok(id) }
    })
    .await;
    let members = json_of(&scim(&place.namespace, &["holds", &id, "-o", "json"]).await);
    assert_eq!(members.as_array().map(Vec::len), Some(24), "{members}");
    assert!(members.to_string().contains("p24@example.com") && !members.to_string().contains("p0@"), "{members}");
    let asked = scim(&place.namespace, &["approve", &id]).await;
    assert!(stderr(&asked).contains(&format!("and 4 more; kubectl scim holds {id} lists all")), "{}", stderr(&asked));
}
