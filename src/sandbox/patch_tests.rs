use proptest::prelude::*;
use serde_json::json;

use super::super::schema::{group, user};
use super::*;

fn run(kind: &'static ResourceType, body: &Value, ops: &Value) -> Outcome<Value> {
    let mut object = body.as_object().cloned().unwrap();
    let operations = read(&json!({"Operations": ops}), false)?;
    apply(kind, &mut object, &operations)?;
    Ok(Value::Object(object))
}

fn ada() -> Value {
    json!({"userName": "ada", "emails": [
        {"value": "w@x", "type": "work", "primary": true}, {"value": "h@x", "type": "home"}]})
}

#[test]
fn every_form() {
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let done = run(
        user(),
        &ada(),
        &json!([
            {"op": "Replace", "value": {"active": false, "name.givenName": "A", "name": {"familyName": "L"}}},
            {"op": "add", "path": "title", "value": "T"},
            {"op": "replace", "path": "emails[type eq \"work\"].value", "value": "new@x"},
            {"op": "remove", "path": "emails[type eq \"home\"]"},
            {"op": "add", "path": "emails[type eq \"other\"].value", "value": "o@x"},
            {"op": "add", "path": format!("{enterprise}:department"), "value": "D"},
            {"op": "add", "value": {enterprise: {"costCenter": "C"}}},
        ]),
    );
    assert_eq!(
        done.unwrap(),
        json!({"userName": "ada", "active": false, "title": "T",
            "name": {"givenName": "A", "familyName": "L"},
            "emails": [{"value": "new@x", "type": "work", "primary": true},
                {"type": "other", "value": "o@x"}],
            enterprise: {"department": "D", "costCenter": "C"}})
    );
}

#[test]
fn primary_moves() {
    let op = json!([{"op": "add", "path": "emails", "value": [{"value": "n@x", "primary": true}]}]);
    let done = run(user(), &ada(), &op).unwrap();
    assert_eq!(done["emails"][0]["primary"], false);
    assert_eq!(done["emails"][2]["primary"], true);
}

#[test]
fn members() {
    let body = json!({"displayName": "g", "members": [{"value": "1"}, {"value": "2"}, {"value": "3"}]});
    let done = run(
        group(),
        &body,
        &json!([
            {"op": "add", "path": "members", "value": [{"value": "3", "display": "x"}, {"value": "4"}]},
            {"op": "remove", "path": "members[value eq \"1\"]"},
            {"op": "Remove", "path": "members", "value": [{"value": "2"}]},
        ]),
    )
    .unwrap();
    assert_eq!(done["members"], json!([{"value": "3"}, {"value": "4"}]));
    let none = run(group(), &done, &json!([{"op": "remove", "path": "members"}])).unwrap();
    assert_eq!(none, json!({"displayName": "g"}));
}

#[test]
fn refusals() {
    for (op, kind) in [
        (json!({"op": "remove"}), "noTarget"),
        (json!({"op": "move", "path": "title"}), "invalidSyntax"),
        (json!({"op": "replace", "path": "nope", "value": 1}), "invalidPath"),
        (json!({"op": "replace", "path": "id", "value": "1"}), "mutability"),
        (json!({"op": "replace", "path": "active", "value": "False"}), "invalidValue"),
        (json!({"op": "remove", "path": "userName"}), "invalidValue"),
        (json!({"op": "replace", "path": "emails[type eq \"x\"].value", "value": "v"}), "noTarget"),
    ] {
        let fail = run(user(), &ada(), &json!([op])).unwrap_err();
        assert_eq!((fail.status, fail.scim_type), (400, Some(kind)), "{op}");
    }
}

fn any_op() -> impl Strategy<Value = Value> {
    let path = prop_oneof![
        Just("title"),
        Just("name"),
        Just("name.givenName"),
        Just("emails"),
        Just("emails.value"),
        Just("emails[type eq \"work\"]"),
        Just("emails[type eq \"home\"].value"),
        Just("active"),
        Just("userName"),
    ];
    let value = prop_oneof![
        Just(json!("x")),
        Just(json!(true)),
        Just(json!(null)),
        Just(json!({"value": "v", "type": "home", "primary": true})),
        Just(json!([{"value": "v", "type": "work", "primary": true}])),
        Just(json!({"givenName": "G"})),
    ];
    (prop_oneof![Just("add"), Just("replace"), Just("remove")], path, value)
        .prop_map(|(op, path, value)| json!({"op": op, "path": path, "value": value}))
}

proptest! {
    #[test]
    fn what_patch_leaves_is_a_valid_user(ops in proptest::collection::vec(any_op(), 1..8)) {
        if let Ok(Value::Object(done)) = run(user(), &ada(), &Value::Array(ops)) {
            prop_assert_eq!(user().fit(done.clone()).unwrap(), done);
        }
    }

    #[test]
    fn setting_twice_is_setting_once(text in "[a-z]{1,8}") {
        let ops = json!([{"op": "replace", "path": "title", "value": text},
            {"op": "add", "path": "emails", "value": [{"value": text}]}]);
        let once = run(user(), &ada(), &ops).unwrap();
        prop_assert_eq!(run(user(), &once, &ops).unwrap(), once);
    }

    #[test]
    fn members_added_then_removed_are_gone(ids in proptest::collection::btree_set("[a-z]{1,4}", 1..20)) {
        let list: Vec<Value> = ids.iter().map(|id| json!({"value": id})).collect();
        let start = json!({"displayName": "g"});
        let full = run(group(), &start, &json!([{"op": "add", "path": "members", "value": list}])).unwrap();
        prop_assert_eq!(full["members"].as_array().unwrap().len(), ids.len());
        let none = run(group(), &full, &json!([{"op": "remove", "path": "members", "value": list}])).unwrap();
        prop_assert_eq!(none, start);
    }
}
