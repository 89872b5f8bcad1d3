//! What is known of the server's groups, without their members, as it lists them.

use std::collections::{HashMap, HashSet};

use super::Mirror;
use crate::plan::Account;
use crate::plan::groups::same_name;
use crate::provisioner::mirror::sightings::{OnPage, Seen, Sightings};
use crate::provisioner::mirror::testimony::Testimony;
use crate::scim::{Entry, Resource, fold};

#[derive(Debug)]
struct Group {
    resource: Resource,
    /// The version at which its members were last read.
    members_at: Option<String>,
    /// The version at which its members were last changed by us, until another is shown.
    changed_at: Option<String>,
    seen: Seen,
    /// A write whose answer was lost may have changed it since.
    invalidated: bool,
    /// How many groups had been seen when it was.
    number: u64,
}

impl Group {
    fn is_named(&self, name: &str) -> bool {
        self.resource.display_name().is_some_and(|shown| same_name(shown, name))
    }
}

/// A group that shows a part of its members alone.
#[derive(Clone, Copy, Debug)]
pub struct Partly {
    /// It is known who is in but for our record in status.
    pub known: bool,
    /// So many were shown.
    pub shown: usize,
}

/// The groups of one server.
#[derive(Debug, Default)]
pub struct GroupMirror {
    entries: HashMap<String, Group>,
    /// When groups were seen, and what that proves.
    pub sightings: Sightings,
    /// How many groups were ever seen.
    moments: u64,
    /// Where the next sweep goes on with those whose version doesn't tell.
    turn: usize,
    /// The same for memberships that are asked for one by one.
    probe_turn: usize,
    /// The server showed who is in a group.
    pub shows_members: bool,
    /// Some group showed somebody who is in it.
    pub shows_somebody: bool,
    /// What is told by other ways of those whom no group shows.
    pub testimony: Testimony,
    /// Groups that show no members, and showed none when they were asked for them.
    asked: HashSet<String>,
    /// Groups that show a part of their members alone.
    pub partly: HashMap<String, Partly>,
    /// A change of members changed when the group was last modified, as it does not everywhere.
    times_tell: bool,
    /// The server makes no group without members.
    pub never_empty: bool,
    /// Why the server has no groups, if it has none.
    pub unsupported: Option<String>,
}

impl GroupMirror {
    /// The connection leads to this server from now on; of another one nothing is known.
    pub fn lead_to(&mut self, server: &str, epoch: u64) {
        if self.sightings.lead_to(server, epoch) {
            self.entries.clear();
            (self.shows_members, self.shows_somebody) = (false, false);
            self.testimony = Testimony::default();
            self.asked.clear();
            self.partly.clear();
            self.times_tell = false;
            self.never_empty = false;
        }
        self.unsupported = None;
    }

    /// A listing begins.
    pub fn begin(&mut self) {
        self.sightings.begin();
    }

    /// Takes in a page; returns how many ids were new in this sweep.
    pub fn page<R: Into<Entry>>(&mut self, resources: Vec<R>) -> usize {
        let mut new = 0;
        for entry in resources {
            let Entry::Read(resource, _) = entry.into() else { continue };
            let Some(id) = resource.id() else { continue };
            let seen = self.entries.get_mut(id).map(|entry| &mut entry.seen);
            match self.sightings.on_page(id, seen) {
                OnPage::Repeated => {}
                OnPage::Outdated => new += 1,
                OnPage::New => {
                    new += 1;
                    self.put(&resource, self.sightings.by_page());
                }
            }
        }
        new
    }

    /// How many groups the running sweep has seen.
    pub fn seen(&self) -> usize {
        self.sightings.seen_by_sweep(self.entries.values().map(|entry| entry.seen))
    }

    /// The listing ended; complete: what it didn't show is forgotten.
    pub fn end(&mut self, complete: bool) {
        if complete {
            self.entries.retain(|_, entry| self.sightings.is_of_sweep(entry.seen));
        }
        self.sightings.end(complete);
    }

