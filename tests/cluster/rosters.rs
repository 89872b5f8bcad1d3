//! Rosters: the provisioning job of a portal as an object.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use kube::api::Api;
use scim_operator::api::ScimRoster;
use serde_json::{Value, json};

use crate::elsewhere::held;
use crate::kit::{PATIENCE, Place, condition};
use crate::support::{Sandbox, eventually};

const HEADER: &str = "\u{feff}userPrincipalName,jobTitle,mail,displayName,IsSoftDeleted\r\n";

/// An export of Entra ID: a byte order mark, quoted commas and newlines, `True` and `False` as text.
fn export(people: std::ops::Range<usize>, soft_deleted: &[usize]) -> String {
    let mut text = HEADER.to_owned();
    for n in people {
        let title = if n % 3 == 0 { String::new() } else { format!("\"Engineer, level {}\nand more\"", n % 7) };
        let deleted = if soft_deleted.contains(&n) { "True" } else { "False" };
        let _ = write!(text, "p{n:03}@example.com,{title},P{n:03}@mail.example.com,\"Person, {n:03}\",{deleted}\r\n");
    }
    text
}

/// What the guide makes of a person of [`export`].
fn of_the_guide(n: usize) -> Value {
    let mut account = json!({
        "userName": format!("p{n:03}@example.com"), "active": true, "formatted": format!("Person, {n:03}"),
        "email": format!("P{n:03}@mail.example.com"), "title": null,
    });
    if !n.is_multiple_of(3) {
        account["title"] = json!(format!("Engineer, level {}\nand more", n % 7));
    }
    account
}

pub fn source(name: &str, text: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "labels": {"scim-operator.dev/roster-source": "true", "part": "people"}},
        "data": {"users.csv": text},
    })
}

pub fn roster(fields: Value) -> Value {
    let mut spec = json!({
        "connectionRef": {"name": "jackson"}, "preset": "EntraDatadog",
        "source": {"configMaps": {"names": ["people"]}},
    });
    for (name, value) in fields.as_object().into_iter().flatten() {
        spec[name] = value.clone();
    }
    json!({"apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimRoster", "metadata": {"name": "people"}, "spec": spec})
}

pub fn unlimited() -> Value {
    json!([{"requests": 10_000, "period": "1s", "burst": 10_000}])
}

impl Place {
    async fn roster(&self) -> Value {
        let api: Api<ScimRoster> = Api::namespaced(self.cluster.client(), &self.namespace);
        let found = api.get_opt("people").await.expect("an answer");
        serde_json::to_value(found).expect("JSON")
    }

    /// The roster's status when Ready has this reason at its newest generation, and it fits.
    pub async fn roster_is(&self, reason: &str, fits: impl Fn(&Value) -> bool) -> Value {
        eventually(PATIENCE, &format!("the roster is {reason}"), async || {
            let roster = self.roster().await;
            let ready = condition(&roster, "Ready");
            let current = ready["observedGeneration"] == roster["metadata"]["generation"];
            let status = roster["status"].clone();
            if ready["reason"] == reason && current && fits(&status) { Ok(status) } else { Err(status) }
        })
        .await
    }

    pub async fn roster_says(&self, reason: &str) -> String {
        let status = self.roster_is(reason, |_| true).await;
        condition(&json!({"status": status}), "Ready")["message"].as_str().unwrap_or_default().to_owned()
    }

    /// Everybody's object by userName, when so many are there and Ready.
    pub async fn everybody(&self, people: usize) -> BTreeMap<String, Value> {
        eventually(PATIENCE * 2, &format!("{people} people are Ready"), async || {
            let users = self.users().await;
            let ready = users.iter().filter(|user| condition(user, "Ready")["status"] == "True").count();
            if users.len() == people && ready == people {
                Ok(users.into_iter().map(|user| (user["spec"]["userName"].to_string(), user)).collect())
            } else {
                Err((users.len(), ready))
            }
        })
        .await
    }

    fn specs_written(&self) -> usize {
        let writes = self.cluster.writes(&self.namespace);
        let users = writes.iter().filter(|event| event["objectRef"]["resource"] == "scimusers");
        // Finalizers are the worker's, and nobody had one taken or given meanwhile.
        users.filter(|event| event["objectRef"]["subresource"].is_null()).count()
    }

