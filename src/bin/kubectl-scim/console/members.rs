//! Who is in a group, as its object declares it.

use std::collections::HashSet;

use super::entry::{ConnectionKey, Entry, connection_key};
use super::folded::folded;
use super::membership::Membership;

/// The members of one group, to be asked of many people.
pub struct Members<'a> {
    namespace: &'a str,
    connection: ConnectionKey<'a>,
    users: HashSet<&'a str>,
    user_names: HashSet<&'a str>,
    ids: HashSet<&'a str>,
    labels: &'a [String],
}

fn set(list: &[String]) -> HashSet<&str> {
    list.iter().map(String::as_str).collect()
}

impl<'a> Members<'a> {
    /// Those of this group; none where it isn't one.
    pub fn of(group: &'a Entry) -> Option<Self> {
        let declared = group.membership.as_deref()?;
        Some(Self {
            namespace: &group.object.namespace,
            connection: connection_key(&group.object),
            users: set(&declared.users),
            user_names: set(&declared.user_names),
            ids: set(&declared.ids),
            labels: &declared.labels,
        })
    }

    /// Whether a person is of the group's connection: another one's server may number its groups the same.
    pub fn concern(&self, entry: &Entry) -> bool {
        connection_key(&entry.object) == self.connection
    }

    /// Whether a person is one of them.
    pub fn has(&self, entry: &Entry) -> bool {
        let object = &entry.object;
        if connection_key(object) != self.connection {
            return false;
        }
        let selected = || {
            let carries = |label: &String| entry.labels.lines().any(|line| line == label);
            !self.labels.is_empty() && self.labels.iter().all(carries)
        };
        (object.namespace == self.namespace && (self.users.contains(object.name.as_str()) || selected()))
            || object.id.as_deref().is_some_and(|id| self.ids.contains(id))
            || (!self.user_names.is_empty() && self.user_names.contains(folded(&object.called).as_str()))
    }

    /// Members by reference, userName or id whom nothing here declares.
    pub fn unknown<'e>(&self, people: impl Iterator<Item = &'e Entry>) -> Vec<String> {
        let (mut users, mut user_names, mut ids) = (self.users.clone(), self.user_names.clone(), self.ids.clone());
        for entry in people.filter(|entry| connection_key(&entry.object) == self.connection) {
            if entry.object.namespace == self.namespace {
                users.remove(entry.object.name.as_str());
            }
            if !user_names.is_empty() {
                user_names.remove(folded(&entry.object.called).as_str());
            }
            entry.object.id.as_deref().map(|id| ids.remove(id));
        }
        let named = users.into_iter().map(|name| format!("ScimUser {name}"));
        let named = named.chain(user_names.into_iter().map(|name| format!("userName {name}")));
        let mut unknown: Vec<String> = named.chain(ids.into_iter().map(|id| format!("id {id}"))).collect();
        unknown.sort();
        unknown
    }
}

impl Membership {
    /// The groups that are in it by reference.
    pub fn groups(&self) -> &[String] {
        &self.groups
    }

    /// Which labels select its members.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scim_operator::api::{ScimGroup, ScimUser};
    use serde_json::{Value, json};

    fn user(name: &str, fields: &Value) -> Entry {
        let mut user = json!({"metadata": {"name": name, "namespace": "identity", "labels": fields["labels"]},
            "spec": {"connectionRef": {"name": "datadog"}, "userName": format!("{name}@Example.com")},
            "status": {"id": fields["id"]}});
        if let Some(namespace) = fields["namespace"].as_str() {
            user["metadata"]["namespace"] = namespace.into();
        }
        Entry::from(serde_json::from_value::<ScimUser>(user).unwrap())
    }

    #[test]
    fn whoever_is_named_or_carries_all_labels_is_in_a_group() {
        let group: ScimGroup = serde_json::from_value(json!({
            "metadata": {"name": "platform", "namespace": "identity"},
            "spec": {"connectionRef": {"name": "datadog"}, "displayName": "Platform", "membership": "Exact",
                "members": [{"userRef": {"name": "ada"}}, {"userRef": {"name": "nobody"}},
                    {"userName": "GRACE@example.com"}, {"id": "7"}],
                "memberSelector": {"matchLabels": {"team": "platform", "site": "b"}}},
        }))
        .unwrap();
        let group = Entry::from(group);
        let members = Members::of(&group).unwrap();
        let all = [
            (user("ada", &json!({})), true),
            (user("grace", &json!({})), true),
            (user("alan", &json!({"id": "7"})), true),
            (user("kim", &json!({"labels": {"team": "platform", "site": "b", "x": "y"}})), true),
            (user("eve", &json!({"labels": {"team": "platform"}})), false),
            (user("ada", &json!({"namespace": "other"})), false),
        ];
        for (entry, is) in &all {
            assert_eq!(members.has(entry), *is, "{}", entry.text);
        }
        assert_eq!(members.unknown(all.iter().map(|(entry, _)| entry)), ["ScimUser nobody"]);
    }
}
