//! What must hold of accounts when everything has calmed down.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt;
use serde_json::{Value, json};

use super::checks::{id_of, reason_of};
use super::group_checks::{group_of, reason_of_group};
use super::outside::Outside;
use super::quirks::Doubles;
use super::setup::PROTECTED;
use super::site::{is_active, name_of};
use crate::api::{
    AdoptionPolicy, IgnoredAttribute, IgnoredReason, ScimGroup, ScimUser, ScimUserStatus, Uid, UserState,
};
use crate::directory::{full_name, is_deleting};
use crate::plan::Path;
use crate::scim::{Resource, fold};

/// So many requests a day are sent for an object of which nothing changes.
const MOST_REQUESTS: u64 = 40;

/// Another object that declares the same name, or is recorded with it and declares another.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rival {
    Declares,
    GivesUp,
}

impl Outside {
    /// When everything has calmed down, the server shows what is declared.
    pub fn check_end(&mut self) {
        for user in self.cluster.objects.values().cloned().collect::<Vec<_>>() {
            if let Err(why) = self.check_object(&user) {
                let status = user.status.clone().unwrap_or_default();
                let account = status.id.as_deref().and_then(|id| self.site.get(id));
                let spec = serde_json::to_string(&user.spec).unwrap_or_default();
                self.complain(format!(
                    "{} {why}: {spec} {:?} {:?} {account:?}",
                    full_name(&user),
                    reason_of(&status),
                    status.id
                ));
            }
        }
        self.check_orphans();
        self.check_groups_end();
    }

    /// Who is refused what they declare, and so tries again: another one has it, or their own is gone and another one is
    /// there that isn't to be adopted.
    pub fn refused(&self) -> BTreeSet<Uid> {
        let refused = |user: &&ScimUser| {
            let status = user.status.clone().unwrap_or_default();
            let gone = status.id.as_ref().is_some_and(|id| self.site.get(id).is_none());
            reason_of(&status) == "Conflict" || (gone && reason_of(&status) == "AdoptionRefused")
        };
        let group_refused = |group: &&ScimGroup| {
            let status = group.status.clone().unwrap_or_default();
            let gone = status.id.as_ref().is_some_and(|id| !self.site.groups.all.contains_key(id));
            let reason = reason_of_group(&status);
            // Whether somebody in it is protected is told in other words before the accounts were listed.
            let told = is_deleting(group) && reason == "Protected";
            // Who others took out is in until the server is asked again, where our record alone tells.
            let lost =
                status.drift.as_ref().is_some_and(|drift| drift.lost > 0) && !self.site.groups.readable.with_group();
            // Whoever is named by a userName, and was in before the accounts were listed, passes for undeclared until then.
            let names = group.spec.members.iter().flatten().any(|member| member.user_name.is_some());
            let foreign = status.drift.as_ref().is_some_and(|drift| drift.foreign > 0);
            let strangers = names && foreign && !self.policy.repair.attributes;
            told || lost || strangers || (gone && ["Conflict", "AdoptionRefused"].contains(&reason))
        };
        let users = self.cluster.objects.values().filter(refused).filter_map(|object| Uid::given(&object.metadata));
        users
            .chain(self.cluster.groups.values().filter(group_refused).filter_map(|object| Uid::given(&object.metadata)))
            .collect()
    }

    /// Who is tried again, be it hourly or once a day: their invitation isn't accepted, or the server refuses a part of what
    /// they declare.
    pub fn tried_again(&self) -> BTreeSet<Uid> {
        let refused = |ignored: &Option<Vec<IgnoredAttribute>>, also: IgnoredReason| {
            let mut ignored = ignored.iter().flatten();
            ignored.any(|ignored| ignored.reason == IgnoredReason::Rejected || ignored.reason == also)
        };
        let user = |user: &&ScimUser| {
            let invited = id_of(user).is_some_and(|id| self.site.invited.contains(id));
            let ignored = user.status.as_ref().map(|status| &status.ignored_attributes);
            invited || ignored.is_some_and(|ignored| refused(ignored, IgnoredReason::Rejected))
        };
        let group = |group: &&ScimGroup| {
            let ignored = group.status.as_ref().map(|status| &status.ignored_attributes);
            ignored.is_some_and(|ignored| refused(ignored, IgnoredReason::NotPersisted))
        };
        let users = self.cluster.objects.values().filter(user).filter_map(|object| Uid::given(&object.metadata));
        users
            .chain(self.cluster.groups.values().filter(group).filter_map(|object| Uid::given(&object.metadata)))
            .collect()
    }

