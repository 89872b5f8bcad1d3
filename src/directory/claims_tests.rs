//! Whose name an object waits for: rows always resolve, and rings are named.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::*;

const SERVER: &str = "here";

/// An object bound to the account of its own number, which has one name and is to have another.
fn bound(number: usize, has: usize, declares: usize, version: usize) -> ScimUser {
    let user = json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimUser",
        "metadata": {
            "name": format!("o-{number}"), "namespace": "n", "uid": format!("o-{number}"), "generation": 1,
            "resourceVersion": version.to_string(), "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {"connectionRef": {"name": "c"}, "userName": format!("name-{declares}")},
        "status": {"id": format!("id-{number}"), "boundTo": SERVER, "userName": format!("name-{has}")},
    });
    serde_json::from_value(user).expect("a user")
}

fn directory(users: impl IntoIterator<Item = ScimUser>) -> Directory {
    let directory = Directory::default();
    directory.set_server(&ConnectionKey { namespace: "n".into(), name: "c".into() }, Some(SERVER));
    for user in users {
        directory.upsert(user);
    }
    directory
}

fn state(directory: &Directory, user: &ScimUser) -> Option<HolderState> {
    let id = user.status.as_ref().and_then(|status| status.id.as_deref());
    directory.claims(user, SERVER, id).holder.map(|holder| holder.state)
}

proptest! {
    /// Objects declare names in any order, some of them free; each is renamed as soon as nothing is in its way.
    #[test]
    fn i08_rows_of_names_resolve_and_rings_are_named(order in Just((0..12_usize).collect::<Vec<_>>()).prop_shuffle(), free in 0..4_usize) {
        let count = order.len() - free;
        let directory = directory((0..count).map(|number| bound(number, number, order[number], 1)));
        let mut has: BTreeMap<usize, usize> = (0..count).map(|number| (number, number)).collect();
        let mut version = 1;
        while let Some(number) = (0..count).find(|number| {
            has[number] != order[*number] && state(&directory, &bound(*number, has[number], order[*number], 1)).is_none()
        }) {
            version += 1;
            has.insert(number, order[number]);
            let woken = directory.upsert(bound(number, order[number], order[number], version)).others;
            let waiting = (0..count).find(|other| *other != number && order[*other] == number);
            let told = waiting.is_none_or(|other| woken.contains(&format!("o-{other}").into()));
            prop_assert!(told, "whoever waits is looked at again");
        }
        for number in 0..count {
            // Its ring, followed by hand.
            let ring = std::iter::successors(Some(number), |at| Some(order[*at]).filter(|next| *next < count && *next != number));
            let ring: Vec<String> = ring.take(count + 1).map(|at| format!("n/o-{at}")).collect();
            let in_ring = order[number] != number && ring.len() <= count
                && ring.last().is_some_and(|last| order[last[4..].parse::<usize>().unwrap()] == number);
            prop_assert_eq!(has[&number] == order[number], !in_ring, "{:?}", order);
            if in_ring {
                let known = state(&directory, &bound(number, has[&number], order[number], 1));
                prop_assert_eq!(known, Some(HolderState::InRing(ring)));
            }
        }
    }
}

#[test]
fn i08_whoever_waits_behind_a_ring_is_told_of_it() {
    let users = [bound(0, 0, 1, 1), bound(1, 1, 2, 1), bound(2, 2, 1, 1)];
    let directory = directory(users.clone());
    let ring = vec!["n/o-1".to_owned(), "n/o-2".to_owned()];
    assert_eq!(state(&directory, &users[0]), Some(HolderState::InRing(ring)));
}

/// Whole sheets may be shifted by one row.
#[test]
fn i08_a_long_row_is_looked_along_no_further_than_it_must() {
    let users: Vec<_> = (0..5_000).map(|number| bound(number, number, (number + 1) % 5_000, 1)).collect();
    let directory = directory(users.clone());
    let began = std::time::Instant::now();
    for user in users.iter().take(50) {
        assert!(matches!(state(&directory, user), Some(HolderState::InRing(_))));
    }
    println!("{:.2} ms an object", began.elapsed().as_secs_f64() * 1e3 / 50.0);
}

fn unbound(name: &str, version: usize, change: &serde_json::Value) -> ScimUser {
    let mut user = json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimUser",
        "metadata": {
            "name": name, "namespace": "n", "uid": name, "generation": 1, "resourceVersion": version.to_string(),
            "creationTimestamp": "2026-01-02T00:00:00Z",
        },
        "spec": {"connectionRef": {"name": "c"}, "userName": "NAME-0"},
    });
    json_patch(&mut user, change);
    serde_json::from_value(user).expect("a user")
}

