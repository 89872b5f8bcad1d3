//! What the server held when it was last listed, kept current by the answers to our own writes.
//!
//! A compact index of every account, and the whole resource, as one string of JSON, of those that an
//! object declares: so that a sweep costs pages and not one read a user.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::Mirror;
use super::settled::Settled;
use super::sightings::{OnPage, Seen, Sightings};
use super::words::Words;
use crate::scim::{Entry, Recalled, Resource, Text, fold};

/// What is known of one account.
#[derive(Debug)]
struct Shown {
    name: Box<str>,
    external_id: Option<Box<str>>,
    active: bool,
    /// As shown; empty where it is the userName.
    emails: Box<[Box<str>]>,
    json: Option<Box<str>>,
    seen: Seen,
    /// How many accounts had been seen when it was.
    number: u64,
    /// Another one whenever what is known of it changed, or who else has its name.
    stamp: u64,
    /// The words that showed it, unless an answer told of it since, or nothing of it is certain.
    text: Option<Text>,
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
    entries: HashMap<Arc<str>, Shown>,
    names: Index,
    external_ids: Index,
    words: Words,
    /// Objects that were found to be as they should.
    pub settled: Settled,
    /// When accounts were seen, and what that proves.
    pub sightings: Sightings,
    /// Who was looked for by userName for a group since the last sweep began; false: the server refuses to.
    pub looked_for: HashMap<String, bool>,
    /// How many accounts were ever seen.
    moments: u64,
    /// When the last sweep began.
    pub begun: Option<Timestamp>,
    /// How many of those that no list shows were read.
    turn: usize,
}

/// Accounts by a value that few share.
type Index = HashMap<Box<str>, Vec<Arc<str>>>;

impl UserMirror {
    /// The connection leads to this server from now on; of another one nothing is known. Returns the new epoch, and
    /// whether it is another server.
    pub fn lead_to(&mut self, server: &str) -> (u64, bool) {
        let epoch = self.sightings.epoch() + 1;
        let other = self.sightings.lead_to(server, epoch);
        self.looked_for.clear();
        if other {
            self.entries.clear();
            self.names.clear();
            self.external_ids.clear();
        }
        // Whatever is learnt from accounts is learnt anew.
        self.words = Words::default();
        self.entries.values_mut().for_each(|shown| shown.text = None);
        (epoch, other)
    }

    /// A sweep begins; what earlier ones found stays until it has ended.
    pub fn begin(&mut self, now: Timestamp) {
        self.sightings.begin();
        self.looked_for.clear();
        self.begun = Some(now);
    }

    /// What is known of the words of an entry. `keep` says of which accounts, by folded userName and id, the whole resource
    /// is wanted.
    pub fn recall(&self, text: &str, keep: impl Fn(&str, &str) -> bool) -> Recalled {
        let digest = self.words.digest(text);
        let known = self.words.of(digest).and_then(|id| Some((id, self.entries.get(id)?)));
        match known {
            Some((id, Shown { text: Some(text), name, json, .. }))
                if text.digest == digest && keep(name, id) == json.is_some() =>
            {
                Recalled::Known(Arc::clone(id), *text)
            }
            _ => Recalled::New(digest),
        }
    }

