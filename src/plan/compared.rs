//! An account beside what is declared, as the planner compares them: for people who look at both.

use std::collections::BTreeMap;

use super::active::{is_seen_active, reactivation};
use super::change::Change;
use super::decide::differing;
use super::declared::Declared;
use super::facts::{Account, Facts, is_hidden};
use super::ignored;
use super::path::Path;
use super::write::due;
use crate::api::IgnoredReason;
use crate::scim::Resource;

/// What becomes of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// It is written.
    Owed,
    /// It was changed at the server, and `driftPolicy.attributes` leaves it so.
    Drift,
    /// It isn't written, for this reason.
    Left(IgnoredReason),
    /// The server keeps such values in a known form of its own: nothing is owed.
    Reworded,
}

/// What is declared, what is shown, and what becomes of each difference.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// What is declared, as everything stands.
    pub declared: Declared,
    /// The account: entries without a type have that of the declared ones that they stand for.
    pub shown: Resource,
    /// What differs, and what becomes of it.
    pub differences: BTreeMap<Path, (Change, Outlook)>,
    /// `active` is to be written.
    pub active_is_owed: bool,
    /// The server hides what inactive accounts have: that nothing differs says nothing.
    pub is_hidden: bool,
}

impl Comparison {
    /// How much is to be written.
    pub fn owed(&self) -> usize {
        let owed = self.differences.values().filter(|(_, outlook)| *outlook == Outlook::Owed).count();
        owed + usize::from(self.active_is_owed)
    }
}

/// Compares them as [`super::decide`] does; none where no account is known.
pub fn compared(facts: &Facts) -> Option<Comparison> {
    let Account::Found { resource, .. } = &facts.account else { return None };
    let declared = facts.declared();
    let seen_active = is_seen_active(facts, &declared, resource);
    let reactivate = reactivation(facts, &declared, seen_active).unwrap_or(false);
    let active_is_owed = reactivate || (declared.active == Some(false) && seen_active);
    let is_hidden = is_hidden(facts, resource);
    let (view, mut found) = differing(facts, &declared, resource);
    if is_hidden && !reactivate {
        found.clear();
    }
    let sorted = ignored::sort(found.clone(), &view, facts, &declared.unsupported);
    let due = due(facts, &declared, &view.resource, &sorted.effective, reactivate);
    let outlook = |path: &Path| {
        let left = sorted.ignored.iter().find(|ignored| ignored.path == *path);
        match left {
            _ if due.contains_key(path) => Outlook::Owed,
            _ if sorted.effective.contains_key(path) => Outlook::Drift,
            Some(left) => Outlook::Left(left.reason),
            None => Outlook::Reworded,
        }
    };
    let differences = found.into_iter().map(|(path, change)| {
        let outlook = outlook(&path);
        (path, (change, outlook))
    });
    let differences = differences.collect();
    Some(Comparison { declared, shown: view.resource, differences, active_is_owed, is_hidden })
}
