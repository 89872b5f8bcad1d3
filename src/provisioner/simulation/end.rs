//! What must hold of accounts when everything has calmed down.

use kube::ResourceExt;

use super::checks::{id_of, reason_of};
use super::group_checks::reason_of_group;
use super::outside::Outside;
use super::setup::PROTECTED;
use super::site::{is_active, name_of};
use crate::api::{ScimGroup, ScimUser};
use crate::directory::{full_name, is_deleting};
use crate::plan::Path;
use crate::scim::fold;

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

    /// Somebody is refused what they declare: another one has it, or their own is gone and another one is there that isn't
    /// to be adopted.
    pub fn refuses_anybody(&self) -> bool {
        let refused = |user: &ScimUser| {
            let status = user.status.clone().unwrap_or_default();
            let gone = status.id.as_ref().is_some_and(|id| self.site.get(id).is_none());
            reason_of(&status) == "Conflict" || (gone && reason_of(&status) == "AdoptionRefused")
        };
        let group_refused = |group: &ScimGroup| {
            let status = group.status.clone().unwrap_or_default();
            let gone = status.id.as_ref().is_some_and(|id| !self.site.groups.all.contains_key(id));
            let reason = reason_of_group(&status);
            // Whether somebody in it is protected is told in other words before the accounts were listed.
            let told = is_deleting(group) && reason == "Protected";
            // Who others took out is in until the server is asked again, where our record alone tells.
            let lost =
                status.drift.as_ref().is_some_and(|drift| drift.lost > 0) && !self.site.groups.readable.with_group();
            told || lost || (gone && ["Conflict", "AdoptionRefused"].contains(&reason))
        };
        self.cluster.objects.values().any(refused) || self.cluster.groups.values().any(group_refused)
    }

    /// A person rejected what the object declares now.
    pub(super) fn is_refused(&self, object: &impl ResourceExt) -> bool {
        let generation = object.meta().generation.unwrap_or_default();
        self.book.refused.contains(&(object.uid().unwrap_or_default(), generation))
    }

    fn check_object(&self, user: &ScimUser) -> Result<(), &'static str> {
        let status = user.status.clone().unwrap_or_default();
        let reason = reason_of(&status);
        if reason == "Held" && self.is_refused(user) {
            return Ok(());
        }
        let here = status.bound_to.as_ref() == Some(&self.cluster.server);
        if is_deleting(user) {
            // The account of another server is left alone until the connection leads there again.
            let claimed =
                user.claimed_account().is_some_and(|claimed| claimed.server.as_ref() != Some(&self.cluster.server));
            let elsewhere = (status.id.is_some() && !here || claimed) && reason == "BoundElsewhere";
            return if elsewhere { Ok(()) } else { Err("i15: is still being deleted") };
        }
        let declared = self.declared(&user.spec);
        let name = fold(&user.spec.user_name);
        let rivals = self.cluster.objects.values().any(|other| {
            other.metadata.uid != user.metadata.uid
                && (fold(&other.spec.user_name) == name
                    || other
                        .status
                        .as_ref()
                        .is_some_and(|status| status.user_name.as_deref().map(fold).as_ref() == Some(&name)))
        });
        // Whoever has the name is to give it up, and is looked at itself.
        let blocked = self.cluster.objects.values().any(|other| {
            let has = other.status.as_ref().and_then(|status| status.user_name.as_deref()).map(fold);
            other.metadata.uid != user.metadata.uid
                && has.as_ref() == Some(&name)
                && fold(&other.spec.user_name) != name
        });
        let fitting = self.site.find(&user.spec.user_name, user.spec.external_id.as_deref(), false);
        if reason == "Pending" && blocked {
            return Ok(());
        }
        let one = fitting.len() == 1 && name_of(&fitting[0].0) == name;
        let Some(id) = status.id.as_ref().filter(|_| here) else {
            return match reason {
                "Conflict" if rivals || (!one && !fitting.is_empty()) => Ok(()),
                "AdoptionRefused" if one => Ok(()),
                _ if declared.active == Some(false) && fitting.is_empty() => Ok(()),
                _ => Err("i07: has no account"),
            };
        };
        let Some(account) = self.site.get(id) else {
            let left = reason == "DeletedAtServer" && !self.policy.repair.deleted;
            let by_hand = self.site.deleted_by_hand.contains(self.book.now(id));
            let renumbered = self.book.renumbered.contains_key(id);
            match reason {
                "Conflict" if (by_hand || renumbered) && (rivals || (!one && !fitting.is_empty())) => return Ok(()),
                "AdoptionRefused" if by_hand || renumbered => return Ok(()),
                _ => {}
            }
            return if by_hand && (left || declared.active == Some(false)) {
                Ok(())
            } else {
                Err("i09: its account is gone")
            };
        };
        let active = is_active(&account.0);
        let conflict = reason == "Conflict" && (rivals || fitting.iter().any(|other| other.id() != Some(id)));
        let shown = status.user_name.as_deref().map(fold);
        let protected = [&name, &name_of(&account.0)].into_iter().chain(&shown).any(|name| name == PROTECTED);
        if conflict || (reason == "Protected" && self.setup.protected && protected) {
            return Ok(());
        }
        let left = reason == "DeactivatedAtServer" && !self.policy.repair.deactivated;
        let by_hand = self.site.deactivated_by_hand.contains(id);
        match declared.active {
            Some(false) if active => return Err("i15: is active"),
            Some(true) if !(active || left && by_hand) => return Err("i16: is inactive"),
            _ => {}
        }
        if !active || reason == "Contested" || (reason == "Drifted" && !self.policy.repair.attributes) {
            return Ok(());
        }
        // Changed by hand between a write that answers nothing and its reading back, it looks as if it wasn't kept.
        let ignored = |path: &Path| {
            let path = path.to_string();
            status.ignored_attributes.iter().flatten().any(|ignored| ignored.path == path)
        };
        let lost = |path: &Path| (self.setup.drops && path.name() == "title") || (self.setup.silent && ignored(path));
        // Among several entries that fit, the one that says it counts.
        let shown = |path: &Path, value| {
            let says = |entry| crate::plan::says_the_same(path, value, entry);
            says(path.read(&account)) || path.entries(&account).any(|entry| says(Some(entry)))
        };
        let differs = declared.attributes.iter().any(|(path, value)| !lost(path) && !shown(path, value));
        if differs { Err("i03: its attributes differ") } else { Ok(()) }
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
            book.excused.contains(id) || book.denied.contains(id) || self.site.activated_by_hand.contains(id)
        };
        // Where names aren't unique, a lost creation among namesakes is certain to be nobody's.
        let alone = |id: &str, name: &str| {
            !self.site.server.accounts.iter().any(|(other, account)| other != id && name_of(account) == name)
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
