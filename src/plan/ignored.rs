//! Attributes that a server takes and doesn't keep (promise I4): remembered by a digest of both sides,
//! so that neither a sweep nor a restart writes them again until one side changes.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::change::{Change, Differences};
use super::digests::Digests;
use super::facts::{Account, Facts};
use super::merge::differences;
use super::path::Path;
use super::reworded;
use super::step::Ignored;
use super::untyped::{self, View};
use crate::api::{IgnoredAttribute, IgnoredReason, hex};

/// So many letters of a server's words are kept in status.
const MESSAGE_LIMIT: usize = 256;

/// What to write, and what to leave.
#[derive(Debug, Default)]
pub struct Sorted {
    /// Differences that a write would mend.
    pub effective: Differences,
    /// Differences that no write mends.
    pub ignored: Vec<Ignored>,
    /// Declared entries of which nobody can tell which one shown they are.
    pub ambiguous: Vec<Path>,
}

/// Parts the differences into those worth a write and those that are not.
pub fn sort(differences: Differences, view: &View, facts: &Facts, unsupported: &[Path]) -> Sorted {
    let observed = &view.resource;
    let mut sorted = Sorted { ambiguous: view.ambiguous.clone(), ..Sorted::default() };
    for path in unsupported {
        sorted.ignored.push(Ignored { path: path.clone(), reason: IgnoredReason::Unsupported, digest: String::new() });
    }
    for (path, change) in differences {
        if reworded::is_known(facts, &path, &change, path.read(observed)) {
            continue;
        }
        let digest = digest(&change, path.read(observed));
        let name = path.to_string();
        let known = known(facts, &name, &digest);
        let settled = facts.object.status.observed_generation == Some(facts.object.generation);
        let reason = if view.ambiguous.contains(&path) {
            Some(IgnoredReason::Unsupported)
        } else if facts.split.refusal(&name).is_some() {
            Some(IgnoredReason::Rejected)
        } else if facts.written.contains(&path) {
            Some(if matches!(change, Change::Remove) && !facts.policy.profile.patch_remove {
                IgnoredReason::Unsupported
            } else if reworded::is_reworded(facts, view, &path, &change) {
                IgnoredReason::Reworded
            } else {
                IgnoredReason::NotPersisted
            })
        } else if reworded::is_never_kept(facts, &path, &change, path.read(observed)) {
            Some(IgnoredReason::NotPersisted)
        } else if facts.contested.contains(&path) && settled {
            Some(IgnoredReason::Contested)
        } else {
            known.filter(|reason| *reason != IgnoredReason::Contested || settled)
        };
        match reason {
            Some(reason) => sorted.ignored.push(Ignored { path, reason, digest }),
            None => {
                sorted.effective.insert(path, change);
            }
        }
    }
    sorted
}

/// Why status says that this difference is left, in its list or beyond it.
fn known(facts: &Facts, name: &str, digest: &str) -> Option<IgnoredReason> {
    let status = facts.object.status;
    let listed = status.ignored_attributes.iter().flatten();
    let mut listed = listed.filter(|ignored| {
        let same = ignored.path == name && ignored.digest.as_deref() == Some(digest);
        same && (ignored.reason != IgnoredReason::Rejected || rests(facts, ignored))
    });
    let reasons =
        [IgnoredReason::NotPersisted, IgnoredReason::Reworded, IgnoredReason::Unsupported, IgnoredReason::Contested];
    listed.next().map(|ignored| ignored.reason).or_else(|| {
        let more = Digests::read(status.more_ignored.as_deref());
        reasons.into_iter().find(|reason| more.contains(&[name, reason.as_str(), digest]))
    })
}

/// What was refused within the hour isn't sent again, unless a person asks.
fn rests(facts: &Facts, ignored: &IgnoredAttribute) -> bool {
    !facts.object.requested && facts.tried.rests_until(ignored).is_some_and(|until| facts.now < until)
}

/// What status is to record of an attribute that the server refused by itself; none where it isn't owed.
pub fn rejection(facts: &Facts, part: &str, words: &str) -> Option<IgnoredAttribute> {
    let declared = facts.declared();
    let Account::Found { resource, .. } = &facts.account else { return None };
    let owned = facts.owned(resource);
    let view = untyped::typed(&declared, &owned, resource);
    let found = differences(&declared, &view.resource, &owned);
    let (path, change) = found.iter().find(|(path, _)| path.to_string() == part)?;
    let entry = IgnoredAttribute {
        path: part.to_owned(),
        reason: IgnoredReason::Rejected,
        generation: Some(facts.object.generation),
        digest: Some(digest(change, path.read(&view.resource))),
        message: Some(words.chars().take(MESSAGE_LIMIT).collect()),
        since: Some(Time(facts.now)),
    };
    // Refused once more, it is no news.
    let mut known = facts.object.status.ignored_attributes.iter().flatten();
    let same = |known: &&IgnoredAttribute| {
        (&known.path, known.reason, &known.digest, &known.message)
            == (&entry.path, entry.reason, &entry.digest, &entry.message)
    };
    Some(known.find(same).cloned().unwrap_or(entry))
}

/// The paths of some differences.
pub fn paths(differences: &Differences) -> BTreeSet<Path> {
    differences.keys().cloned().collect()
}

/// Eight bytes in hex over the wanted and the shown value: enough to see a change, useless to guess a value.
fn digest(change: &Change, observed: Option<&Value>) -> String {
    let mut hash = Sha256::new();
    match change {
        Change::Set(value) => hash.update(value.to_string()),
        Change::Remove => hash.update("-"),
    }
    hash.update([0]);
    hash.update(observed.map(Value::to_string).unwrap_or_default());
    hex(&hash.finalize()[..8])
}
