//! The account of a person beside the manifest, attribute by attribute, as the operator compares them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use maud::{Markup, html};
use scim_operator::api::{IgnoredReason, ScimUser};
use scim_operator::plan::{
    Account as Known, Change, Claims, Comparison, Creations, Delegated, Facts, Grants, Object, Outlook, Path, Split,
    Tried, compared,
};
use serde_json::Value;

use super::account::Account;
use super::page::{foreign, state_class};
use super::values::text;
use crate::objects::full_name;

/// One attribute on both sides.
#[derive(Debug, PartialEq)]
struct Line {
    path: String,
    declared: Option<Value>,
    shown: Option<Value>,
    follows: Follows,
}

/// What follows from an attribute, the most pressing first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Follows {
    Written,
    Removed,
    Drift,
    Left(Why),
    Reworded,
    Settled,
    Foreign,
    Hidden,
}

impl Follows {
    fn words(self) -> &'static str {
        match self {
            Self::Written => "to be written",
            Self::Removed => "to be removed",
            Self::Drift => "changed at the server, and left so by driftPolicy",
            Self::Left(reason) => reason.words(),
            Self::Reworded => "as declared, in the server's own form",
            Self::Settled => "as declared",
            Self::Foreign => "only at the server",
            Self::Hidden => "not to be told: the server hides it",
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Written | Self::Removed => "warning",
            Self::Drift => "bad",
            Self::Settled | Self::Reworded => state_class("Synced"),
            Self::Left(_) | Self::Foreign | Self::Hidden => "calm",
        }
    }
}

/// Why something isn't written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Why {
    Rejected,
    Contested,
    Unsupported,
    NotPersisted,
    Reworded,
    Named,
}

impl Why {
    fn of(reason: IgnoredReason) -> Self {
        match reason {
            IgnoredReason::Rejected => Self::Rejected,
            IgnoredReason::Contested => Self::Contested,
            IgnoredReason::Unsupported => Self::Unsupported,
            IgnoredReason::NotPersisted => Self::NotPersisted,
            IgnoredReason::Reworded => Self::Reworded,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Rejected => "not written: the server refuses it",
            Self::Contested => "not written: a second writer keeps changing it",
            Self::Unsupported => "not written: the server has no place for it",
            Self::NotPersisted => "not written: the server doesn't keep it",
            Self::Reworded => "as declared, in the server's own form",
            Self::Named => "not compared: declared by a name that this account doesn't show",
        }
    }
}

/// What the operator's own planner makes of both, by what is known here.
fn comparison(user: &ScimUser, account: &Account, now: Timestamp) -> Option<Comparison> {
    let status = user.status.clone().unwrap_or_default();
    let mut grants = Grants::default();
    grants.add_from(&account.shown);
    let (resolved, unlisted) =
        grants.resolve(&user.spec).map_or((None, Vec::new()), |(spec, unlisted)| (Some(spec), unlisted));
    let nothing = BTreeSet::new();
    compared(&Facts {
        object: Object {
            full_name: &full_name(user),
            spec: resolved.as_ref().unwrap_or(&user.spec),
            status: &status,
            generation: user.metadata.generation.unwrap_or_default(),
            created: None,
            deleting: user.metadata.deletion_timestamp.is_some(),
            has_finalizer: true,
            claimed: None,
            release: false,
            remote_id: None,
            requested: false,
        },
        policy: &account.policy,
        account: Known::Found { resource: account.shown.clone(), fresh: true },
        not_allowed: None,
        delegated: Delegated::Whole,
        claims: Claims::default(),
        creations: Creations::default(),
        elsewhere: None,
        manager: account.manager.clone(),
        unlisted: &unlisted,
        written: &nothing,
        before: None,
        split: &Split::default(),
        tried: &Tried::default(),
        contested: &nothing,
        now,
        clock_trusted: true,
    })
}

