//! What the checks remember of a history.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::Uid;
use crate::plan::Path;
use crate::plan::guards::GuardName;

/// What the checks remember of a history.
#[derive(Debug, Default)]
pub struct Book {
    /// How many requests were sent for each object, and how many of them the server took.
    pub requests: BTreeMap<Uid, u64>,
    pub writes: BTreeMap<Uid, u64>,
    /// What guards let go: when, and which operation.
    pub admitted: BTreeMap<GuardName, Vec<(i64, String)>>,
    /// Operations that a person let go.
    pub approved: BTreeSet<String>,
    /// How many operations of an object were done.
    pub done: BTreeMap<Uid, u64>,
    /// Accounts that were ever made or bound by us.
    pub ours: BTreeSet<String>,
    /// Which object an account was last bound to.
    pub holders: BTreeMap<String, Uid>,
    /// Accounts made for an object.
    pub made: BTreeMap<Uid, Vec<String>>,
    /// Accounts that an object was bound to, recorded or not.
    pub taken: BTreeMap<Uid, Vec<String>>,
    /// The account and the attributes of an object when it was last at rest, on record.
    pub carried_out: BTreeMap<Uid, (String, BTreeMap<Path, serde_json::Value>)>,
    /// Accounts that may stay active although no object declares them.
    pub excused: BTreeSet<String>,
    /// Objects whose hold a person rejected, so that their account stays.
    pub rejected: BTreeSet<Uid>,
    /// Objects whose operation stays undone since a person rejected it, and the generation that asked for it.
    pub refused: BTreeSet<(Uid, i64)>,
    /// Whose creation was sent, and under which name.
    pub asked: BTreeSet<(Uid, String)>,
    /// How often the operator began.
    pub restarts: u64,
    /// When the server denied accounts and groups that were there.
    pub denied: BTreeMap<String, Vec<i64>>,
    /// Accounts of which a request was refused by a fault.
    pub forbidden: BTreeSet<String>,
    /// What a search that showed how things were a while ago hid from the object that searched.
    pub hidden: BTreeSet<(Uid, String)>,
    /// Accounts that nobody can tell to be their objects' since they have another id.
    pub lost: BTreeSet<String>,
    /// Ids of accounts and groups that have another one by now.
    pub renumbered: BTreeMap<String, String>,
    /// The account that a tenant wrote into the status of an object.
    pub forged: BTreeMap<Uid, String>,
    /// Two accounts that have each other's id.
    pub swapped: Option<(String, String)>,
    pub groups: GroupBook,
}

impl Book {
    /// The id that an account or a group has by now.
    pub fn now<'a>(&'a self, id: &'a str) -> &'a str {
        self.renumbered.get(id).map_or(id, String::as_str)
    }

    /// The server denies what is there.
    pub fn deny(&mut self, id: &str, now: i64) {
        self.denied.entry(id.to_owned()).or_default().push(now);
    }

    /// It was denied twice, a minute apart: that proves it gone (promise I11).
    fn is_proven_gone(&self, id: &str) -> bool {
        let times = self.denied.get(id).map(Vec::as_slice).unwrap_or_default();
        times.first().zip(times.last()).is_some_and(|(first, last)| last - first >= 60_000)
    }

    /// The object could not know that this account, or group, is its own.
    pub fn is_hidden_from(&self, uid: &Uid, id: &str) -> bool {
        self.is_proven_gone(id) || self.lost.contains(id) || self.hidden.contains(&(uid.clone(), id.to_owned()))
    }

    /// The same of any object.
    pub fn is_hidden(&self, id: &str) -> bool {
        self.is_proven_gone(id) || self.lost.contains(id) || self.hidden.iter().any(|(_, hidden)| hidden == id)
    }

    /// A request of the object arrived, and was taken, or not.
    pub fn count(&mut self, uid: &Uid, taken: bool) {
        *self.requests.entry(uid.clone()).or_default() += 1;
        *self.writes.entry(uid.clone()).or_default() += u64::from(taken);
    }

    /// Everything has another id now.
    pub fn renumber(&mut self, ids: &BTreeMap<String, String>) {
        let new = |id: &String| ids.get(id).unwrap_or(id).clone();
        // A creation may be recorded only after it.
        let lists = |map: &mut BTreeMap<Uid, Vec<String>>| {
            for known in map.values_mut() {
                let now: Vec<String> = known.iter().filter_map(|id| ids.get(id).cloned()).collect();
                known.extend(now);
            }
        };
        let groups = &mut self.groups;
        for set in [&mut self.ours, &mut self.excused, &mut self.lost, &mut groups.excused] {
            *set = set.iter().map(new).collect();
        }
        self.denied = std::mem::take(&mut self.denied).into_iter().map(|(id, times)| (new(&id), times)).collect();
        self.hidden = self.hidden.iter().map(|(uid, id)| (uid.clone(), new(id))).collect();
        for holders in [&mut self.holders, &mut groups.holders] {
            *holders = holders.iter().map(|(id, uid)| (new(id), uid.clone())).collect();
        }
        self.renumbered.values_mut().for_each(|id| *id = new(id));
        self.renumbered.extend(ids.clone());
        lists(&mut self.made);
        lists(&mut self.taken);
        lists(&mut groups.made);
        for pairs in [&mut groups.brought, &mut groups.recorded] {
            *pairs = pairs.iter().map(|(group, account)| (new(group), new(account))).collect();
        }
    }
}

/// The same of groups.
#[derive(Debug, Default)]
pub struct GroupBook {
    /// Groups made for an object.
    pub made: BTreeMap<Uid, Vec<String>>,
    /// Which object a group was last bound to.
    pub holders: BTreeMap<String, Uid>,
    /// The group and the account that a request of ours put in.
    pub brought: BTreeSet<(String, String)>,
    /// Those of them that are ours for all we know.
    pub recorded: BTreeSet<(String, String)>,
    /// Members that were taken out within the limit of an object: when, and which.
    pub taken_out: BTreeMap<Uid, Vec<(i64, String)>>,
    /// Groups that may stay although no object declares them.
    pub excused: BTreeSet<String>,
    /// Memberships that were on no record when the process died, where the server doesn't show any.
    pub forgotten: BTreeSet<(String, String)>,
}
