//! Groups as the engine's kind.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource as _;
use kube::ResourceExt;
use serde_json::Value;

use super::rejected::retry;
use super::requests::{UNREADABLE_MEMBERS, exists_hidden};
use super::{GroupPass, GroupStop, Scratch};
use crate::api::{OperationType, Reason, ScimGroup, ScimGroupStatus};
use crate::directory::{has_finalizer, same_plan};
use crate::plan::groups::{Group, GroupOperation, GroupStep, GroupVerdict, MEMBERS, Membership, same_name, way_out};
use crate::plan::guards::{Gate, GuardName};
use crate::plan::{Account, Binding, Claims, Departure, Path, Request, Step};
use crate::provisioner::connection::session::Session;
use crate::provisioner::effects::{Effects, Note};
use crate::provisioner::engine::{
    AdmissionRequest, Claimed, Ended, Kind, Mirror, ObjectStatus, SearchRefused, looked_for_later,
};
use crate::provisioner::kubernetes::WriteError;
use crate::provisioner::mirror::groups::{GroupMirror, several};
use crate::provisioner::mirror::sightings::Sightings;
use crate::provisioner::schedule::queue::Outcome;
use crate::provisioner::{Provisioner, Uid, lock};
use crate::scim::{
    Class, Error, Kind as Collection, Lesson, MembersReadable, Resource, WriteMethod, Written, composed,
};
use crate::status::{PassLog, record_group};

impl Kind for Group {
    type Object = ScimGroup;
    type Status = ScimGroupStatus;
    type Claim = String;
    type Scratch = Scratch;
    type Mirror = GroupMirror;

    const COLLECTION: Collection = Collection::Groups;
    const KIND: &'static str = "ScimGroup";
    const NOUN: &'static str = "group";
    const NAME: &'static str = "displayName";
    const LEFT: &'static str = "GroupLeft";

    fn status(object: &ScimGroup) -> Option<&ScimGroupStatus> {
        object.status.as_ref()
    }

    fn claimed<E: Effects>(p: &Provisioner<E>, object: &ScimGroup) -> Option<String> {
        p.claimed_group(object).map(str::to_owned)
    }

    fn claim_of_operation<E: Effects>(
        p: &Provisioner<E>,
        pass: &GroupPass,
        operation: &GroupOperation,
    ) -> Option<String> {
        if operation.kind == OperationType::Create || !has_finalizer(&pass.object) {
            return Some(pass.object.spec.display_name.clone());
        }
        Self::claimed(p, &pass.object)
    }

    fn claim_of_binding(_: &GroupPass, binding: &Binding) -> String {
        binding.name.clone()
    }

    fn way_out(full_name: &str) -> String {
        way_out(full_name)
    }

    fn claims<E: Effects>(p: &Provisioner<E>, pass: &GroupPass, id: Option<&str>) -> Claims {
        p.directory.group_claims(&pass.object, pass.server(), id)
    }

    fn reference(object: &ScimGroup) -> ObjectReference {
        object.object_ref(&())
    }

    fn takes_access(pass: &GroupPass) -> bool {
        pass.is_deleting()
    }

    fn removes_access<E: Effects>(p: &Provisioner<E>, pass: &GroupPass) -> bool {
        let leave = || p.directory.membership(&pass.uid(), |members| !members.extra().is_empty());
        pass.is_deleting() || leave().unwrap_or(false)
    }

    fn unserved<E: Effects>(p: &Provisioner<E>, _: &ScimGroup) -> bool {
        p.serves_removals_only()
    }

    async fn prepare<E: Effects>(p: &Provisioner<E>, pass: &mut GroupPass) -> bool {
        p.prepare(pass);
        p.note_dropped(pass);
        p.flush_record(pass).await
    }

    async fn before_plan<E: Effects>(p: &Provisioner<E>, pass: &mut GroupPass) -> Result<(), GroupStop> {
        p.look_at_members(pass).await
    }

    fn plan<E: Effects>(p: &Provisioner<E>, pass: &GroupPass) -> GroupStep {
        let step = p.plan_group(pass);
        p.effects.note(&Note::GroupDecided { uid: &pass.uid(), step: &step });
        step
    }

    fn write_after_read<E: Effects>(_: &Provisioner<E>, _: &GroupPass) -> Option<GroupOperation> {
        None
    }

    async fn before_operation<E: Effects>(
        _: &Provisioner<E>,
        _: &mut GroupPass,
        _: &GroupOperation,
    ) -> Result<(), GroupStop> {
        Ok(())
    }

