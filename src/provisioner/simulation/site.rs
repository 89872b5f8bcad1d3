//! The server of a history: the planner's server in miniature, with unique names, versions and a past.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::model::Server;
use super::quirks::{Doubles, Quirks};
use super::site_groups::{Group, Groups};
use crate::plan::Request;
use crate::scim::{Attributes, Resource, fold};

/// What comes back from the server.
#[derive(Clone, Debug)]
pub enum Answer {
    Shown(Resource),
    /// 200 to a creation, with what was there already.
    Upserted(Resource),
    /// 201 to a creation, with what was there already.
    PassedForNew(Resource),
    /// It took effect; the account isn't shown.
    Done,
    NotFound,
    /// 404, as frameworks answer that have no such route.
    NoRoute,
    Conflict,
    Precondition,
    Rejected,
    /// 415.
    ContentType,
    /// 405.
    Unsupported,
    /// 403.
    Forbidden,
    /// 403 without a word.
    Mute,
    /// 429.
    Throttled,
    /// No answer, or one that asks to try again.
    Broken,
}

/// The server.
#[derive(Clone, Debug, Default)]
pub struct Site {
    pub server: Server,
    pub groups: Groups,
    pub unique: bool,
    pub quirks: Quirks,
    /// Who hasn't accepted an invitation yet.
    pub invited: BTreeSet<String>,
    /// What people changed of accounts.
    pub edited_by_hand: BTreeSet<(String, &'static str)>,
    versions: u64,
    past: BTreeMap<String, Attributes>,
    /// What a person or another program did there, and we may not undo.
    pub deactivated_by_hand: BTreeSet<String>,
    pub activated_by_hand: BTreeSet<String>,
    pub deleted_by_hand: BTreeSet<String>,
}

impl Site {
    /// Ids are counted from here.
    pub fn begin_ids_at(&mut self, number: usize) {
        self.server.next_id = number;
        self.groups.begin_ids_at(number);
    }

    /// Everything gets another id, as in a database that was built anew; each old one and its new one.
    pub fn build_anew(&mut self) -> BTreeMap<String, String> {
        let mut ids = BTreeMap::new();
        for (old, mut account) in std::mem::take(&mut self.server.accounts) {
            self.server.next_id += 1;
            let new = self.server.id();
            account.insert("id".into(), Value::from(new.as_str()));
            self.server.accounts.insert(new.clone(), account);
            ids.insert(old, new);
        }
        self.groups.renumber(&mut ids);
        let new = |id: &String| ids.get(id).unwrap_or(id).clone();
        let sets =
            [&mut self.deactivated_by_hand, &mut self.activated_by_hand, &mut self.deleted_by_hand, &mut self.invited];
        for set in sets {
            *set = set.iter().map(new).collect();
        }
        self.edited_by_hand = self.edited_by_hand.iter().map(|(id, what)| (new(id), *what)).collect();
        self.remember();
        ids
    }

    /// Carries out a request.
    pub fn apply(&mut self, request: &Request) -> Answer {
        if let Some(refusal) = self.refusal(request) {
            return refusal;
        }
        if let Request::Put { id, if_match: Some(tag), .. } = request
            && self.get(id).is_some_and(|account| account.version() != Some(tag))
        {
            return Answer::Precondition;
        }
        let target = request.target().map(str::to_owned);
        if target.as_ref().is_some_and(|id| !self.server.accounts.contains_key(id)) {
            return Answer::NotFound;
        }
        if let Request::Create(body) = request
            && let Some(there) = self.double(body).and_then(|id| self.get(&id))
        {
            return match self.quirks.doubles {
                Doubles::Refused => Answer::Conflict,
                Doubles::Shown => Answer::Upserted(there),
                Doubles::PassedForNew => Answer::PassedForNew(there),
            };
        }
        let before = target.as_ref().and_then(|id| self.server.accounts.get(id).cloned());
        let Ok(shown) = self.server.apply(request) else { return Answer::Rejected };
        let id = target.or_else(|| shown.as_ref()?.id().map(str::to_owned)).unwrap_or_default();
        if !self.server.accounts.contains_key(&id) {
            self.groups.without_account(&id);
            return Answer::Done;
        }
        if let Some(objection) = self.objection(&id) {
            self.server.accounts.extend(before.map(|account| (id, account)));
            return objection;
        }
        self.keep(&id, before.is_none());
        self.stamp(&id, before.as_ref());
        match shown {
            Some(_) => self.get(&id).map_or(Answer::NotFound, Answer::Shown),
            None => Answer::Done,
        }
    }

    pub fn get(&self, id: &str) -> Option<Resource> {
        self.server.get(id)
    }

    /// What a look-up finds, now or, where reads lag behind, a while ago.
    pub fn find(&self, user_name: &str, external_id: Option<&str>, stale: bool) -> Vec<Resource> {
        if !stale {
            return self.server.find(user_name, external_id);
        }
        let mut past = Server::default();
        past.accounts.clone_from(&self.past);
        past.find(user_name, external_id)
    }