    fn writes_to_users(&self) -> usize {
        let writes = self.cluster.writes(&self.namespace);
        writes.iter().filter(|event| event["objectRef"]["resource"] == "scimusers").count()
    }
}

/// Every account of a sandbox that speaks Datadog's dialect, as the guide's table sees it.
async fn accounts(sandbox: &Sandbox) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let from = all.len() + 1;
        let (status, page) = sandbox.scim("GET", &format!("/Users?startIndex={from}&count=100"), None).await;
        assert_eq!(status, 200, "{page}");
        let resources = page["Resources"].as_array().cloned().unwrap_or_default();
        if resources.is_empty() {
            break;
        }
        all.extend(resources.iter().map(|account| {
            json!({
                "userName": account["userName"], "active": account["active"],
                "formatted": account["name"]["formatted"], "email": account["emails"][0]["value"],
                "title": account["title"],
            })
        }));
    }
    all.sort_by_key(|account| account["userName"].to_string());
    all
}

#[tokio::test]
async fn the_guide_of_azure_ad_and_datadog_as_a_roster() {
    const PEOPLE: usize = 300;
    let sandbox = Sandbox::start_with(&["--dialect", "datadog"]);
    let fields = json!({
        "provider": "Datadog", "rateLimits": unlimited(), "maxInFlight": 8, "guards": {"protected": ["svc@example.com"]},
    });
    let place = Place::at(&sandbox.base_url, &sandbox.token, fields).await;
    place.apply(source("people", &export(0..PEOPLE, &[])));
    place.apply(roster(json!({})));
    let users = place.everybody(PEOPLE).await;
    let status = place.roster_is("Generated", |_| true).await;
    let counts = ["rows", "inScope", "generated", "rejectedRows"].map(|count| status[count].as_u64());
    assert_eq!(counts, [Some(300), Some(300), Some(300), Some(0)], "{status}");
    let expected: Vec<Value> = (0..PEOPLE).map(of_the_guide).collect();
    assert_eq!(accounts(&sandbox).await, expected);
    let first = &users["\"p000@example.com\""];
    assert_eq!(first["metadata"]["labels"]["scim-operator.dev/roster"], "people");
    assert_eq!(first["metadata"]["ownerReferences"], Value::Null);

    // Soft-deleted there, deactivated here; nobody else is touched.
    let before = place.specs_written();
    place.apply(source("people", &export(0..PEOPLE, &[7])));
    eventually(PATIENCE, "p007 is inactive", async || {
        let account = held(&sandbox, "p007@example.com").await[0]["resource"]["active"].clone();
        if account == false { Ok(()) } else { Err(account) }
    })
    .await;
    place.everybody(PEOPLE).await;
    let status = place.roster_is("Generated", |_| true).await;
    // The spec once; what the worker records of it is its own.
    assert_eq!(place.specs_written() - before, 1);

    // An emptied file changes nobody, whatever is left of it.
    let before = (accounts(&sandbox).await, place.writes_to_users());
    for emptied in [HEADER, "", "\n\n"] {
        place.apply(source("people", emptied));
        let message = place.roster_says("SourceEmpty").await;
        assert!(message.contains("people/users.csv has no rows"), "{message}");
    }
    let left = place.roster().await["status"].clone();
    assert_eq!((&left["generated"], &left["sourceVersion"]), (&status["generated"], &status["sourceVersion"]));
    assert_eq!((accounts(&sandbox).await, place.writes_to_users()), before);

    // Deleted by mistake: everybody stays, and the roster applied again writes nothing.
    place.kubectl(&["delete", "scimroster", "people"]);
    place.apply(source("people", &export(0..PEOPLE, &[7])));
    place.apply(roster(json!({})));
    place.roster_is("Generated", |status| status["generated"] == 300).await;
    assert_eq!((accounts(&sandbox).await, place.writes_to_users()), before);
}

