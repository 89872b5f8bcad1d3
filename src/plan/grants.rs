//! Roles and entitlements that are declared by name: the server's ids for them, as far as it shows any.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::change::{Change, Differences};
use super::path::Path;
use crate::api::{Grant, ScimUserSpec};
use crate::scim::{Resource, fold};

/// The lists whose entries have names.
pub const GRANT_LISTS: [&str; 2] = ["roles", "entitlements"];

/// So many names of a list are kept; no service has as many roles.
const MOST_NAMES: usize = 10_000;

/// The ids behind the names, by list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    ids: BTreeMap<&'static str, BTreeMap<String, BTreeSet<String>>>,
}

/// A declared name that stands for no id, or for several: its list is left as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlisted {
    /// The list.
    pub list: &'static str,
    /// The name.
    pub name: String,
}

impl Grants {
    /// The server shows this name for this id.
    pub fn add(&mut self, list: &'static str, id: &str, name: &str) {
        let names = self.ids.entry(list).or_default();
        if names.len() < MOST_NAMES {
            names.entry(fold(name)).or_default().insert(id.to_owned());
        }
    }

    /// Takes in the names that an account shows.
    pub fn add_from(&mut self, account: &Resource) {
        for list in GRANT_LISTS {
            for one in account.get(list).and_then(Value::as_array).into_iter().flatten() {
                let text = |name: &str| one.get(name).and_then(Value::as_str);
                // Bare values are their own names.
                if let (Some(id), Some(name)) = (text("value").or(one.as_str()), text("display").or(one.as_str())) {
                    self.add(list, id, name);
                }
            }
        }
    }

    /// The spec with ids in place of names, and the names that stand for none; `None` where no name needs an id.
    pub fn resolve(&self, spec: &ScimUserSpec) -> Option<(ScimUserSpec, Vec<Unlisted>)> {
        let named = |list: &Option<Vec<Grant>>| list.iter().flatten().any(|grant| grant.value.is_none());
        let needed =
            |attributes: &crate::api::UserAttributes| named(&attributes.roles) || named(&attributes.entitlements);
        if !needed(&spec.attributes) && !spec.on_create.as_deref().is_some_and(needed) {
            return None;
        }
        let mut resolved = spec.clone();
        let mut unlisted = Vec::new();
        for attributes in std::iter::once(&mut resolved.attributes).chain(resolved.on_create.as_deref_mut()) {
            self.fill("roles", &mut attributes.roles, &mut unlisted);
            self.fill("entitlements", &mut attributes.entitlements, &mut unlisted);
        }
        Some((resolved, unlisted))
    }

    /// The ids of a list; the whole list is left out while one name of it stands for none.
    fn fill(&self, list: &'static str, grants: &mut Option<Vec<Grant>>, unlisted: &mut Vec<Unlisted>) {
        let before = unlisted.len();
        for grant in grants.iter_mut().flatten().filter(|grant| grant.value.is_none()) {
            let Some(name) = grant.display.take() else { continue };
            let ids = self.ids.get(list).and_then(|names| names.get(&fold(&name)));
            match ids.filter(|ids| ids.len() == 1).and_then(BTreeSet::first) {
                Some(id) => grant.value = Some(id.clone()),
                None => unlisted.push(Unlisted { list, name }),
            }
        }
        if unlisted.len() > before {
            *grants = None;
        }
    }
}

/// Whether a change takes a role or an entitlement away that the account has; giving one does not.
pub fn takes_away(path: &Path, change: &Change, observed: &Resource) -> bool {
    let id = |one: &Value| one.get("value").unwrap_or(one).as_str().map(str::to_owned);
    let mut shown = path.read(observed).and_then(Value::as_array).into_iter().flatten().filter_map(id);
    match change {
        Change::Remove => shown.next().is_some(),
        Change::Set(list) => {
            let kept: BTreeSet<String> = list.as_array().into_iter().flatten().filter_map(id).collect();
            shown.any(|one| !kept.contains(&one))
        }
    }
}

