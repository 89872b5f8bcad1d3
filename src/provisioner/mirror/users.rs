//! What the server held when it was last listed, kept current by the answers to our own writes.
//!
//! A compact index of every account, and the whole resource, as one string of JSON, of those that an
//! object declares: so that a sweep costs pages and not one read a user.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use super::Mirror;
use super::sightings::{OnPage, Seen, Sightings};
use crate::scim::{Resource, fold};

/// What is known of one account.
#[derive(Debug)]
struct Entry {
    name: String,
    external_id: Option<String>,
    active: bool,
    /// As shown; empty where it is the userName.
    emails: Box<[Box<str>]>,
    json: Option<Box<str>>,
    seen: Seen,
    /// How many accounts had been seen when it was.
    number: u64,
}

/// An answer from memory.
#[derive(Clone, Debug, PartialEq)]
pub enum Known {
    /// The account, as last seen.
    Found(Resource),
    /// A complete sweep didn't show it.
    Absent,
    /// `userName` and `externalId` point to different accounts.
    Contradictory(String),
    /// The list shows it under this id, and no more of it was kept: it must be read.
    Listed(String),
    /// It must be asked for.
    Unknown,
}

/// The accounts of one server.
#[derive(Debug, Default)]
pub struct UserMirror {
    entries: HashMap<String, Entry>,
    names: HashMap<String, HashSet<String>>,
    external_ids: HashMap<String, HashSet<String>>,
    /// When accounts were seen, and what that proves.
    pub sightings: Sightings,
    /// How many accounts were ever seen.
    moments: u64,
    /// When the last sweep began.
    pub begun: Option<Timestamp>,
}

impl UserMirror {
    /// The connection leads to this server from now on; of another one nothing is known. Returns the new epoch, and
    /// whether it is another server.
    pub fn lead_to(&mut self, server: &str) -> (u64, bool) {
        let epoch = self.sightings.epoch() + 1;
        let other = self.sightings.lead_to(server, epoch);
        if other {
            self.entries.clear();
            self.names.clear();
            self.external_ids.clear();
        }
        (epoch, other)
    }

    /// A sweep begins; what earlier ones found stays until it has ended.
    pub fn begin(&mut self, now: Timestamp) {
        self.sightings.begin();
        self.begun = Some(now);
    }

    /// Takes in one page. `keep` says of which accounts the whole resource is wanted.
    /// Returns how many ids were new in this sweep: none means that the listing has come to its end.
    pub fn page(&mut self, resources: Vec<Resource>, keep: impl Fn(&Resource) -> bool) -> usize {
        let mut new = 0;
        for resource in resources {
            let Some(id) = resource.id() else { continue };
            let seen = self.entries.get_mut(id).map(|entry| &mut entry.seen);
            match self.sightings.on_page(id, seen) {
                OnPage::Repeated => {}
                OnPage::Outdated => new += 1,
                OnPage::New => {
                    new += 1;
                    let kept = keep(&resource);
                    self.put(&resource, kept, self.sightings.by_page());
                }
            }
        }
        new
    }

    /// How many accounts the running sweep has seen.
    pub fn seen(&self) -> usize {
        self.sightings.seen_by_sweep(self.entries.values().map(|entry| entry.seen))
    }

    /// The sweep ended. Complete: accounts that it did not show are forgotten.
    pub fn end(&mut self, complete: bool) {
        if complete {
            let unseen = |entry: &Entry| !self.sightings.is_of_sweep(entry.seen);
            let gone: Vec<String> =
                self.entries.iter().filter(|(_, entry)| unseen(entry)).map(|(id, _)| id.clone()).collect();
            for id in gone {
                self.take_out(&id);
            }
        }
        self.sightings.end(complete);
    }

    /// What the account looks like by now isn't certain: it is read before anything rests on it.
    pub fn invalidate(&mut self, id: &str) {
        let seen = self.sightings.by_answer();
        if let Some(entry) = self.entries.get_mut(id) {
            entry.json = None;
            // Nor does a page tell that was asked for before.
            entry.seen = seen;
        }
    }

    fn take_out(&mut self, id: &str) -> Option<Entry> {
        let entry = self.entries.remove(id)?;
        drop_from(&mut self.names, &entry.name, id);
        if let Some(external_id) = &entry.external_id {
            drop_from(&mut self.external_ids, external_id, id);
        }
        Some(entry)
    }

    /// Another account than this one that has the userName.
    pub fn namesake_of(&self, id: &str, user_name: &str) -> Option<&str> {
        let named = self.names.get(&fold(user_name))?;
        named.iter().map(String::as_str).find(|other| *other != id)
    }

    /// The account is there, as far as is known.
    pub fn shows(&self, id: &str) -> bool {
        self.entries.contains_key(id)
    }

