//! What a namespace may do through a cluster connection (promise I26).

use super::path::{ENTERPRISE, Path};
use super::protect::Glob;
use crate::api::{Delegation, Grant, ScimUserSpec, UserAttributes};
use crate::scim::Resource;

/// How far an object's namespace may use its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delegated {
    /// A connection of its own.
    Whole,
    /// No entry of the connection's delegation selects the namespace.
    Nothing,
    /// What the entries that select it allow together.
    Within(Allowed),
}

/// What is allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    user_names: Vec<Glob>,
    emails: Vec<Glob>,
    groups: Vec<Glob>,
    roles: Vec<Glob>,
    entitlements: Vec<Glob>,
    trusted: bool,
}

impl Delegated {
    /// What these entries allow together.
    pub fn by<'a>(entries: impl IntoIterator<Item = &'a Delegation>) -> Self {
        let mut allowed: Option<Allowed> = None;
        let globs = |patterns: &[String]| patterns.iter().map(Glob::new).collect::<Vec<_>>();
        for entry in entries {
            let allowed = allowed.get_or_insert_default();
            allowed.user_names.extend(globs(&entry.user_names));
            allowed.emails.extend(globs(entry.emails.as_ref().unwrap_or(&entry.user_names)));
            allowed.groups.extend(globs(&entry.groups));
            allowed.roles.extend(globs(&entry.roles));
            allowed.entitlements.extend(globs(&entry.entitlements));
            allowed.trusted |= entry.trusted;
        }
        allowed.map_or(Self::Nothing, Self::Within)
    }

    /// Why the object may not be served as it is declared.
    pub fn refuses(&self, spec: &ScimUserSpec, remote_id: Option<&str>) -> Option<String> {
        let allowed = match self.allowed()? {
            Ok(allowed) => allowed,
            Err(why) => return Some(why),
        };
        outside(&allowed.user_names, "userName", [spec.user_name.as_str()])
            .or_else(|| untrusted(allowed, "the annotation remote-id", remote_id.is_some()))
            .or_else(|| allowed.refuse_attributes(&spec.attributes))
            .or_else(|| allowed.refuse_attributes(spec.on_create.as_ref()?))
            .or_else(|| {
                let of_extensions = |path: &String| path.starts_with("urn:") && !path.starts_with(ENTERPRISE);
                untrusted(allowed, "attributes of extensions", spec.clear.iter().flatten().any(of_extensions))
            })
    }

    /// Why the account that was found may not become, or stay, the object's: it has to lie within the delegation, too.
    pub fn refuses_account(&self, account: &Resource) -> Option<String> {
        self.refuses_identity(account.user_name(), account.emails())
    }

    /// The same by what it is known by.
    pub fn refuses_identity<'a>(
        &self,
        user_name: Option<&'a str>,
        emails: impl IntoIterator<Item = &'a str>,
    ) -> Option<String> {
        let allowed = match self.allowed()? {
            Ok(allowed) => allowed,
            Err(why) => return Some(why),
        };
        outside(&allowed.user_names, "userName", user_name)
            .or_else(|| outside(&allowed.emails, "e-mail", emails))
            .map(|_| {
                "the account that was found has a userName or an e-mail outside of what the cluster connection delegates to this \
                 namespace, and is left alone"
                    .to_owned()
            })
    }

    /// The namespace may declare some value of this attribute, and so may have brought in what is there.
    pub fn may_own(&self, path: &Path) -> bool {
        let allowed = match self {
            Self::Whole => return true,
            Self::Nothing => return false,
            Self::Within(allowed) => allowed,
        };
        match path {
            Path::Attribute { schema: Some(schema), .. } => allowed.trusted || schema == ENTERPRISE,
            path => match path.name() {
                "roles" => !allowed.roles.is_empty(),
                "entitlements" => !allowed.entitlements.is_empty(),
                _ => true,
            },
        }
    }

    /// Patterns bound whom the namespace may have in its groups; ids of the server's own can't be.
    pub fn is_bounded(&self) -> bool {
        match self {
            Self::Whole => false,
            Self::Nothing => true,
            Self::Within(allowed) => !allowed.trusted,
        }
    }

    /// Why a group of this name, with these members by userName, may not be served; `raw` where it names ids.
    pub fn refuses_group<'a>(
        &self,
        display_name: &'a str,
        user_names: impl IntoIterator<Item = &'a str>,
        raw: bool,
    ) -> Option<String> {
        let allowed = match self.allowed()? {
            Ok(allowed) => allowed,
            Err(why) => return Some(why),
        };
        outside(&allowed.groups, "group", [display_name])
            .or_else(|| outside(&allowed.user_names, "member", user_names))
            .or_else(|| untrusted(allowed, "an id of the server's", raw))
    }

    fn allowed(&self) -> Option<Result<&Allowed, String>> {
        match self {
            Self::Whole => None,
            Self::Nothing => Some(Err(
                "no entry of the cluster connection's spec.delegation selects this namespace; ask whoever keeps the connection, \
                 or refer to a ScimConnection of this namespace"
                    .to_owned(),
            )),
            Self::Within(allowed) => Some(Ok(allowed)),
        }
    }
}