    fn put(&mut self, resource: &Resource, seen: Seen) {
        let Some(id) = resource.id() else { return };
        let mut resource = resource.clone();
        // They are kept with the objects, where each change is known.
        resource.0.retain(|name, _| !name.eq_ignore_ascii_case("members"));
        let before = self.entries.get(id);
        let members_at = before.and_then(|entry| entry.members_at.clone());
        let changed_at = before.and_then(|entry| entry.changed_at.as_ref());
        let changed = changed_at.zip(version(&resource)).is_some_and(|(before, now)| *before != now);
        let number = before.map_or(self.moments, |entry| entry.number);
        self.times_tell |= changed;
        self.moments += 1;
        let entry = Group { resource, members_at, changed_at: None, seen, invalidated: false, number };
        self.entries.insert(id.to_owned(), entry);
    }

    /// What a change of ours made of a group, where the answer doesn't show it.
    pub fn set(&mut self, id: &str, attribute: &str, value: Option<serde_json::Value>) {
        let seen = self.sightings.by_answer();
        if let Some(entry) = self.entries.get_mut(id) {
            entry.seen = seen;
            // Of what was changed the version isn't known.
            entry.changed_at = None;
            entry.resource.0.retain(|name, _| !name.eq_ignore_ascii_case(attribute) && name != "meta");
            if let Some(value) = value {
                entry.resource.0.insert(attribute.to_owned(), value);
            }
        }
    }

    /// Where to go on with groups whose version doesn't tell; so many are read.
    pub fn take_turn(&mut self, share: usize) -> usize {
        let turn = self.turn;
        self.turn = turn.wrapping_add(share);
        turn
    }

    /// The same of so many memberships.
    pub fn take_probe_turn(&mut self, share: usize, all: usize) -> usize {
        let begin = self.probe_turn % all;
        self.probe_turn = begin + share;
        begin
    }

    /// The members were read, or a write of ours told its version.
    pub fn members_read(&mut self, id: &str) {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.members_at = version(&entry.resource);
        }
    }

    /// We changed the members.
    pub fn members_changed(&mut self, id: &str) {
        self.asked.remove(id);
        if let Some(entry) = self.entries.get_mut(id) {
            entry.changed_at = version(&entry.resource);
        }
    }

    /// The version tells that the members are those that were read last; `None` where none is shown that does.
    pub fn unchanged(&self, id: &str) -> Option<bool> {
        let entry = self.entries.get(id)?;
        let version = version(&entry.resource)?;
        let same = entry.members_at.as_ref() == Some(&version);
        (!same || self.times_tell || has_tag(&entry.resource)).then_some(same)
    }

    /// Whether a group that is shown without members is to be asked for them.
    pub fn may_hide_members(&self, id: &str) -> bool {
        !self.shows_members && !self.asked.contains(id)
    }

    /// It was asked for them, and shows none.
    pub fn shows_nobody(&mut self, id: &str) {
        self.asked.insert(id.to_owned());
    }

    /// What the group looks like by now, or whether it is there, isn't certain: it is read before anything rests on it.
    pub fn invalidate(&mut self, id: &str) {
        let seen = self.sightings.by_answer();
        if let Some(entry) = self.entries.get_mut(id) {
            // Nor does a page tell that was asked for before.
            (entry.seen, entry.invalidated) = (seen, true);
        }
    }

    /// The displayName of a group.
    pub fn name_of(&self, id: &str) -> Option<&str> {
        self.entries.get(id)?.resource.display_name()
    }

    /// Another group than this one that has the displayName.
    pub fn namesake_of(&self, id: &str, name: &str) -> Option<&str> {
        let other = self.entries.iter().find(|(other, entry)| *other != id && entry.is_named(name));
        other.map(|(other, _)| other.as_str())
    }

    /// The id and the displayName of a group that has the name in other letters.
    pub fn alike(&self, name: &str) -> Option<(String, String)> {
        let wanted = fold(name.trim());
        let names = self.entries.keys().filter_map(|id| Some((id, self.name_of(id)?)));
        let alike = names.filter(|(_, known)| fold(known.trim()) == wanted && !same_name(known, name)).min();
        alike.map(|(id, known)| (id.clone(), known.to_owned()))
    }

    /// The group with this id; one that wasn't seen must be asked for.
    pub fn by_id(&self, id: &str) -> Account {
        let known = self.entries.get(id).filter(|entry| !entry.invalidated);
        known.map_or(Account::Unknown, |entry| Account::Found { resource: entry.resource.clone(), fresh: false })
    }

    /// The ids of the groups of this name.
    pub fn named(&self, name: &str) -> Vec<String> {
        self.entries.iter().filter(|(_, entry)| entry.is_named(name)).map(|(id, _)| id.clone()).collect()
    }

    /// The groups that fit by name.
    pub fn by_name(&self, name: &str) -> Account {
        let mut found = self.entries.iter().filter(|(_, entry)| entry.is_named(name));
        match (found.next(), found.next()) {
            (None, _) if self.sightings.proves_absence() => Account::Absent { fresh: false },
            (None, _) => Account::Unknown,
            (Some((id, entry)), None) if entry.invalidated => Account::Listed(id.clone()),
            (Some((_, entry)), None) => Account::Found { resource: entry.resource.clone(), fresh: false },
            (Some(_), Some(_)) => Account::Contradictory(several()),
        }
    }
}

