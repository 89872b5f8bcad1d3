//! Whose membership may be given or taken: what the server shows of the account behind it (promises I14, I26, I31).

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Bound;

use kube::ResourceExt;
use tracing::debug;

use super::super::Provisioner;
use super::super::effects::Effects;
use super::plan::LOOKED_AT;
use super::{GroupPass, GroupStop};
use crate::api::{GroupDeletionPolicy, RemoteId, ScimGroup};
use crate::directory::full_name;
use crate::plan::groups::{KeptMembers, part};
use crate::plan::protect::Protected;
use crate::plan::{Account, Delegated};
use crate::provisioner::connection::state::FirstSweep;
use crate::provisioner::engine::is_of_the_search;
use crate::provisioner::mirror::Mirror;
use crate::provisioner::mirror::sightings::Sightings;
use crate::provisioner::schedule::limiter::{Priority, RequestKind};
use crate::scim::{Class, Kind, Start, fold};

/// So many accounts are read one by one in a pass; more are left to the sweep, while it is still to come.
pub(super) const READ_SINGLY: usize = 20;

/// How far namespaces may use the connection, as far as it was asked.
type Known = BTreeMap<String, Delegated>;

/// What is known of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing speaks against a change.
    Free,
    /// This is why the membership stays as it is.
    Kept(String),
    /// The server has yet to show whose it is, so it stays as it is for now.
    Unknown,
    /// It may be a member that is declared, and whose account isn't known yet.
    Awaited,
    /// Two looks found that there is no such account: nobody loses anything by it, and nobody is put in (promise I11).
    Gone,
}

impl<E: Effects> Provisioner<E> {
    /// Whether `guards.protected` keeps the account in its groups, by all that is known of it (promise I14).
    pub(super) fn protection(&self, pass: &GroupPass, id: &RemoteId) -> Standing {
        let protected = &pass.session.policy.protected;
        if protected.is_empty() {
            return Standing::Free;
        }
        let user = self.directory.bound_to(&self.key, pass.server(), id);
        let mut names = vec![id.to_string()];
        if let Some(user) = &user {
            names.push(user.spec.user_name.clone());
            names.extend(user.spec.attributes.emails.iter().flatten().map(|email| email.value.clone()));
        }
        let shown = self.mirror.users.look(|known| {
            known.identity(id.as_str()).map(|(name, emails)| {
                names.push(name.to_owned());
                names.extend(emails.map(str::to_owned));
            })
        });
        match protected.matches(names.iter().map(String::as_str)) {
            Some(pattern) => Standing::Kept(pattern.to_owned()),
            None if shown.is_some() || self.group_of(id).is_some() => Standing::Free,
            None => self.unseen(id),
        }
    }

    /// Whether the namespace may put the account into a group of its own (promise I26).
    fn admissibility(&self, delegated: &Delegated, id: &RemoteId) -> Standing {
        if !delegated.is_bounded() {
            return Standing::Free;
        }
        let refused = self.mirror.users.look(|known| {
            known.identity(id.as_str()).map(|(name, emails)| delegated.refuses_identity(Some(name), emails))
        });
        let refused = refused.or_else(|| Some(delegated.refuses_group(&self.group_of(id)?, [], false)));
        match refused {
            Some(Some(why)) => Standing::Kept(why),
            Some(None) => Standing::Free,
            None => self.unseen(id),
        }
    }

    /// Of several namespaces one is enough that may have the account.
    fn admissible_to_any(&self, namespaces: &BTreeSet<String>, known: &mut Known, id: &RemoteId) -> Standing {
        let mut best = Standing::Kept("the record of this membership is none of the operator's".to_owned());
        for namespace in namespaces {
            let delegated =
                known.entry(namespace.clone()).or_insert_with(|| self.directory.delegated(namespace, &self.key));
            match self.admissibility(delegated, id) {
                Standing::Kept(why) if matches!(best, Standing::Kept(_)) => best = Standing::Kept(why),
                Standing::Kept(_) => {}
                Standing::Free => return Standing::Free,
                unseen => best = unseen,
            }
        }
        best
    }

