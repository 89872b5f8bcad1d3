//! Tables of people.

use serde_json::{Value, json};

use crate::kit::{PATIENCE, Place};
use crate::support::eventually;
use crate::table::told;

const TARGET: &str = r#"emails[type eq "work"].value"#;

fn roster(fields: Value) -> Value {
    let mut spec = json!({
        "connectionRef": {"name": "jackson"},
        "source": {"inline": [{"name": "ada", "mail": "ada@example.com", "team": "Engineering"}]},
        "mappings": [{"target": "userName", "value": "row.mail"}, {"target": TARGET, "value": "row.mail"}],
    });
    for (name, value) in fields.as_object().into_iter().flatten() {
        spec[name] = value.clone();
    }
    json!({"apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimRoster", "metadata": {"name": "people"}, "spec": spec})
}

fn mapped(target: &str, value: &str) -> Value {
    roster(json!({"mappings": [{"target": "userName", "value": "row.mail"}, {"target": target, "value": value}]}))
}

#[tokio::test]
async fn a_table_and_what_is_made_of_it() {
    let place = Place::connected(json!({})).await;
    for (name, roster) in [
        ("unknown-target", mapped("email", "row.mail")),
        ("unquoted-text", roster(json!({"scope": "row.team == Engineering"}))),
        ("single-equals", roster(json!({"scope": "row.team = \"Engineering\""}))),
        ("unknown-function", mapped("title", "toUpper(row.team)")),
    ] {
        place.apply(roster);
        told(name, &changed(&place, name, "MappingInvalid").await);
    }
    for (name, reason, roster) in [
        ("unknown-column", "ColumnMissing", mapped("title", "row.jobTitle")),
        ("nobody-in-scope", "NobodyInScope", roster(json!({"scope": "row.team == \"engineering\""}))),
        ("nobody-assigned", "NobodyInScope", roster(json!({"assigned": ["ada@example.org"]}))),
    ] {
        place.apply(roster);
        told(name, &changed(&place, name, reason).await);
        assert!(place.users().await.is_empty());
    }
    place.apply(roster(json!({"scope": "row.team == \"Engineering\""})));
    place.tells("scimroster/people", "Generated").await;

    // A source with another value of the label.
    place.kubectl(&["create", "configmap", "people", "--from-literal=people.csv=mail\ngrace@example.com\n"]);
    place.apply(roster(json!({"source": {"configMaps": {"names": ["people"]}}})));
    told("source-unlabelled", &changed(&place, "the source", "SourceNotLabelled").await);
    place.kubectl(&["label", "configmap", "people", "scim-operator.dev/roster-source=yes"]);
    place.apply(roster(json!({"source": {"configMaps": {"names": ["people"]}}, "scope": "true"})));
    let unlabelled = changed(&place, "the source", "SourceNotLabelled").await;
    told("source-label", &unlabelled);
    place.follow(&unlabelled);
    place.tells("scimroster/people", "Generated").await;
}

/// What `kubectl apply -k` leaves behind is called otherwise than it is written.
#[tokio::test]
async fn a_table_that_is_called_otherwise_or_too_large() {
    let place = Place::connected(json!({})).await;
    let table = |name: &str, rows: usize| {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "labels": {"scim-operator.dev/roster-source": "true"}},
            "data": {"people.csv": format!("mail,title\ngrace@example.com,\n{}", ",\n".repeat(rows))},
        })
    };
    place.apply(table("people-7h2k9mf4dt", 0));
    place.apply(roster(json!({"source": {"configMaps": {"names": ["people"]}}})));
    told("source-renamed", &changed(&place, "the source", "SourceNotFound").await);
    place.apply(roster(json!({"source": {"configMaps": {"namePrefix": "people"}}})));
    place.tells("scimroster/people", "Generated").await;

    let apply = |table: Value, options: &[&str]| {
        let file = crate::support::scratch().join(crate::support::unique("table"));
        std::fs::write(&file, table.to_string()).expect("a file");
        let file = file.display().to_string();
        let all = [&["-n", place.namespace.as_str(), "apply", "-f", file.as_str()], options].concat();
        place.cluster.kubectl(&all)
    };
    let complaint = |output: std::process::Output| String::from_utf8_lossy(&output.stderr).into_owned();
    told("source-too-long", &complaint(apply(table("long", 150_000), &[])));
    assert!(apply(table("long", 150_000), &["--server-side"]).status.success(), "what the row says helps");
    told("source-too-large", &complaint(apply(table("large", 600_000), &["--server-side"])));
}

/// Whom it made would have a connectionRef that can't be changed.
#[tokio::test]
async fn i29_a_roster_without_its_connection_makes_nobody_and_says_so() {
    let place = Place::new().await;
    place.apply(roster(json!({})));
    told("roster-connection-missing", &place.tells("scimroster/people", "ConnectionNotFound").await);
    // One in another namespace is none, and isn't named.
    let _elsewhere = Place::connected(json!({})).await;
    told("roster-connection-elsewhere", &place.tells("scimroster/people", "ConnectionNotFound").await);
    let mut misspelt = roster(json!({"connectionRef": {"name": "jacksen"}}));
    misspelt["metadata"]["name"] = json!("staff");
    place.apply(misspelt);
    place.tells("scimroster/staff", "ConnectionNotFound").await;
    assert!(place.users().await.is_empty());
    // What was meant comes later: it is named, and whoever waited for it goes on.
    place.connect(json!({}));
    place.tells("scimroster/people", "Generated").await;
    let misspelt = eventually(PATIENCE, "what was meant is named", async || {
        let said = place.tells("scimroster/staff", "ConnectionNotFound").await;
        if said.contains("this namespace has") { Ok(said) } else { Err(said) }
    })
    .await;
    told("roster-connection-misspelt", &misspelt);
    assert_eq!(place.users().await.len(), 1);
}

/// The message at the roster's newest generation.
async fn changed(place: &Place, what: &str, reason: &str) -> String {
    eventually(PATIENCE, what, async || {
        let found: Value =
            serde_json::from_str(&place.kubectl(&["get", "scimroster", "people", "-o", "json"])).expect("JSON");
        let ready = crate::kit::condition(&found, "Ready");
        let current = ready["observedGeneration"] == found["metadata"]["generation"];
        let message = ready["message"].as_str().unwrap_or_default();
        if ready["reason"] == reason && current { Ok(format!("{reason}: {message}")) } else { Err(ready) }
    })
    .await
}
