//! I1 to I5 and I9: what is written, what is removed, and what is left alone.

use proptest::collection::{btree_map, btree_set};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use super::driver::{cases, spec};
use crate::api::{Reason, ScimUserSpec};
use crate::plan::{Account, Declared, Path, Step, says_the_same};
use crate::provisioner::simulation::alone::Alone;
use crate::scim::{PatchPaths, Profile, Resource, WriteMethod};

const VENDOR: &str = "urn:example:params:scim:schemas:extension:vendor:1.0:User";

pub fn profiles() -> impl Strategy<Value = Profile> {
    let methods = select(vec![WriteMethod::Patch, WriteMethod::Put]);
    let paths = select(vec![PatchPaths::Filter, PatchPaths::Whole]);
    (methods, paths, any::<bool>()).prop_map(|(write_users, patch_paths, patch_remove)| Profile {
        write_users,
        patch_paths,
        patch_remove,
        ..Profile::generic()
    })
}

/// Entries of a list: distinct values, types that repeat, differ in case or are left out.
fn entries(values: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let kinds = select(vec![Some("work"), Some("Work"), Some("home"), Some("other"), None]);
    btree_map(select(values), kinds, 0..4).prop_shuffled().prop_map(|entries| {
        let entry = |(value, kind): &(&str, Option<&str>)| match kind {
            Some(kind) => json!({"value": value, "type": kind}),
            None => json!({"value": value}),
        };
        Value::Array(entries.iter().map(entry).collect())
    })
}

trait Shuffled<T> {
    fn prop_shuffled(self) -> BoxedStrategy<Vec<T>>;
}

impl<K: std::fmt::Debug + Clone + 'static, V: std::fmt::Debug + Clone + 'static, S> Shuffled<(K, V)> for S
where
    S: Strategy<Value = std::collections::BTreeMap<K, V>> + 'static,
{
    fn prop_shuffled(self) -> BoxedStrategy<Vec<(K, V)>> {
        self.prop_map(|map| map.into_iter().collect::<Vec<_>>()).prop_shuffle().boxed()
    }
}

/// Specs of one person: every kind of attribute, there or not.
pub fn specs() -> impl Strategy<Value = ScimUserSpec> {
    let text = || option::of(select(vec!["a", "b", "c"]));
    let singles = (text(), text(), text(), text(), text(), text());
    let lists = (
        entries(&["ada@example.com", "ada@example.org", "lovelace@example.com"]),
        entries(&["+1", "+2", "+3"]),
        btree_map(select(vec!["work", "home", ""]), select(vec!["Rome", "Oslo"]), 0..3),
        btree_set(select(vec!["admin", "auditor", "author"]), 0..3),
    );
    (singles, lists).prop_map(
        |((title, display, given, family, department, badge), (emails, phones, places, roles))| {
            let addresses: Vec<Value> = places
                .iter()
                .map(|(kind, place)| match *kind {
                    "" => json!({"locality": place}),
                    kind => json!({"locality": place, "type": kind}),
                })
                .collect();
            let roles: Vec<Value> = roles.iter().map(|role| json!({"value": role})).collect();
            let mut json = json!({
                "connectionRef": {"name": "c"},
                "userName": "ada",
                "name": {"givenName": given, "familyName": family},
                "title": title,
                "displayName": display,
                "emails": emails,
                "phoneNumbers": phones,
                "addresses": addresses,
                "roles": roles,
                "enterprise": {"department": department},
                "extensions": {VENDOR: {"badge": badge}},
            });
            if let Some(map) = json.as_object_mut() {
                map.retain(|_, value| value != &json!([]));
            }
            spec(json)
        },
    )
}

fn shows(alone: &Alone) -> Result<(), TestCaseError> {
    let declared = Declared::new(&alone.spec(), None, &alone.profile(), jiff::Timestamp::UNIX_EPOCH);
    let shown = Resource(alone.shown());
    for (path, value) in &declared.attributes {
        prop_assert!(says_the_same(path, value, path.read(&shown)), "{path}: {value} in {shown:?}");
    }
    Ok(())
}

/// How many entries of these lists there are, all in all.
fn count(alone: &Alone, list: &str) -> usize {
    alone.shown().get(list).and_then(Value::as_array).map_or(0, Vec::len)
}

