//! What must hold of groups when everything has calmed down.

use super::cluster::is_of_second;
use super::group_checks::{external_id, group_of, reason_of_group};
use super::outside::Outside;
use super::quirks::Methods;
use crate::api::{Membership, ScimGroup};
use crate::directory::{full_name, is_deleting};

impl Outside {
    /// Each declared group is there once, by its name, with whom it declares.
    pub fn check_groups_end(&mut self) {
        for group in self.cluster.groups.values().cloned().collect::<Vec<_>>() {
            if let Err(why) = self.check_group(&group) {
                let status = group.status.clone().unwrap_or_default();
                let shown = group_of(&group).and_then(|id| self.site.groups.all.get(id));
                let spec = serde_json::to_string(&group.spec).unwrap_or_default();
                let told = super::group_checks::told(&group);
                self.complain(format!("{} {why}: {spec} {told} {:?} {shown:?}", full_name(&group), status.id));
            }
        }
        self.check_left_groups();
    }

    fn check_group(&self, group: &ScimGroup) -> Result<(), String> {
        let status = group.status.clone().unwrap_or_default();
        let reason = reason_of_group(&status);
        if reason == "Held" && self.is_refused(group) {
            return Ok(());
        }
        let here = status.bound_to.as_ref() == Some(&self.cluster.server);
        if is_deleting(group) {
            let claimed = group.claimed_group().is_some_and(|claimed| !claimed.may_be_at(&self.cluster.server));
            if (status.id.is_some() && !here || claimed) && reason == "BoundElsewhere" {
                return Ok(());
            }
            let hides = self.setup.protected && !self.site.groups.readable.with_group();
            let why = "i15: is still being deleted".to_owned();
            return if hides && reason == "Protected" { Ok(()) } else { Err(why) };
        }
        if reason == "NotAllowed" && self.names_elsewhere(group) {
            return Ok(());
        }
        let name = &group.spec.display_name;
        let others = || self.cluster.groups.values().filter(|other| other.metadata.uid != group.metadata.uid);
        let rivals = others().any(|other| {
            let has = other.status.as_ref().and_then(|status| status.display_name.as_ref());
            other.spec.display_name == *name || has == Some(name)
        });
        let fitting: Vec<_> = self.site.groups.all.iter().filter(|(_, group)| group.name() == name).collect();
        let foreign = fitting.iter().any(|(_, group)| {
            let declared = group_of_external(&group.attributes);
            declared.is_some() && declared != status.external_id.as_deref()
        });
        let crowded = rivals || fitting.len() > 1 || foreign;
        let Some(id) = group_of(group).filter(|_| here) else {
            return match reason {
                "Conflict" | "Pending" if crowded => Ok(()),
                "AdoptionRefused" if fitting.len() == 1 => Ok(()),
                _ => Err("i07: has no group".into()),
            };
        };
        let Some(shown) = self.site.groups.all.get(id) else {
            let by_hand = self.site.groups.deleted_by_hand.contains(self.book.now(id));
            let renumbered = self.book.renumbered.contains_key(id);
            return match reason {
                "DeletedAtServer" if by_hand && !self.policy.repair.deleted => Ok(()),
                "Conflict" | "Pending" if (by_hand || renumbered) && crowded => Ok(()),
                "AdoptionRefused" if (by_hand || renumbered) && fitting.len() == 1 => Ok(()),
                _ => Err("i09: its group is gone".into()),
            };
        };
        // Where nobody is shown who is in, a group can't be replaced whole.
        let unchangeable = self.setup.quirks.groups != Methods::Both && !self.site.groups.readable.with_group();
        if unchangeable && ["NotSupported", "Rejected"].contains(&reason) {
            return Ok(());
        }
        let elsewhere = fitting.iter().any(|(other, _)| *other != id);
        let blocked = (rivals || elsewhere) && ["Conflict", "Pending"].contains(&reason);
        let left = reason == "Drifted" && !self.policy.repair.attributes;
        let renamed = self.site.groups.renamed_by_hand.contains(id);
        if shown.name() != name && !blocked && !(left && renamed) {
            return Err("i03: its group has another name".into());
        }
        let declared = group.spec.external_id.as_deref();
        if declared.is_some() && external_id(shown) != declared && !blocked && !left {
            return Err("i03: its group has another externalId".into());
        }
        // The name that it is to have is another's: until that is free nothing of it is changed.
        if blocked && shown.name() != name {
            return Ok(());
        }
        self.check_members(group, id, reason)
    }

    /// A member is an object of the other connection, which a person is to put right.
    fn names_elsewhere(&self, group: &ScimGroup) -> bool {
        let mut names = group.spec.members.iter().flatten().filter_map(|member| member.user_ref.as_ref());
        names.any(|member| self.cluster.named("n", &member.name).is_some_and(is_of_second))
    }

    fn check_members(&self, group: &ScimGroup, id: &str, reason: &str) -> Result<(), String> {
        let Some(shown) = self.site.groups.all.get(id) else { return Ok(()) };
        let readable = self.site.groups.readable.with_group();
        let drifts = reason == "Drifted" || !readable;
        let left = (!self.policy.repair.attributes && drifts) || reason == "Contested";
        let by_hand = |member: &String| self.site.groups.by_hand.contains(&(id.to_owned(), member.clone()));
        let wanted = self.accounts_named(group);
        for member in wanted.difference(&shown.members) {
            let told = !readable || left;
            if !(by_hand(member) && told) {
                return Err(format!("i18: {member} isn't in its group"));
            }
        }
        let recorded = group.spec.membership == Membership::Additive || !readable;
        // Of accounts that are gone nothing is to be taken away.
        let there = |member: &&String| self.site.server.accounts.contains_key(*member);
        for member in shown.members.difference(&wanted).filter(there) {
            let ours = self.book.groups.recorded.contains(&(id.to_owned(), member.clone()));
            let stays =
                self.keeps_member(member) || (recorded && (!ours || by_hand(member))) || (left && by_hand(member));
            if !stays {
                return Err(format!("i10: {member} is in its group (held: {})", self.is_held(member)));
            }
        }
        Ok(())
    }

    /// What was made and is declared no more is gone, where that was to be.
    fn check_left_groups(&mut self) {
        let left = self.book.groups.made.iter().flat_map(|(uid, ids)| ids.iter().map(move |id| (uid, id)));
        let left = left.filter(|(uid, id)| {
            let book = &self.book;
            let held = self.cluster.groups.values().any(|group| group_of(group) == Some(id.as_str()));
            let Some(shown) = self.site.groups.all.get(*id) else { return false };
            // On no record, it is one of several that nobody can tell apart.
            let recorded = book.groups.holders.contains_key(id.as_str());
            let alone =
                recorded || self.site.groups.all.values().filter(|other| other.name() == shown.name()).count() == 1;
            let named = self.cluster.groups.values().any(|group| group.spec.display_name == shown.name());
            !self.cluster.groups.contains_key(*uid)
                && !held
                && alone
                && !named
                && self.policy.group_deletion == crate::api::GroupDeletionPolicy::Delete
                && !book.groups.excused.contains(*id)
                && !book.is_hidden_from(uid, id)
                && !self.site.groups.renamed_by_hand.contains(*id)
        });
        let left: Vec<String> = left.map(|(_, id)| id.clone()).collect();
        if let Some(id) = left.first() {
            self.complain(format!("i15: the group {id} is there, and no object declares it"));
        }
    }
}

fn group_of_external(attributes: &crate::scim::Attributes) -> Option<&str> {
    attributes.get("externalId").and_then(serde_json::Value::as_str)
}