    fn before_departure<E: Effects>(_: &Provisioner<E>, _: &GroupPass) -> Result<(), GroupStop> {
        Ok(())
    }

    fn reserve<E: Effects>(p: &Provisioner<E>, pass: &GroupPass, step: &GroupStep, uid: &Uid) -> bool {
        let (id, name) = match step {
            Step::Bind(binding) => (Some(&*binding.id), Some(&*binding.name)),
            Step::Send(operation) => {
                // What is being made under this name isn't to be found by others meanwhile.
                let makes = matches!(operation.request, Request::Create(_));
                (operation.request.target(), makes.then_some(&*pass.object.spec.display_name))
            }
            _ => (None, None),
        };
        id.is_none_or(|id| p.directory.reserve_group(pass.server(), id, uid))
            && name.is_none_or(|name| p.directory.reserve_group_name(pass.server(), name, uid))
    }

    fn give_up_successor<E: Effects>(p: &Provisioner<E>, pass: &GroupPass) {
        p.directory.give_up_group(&pass.object, pass.server());
    }

    fn decline<E: Effects>(p: &Provisioner<E>, pass: &GroupPass) -> Vec<Uid> {
        p.directory.decline_group(&pass.object, pass.server())
    }

    fn tries_another_form<E: Effects>(p: &Provisioner<E>, pass: &mut GroupPass, _: &GroupVerdict) -> bool {
        // On record, they are named.
        p.note_unkept(pass)
    }

    fn ended<E: Effects>(p: &Provisioner<E>, pass: &mut GroupPass, verdict: Box<GroupVerdict>) -> Ended<Self> {
        if let Some((mut waiting, outcome)) = pass.own.removals.take() {
            if waiting.reason.is_some() {
                waiting.details.members = verdict.details.members;
                waiting.details.waiting_for.clone_from(&verdict.details.waiting_for);
                // Shown already: shown anew, it would be judged anew, and no approval would ever serve.
                waiting.details.drift.clone_from(&pass.status.drift);
            }
            return Ended::Otherwise(waiting, outcome);
        }
        let again = verdict.details.again_after.and_then(|wait| p.effects.now().checked_add(wait).ok());
        lock(&p.windows).set(&pass.uid().into(), again);
        if verdict.executed && verdict.details.drift.is_none() {
            lock(&p.groups).drift.remove(&pass.uid());
        }
        Ended::AsDecided(verdict)
    }

    fn own_outcome<E: Effects>(p: &Provisioner<E>, pass: &GroupPass, verdict: &GroupVerdict) -> Option<Outcome> {
        if verdict.details.again {
            return Some(Outcome::Again);
        }
        // Whoever comes meanwhile is put in at once.
        if verdict.details.again_after.is_some() {
            return Some(Self::rest(pass, verdict));
        }
        let tried = lock(&p.notes).tried(&pass.uid());
        if let Some(wait) = retry(pass, verdict, &tried, p.effects.now()) {
            return Some(Outcome::After(wait));
        }
        (verdict.reason == Some(Reason::RateLimited)).then(|| p.outcome_of_member_rate(pass))
    }

    fn rest(pass: &GroupPass, verdict: &GroupVerdict) -> Outcome {
        let waits = verdict.details.members.is_some_and(|members| members.waiting > 0);
        if waits && pass.log.operation.is_some() { Outcome::After(super::GATHER) } else { Outcome::Done }
    }

    fn after_pass<E: Effects>(_: &Provisioner<E>, _: &GroupPass) {}

    fn admission_of_binding<E: Effects>(
        _: &Provisioner<E>,
        pass: &GroupPass,
        binding: &Binding,
    ) -> Option<(AdmissionRequest, Vec<Path>)> {
        // What is removed at once is asked for by itself.
        if pass.is_deleting() || (!pass.session.policy.plan && !moved(pass)) {
            return None;
        }
        let (operation, remote_id) = (binding.how, Some(binding.id.clone()));
        Some((AdmissionRequest { operation, remote_id, attributes: Vec::new(), guard: None }, Vec::new()))
    }

