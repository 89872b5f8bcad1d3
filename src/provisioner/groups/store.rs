//! What is known of the server's groups, without their members, and notes about ScimGroups.

use std::collections::HashMap;

use super::pace::Pace;
use crate::api::{GroupDrift, ScimGroupStatus};
use crate::plan::Account;
use crate::plan::groups::{Change, Id};
use crate::scim::Resource;

#[derive(Debug)]
struct Entry {
    resource: Resource,
    /// The version at which its members were last read.
    members_at: Option<String>,
    sweep: u64,
    /// A write of ours reported it during that sweep: no page read meanwhile is newer.
    learnt: bool,
    /// A write whose answer was lost may have changed it since.
    in_doubt: bool,
    /// How many groups had been seen when it was.
    number: u64,
}

/// The groups of one server.
#[derive(Debug, Default)]
pub struct Store {
    entries: HashMap<String, Entry>,
    sweep: u64,
    sweeping: bool,
    complete: bool,
    /// How many groups were ever seen.
    seen: u64,
    /// Where the next sweep goes on with those whose version doesn't tell.
    pub turn: usize,
    /// The same for memberships that are asked for one by one.
    pub probe_turn: usize,
    /// Who was put in within the last hour, counted.
    pub pace: Pace,
    /// Why the server has no groups, if it has none.
    pub unsupported: Option<String>,
    /// What a reading found changed, by the object's uid, until it is repaired.
    pub drift: HashMap<String, GroupDrift>,
    /// Statuses that could not be written yet.
    pub unsaved: HashMap<String, ScimGroupStatus>,
    /// What was written at the server and is not on record yet, by the object's uid.
    pub unrecorded: HashMap<String, Change>,
}

impl Store {
    /// A listing begins.
    pub fn begin(&mut self) {
        self.sweep += 1;
        self.sweeping = true;
    }

    /// Takes in a page; returns how many ids were new in this sweep.
    pub fn page(&mut self, resources: Vec<Resource>) -> usize {
        let sweep = self.sweep;
        let mut new = 0;
        for resource in resources {
            let Some(id) = resource.id().map(str::to_owned) else { continue };
            match self.entries.get_mut(&id) {
                Some(entry) if entry.sweep == sweep && entry.learnt => {
                    // Counted once as seen, so that a listing which repeats itself still ends.
                    entry.learnt = false;
                    new += 1;
                }
                Some(entry) if entry.sweep == sweep => {}
                _ => {
                    new += 1;
                    self.put(&resource, false);
                }
            }
        }
        new
    }

    /// The listing ended; complete: what it didn't show is forgotten.
    pub fn end(&mut self, complete: bool) {
        self.sweeping = false;
        if complete {
            let sweep = self.sweep;
            self.entries.retain(|_, entry| entry.sweep == sweep);
            self.complete = true;
        }
    }

    /// Takes in a group as the server showed it.
    pub fn learn(&mut self, resource: &Resource) {
        self.put(resource, self.sweeping);
    }

    fn put(&mut self, resource: &Resource, learnt: bool) {
        let Some(id) = resource.id() else { return };
        let mut resource = resource.clone();
        // They are kept with the objects, where each change is known.
        resource.0.retain(|name, _| !name.eq_ignore_ascii_case("members"));
        let sweep = self.sweep;
        let members_at = self.entries.get(id).and_then(|entry| entry.members_at.clone());
        let number = self.entries.get(id).map_or(self.seen, |entry| entry.number);
        self.seen += 1;
        let entry = Entry { resource, members_at, sweep, learnt, in_doubt: false, number };
        self.entries.insert(id.to_owned(), entry);
    }

    /// What a change of ours made of a group, where the answer doesn't show it.
    pub fn set(&mut self, id: &str, attribute: &str, value: Option<serde_json::Value>) {
        let (sweep, learnt) = (self.sweep, self.sweeping);
        if let Some(entry) = self.entries.get_mut(id) {
            (entry.sweep, entry.learnt) = (sweep, learnt);
            entry.resource.0.retain(|name, _| !name.eq_ignore_ascii_case(attribute));
            if let Some(value) = value {
                entry.resource.0.insert(attribute.to_owned(), value);
            }
        }
    }

