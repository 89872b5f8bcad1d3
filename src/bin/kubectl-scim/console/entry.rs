//! A user or a group as the console keeps it: a row, and what a search looks through.

use kube::ResourceExt as _;
use scim_operator::api::{ROSTER_LABEL, ScimGroup, ScimUser};

use super::folded::searched;
use super::membership::{self, Membership};
use crate::objects::Object;

/// A user or a group.
#[derive(Debug, Default)]
pub struct Entry {
    pub object: Object,
    /// What a search looks through, as searches compare it.
    pub text: Box<str>,
    /// The roster that it is of.
    pub roster: Option<Roster>,
    /// Its labels, a line each: `key=value`.
    pub labels: Box<str>,
    /// The groups at the server that the account is recorded as put into, a line each.
    pub recorded: Box<str>,
    /// The members of a group: declared, present, waiting.
    pub members: Option<(i64, i64, i64)>,
    /// Who is in it, of a group.
    pub membership: Option<Box<Membership>>,
}

/// The roster of a user.
#[derive(Debug)]
pub struct Roster {
    pub name: Box<str>,
    /// The user's own uid, by which the roster's hold names it.
    pub uid: Box<str>,
}

impl From<ScimUser> for Entry {
    fn from(user: ScimUser) -> Self {
        let uid = user.uid().unwrap_or_default().into();
        let roster = user.labels().get(ROSTER_LABEL).map(|name| Roster { name: name.as_str().into(), uid });
        let labels = membership::labels(user.labels());
        let recorded = user.status.iter().flat_map(|status| &status.groups).flat_map(|groups| groups.keys());
        let recorded = recorded.map(String::as_str).collect::<Vec<_>>().join("\n").into();
        let names = names(&user);
        Self { roster, labels, recorded, ..Self::of(user.into(), &names) }
    }
}

impl From<ScimGroup> for Entry {
    fn from(group: ScimGroup) -> Self {
        let counted = group.status.as_ref().and_then(|status| status.members);
        let members = counted.map(|members| (members.declared, members.present, members.waiting));
        let membership = Some(Box::new(Membership::from(&group)));
        let names = group.spec.external_id.iter().cloned().collect::<Vec<_>>();
        Self { members, membership, ..Self::of(group.into(), &names) }
    }
}

/// What else people know somebody by.
fn names(user: &ScimUser) -> Vec<String> {
    let attributes = &user.spec.attributes;
    let named = attributes.name.iter().flat_map(|name| {
        // In the order in which it is spoken.
        let parts = [&name.given_name, &name.middle_name, &name.family_name].map(Option::as_deref);
        let spoken = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
        [Some(spoken), name.formatted.clone()].into_iter().flatten()
    });
    let employee = attributes.enterprise.as_ref().and_then(|enterprise| enterprise.employee_number.clone());
    let one = [attributes.display_name.clone(), attributes.nick_name.clone(), user.spec.external_id.clone(), employee];
    let emails = attributes.emails.iter().flatten().map(|email| email.value.clone());
    named.chain(one.into_iter().flatten()).chain(emails).collect()
}

impl Entry {
    fn of(object: Object, names: &[String]) -> Self {
        let id = object.id.as_deref().unwrap_or_default();
        let mut text = searched(&format!("{}\n{}\n{}\n{id}", object.called, object.namespace, object.name));
        for name in names {
            let name = searched(name);
            // An address is often the userName, a displayName the name: once is enough for a hundred thousand.
            if !text.contains(&name) {
                text.push('\n');
                text.push_str(&name);
            }
        }
        Self { object, text: text.into(), ..Self::default() }
    }

    /// It is recorded as put into this group at the server.
    pub fn is_recorded_in(&self, group: &str) -> bool {
        self.recorded.lines().any(|known| known == group)
    }
}

/// The connection of an object as its own name is shown: `namespace/name`, of a cluster connection the name alone.
pub fn connection_of(object: &Object) -> String {
    match object.connection.strip_prefix("cluster/") {
        Some(name) => name.to_owned(),
        None => format!("{}/{}", object.namespace, object.connection),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn somebody_is_found_by_whatever_people_know_them_by() {
        let user: ScimUser = serde_json::from_value(json!({
            "metadata": {"name": "u-7", "namespace": "identity"}, "status": {"id": "9b2f", "groups": {"g1": "9b2f"}},
            "spec": {"connectionRef": {"name": "datadog"}, "userName": "u7", "externalId": "HR-0042", "displayName": "Ada King",
                "name": {"givenName": "Augusta Ada", "familyName": "Lovelacé"}, "emails": [{"value": "Ada@Example.com"}],
                "enterprise": {"employeeNumber": "E99"}}}))
        .unwrap();
        let entry = Entry::from(user);
        for typed in ["u7", "u-7", "9b2f", "hr-0042", "ada king", "augusta ada lovelace", "ada@example.com", "e99"] {
            assert!(entry.text.contains(typed), "{typed}: {}", entry.text);
        }
        assert!(entry.is_recorded_in("g1") && !entry.is_recorded_in("g"));
    }
}