/// Every attribute that is declared or shown, those that differ first.
fn lines(user: &ScimUser, found: &Comparison) -> Vec<Line> {
    let (declared, shown) = (&found.declared, &found.shown);
    let mut lines: BTreeMap<Path, Line> = BTreeMap::new();
    let line = |path: &Path, value: Option<&Value>, follows| Line {
        path: path.to_string(),
        declared: value.cloned(),
        shown: path.read(shown).cloned(),
        follows,
    };
    let settled = if found.is_hidden { Follows::Hidden } else { Follows::Settled };
    for (path, value) in &declared.attributes {
        lines.insert(path.clone(), line(path, Some(value), settled));
    }
    for path in &declared.unsupported {
        let by_name = matches!(path.name(), "roles" | "entitlements");
        let why = if by_name { Why::Named } else { Why::Unsupported };
        let value = by_name.then(|| named(user, path.name())).flatten();
        lines.insert(path.clone(), line(path, value.as_ref(), Follows::Left(why)));
    }
    for (path, (change, outlook)) in &found.differences {
        let value = match change {
            Change::Set(value) => Some(value),
            Change::Remove => None,
        };
        let follows = match outlook {
            Outlook::Owed if value.is_none() => Follows::Removed,
            Outlook::Owed => Follows::Written,
            Outlook::Drift => Follows::Drift,
            Outlook::Left(reason) => Follows::Left(Why::of(*reason)),
            Outlook::Reworded => Follows::Reworded,
        };
        lines.insert(path.clone(), line(path, value, follows));
    }
    let own = Path::all_in(shown).into_iter().filter(|path| {
        !matches!(path.name(), "schemas" | "meta" | "id" | "active")
            && !matches!(path, Path::Entry { value: Some(_), .. })
    });
    for path in own {
        let found = line(&path, None, Follows::Foreign);
        lines.entry(path).or_insert(found);
    }
    let mut lines: Vec<Line> = lines.into_values().collect();
    let (active, follows) =
        (declared.active.map(Value::Bool), if found.active_is_owed { Follows::Written } else { Follows::Settled });
    lines.push(Line { path: "active".to_owned(), declared: active, shown: shown.get("active").cloned(), follows });
    // What is owed comes first; the order within stays.
    lines.sort_by_key(|line| line.follows);
    lines
}

/// A list that is declared by names.
fn named(user: &ScimUser, list: &str) -> Option<Value> {
    let attributes = serde_json::to_value(&user.spec.attributes).ok()?;
    attributes.get(list).cloned()
}