#[tokio::test]
async fn the_same_export_at_jackson_by_the_generic_preset() {
    let place = Place::connected(json!({"rateLimits": unlimited()})).await;
    place.apply(source("people", &export(0..40, &[3])));
    place.apply(roster(json!({"preset": "EntraGeneric", "labels": {"kind": "jobTitle_is(row.jobTitle)"}})));
    let message = place.roster_says("MappingInvalid").await;
    assert!(
        message.contains("spec.labels.kind: line 1 column") && message.contains("no function jobTitle_is"),
        "{message}"
    );
    assert!(place.users().await.is_empty());
    place.apply(roster(json!({"preset": "EntraGeneric", "labels": {"kind": "slug(mid(row.jobTitle, 0, 8))"}})));
    place.roster_is("Generated", |status| status["generated"] == 40).await;
    // Whoever would begin inactive is made when they are first active.
    let users = place.everybody(40).await;
    assert_eq!(users["\"p001@example.com\""]["metadata"]["labels"]["kind"], "engineer");
    assert_eq!(users["\"p000@example.com\""]["metadata"]["labels"]["kind"], Value::Null);
    let mut accounts = place.directory.users().await;
    accounts.sort_by_key(|account| account["raw"]["userName"].to_string());
    assert_eq!(accounts.len(), 39);
    let raw = &accounts[1]["raw"];
    assert_eq!(raw["userName"], "p001@example.com");
    assert_eq!((&raw["title"], &raw["displayName"]), (&json!("Engineer, level 1\nand more"), &json!("Person, 001")));
    assert_eq!(raw["emails"][0]["value"], "P001@mail.example.com");
    assert_eq!(raw["active"], true);
}

#[tokio::test]
async fn i13_rows_that_are_gone_wait_for_a_person_where_they_are_many() {
    let place = Place::connected(json!({"rateLimits": unlimited()})).await;
    let selected = json!({"source": {"configMaps": {"selector": {"matchLabels": {"part": "people"}}}}});
    place.apply(source("people-1", &export(0..10, &[])));
    place.apply(source("people-2", &export(10..20, &[])));
    place.apply(roster(selected.clone()));
    place.everybody(20).await;
    place.roster_is("Generated", |_| true).await;

    // A few go at once, or rather once the source has settled.
    place.apply(source("people-1", &export(1..10, &[])));
    eventually(PATIENCE, "p000 is gone", async || match place.users().await.len() {
        19 => Ok(()),
        other => Err(other),
    })
    .await;
    let status = place.roster_is("Generated", |status| status["generated"] == 19).await;
    assert_eq!(status["guard"]["used"], 1, "{status}");

    // The same rows under several keys are the same people.
    let before = place.specs_written();
    let mut parts = source("people-1", "");
    parts["data"] = json!({"a.csv": export(1..5, &[]), "b.csv": export(5..10, &[])});
    place.apply(parts);
    place.roster_is("Generated", |now| now["sourceVersion"] != status["sourceVersion"] && now["rows"] == 19).await;
    assert_eq!(place.specs_written(), before);

    // A whole ConfigMap is too many.
    place.kubectl(&["delete", "configmap", "people-2"]);
    let status = place.roster_is("Held", |_| true).await;
    assert_eq!((&status["hold"]["removals"], &status["generated"]), (&json!(10), &json!(9)), "{status}");
    let id = status["hold"]["id"].as_str().expect("an id").to_owned();
    let message = place.roster_says("Held").await;
    assert!(message.contains("approvedHold") && message.contains("rejectedHold") && message.contains(&id), "{message}");
    assert!(!place.events("Held").is_empty());
    assert_eq!(place.users().await.len(), 19);
    // Back again, nothing is held, and nobody has lost anything.
    place.apply(source("people-2", &export(10..20, &[])));
    place.roster_is("Generated", |status| status["hold"].is_null()).await;
    // An approval that comes late is used up: the same loss later is another question.
    let mut late = selected.clone();
    late["approvedHold"] = json!(id);
    place.apply(roster(late));
    place.roster_is("Generated", |status| status["spentHolds"] == json!([id])).await;

    place.kubectl(&["delete", "configmap", "people-2"]);
    let status = place.roster_is("Held", |status| status["hold"]["id"] != json!(id)).await;
    assert_eq!(place.users().await.len(), 19);
    let id = status["hold"]["id"].as_str().expect("an id").to_owned();
    let mut rejected = selected.clone();
    rejected["rejectedHold"] = json!(id);
    place.apply(roster(rejected));
    place.roster_is("Generated", |status| status["hold"]["rejected"] == true).await;
    assert_eq!(place.users().await.len(), 19);
    let mut approved = selected;
    approved["approvedHold"] = json!(id);
    place.apply(roster(approved));
    // The connection has a guard of its own.
    place.hold_id().await;
    let users = place.users().await;
    let leaving = users.iter().filter(|user| user["metadata"]["deletionTimestamp"].is_string()).count();
    assert_eq!((users.len(), leaving), (19, 10));
}

