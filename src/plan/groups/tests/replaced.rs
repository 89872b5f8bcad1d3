//! A group that is replaced whole.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::id;
use crate::plan::groups::{Change, replaced};
use crate::scim::{Op, PatchOperation, Profile, Resource};

fn ids(members: &Value) -> BTreeSet<String> {
    members.as_array().into_iter().flatten().filter_map(|one| one["value"].as_str().map(str::to_owned)).collect()
}

proptest! {
    #[test]
    fn i14_a_group_that_is_replaced_keeps_whoever_is_not_named(
        here in proptest::collection::btree_set(0_u8..20, 0..12), comes in proptest::collection::btree_set(0_u8..20, 0..6),
        goes in proptest::collection::btree_set(0_u8..20, 0..6),
    ) {
        let name = |n: &u8| n.to_string();
        let full = |n: &u8| json!({"value": name(n), "display": format!("person {n}")});
        let shown: Vec<Value> = here.iter().map(|n| if n % 2 == 0 { full(n) } else { json!(name(n)) }).collect();
        let whole = json!({"id": "g", "displayName": "Team", "Members": shown, "urn:x": {"cost": 7}, "meta": {"version": "1"}});
        let whole = Resource(whole.as_object().cloned().unwrap_or_default());
        let goes: BTreeSet<u8> = goes.difference(&comes).copied().collect();
        let change = Change {
            added: comes.iter().map(|n| name(n).into()).collect(), removed: goes.iter().map(|n| name(n).into()).collect(),
        };
        let rename = PatchOperation { op: Op::Replace, path: Some("displayName".into()), value: Some(json!("New")) };
        let body = replaced(&whole, "g", &[rename], &change, &Profile::generic());
        let expected: BTreeSet<String> = here.union(&comes).filter(|n| !goes.contains(n)).map(name).collect();
        prop_assert_eq!(ids(&body["members"]), expected);
        prop_assert_eq!((&body["displayName"], &body["urn:x"]["cost"], &body["id"]), (&json!("New"), &json!(7), &json!("g")));
        prop_assert!(!body.contains_key("meta") && !body.contains_key("Members"));
        let kept = body["members"].as_array().unwrap().iter().filter(|one| one.get("display").is_some()).count();
        prop_assert_eq!(kept, here.difference(&goes).filter(|n| **n % 2 == 0).count(), "what else is shown of a member is sent back");
    }
}

#[test]
fn each_preset_takes_members_out_in_its_own_form() {
    let change = Change { added: vec![id(1)], removed: vec![id(2), id(3)] };
    let form = |profile: Profile| {
        let operations = change.operations(&profile);
        serde_json::to_value(operations).unwrap_or_default()
    };
    let add = json!({"op": "add", "path": "members", "value": [{"value": "id-1"}]});
    let removed = json!([{"value": "id-2"}, {"value": "id-3"}]);
    let values = json!([{"op": "remove", "path": "members", "value": removed}, add]);
    assert_eq!(form(Profile::aws_identity_center()), values);
    let one = |name: &str| json!({"op": "remove", "path": format!("members[value eq \"{name}\"]")});
    let filters = json!([one("id-2"), one("id-3"), add]);
    for profile in [Profile::datadog(), Profile::jackson(), Profile::github(), Profile::slack(), Profile::generic()] {
        assert_eq!(form(profile), filters);
    }
    assert_eq!(Profile::aws_identity_center().max_members_per_patch, 100);
}
