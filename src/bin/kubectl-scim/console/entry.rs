//! A user or a group as the console keeps it: a row, and what a search looks through.

use kube::ResourceExt as _;
use scim_operator::api::{ROSTER_LABEL, RejectedHold, ScimGroup, ScimUser};
use scim_operator::roster::{Mark, mark};

use super::folded::searched;
use super::membership::{self, Membership};
use crate::commands::holds::{rejected, told_of_change};
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
    /// What of it is in rejected holds beside the one that its status has now.
    pub rejected: Box<[Object]>,
    /// The members of a group: declared, present, waiting.
    pub members: Option<(i64, i64, i64)>,
    /// Who is in it, of a group.
    pub membership: Option<Box<Membership>>,
}

/// The roster of a user.
#[derive(Debug)]
pub struct Roster {
    pub name: Box<str>,
    /// That of the user's own uid, by which the roster's hold names it.
    pub mark: Mark,
}

impl From<ScimUser> for Entry {
    fn from(mut user: ScimUser) -> Self {
        let of = user.labels().get(ROSTER_LABEL);
        let roster = of.map(|name| Roster { name: name.as_str().into(), mark: mark(&user.uid().unwrap_or_default()) });
        let labels = membership::labels(user.labels());
        let recorded = user.status.iter().flat_map(|status| &status.groups).flat_map(|groups| groups.keys());
        let recorded = recorded.map(String::as_str).collect::<Vec<_>>().join("\n").into();
        let (names, generation) = (names(&user), user.metadata.generation);
        let known = user.status.as_mut().and_then(|status| status.rejected_holds.take());
        let entry = Self { roster, labels, recorded, ..Self::of(listed(user.into()), &names) };
        entry.with_rejected(known, generation)
    }
}

impl From<ScimGroup> for Entry {
    fn from(mut group: ScimGroup) -> Self {
        let counted = group.status.as_ref().and_then(|status| status.members);
        let members = counted.map(|members| (members.declared, members.present, members.waiting));
        let membership = Some(Box::new(Membership::from(&group)));
        let names = group.spec.external_id.iter().cloned().collect::<Vec<_>>();
        let generation = group.metadata.generation;
        let known = group.status.as_mut().and_then(|status| status.rejected_holds.take());
        Self { members, membership, ..Self::of(group.into(), &names) }.with_rejected(known, generation)
    }
}

/// As much of a user as lists and holds show.
fn listed(object: Object) -> Object {
    let message = object.message.as_deref().and_then(told_of_change).map(str::to_owned);
    Object { message, drift: Vec::new(), ignored: Vec::new(), held_digest: None, ..object }
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

    fn with_rejected(mut self, known: Option<Vec<RejectedHold>>, generation: Option<i64>) -> Self {
        self.rejected = rejected::of_object(&self.object, &known.unwrap_or_default(), generation).into();
        self
    }

    /// As it is in a hold, if it is.
    pub fn held_by(&self, id: &str) -> Option<&Object> {
        let mut known = std::iter::once(&self.object).chain(&self.rejected);
        known.find(|object| object.hold.as_deref() == Some(id))
    }
}

/// The connection of an object as its own name is shown: `namespace/name`, of a cluster connection the name alone.
pub fn connection_of(object: &Object) -> String {
    match connection_key(object) {
        (Some(namespace), name) => format!("{namespace}/{name}"),
        (None, name) => name.to_owned(),
    }
}

/// The namespace and the name of a connection; that of the cluster has none.
pub type ConnectionKey<'a> = (Option<&'a str>, &'a str);

/// The connection of an object, to be compared for a hundred thousand.
pub fn connection_key(object: &Object) -> ConnectionKey<'_> {
    match object.connection.strip_prefix("cluster/") {
        Some(name) => (None, name),
        None => (Some(&object.namespace), &object.connection),
    }
}

/// The connection that is shown so.
pub fn connection_called(shown: &str) -> ConnectionKey<'_> {
    shown.split_once('/').map_or((None, shown), |(namespace, name)| (Some(namespace), name))
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
        assert_eq!(&*entry.recorded, "g1");
    }
}
