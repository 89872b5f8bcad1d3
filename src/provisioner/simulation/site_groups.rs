//! The groups of a history's server: names that may be unique, members that may be shown, versions and a past.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::site::{Answer, Site};
use crate::plan::Request;
use crate::scim::{Attributes, MembersReadable, Op, PatchOperation, Resource};

/// One group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    pub attributes: Attributes,
    pub members: BTreeSet<String>,
}

impl Group {
    /// Its displayName.
    pub fn name(&self) -> &str {
        self.attributes.get("displayName").and_then(Value::as_str).unwrap_or_default()
    }
}

/// What comes of a member that isn't there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strangers {
    #[default]
    Taken,
    /// Everybody else is put in.
    LeftOut,
    /// 404 to the whole request.
    NotFound,
    /// 400 to it.
    Rejected,
    /// 500 to it.
    Broken,
}

/// The groups, and what the server is like.
#[derive(Clone, Debug)]
pub struct Groups {
    pub all: BTreeMap<String, Group>,
    past: BTreeMap<String, Group>,
    made: u64,
    version: u64,
    /// Ids are digits.
    pub numbers: bool,
    /// displayNames are unique.
    pub unique: bool,
    pub readable: MembersReadable,
    pub strangers: Strangers,
    /// Accounts whose memberships nobody may change: 403.
    pub barred: BTreeSet<String>,
    /// PATCH is answered without the group.
    pub silent: bool,
    /// The groups show versions.
    pub versions: bool,
    /// Memberships that a person changed: the group and the account.
    pub by_hand: BTreeSet<(String, String)>,
    pub renamed_by_hand: BTreeSet<String>,
    pub deleted_by_hand: BTreeSet<String>,
}

impl Default for Groups {
    fn default() -> Self {
        Self {
            all: BTreeMap::new(),
            past: BTreeMap::new(),
            made: 0,
            version: 0,
            numbers: false,
            unique: false,
            readable: MembersReadable::Inline,
            strangers: Strangers::Taken,
            barred: BTreeSet::new(),
            silent: false,
            versions: true,
            by_hand: BTreeSet::new(),
            renamed_by_hand: BTreeSet::new(),
            deleted_by_hand: BTreeSet::new(),
        }
    }
}

impl Groups {
    /// Reads that lag show this moment from now on.
    pub fn remember(&mut self) {
        self.past.clone_from(&self.all);
    }

    /// Ids are counted from here.
    pub fn begin_ids_at(&mut self, number: usize) {
        self.made = number as u64;
    }

    /// The id of the group made last; no account has it.
    fn id(&self) -> String {
        if self.numbers { (500_000 + self.made).to_string() } else { format!("g-{}", self.made) }
    }

    /// Every group gets another id, and whoever is in it has another one by now.
    pub fn renumber(&mut self, ids: &mut BTreeMap<String, String>) {
        for (old, mut group) in std::mem::take(&mut self.all) {
            self.made += 1;
            let new = self.id();
            group.attributes.insert("id".into(), Value::from(new.as_str()));
            group.members = group.members.iter().map(|id| ids.get(id).unwrap_or(id).clone()).collect();
            self.all.insert(new.clone(), group);
            ids.insert(old, new);
        }
        let new = |id: &String| ids.get(id).unwrap_or(id).clone();
        self.by_hand = self.by_hand.iter().map(|(group, account)| (new(group), new(account))).collect();
        for set in [&mut self.renamed_by_hand, &mut self.deleted_by_hand] {
            *set = set.iter().map(new).collect();
        }
    }

    /// Every group without its members, now or a while ago.
    pub fn list(&self, stale: bool) -> Vec<Resource> {
        let groups = if stale { &self.past } else { &self.all };
        groups.values().map(|group| Resource(group.attributes.clone())).collect()
    }

    /// The groups that have this name.
    pub fn named(&self, name: &str, stale: bool) -> Vec<Resource> {
        let named = |group: &Resource| group.get("displayName").and_then(Value::as_str) == Some(name);
        self.list(stale).into_iter().filter(named).collect()
    }

    fn taken(&self, name: &str, by: Option<&str>) -> bool {
        self.unique && self.all.iter().any(|(id, group)| Some(id.as_str()) != by && group.name() == name)
    }

    fn stamp(&mut self, id: &str) {
        self.version += 1;
        let (version, versions) = (self.version.to_string(), self.versions);
        if let Some(group) = self.all.get_mut(id).filter(|_| versions) {
            group.attributes.insert("meta".into(), json!({"version": version}));
        }
    }

    /// A new group; none where the name is taken.
    pub fn make(&mut self, body: &Attributes) -> Option<String> {
        let name = body.get("displayName").and_then(Value::as_str).unwrap_or_default();
        if self.taken(name, None) {
            return None;
        }
        self.made += 1;
        let id = self.id();
        let mut attributes = body.clone();
        attributes.remove("members");
        attributes.insert("id".into(), Value::from(id.as_str()));
        self.all.insert(id.clone(), Group { attributes, members: ids(body.get("members")) });
        self.stamp(&id);
        Some(id)
    }