    fn admission_of<E: Effects>(
        p: &Provisioner<E>,
        pass: &GroupPass,
        operation: &GroupOperation,
    ) -> Option<AdmissionRequest> {
        let plan = pass.session.policy.plan;
        // What no guard counts needs no admission; asking would push aside what does.
        if operation.guard.is_none() && !plan && !moved(pass) {
            return None;
        }
        let request = AdmissionRequest::of(operation);
        if !changes_members(operation) {
            return Some(request);
        }
        // Under Plan an approval covers what is left of it, chunk by chunk.
        let guard = if plan { Some(GuardName::Memberships) } else { operation.guard };
        Some(AdmissionRequest { attributes: p.owed_members(pass, plan), guard, ..request })
    }

    fn not_admitted(pass: &mut GroupPass, operation: &GroupOperation, stop: GroupStop) -> Result<(), GroupStop> {
        match stop {
            // Removals wait; the rest of the pass goes on without them.
            GroupStop::With(verdict, outcome) if changes_members(operation) && !pass.session.policy.plan => {
                pass.own.removals = Some((verdict, outcome));
                Ok(())
            }
            stop => Err(stop),
        }
    }

    fn base<E: Effects>(p: &Provisioner<E>, uid: &str, gate: &Gate, guard: Option<GuardName>, now: Timestamp) -> u64 {
        if guard == Some(GuardName::Memberships) {
            let present = p.directory.membership(uid, |members| members.present()).unwrap_or_default();
            return present as u64 + gate.taken_out(uid, now);
        }
        let bound = p.directory.groups_of(&p.key).iter().filter(has_finalizer).count();
        bound as u64 + gate.used(GuardName::Groups, now)
    }

    async fn save_ledger<E: Effects>(
        p: &Provisioner<E>,
        pass: &GroupPass,
        guard: Option<GuardName>,
        revision: u64,
    ) -> Result<(), GroupStop> {
        if guard == Some(GuardName::Memberships) {
            return p.keep_group_ledger(pass).await;
        }
        if p.keep_ledger(revision).await { Ok(()) } else { Err(GroupStop::WithoutStatus(Outcome::Retry)) }
    }

    fn mirror<E: Effects>(p: &Provisioner<E>) -> &Mutex<GroupMirror> {
        &p.groups
    }

    fn asks_members(session: &Session) -> bool {
        session.policy.profile.members_readable == MembersReadable::OnRequest
    }

    fn read<E: Effects>(
        p: &Provisioner<E>,
        pass: &mut GroupPass,
        resource: Resource,
    ) -> Result<Option<Account>, GroupStop> {
        p.group_shown(pass, &resource, true);
        pass.own.whole = (pass.session.policy.profile.write_groups == WriteMethod::Put).then(|| resource.clone());
        let readable = pass.session.policy.profile.members_readable.with_group();
        if readable && !resource.members_are_readable() && !pass.is_deleting() {
            return Err(looked_for_later(pass, UNREADABLE_MEMBERS.to_owned()));
        }
        // What was listed under the name that is looked for, and has another by now, isn't what is looked for.
        let fits = p.may_be_its_own(pass, &resource);
        Ok(fits.then(|| Account::Found { resource: Self::without_members(resource), fresh: true }))
    }

    fn read_failed<E: Effects>(p: &Provisioner<E>, pass: &GroupPass, error: &Error) -> GroupStop {
        // As Ory Polis refuses to show more than 500.
        if error.is_too_large() || (Self::asks_members(&pass.session) && error.class() == Class::Rejected) {
            let message = format!(
                "{error}; set spec.dialect.membersReadable of the connection to No, and who is in is known from the \
                 operator's own record"
            );
            return p.own_error(pass, Reason::NotSupported, message);
        }
        p.failed(pass, error)
    }

    fn namesake<E: Effects>(_: &Provisioner<E>, _: &GroupPass) -> Option<Account> {
        None
    }

