//! The writes to the API server about a group: status, and the record of memberships, which lies with the members: one
//! key of a small map in each ScimUser's status.

use std::sync::Arc;

use futures::{StreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use serde_json::{Map, Value, json};
use tracing::warn;

use super::super::Provisioner;
use super::super::effects::Effects;
use super::super::kubernetes::WriteError;
use super::admission::changes_members;
use super::{GroupPass, GroupStop};
use crate::api::{ClaimedGroup, RemoteId, ScimGroup, ScimGroupStatus, Uid};
use crate::directory::{full_name, is_deleting};
use crate::plan::Path;
use crate::plan::groups::{Change, GroupOperation, Membership};
use crate::provisioner::mirror::Mirror as _;
use crate::provisioner::schedule::queue::{Lane, Outcome};
use crate::scim::Resource;
use crate::status::{buckets, whole_seconds};

/// Members are recorded this many at a time.
pub(super) const AT_ONCE: usize = 8;

impl<E: Effects> Provisioner<E> {
    /// No answer tells whether the operation took effect: what it may have changed is read before anything rests on it.
    pub(super) fn group_may_have_changed(&self, pass: &GroupPass, operation: &GroupOperation) {
        let Some(id) = operation.request.target() else { return };
        if changes_members(operation) {
            self.directory.membership(&pass.uid(), |members: &mut Membership| {
                members.may_have_come(&operation.change.added);
                members.invalidate();
            });
        } else {
            self.in_mirror(pass, |store| store.invalidate(id));
        }
    }

    pub(super) fn group_created(&self, pass: &GroupPass, resource: &Resource) {
        self.in_mirror(pass, |known| {
            known.apply(resource);
            known.members_read(resource.id().unwrap_or_default());
        });
    }

    pub(super) fn group_renamed(&self, pass: &GroupPass, id: &str, name: &str, attributes: &[Path]) {
        let spec = &pass.object.spec;
        self.in_mirror(pass, |store| {
            store.set(id, "displayName", Some(name.into()));
            if attributes.contains(&Path::core("externalId")) {
                store.set(id, "externalId", spec.external_id.clone().map(Into::into));
            }
        });
    }

    /// Sets our finalizer and what the group claims, or takes off both.
    pub(super) async fn write_group_claim(
        &self,
        object: &ScimGroup,
        present: bool,
        claim: Option<&ClaimedGroup>,
    ) -> Result<Arc<ScimGroup>, WriteError> {
        let claim = claim.filter(|_| present).map(ClaimedGroup::text);
        self.effects.claim_group(object, claim.as_deref()).await.map(|written| self.apply_written_group(written))
    }

    /// The directory's newest version of the pass's object.
    pub(super) fn refresh(&self, pass: &mut GroupPass) {
        if let Some(group) = self.directory.group(&pass.uid()) {
            pass.object = group;
        }
    }

    pub(super) fn apply_written_group(&self, written: ScimGroup) -> Arc<ScimGroup> {
        let uid = Uid::of(&written.metadata);
        let gone = is_deleting(&written) && written.finalizers().is_empty();
        let kept = Arc::new(written.clone());
        let others = if gone {
            self.directory.remove_group(&uid)
        } else {
            let changed = self.directory.upsert_group(written);
            // The watch event that follows is no news any more.
            changed.others.into_iter().chain(changed.fresh.then(|| uid.clone())).collect()
        };
        self.reroute(others);
        self.directory.group(&uid).unwrap_or(kept)
    }

    /// Writes the status if it differs; what the API server doesn't take is kept and tried again alone.
    pub(super) async fn save_group(&self, group: &ScimGroup, status: &ScimGroupStatus) -> Result<(), WriteError> {
        let uid = Uid::of(&group.metadata);
        let known = self.directory.group(&uid);
        let old = known.as_deref().unwrap_or(group).status.as_ref();
        let mut status = status.clone();
        // Written key by key, by whoever lets a member go.
        status.leaving = old.and_then(|old| old.leaving.clone());
        status.member_names = old.and_then(|old| old.member_names.clone());
        if old == Some(&status) {
            self.group_notes.unsaved.forget(&uid);
            return Ok(());
        }
        let mut body = json!(status);
        if let Some(body) = body.as_object_mut() {
            body.remove("leaving");
            body.remove("memberNames");
        }
        match self.effects.write_group(group, body).await {
            Ok(written) => {
                self.group_notes.unsaved.forget(&uid);
                self.apply_written_group(written);
                Ok(())
            }
            Err(error) => {
                if let WriteError::Refused(error) = &error {
                    self.note_write_failure(error);
                    self.group_notes.unsaved.keep(&uid, status);
                }
                Err(error)
            }
        }
    }

    /// The group is gone, and so is what our record says of its members. False: it can't be written now.
    pub(super) async fn forget_recorded_members(&self, pass: &mut GroupPass, id: &str) -> bool {
        let here = self.directory.membership(&pass.uid(), |members| {
            if members.is_recorded() { members.here().cloned().collect() } else { Vec::new() }
        });
        let change = Change { added: Vec::new(), removed: here.unwrap_or_default() };
        let good = self.record_members(pass, id, change).await;
        self.refresh(pass);
        good
    }

    /// The ledger of removed members is written before they are removed: a crash over-counts, never under-counts.
    pub(super) async fn keep_group_ledger(&self, pass: &GroupPass) -> Result<(), GroupStop> {
        let buckets = buckets(&self.guards.group_ledger(&pass.uid()));
        let known = self.directory.group(&pass.uid());
        let mut status = known.and_then(|group| group.status.clone()).unwrap_or_default();
        status.removals = (!buckets.is_empty()).then_some(buckets);
        match self.save_group(&pass.object, &status).await {
            Ok(()) => Ok(()),
            Err(WriteError::Gone) => Err(GroupStop::WithoutStatus(Outcome::Done)),
            Err(_) => Err(GroupStop::WithoutStatus(Outcome::Retry)),
        }
    }

    /// What was written at the server goes on record. False: not all of it could, and it is tried again first.
    pub(super) async fn record_members(&self, pass: &mut GroupPass, id: &str, change: Change) -> bool {
        self.refresh(pass);
        let left: Vec<&RemoteId> = {
            let leaving = pass.object.status.as_ref().and_then(|status| status.leaving.clone()).unwrap_or_default();
            change.removed.iter().filter(|member| leaving.contains_key(member.as_str())).collect()
        };
        if !left.is_empty() && !self.leaving(&pass.object, left.iter().map(|id| (id.to_string(), None)).collect()).await
        {
            self.group_notes.owe_record(&pass.uid(), change);
            return false;
        }
        let mut change = change;
        if !self.directory.membership(&pass.uid(), |members| members.is_recorded()).unwrap_or(false) {
            // What is on record from before the group was exact is forgotten all the same.
            let by_id =
                |member: &RemoteId| pass.status.brought_in.iter().flatten().any(|known| known == member.as_str());
            change.added = Vec::new();
            change.removed.retain(|member| by_id(member) || self.directory.is_on_record(&self.key, &id.into(), member));
        }
        let server = pass.session.policy.server.clone();
        let mut of_users = Vec::new();
        let mut brought_in = pass.status.brought_in.clone().unwrap_or_default();
        let all = change.added.iter().map(|id| (id, true)).chain(change.removed.iter().map(|id| (id, false)));
        for (member, put) in all {
            // Also of whom nothing but a name was declared when they came, and who have an object by now.
            brought_in.retain(|known| known != member.as_str());
            match self.directory.bound_to(&self.key, &server, member) {
                Some(user) => of_users.push((user, member.clone(), put)),
                None if put => brought_in.push(member.to_string()),
                None => {}
            }
        }
        pass.status.brought_in = (!brought_in.is_empty()).then_some(brought_in);
        self.name_members(pass).await;
        let writes = of_users.into_iter().map(|(user, member, put)| async move {
            let value = if put { json!(member.as_str()) } else { Value::Null };
            let good = self.record_memberships(&user, Map::from_iter([(id.to_owned(), value)])).await;
            (member, put, good)
        });
        let ended: Vec<_> = stream::iter(writes).buffer_unordered(AT_ONCE).collect().await;
        let mut failed = Change::default();
        for (member, put, _) in ended.into_iter().filter(|(_, _, good)| !good) {
            if put { failed.added.push(member) } else { failed.removed.push(member) }
        }
        let good = failed == Change::default();
        if !good {
            self.group_notes.owe_record(&pass.uid(), failed);
        }
        good
    }

    /// What could not be recorded is tried first.
    pub(super) async fn flush_record(&self, pass: &mut GroupPass) {
        let Some(owed) = self.group_notes.take_unrecorded(&pass.uid()) else { return };
        if let Some(id) = pass.status.id.clone() {
            self.record_members(pass, &id, owed).await;
        }
    }

    /// Notes in the group's status since when these have been leaving, or, with `None`, that they have left.
    pub(in crate::provisioner) async fn leaving(
        &self,
        group: &ScimGroup,
        members: Vec<(String, Option<Timestamp>)>,
    ) -> bool {
        let leave = members.iter().filter(|(_, since)| since.is_some());
        let names = self.names_of(leave.map(|(id, _)| id.as_str()));
        let entries: Map<String, Value> = members
            .into_iter()
            .map(|(id, since)| (id, since.map_or(Value::Null, |since| json!(Time(whole_seconds(since))))))
            .collect();
        // A name that the API server doesn't take keeps nobody from leaving.
        !names.is_empty() && self.merge_members(group, json!({"leaving": entries, "memberNames": names})).await
            || self.merge_members(group, json!({"leaving": entries})).await
    }

    /// Merges into what is on record of a group's members; true where that is done, or the group is gone.
    pub(super) async fn merge_members(&self, group: &ScimGroup, status: Value) -> bool {
        match self.effects.merge_group(group, status).await {
            Ok(written) => {
                self.apply_written_group(written);
                true
            }
            Err(error) => {
                let gone = matches!(error, WriteError::Gone);
                if let WriteError::Refused(error) = &error {
                    self.note_write_failure(error);
                }
                if !gone {
                    warn!(group = %full_name(group), "who leaves it could not be recorded");
                }
                gone
            }
        }
    }

    /// The deprovisioned users whose last group this may have been are looked at again.
    pub(super) fn after_removal(&self, change: &Change) -> Vec<Uid> {
        if change.removed.is_empty() { Vec::new() } else { self.directory.departing() }
    }

    pub(super) fn requeue_departing(&self, uids: Vec<Uid>) {
        let departing = uids.into_iter().map(|uid| (uid, Lane::Removal));
        self.schedule.submit_all(departing, true, self.effects.instant());
    }
}
