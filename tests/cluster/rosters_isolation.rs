//! Each row of a roster is its own.

use serde_json::{Value, json};

use crate::kit::{PATIENCE, Place, user};
use crate::rosters::{roster, source, unlimited};
use crate::support::eventually;

/// Nobody of this name is let into the namespace: a quota or another policy would refuse in the same way.
fn refuse(place: &Place, user_name: &str) {
    let name = format!("refuses-{}", place.namespace);
    let of = json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": place.namespace}}});
    place.apply(json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [{
                "apiGroups": ["scim-operator.dev"], "apiVersions": ["*"], "operations": ["CREATE"], "resources": ["scimusers"],
            }]},
            "validations": [{
                "expression": format!("object.spec.userName != '{user_name}'"), "message": "no seat is left", "reason": "Forbidden",
            }],
        },
    }));
    place.apply(json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Deny"], "matchResources": of},
    }));
}

fn table(rows: &[&str]) -> Value {
    source("people", &format!("id,name,start\n{}\n", rows.join("\n")))
}

#[tokio::test]
async fn i20_a_refused_row_keeps_no_other_and_a_rejected_one_keeps_its_own() {
    let place = Place::connected(json!({"rateLimits": unlimited()})).await;
    refuse(&place, "eve@example.com");
    eventually(PATIENCE, "the policy is in force", async || {
        let eve = user("eve", json!({"userName": "eve@example.com"}));
        let tried = place.cluster.try_apply(&place.namespace, &eve.to_string());
        if !tried.status.success() {
            return Ok(());
        }
        place.kubectl(&["delete", "scimuser", "eve", "--timeout=60s"]);
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        Err("not yet")
    })
    .await;
    let mut people = roster(json!({
        "scope": "before(row.start, \"2030-01-01\")",
        "mappings": [
            {"target": "userName", "value": "row.name"}, {"target": "externalId", "value": "row.id"},
            {"target": "active", "value": "true"}, {"target": "name.givenName", "value": "row.name"},
            {"target": "name.familyName", "value": "row.name"}, {"target": "emails[type eq \"work\"].value", "value": "row.name"},
        ],
    }));
    people["spec"].as_object_mut().expect("a spec").remove("preset");
    place.apply(table(&[
        "1,ada@example.com,2020-01-01",
        "2,grace@example.com,2020-01-01",
        "3,alan@example.com,2020-01-01",
    ]));
    place.apply(people);
    let users = place.everybody(3).await;
    let ada = users["\"ada@example.com\""].clone();
    let name = ada["metadata"]["name"].as_str().expect("a name").to_owned();
    // Known by her externalId, she keeps her object under a new name.
    place.apply(table(&[
        "1,countess@example.com,2020-01-01",
        "2,grace@example.com,2020-01-01",
        "3,alan@example.com,2020-01-01",
    ]));
    eventually(PATIENCE, "she is renamed", async || {
        let user = place.get(&name).await.ok_or("gone")?;
        if user["spec"]["userName"] == "countess@example.com" { Ok(()) } else { Err("not yet") }
    })
    .await;
    place.everybody(3).await;

    // Her date is blanked, alan leaves, and eve is refused: three rows, three outcomes.
    place.apply(table(&["1,countess@example.com,", "2,grace@example.com,2020-01-01", "4,eve@example.com,2020-01-01"]));
    eventually(PATIENCE, "alan is gone", async || match place.users().await.len() {
        2 => Ok(()),
        other => Err(other),
    })
    .await;
    let status = place.roster_is("RowsRejected", |status| status["rejectedRows"] == 2).await;
    let rejected = status["rejected"].to_string();
    assert!(rejected.contains("no seat is left") && rejected.contains("scope: column start"), "{rejected}");
    let kept = place.get(&name).await.expect("her object");
    assert_eq!((&kept["metadata"]["deletionTimestamp"], &kept["status"]["id"]), (&Value::Null, &ada["status"]["id"]));
    let id = ada["status"]["id"].as_str().expect("an id");
    assert_eq!(place.account(id).await.expect("her account")["raw"]["active"], true);

    // Once she is let in, eve is made without another change of the source.
    place.kubectl(&["delete", "validatingadmissionpolicybinding", &format!("refuses-{}", place.namespace)]);
    place.kubectl(&["delete", "validatingadmissionpolicy", &format!("refuses-{}", place.namespace)]);
    place.roster_is("RowsRejected", |status| status["rejectedRows"] == 1 && status["generated"] == 2).await;
    assert_eq!(place.users().await.len(), 3);
}