    fn unrecorded<'a, E: Effects>(p: &Provisioner<E>, pass: &'a GroupPass) -> Option<Claimed<'a, Self>> {
        let claimed = p.unrecorded_group(pass)?;
        Some(Claimed { claim: claimed.to_owned(), key: Cow::Borrowed(claimed) })
    }

    fn keys(pass: &GroupPass) -> Vec<(&'static str, String)> {
        vec![(Self::NAME, composed(&pass.object.spec.display_name))]
    }

    fn several() -> String {
        several()
    }

    fn same_name(one: &str, other: &str) -> bool {
        same_name(one, other)
    }

    fn has_claimed_name(resource: &Resource, claim: &String) -> bool {
        Self::shown_name(resource).is_some_and(|shown| same_name(shown, claim))
    }

    fn may_filter(session: &Session, _: &str) -> bool {
        let profile = &session.policy.profile;
        !profile.filters.is_empty() || !profile.list_groups
    }

    fn must_filter(session: &Session) -> bool {
        !session.policy.profile.list_groups
    }

    fn search_refused<E: Effects>(
        p: &Provisioner<E>,
        session: &Session,
        _: (&str, &str),
        error: &Error,
    ) -> SearchRefused<Self> {
        match error.class() {
            Class::Rejected if session.policy.profile.list_groups => SearchRefused::List,
            Class::NotFound | Class::Unsupported => SearchRefused::Stop(p.no_groups(error)),
            _ => SearchRefused::Failed,
        }
    }

    fn finds_surely(_: &str) -> bool {
        true
    }

    async fn write_ahead<E: Effects>(
        p: &Provisioner<E>,
        pass: &mut GroupPass,
        operation: &GroupOperation,
    ) -> Result<(), GroupStop> {
        p.record_first(pass, operation).await?;
        p.status_ahead(pass, operation).await
    }

    fn sends<E: Effects>(p: &Provisioner<E>, pass: &GroupPass, operation: &GroupOperation) {
        p.effects.note(&Note::GroupSends { group: &pass.object, operation });
        let added = operation.change.added.len();
        if added > 0 && pass.session.policy.profile.members_an_hour.is_some() {
            // Whatever comes of it, the server may count it.
            lock(&p.groups).member_rate.put_in(&pass.uid(), added, p.effects.instant());
        }
    }

    fn is_bare<E: Effects>(p: &Provisioner<E>, pass: &GroupPass) -> bool {
        p.is_large(pass)
    }

    fn created_as(pass: &GroupPass) -> (&str, Option<&str>) {
        let (spec, profile) = (&pass.object.spec, &pass.session.policy.profile);
        (&spec.display_name, spec.external_id.as_deref().filter(|_| profile.group_external_id))
    }

    fn without_members(mut resource: Resource) -> Resource {
        // They are known by now, and a plan looks at the rest alone.
        resource.0.retain(|name, _| !name.eq_ignore_ascii_case(MEMBERS));
        resource
    }

    fn shown_name(resource: &Resource) -> Option<&str> {
        resource.get("displayName").and_then(Value::as_str)
    }

    fn members_changed(operation: &GroupOperation) -> Option<(usize, usize)> {
        let (added, removed) = (operation.change.added.len(), operation.change.removed.len());
        (added + removed > 0).then_some((added, removed))
    }

    async fn took_effect<E: Effects>(
        p: &Provisioner<E>,
        pass: &mut GroupPass,
        operation: GroupOperation,
        written: Written,
    ) -> Result<Option<Outcome>, GroupStop> {
        p.group_took_effect(pass, operation, written).await
    }

    fn may_have_applied<E: Effects>(p: &Provisioner<E>, pass: &GroupPass, operation: &GroupOperation) {
        let Some(id) = operation.request.target() else { return };
        if changes_members(operation) {
            p.directory.membership(&pass.uid(), |members: &mut Membership| {
                members.may_have_come(&operation.change.added);
                members.invalidate();
            });
        } else {
            p.in_mirror(pass, |store| store.invalidate(id));
        }
    }

    async fn refused<E: Effects>(
        p: &Provisioner<E>,
        pass: &mut GroupPass,
        operation: &GroupOperation,
        error: &Error,
    ) -> Option<Result<(), GroupStop>> {
        p.group_refused(pass, operation, error).await
    }

    fn refused_part<E: Effects>(p: &Provisioner<E>, pass: &mut GroupPass, part: &str, words: &str) -> bool {
        p.part_refused(pass, part, words);
        true
    }

    fn at_once(_: &GroupOperation, most: u32) -> Lesson {
        Lesson::MembersAtOnce(most)
    }

    fn optional_at_creation<E: Effects>(
        _: &Provisioner<E>,
        _: &GroupPass,
        _: &GroupOperation,
        _: &Error,
    ) -> BTreeSet<String> {
        BTreeSet::new()
    }

    fn removes_otherwise<E: Effects>(_: &Provisioner<E>, _: &mut GroupPass, _: &GroupOperation) -> bool {
        false
    }

    fn denied(operation: &GroupOperation) -> (Reason, &'static str) {
        let what = match operation.request {
            Request::Delete { .. } => "it doesn't delete groups, or not this one",
            _ => "it may not know one of the members, or has no PATCH for groups",
        };
        (Reason::Rejected, what)
    }

    fn exists_hidden(pass: &GroupPass, error: &Error) -> String {
        exists_hidden(pass, error)
    }

    fn unsupported<E: Effects>(_: &Provisioner<E>, _: &GroupPass, error: &Error) -> String {
        error.to_string()
    }

    async fn bind<E: Effects>(p: &Provisioner<E>, pass: &mut GroupPass, binding: &Binding) {
        p.bind_group(pass, binding);
    }

    async fn write_claim<E: Effects>(
        p: &Provisioner<E>,
        object: &ScimGroup,
        present: bool,
        claim: Option<&String>,
    ) -> Result<Arc<ScimGroup>, WriteError> {
        let newest = p.directory.group(&object.uid().unwrap_or_default());
        // Planned for an older spec: nothing is claimed, nor sent, for what isn't declared any more.
        if present && newest.as_ref().is_some_and(|newest| !same_plan(&**newest, object)) {
            return Err(WriteError::Stale);
        }
        let claim = claim.map(String::as_str).filter(|_| present);
        p.effects
            .claim_group(newest.as_deref().unwrap_or(object), claim)
            .await
            .map(|written| p.apply_written_group(written))
    }

    async fn before_finalizer<E: Effects>(p: &Provisioner<E>, pass: &mut GroupPass, verdict: &GroupVerdict) -> bool {
        // The group is gone, and so is what our record says of it.
        match (pass.status.id.clone(), &verdict.departure) {
            (Some(id), Departure::Done) => p.forget_recorded_members(pass, &id).await,
            _ => true,
        }
    }

    fn record<E: Effects>(p: &Provisioner<E>, pass: &mut GroupPass, verdict: &GroupVerdict) -> ScimGroupStatus {
        if verdict.applied.is_some() {
            pass.status.external_id.clone_from(&pass.object.spec.external_id);
        }
        // The guard's ledger is written by itself, before what it counts.
        let newest = p.directory.group(&pass.uid());
        pass.status.removals = newest.and_then(|group| group.status.as_ref()?.removals.clone());
        record_group(&pass.status, pass.generation(), verdict, &pass.log, p.effects.now())
    }

    fn record_waiting(
        status: &ScimGroupStatus,
        generation: i64,
        verdict: &GroupVerdict,
        now: Timestamp,
    ) -> ScimGroupStatus {
        record_group(status, generation, verdict, &PassLog::default(), now)
    }

    async fn save<E: Effects>(
        p: &Provisioner<E>,
        object: &ScimGroup,
        status: &ScimGroupStatus,
    ) -> Result<(), WriteError> {
        p.save_group(object, status).await
    }

    fn unsaved<E: Effects>(p: &Provisioner<E>, uid: &str) -> Option<ScimGroupStatus> {
        lock(&p.groups).unsaved.get(uid).cloned()
    }

    fn settled<E: Effects>(_: &Provisioner<E>, _: &GroupPass, _: &GroupVerdict) {}

    fn departs<E: Effects>(p: &Provisioner<E>, pass: &GroupPass, verdict: &GroupVerdict) {
        p.effects.note(&Note::GroupDeparts { group: &pass.object, status: &pass.status, verdict });
    }
}