#[tokio::test]
async fn a_bad_row_and_a_conflict_are_named_and_concern_nobody_else() {
    let place = Place::connected(json!({"rateLimits": unlimited()})).await;
    place.user("ada", json!({}));
    place.synced("ada").await;
    let text = format!(
        "{HEADER}ada@example.com,,ada@example.com,Ada,False\ngrace@example.com,,grace@example.com,Grace,perhaps\n\
         alan@example.com,,x,Alan,False\neve@example.com,,eve@example.com,Eve,False\n"
    );
    place.apply(source("people", &text));
    place.apply(roster(json!({})));
    let status = place.roster_is("RowsRejected", |status| status["generated"] == 1).await;
    let rejected = status["rejected"].as_array().expect("rows").clone();
    let at = |n: usize| (rejected[n]["row"].as_u64(), rejected[n]["reason"].as_str().unwrap_or_default().to_owned());
    assert_eq!(rejected.len(), 3, "{status}");
    assert_eq!(rejected[0]["source"], "people/users.csv");
    assert!(at(0).0 == Some(2) && at(0).1.contains("the ScimUser ada is not this roster's"), "{rejected:?}");
    assert!(at(1).0 == Some(3) && at(1).1.contains("column isSoftDeleted"), "{rejected:?}");
    assert!(at(2).0 == Some(4) && at(2).1.contains("spec.emails[0].value"), "{rejected:?}");
    let message = place.roster_says("RowsRejected").await;
    assert!(message.contains("3 rows are rejected, the first: people/users.csv row 2: the ScimUser ada"), "{message}");
    let ada = place.get("ada").await.expect("ada");
    assert_eq!((&ada["metadata"]["labels"], &ada["spec"]["active"]), (&Value::Null, &json!(true)));

    // Handed over, ada's object is the roster's, under the name that it has.
    place.kubectl(&["label", "scimuser", "ada", "scim-operator.dev/roster=people"]);
    place.roster_is("RowsRejected", |status| status["rejectedRows"] == 2 && status["generated"] == 2).await;
    let mut names: Vec<_> = place.users().await.iter().map(|user| user["metadata"]["name"].clone()).collect();
    names.sort_by_key(ToString::to_string);
    assert_eq!(names[0], "ada", "{names:?}");
    // One that a person deleted comes back.
    place.kubectl(&["delete", "scimuser", names[1].as_str().expect("a name"), "--timeout=90s"]);
    place.everybody(2).await;
}

