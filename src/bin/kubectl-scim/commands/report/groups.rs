//! Who is in which groups: by what groups declare, through groups that are members of others, and by what is on record.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use kube::ResourceExt;
use scim_operator::api::{ScimGroup, ScimUser};
use scim_operator::scim::fold;

use crate::objects::{Object, connection_name, full_name};

/// A group that somebody is in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct In {
    /// As people know it.
    pub name: String,
    /// Why it isn't certain that they are, or how they are; nothing where the group is as declared.
    pub note: Option<String>,
}

/// All of them, by who is declared a member.
#[derive(Default)]
pub struct Groups {
    all: Vec<Group>,
    /// By `namespace/name` of the ScimUser.
    objects: HashMap<String, Vec<usize>>,
    /// By connection and userName, folded, or id, of a user.
    accounts: HashMap<(String, String), Vec<usize>>,
    /// By connection and id of a member, of whatever kind that is.
    by_id: HashMap<(String, String), Vec<usize>>,
    /// By `namespace/name` of a ScimGroup that is a member.
    nested: HashMap<String, Vec<usize>>,
    /// By connection and id.
    ids: HashMap<(String, String), usize>,
}

struct Group {
    namespace: String,
    connection: String,
    /// `namespace/name` of the object.
    object: String,
    name: String,
    id: Option<String>,
    labels: BTreeMap<String, String>,
    /// Why what it declares may not be so at the server.
    doubt: Option<String>,
    needs_person: bool,
}

impl Groups {
    /// One more.
    pub fn add(&mut self, group: &ScimGroup) {
        let place = self.all.len();
        let namespace = group.namespace().unwrap_or_default();
        let connection = connection_of(&namespace, connection_name(&group.spec.connection_ref));
        for member in group.spec.members.iter().flatten() {
            if let Some(user) = &member.user_ref {
                self.objects.entry(format!("{namespace}/{}", user.name)).or_default().push(place);
            }
            if let Some(nested) = &member.group_ref {
                self.nested.entry(format!("{namespace}/{}", nested.name)).or_default().push(place);
            }
            if let Some(id) = &member.id {
                self.by_id.entry((connection.clone(), id.clone())).or_default().push(place);
            }
            for account in [member.user_name.as_deref().map(fold), member.id.clone()].into_iter().flatten() {
                self.accounts.entry((connection.clone(), account)).or_default().push(place);
            }
        }
        let selector = group.spec.member_selector.as_ref();
        let id = group.status.as_ref().and_then(|status| status.id.clone());
        if let Some(id) = &id {
            self.ids.insert((connection.clone(), id.clone()), place);
        }
        let object = Object::from(group.clone());
        self.all.push(Group {
            object: full_name(group),
            name: group.spec.display_name.clone(),
            labels: selector.map(|selector| selector.match_labels.clone()).unwrap_or_default(),
            doubt: doubt(&object),
            needs_person: object.fails(),
            id,
            namespace,
            connection,
        });
    }

    /// Those that a user is in, by name.
    pub fn of(&self, user: &ScimUser, connection: &str, id: Option<&str>) -> Vec<In> {
        let direct = self.direct(user, connection, id);
        let mut found: BTreeMap<usize, Option<String>> = direct.iter().map(|place| (*place, None)).collect();
        let mut next: Vec<usize> = direct.into_iter().collect();
        while let Some(through) = next.pop() {
            for (above, doubt) in self.above(through) {
                if let std::collections::btree_map::Entry::Vacant(vacant) = found.entry(above) {
                    vacant.insert(Some(format!("through {}{doubt}", self.all[through].name)));
                    next.push(above);
                }
            }
        }
        let recorded = user.status.as_ref().and_then(|status| status.groups.as_ref());
        let recorded = recorded.into_iter().flat_map(BTreeMap::keys).filter_map(|group| {
            let known = self.ids.get(&(connection.to_owned(), group.clone()));
            let name = known.map_or_else(|| group.clone(), |place| self.all[*place].name.clone());
            let declared = known.is_some_and(|place| found.contains_key(place));
            let note =
                if known.is_some() { "on record, and declared no more" } else { "on record; no ScimGroup here has it" };
            (!declared).then(|| In { name, note: Some(note.to_owned()) })
        });
        let recorded: Vec<In> = recorded.collect();
        let of = |(place, through): (usize, Option<String>)| {
            let group = &self.all[place];
            let notes: Vec<String> = through.into_iter().chain(group.doubt.clone()).collect();
            In { name: group.name.clone(), note: (!notes.is_empty()).then(|| notes.join(", ")) }
        };
        let all: BTreeSet<In> = found.into_iter().map(of).chain(recorded).collect();
        all.into_iter().collect()
    }

    /// How many need a person, so that nobody knows whether their members are in them.
    pub fn failing(&self) -> usize {
        self.all.iter().filter(|group| group.needs_person).count()
    }

    fn direct(&self, user: &ScimUser, connection: &str, id: Option<&str>) -> BTreeSet<usize> {
        let namespace = user.namespace().unwrap_or_default();
        let mut found: BTreeSet<usize> = self.objects.get(&full_name(user)).into_iter().flatten().copied().collect();
        for account in [Some(fold(&user.spec.user_name)), id.map(str::to_owned)].into_iter().flatten() {
            found.extend(self.accounts.get(&(connection.to_owned(), account)).into_iter().flatten());
        }
        let carries = |labels: &BTreeMap<String, String>| {
            !labels.is_empty() && labels.iter().all(|(name, value)| user.labels().get(name) == Some(value))
        };
        found.extend(self.all.iter().enumerate().filter_map(|(place, group)| {
            let selects = group.namespace == namespace && group.connection == connection && carries(&group.labels);
            selects.then_some(place)
        }));
        found.retain(|place| self.all[*place].connection == connection);
        found
    }

