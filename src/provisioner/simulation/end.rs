//! What must hold of accounts when everything has calmed down.

use super::checks::{id_of, reason_of};
use super::outside::Outside;
use super::setup::{PROTECTED, SERVER};
use super::site::{is_active, name_of};
use crate::api::ScimUser;
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

    fn check_object(&self, user: &ScimUser) -> Result<(), &'static str> {
        let status = user.status.clone().unwrap_or_default();
        let reason = reason_of(&status);
        if reason == "Held" {
            return Ok(());
        }
        if is_deleting(user) {
            return Err("i15: is still being deleted");
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
        let Some(id) = &status.id else {
            return match reason {
                "Conflict" if rivals || (!one && !fitting.is_empty()) => Ok(()),
                "AdoptionRefused" if one => Ok(()),
                _ if declared.active == Some(false) && fitting.is_empty() => Ok(()),
                _ => Err("i07: has no account"),
            };
        };
        let Some(account) = self.site.get(id) else {
            let left = reason == "DeletedAtServer" && !self.policy.repair.deleted;
            let by_hand = self.site.deleted_by_hand.contains(id);
            match reason {
                "Conflict" if by_hand && (rivals || (!one && !fitting.is_empty())) => return Ok(()),
                "AdoptionRefused" if by_hand && one => return Ok(()),
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
        if conflict || reason == "Protected" {
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
            self.cluster
                .objects
                .values()
                .any(|user| id_of(user) == Some(id) || (id_of(user).is_none() && fold(&user.spec.user_name) == name))
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
            self.complain(format!("i15: {id} of {} is active, and no object declares it", *SERVER));
        }
    }
}
