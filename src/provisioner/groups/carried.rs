//! The record of a group's members, once the server has given out new ids: it follows the group under its new one.

use std::sync::Arc;

use futures::{StreamExt, stream};
use jiff::SignedDuration;
use kube::runtime::events::EventType;
use serde_json::{Map, Value, json};

use super::writeback::AT_ONCE;
use super::{GroupPass, GroupStop};
use crate::api::Uid;
use crate::plan::groups::{GroupOperation, at_server};
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;
use crate::provisioner::schedule::queue::Outcome;

/// Where nobody is listed, each account is read with a sweep, and once more a minute later.
const READ_TWICE: SignedDuration = SignedDuration::from_mins(3);

impl<E: Effects> Provisioner<E> {
    /// The group was bound under another id, and its members' ids were not shown since: they may be others', too.
    pub(super) fn doubts_ids(&self, pass: &GroupPass) -> bool {
        let uid = pass.uid();
        let Some(since) = self.group_notes.bound_anew_at(&uid) else { return false };
        let shown = if pass.session.policy.profile.list_users {
            self.mirror.users.change(pass.session.epoch, |known| known.sightings.search(&uid)) == Some(true)
        } else {
            let interval = self.connection().spec.resync_interval.signed();
            self.effects.now().duration_since(since) > interval.saturating_add(READ_TWICE)
        };
        if shown {
            self.group_notes.ids_were_shown(&uid);
            self.mirror.users.forget_search(&uid);
        }
        !shown
    }

    /// What is on record of the group's members goes with it as it is bound: what users have of it under its former id is
    /// written under the new one. What the group itself has on record is of accounts that may be others by now, and is
    /// forgotten; so is all of another server (promise I6).
    pub(super) async fn carry_record(&self, pass: &mut GroupPass, id: &str) -> Result<(), GroupStop> {
        let former = pass.bound_id().map(str::to_owned);
        if former.as_deref() == Some(id) {
            return Ok(());
        }
        if former.is_none() && pass.status.bound_to.as_deref().is_none_or(|server| server == pass.server()) {
            return Ok(());
        }
        let unnamed = self.rewrite_record(pass, former.as_deref(), Some(id)).await?;
        if former.is_none() {
            pass.status.brought_in = None;
            return Ok(());
        }
        // Whose name is on record is found by that.
        let names = pass.object.status.as_ref().and_then(|status| status.member_names.clone()).unwrap_or_default();
        let before = pass.status.brought_in.take().unwrap_or_default();
        let (kept, unknown): (Vec<String>, Vec<String>) = before.into_iter().partition(|id| names.contains_key(id));
        pass.status.brought_in = (!kept.is_empty()).then_some(kept);
        let unknown = unknown.len() + unnamed;
        self.group_notes.bound_anew(&pass.uid(), self.effects.now());
        if self.doubts_ids(pass) {
            self.ask_for_sweep();
        }
        if unknown > 0 {
            let note = format!(
                "the server has given this group a new id, and its accounts may have new ones, too: {unknown} members that no \
                 ScimUser stands for and that this object put in count as put in by others from now on; once they aren't \
                 declared any more, take them out at the server"
            );
            self.tell(pass, EventType::Warning, "NewIds", &note).await;
        }
        Ok(())
    }

    /// The object takes over the group of another one, which goes: with it whom that one brought in, and who is about to leave
    /// it (promises I8, I18).
    pub(super) async fn take_over_record(&self, pass: &mut GroupPass, id: &str) -> Result<(), GroupStop> {
        let before = self.directory.group_handed_over(&pass.object, pass.server(), id);
        let Some(before) = before.and_then(|before| before.status.clone()) else { return Ok(()) };
        let leaving: Vec<_> =
            before.leaving.into_iter().flatten().map(|(member, since)| (member, Some(since.0))).collect();
        if !(leaving.is_empty() || self.leaving(&pass.object, leaving).await) {
            return Err(GroupStop::WithoutStatus(Outcome::Retry));
        }
        let names = before.member_names.unwrap_or_default();
        if !(names.is_empty() || self.merge_members(&pass.object, json!({"memberNames": names})).await) {
            return Err(GroupStop::WithoutStatus(Outcome::Retry));
        }
        self.refresh(pass);
        pass.status.brought_in = before.brought_in;
        pass.status.owned_members = before.owned_members;
        Ok(())
    }