    /// The name of a nested group. Where ids are numbers an account may have the same one, and is asked for first.
    pub(super) fn group_of(&self, id: &RemoteId) -> Option<String> {
        if id.as_str().bytes().all(|byte| byte.is_ascii_digit()) && !self.is_gone(id) {
            return None;
        }
        match self.mirror.groups.look(|known| known.by_id(id.as_str())) {
            Account::Found { resource, .. } => Some(resource.display_name().unwrap_or_default().to_owned()),
            _ => None,
        }
    }

    /// Of an account that nothing shows.
    pub(super) fn unseen(&self, id: &RemoteId) -> Standing {
        if self.is_gone(id) { Standing::Gone } else { Standing::Unknown }
    }

    /// Two looks found that there is no such account.
    fn is_gone(&self, id: &RemoteId) -> bool {
        self.mirror.users.look(|known| known.sightings.is_gone(id.as_str()))
    }

    /// What statuses say of those that we brought in, where tenants may have written them: whoever else is neither taken
    /// out nor taken for present (promise I32). Returns those of whom it can't be told yet.
    fn check_records(&self, pass: &GroupPass) -> Vec<RemoteId> {
        let (mut distrusted, mut unknown, mut known) = (HashSet::new(), Vec::new(), Known::new());
        for (id, namespaces) in self.directory.records_to_check(&pass.uid()) {
            match self.admissible_to_any(&namespaces, &mut known, &id) {
                Standing::Free | Standing::Gone | Standing::Awaited => {}
                Standing::Unknown => unknown.push(id),
                Standing::Kept(why) => {
                    debug!(member = %id, "its record isn't believed: {why}");
                    distrusted.insert(id);
                }
            }
        }
        // Before the first sweep ended, whoever is to stay in doesn't make a group wait for it.
        let swept = self.connection.state.first_sweep() == FirstSweep::Ended;
        let unknown = self.directory.membership(&pass.uid(), |members| {
            members.distrust_records(distrusted);
            unknown.retain(|id| members.extra().contains(id) || (swept && members.is_by_record()));
            unknown
        });
        unknown.unwrap_or_default()
    }

    /// Whether the account may be put in: by the group's namespace, and by that of whoever makes it a member.
    fn coming(&self, pass: &GroupPass, delegated: &Delegated, known: &mut Known, id: &RemoteId) -> Standing {
        match self.admissibility(delegated, id) {
            Standing::Free => {}
            other => return other,
        }
        if self.directory.is_member_by_name_alone(&pass.uid(), pass.server(), id) {
            match self.has_declared_name(pass, id) {
                Standing::Free => {}
                other => return other,
            }
        }
        let elsewhere = self.directory.referred_from_elsewhere(&pass.uid(), pass.server(), id);
        if elsewhere.is_empty() { Standing::Free } else { self.admissible_to_any(&elsewhere, known, id) }
    }

    /// The account has a userName that the group declares, by what the server shows of it: a status could say so of any
    /// account (promise I32).
    fn has_declared_name(&self, pass: &GroupPass, id: &RemoteId) -> Standing {
        let shown = self.mirror.users.look(|known| known.identity(id.as_str()).map(|(name, _)| fold(name)));
        let Some(shown) = shown else { return self.unseen(id) };
        let names = pass.object.spec.members.iter().flatten().filter_map(|member| member.user_name.as_deref());
        if names.map(fold).any(|name| name == shown) {
            Standing::Free
        } else {
            Standing::Kept("the account that is on record under its name has another one at the server".to_owned())
        }
    }

