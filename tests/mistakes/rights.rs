//! Rights that are taken away while the operator runs: what is told names the verb and the resource, and nothing is lost.

use serde_json::{Value, json};

use crate::apart::Apart;
use crate::kit::{PATIENCE, condition};
use crate::support::eventually;
use crate::table::told;

#[tokio::test]
async fn i27_i28_rights_that_are_taken_away_are_named_and_cost_nobody_anything() {
    let mut apart = Apart::new("rights", &[]).await;
    the_status_of_groups(&apart).await;
    the_status_of_rosters(&apart).await;
    events(&apart).await;
    the_lease(&mut apart).await;
    the_label_over_a_restart(&mut apart).await;
}

async fn the_status_of_groups(apart: &Apart) {
    apart.place.user("ada", json!({}));
    apart.place.synced("ada").await;
    let roles = apart.without("scimgroups/status", &["patch"]);
    apart.place.apply(json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimGroup", "metadata": {"name": "staff"},
        "spec": {"connectionRef": {"name": "jackson"}, "displayName": "Staff", "membership": "Exact",
            "members": [{"userRef": {"name": "ada"}}]},
    }));
    let refused = eventually(PATIENCE, "the connection says so", async || {
        let said = apart.place.connection_tells("Connected").await;
        if said.contains("scimgroups/status") { Ok(said) } else { Err(said) }
    })
    .await;
    told("right-to-group-status", &refused);
    apart.give_back(roles);
    apart.place.tells("scimgroup/staff", "Synced").await;
    let (_, groups) = apart.sandbox.scim("GET", "/Groups", None).await;
    assert_eq!(groups["totalResults"], 1, "{groups}");
}

fn roster(title: &str) -> Value {
    json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimRoster", "metadata": {"name": "people"},
        "spec": {
            "connectionRef": {"name": "jackson"}, "source": {"inline": [{"mail": "bob@example.com"}]},
            "mappings": [{"target": "userName", "value": "row.mail"}, {"target": "active", "value": "true"},
                {"target": "title", "value": title}],
        },
    })
}

async fn the_status_of_rosters(apart: &Apart) {
    let roles = apart.without("scimrosters/status", &["patch"]);
    apart.place.apply(roster("\"Engineer\""));
    let event = eventually(PATIENCE, "an event says so", async || {
        let events = apart.place.events("WritesRefused");
        events.iter().find(|event| event.contains("scimrosters/status")).cloned().ok_or(events)
    })
    .await;
    told("right-to-roster-status", &format!("WritesRefused: {event}"));
    apart.logs(&["its status could not be written", "cannot patch resource \"scimrosters/status\""]).await;
    apart.give_back(roles);
    apart.place.tells("scimroster/people", "Generated").await;
    apart.is_there_once("bob").await;
}

async fn events(apart: &Apart) {
    let roles = apart.without("events", &["create", "patch"]);
    // What a person is warned of.
    apart.place.apply(roster("nonsense"));
    told("right-to-events", &apart.logs(&["events can't be published", "forbidden"]).await);
    apart.place.tells("scimroster/people", "MappingInvalid").await;
    apart.place.user("cyd", json!({}));
    apart.place.synced("cyd").await;
    apart.give_back(roles);
    apart.place.apply(roster("\"Officer\""));
    apart.place.tells("scimroster/people", "Generated").await;
    apart.place.apply(roster("nonsense"));
    eventually(PATIENCE, "it is an event again", async || {
        let events = apart.place.events("MappingInvalid");
        if events.is_empty() { Err(events) } else { Ok(()) }
    })
    .await;
}

async fn the_lease(apart: &mut Apart) {
    let get = ["-n", &apart.namespace, "get", "roles", "-o", "json"];
    let roles: Value = serde_json::from_str(&apart.cluster.kubectl_ok(&get)).expect("JSON");
    let has_leases = |role: &&Value| role["rules"].to_string().contains("leases");
    let roles: Vec<Value> = roles["items"].as_array().into_iter().flatten().filter(has_leases).cloned().collect();
    let write = |rules: &dyn Fn(&Value) -> Value| {
        for role in &roles {
            let mut changed = role.clone();
            changed["metadata"] = json!({"name": role["metadata"]["name"]});
            changed["rules"] = rules(&role["rules"]);
            apart.cluster.apply(&apart.namespace, &changed.to_string());
        }
    };
    write(&|rules| {
        let mut rules = rules.clone();
        for rule in rules.as_array_mut().into_iter().flatten() {
            rule["verbs"].as_array_mut().into_iter().for_each(|verbs| verbs.retain(|verb| verb != "update"));
        }
        rules
    });
    told("right-to-lease", &apart.logs(&["the Lease", "could not be written", "forbidden"]).await);
    apart.has_ended().await;
    write(&Value::clone);
    apart.operator = apart.builder.clone().start();
    apart.place.user("dan", json!({}));
    apart.place.synced("dan").await;
    apart.is_there_once("dan").await;
}

/// The key that was good before is in nobody's memory after a restart, and without the label nobody may read it.
async fn the_label_over_a_restart(apart: &mut Apart) {
    const WRITER: &str = "externalsecrets.external-secrets.io/key";
    let token = apart.sandbox.token.clone();
    // As if it had been its own from the beginning.
    apart.place.kubectl(&["delete", "secret", "key"]);
    apart.place.connection_is("SecretNotFound").await;
    crate::keys::synced_by_external_secrets(&apart.place, WRITER, &token);
    apart.place.kubectl(&["label", "secret", "key", "scim-operator.dev/credentials=true"]);
    apart.place.connection_is("Connected").await;
    apart.place.kubectl(&["label", "secret", "key", "scim-operator.dev/credentials-"]);
    crate::keys::synced_by_external_secrets(&apart.place, WRITER, &token);
    apart.place.connection_tells("SecretLabelRemoved").await;
    apart.restart(apart.builder.clone());
    let unlabelled = apart.place.connection_tells("SecretNotLabelled").await;
    told("label-removed-and-restarted", &unlabelled);
    apart.place.user("eve", json!({}));
    apart.place.is("eve", "False", "ConnectionNotReady").await;
    // Nobody who was there loses anything meanwhile, and once it is back everything goes on.
    let accounts = apart.sandbox.scim("GET", "/Users", None).await.1["totalResults"].clone();
    assert_eq!(condition(&apart.place.get("ada").await.expect("ada"), "Ready")["status"], "True");
    apart.place.follow(&unlabelled);
    apart.place.synced("eve").await;
    let now = apart.sandbox.scim("GET", "/Users", None).await.1["totalResults"].clone();
    assert_eq!(now.as_u64(), accounts.as_u64().map(|accounts| accounts + 1));
}
