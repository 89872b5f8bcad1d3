//! What must hold of groups at every step of a history.

use std::collections::BTreeSet;

use serde_json::Value;

use super::checks::id_of;
use super::cluster::is_of_second;
use super::cluster_groups::account_name;
use super::outside::Outside;
use super::quirks::Filters;
use super::setup::PROTECTED;
use super::site::{Answer, is_active, name_of};
use super::site_groups::Group;
use crate::api::{GroupDeletionPolicy, Membership, OperationType, ScimGroup, ScimGroupStatus, ScimUser, Uid};
use crate::directory::{full_name, has_finalizer, is_deleting};
use crate::plan::groups::{GroupOperation, GroupVerdict};
use crate::plan::guards::GuardName;
use crate::plan::{Departure, Digests, Request};
use crate::scim::fold;

/// The group that an object is recorded as bound to.
pub fn group_of(group: &ScimGroup) -> Option<&str> {
    group.status.as_ref()?.id.as_deref()
}

/// The reason of its Ready condition.
pub fn reason_of_group(status: &ScimGroupStatus) -> &str {
    let ready = status.conditions.iter().flatten().find(|condition| condition.type_ == "Ready");
    ready.map_or("", |ready| ready.reason.as_str())
}

/// A status in a line.
pub fn told(group: &ScimGroup) -> String {
    let status = group.status.clone().unwrap_or_default();
    let ready = status.conditions.iter().flatten().find(|condition| condition.type_ == "Ready");
    let why = ready.map(|ready| format!("{} {}", ready.reason, ready.message)).unwrap_or_default();
    format!("  {} status {:?} {:?} {:?} {why}", full_name(group), status.id, status.observed_generation, status.state)
}

impl Outside {
    /// Deleting the object deletes its group.
    pub(super) fn deletes_group(&self, group: &ScimGroup) -> bool {
        let deletes = |policy| policy == GroupDeletionPolicy::Delete;
        deletes(self.policy.group_deletion) && group.spec.deletion_policy.is_none_or(deletes)
    }

    /// `guards.protected` keeps this account in its groups.
    pub(super) fn keeps_member(&self, account: &str) -> bool {
        let shown = self.site.server.accounts.get(account);
        self.setup.protected && shown.is_some_and(|account| name_of(account) == PROTECTED)
    }

    /// The group names an account by its userName, which no object need declare.
    fn names_account(&self, group: &ScimGroup, account: &str) -> bool {
        let name = self.site.server.accounts.get(account).map(name_of).unwrap_or_default();
        let names = group.spec.members.iter().flatten().filter_map(|member| member.user_name.as_deref());
        names.map(fold).any(|known| known == name)
    }

    /// The same of the only account of that name, which no object is bound to: nobody else can be meant, whether or not an
    /// object declares it.
    fn names_alone(&self, group: &ScimGroup, account: &str) -> bool {
        let of_name = |id: &str| self.site.server.accounts.get(id).map(name_of);
        let namesakes = self.site.server.accounts.keys().filter(|id| of_name(id) == of_name(account)).count();
        namesakes == 1 && !self.is_held(account) && self.names_account(group, account)
    }

    /// A status is about to be written: an object that is bound at another server from now on owes nothing where it was
    /// bound before.
    pub fn note_group_server(&mut self, uid: &Uid, status: &Value) {
        let known = self.cluster.groups.get(uid).and_then(|group| group.status.as_ref());
        let moved = known.filter(|known| known.bound_to.as_deref() != status["boundTo"].as_str());
        self.book.groups.excused.extend(moved.and_then(|known| known.id.clone()));
    }

    /// Whom an exact group declares is its own, whoever put them in.
    pub fn note_owned(&mut self, group: &ScimGroup) {
        let exact = group.spec.membership == Membership::Exact && self.site.groups.readable.with_group();
        if let Some(id) = group_of(group).filter(|_| exact) {
            let declared = self.accounts_named(group).into_iter().map(|account| (id.to_owned(), account));
            self.book.groups.brought.extend(declared);
        }
    }