impl Allowed {
    fn refuse_attributes(&self, attributes: &UserAttributes) -> Option<String> {
        let emails = attributes.emails.iter().flatten().map(|email| email.value.as_str());
        let manager = attributes.enterprise.as_ref().and_then(|enterprise| enterprise.manager.as_ref());
        let raw_manager = manager.is_some_and(|manager| manager.value.is_some());
        outside(&self.emails, "e-mail", emails)
            .or_else(|| outside(&self.roles, "role", granted(attributes.roles.as_ref())))
            .or_else(|| outside(&self.entitlements, "entitlement", granted(attributes.entitlements.as_ref())))
            .or_else(|| untrusted(self, "manager.value", raw_manager))
            .or_else(|| untrusted(self, "attributes of extensions", attributes.extensions.is_some()))
    }
}

/// What each grant is named by: its id, or, where it has none, its name.
fn granted(grants: Option<&Vec<Grant>>) -> impl Iterator<Item = &str> {
    grants.into_iter().flatten().filter_map(|grant| grant.value.as_deref().or(grant.display.as_deref()))
}

fn outside<'a>(allowed: &[Glob], what: &str, values: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let value = values.into_iter().find(|value| !allowed.iter().any(|glob| glob.matches(value)))?;
    Some(format!(
        "the cluster connection's spec.delegation doesn't allow this namespace the {what} {value:?}; ask whoever keeps the \
         connection to allow it, or declare another"
    ))
}

fn untrusted(allowed: &Allowed, what: &str, written: bool) -> Option<String> {
    (written && !allowed.trusted).then(|| {
        format!(
            "{what} can only be written where the cluster connection's spec.delegation says trusted: true for this namespace; \
             leave it out"
        )
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn within(user_names: &[&str], emails: Option<&[&str]>) -> Delegated {
        let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        Delegated::by([&Delegation {
            user_names: owned(user_names),
            emails: emails.map(owned),
            ..Delegation::default()
        }])
    }

    fn spec(text: serde_json::Value) -> ScimUserSpec {
        serde_json::from_value(text).expect("a spec")
    }

    proptest! {
        #[test]
        fn i26_nothing_outside_is_allowed_by_any_field(
            name in "[a-z]{1,6}", domain in prop::sample::select(vec!["eng.example.com", "sales.example.com"]),
            field in 0_usize..8,
        ) {
            let delegated = within(&["*@eng.example.com"], None);
            let inside = format!("{name}@eng.example.com");
            let tried = format!("{name}@{domain}");
            let mut declared = json!({"connectionRef": {"name": "c"}, "userName": inside});
            match field {
                0 => declared["userName"] = json!(tried),
                1 => declared["emails"] = json!([{"value": inside}, {"value": tried}]),
                2 => declared["roles"] = json!([{"value": "admin"}]),
                3 => declared["entitlements"] = json!([{"value": "admin"}]),
                4 => declared["onCreate"] = json!({"roles": [{"display": "Admin"}]}),
                5 => declared["onCreate"] = json!({"emails": [{"value": "ceo@example.com"}]}),
                6 => declared["enterprise"] = json!({"manager": {"value": "id-1"}}),
                _ => declared["extensions"] = json!({"urn:x": {"a": "b"}}),
            }
            let harmless = field < 2 && domain == "eng.example.com";
            prop_assert_eq!(delegated.refuses(&spec(declared), None).is_none(), harmless);
            let found = Resource(json!({"userName": inside, "emails": [{"value": tried}]}).as_object().cloned().unwrap_or_default());
            prop_assert_eq!(delegated.refuses_account(&found).is_none(), domain == "eng.example.com");
        }
    }

    #[test]
    fn i26_a_namespace_that_no_entry_selects_may_do_nothing() {
        let declared = spec(json!({"connectionRef": {"name": "c"}, "userName": "ada"}));
        assert!(Delegated::by([]).refuses(&declared, None).is_some());
        assert!(within(&[], None).refuses(&declared, None).is_some(), "an empty list allows nothing");
        assert_eq!(Delegated::Whole.refuses(&declared, Some("id-1")), None);
        assert!(within(&["ada"], None).refuses(&declared, Some("id-1")).is_some(), "raw ids need trust");
    }
}