    /// The members were read, or a write of ours told its version.
    pub fn members_read(&mut self, id: &str) {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.members_at = version(&entry.resource);
        }
    }

    /// The version tells that the members are those that were read last; `None` where no version is shown.
    pub fn unchanged(&self, id: &str) -> Option<bool> {
        let entry = self.entries.get(id)?;
        let version = version(&entry.resource)?;
        Some(entry.members_at.as_ref() == Some(&version))
    }

    /// What the group looks like by now, or whether it is there, isn't certain: it is read before anything rests on it.
    pub fn unsee(&mut self, id: &str) {
        let (sweep, learnt) = (self.sweep, self.sweeping);
        if let Some(entry) = self.entries.get_mut(id) {
            // Nor does a page tell that was asked for before.
            (entry.sweep, entry.learnt, entry.in_doubt) = (sweep, learnt, true);
        }
    }

    /// The group is gone.
    pub fn forget(&mut self, id: &str) {
        self.entries.remove(id);
    }

    /// Nothing is known any more: another server.
    pub fn clear(&mut self) {
        *self = Self {
            sweep: self.sweep,
            seen: self.seen,
            unrecorded: std::mem::take(&mut self.unrecorded),
            ..Self::default()
        };
    }

    /// This moment, for [`Self::knew`].
    pub fn moment(&self) -> u64 {
        self.seen
    }

    /// The group had been seen at that moment.
    pub fn knew(&self, id: &str, moment: u64) -> bool {
        self.entries.get(id).is_some_and(|entry| entry.number < moment)
    }

    /// A complete listing has ended.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// The displayName of a group.
    pub fn name_of(&self, id: &str) -> Option<&str> {
        self.entries.get(id)?.resource.get("displayName")?.as_str()
    }

    /// Another group than this one that has the displayName.
    pub fn namesake_of(&self, id: &str, name: &str) -> Option<&str> {
        let named = |entry: &Entry| entry.resource.get("displayName").and_then(|shown| shown.as_str()) == Some(name);
        self.entries.iter().find(|(other, entry)| *other != id && named(entry)).map(|(other, _)| other.as_str())
    }

    /// The group with this id; one that wasn't seen must be asked for.
    pub fn by_id(&self, id: &str) -> Account {
        let known = self.entries.get(id).filter(|entry| !entry.in_doubt);
        known.map_or(Account::Unknown, |entry| Account::Found { resource: entry.resource.clone(), fresh: false })
    }

    /// The groups that fit by name.
    pub fn by_name(&self, name: &str) -> Account {
        let named = |entry: &&Entry| entry.resource.get("displayName").and_then(|shown| shown.as_str()) == Some(name);
        let mut found = self.entries.iter().filter(|(_, entry)| named(entry));
        match (found.next(), found.next()) {
            (None, _) if self.complete => Account::Absent { fresh: false },
            (None, _) => Account::Unknown,
            (Some((id, entry)), None) if entry.in_doubt => Account::Listed(id.clone()),
            (Some((_, entry)), None) => Account::Found { resource: entry.resource.clone(), fresh: false },
            (Some(_), Some(_)) => Account::Contradictory(several()),
        }
    }

    /// What was written and is not on record yet grows.
    pub fn owe_record(&mut self, uid: &str, change: Change) {
        let owed = self.unrecorded.entry(uid.to_owned()).or_default();
        let again = |id: &Id| change.added.contains(id) || change.removed.contains(id);
        owed.added.retain(|id| !again(id));
        owed.removed.retain(|id| !again(id));
        owed.added.extend(change.added);
        owed.removed.extend(change.removed);
    }

    /// The object is gone.
    pub fn forget_object(&mut self, uid: &str) {
        self.drift.remove(uid);
        self.unsaved.remove(uid);
        self.unrecorded.remove(uid);
        self.pace.forget(uid);
    }
}

/// What a person is told when more than one group fits.
pub fn several() -> String {
    "the server has several groups with this displayName; remove all but one there, or name the right one by the \
     annotation scim-operator.dev/remote-id"
        .to_owned()
}

fn version(resource: &Resource) -> Option<String> {
    let meta = resource.get("meta")?;
    let text = |name: &str| meta.get(name).and_then(serde_json::Value::as_str).map(str::to_owned);
    text("version").or_else(|| text("lastModified"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn group(name: &str, version: &str) -> Resource {
        let value = json!({"id": "g", "displayName": name, "meta": {"version": version}, "members": [{"value": "1"}]});
        Resource(value.as_object().cloned().unwrap_or_default())
    }

    #[test]
    fn a_page_never_overwrites_what_a_later_write_of_the_group_reported() {
        let mut store = Store::default();
        store.begin();
        store.learn(&group("new", "2"));
        assert_eq!(store.page(vec![group("old", "1")]), 1);
        assert_eq!(store.page(vec![group("old", "1")]), 0, "a list that repeats itself ends");
        store.end(true);
        assert!(matches!(store.by_name("new"), Account::Found { .. }));
        assert_eq!(store.by_name("old"), Account::Absent { fresh: false });
    }

    #[test]
    fn i11_no_listing_no_absence() {
        let mut store = Store::default();
        assert_eq!(store.by_name("g"), Account::Unknown);
        store.begin();
        store.end(false);
        assert_eq!(store.by_name("g"), Account::Unknown);
    }

    #[test]
    fn i12_a_group_in_doubt_is_read() {
        let mut store = Store::default();
        store.begin();
        store.page(vec![group("g", "1")]);
        store.unsee("g");
        assert_eq!(store.page(vec![group("g", "1")]), 1, "asked for before, it tells nothing");
        store.end(true);
        assert_eq!((store.by_id("g"), store.by_name("g")), (Account::Unknown, Account::Listed("g".into())));
        store.begin();
        store.page(vec![group("g", "2")]);
        store.end(true);
        assert!(matches!(store.by_name("g"), Account::Found { .. }));
    }

    #[test]
    fn members_are_read_anew_where_the_version_changed() {
        let mut store = Store::default();
        store.learn(&group("g", "1"));
        assert_eq!(store.unchanged("g"), Some(false));
        store.members_read("g");
        assert_eq!(store.unchanged("g"), Some(true));
        store.begin();
        store.page(vec![group("g", "2")]);
        assert_eq!(store.unchanged("g"), Some(false));
    }
}
