//! Members who seem to be nobody's, and may be declared: their objects have yet to find their accounts, at first or under new
//! ids, or nobody knows yet whose a userName is. They stay as they are until that is known (promises I10, I31).

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use super::GroupPass;
use super::members::Standing;
use crate::api::{RemoteId, ScimUser};
use crate::directory::Awaited;
use crate::plan::groups::ARRIVAL;
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;
use crate::provisioner::mirror::Mirror as _;
use crate::scim::fold;

impl<E: Effects> Provisioner<E> {
    /// Whom the group declares without their accounts being known; nobody where nobody is to go.
    pub(super) fn awaited(&self, pass: &GroupPass) -> Awaited {
        let uid = pass.uid();
        let leave = self.directory.membership(&uid, |members| !members.extra().is_empty());
        if leave != Some(true) || pass.is_deleting() {
            return Awaited::default();
        }
        let age = pass.object.creation_timestamp().map(|made| self.effects.now().duration_since(made.0));
        let arrives = age.is_some_and(|age| age < ARRIVAL);
        let mut awaited = self.directory.awaited(&uid);
        awaited.absent &= arrives;
        awaited.user_names.extend(self.names_of_hidden(pass));
        awaited.user_names.extend(self.names_of_leaving(pass));
        awaited
    }

    /// The userNames of those who stay in for a while, though their objects vanished, and whom the server doesn't show under
    /// the ids on record: they may be in under others by now.
    fn names_of_leaving(&self, pass: &GroupPass) -> Vec<String> {
        let Some(status) = pass.object.status.as_ref() else { return Vec::new() };
        let interval = self.connection().spec.resync_interval.signed();
        let lately = |since: &Time| self.effects.now().duration_since(since.0) < interval;
        let leaving = status.leaving.iter().flatten().filter(|(_, since)| lately(since));
        let named = leaving.filter_map(|(id, _)| Some((id, fold(status.member_names.as_ref()?.get(id)?))));
        let doubted = self.doubts_ids(pass);
        self.mirror.users.look(|known| {
            let same = |id: &str, name: &str| known.identity(id).is_some_and(|(shown, _)| fold(shown) == name);
            named.filter(|(id, name)| doubted || !same(id, name)).map(|(_, name)| name).collect()
        })
    }

    /// The userNames of those who are declared, aren't in, and whose accounts the server doesn't show under the ids on
    /// record: it may have given out new ones.
    fn names_of_hidden(&self, pass: &GroupPass) -> Vec<String> {
        let missing = self.directory.membership(&pass.uid(), |members| members.missing().iter().cloned().collect());
        let mut hidden: Vec<RemoteId> = missing.unwrap_or_default();
        if !self.doubts_ids(pass) {
            self.mirror.users.look(|known| hidden.retain(|id| !known.shows(id.as_str())));
        }
        let users = hidden.iter().filter_map(|id| self.directory.bound_to(&self.key, pass.server(), id));
        let recorded = |user: &ScimUser| user.status.as_ref().and_then(|status| status.user_name.clone());
        users
            .flat_map(|user| [Some(fold(&user.spec.user_name)), recorded(&user).map(|name| fold(&name))])
            .flatten()
            .collect()
    }

    /// Whether a member that is to go may be one of them.
    pub(super) fn may_be_awaited(&self, pass: &GroupPass, awaited: &Awaited, id: &RemoteId) -> Standing {
        if awaited.is_empty() {
            return Standing::Free;
        }
        // Who is bound to an object is known by that; another one may be about to take over its account (promise I8).
        if let Some(user) = self.directory.bound_to(&self.key, pass.server(), id) {
            let recorded = user.status.as_ref().and_then(|status| status.user_name.as_deref());
            let mut names = [Some(&*user.spec.user_name), recorded].into_iter().flatten();
            let succeeded =
                awaited.ids.contains(id.as_str()) || names.any(|name| awaited.user_names.contains(&fold(name)));
            return if succeeded { Standing::Awaited } else { Standing::Free };
        }
        if awaited.absent || awaited.ids.contains(id.as_str()) {
            return Standing::Awaited;
        }
        let named = self.mirror.users.look(|known| {
            let (name, _) = known.identity(id.as_str())?;
            Some(awaited.user_names.contains(&fold(name)))
        });
        let named = named.or_else(|| Some(awaited.display_names.contains(&self.group_of(id)?)));
        match named {
            Some(true) => Standing::Awaited,
            Some(false) => Standing::Free,
            None if self.awaits_list(pass) => Standing::Awaited,
            None => self.unseen(id),
        }
    }

    /// Whether a member that is to go may go.
    pub(super) fn may_leave(&self, pass: &GroupPass, awaited: &Awaited, id: &RemoteId) -> Standing {
        match self.protection(pass, id) {
            Standing::Free => self.may_be_awaited(pass, awaited, id),
            other => other,
        }
    }
}