    /// Whom a write after a restart concerns that puts them in once more, for that was on no record.
    pub fn put_in_again(&self, before: &BTreeSet<(String, String)>) -> BTreeSet<Uid> {
        let again = || self.book.groups.forgotten.difference(before);
        let user = |user: &&ScimUser| again().any(|(_, account)| id_of(user) == Some(account));
        let group = |group: &&ScimGroup| again().any(|(id, _)| group_of(group) == Some(id));
        let users = self.cluster.objects.values().filter(user).filter_map(|object| Uid::given(&object.metadata));
        users
            .chain(self.cluster.groups.values().filter(group).filter_map(|object| Uid::given(&object.metadata)))
            .collect()
    }

    /// On a day on which nothing changes, an object is tried a few times, whatever the server refuses of it.
    pub fn check_requests(&mut self, before: &BTreeMap<Uid, u64>) {
        let now = &self.book.requests;
        let many = now.iter().find(|(uid, now)| **now - before.get(*uid).unwrap_or(&0) > MOST_REQUESTS);
        if let Some((uid, now)) = many {
            self.complain(format!("i33: {} requests a day for {uid}", now - before.get(uid).unwrap_or(&0)));
        }
    }

    /// A person rejected what the object declares now.
    pub(super) fn is_refused(&self, object: &impl ResourceExt) -> bool {
        let generation = object.meta().generation.unwrap_or_default();
        self.book.refused.contains(&(Uid::of(object.meta()), generation))
    }

