//! Whose membership may be given or taken: what the server shows of the account behind it (promises I14, I26, I31).

use std::collections::BTreeSet;
use std::ops::Bound;

use kube::ResourceExt;

use super::super::effects::Effects;
use super::super::limiter::{Priority, RequestKind};
use super::super::report::FirstSweep;
use super::super::{Provisioner, lock};
use super::plan::LOOKED_AT;
use super::{GroupPass, GroupStop, full_name, is_deleting};
use crate::api::{GroupDeletionPolicy, ScimGroup};
use crate::plan::groups::{Id, KeptMembers};
use crate::plan::protect::Protected;
use crate::plan::{Account, Delegated};
use crate::scim::{Class, Kind};

/// So many accounts are read one by one; more are left to the sweep, while it is still to come.
const READ_SINGLY: usize = 20;

/// What is known of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing speaks against a change.
    Free,
    /// This is why the membership stays as it is.
    Kept(String),
    /// The server has yet to show whose it is, so it stays as it is for now.
    Unknown,
}

impl<E: Effects> Provisioner<E> {
    /// Whether `guards.protected` keeps the account in its groups, by all that is known of it (promise I14).
    pub(super) fn protection(&self, pass: &GroupPass, id: &Id) -> Standing {
        let protected = &pass.session.policy.protected;
        if protected.is_empty() {
            return Standing::Free;
        }
        let user = self.directory.bound_to(&self.key, &pass.session.policy.server, id);
        let mut names = vec![id.to_string()];
        if let Some(user) = &user {
            names.push(user.spec.user_name.clone());
            names.extend(user.spec.attributes.emails.iter().flatten().map(|email| email.value.clone()));
        }
        let shown = lock(&self.snapshot).identity(id).map(|(name, emails)| {
            names.push(name.to_owned());
            names.extend(emails.map(str::to_owned));
        });
        match protected.matches(names.iter().map(String::as_str)) {
            Some(pattern) => Standing::Kept(pattern.to_owned()),
            None if shown.is_some() || self.is_no_account(pass, id) => Standing::Free,
            None => Standing::Unknown,
        }
    }

    /// Whether the namespace may put the account into a group of its own (promise I26).
    fn admissibility(&self, delegated: &Delegated, id: &Id) -> Standing {
        if !delegated.is_bounded() {
            return Standing::Free;
        }
        let refused = {
            let snapshot = lock(&self.snapshot);
            snapshot.identity(id).map(|(name, emails)| delegated.refuses_identity(Some(name), emails))
        };
        let refused = refused.or_else(|| match lock(&self.groups).by_id(id) {
            Account::Found { resource, .. } => {
                let name = resource.get("displayName").and_then(serde_json::Value::as_str).unwrap_or_default();
                Some(delegated.refuses_group(name, [], false))
            }
            _ => None,
        });
        match refused {
            Some(Some(why)) => Standing::Kept(why),
            Some(None) => Standing::Free,
            None => Standing::Unknown,
        }
    }

    /// A nested group, or an id that the server denies.
    fn is_no_account(&self, pass: &GroupPass, id: &Id) -> bool {
        pass.strangers.contains(id) || matches!(lock(&self.groups).by_id(id), Account::Found { .. })
    }

    /// The members that stay as they are, though they are to be put in or taken out: as many as the next request has to
    /// know of.
    pub(super) fn kept_members(&self, pass: &GroupPass, departed: &BTreeSet<Id>) -> KeptMembers {
        let mut kept = KeptMembers::default();
        let policy = &pass.session.policy;
        if is_deleting(&pass.group) {
            for id in self.members_here(pass) {
                kept.note_leaving(&id, self.protection(pass, &id));
            }
            kept.unseen = self.may_hide_protected(pass);
            return kept;
        }
        let most = usize::try_from(policy.profile.max_members_per_patch).unwrap_or(100).max(1);
        if !policy.protected.is_empty() {
            for id in departed {
                kept.note_leaving(id, self.protection(pass, id));
            }
            self.walk(pass, most, true, |id| {
                let standing = self.protection(pass, id);
                let free = standing == Standing::Free;
                kept.note_leaving(id, standing);
                free
            });
        }
        let delegated = self.delegated_to(&pass.group);
        if delegated.is_bounded() {
            self.walk(pass, most, false, |id| {
                let standing = self.admissibility(&delegated, id);
                let free = standing == Standing::Free;
                kept.note_coming(id, standing);
                free
            });
        }
        kept
    }