#[tokio::test]
async fn i29_sources_that_can_not_be_used_say_what_to_do() {
    let place = Place::connected(json!({"rateLimits": unlimited()})).await;
    place.apply(roster(json!({"source": {"configMaps": {"selector": {"matchLabels": {"part": "hr"}}}}})));
    let message = place.roster_says("SourceNotFound").await;
    assert!(message.contains("has the labels scim-operator.dev/roster-source=true,part=hr: set them"), "{message}");
    place.apply(roster(json!({"source": {"secrets": {"names": ["people"], "key": "a.json"}}})));
    let message = place.roster_says("SourceNotFound").await;
    let remedy =
        "people: create it with the label scim-operator.dev/roster-source=true, or correct spec.source; nobody is";
    assert!(message.contains("there is no secret") && message.contains(remedy), "{message}");
    let secret = |label: &str, key: &str, text: &str| {
        json!({
            "apiVersion": "v1", "kind": "Secret", "stringData": {key: text},
            "metadata": {"name": "people", "labels": {"scim-operator.dev/roster-source": label}},
        })
    };
    let rows = r#"[{"userPrincipalName": "ada@example.com", "mail": "ada@example.com", "isSoftDeleted": false, "displayName": "Ada"}]"#;
    place.apply(secret("false", "a.json", rows));
    place.kubectl(&["annotate", "scimroster", "people", "scim-operator.dev/reconcile-requested-at=1"]);
    let message = place.roster_says("SourceNotLabelled").await;
    let command = format!("kubectl label secret -n {} people scim-operator.dev/roster-source=true", place.namespace);
    assert!(message.contains(&command), "{message}");
    place.kubectl(&["delete", "secret", "people"]);
    place.apply(secret("true", "b.json", rows));
    place
        .roster_is("SourceNotFound", |status| {
            status["conditions"].to_string().contains("no key a.json: correct it or spec.source; its keys are b.json")
        })
        .await;
    place.apply(secret("true", "a.json", "[{"));
    assert!(place.roster_says("SourceInvalid").await.contains("people/a.json: line 1 column"));
    place.apply(secret("true", "a.json", rows));
    place.everybody(1).await;
    // A column that goes missing is not taken for empty.
    place.apply(secret("true", "a.json", &rows.replace("displayName", "name")));
    let message = place.roster_says("ColumnMissing").await;
    assert!(message.contains("no column displayName") && message.contains("there before"), "{message}");
    let users = place.users().await;
    assert_eq!(users[0]["spec"]["name"]["formatted"], "Ada");
    // Suspended, it does nothing at all.
    place.apply(roster(json!({"suspend": true, "source": {"secrets": {"names": ["people"], "key": "a.json"}}})));
    place.roster_is("Suspended", |status| condition(&json!({"status": status}), "Stalled").is_null()).await;
}

#[tokio::test]
async fn managers_are_linked_whichever_order_and_groups_follow_a_column() {
    let place = Place::connected(json!({"rateLimits": unlimited()})).await;
    let row = |name: &str, boss: &str, team: &str| json!({"name": format!("{name}@example.com"), "given": name, "boss": boss, "team": team});
    let rows = json!([row("ada", "grace@example.com", "one"), row("grace", "", "two"), row("alan", "nobody", "one")]);
    let spec = json!({
        "source": {"inline": rows}, "labels": {"team": "row.team"},
        "mappings": [
            {"target": "userName", "value": "row.name"}, {"target": "active", "value": "true"},
            {"target": "title", "value": "\"Newcomer\"", "onCreate": true},
            {"target": "name.formatted", "value": ""}, {"target": "manager", "value": "row.boss"},
            {"target": "name.givenName", "value": "row.given"}, {"target": "name.familyName", "value": "\"Example\""},
            {"target": "emails[type eq \"work\"].value", "value": "row.name"},
        ],
    });
    place.apply(roster(spec));
    let users = place.everybody(3).await;
    let status = place.roster_is("Generated", |_| true).await;
    assert_eq!(status["managersNotFound"], 1, "{status}");
    let (ada, grace) = (&users["\"ada@example.com\""], &users["\"grace@example.com\""]);
    assert_eq!(ada["spec"]["enterprise"]["manager"]["userRef"]["name"], grace["metadata"]["name"]);
    let grace_id = grace["status"]["id"].as_str().expect("an id");
    let ada_id = ada["status"]["id"].as_str().expect("an id").to_owned();
    let linked = |account: &Value| account["raw"].to_string().contains(grace_id);
    let account = place.account_is(&ada_id, "her manager is linked", linked).await;
    assert_eq!(account["raw"]["title"], "Newcomer");

    place.apply(json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimGroup", "metadata": {"name": "one"},
        "spec": {"connectionRef": {"name": "jackson"}, "displayName": "One", "membership": "Exact",
            "memberSelector": {"matchLabels": {"team": "one"}}},
    }));
    place.kubectl(&["wait", "--for=jsonpath={.status.members.present}=2", "scimgroup", "one", "--timeout=90s"]);
}