    /// Takes in one page, with `keep` as [`Self::recall`] has it.
    /// Returns how many ids were new in this sweep: none means that the listing has come to its end.
    pub fn page<R: Into<Entry>>(&mut self, resources: Vec<R>, keep: impl Fn(&str, &str) -> bool) -> usize {
        let mut new = 0;
        for entry in resources {
            let entry = entry.into();
            let id = match &entry {
                Entry::Same(id) => Some(&**id),
                Entry::Read(resource, _) => resource.id(),
            };
            let Some(id) = id else { continue };
            let seen = self.entries.get_mut(id).map(|shown| &mut shown.seen);
            match (self.sightings.on_page(id, seen), entry) {
                (OnPage::Repeated, _) => {}
                (OnPage::Outdated, _) => new += 1,
                (OnPage::New, Entry::Same(id)) => {
                    let seen = self.sightings.by_page();
                    if let Some(shown) = self.entries.get_mut(&id) {
                        shown.seen = seen;
                        new += 1;
                    }
                }
                (OnPage::New, Entry::Read(resource, text)) => {
                    new += 1;
                    let name = resource.user_name().map(fold).unwrap_or_default();
                    let kept = keep(&name, resource.id().unwrap_or_default());
                    self.put(&resource, name, kept, self.sightings.by_page(), text);
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
            let unseen = |shown: &Shown| !self.sightings.is_of_sweep(shown.seen);
            let gone: Vec<Arc<str>> =
                self.entries.iter().filter(|(_, shown)| unseen(shown)).map(|(id, _)| id.clone()).collect();
            for id in gone {
                self.take_out(&id);
            }
        }
        self.sightings.end(complete);
    }

    /// What the account looks like by now isn't certain: it is read before anything rests on it.
    pub fn invalidate(&mut self, id: &str) {
        let seen = self.sightings.by_answer();
        self.forget_words(id);
        let stamp = self.next_stamp();
        if let Some(shown) = self.entries.get_mut(id) {
            // Nor does a page tell that was asked for before.
            (shown.json, shown.seen, shown.stamp) = (None, seen, stamp);
        }
    }

    fn forget_words(&mut self, id: &str) {
        let text = self.entries.get_mut(id).and_then(|shown| shown.text.take());
        if let Some(text) = text.filter(|text| self.words.of(text.digest).is_some_and(|known| **known == *id)) {
            self.words.forget(text.digest);
        }
    }

    fn next_stamp(&mut self) -> u64 {
        self.moments += 1;
        self.moments
    }

    fn take_out(&mut self, id: &str) -> Option<Shown> {
        self.forget_words(id);
        let shown = self.entries.remove(id)?;
        drop_from(&mut self.names, &shown.name, id);
        if let Some(external_id) = &shown.external_id {
            drop_from(&mut self.external_ids, external_id, id);
        }
        self.touch_namesakes(&shown.name);
        Some(shown)
    }

    /// Somebody else of their name came or went.
    fn touch_namesakes(&mut self, name: &str) {
        for id in self.names.get(name).cloned().unwrap_or_default() {
            let stamp = self.next_stamp();
            if let Some(shown) = self.entries.get_mut(&id) {
                shown.stamp = stamp;
            }
        }
    }

    /// Tells whether anything was learnt of the account since, or of who has its name.
    pub fn stamp(&self, id: &str) -> Option<u64> {
        self.entries.get(id).map(|shown| shown.stamp)
    }

    /// Another account than this one that has the userName.
    pub fn namesake_of(&self, id: &str, user_name: &str) -> Option<&str> {
        let named = self.names.get(&*fold(user_name))?;
        named.iter().map(|other| &**other).find(|other| *other != id)
    }

    /// The running or the last sweep has seen it.
    pub fn is_of_sweep(&self, id: &str) -> bool {
        self.entries.get(id).is_some_and(|shown| self.sightings.is_of_sweep(shown.seen))
    }

    /// Where to go on with accounts that no list shows; so many are read.
    pub fn take_turn(&mut self, share: usize) -> usize {
        let turn = self.turn;
        self.turn = turn.wrapping_add(share);
        turn
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
        self.entries.iter().map(|(id, entry)| (&**id, &*entry.name, entry.active))
    }

    /// The ids of all accounts.
    pub fn ids(&self) -> Vec<Arc<str>> {
        self.entries.keys().cloned().collect()
    }

    /// Whether the account is active, as last seen.
    pub fn is_active(&self, id: &str) -> Option<bool> {
        self.entries.get(id).map(|shown| shown.active)
    }

    /// What an account is known by: its folded userName, and its e-mails.
    pub fn identity(&self, id: &str) -> Option<(&str, impl Iterator<Item = &str>)> {
        let entry = self.entries.get(id)?;
        let name = &*entry.name;
        let emails = entry.emails.iter().map(move |email| if email.is_empty() { name } else { &**email });
        Some((name, emails))
    }

    /// The account with this id; an id that wasn't seen must be asked for before it counts as gone (promise I11).
    pub fn by_id(&self, id: &str) -> Known {
        self.entries.get(id).and_then(Shown::resource).map_or(Known::Unknown, Known::Found)
    }

    /// The account that fits, by userName and, where it is given, by externalId (promise I6).
    pub fn by_identity(&self, user_name: &str, external_id: Option<&str>) -> Known {
        let named = self.names.get(&*fold(user_name)).map(Vec::as_slice).unwrap_or_default();
        let linked = external_id.and_then(|id| self.external_ids.get(id)).map(Vec::as_slice).unwrap_or_default();
        let mut fitting = named.iter().chain(linked.iter().filter(|id| !named.contains(id)));
        match (fitting.next(), fitting.next()) {
            (None, _) if self.sightings.proves_absence() => Known::Absent,
            (None, _) => Known::Unknown,
            (Some(id), None) => match self.by_id(id) {
                Known::Unknown => Known::Listed(id.to_string()),
                known => known,
            },
            (Some(_), Some(_)) => Known::Contradictory(contradiction(named.len())),
        }
    }

    /// The accounts with this userName, as far as they are known.
    pub fn named(&self, user_name: &str) -> Vec<String> {
        self.names.get(&*fold(user_name)).into_iter().flatten().map(ToString::to_string).collect()
    }

    /// The accounts with this externalId, as far as they are known.
    pub fn linked(&self, external_id: &str) -> Vec<String> {
        self.external_ids.get(external_id).into_iter().flatten().map(ToString::to_string).collect()
    }

    fn put(&mut self, resource: &Resource, name: String, keep: bool, seen: Seen, text: Option<Text>) {
        let Some(id) = resource.id() else { return };
        let number = self.entries.get(id).map_or(self.moments, |known| known.number);
        self.take_out(id);
        self.touch_namesakes(&name);
        let id: Arc<str> = id.into();
        let emails =
            resource.emails().map(|email| if fold(email) == name { "".into() } else { email.into() }).collect();
        let name = name.into_boxed_str();
        let external_id: Option<Box<str>> = resource.external_id().map(Into::into);
        add_to(&mut self.names, &name, &id);
        if let Some(external_id) = &external_id {
            add_to(&mut self.external_ids, external_id, &id);
        }
        if let Some(text) = &text {
            self.words.remember(text.digest, &id);
        }
        let json = keep.then(|| serde_json::to_string(&resource.0).ok().map(String::into_boxed_str)).flatten();
        let active = resource.active().unwrap_or(true);
        let stamp = self.next_stamp();
        self.entries.insert(id, Shown { name, external_id, active, emails, json, seen, number, stamp, text });
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
        let name = resource.user_name().map(fold).unwrap_or_default();
        self.put(resource, name, true, self.sightings.by_answer(), None);
    }

    fn shows(&self, id: &str) -> bool {
        self.entries.contains_key(id)
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

    fn sample(&self, attribute: &str, fit: &dyn Fn(&str) -> bool) -> Option<String> {
        let known = self.entries.values().filter(|entry| entry.json.is_some() && fit(&entry.name));
        let first = known.min_by_key(|entry| entry.number)?.resource()?;
        Some(first.get(attribute)?.as_str()?.to_owned()).filter(|value| !value.is_empty())
    }

    fn having(&self, attribute: &str, value: &str) -> Vec<String> {
        if attribute == "externalId" { self.linked(value) } else { self.named(value) }
    }
}

impl Shown {
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

fn add_to(index: &mut Index, key: &str, id: &Arc<str>) {
    match index.get_mut(key) {
        Some(ids) => ids.push(Arc::clone(id)),
        None => _ = index.insert(key.into(), vec![Arc::clone(id)]),
    }
}

fn drop_from(index: &mut Index, key: &str, id: &str) {
    if let Some(ids) = index.get_mut(key) {
        ids.retain(|known| **known != *id);
        if ids.is_empty() {
            index.remove(key);
        }
    }
}

#[cfg(test)]
#[path = "users_tests.rs"]
mod tests;