    /// The server carries it out, and what it did is looked at.
    pub fn carry_out_group(&mut self, uid: &Uid, request: &Request) -> Answer {
        if let Some(id) = request.target().filter(|id| self.other_site.groups.all.contains_key(*id)) {
            self.complain(format!("i06: the group {id} of another server is written to"));
        }
        match self.cluster.groups.get(uid) {
            None => self.complain("i28: something is sent for a group's object that is gone"),
            Some(group) if !has_finalizer(group) => {
                self.complain("i07: something is sent of a group before the finalizer is set");
            }
            Some(_) => {}
        }
        let target = request.target().map(str::to_owned);
        let of = |outside: &Self| target.as_ref().and_then(|id| outside.site.groups.all.get(id).cloned());
        let before = of(self);
        let known: BTreeSet<String> = self.site.groups.all.keys().cloned().collect();
        let answer = self.site.apply_group(request);
        let after = of(self);
        self.book.count(uid, matches!(answer, Answer::Shown(_) | Answer::Done));
        self.say(|| format!("  server: {request:?}"));
        if let Some(made) = self.site.groups.all.keys().find(|id| !known.contains(*id)).cloned() {
            self.check_group_creation(uid, &made);
        }
        if let (Some(id), Some(before)) = (target, before) {
            match self.observed.group_sent.get(uid).cloned() {
                Some((group, operation)) => {
                    self.check_group_change(&group, &id, &before, after.as_ref());
                    self.check_removed(&group, &operation, &id, &before, after.as_ref());
                }
                None => self.complain("i04: a request about a group is sent that was not told of"),
            }
        }
        answer
    }

    fn check_group_creation(&mut self, uid: &Uid, id: &str) {
        let holds = |other: &str| self.cluster.groups.values().find(|group| group_of(group) == Some(other));
        let own = |other: &&String| {
            let groups = &self.site.groups;
            groups.all.contains_key(*other)
                && !groups.renamed_by_hand.contains(*other)
                && !self.book.is_hidden_from(uid, other)
                && !self.book.groups.excused.contains(*other)
                && holds(other).is_none_or(|holder| Uid::of(&holder.metadata) == *uid)
        };
        if let Some(other) = self.book.groups.made.get(uid).into_iter().flatten().find(own).cloned() {
            self.complain(format!("i07: {uid} gets a second group, {id} beside {other}"));
        }
        let members = self.site.groups.all.get(id).map(|group| group.members.clone()).unwrap_or_default();
        self.book.groups.brought.extend(members.into_iter().map(|member| (id.to_owned(), member)));
        self.book.groups.made.entry(uid.clone()).or_default().push(id.to_owned());
    }

    fn check_group_change(&mut self, group: &ScimGroup, id: &str, before: &Group, after: Option<&Group>) {
        let uid = Uid::of(&group.metadata);
        let holder = self
            .cluster
            .groups
            .values()
            .find(|other| group_of(other) == Some(id) && Uid::of(&other.metadata) != uid && !is_deleting(other));
        if let Some(holder) = holder.map(full_name) {
            self.complain(format!("i08: the group {id} of {holder} is written to for {}", full_name(group)));
        }
        let Some(after) = after else {
            if !is_deleting(group) || !self.deletes_group(group) || group.wants_release() {
                self.complain(format!("i10: the deletion of {id} was not declared"));
            }
            match self.observed.admitted.get(&uid).cloned() {
                Some((guard, at, key)) => self.count(guard, at, &key),
                None if self.is_approved(&uid, group.metadata.generation, OperationType::Delete) => {}
                None => self.complain(format!("i13: {id} is deleted without admission")),
            }
            return;
        };
        if before.name() != after.name() && after.name() != group.spec.display_name {
            self.complain(format!("i10: {id} is renamed to what {} doesn't declare", full_name(group)));
        }
        let heard = self.observed.heard.get(&uid).copied().unwrap_or_default();
        for member in after.members.difference(&before.members) {
            let declared = self.cluster.wants.get(&(uid.clone(), member.clone()));
            let known = self.cluster.respecified.get(&uid).is_some_and(|at| *at <= heard);
            let stranger = known && declared.is_none_or(|(wanted, since)| !wanted && *since <= heard);
            let there = self.site.server.accounts.contains_key(member);
            if stranger && there && !self.names_account(group, member) {
                self.complain(format!(
                    "i10: {member} is put into {id}, and {} declares no such member",
                    full_name(group)
                ));
            }
            self.book.groups.brought.insert((id.to_owned(), member.clone()));
            self.book.groups.recorded.insert((id.to_owned(), member.clone()));
            self.site.groups.by_hand.remove(&(id.to_owned(), member.clone()));
        }
    }

