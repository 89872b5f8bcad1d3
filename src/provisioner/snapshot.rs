//! What the server held when it was last listed, kept current by the answers to our own writes.
//!
//! A compact index of every account, and the whole resource, as one string of JSON, of those that an
//! object declares: so that a sweep costs pages and not one read a user.

use std::collections::{HashMap, HashSet};

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
    /// The sweep that saw it, or during which a write of ours reported it.
    sweep: u64,
    /// A write of ours reported it during that sweep: no page read meanwhile is newer.
    learnt: bool,
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
pub struct Snapshot {
    entries: HashMap<String, Entry>,
    names: HashMap<String, HashSet<String>>,
    external_ids: HashMap<String, HashSet<String>>,
    sweep: u64,
    sweeping: bool,
    complete: bool,
    /// How many accounts were ever seen.
    seen: u64,
    /// The server that all this is of, and how often it was begun anew: answers of an earlier time say nothing.
    server: String,
    epoch: u64,
}

impl Snapshot {
    /// The connection leads to this server from now on, after a time in which it was not known to: what was listed
    /// before is no proof of absence any more, and of another server it is nothing at all. Returns the new epoch.
    pub fn lead_to(&mut self, server: &str) -> u64 {
        if self.server != server {
            self.clear();
            server.clone_into(&mut self.server);
        }
        self.complete = false;
        self.sweeping = false;
        self.epoch += 1;
        self.epoch
    }

    /// Whether what is of that epoch still counts.
    pub fn is_of(&self, epoch: u64) -> bool {
        self.epoch == epoch
    }

    /// The server that all this is of.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// A sweep begins; what earlier ones found stays until it has ended.
    pub fn begin(&mut self) {
        self.sweep += 1;
        self.sweeping = true;
    }

    /// Takes in one page. `keep` says of which accounts the whole resource is wanted.
    /// Returns how many ids were new in this sweep: none means that the listing has come to its end.
    pub fn page(&mut self, resources: Vec<Resource>, keep: impl Fn(&Resource) -> bool) -> usize {
        let mut new = 0;
        for resource in resources {
            let Some(id) = resource.id() else { continue };
            match self.entries.get_mut(id) {
                Some(entry) if entry.sweep == self.sweep && entry.learnt => {
                    // Counted once as seen, so that a listing which repeats itself still ends.
                    entry.learnt = false;
                    new += 1;
                    continue;
                }
                Some(entry) if entry.sweep == self.sweep => continue,
                _ => new += 1,
            }
            let kept = keep(&resource);
            self.put(&resource, kept, false);
        }
        new
    }

    /// The sweep ended. Complete: accounts that it did not show are forgotten.
    pub fn end(&mut self, complete: bool) {
        self.sweeping = false;
        if complete {
            let gone: Vec<String> =
                self.entries.iter().filter(|(_, entry)| entry.sweep < self.sweep).map(|(id, _)| id.clone()).collect();
            for id in gone {
                self.forget(&id);
            }
            self.complete = true;
        }
    }

    /// Takes in what the server answered to a read or a write of one account.
    pub fn learn(&mut self, resource: &Resource) {
        let learnt = self.sweeping;
        self.put(resource, true, learnt);
    }

    /// What the account looks like by now isn't certain: it is read before anything rests on it.
    pub fn unsee(&mut self, id: &str) {
        let (sweep, learnt) = (self.sweep, self.sweeping);
        if let Some(entry) = self.entries.get_mut(id) {
            entry.json = None;
            // Nor does a page tell that was asked for before.
            (entry.sweep, entry.learnt) = (sweep, learnt);
        }
    }

    /// The account is gone.
    pub fn forget(&mut self, id: &str) {
        if let Some(entry) = self.entries.remove(id) {
            drop_from(&mut self.names, &entry.name, id);
            if let Some(external_id) = &entry.external_id {
                drop_from(&mut self.external_ids, external_id, id);
            }
        }
    }

    /// Nothing is known any more.
    fn clear(&mut self) {
        *self = Self { sweep: self.sweep, epoch: self.epoch, seen: self.seen, ..Self::default() };
    }

    /// This moment, for [`Self::knew`].
    pub fn moment(&self) -> u64 {
        self.seen
    }

    /// The account had been seen at that moment.
    pub fn knew(&self, id: &str, moment: u64) -> bool {
        self.entries.get(id).is_some_and(|entry| entry.number < moment)
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

    /// A complete sweep has ended.
    pub fn is_complete(&self) -> bool {
        self.complete
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
            (None, _) if self.complete => Known::Absent,
            (None, _) => Known::Unknown,
            (Some(id), None) => match self.by_id(id) {
                Known::Unknown => Known::Listed(id.clone()),
                known => known,
            },
            (Some(_), Some(_)) => Known::Contradictory(contradiction(named.len())),
        }
    }