fn declared_count(spec: &ScimUserSpec, list: &str) -> usize {
    serde_json::to_value(spec).unwrap()[list].as_array().map_or(0, Vec::len)
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn i01_what_converged_is_left_alone(
        profile in profiles(), first in specs(), second in specs(), listed in any::<bool>(), silent in any::<bool>(),
    ) {
        let mut alone = Alone::new(&profile, first);
        alone.lists(listed);
        alone.server(|server| server.silent = silent);
        alone.pass();
        shows(&alone)?;
        prop_assert!(alone.pass().sent.is_empty());
        alone.declare(second);
        prop_assert!(alone.pass().sent.len() <= 1);
        shows(&alone)?;
        let at_rest = alone.pass();
        prop_assert!(at_rest.sent.is_empty());
        prop_assert_eq!(at_rest.verdict.reason, Some(Reason::Synced));
    }

    #[test]
    fn i02_one_change_one_write(profile in profiles(), declared in specs(), silent in any::<bool>()) {
        let mut alone = Alone::new(&profile, declared.clone());
        alone.server(|server| server.silent = silent);
        prop_assert_eq!(alone.pass().sent.len(), 1);
        let mut changed = declared;
        changed.attributes.title = Some("Countess".into());
        alone.declare(changed);
        let sent = alone.pass().sent;
        prop_assert_eq!(sent.len(), 1);
        prop_assert_eq!(&sent[0].attributes, &vec![Path::core("title")]);
        prop_assert!(alone.pass().sent.is_empty());
    }

    /// What the last sweep saw suffices, where the write says only what it changes.
    #[test]
    fn i02_nothing_is_read_before_a_patch(profile in profiles(), declared in specs()) {
        let mut alone = Alone::converged(&profile, declared.clone());
        let mut changed = declared;
        changed.attributes.title = Some("Countess".into());
        alone.declare(changed);
        let seen = Account::Found { resource: Resource(alone.shown()), fresh: false };
        let reads = matches!(alone.decide(|facts| facts.account = seen), Step::Read(_));
        prop_assert_eq!(reads, profile.write_users == WriteMethod::Put);
    }

    #[test]
    fn i03_what_was_never_declared_is_never_touched(profile in profiles(), first in specs(), second in specs()) {
        let mut alone = Alone::converged(&profile, first);
        let extra = json!({"value": "x@vendor.example", "type": "vendor", "display": "X"});
        alone.meddle(|account| {
            account.insert("timezone".into(), json!("Europe/London"));
            account.insert("urn:other:User".into(), json!({"x": 1}));
            for list in ["emails", "phoneNumbers", "addresses"] {
                let list = account.entry(list).or_insert_with(|| json!([])).as_array_mut().unwrap();
                list.insert(0, extra.clone());
            }
        });
        alone.declare(second);
        alone.pass();
        alone.pass();
        shows(&alone)?;
        let shown = alone.shown();
        prop_assert_eq!(&shown["timezone"], "Europe/London");
        prop_assert_eq!(&shown["urn:other:User"], &json!({"x": 1}));
        for list in ["emails", "phoneNumbers", "addresses"] {
            prop_assert!(shown[list].as_array().unwrap().contains(&extra), "{list}: {shown:?}");
        }
    }

    #[test]
    fn i03_what_was_dropped_is_removed(profile in profiles(), first in specs(), second in specs()) {
        let mut alone = Alone::converged(&profile, first);
        alone.declare(second);
        alone.pass();
        alone.pass();
        for list in ["emails", "phoneNumbers", "addresses", "roles"] {
            prop_assert_eq!(count(&alone, list), declared_count(&alone.spec(), list), "{}: {:?}", list, alone.shown());
        }
        let bare = spec(json!({"connectionRef": {"name": "c"}, "userName": "ada"}));
        alone.declare(bare);
        alone.pass();
        let left: Map<String, Value> = alone.shown();
        let empty = |value: &Value| value.as_str() == Some("") || crate::plan::path::is_empty(value);
        for (name, value) in left {
            let gone = empty(&value) || value.as_object().is_some_and(|map| map.values().all(empty));
            prop_assert!(gone || ["id", "userName", "active"].contains(&name.as_str()), "{name}: {value}");
        }
        prop_assert!(alone.pass().sent.is_empty());
    }

    #[test]
    fn i04_what_isnt_kept_is_not_written_again(
        profile in profiles(), declared in specs(), silent in any::<bool>(), adopted in any::<bool>(),
    ) {
        let mut declared = declared;
        declared.attributes.nick_name = Some("Ada".into());
        let mut alone = Alone::new(&profile, declared.clone());
        alone.server(|server| (server.silent, server.drops) = (silent, vec!["nickName"]));
        if adopted {
            alone.holds(&json!({"id": "id-0", "userName": "ada"}));
        }
        let first = alone.pass();
        prop_assert_eq!(first.sent.len(), 1);
        prop_assert_eq!(first.verdict.reason, Some(Reason::NotPersisted));
        for _ in 0..3 {
            let quiet = alone.pass();
            prop_assert!(quiet.sent.is_empty());
            prop_assert_eq!(quiet.verdict.reason, Some(Reason::NotPersisted));
        }
        declared.attributes.nick_name = Some("Countess".into());
        alone.declare(declared);
        prop_assert_eq!(alone.pass().sent.len(), 1);
        prop_assert!(alone.pass().sent.is_empty());
    }

    #[test]
    fn i05_letter_case_is_never_written(profile in profiles(), declared in specs()) {
        let mut alone = Alone::converged(&profile, declared);
        alone.meddle(|account| {
            account.insert("userName".into(), json!("ADA"));
            for list in ["emails", "phoneNumbers", "addresses"] {
                for entry in account.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                    let upper = |value: &Value| value.as_str().map(str::to_uppercase);
                    for name in ["type", "value"] {
                        if let Some(text) = entry.get(name).and_then(upper) {
                            entry[name] = Value::from(text);
                        }
                    }
                }
            }
        });
        alone.touch();
        prop_assert!(alone.pass().sent.is_empty());
    }

    #[test]
    fn i09_drift_is_reported_or_repaired(profile in profiles(), declared in specs(), repair in any::<bool>()) {
        let mut declared = declared;
        declared.attributes.title = Some("Countess".into());
        let mut alone = Alone::converged(&profile, declared);
        alone.repairs(repair);
        alone.meddle(|account| _ = account.insert("title".into(), json!("Baroness")));
        let outcome = alone.pass();
        prop_assert_eq!(outcome.sent.len(), usize::from(repair));
        prop_assert_eq!(&alone.shown()["title"], if repair { "Countess" } else { "Baroness" });
        if !repair {
            prop_assert_eq!(outcome.verdict.reason, Some(Reason::Drifted));
            prop_assert_eq!(outcome.verdict.details.drift, vec![Path::core("title")]);
            alone.request();
            prop_assert_eq!(alone.pass().sent.len(), 1);
        }
        prop_assert_eq!(alone.pass().verdict.reason, Some(Reason::Synced));
    }
}