impl Mirror for GroupMirror {
    fn sightings(&self) -> &Sightings {
        &self.sightings
    }

    fn sightings_mut(&mut self) -> &mut Sightings {
        &mut self.sightings
    }

    fn apply(&mut self, resource: &Resource) {
        if let Some(id) = resource.id() {
            self.sightings.shown(id);
        }
        self.put(resource, self.sightings.by_answer());
    }

    fn shows(&self, id: &str) -> bool {
        self.entries.contains_key(id)
    }

    fn forget(&mut self, id: &str) {
        let seen = self.entries.remove(id).map(|entry| entry.seen);
        self.sightings.forget(id, seen);
    }

    fn moment(&self) -> u64 {
        self.moments
    }

    fn knew(&self, id: &str, moment: u64) -> bool {
        self.entries.get(id).is_some_and(|entry| entry.number < moment)
    }

    fn sample(&self, attribute: &str, fit: &dyn Fn(&str) -> bool) -> Option<String> {
        let named = |entry: &&Group| {
            let name = entry.resource.display_name();
            !entry.invalidated && fit(name.unwrap_or_default())
        };
        let first = self.entries.values().filter(named).min_by_key(|entry| entry.number)?;
        Some(first.resource.get(attribute)?.as_str()?.to_owned()).filter(|value| !value.is_empty())
    }

    fn having(&self, _: &str, value: &str) -> Vec<String> {
        self.named(value)
    }
}

/// What a person is told when more than one group fits.
pub fn several() -> String {
    "the server has several groups with this displayName; remove all but one there, or name the right one by the \
     annotation scim-operator.dev/remote-id"
        .to_owned()
}

/// An entity tag changes with whatever is shown (RFC 9110 §8.8.3).
fn has_tag(resource: &Resource) -> bool {
    resource.get("meta").is_some_and(|meta| meta.get("version").is_some_and(serde_json::Value::is_string))
}

fn version(resource: &Resource) -> Option<String> {
    let meta = resource.get("meta")?;
    let text = |name: &str| meta.get(name).and_then(serde_json::Value::as_str).map(str::to_owned);
    text("version").or_else(|| text("lastModified"))
}

#[cfg(test)]
#[path = "groups_tests.rs"]
mod tests;