    /// The group is gone and is about to be made anew: nothing on record speaks of the new one.
    pub(super) async fn forget_record(&self, pass: &mut GroupPass) -> Result<(), GroupStop> {
        let former = pass.bound_id().map(str::to_owned);
        let _ = self.rewrite_record(pass, former.as_deref(), None).await?;
        pass.status.brought_in = None;
        pass.status.owned_members = None;
        Ok(())
    }

    /// A group is about to be made: what was on record is of another one, and whoever comes with it is on record under its
    /// claim. False where status stays as it is.
    pub(super) async fn begins_record(
        &self,
        pass: &mut GroupPass,
        operation: &GroupOperation,
    ) -> Result<bool, GroupStop> {
        let renewed = pass.object.status.as_ref().is_some_and(|recorded| recorded.id.is_some());
        if renewed {
            // No group is named, so that what the creation claims counts until its answer is recorded (promise I7).
            self.forget_record(pass).await?;
            pass.status = at_server(&pass.status, pass.server());
            pass.status.id = None;
            pass.status.display_name = None;
            // Of the new group nothing is known to be as declared.
            pass.status.applied_attributes = Some(String::new());
        }
        let recorded = self.directory.membership(&pass.uid(), |members| members.is_recorded()) == Some(true);
        let coming: Vec<String> = operation.change.added.iter().map(ToString::to_string).collect();
        let comes = recorded && !coming.is_empty();
        if comes {
            pass.status.brought_in = Some(coming);
        }
        Ok(renewed || comes)
    }

    async fn rewrite_record(
        &self,
        pass: &mut GroupPass,
        former: Option<&str>,
        id: Option<&str>,
    ) -> Result<usize, GroupStop> {
        let recorded =
            former.map(|former| self.directory.users_recorded_in(&self.key, &former.into())).unwrap_or_default();
        let session = Arc::clone(&pass.session);
        let server = &*session.policy.server;
        let writes = recorded.into_iter().map(|(user, account)| async move {
            let forgotten = former.map(|former| (former.to_owned(), Value::Null));
            let carried = id.map(|id| (id.to_owned(), json!(account.as_str())));
            let good = self.record_memberships(&user, forgotten.into_iter().chain(carried).collect()).await;
            self.submit_if_stale(&Uid::of(&user.metadata), server);
            good
        });
        let good = stream::iter(writes).buffer_unordered(AT_ONCE).all(|good| async move { good }).await;
        let status = pass.object.status.clone().unwrap_or_default();
        let names = status.member_names.unwrap_or_default();
        // In a group that is made anew, or at another server, nobody stays in; else whose name is on record.
        let follows = |account: &String| former.is_some() && id.is_some() && names.contains_key(account);
        let leaving: Vec<_> = status.leaving.into_iter().flatten().filter(|(account, _)| !follows(account)).collect();
        let unnamed = leaving.len();
        let none = |ids: Vec<&String>| ids.into_iter().map(|id| (id.clone(), Value::Null)).collect::<Map<_, _>>();
        let left = none(leaving.iter().map(|(account, _)| account).collect());
        let unknown = none(names.keys().filter(|account| !follows(account)).collect());
        let forgotten = left.is_empty() && unknown.is_empty()
            || self.merge_members(&pass.object, json!({"leaving": left, "memberNames": unknown})).await;
        if !(good && forgotten) {
            return Err(GroupStop::WithoutStatus(Outcome::Retry));
        }
        self.refresh(pass);
        Ok(unnamed)
    }
}