    /// Those that a group is a member of, and why that isn't certain. The operator refuses a group of another connection.
    fn above(&self, place: usize) -> Vec<(usize, &'static str)> {
        let group = &self.all[place];
        let by_name = self.nested.get(&group.object).into_iter().flatten().map(|above| (*above, ""));
        let ids = group.id.as_ref().and_then(|id| self.by_id.get(&(group.connection.clone(), id.clone())));
        // Servers that number their users and their groups have the same id twice.
        let by_id = ids.into_iter().flatten().map(|above| (*above, ", if the id is no user's"));
        by_name.chain(by_id).filter(|(above, _)| self.all[*above].connection == group.connection).collect()
    }
}

/// Why a group may not be at the server as it is declared.
fn doubt(group: &Object) -> Option<String> {
    if group.ready.as_deref() != Some("True") {
        return Some(format!("declared, {}", group.reason.as_deref().unwrap_or("and not looked at yet")));
    }
    group.drift.iter().find(|drift| drift.ends_with("members lost")).map(|lost| format!("declared, {lost} of it"))
}

/// A connection, told apart from those of other namespaces.
pub fn connection_of(namespace: &str, name: String) -> String {
    if name.starts_with("cluster/") { name } else { format!("{namespace}/{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn group(name: &str, namespace: &str, members: &Value, status: &Value) -> ScimGroup {
        let mut spec = json!({"connectionRef": {"name": "datadog"}, "displayName": name, "membership": "Exact"});
        spec.as_object_mut().unwrap().extend(members.as_object().cloned().unwrap());
        let metadata = json!({"name": name, "namespace": namespace});
        serde_json::from_value(json!({"metadata": metadata, "spec": spec, "status": status})).unwrap()
    }

    fn ready(status: &str, reason: &str) -> Value {
        let at = "2026-11-28T12:00:00Z";
        json!({"conditions": [
            {"type": "Ready", "status": status, "reason": reason, "message": "", "lastTransitionTime": at},
            {"type": "Stalled", "status": if status == "True" { "False" } else { "True" }, "reason": reason, "message": "",
                "lastTransitionTime": at},
        ]})
    }

    fn ada(status: &Value) -> ScimUser {
        serde_json::from_value(json!({
            "metadata": {"name": "ada", "namespace": "identity", "labels": {"team": "platform"}},
            "spec": {"connectionRef": {"name": "datadog"}, "userName": "ada@Example.com"}, "status": status,
        }))
        .unwrap()
    }

    fn of(groups: &Groups, user: &ScimUser) -> Vec<(String, Option<String>)> {
        groups.of(user, "identity/datadog", Some("7")).into_iter().map(|one| (one.name, one.note)).collect()
    }

    #[test]
    fn whoever_is_in_a_group_is_found_however_it_names_them() {
        let mut groups = Groups::default();
        for (name, namespace, members) in [
            ("by-ref", "identity", json!({"members": [{"userRef": {"name": "ada"}}]})),
            ("by-name", "identity", json!({"members": [{"userName": "ADA@example.com"}]})),
            ("by-id", "identity", json!({"members": [{"id": "7"}]})),
            ("by-label", "identity", json!({"memberSelector": {"matchLabels": {"team": "platform"}}})),
            ("elsewhere", "other", json!({"memberSelector": {"matchLabels": {"team": "platform"}}})),
            ("others", "identity", json!({"members": [{"userRef": {"name": "grace"}}]})),
        ] {
            groups.add(&group(name, namespace, &members, &ready("True", "Synced")));
        }
        let found = of(&groups, &ada(&json!({})));
        assert_eq!(found, ["by-id", "by-label", "by-name", "by-ref"].map(|name| (name.to_owned(), None)));
        assert_eq!(groups.failing(), 0);
    }

    #[test]
    fn groups_in_groups_and_what_is_not_certain_are_told() {
        let mut groups = Groups::default();
        let team = json!({"members": [{"userRef": {"name": "ada"}}]});
        groups.add(&group("team", "identity", &team, &ready("False", "Rejected")));
        // Two that are in each other end the walk.
        let within = |name: &str| json!({"members": [{"groupRef": {"name": name}}, {"groupRef": {"name": "all"}}]});
        let mut division = ready("True", "Synced");
        division["id"] = json!("g1");
        groups.add(&group("division", "identity", &within("team"), &division));
        groups.add(&group("all", "identity", &within("division"), &ready("True", "Synced")));
        // The id of a user that is the division's too, and a group of another connection.
        groups.add(&group("by-id", "identity", &json!({"members": [{"id": "g1"}]}), &ready("True", "Synced")));
        let mut foreign = group("foreign", "identity", &within("team"), &ready("True", "Synced"));
        foreign.spec.connection_ref.name = "another".to_owned();
        groups.add(&foreign);
        let mut old = ready("True", "Synced");
        old["id"] = json!("g9");
        groups.add(&group("old", "identity", &json!({}), &old));
        let found = of(&groups, &ada(&json!({"groups": {"g9": "7", "g10": "7"}})));
        let note = |text: &str| Some(text.to_owned());
        assert_eq!(
            found,
            [
                ("all".to_owned(), note("through division")),
                ("by-id".to_owned(), note("through division, if the id is no user's")),
                ("division".to_owned(), note("through team")),
                ("g10".to_owned(), note("on record; no ScimGroup here has it")),
                ("old".to_owned(), note("on record, and declared no more")),
                ("team".to_owned(), note("declared, Rejected")),
            ]
        );
        assert_eq!(groups.failing(), 1);
    }
}
