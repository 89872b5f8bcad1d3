//! `explain`: each step on the way from a manifest to the server, and everybody who stands on it by name.

use serde_json::{Value, json};

use crate::importing::at;
use crate::kit::{PATIENCE, Place};
use crate::planning::account;
use crate::support::{Sandbox, eventually};
use crate::{json_of, program, scim, stderr};

/// The steps of an object.
async fn explained(place: &Place, target: &str, more: &[&str]) -> (Option<i32>, Value) {
    let output = scim(&place.namespace, &[&["explain", target, "-o", "json"], more].concat()).await;
    assert!(!output.stdout.is_empty(), "{}", stderr(&output));
    (output.status.code(), json_of(&output))
}

/// What the steps of this name found.
fn found(steps: &Value, what: &str) -> Vec<String> {
    let of = steps.as_array().into_iter().flatten().filter(|step| step["what"] == what);
    of.map(|step| step["found"].as_str().unwrap_or_default().to_owned()).collect()
}

fn assert_found(steps: &Value, what: &str, parts: &[&str]) {
    let all = found(steps, what);
    for part in parts {
        assert!(all.iter().any(|text| text.contains(part)), "{what}: {part}: {steps:#}");
    }
}

fn group(members: &[Value]) -> Value {
    json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimGroup", "metadata": {"name": "team"},
        "spec": {"connectionRef": {"name": "jackson"}, "displayName": "Team", "membership": "Exact", "members": members,
            "memberSelector": {"matchLabels": {"site": "london"}}},
    })
}

#[tokio::test]
async fn everybody_on_the_way_is_named_and_so_is_what_was_told_of_them() {
    let sandbox = Sandbox::start();
    account(&sandbox, "ada", "Engineer").await;
    let place = at(&sandbox).await;
    place.user("boss", json!({}));
    let boss = place.synced("boss").await;
    place.user("ada", json!({"enterprise": {"manager": {"userRef": {"name": "boss"}}}}));
    let ada = place.synced("ada").await;
    // Two who are managers of each other: the chain ends where it comes back.
    place.user("chief", json!({"enterprise": {"manager": {"userRef": {"name": "boss"}}}}));
    place.synced("chief").await;
    place.user("boss", json!({"enterprise": {"manager": {"userRef": {"name": "chief"}}}}));
    place.synced("boss").await;
    // Somebody else declares her, later.
    place.user("double", json!({"userName": "ada@example.com"}));
    place.is("double", "False", "Conflict").await;

    let (code, steps) = explained(&place, "user/ada", &[]).await;
    assert_eq!(code, Some(0), "{steps:#}");
    let named = format!("user/boss (boss@example.com) is the account {boss}");
    assert_found(&steps, "manager", &[&named, "user/chief (chief@example.com) is the account", "user/boss again"]);
    assert_eq!(found(&steps, "manager").len(), 3, "{steps:#}");
    assert_found(&steps, "found", &[&ada]);
    // It was there already, and that is told by an event.
    assert_found(&steps, "event", &["Adopted: the account"]);
    let order =
        ["declared", "connection", "found", "owned", "manager", "decided", "admitted", "last request", "event", "next"];
    let places: Vec<usize> = order
        .iter()
        .map(|what| steps.as_array().unwrap().iter().position(|step| step["what"] == *what).expect(what))
        .collect();
    assert!(places.is_sorted(), "{steps:#}");

    let (code, steps) = explained(&place, "user/double", &[]).await;
    assert_eq!(code, Some(2), "{steps:#}");
    assert_found(&steps, "decided", &["Conflict"]);
    assert_found(&steps, "next", &["nothing before the spec"]);
    scim(&place.namespace, &["suspend", "user/chief"]).await;
    let (_, steps) = explained(&place, "user/chief", &[]).await;
    assert_found(&steps, "next", &["spec.suspend is false"]);

    place.kubectl(&["label", "scimuser", "boss", "site=london"]);
    let members = ["ada", "nobody", "double"].map(|name| json!({"userRef": {"name": name}}));
    place.apply(group(&members));
    eventually(PATIENCE, "two are in it", async || {
        let group = place.kubectl(&["get", "scimgroup", "team", "-o", "jsonpath={.status.members.present}"]);
        if group == "2" { Ok(()) } else { Err(group) }
    })
    .await;
    let (code, steps) = explained(&place, "group/team", &[]).await;
    assert_eq!(code, Some(2), "{steps:#}");
    let ada = format!("user/ada (ada@example.com), the account {ada}");
    let boss = format!("user/boss (boss@example.com), the account {boss}");
    assert_found(
        &steps,
        "member",
        &[&ada, &boss, "there is no user/nobody", "user/double (ada@example.com) has no account yet: Conflict"],
    );
    assert!(found(&steps, "member")[0].contains("there is no user/nobody"), "who is missing comes first: {steps:#}");

    let live = ["--live", "--allow-loopback-http"];
    let (_, steps) = explained(&place, "group/team", &live).await;
    assert_found(&steps, "member", &[&format!("{ada}, is in it"), &format!("{boss}, is in it")]);
    let (_, steps) = explained(&place, "user/boss", &live).await;
    assert_found(&steps, "found", &["read now: the account"]);
}

/// What may not be read is left out, or said; the rest is explained.
#[tokio::test]
async fn i27_whoever_may_see_the_object_alone_is_told_what_it_says() {
    let place = Place::without_operator().await;
    place.cluster.install_crds().await;
    place.user("ada", json!({}));
    let roster = "scim-operator.dev/roster=people";
    place.kubectl(&["label", "scimuser", "ada", roster]);
    let kubeconfig = place.cluster.kubeconfig_for_service_account(&place.namespace, "reader");
    place.kubectl(&["create", "role", "reader", "--verb=get", "--resource=scimusers.scim-operator.dev"]);
    let account = format!("--serviceaccount={}:reader", place.namespace);
    place.kubectl(&["create", "rolebinding", "reader", "--role=reader", &account]);
    let output = program(&kubeconfig).args(["-n", &place.namespace, "explain", "user/ada", "-o", "json"]).output();
    let output = output.expect("kubectl-scim");
    let steps = json_of(&output);
    assert_found(&steps, "declared", &["declares ada@example.com; made by roster/people"]);
    assert_found(&steps, "row", &["which row it is can't be told", "cannot get resource"]);
    assert_found(&steps, "connection", &["or you may not see it"]);
}
