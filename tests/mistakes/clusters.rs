//! What is wrong with the cluster: rights, admission, clocks, CRDs. In a cluster of the test's own, since it concerns every
//! operator there.

use serde_json::{Value, json};

use crate::apart::Apart;
use crate::elsewhere::held;
use crate::kit::PATIENCE;
use crate::policies::{a_policy_refuses_finalizers, a_policy_takes_finalizers_off, a_policy_takes_labels_off};
use crate::support::eventually;
use crate::surroundings::{
    crds_of_another_version, newer_crds, the_clock_is_wrong, the_proxy_of_the_environment_is_in_the_way,
};
use crate::table::told;

#[tokio::test]
async fn i27_i28_rights_and_policies_that_are_in_the_way_cost_nobody_anything() {
    let mut apart = Apart::new("apart", &[]).await;
    status_can_not_be_written(&apart).await;
    finalizers_can_not_be_written(&apart).await;
    secrets_can_not_be_read(&apart).await;
    nothing_can_be_listed(&mut apart).await;
    sources_can_not_be_read(&apart).await;
    a_policy_refuses_finalizers(&apart).await;
    a_policy_takes_finalizers_off(&apart).await;
    a_policy_takes_labels_off(&apart).await;
    the_clock_is_wrong(&mut apart).await;
    the_proxy_of_the_environment_is_in_the_way(&mut apart).await;
    crds_of_another_version(&mut apart).await;
    newer_crds(&mut apart).await;
}

async fn status_can_not_be_written(apart: &Apart) {
    let roles = apart.without("scimusers/status", &["patch"]);
    apart.place.user("ada", json!({}));
    let refused = eventually(PATIENCE, "the connection says so", async || {
        let said = apart.place.connection_tells("Connected").await;
        if said.contains("refuses writes") { Ok(said) } else { Err(said) }
    })
    .await;
    told("right-to-status", &refused);
    assert_eq!(apart.place.events("WritesRefused").len(), 1);
    apart.give_back(roles);
    apart.place.synced("ada").await;
    apart.is_there_once("ada").await;
}

async fn finalizers_can_not_be_written(apart: &Apart) {
    let roles = apart.without("scimusers", &["patch", "update"]);
    apart.place.user("bob", json!({}));
    told("right-to-finalizers", &apart.place.tells("scimuser/bob", "WriteRefused").await);
    assert!(held(&apart.sandbox, "bob@example.com").await.is_empty(), "nothing is sent before");
    apart.give_back(roles);
    apart.place.annotate("bob", "reconcile-requested-at=now");
    apart.place.synced("bob").await;
    apart.is_there_once("bob").await;
}

async fn secrets_can_not_be_read(apart: &Apart) {
    let roles = apart.without("secrets", &["get"]);
    let mut other = apart.place.generic(&apart.sandbox.base_url, json!({}));
    other["metadata"]["name"] = json!("other");
    apart.place.apply(other);
    told("right-to-secrets", &apart.place.tells("scimconnection/other", "SecretNotFound").await);
    // What works goes on.
    apart.place.user("ada", json!({"title": "Officer"}));
    apart.place.synced("ada").await;
    apart.give_back(roles);
    apart.place.tells("scimconnection/other", "Connected").await;
}

/// Each kind is told by its name, and nothing begins meanwhile.
async fn nothing_can_be_listed(apart: &mut Apart) {
    let watches = [
        ("scimusers", "watch of ScimUsers"),
        ("scimgroups", "watch of ScimGroups"),
        ("scimconnections", "watch of ScimConnections"),
        ("clusterscimconnections", "watch of ClusterScimConnections"),
        ("scimrosters", "watch of ScimRosters"),
        ("secrets", "watch of Secrets"),
        ("configmaps", "watch of roster sources"),
        ("namespaces", "watch of Namespaces"),
    ];
    let mut before: Vec<Vec<Value>> = watches.iter().map(|(resource, _)| apart.without(resource, &["list"])).collect();
    apart.restart(apart.builder.clone());
    told("right-to-list", &apart.logs(&["watch of ScimUsers", "forbidden"]).await);
    for (resource, watch) in watches {
        let missing = format!("cannot list resource \"{resource}\"");
        apart.logs(&[watch, &missing, "ask for a Role with that verb"]).await;
    }
    apart.place.user("cyd", json!({}));
    // As the roles were at first.
    apart.give_back(before.swap_remove(0));
    apart.place.synced("cyd").await;
    apart.is_there_once("cyd").await;
}

/// And generated users can't be deleted.
async fn sources_can_not_be_read(apart: &Apart) {
    let table = |people: &str| {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "data": {"people.csv": format!("mail\n{people}\n")},
            "metadata": {"name": "staff", "labels": {"scim-operator.dev/roster-source": "true"}},
        })
    };
    let roles = apart.without("configmaps", &["get"]);
    apart.place.apply(table("kim@example.com\nlou@example.com"));
    apart.place.apply(json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimRoster", "metadata": {"name": "staff"},
        "spec": {
            "connectionRef": {"name": "jackson"}, "source": {"configMaps": {"names": ["staff"]}},
            "mappings": [{"target": "userName", "value": "row.mail"}, {"target": "active", "value": "true"}],
        },
    }));
    told("right-to-sources", &apart.place.tells("scimroster/staff", "SourceUnavailable").await);
    apart.give_back(roles);
    apart.place.tells("scimroster/staff", "Generated").await;
    apart.is_there_once("lou").await;

    let roles = apart.without("scimusers", &["delete"]);
    apart.place.apply(table("kim@example.com"));
    told("right-to-delete", &apart.place.tells("scimroster/staff", "WriteFailed").await);
    apart.give_back(roles);
    apart.place.tells("scimroster/staff", "Generated").await;
    eventually(PATIENCE, "lou is inactive", async || {
        let account = held(&apart.sandbox, "lou@example.com").await[0]["resource"]["active"].clone();
        if account == false { Ok(()) } else { Err(account) }
    })
    .await;
}
