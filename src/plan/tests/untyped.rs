//! Servers that show entries of lists without `type`, or as plain strings.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::driver::{cases, spec};
use super::merging::profiles;
use crate::api::{IgnoredReason, Reason, ScimUserSpec};
use crate::provisioner::simulation::alone::Alone;
use crate::scim::Profile;

fn person(email: &str, phone: &str, place: &str) -> ScimUserSpec {
    spec(json!({
        "connectionRef": {"name": "c"}, "userName": "ada",
        "emails": [{"value": email, "type": "work", "primary": true}],
        "phoneNumbers": [{"value": phone, "type": "mobile"}],
        "addresses": [{"locality": place, "type": "home"}],
    }))
}

fn mailed(emails: Value) -> ScimUserSpec {
    let mut spec = person("x", "x", "x");
    spec.attributes.phone_numbers = None;
    spec.attributes.addresses = None;
    spec.attributes.emails = serde_json::from_value(emails).expect("e-mails");
    spec
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn i03_an_entry_without_a_type_is_the_declared_one(profile in profiles(), strings in any::<bool>(), silent in any::<bool>()) {
        let mut alone = Alone::new(&profile, person("ada@old.example", "+1", "Rome"));
        alone.server(|server| (server.untyped, server.strings, server.silent) = (true, strings, silent));
        prop_assert_eq!(alone.pass().verdict.reason, Some(Reason::Synced));
        prop_assert!(alone.pass().sent.is_empty());
        alone.declare(person("ada@new.example", "+2", "Oslo"));
        prop_assert_eq!(alone.pass().sent.len(), 1);
        let email = if strings { json!("ada@new.example") } else { json!({"value": "ada@new.example", "primary": true}) };
        prop_assert_eq!(&alone.shown()["emails"], &json!([email]));
        prop_assert_eq!(&alone.shown()["phoneNumbers"], &json!([{"value": "+2"}]));
        prop_assert_eq!(&alone.shown()["addresses"], &json!([{"locality": "Oslo"}]));
        for _ in 0..3 {
            let quiet = alone.pass();
            prop_assert!(quiet.sent.is_empty(), "{:?}", quiet.sent);
        }
        // Dropped, it goes.
        let bare = spec(json!({"connectionRef": {"name": "c"}, "userName": "ada"}));
        alone.declare(bare);
        alone.pass();
        for list in ["emails", "phoneNumbers", "addresses"] {
            prop_assert!(alone.shown().get(list).is_none_or(|left| left == &json!([])), "{:?}", alone.shown());
        }
        prop_assert!(alone.pass().sent.is_empty());
    }
}

/// The account with these e-mails, and then another address declared.
fn after(shown: Value, declared: Value) -> Alone {
    let work = |address: &str| json!([{"value": address, "type": "work", "primary": true}]);
    let mut alone = Alone::new(&Profile::generic(), mailed(work("old@x")));
    alone.pass();
    alone.meddle(|account| _ = account.insert("emails".into(), shown));
    alone.declare(mailed(declared));
    alone.pass();
    alone
}

#[test]
fn i03_of_several_without_a_type_the_primary_one_is_ours() {
    let new = json!([{"value": "new@x", "type": "work", "primary": true}]);
    let mut alone = after(json!([{"value": "a@x"}, {"value": "old@x", "primary": true}]), new.clone());
    let shown = alone.shown()["emails"].as_array().unwrap().clone();
    let values: Vec<_> = shown.iter().map(|entry| &entry["value"]).collect();
    assert_eq!(values, ["a@x", "new@x"]);
    assert!(alone.pass().sent.is_empty());

    // The one that has the value already is it.
    let mut alone = after(json!([{"value": "a@x", "primary": true}, "new@x"]), new);
    assert_eq!(alone.shown()["emails"][0]["value"], "a@x");
    assert!(alone.pass().sent.is_empty());
}

#[test]
fn i03_where_nobody_can_tell_which_is_ours_nothing_is_written() {
    let new = json!([{"value": "new@x", "type": "work", "primary": true}]);
    let two = json!([{"value": "a@x"}, {"value": "b@x"}]);
    let mut alone = after(two.clone(), new);
    assert_eq!(alone.shown()["emails"], two);
    let outcome = alone.pass();
    assert!(outcome.sent.is_empty());
    assert_eq!(outcome.verdict.reason, Some(Reason::NotPersisted));
    assert!(outcome.verdict.message.contains("nobody can tell"), "{}", outcome.verdict.message);
    let ignored = outcome.verdict.details.ignored.unwrap_or_default();
    assert_eq!(ignored.iter().map(|one| one.reason).collect::<Vec<_>>(), [IgnoredReason::Unsupported]);
}

#[test]
fn i03_strings_and_entries_mixed() {
    let shown = json!(["ada@home.example", {"type": "work", "value": "old@x"}]);
    let mut alone = after(shown, json!([{"value": "new@x", "type": "work"}]));
    assert_eq!(alone.shown()["emails"], json!(["ada@home.example", {"type": "work", "value": "new@x"}]));
    assert!(alone.pass().sent.is_empty());
}