    /// Whoever loses a membership loses it because somebody said so, and by admission.
    fn check_removed(
        &mut self,
        group: &ScimGroup,
        operation: &GroupOperation,
        id: &str,
        before: &Group,
        after: Option<&Group>,
    ) {
        let uid = Uid::of(&group.metadata);
        let none = BTreeSet::new();
        let left = after.map_or(&none, |after| &after.members);
        let gone: Vec<&String> = before.members.difference(left).collect();
        if let Some(member) = gone.iter().find(|member| self.keeps_member(member)) {
            self.complain(format!("i14: the protected {member} is taken out of {id}"));
        }
        if operation.kind == OperationType::Delete {
            return;
        }
        let heard = self.observed.heard.get(&uid).copied().unwrap_or_default();
        let recorded = group.spec.membership == Membership::Additive || !self.site.groups.readable.with_group();
        for member in &gone {
            let pair = (uid.clone(), (*member).clone());
            if self.cluster.wants.get(&pair).is_some_and(|(wanted, since)| *wanted && *since <= heard) {
                self.complain(format!("i10: {member} is taken out of {id}, and {} declares it", full_name(group)));
            }
            if self.names_alone(group, member) {
                self.complain(format!("i10: {member} is taken out of {id}, and {} names it", full_name(group)));
            }
            if recorded && !self.book.groups.brought.contains(&(id.to_owned(), (*member).clone())) {
                self.complain(format!("i10: {member} is taken out of {id}, and was not brought in by us"));
            }
        }
        let counted: Vec<String> = gone.into_iter().cloned().collect();
        if counted.is_empty() || counted.iter().all(|member| self.cluster.leaving.contains(member)) {
            return;
        }
        match self.observed.admitted.get(&uid).cloned() {
            Some((GuardName::Memberships, at, key)) => self.count_members(&uid, at, &key, &counted),
            Some(_) => self.complain(format!("i13: {counted:?} leave {id} by another guard's admission")),
            None if self.is_approved(&uid, group.metadata.generation, OperationType::Update) => {}
            None => self.complain(format!("i13: {counted:?} are taken out of {id} without admission")),
        }
    }

    fn count_members(&mut self, uid: &Uid, at: i64, key: &str, members: &[String]) {
        let window = i64::try_from(self.setup.window * 1000).unwrap_or(i64::MAX);
        let taken_out = self.book.groups.taken_out.entry(uid.clone()).or_default();
        for member in members {
            let key = format!("{key} {member}");
            taken_out.retain(|(_, known)| *known != key);
            taken_out.push((at, key));
        }
        let within = |end: i64| taken_out.iter().filter(|(at, _)| *at > end - window && *at <= end).count();
        let gone = taken_out.iter().map(|(end, _)| within(*end)).max().unwrap_or_default();
        let limit = self.setup.groups.limits.0 as usize;
        if gone > limit {
            self.complain(format!("i13: {gone} members leave {uid} within a window that allows {limit}"));
        }
    }

    /// No two objects are bound to one group, but who hands it over; and none passes between living objects.
    pub fn check_group_owners(&mut self) {
        let mut owners = std::collections::BTreeMap::new();
        let mut twice = None;
        for group in self.cluster.groups.values().filter(|group| !is_deleting(group)) {
            let Some(id) = group_of(group) else { continue };
            let uid = Uid::of(&group.metadata);
            let before = self.book.groups.holders.insert(id.to_owned(), uid.clone());
            let living = before.filter(|before| *before != uid).and_then(|before| self.cluster.groups.get(&before));
            if let Some(other) = living.filter(|other| !is_deleting(other) && !self.book.is_hidden(id)) {
                twice = Some(format!("i08: {id} passes from {} to {}", full_name(other), full_name(group)));
            }
            if let Some(other) = owners.insert(id.to_owned(), full_name(group)) {
                twice = Some(format!("i08: {other} and {} are bound to the group {id}", full_name(group)));
            }
        }
        if let Some(twice) = twice {
            self.complain(twice);
        }
    }

    /// The object goes: its group is left as it is only where that was declared, and handed over only to an object that
    /// is bound to it on record.
    pub fn check_group_departure(&mut self, group: &ScimGroup, status: &ScimGroupStatus, verdict: &GroupVerdict) {
        let uid = Uid::of(&group.metadata);
        let name = full_name(group);
        let ours = self.book.groups.made.get(&uid).cloned().unwrap_or_default();
        let members = status.id.as_ref().and_then(|id| self.site.groups.all.get(id)).map(|group| group.members.clone());
        let protects = self.setup.protected
            && (!self.site.groups.readable.with_group()
                || members.into_iter().flatten().any(|member| self.keeps_member(&member)));
        let excused = group.wants_release() || !self.deletes_group(group) || self.book.rejected.contains(&uid);
        match &verdict.departure {
            Departure::LeftAsIs if excused || protects => self.book.groups.excused.extend(ours),
            Departure::LeftAsIs => self.complain(format!("i15: the group of {name} is left: {}", verdict.message)),
            Departure::HandedOver(successor) => {
                let now = status.id.as_deref().map(|id| self.book.now(id));
                let bound = self.cluster.groups.values().any(|other| {
                    let has = group_of(other) == status.id.as_deref() || group_of(other) == now;
                    full_name(other) == *successor && has_finalizer(other) && has
                });
                if !bound || status.id.is_none() {
                    self.complain(format!("i08: {name} is let go, and {successor} has not its group"));
                }
            }
            Departure::Done => {
                let now = status.id.as_ref().and_then(|id| self.book.renumbered.get(id)).cloned();
                self.book.groups.excused.extend(now);
                let there = status.id.as_ref().filter(|id| self.site.groups.all.contains_key(*id));
                if let Some(id) = there.filter(|id| !excused && !self.book.is_hidden_from(&uid, id)).cloned() {
                    self.complain(format!("i15: {name} goes, and its group {id} is there"));
                }
            }
        }
    }