/// The object is bound to a group of another server.
fn moved(pass: &GroupPass) -> bool {
    let known = pass.status.bound_to();
    pass.status.id.is_some() && known.is_some_and(|known| known != pass.server())
}

/// The operation is about who is in.
pub(super) fn changes_members(operation: &GroupOperation) -> bool {
    operation.attributes == [Path::core(MEMBERS)]
}

impl Mirror for GroupMirror {
    fn sightings(&mut self) -> &mut Sightings {
        &mut self.sightings
    }

    fn is_of(&self, epoch: u64) -> bool {
        self.is_of(epoch)
    }

    fn apply(&mut self, resource: &Resource) {
        self.apply(resource);
    }

    fn missing(&mut self, id: &str, now: Timestamp) -> bool {
        self.missing(id, now)
    }

    fn forget(&mut self, id: &str) {
        self.forget(id);
    }

    fn moment(&self) -> u64 {
        self.moment()
    }

    fn knew(&self, id: &str, moment: u64) -> bool {
        self.knew(id, moment)
    }

    fn is_complete(&self) -> bool {
        self.is_complete()
    }

    fn having(&self, _: &str, value: &str) -> Vec<String> {
        self.named(value)
    }

    fn sample(&self, attribute: &str) -> Option<String> {
        self.sample(attribute)
    }
}