    /// Looks at those who are to go, or to come, until so many are free to.
    fn walk(&self, pass: &GroupPass, most: usize, going: bool, mut is_free: impl FnMut(&Id) -> bool) {
        let (mut free, mut last) = (0, Bound::Unbounded);
        while free < most {
            let some: Option<Vec<Id>> = self.directory.membership(&pass.uid(), |members| {
                let all = if going { members.extra() } else { members.missing() };
                all.range((last.clone(), Bound::Unbounded)).take(LOOKED_AT).cloned().collect()
            });
            let Some(some) = some.filter(|some| !some.is_empty()) else { break };
            free += some.iter().filter(|id| is_free(id) && !pass.sent.contains(*id)).count();
            last = some.last().cloned().map_or(Bound::Unbounded, Bound::Excluded);
        }
    }

    fn members_here(&self, pass: &GroupPass) -> Vec<Id> {
        let here = self.directory.membership(&pass.uid(), |members| members.here().cloned().collect());
        here.unwrap_or_default()
    }

    /// How far the group's namespace may use the connection.
    pub(super) fn delegated_to(&self, group: &ScimGroup) -> Delegated {
        self.directory.delegated(&group.namespace().unwrap_or_default(), &self.key)
    }

    /// Whether a group whose members the server doesn't show may have one that a pattern protects: where any account
    /// is, or not every account was seen.
    fn may_hide_protected(&self, pass: &GroupPass) -> Option<String> {
        let patterns: Protected = pass.session.policy.protected.patterns_alone();
        if patterns.is_empty() || pass.session.policy.profile.members_readable.with_group() {
            return None;
        }
        let snapshot = lock(&self.snapshot);
        if !snapshot.is_complete() {
            return Some("guards.protected may keep an account that was not listed yet".to_owned());
        }
        let mut ids = snapshot.accounts().map(|(id, ..)| id);
        ids.find_map(|id| {
            let (name, emails) = snapshot.identity(id)?;
            let pattern = patterns.matches([id, name].into_iter().chain(emails))?;
            Some(format!("guards.protected ({pattern}) keeps the memberships of an account"))
        })
    }

    /// Reads the accounts that the next request about the group rests on and that the server hasn't shown yet. Many are
    /// left to the first sweep.
    pub(super) async fn look_at_members(&self, pass: &mut GroupPass) -> Result<(), GroupStop> {
        if pass.session.policy.suspend || !Self::concerns_members(pass) {
            return Ok(());
        }
        let departed = self.directory.departed(&pass.uid());
        let unknown = self.kept_members(pass, &departed).unknown;
        let unknown: Vec<Id> = unknown.into_iter().filter(|id| !pass.looked_at.contains(id)).collect();
        let swept = lock(&self.report).first_sweep == FirstSweep::Ended;
        if unknown.len() > READ_SINGLY && !swept {
            return Ok(());
        }
        for id in unknown.into_iter().take(READ_SINGLY) {
            let deadline = self.group_turn(pass, RequestKind::Read, Priority::Write).await?;
            match self.effects.get(&pass.session.client, Kind::Users, &id, false, deadline).await {
                Ok(account) if self.is_current(&pass.session) => lock(&self.snapshot).learn(&account),
                Ok(_) => {}
                Err(error) if error.class() == Class::NotFound => {
                    // Neither listed nor there: a group, or nobody.
                    if lock(&self.snapshot).is_complete() {
                        pass.strangers.insert(id.clone());
                    }
                }
                // One account that can't be read is kept as it is, and decides over nobody else (promise I20).
                Err(error) if matches!(error.class(), Class::Rejected | Class::Forbidden | Class::Unsupported) => {
                    self.note_failure(&full_name(&pass.group), &error);
                }
                Err(error) => return Err(self.group_failed(pass, &error)),
            }
            pass.looked_at.insert(id);
        }
        Ok(())
    }

    /// The next request may change who is in the group.
    fn concerns_members(pass: &GroupPass) -> bool {
        let policy = &pass.session.policy;
        if !is_deleting(&pass.group) {
            return pass.status.id.is_some();
        }
        let deletes = |policy| policy == GroupDeletionPolicy::Delete;
        deletes(policy.group_deletion)
            && pass.group.spec.deletion_policy.is_none_or(deletes)
            && !pass.group.wants_release()
    }
}

impl KeptMembers {
    fn note_leaving(&mut self, id: &Id, standing: Standing) {
        match standing {
            Standing::Free => return,
            Standing::Kept(why) => self.protected_by = Some(why),
            Standing::Unknown => _ = self.unknown.insert(id.clone()),
        }
        self.leaving.insert(id.clone());
    }

    fn note_coming(&mut self, id: &Id, standing: Standing) {
        match standing {
            Standing::Free => return,
            Standing::Kept(why) => self.refused = Some(why),
            Standing::Unknown => _ = self.unknown.insert(id.clone()),
        }
        self.coming.insert(id.clone());
    }
}