    /// The process dies: of whom it had put in and no record tells, nothing is known where the server doesn't show it.
    pub fn forget_unrecorded(&mut self) {
        if self.site.groups.readable.with_group() {
            return;
        }
        let cluster = &self.cluster;
        let on_record = |group: &str, account: &String| {
            let by_user = |user: &ScimUser| {
                let groups = user.status.as_ref().and_then(|status| status.groups.as_ref());
                groups.is_some_and(|groups| groups.get(group) == Some(account))
            };
            let by_group = |other: &ScimGroup| {
                let status = other.status.clone().unwrap_or_default();
                let owned = Digests::read(status.owned_members.as_deref());
                let known =
                    owned.contains(&[account]) || status.brought_in.is_some_and(|known| known.contains(account));
                group_of(other) == Some(group) && known
            };
            cluster.objects.values().any(by_user) || cluster.groups.values().any(by_group)
        };
        let recorded = std::mem::take(&mut self.book.groups.recorded);
        let (kept, forgotten): (BTreeSet<_>, BTreeSet<_>) =
            recorded.into_iter().partition(|(group, account)| on_record(group, account));
        self.book.groups.recorded = kept;
        self.book.groups.forgotten.extend(forgotten);
    }

    /// Whoever is deprovisioned has left our groups before the account is deleted.
    pub fn check_groups_left(&mut self, account: &str) {
        let name = self.site.server.accounts.get(account).map(name_of);
        let has_name = |user: &ScimUser| !is_of_second(user) && account_name(user) == name;
        let declared = self.cluster.objects.values().any(has_name);
        let active = self.site.get(account).is_some_and(|account| is_active(&account.0));
        let within = self.cluster.groups.values().filter(|group| !is_deleting(group)).find(|group| {
            let Some(id) = group_of(group) else { return false };
            let pair = (id.to_owned(), account.to_owned());
            let there = self.site.groups.all.get(id).is_some_and(|group| group.members.contains(account));
            // Whom a group names by the id, or by a userName that no object declares, stays in it as long as there is an
            // account.
            let named = group.spec.members.iter().flatten().any(|member| member.id.as_deref() == Some(account))
                || (self.names_account(group, account) && !declared);
            // It can't be left, or the account's deactivation was refused, and its deletion alone ends its access.
            let can_not = self.site.groups.barred.contains(account) || active && self.book.forbidden.contains(account);
            there
                && !named
                && !can_not
                && self.book.groups.brought.contains(&pair)
                && !self.site.groups.by_hand.contains(&pair)
        });
        if let Some(group) = within.map(full_name) {
            self.complain(format!("i17: {account} (active: {active}) is deleted while it is in {group}"));
        }
    }

    /// The accounts that a group may name, once everything has calmed down.
    pub(super) fn accounts_named(&self, group: &ScimGroup) -> BTreeSet<String> {
        let mut wanted = self.cluster.wanted(group);
        for member in group.spec.members.iter().flatten() {
            let Some(name) = member.user_name.as_deref().map(fold) else { continue };
            // Whom no object declares is known from the list, or else by a search.
            let unknown = self.setup.quirks.no_list && self.setup.quirks.filters != Filters::Heeded;
            let declares = |user: &ScimUser| {
                let here =
                    user.status.as_ref().and_then(|status| status.bound_to.as_ref()) == Some(&self.cluster.server);
                here && !is_of_second(user) && account_name(user).as_ref() == Some(&name)
            };
            if unknown || self.cluster.objects.values().any(declares) {
                continue;
            }
            let fits = self.site.server.accounts.iter().filter(|(_, account)| name_of(account) == name);
            let fits: Vec<&String> = fits.map(|(id, _)| id).collect();
            if let [only] = fits[..] {
                wanted.insert(only.clone());
            }
        }
        wanted.retain(|id| self.site.server.accounts.contains_key(id));
        wanted
    }

    /// Whether an object is bound to the account.
    pub(super) fn is_held(&self, account: &str) -> bool {
        self.cluster.objects.values().any(|user| id_of(user) == Some(account))
    }
}

/// The externalId that the server shows of a group.
pub(super) fn external_id(group: &Group) -> Option<&str> {
    group.attributes.get("externalId").and_then(Value::as_str)
}