    /// The number of accounts.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// No account is known.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Every account: its id, folded userName, and whether it is active.
    pub fn accounts(&self) -> impl Iterator<Item = (&str, &str, bool)> {
        self.entries.iter().map(|(id, entry)| (id.as_str(), entry.name.as_str(), entry.active))
    }

    /// What an account is known by: its folded userName, and its e-mails.
    pub fn identity(&self, id: &str) -> Option<(&str, impl Iterator<Item = &str>)> {
        let entry = self.entries.get(id)?;
        let name = entry.name.as_str();
        let emails = entry.emails.iter().map(move |email| if email.is_empty() { name } else { &**email });
        Some((name, emails))
    }

    /// The account with this id; an id that wasn't seen must be asked for before it counts as gone (promise I11).
    pub fn by_id(&self, id: &str) -> Known {
        self.entries.get(id).and_then(Entry::resource).map_or(Known::Unknown, Known::Found)
    }

    /// The account that fits, by userName and, where it is given, by externalId (promise I6).
    pub fn by_identity(&self, user_name: &str, external_id: Option<&str>) -> Known {
        let named = self.names.get(&fold(user_name)).cloned().unwrap_or_default();
        let linked = external_id.and_then(|id| self.external_ids.get(id)).cloned().unwrap_or_default();
        let fitting: HashSet<&String> = named.union(&linked).collect();
        let mut fitting = fitting.into_iter();
        match (fitting.next(), fitting.next()) {
            (None, _) if self.sightings.proves_absence() => Known::Absent,
            (None, _) => Known::Unknown,
            (Some(id), None) => match self.by_id(id) {
                Known::Unknown => Known::Listed(id.clone()),
                known => known,
            },
            (Some(_), Some(_)) => Known::Contradictory(contradiction(named.len())),
        }
    }

    /// The accounts with this userName, as far as they are known.
    pub fn named(&self, user_name: &str) -> Vec<String> {
        self.names.get(&fold(user_name)).into_iter().flatten().cloned().collect()
    }

    /// The accounts with this externalId, as far as they are known.
    pub fn linked(&self, external_id: &str) -> Vec<String> {
        self.external_ids.get(external_id).into_iter().flatten().cloned().collect()
    }

    fn put(&mut self, resource: &Resource, keep: bool, seen: Seen) {
        let Some(id) = resource.id() else { return };
        let number = self.entries.get(id).map_or(self.moments, |known| known.number);
        self.moments += 1;
        self.take_out(id);
        let name = resource.user_name().map(fold).unwrap_or_default();
        let external_id = resource.external_id().map(str::to_owned);
        self.names.entry(name.clone()).or_default().insert(id.to_owned());
        if let Some(external_id) = &external_id {
            self.external_ids.entry(external_id.clone()).or_default().insert(id.to_owned());
        }
        let emails =
            resource.emails().map(|email| if fold(email) == name { "".into() } else { email.into() }).collect();
        let json = keep.then(|| serde_json::to_string(&resource.0).ok().map(String::into_boxed_str)).flatten();
        let active = resource.active().unwrap_or(true);
        let entry = Entry { name, external_id, active, emails, json, seen, number };
        self.entries.insert(id.to_owned(), entry);
    }
}

impl Mirror for UserMirror {
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
        self.put(resource, true, self.sightings.by_answer());
    }

    fn forget(&mut self, id: &str) {
        let seen = self.take_out(id).map(|entry| entry.seen);
        self.sightings.forget(id, seen);
    }

    fn moment(&self) -> u64 {
        self.moments
    }

    fn knew(&self, id: &str, moment: u64) -> bool {
        self.entries.get(id).is_some_and(|entry| entry.number < moment)
    }

    fn sample(&self, attribute: &str) -> Option<String> {
        let first = self.entries.values().filter(|entry| entry.json.is_some()).min_by_key(|entry| entry.number)?;
        Some(first.resource()?.get(attribute)?.as_str()?.to_owned()).filter(|value| !value.is_empty())
    }

    fn having(&self, attribute: &str, value: &str) -> Vec<String> {
        if attribute == "externalId" { self.linked(value) } else { self.named(value) }
    }
}

impl Entry {
    fn resource(&self) -> Option<Resource> {
        serde_json::from_str(self.json.as_deref()?).ok().map(Resource)
    }
}

/// What a person is told when more than one account fits.
pub fn contradiction(by_name: usize) -> String {
    if by_name > 1 {
        "the server has several accounts with this userName; remove all but one there, or name the right one by the \
         annotation scim-operator.dev/remote-id"
            .to_owned()
    } else {
        "userName and externalId belong to different accounts at the server; correct one of the two".to_owned()
    }
}

fn drop_from(index: &mut HashMap<String, HashSet<String>>, key: &str, id: &str) {
    if let Some(ids) = index.get_mut(key) {
        ids.remove(id);
        if ids.is_empty() {
            index.remove(key);
        }
    }
}

#[cfg(test)]
#[path = "users_tests.rs"]
mod tests;