    /// The members that stay as they are, though they are to be put in or taken out: as many as the next request has to
    /// know of.
    pub(super) fn kept_members(&self, pass: &GroupPass, departed: &BTreeSet<RemoteId>) -> KeptMembers {
        let mut kept = KeptMembers::default();
        let policy = &pass.session.policy;
        let unproven = self.check_records(pass);
        if pass.is_deleting() {
            for id in self.members_here(pass) {
                kept.note_leaving(&id, self.protection(pass, &id));
            }
            kept.unseen = self.may_hide_protected(pass);
            return kept;
        }
        for id in unproven.into_iter().chain(self.to_be_shown(pass)) {
            kept.note_leaving(&id, Standing::Unknown);
        }
        let most = policy.profile.members_at_once();
        let awaited = self.awaited(pass);
        if !policy.protected.is_empty() || !awaited.is_empty() {
            for id in departed {
                kept.note_leaving(id, self.protection(pass, id));
            }
            self.walk(pass, most, true, |id| {
                let standing = self.may_leave(pass, &awaited, id);
                let free = matches!(standing, Standing::Free | Standing::Gone);
                kept.note_leaving(id, standing);
                free
            });
        }
        self.note_unserved(pass, departed, &mut kept);
        kept.coming.extend(pass.own.unrecorded.iter().cloned());
        let user = |id: &RemoteId| self.directory.bound_to(&self.key, pass.server(), id).map(|user| full_name(&user));
        kept.unrecorded = pass.own.unrecorded.iter().map(|id| user(id).unwrap_or_else(|| id.to_string())).collect();
        let delegated = self.delegated_to(&pass.object);
        if self.key.is_of_cluster() {
            let mut known = Known::new();
            self.walk(pass, most, false, |id| {
                let standing = self.coming(pass, &delegated, &mut known, id);
                let free = standing == Standing::Free;
                kept.note_coming(id, standing);
                free
            });
        }
        kept.told_by_nothing = self.can_tell_nobody(pass, &kept.unknown);
        kept
    }

    /// Looks at those who are to go, or to come, until so many are free to.
    fn walk(&self, pass: &GroupPass, most: usize, going: bool, mut is_free: impl FnMut(&RemoteId) -> bool) {
        let (mut free, mut last) = (0, Bound::Unbounded);
        while free < most {
            let some: Option<Vec<RemoteId>> = self.directory.membership(&pass.uid(), |members| {
                let all = if going { members.extra() } else { members.missing() };
                all.range((last.clone(), Bound::Unbounded)).take(LOOKED_AT).cloned().collect()
            });
            let Some(some) = some.filter(|some| !some.is_empty()) else { break };
            free += some.iter().filter(|id| is_free(id) && !pass.own.sent.contains(*id)).count();
            last = some.last().cloned().map_or(Bound::Unbounded, Bound::Excluded);
        }
    }

    fn members_here(&self, pass: &GroupPass) -> Vec<RemoteId> {
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
        self.mirror.users.look(|known| {
            if !known.is_complete() {
                return Some("guards.protected may keep an account that was not listed yet".to_owned());
            }
            let mut ids = known.accounts().map(|(id, ..)| id);
            ids.find_map(|id| {
                let (name, emails) = known.identity(id)?;
                let pattern = patterns.matches([id, name].into_iter().chain(emails))?;
                Some(format!("guards.protected ({pattern}) keeps the memberships of an account"))
            })
        })
    }

    /// Reads the accounts that the next request about the group rests on and that the server hasn't shown yet: in turn,
    /// and what can't be shown ever less often. Many are left to the first sweep.
    pub(super) async fn look_at_members(&self, pass: &mut GroupPass) -> Result<(), GroupStop> {
        if pass.session.policy.suspend || !Self::concerns_members(pass) {
            return Ok(());
        }
        let departed = self.directory.departed(&pass.uid());
        let unknown = self.kept_members(pass, &departed).unknown.into_iter().chain(self.may_be_shown_by_name(pass));
        let unknown: Vec<RemoteId> = unknown.filter(|id| !pass.own.looked_at.contains(id)).collect();
        // One that is late is waited for no longer.
        let awaited = self.connection.state.first_sweep() == FirstSweep::Awaited;
        if unknown.len() > READ_SINGLY && awaited {
            return Ok(());
        }
        let unknown = self.mirror.users.look(|known| known.sightings.to_be_asked(unknown, self.effects.now()));
        let room = READ_SINGLY.saturating_sub(pass.own.looked_at.len());
        let (mut missing, mut shown) = (Vec::new(), Vec::new());
        for id in unknown.into_iter().take(room) {
            let deadline = self.turn(pass, RequestKind::Read, Priority::Write).await?;
            self.in_accounts(pass, |sightings| sightings.ask(id.as_str(), self.effects.now()));
            match self.effects.get(&pass.session.client, Kind::Users, id.as_str(), false, deadline).await {
                Ok(account) if self.is_current(&pass.session) => {
                    self.mirror.users.change(pass.session.epoch, |known| known.apply(&account));
                    shown.push(id.clone());
                }
                Ok(_) => {}
                Err(error) if error.class() == Class::NotFound => missing.push(id.clone()),
                // One account that can't be read is kept as it is, and decides over nobody else (promise I20).
                Err(error) if matches!(error.class(), Class::Rejected | Class::Forbidden | Class::Unsupported) => {
                    self.note_failure(&error);
                }
                Err(error) if error.class() == Class::Transient && is_of_the_search(&error) => {
                    self.note_failure(&error);
                }
                Err(error) => return Err(self.failed(pass, &error)),
            }
            pass.own.looked_at.insert(id);
        }
        if !pass.own.looked_at.is_empty() {
            self.resolve_names(pass);
            self.reads_names_again(pass, &shown);
        }
        if !missing.is_empty() && self.accounts_answer(pass).await? {
            self.in_accounts(pass, |sightings| {
                for id in &missing {
                    sightings.missing(id.as_str(), self.effects.now());
                }
            });
        }
        Ok(())
    }