    /// A change; false, and nothing is changed, where the name is taken.
    pub fn change(&mut self, id: &str, changed: Group) -> bool {
        if self.taken(changed.name(), Some(id)) {
            return false;
        }
        if self.all.get(id) != Some(&changed) {
            self.all.insert(id.to_owned(), changed);
            self.stamp(id);
        }
        true
    }

    /// An account is gone, and with it its memberships.
    pub fn without_account(&mut self, account: &str) {
        let within: Vec<String> =
            self.all.iter().filter(|(_, group)| group.members.contains(account)).map(|(id, _)| id.clone()).collect();
        for id in within {
            if let Some(group) = self.all.get_mut(&id) {
                group.members.remove(account);
            }
            self.stamp(&id);
        }
    }
}

impl Site {
    /// Carries out a request about a group.
    pub fn apply_group(&mut self, request: &Request) -> Answer {
        if let Some(refusal) = self.group_refusal(request) {
            return refusal;
        }
        let id = match request {
            Request::Create(body) => match self.groups.make(body) {
                Some(id) => id,
                None => return Answer::Conflict,
            },
            Request::Delete { id } => {
                return if self.groups.all.remove(id).is_some() { Answer::Done } else { Answer::NotFound };
            }
            Request::Patch { id, operations } => {
                let Some(mut group) = self.groups.all.get(id).cloned() else { return Answer::NotFound };
                for operation in operations {
                    if let Err(refusal) = self.patch_group(&mut group, operation) {
                        return refusal;
                    }
                }
                let before = self.groups.all.get(id).map(|group| group.members.clone()).unwrap_or_default();
                if before.symmetric_difference(&group.members).any(|member| self.groups.barred.contains(member)) {
                    return Answer::Forbidden;
                }
                if !self.groups.change(id, group) {
                    return Answer::Conflict;
                }
                id.clone()
            }
            Request::Put { id, body, .. } => {
                if !self.groups.all.contains_key(id) {
                    return Answer::NotFound;
                }
                let mut attributes = body.clone();
                attributes.remove("members");
                let members = match self.welcome(ids(body.get("members"))) {
                    Ok(members) => members,
                    Err(refusal) => return refusal,
                };
                if !self.groups.change(id, Group { attributes, members }) {
                    return Answer::Conflict;
                }
                id.clone()
            }
        };
        if self.groups.silent && !matches!(request, Request::Create(_)) {
            return Answer::Done;
        }
        self.group(&id, false).map_or(Answer::NotFound, Answer::Shown)
    }

    /// A group as GET shows it; `asked`: with its members, where they are asked for.
    pub fn group(&self, id: &str, asked: bool) -> Option<Resource> {
        let group = self.groups.all.get(id)?;
        let mut attributes = group.attributes.clone();
        let shown = match self.groups.readable {
            MembersReadable::Inline => true,
            MembersReadable::OnRequest => asked,
            MembersReadable::Probe | MembersReadable::No => false,
        };
        if shown {
            attributes.insert("members".into(), group.members.iter().map(|id| json!({"value": id})).collect());
        }
        Some(Resource(attributes))
    }

    /// Of these members, those that a group takes.
    fn welcome(&self, mut come: BTreeSet<String>) -> Result<BTreeSet<String>, Answer> {
        let there = |id: &String| self.server.accounts.contains_key(id);
        if self.quirks.most_members.is_some_and(|most| come.len() > most) {
            return Err(Answer::Rejected);
        }
        match self.groups.strangers {
            Strangers::Taken => {}
            Strangers::LeftOut => come.retain(there),
            _ if come.iter().all(there) => {}
            Strangers::NotFound => return Err(Answer::NotFound),
            Strangers::Rejected => return Err(Answer::Rejected),
            Strangers::Broken => return Err(Answer::Broken),
        }
        Ok(come)
    }

    fn patch_group(&self, group: &mut Group, operation: &PatchOperation) -> Result<(), Answer> {
        let path = operation.path.as_deref().unwrap_or_default();
        if let Some(filter) = path.strip_prefix("members[value eq ").and_then(|rest| rest.strip_suffix(']')) {
            let id: String = serde_json::from_str(filter).map_err(|_| Answer::Rejected)?;
            group.members.remove(&id);
            return Ok(());
        }
        let value = operation.value.as_ref();
        match (path, operation.op) {
            ("members", Op::Remove) => {
                let gone = ids(value);
                group.members.retain(|id| !gone.contains(id));
            }
            ("members", Op::Add) => {
                let come = ids(value);
                let come = self.welcome(come)?;
                group.members.extend(come);
            }
            (name, Op::Remove) => _ = group.attributes.remove(name),
            (name, _) => _ = group.attributes.insert(name.to_owned(), value.cloned().unwrap_or_default()),
        }
        Ok(())
    }
}

fn ids(list: Option<&Value>) -> BTreeSet<String> {
    let entries = list.and_then(Value::as_array).into_iter().flatten();
    entries.filter_map(|entry| entry.get("value")?.as_str()).map(str::to_owned).collect()
}