/// The declared roles and entitlements that an account doesn't show, by what they are called in the spec.
pub fn dropped(path: &Path, declared: &Value, observed: &Resource) -> Vec<String> {
    let text = |one: &Value, name: &str| one.get(name).and_then(Value::as_str).map(str::to_owned);
    let id = |one: &Value| text(one, "value").or(one.as_str().map(str::to_owned));
    let shown: BTreeSet<String> =
        path.read(observed).and_then(Value::as_array).into_iter().flatten().filter_map(id).collect();
    let lost = declared.as_array().into_iter().flatten().filter(|one| id(one).is_some_and(|id| !shown.contains(&id)));
    lost.filter_map(|one| text(one, "display").or(id(one))).collect()
}

/// The lists that are to be left as they are.
pub(super) fn left(unlisted: &[Unlisted]) -> BTreeSet<Path> {
    unlisted.iter().map(|one| Path::core(one.list)).collect()
}

/// Whether the differences take a name, an address or a right from somebody.
pub(super) fn rewrites_identity(differences: &Differences, observed: &Resource) -> bool {
    differences.iter().any(|(path, change)| match path.name() {
        "userName" => true,
        // An address more takes none away.
        "emails" => matches!(change, Change::Remove) || path.read(observed).is_some(),
        "roles" | "entitlements" => takes_away(path, change, observed),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn account(roles: &Value) -> Resource {
        Resource(json!({"id": "1", "roles": roles}).as_object().cloned().unwrap_or_default())
    }

    fn spec(roles: &Value) -> ScimUserSpec {
        let spec = json!({"connectionRef": {"name": "any"}, "userName": "ada", "roles": roles});
        serde_json::from_value(spec).expect("a spec")
    }

    #[test]
    fn i13_an_address_more_takes_none_from_anybody() {
        let emails = json!({"id": "1", "emails": [{"value": "a@example.com", "type": "work"}]});
        let shown = Resource(emails.as_object().cloned().unwrap_or_default());
        let rewrites = |path: &str, change: Change| {
            rewrites_identity(&Differences::from_iter([(Path::parse(path), change)]), &shown)
        };
        let set = |kind: &str| Change::Set(json!({"value": "b@example.com", "type": kind}));
        assert!(!rewrites("emails[type eq \"home\"]", set("home")));
        assert!(rewrites("emails[type eq \"work\"]", set("work")));
        assert!(rewrites("emails[type eq \"work\"]", Change::Remove));
    }

    #[test]
    fn names_become_the_ids_that_accounts_show_for_them() {
        let mut grants = Grants::default();
        grants.add_from(&account(&json!([{"value": "r-1", "display": "Admin"}, "reader"])));
        let (resolved, unlisted) =
            grants.resolve(&spec(&json!([{"display": "admin"}, {"display": "reader"}]))).expect("names");
        let ids: Vec<_> = resolved.attributes.roles.iter().flatten().filter_map(|one| one.value.as_deref()).collect();
        assert_eq!((ids, unlisted), (vec!["r-1", "reader"], vec![]));
        assert_eq!(grants.resolve(&spec(&json!([{"value": "r-1", "display": "x"}]))), None, "an id needs no name");
    }

    #[test]
    fn a_name_of_nothing_or_of_several_leaves_its_list_alone() {
        let mut grants = Grants::default();
        grants.add("roles", "r-1", "Admin");
        grants.add("roles", "r-2", "ADMIN");
        grants.add("roles", "r-3", "Reader");
        let (resolved, unlisted) =
            grants.resolve(&spec(&json!([{"display": "Reader"}, {"display": "Admin"}]))).expect("names");
        assert_eq!(resolved.attributes.roles, None);
        assert_eq!(unlisted, [Unlisted { list: "roles", name: "Admin".into() }]);
    }

    #[test]
    fn only_what_is_taken_away_counts() {
        let (path, shown) = (Path::core("roles"), account(&json!([{"value": "a"}, {"value": "b", "display": "B"}])));
        let set = |list: Value| takes_away(&path, &Change::Set(list), &shown);
        assert!(!set(json!([{"value": "a"}, {"value": "b"}, {"value": "c"}])));
        assert!(set(json!([{"value": "b"}, {"value": "c"}])));
        assert!(takes_away(&path, &Change::Remove, &shown));
        assert!(!takes_away(&path, &Change::Remove, &account(&json!([]))));
        assert_eq!(dropped(&path, &json!([{"value": "c", "display": "C"}, {"value": "a"}]), &shown), ["C"]);
    }
}