fn json_patch(base: &mut serde_json::Value, change: &serde_json::Value) {
    match (base, change) {
        (serde_json::Value::Object(base), serde_json::Value::Object(change)) => {
            for (name, value) in change {
                json_patch(base.entry(name.clone()).or_insert(serde_json::Value::Null), value);
            }
        }
        (base, change) => *base = change.clone(),
    }
}

#[test]
fn i08_only_who_can_be_bound_takes_over_an_account() {
    let mut leaving = bound(0, 0, 0, 1);
    leaving.metadata.deletion_timestamp =
        Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(jiff::Timestamp::UNIX_EPOCH));
    leaving.spec.external_id = Some("e-0".into());
    let heir = |change: serde_json::Value| {
        let heir = unbound("heir", 1, &change);
        let directory = directory([leaving.clone(), heir.clone()]);
        let successor = directory.claims(&leaving, SERVER, Some("id-0")).successor;
        let takes_over = state_of(&directory, &heir) == Some(HolderState::HandsOver);
        assert_eq!(takes_over, successor.as_ref().is_some_and(|successor| !successor.bound), "{successor:?}");
        successor
    };
    assert!(heir(json!({})).is_some_and(|successor| !successor.bound && !successor.held));
    assert!(heir(json!({"spec": {"externalId": "e-0"}})).is_some());
    assert!(heir(json!({"status": {"state": "Held"}})).is_some_and(|successor| successor.held));
    let mut bound_here = json!({"status": {"id": "id-0", "boundTo": SERVER, "userName": "name-0"}});
    let forged = directory([leaving.clone(), unbound("heir", 1, &bound_here)]).claims(&leaving, SERVER, Some("id-0"));
    assert!(forged.successor.is_some_and(|successor| !successor.bound), "it could go without a removal");
    bound_here["metadata"] = json!({"finalizers": [crate::api::FINALIZER]});
    assert!(heir(bound_here).is_some_and(|successor| successor.bound));
    for change in [
        json!({"spec": {"suspend": true}}),
        json!({"spec": {"externalId": "e-1"}}),
        json!({"spec": {"userName": "name-1"}}),
        json!({"status": {"id": "id-7", "boundTo": SERVER, "userName": "name-7"}}),
        json!({"status": {"id": "id-7", "boundTo": "elsewhere", "userName": "name-0"}}),
        json!({"metadata": {"annotations": {"scim-operator.dev/remote-id": "id-7"}}}),
        json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}),
        // Who claims an account by its status alone is no successor.
        json!({"spec": {"userName": "name-1"}, "status": {"id": "id-0", "boundTo": SERVER, "userName": "name-0"}}),
    ] {
        assert_eq!(heir(change.clone()), None, "{change}");
    }
    // Who couldn't take it over as it is declared now, and who may not bind anything.
    let heir = unbound("heir", 1, &json!({}));
    let directory = directory([leaving.clone(), heir.clone()]);
    let key = ConnectionKey { namespace: "n".into(), name: "c".into() };
    let successor = || directory.claims(&leaving, SERVER, Some("id-0")).successor;
    directory.set_idle(&key, true);
    assert_eq!(successor(), None);
    directory.set_idle(&key, false);
    assert!(successor().is_some());
    assert_eq!(directory.decline(&heir, SERVER), ["o-0".into()]);
    assert_eq!(successor(), None);
    directory.upsert(unbound("heir", 2, &json!({"metadata": {"generation": 2}})));
    assert!(successor().is_some());
    directory.give_up(&leaving, SERVER);
    assert_eq!(successor(), None);
}

fn state_of(directory: &Directory, user: &ScimUser) -> Option<HolderState> {
    directory.claims(user, SERVER, Some("id-0")).holder.map(|holder| holder.state)
}

#[test]
fn i08_what_another_object_may_have_made_under_a_name_is_waited_for() {
    let made = |declares: &str, going: bool| {
        let mut user = unbound(
            "made",
            1,
            &json!({
                "metadata": {
                    "finalizers": ["scim-operator.dev/deprovision"],
                    "annotations": {"scim-operator.dev/claimed-account": "{\"userName\":\"name-0\",\"uid\":\"made\"}"},
                },
                "spec": {"userName": declares},
            }),
        );
        user.metadata.deletion_timestamp =
            going.then_some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(jiff::Timestamp::UNIX_EPOCH));
        user
    };
    let hire = unbound("hire", 1, &json!({}));
    for (declares, going, expected) in [
        ("name-1", false, Some(HolderState::Renames)),
        ("name-1", true, Some(HolderState::HandsOver)),
        ("name-0", false, None),
    ] {
        let directory = directory([made(declares, going), hire.clone()]);
        assert_eq!(state_of(&directory, &hire), expected, "{declares} {going}");
    }
}