    fn check_object(&self, user: &ScimUser) -> Result<(), &'static str> {
        let status = user.status.clone().unwrap_or_default();
        let reason = reason_of(&status);
        if reason == "Held" && self.is_refused(user) {
            return Ok(());
        }
        if self.is_wrong_on_record(user) {
            return Ok(());
        }
        let here = status.bound_to.as_deref() == Some(self.cluster.server_of(user));
        if is_deleting(user) {
            // The account of another server is left alone until the connection leads there again.
            let claimed =
                user.claimed_account().is_some_and(|claimed| claimed.server.as_ref() != Some(&self.cluster.server));
            let elsewhere = (status.id.is_some() && !here || claimed) && reason == "BoundElsewhere";
            return if elsewhere { Ok(()) } else { Err("i15: is still being deleted") };
        }
        // Whoever has the name is to give it up, and is looked at itself.
        if reason == "Pending" && self.rivals(user).any(|rival| rival == Rival::GivesUp) {
            return Ok(());
        }
        let Some(id) = status.id.as_ref().filter(|_| here) else {
            return self.check_unbound(user, reason);
        };
        let Some(account) = self.site.get(id) else {
            return self.check_gone(user, id, reason);
        };
        self.check_bound(user, &status, id, &account)
    }

    /// Other objects that declare the same name, or are recorded with it.
    fn rivals<'a>(&'a self, user: &'a ScimUser) -> impl Iterator<Item = Rival> + 'a {
        let name = fold(&user.spec.user_name);
        let others = self.cluster.objects.values().filter(|other| other.metadata.uid != user.metadata.uid);
        others.filter_map(move |other| {
            let has = other.status.as_ref().and_then(|status| status.user_name.as_deref()).map(fold);
            if fold(&other.spec.user_name) == name {
                return Some(Rival::Declares);
            }
            (has.as_ref() == Some(&name)).then_some(Rival::GivesUp)
        })
    }

    /// Accounts that its name or its externalId points to.
    fn fitting(&self, user: &ScimUser) -> Vec<Resource> {
        self.site.find(&user.spec.user_name, user.spec.external_id.as_deref(), false)
    }

    /// One account fits, and has its name.
    fn one_fits(&self, user: &ScimUser) -> bool {
        let fitting = self.fitting(user);
        fitting.len() == 1 && name_of(&fitting[0].0) == fold(&user.spec.user_name)
    }

    /// What speaks against an account of its own: another object, other accounts, or one of another person.
    fn is_crowded(&self, user: &ScimUser) -> bool {
        let declared = user.spec.external_id.as_deref();
        let other = |account: &Resource| {
            declared.is_some() && account.external_id().is_some() && account.external_id() != declared
        };
        let fitting = self.fitting(user);
        self.rivals(user).next().is_some()
            || (!self.one_fits(user) && !fitting.is_empty())
            || fitting.iter().any(other)
            || fitting.iter().any(|account| self.is_named_by_forgers(account.id()))
            || self.has_anothers_email(user)
    }

    /// Another account has the e-mail that it declares, at a server where each has its own.
    fn has_anothers_email(&self, user: &ScimUser) -> bool {
        let mails = |account: &Resource| {
            let mut declared = user.spec.attributes.emails.iter().flatten();
            declared.any(|email| account.emails().any(|known| fold(known) == fold(&email.value)))
        };
        let another = |account: &Resource| account.id() != id_of(user) && mails(account);
        self.setup.quirks.unique_emails && self.site.list(false).iter().any(another)
    }

    fn check_unbound(&self, user: &ScimUser, reason: &str) -> Result<(), &'static str> {
        let refuses = self.policy.adoption == AdoptionPolicy::Refuse;
        match reason {
            "Conflict" if self.is_crowded(user) => Ok(()),
            "AdoptionRefused" if refuses && self.one_fits(user) => Ok(()),
            _ if self.declared(&user.spec).active == Some(false) && self.fitting(user).is_empty() => Ok(()),
            _ => Err("i07: has no account"),
        }
    }

    fn check_gone(&self, user: &ScimUser, id: &str, reason: &str) -> Result<(), &'static str> {
        let left = reason == "DeletedAtServer" && !self.policy.repair.deleted;
        let by_hand = self.site.deleted_by_hand.contains(self.book.now(id));
        let renumbered = self.book.renumbered.contains_key(id);
        let refuses = self.policy.adoption == AdoptionPolicy::Refuse;
        // Whoever had it took it along.
        if self.is_forged(user) {
            return Ok(());
        }
        let excused = match reason {
            "Conflict" if by_hand || renumbered => self.is_crowded(user),
            // Renamed by nobody yet, it is found by the name that is recorded.
            "AdoptionRefused" if by_hand || renumbered => refuses,
            _ => by_hand && (left || self.declared(&user.spec).active == Some(false)),
        };
        if excused { Ok(()) } else { Err("i09: its account is gone") }
    }

    fn check_bound(
        &self,
        user: &ScimUser,
        status: &ScimUserStatus,
        id: &str,
        account: &Resource,
    ) -> Result<(), &'static str> {
        let (reason, declared) = (reason_of(status), self.declared(&user.spec));
        let (name, active) = (fold(&user.spec.user_name), is_active(&account.0));
        let shown = status.user_name.as_deref().map(fold);
        let protected = [&name, &name_of(&account.0)].into_iter().chain(&shown).any(|name| name == PROTECTED);
        if reason == "Protected" && self.setup.protected && protected {
            return Ok(());
        }
        if declared.active == Some(false) && active {
            return Err("i15: is active");
        }
        // The name that it is to have is another's: until that is free nothing of it is changed.
        let fitting = self.fitting(user);
        let taken = self.rivals(user).next().is_some() || fitting.iter().any(|other| other.id() != Some(id));
        // An invitation that isn't accepted yet is asked for again beside it, which may be held.
        let held = reason == "Held" && self.site.invited.contains(id);
        if (reason == "Conflict" || held) && name_of(&account.0) != name && taken {
            return Ok(());
        }
        let left = reason == "DeactivatedAtServer" && !self.policy.repair.deactivated;
        let invited = status.state == Some(UserState::Invited) && self.site.invited.contains(id);
        let by_hand = self.site.deactivated_by_hand.contains(id);
        if declared.active == Some(true) && !(active || (left && by_hand) || invited) {
            return Err("i16: is inactive");
        }
        // Whoever is found inactive, or was deactivated by others, is left altogether.
        if !active && reason == "DeactivatedAtServer" {
            return Ok(());
        }
        let differs = |(path, value): (&Path, &Value)| {
            !self.shows(account, path, value) && !self.is_left(user, status, id, path, value)
        };
        if declared.attributes.iter().any(differs) { Err("i03: its attributes differ") } else { Ok(()) }
    }

    /// The account shows the value, in the server's own way. Among several entries that fit, the one that says it counts.
    fn shows(&self, account: &Resource, path: &Path, value: &Value) -> bool {
        let kept = match value.as_str() {
            Some(title) if path.name() == "title" => json!(self.setup.quirks.title(title)),
            _ => value.clone(),
        };
        let says =
            |entry| crate::plan::says_the_same(path, &kept, entry) || crate::plan::says_the_same(path, value, entry);
        says(path.read(account)) || path.entries(account).any(|entry| says(Some(entry)))
    }

    /// What is declared is left as it is shown, for a reason that status names.
    fn is_left(&self, user: &ScimUser, status: &ScimUserStatus, id: &str, path: &Path, value: &Value) -> bool {
        let (quirks, name) = (&self.setup.quirks, path.to_string());
        let ignored = |reason: IgnoredReason| {
            let mut ignored = status.ignored_attributes.iter().flatten();
            ignored.any(|ignored| ignored.path == name && ignored.reason == reason)
        };
        let by_hand = self.site.edited_by_hand.iter().any(|(of, what)| of == id && *what == path.name());
        let refused = value.as_str().is_some_and(|value| quirks.refuses.is_some_and(|title| fold(value) == title));
        let mailed = path.name() == "emails" && self.has_anothers_email(user);
        // Said to be made with it, whoever was there has what they had.
        let there = quirks.doubles == Doubles::PassedForNew
            && !self.book.made.get(&Uid::of(&user.metadata)).is_some_and(|made| made.iter().any(|made| made == id));
        quirks.drops == Some(path.name())
            || (there && ignored(IgnoredReason::NotPersisted))
            // Changed by hand between a write that answers nothing and its reading back, it looks as if it wasn't kept.
            || (by_hand && self.setup.silent && ignored(IgnoredReason::NotPersisted))
            || (by_hand && ignored(IgnoredReason::Contested))
            || (by_hand && reason_of(status) == "Drifted" && !self.policy.repair.attributes)
            || (path.name() == "title" && refused && ignored(IgnoredReason::Rejected))
            || (mailed && ignored(IgnoredReason::Rejected))
    }

    /// What was ours and is declared no more has no access left.
    fn check_orphans(&mut self) {
        let kept = |id: &str, name: &str| {
            self.cluster.objects.values().any(|user| {
                id_of(user).map(|known| self.book.now(known)) == Some(id)
                    || (id_of(user).is_none() && fold(&user.spec.user_name) == name)
            })
        };
        let excused = |id: &str| {
            let book = &self.book;
            book.excused.contains(id) || book.is_hidden(id) || self.site.activated_by_hand.contains(id)
        };
        // Where names aren't unique, a creation whose answer was lost is among namesakes certain to be nobody's; and so is
        // an account that has another id since.
        let told = |id: &str| self.book.holders.contains_key(id) && !self.book.renumbered.values().any(|now| now == id);
        let alone = |id: &str, name: &str| {
            told(id)
                || !self.site.server.accounts.iter().any(|(other, account)| other != id && name_of(account) == name)
        };
        let left = self.site.server.accounts.iter().find(|(id, account)| {
            is_active(account)
                // Protected by its name, whatever its object was called last.
                && !(self.setup.protected && name_of(account) == PROTECTED)
                && alone(id, &name_of(account))
                && self.book.ours.contains(*id)
                && !kept(id, &name_of(account))
                && !excused(id)
        });
        if let Some(id) = left.map(|(id, _)| id.clone()) {
            self.complain(format!("i15: {id} is active, and no object declares it"));
        }
    }
}