    /// The accounts that have this value.
    pub fn find_by(&self, attribute: &str, value: &str, stale: bool) -> Vec<Resource> {
        let fits = |account: &Resource| account.get(attribute).and_then(Value::as_str).map(fold) == Some(fold(value));
        self.list(stale).into_iter().filter(fits).collect()
    }

    /// The database is rebuilt: everything has a new id.
    pub fn renumber(&mut self) {
        let renumbered = |id: &String, mut attributes: Attributes| {
            let id = format!("new-{id}");
            attributes.insert("id".into(), json!(id));
            (id, attributes)
        };
        self.renumber_accounts();
        for (id, mut group) in std::mem::take(&mut self.groups.all) {
            let (id, attributes) = renumbered(&id, group.attributes);
            group.attributes = attributes;
            self.groups.all.insert(id, group);
        }
    }

    /// Accounts alone have new ids.
    pub fn renumber_accounts(&mut self) {
        for (id, mut account) in std::mem::take(&mut self.server.accounts) {
            let id = format!("new-{id}");
            account.insert("id".into(), json!(id));
            self.server.accounts.insert(id, account);
        }
        for (id, group) in self.groups.all.clone() {
            let members = group.members.iter().map(|member| format!("new-{member}")).collect();
            self.groups.change(&id, Group { members, ..group });
        }
    }

    /// People did something to the account.
    pub fn is_touched(&self, id: &str) -> bool {
        let sets = [&self.deactivated_by_hand, &self.activated_by_hand, &self.invited];
        sets.into_iter().any(|set| set.contains(id)) || self.edited_by_hand.iter().any(|(of, _)| of == id)
    }

    /// Two accounts change ids; no read shows how it was before.
    pub fn swap(&mut self, one: &str, other: &str) {
        let taken = [one, other].map(|id| self.server.accounts.remove(id).unwrap_or_default());
        for (id, mut account) in [other, one].into_iter().zip(taken) {
            account.insert("id".into(), Value::from(id));
            self.server.accounts.insert(id.to_owned(), account);
            self.stamp(id, None);
        }
        self.remember();
    }

    /// Every account, now or a while ago.
    pub fn list(&self, stale: bool) -> Vec<Resource> {
        let accounts = if stale { &self.past } else { &self.server.accounts };
        accounts.values().cloned().map(Resource).collect()
    }

    /// Reads that lag show this moment from now on.
    pub fn remember(&mut self) {
        self.past.clone_from(&self.server.accounts);
        self.groups.remember();
    }

    /// A change by hand; false where the server doesn't have it so.
    pub fn meddle(&mut self, id: &str, change: impl FnOnce(&mut Attributes)) -> bool {
        let Some(account) = self.server.accounts.get_mut(id) else { return false };
        let before = account.clone();
        change(account);
        let name = name_of(account);
        if self.taken(&name, Some(id)) || self.objection(id).is_some() {
            self.server.accounts.insert(id.to_owned(), before);
            return false;
        }
        self.stamp(id, Some(&before));
        true
    }

    /// An account made by hand.
    pub fn invite(&mut self, name: &str, active: bool) {
        if self.taken(&fold(name), None) {
            return;
        }
        let body = json!({"userName": name, "active": active});
        let Value::Object(body) = body else { return };
        if let Ok(Some(made)) = self.server.apply(&Request::Create(body)) {
            let id = made.id().unwrap_or_default().to_owned();
            if !active {
                self.deactivated_by_hand.insert(id.clone());
            }
            self.stamp(&id, None);
        }
    }

    fn taken(&self, folded: &str, by: Option<&str>) -> bool {
        self.server.accounts.iter().any(|(id, account)| Some(id.as_str()) != by && name_of(account) == folded)
    }

    /// A new version where something changed.
    fn stamp(&mut self, id: &str, before: Option<&Attributes>) {
        let Some(account) = self.server.accounts.get_mut(id) else { return };
        account.remove("meta");
        let bare = |account: &Attributes| account.iter().filter(|(name, _)| *name != "meta").count();
        let same = before.is_some_and(|before| {
            bare(before) == account.len() && account.iter().all(|(name, value)| before.get(name) == Some(value))
        });
        let kept = before.and_then(|before| before.get("meta").cloned()).filter(|_| same);
        self.versions += u64::from(kept.is_none());
        let fresh = json!({"version": self.versions.to_string()});
        account.insert("meta".into(), kept.unwrap_or(fresh));
    }
}

/// The folded userName of an account.
pub fn name_of(account: &Attributes) -> String {
    account.get("userName").and_then(Value::as_str).map(fold).unwrap_or_default()
}

/// Whether the account is active.
pub fn is_active(account: &Attributes) -> bool {
    account.get("active") != Some(&Value::Bool(false))
}