/// Neither a source that isn't there, nor one that can't be read, nor rows that cost too much.
#[tokio::test]
async fn i20_a_roster_that_can_not_be_carried_out_delays_no_other() {
    let place = Place::connected(json!({"rateLimits": unlimited()})).await;
    place.apply(source("broken", "\u{0}\u{1}\n\"never closed"));
    let endless = format!("id,name\n{}", (0..3000).map(|n| format!("{n},p{n}@example.com\n")).collect::<String>());
    place.apply(source("endless", &endless));
    let mapping = |name: &str, value: &str, from: &str| {
        let mut object = roster(json!({
            "source": {"configMaps": {"names": [from]}},
            "mappings": [
                {"target": "userName", "value": value}, {"target": "active", "value": "true"},
                {"target": "name.givenName", "value": "row.name"}, {"target": "name.familyName", "value": "row.name"},
                {"target": "emails[type eq \"work\"].value", "value": "row.name"},
            ],
        }));
        object["metadata"]["name"] = json!(name);
        object["spec"].as_object_mut().expect("a spec").remove("preset");
        object
    };
    place.apply(mapping("a-missing", "row.name", "nowhere"));
    place.apply(mapping("b-broken", "row.name", "broken"));
    // Each row is as expensive as a row may be, or more.
    place.apply(mapping("c-endless", "[1,2,3,4,5,6,7,8,9].map(a, [1,2,3,4,5,6,7,8,9].map(b, [1,2,3,4,5,6,7,8,9].map(c, a*b*c))).size() > 0 ? 'x' : row.name", "endless"));
    place.apply(table(&["1,ada@example.com,2020-01-01", "2,grace@example.com,2020-01-01"]));
    place.apply(mapping("people", "row.name", "people"));
    let status = place.roster_is("Generated", |status| status["generated"] == 2).await;
    assert_eq!(status["rejectedRows"], 0, "{status}");
    place.everybody(2).await;
    // An object of a person's own is served, too.
    place.user("own", json!({}));
    place.synced("own").await;
}

/// For a while the old object and the new one are there together, and for another none that the roster names.
#[tokio::test]
async fn i10_a_config_map_with_a_hashed_name_is_followed() {
    let place = Place::connected(json!({"rateLimits": unlimited()})).await;
    let text = |people: &[&str], title: &str| {
        let row = |name: &&str| format!("{name}@example.com,{title},{name}@example.com,{name},False");
        let rows = people.iter().map(row).collect::<Vec<_>>().join("\n");
        format!("userPrincipalName,jobTitle,mail,displayName,IsSoftDeleted\n{rows}\n")
    };
    place.apply(source("people-7h2k9mf4dt", &text(&["ada", "bob"], "X")));
    place.apply(roster(json!({})));
    let message = place.roster_says("SourceNotFound").await;
    assert!(message.contains("There is people-7h2k9mf4dt") && message.contains("namePrefix: people"), "{message}");
    // As Kustomize makes it without `generatorOptions.labels`.
    place.kubectl(&["label", "configmap", "people-7h2k9mf4dt", "scim-operator.dev/roster-source-"]);
    place.apply(roster(json!({"source": {"configMaps": {"namePrefix": "people"}}})));
    let expected =
        "There is people-7h2k9mf4dt without the label: set scim-operator.dev/roster-source: \"true\" in Kustomize's";
    place
        .roster_is("SourceNotFound", |status| status["conditions"].to_string().replace('\\', "").contains(expected))
        .await;
    place.apply(roster(json!({"source": {"configMaps": {"names": ["poeple"]}}})));
    place.apply(source("people", &text(&["ada"], "X")));
    place
        .roster_is("SourceNotFound", |status| {
            status["conditions"].to_string().contains("There is people: was that meant?")
        })
        .await;
    place.kubectl(&["delete", "configmap", "people"]);
    place.kubectl(&["label", "configmap", "people-7h2k9mf4dt", "scim-operator.dev/roster-source=true"]);
    place.apply(roster(json!({"source": {"configMaps": {"namePrefix": "people"}}})));
    place.everybody(2).await;

    // Made in another second.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    place.apply(source("people-2bc4567dfg", &text(&["ada", "bob", "eve"], "Y")));
    let users = place.everybody(3).await;
    assert_eq!(users["\"ada@example.com\""]["spec"]["title"], "Y");
    let message = place.roster_says("Generated").await;
    assert!(message.contains("people-7h2k9mf4dt is older"), "{message}");
    // A revert names the older one again: as the message says, the newer one is deleted.
    assert!(message.contains("kubectl delete configmap people-2bc4567dfg"), "{message}");
    place.kubectl(&["delete", "configmap", "people-2bc4567dfg"]);
    eventually(PATIENCE, "the older one is read", async || {
        let users = place.users().await;
        match users.iter().find(|user| user["spec"]["userName"] == "ada@example.com") {
            Some(ada) if ada["spec"]["title"] == "X" => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    place.kubectl(&["delete", "configmap", "people-7h2k9mf4dt"]);
    place.roster_says("SourceNotFound").await;
    assert!(place.users().await.len() >= 2, "nobody goes with what is not there");
}