    /// A 404 says nothing before the collection itself answers properly (promise I12).
    async fn accounts_answer(&self, pass: &GroupPass) -> Result<bool, GroupStop> {
        let deadline = self.turn(pass, RequestKind::Read, Priority::Write).await?;
        let first = Start::first(pass.session.policy.profile.paging);
        match self.effects.page(&pass.session.client, Kind::Users, &first, 1, deadline).await {
            Ok(page) => Ok(!page.is_hollow()),
            Err(error) if matches!(error.class(), Class::Rejected | Class::Forbidden | Class::Unsupported) => {
                self.note_failure(&error);
                Ok(false)
            }
            Err(error) => {
                self.request_probe();
                Err(self.failed(pass, &error))
            }
        }
    }

    /// Changes what is known of accounts, unless the pass is of a time that doesn't count any more.
    fn in_accounts(&self, pass: &GroupPass, change: impl FnOnce(&mut Sightings)) {
        self.mirror.users.change(pass.session.epoch, |known| change(&mut known.sightings));
    }

    /// Every member that is to go, as its guard counts them; under Plan those that are to come, too.
    pub(super) fn owed_members(&self, pass: &GroupPass, plan: bool) -> Vec<String> {
        let directory = &self.directory;
        let owed = directory.membership(&pass.uid(), |members| {
            let out: Vec<_> = members.extra().iter().cloned().collect();
            let into: Vec<_> = if plan { members.missing().iter().cloned().collect() } else { Vec::new() };
            (out, into)
        });
        let (out, into) = owed.unwrap_or_default();
        let (departed, awaited) = (directory.departed(&pass.uid()), self.awaited(pass));
        // Whoever is gone is taken out as well: nobody loses anything by it.
        let leaves = |standing: Standing| matches!(standing, Standing::Free | Standing::Gone);
        let free = |id: &&RemoteId| !departed.contains(*id) && leaves(self.may_leave(pass, &awaited, id));
        let out = out.iter().filter(free).map(|id| part(id, false));
        let mut names: Vec<String> = out.chain(into.iter().map(|id| part(id, true))).collect();
        names.sort_unstable();
        names
    }

    /// The next request may change who is in the group.
    fn concerns_members(pass: &GroupPass) -> bool {
        let policy = &pass.session.policy;
        if !pass.is_deleting() {
            return pass.status.id.is_some();
        }
        let deletes = |policy| policy == GroupDeletionPolicy::Delete;
        deletes(policy.group_deletion)
            && pass.object.spec.deletion_policy.is_none_or(deletes)
            && !pass.object.wants_release()
    }
}

impl KeptMembers {
    pub(super) fn note_leaving(&mut self, id: &RemoteId, standing: Standing) {
        match standing {
            Standing::Free | Standing::Gone => return,
            Standing::Kept(why) => self.protected_by = Some(why),
            Standing::Unknown => _ = self.unknown.insert(id.clone()),
            Standing::Awaited => _ = self.awaited.insert(id.clone()),
        }
        self.leaving.insert(id.clone());
    }

    fn note_coming(&mut self, id: &RemoteId, standing: Standing) {
        match standing {
            Standing::Free | Standing::Awaited => return,
            Standing::Kept(why) => self.refused = Some(why),
            Standing::Unknown => _ = self.unknown.insert(id.clone()),
            Standing::Gone => {
                self.gone.insert(id.clone());
                return;
            }
        }
        self.coming.insert(id.clone());
    }
}