/// The account beside the manifest.
pub fn beside(user: &ScimUser, account: &Account, now: Timestamp) -> Markup {
    let Some(found) = comparison(user, account, now) else {
        return html! { section #server data-still { p { "The account can't be compared." } } };
    };
    let owed = found.owed();
    html! {
        section #server data-still {
            h2 { "At the server" }
            p role="status" {
                "Read just now. "
                @if owed > 0 { (owed) @if owed == 1 { " attribute is" } @else { " attributes are" } " owed." }
                @else if found.is_hidden { "The server hides what inactive accounts have, so nothing more can be told." }
                @else { "Nothing is owed." }
                @if user.spec.suspend && owed > 0 { " Nothing is written while it is suspended." }
            }
            h2 { "Attribute by attribute" }
            div.wide role="region" aria-label="Attribute by attribute" tabindex="0" {
                table {
                    thead { tr { th { "Attribute" } th { "Declared" } th { "At the server" } th { "What follows" } } }
                    tbody {
                        @for line in lines(user, &found) {
                            tr {
                                td { (foreign(&line.path)) }
                                td { (foreign(&text(line.declared.as_ref()))) }
                                td { (foreign(&text(line.shown.as_ref()))) }
                                td { span.state.(line.follows.class()) { (line.follows.words()) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scim_operator::api::ScimConnection;
    use scim_operator::plan::{Manager, Policy};
    use scim_operator::provisioner::{policy_of, recorded_profile};
    use scim_operator::scim::{Form, Resource};
    use serde_json::json;
    use sha2::{Digest as _, Sha256};

    /// As status remembers that the server doesn't keep what was sent.
    fn digest(sent: &str) -> String {
        let mut hash = Sha256::new();
        hash.update(format!("{sent:?}"));
        hash.update([0]);
        hash.finalize().iter().take(8).fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
    }

    fn user(spec: &Value) -> ScimUser {
        let mut all = json!({"connectionRef": {"name": "datadog"}, "userName": "Ada@example.com", "title": "Countess", "active": true,
            "nickName": "A.", "emails": [{"type": "work", "value": "ada@example.com"}]});
        all.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        serde_json::from_value(json!({
            "metadata": {"name": "ada", "namespace": "identity", "generation": 1},
            "spec": all,
            "status": {"id": "7", "observedGeneration": 1, "active": true, "lastAppliedActive": false,
                "managedAttributes": ["title", "displayName", "emails[type eq \"work\"]"],
                "ignoredAttributes": [{"path": "nickName", "reason": "NotPersisted", "digest": digest("A.")}]},
        }))
        .unwrap()
    }

    fn account(shown: &Value, provider: &str) -> Account {
        let connection: ScimConnection =
            serde_json::from_value(json!({"metadata": {"name": "datadog", "namespace": "identity"},
            "spec": {"baseUrl": "https://scim.example.com", "auth": {}, "provider": provider}}))
            .unwrap();
        let shown = Resource(shown.as_object().cloned().unwrap());
        let policy = Policy { profile: recorded_profile(&connection), ..policy_of(&connection) };
        Account { shown, policy, manager: Manager::None }
    }

    fn now() -> Timestamp {
        "2026-11-28T12:00:00Z".parse().unwrap()
    }

    fn told(user: &ScimUser, account: &Account) -> Vec<(String, &'static str)> {
        let found = comparison(user, account, now()).unwrap();
        lines(user, &found).into_iter().map(|line| (line.path, line.follows.words())).collect()
    }

    #[test]
    fn i05_each_attribute_is_shown_on_both_sides_with_what_is_owed_first() {
        let account = account(
            &json!({"id": "7", "userName": "ada@example.com", "title": "<b>Engineer", "displayName": "Ada",
                "emails": [{"type": "Work", "value": "ada@example.com"}], "active": false, "locale": "en", "schemas": []}),
            "Generic",
        );
        let user = user(&json!({}));
        let told = told(&user, &account);
        for expected in [
            ("title", "to be written"),
            ("displayName", "to be removed"),
            ("active", "to be written"),
            ("nickName", "not written: the server doesn't keep it"),
            ("userName", "as declared"),
            ("emails[type eq \"work\"]", "as declared"),
            ("locale", "only at the server"),
        ] {
            assert!(told.contains(&(expected.0.to_owned(), expected.1)), "{expected:?}: {told:?}");
        }
        assert_eq!(told.len(), 7, "each once: {told:?}");
        let settled = told.iter().position(|(_, follows)| *follows == "as declared").unwrap();
        assert!(told[settled..].iter().all(|(_, follows)| !follows.starts_with("to be")), "{told:?}");
        let page = beside(&user, &account, now()).into_string();
        assert!(page.contains("3 attributes are owed") && page.contains("&lt;b&gt;Engineer"), "{page}");
    }

    /// The page of somebody who is Synced doesn't contradict the steps on it.
    #[test]
    fn i05_what_a_server_keeps_in_its_own_form_is_not_told_to_be_owed() {
        let user = user(&json!({"nickName": null}));
        let untyped = json!({"id": "7", "userName": "ada@example.com", "title": "Countess", "active": true,
            "emails": [{"value": "ada@example.com"}]});
        let page = beside(&user, &account(&untyped, "Generic"), now()).into_string();
        assert!(page.contains("Nothing is owed.") && !page.contains("only at the server"), "{page}");

        let capitals = json!({"id": "7", "userName": "ada@example.com", "title": "COUNTESS", "active": true,
            "emails": [{"type": "work", "value": "ada@example.com"}]});
        let mut learnt = account(&capitals, "Generic");
        assert!(beside(&user, &learnt, now()).into_string().contains("1 attribute is owed"), "nothing is known of it");
        learnt.policy.profile.forms.push(("title".into(), Form::UpperCase));
        assert!(beside(&user, &learnt, now()).into_string().contains("Nothing is owed."));
        assert!(told(&user, &learnt).contains(&("title".to_owned(), "as declared, in the server's own form")));

        let mut leaver = user.clone();
        leaver.spec.active = Some(false);
        let obfuscated =
            json!({"id": "7", "userName": "f00d", "active": false, "emails": [{"type": "work", "value": "f00d"}]});
        let page = beside(&leaver, &account(&obfuscated, "GitHub"), now()).into_string();
        assert!(page.contains("The server hides") && !page.contains("to be written"), "{page}");
    }

    #[test]
    fn i05_what_others_changed_and_the_policy_leaves_is_drift_and_not_owed() {
        let mut drifted = user(&json!({"nickName": null}));
        let shown = json!({"id": "7", "userName": "ada@example.com", "title": "Engineer", "active": true,
            "emails": [{"type": "work", "value": "ada@example.com"}]});
        let mut account = account(&shown, "Generic");
        account.policy.repair.attributes = false;
        let declared = scim_operator::plan::Declared::new(&drifted.spec, None, &account.policy.profile, now());
        let mut applied = scim_operator::plan::Applied::default();
        for (path, value) in &declared.attributes {
            applied.set(&path.to_string(), Some(value));
        }
        drifted.status.as_mut().unwrap().applied_attributes = Some(applied.text());
        let found = told(&drifted, &account);
        assert!(found.contains(&("title".to_owned(), Follows::Drift.words())), "{found:?}");
    }

    #[test]
    fn roles_by_a_name_that_nobody_knows_here_are_not_judged() {
        let user = user(&json!({"nickName": null, "roles": [{"display": "Admin"}]}));
        let shown = json!({"id": "7", "userName": "ada@example.com", "title": "Countess", "active": true,
            "emails": [{"type": "work", "value": "ada@example.com"}]});
        let account = account(&shown, "Generic");
        let found = told(&user, &account);
        assert!(
            found.iter().any(|(path, follows)| path == "roles" && follows.starts_with("not compared")),
            "{found:?}"
        );
        assert!(beside(&user, &account, now()).into_string().contains("Nothing is owed."));
    }
}