    fn put(&mut self, resource: &Resource, keep: bool, learnt: bool) {
        let Some(id) = resource.id() else { return };
        let number = self.entries.get(id).map_or(self.seen, |known| known.number);
        self.seen += 1;
        self.forget(id);
        let name = resource.user_name().map(fold).unwrap_or_default();
        let external_id = resource.external_id().map(str::to_owned);
        self.names.entry(name.clone()).or_default().insert(id.to_owned());
        if let Some(external_id) = &external_id {
            self.external_ids.entry(external_id.clone()).or_default().insert(id.to_owned());
        }
        let emails =
            resource.emails().map(|email| if fold(email) == name { "".into() } else { email.into() }).collect();
        let json = keep.then(|| serde_json::to_string(&resource.0).ok().map(String::into_boxed_str)).flatten();
        let entry = Entry {
            name,
            external_id,
            active: resource.active().unwrap_or(true),
            emails,
            json,
            sweep: self.sweep,
            learnt,
            number,
        };
        self.entries.insert(id.to_owned(), entry);
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
mod tests {
    use super::*;
    use serde_json::json;

    fn user(id: &str, name: &str, title: &str) -> Resource {
        let value = json!({"id": id, "userName": name, "title": title});
        Resource(value.as_object().cloned().unwrap_or_default())
    }

    #[test]
    fn i11_an_unfinished_sweep_proves_nothing() {
        let mut snapshot = Snapshot::default();
        snapshot.begin();
        snapshot.page(vec![user("1", "ada", "")], |_| true);
        snapshot.end(false);
        assert_eq!(snapshot.by_identity("bob", None), Known::Unknown);
        snapshot.begin();
        snapshot.page(vec![user("1", "ada", "")], |_| true);
        snapshot.end(true);
        assert_eq!(snapshot.by_identity("bob", None), Known::Absent);
        assert_eq!(snapshot.by_id("2"), Known::Unknown, "an id is asked for before it counts as gone");
    }

    #[test]
    fn a_page_never_overwrites_what_a_later_write_reported() {
        let mut snapshot = Snapshot::default();
        snapshot.begin();
        snapshot.learn(&user("1", "ada", "new"));
        assert_eq!(snapshot.page(vec![user("1", "ada", "old")], |_| true), 1);
        snapshot.end(true);
        assert_eq!(snapshot.by_id("1"), Known::Found(user("1", "ada", "new")));
    }

    #[test]
    fn i06_an_account_that_nobody_declared_yet_is_read_by_its_id() {
        let mut snapshot = Snapshot::default();
        snapshot.begin();
        snapshot.page(vec![user("1", "ada", "")], |_| false);
        snapshot.end(true);
        assert_eq!(snapshot.by_identity("Ada", None), Known::Listed("1".into()), "a filter may not find it");
    }

    #[test]
    fn i12_what_isnt_certain_any_more_is_read() {
        let mut snapshot = Snapshot::default();
        snapshot.learn(&user("1", "ada", ""));
        snapshot.unsee("1");
        assert_eq!(snapshot.by_id("1"), Known::Unknown);
        assert_eq!(snapshot.by_identity("ada", None), Known::Listed("1".into()));
    }

    #[test]
    fn i12_a_page_that_was_asked_for_before_makes_nothing_certain() {
        let mut snapshot = Snapshot::default();
        snapshot.learn(&user("1", "ada", ""));
        snapshot.begin();
        snapshot.unsee("1");
        assert_eq!(snapshot.page(vec![user("1", "ada", "")], |_| true), 1);
        snapshot.end(true);
        assert_eq!(snapshot.by_id("1"), Known::Unknown);
        snapshot.begin();
        snapshot.page(vec![user("1", "ada", "new")], |_| true);
        assert_eq!(snapshot.by_id("1"), Known::Found(user("1", "ada", "new")));
    }

    #[test]
    fn i14_an_account_is_known_by_its_emails_too() {
        let mut snapshot = Snapshot::default();
        let mut eve = user("1", "Eve@example.com", "");
        eve.0.insert("emails".into(), json!([{"value": "eve@example.com"}, {"value": "Eu-BreakGlass@example.com"}]));
        snapshot.page(vec![eve], |_| false);
        let (name, emails) = snapshot.identity("1").expect("seen");
        assert_eq!(
            (name, emails.collect::<Vec<_>>()),
            ("eve@example.com", vec!["eve@example.com", "Eu-BreakGlass@example.com"])
        );
        assert!(snapshot.identity("2").is_none());
    }

    #[test]
    fn i11_repeated_pages_bring_nothing_new() {
        let mut snapshot = Snapshot::default();
        snapshot.begin();
        assert_eq!(snapshot.page(vec![user("1", "ada", ""), user("2", "bob", "")], |_| true), 2);
        assert_eq!(snapshot.page(vec![user("2", "bob", ""), user("1", "ada", "")], |_| true), 0);
    }

    #[test]
    fn i06_two_accounts_that_fit_are_a_contradiction() {
        let mut snapshot = Snapshot::default();
        let mut linked = user("2", "bob", "");
        linked.0.insert("externalId".into(), json!("x"));
        snapshot.learn(&user("1", "ada", ""));
        snapshot.learn(&linked);
        assert!(matches!(snapshot.by_identity("Ada", Some("x")), Known::Contradictory(_)));
        assert_eq!(snapshot.by_identity("Ada", Some("y")), Known::Found(user("1", "ada", "")));
    }
}
