//! Groups as the engine's kind.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;

use super::admission::go_on_without;
use super::claims::{claim_of_binding, claim_of_creation, exists_hidden};
use super::{GroupPass, GroupStop, Scratch};
use crate::api::{ClaimedGroup, OperationType, Reason, ScimGroup, ScimGroupStatus, Uid};
use crate::directory::has_finalizer;
use crate::plan::groups::{Group, GroupOperation, GroupStep, GroupVerdict, MEMBERS, Membership, same_name};
use crate::plan::guards::{Gate, GuardName};
use crate::plan::{Account, Binding, Claims, Path, Request, ResourceType, Step};
use crate::provisioner::Provisioner;
use crate::provisioner::connection::session::Session;
use crate::provisioner::effects::{Effects, Note};
use crate::provisioner::engine::{AdmissionRequest, Claimed, Ended, Kind, SearchRefused, Unsaved};
use crate::provisioner::kubernetes::WriteError;
use crate::provisioner::mirror::groups::{GroupMirror, several};
use crate::provisioner::mirror::observed::Observed;
use crate::provisioner::schedule::queue::Outcome;
use crate::scim::{Error, Kind as Collection, Lesson, MembersReadable, Resource, Written, composed};
use crate::status::{PassLog, record_group};

impl Kind for Group {
    type Object = ScimGroup;
    type Status = ScimGroupStatus;
    type Claim = ClaimedGroup;
    type Scratch = Scratch;
    type Mirror = GroupMirror;

    const COLLECTION: Collection = Collection::Groups;
    const KIND: &'static str = "ScimGroup";
    const LEFT: &'static str = "GroupLeft";

    fn claimed<E: Effects>(p: &Provisioner<E>, object: &ScimGroup) -> Option<ClaimedGroup> {
        p.claimed_group(object)
    }

    fn claim_of_operation<E: Effects>(
        p: &Provisioner<E>,
        pass: &GroupPass,
        operation: &GroupOperation,
    ) -> Option<ClaimedGroup> {
        if operation.kind == OperationType::Create || !has_finalizer(&pass.object) {
            return Some(claim_of_creation(pass));
        }
        Self::claimed(p, &pass.object)
    }

    fn claim_of_binding(pass: &GroupPass, binding: &Binding) -> ClaimedGroup {
        claim_of_binding(pass, binding)
    }

    fn claims<E: Effects>(p: &Provisioner<E>, pass: &GroupPass, id: Option<&str>) -> Claims {
        p.directory.group_claims(&pass.object, pass.server(), id)
    }

    fn takes_access<E: Effects>(_: &Provisioner<E>, pass: &GroupPass) -> bool {
        pass.is_deleting()
    }

    fn removes_access<E: Effects>(p: &Provisioner<E>, pass: &GroupPass) -> bool {
        let leave = || p.directory.membership(&pass.uid(), |members| !members.extra().is_empty());
        pass.is_deleting() || leave().unwrap_or(false)
    }

    fn unserved<E: Effects>(p: &Provisioner<E>, object: &ScimGroup) -> bool {
        !p.may_serve_group(object)
    }

    fn ends_access<E: Effects>(p: &Provisioner<E>, object: &ScimGroup) -> bool {
        !p.directory.departed(&Uid::of(&object.metadata)).is_empty()
    }

    async fn prepare<E: Effects>(p: &Provisioner<E>, pass: &mut GroupPass) -> bool {
        p.begin_group(pass).await;
        true
    }

    async fn before_plan<E: Effects>(p: &Provisioner<E>, pass: &mut GroupPass) -> Result<(), GroupStop> {
        p.resolve_names(pass);
        p.look_at_members(pass).await?;
        p.follow_ids(pass).await
    }

    fn plan<E: Effects>(p: &Provisioner<E>, pass: &GroupPass) -> GroupStep {
        let step = p.as_far_as_served(pass, p.plan_group(pass));
        p.effects.note(&Note::GroupDecided { uid: &pass.uid(), step: &step });
        step
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
        id.is_none_or(|id| p.directory.reserve_group(pass.server(), &id.into(), uid))
            && name.is_none_or(|name| p.directory.reserve_group_name(pass.server(), name, uid))
    }

    fn give_up_successor<E: Effects>(p: &Provisioner<E>, pass: &GroupPass) {
        p.directory.give_up_group(&pass.object, pass.server());
    }

    fn decline<E: Effects>(p: &Provisioner<E>, pass: &GroupPass) -> Vec<Uid> {
        p.directory.decline_group(&pass.object, pass.server())
    }

    async fn looks_further<E: Effects>(
        p: &Provisioner<E>,
        pass: &mut GroupPass,
        verdict: &GroupVerdict,
    ) -> Result<bool, GroupStop> {
        p.look_for_names(pass, verdict).await
    }

    fn tries_another_form<E: Effects>(p: &Provisioner<E>, pass: &mut GroupPass, _: &GroupVerdict) -> bool {
        p.note_unkept(pass) || p.note_stuck(pass) || p.note_barred(pass)
    }

    fn ended<E: Effects>(p: &Provisioner<E>, pass: &mut GroupPass, verdict: Box<GroupVerdict>) -> Ended<Self> {
        p.group_ended(pass, verdict)
    }

    fn own_outcome<E: Effects>(p: &Provisioner<E>, pass: &GroupPass, verdict: &GroupVerdict) -> Option<Outcome> {
        p.group_outcome(pass, verdict)
    }

    fn rest(pass: &GroupPass, verdict: &GroupVerdict) -> Outcome {
        let waits = verdict.details.members.is_some_and(|members| members.waiting > 0);
        if waits && pass.log.last.is_some() { Outcome::After(super::GATHER) } else { Outcome::Done }
    }

    fn after_pass<E: Effects>(p: &Provisioner<E>, pass: &GroupPass) {
        p.directory.membership(&pass.uid(), Membership::extra_is_met);
    }

    fn admission_of_binding<E: Effects>(
        p: &Provisioner<E>,
        pass: &GroupPass,
        binding: &Binding,
    ) -> Option<(AdmissionRequest, Vec<Path>)> {
        p.admission_of_group_binding(pass, binding)
    }

    fn admission_of<E: Effects>(
        p: &Provisioner<E>,
        pass: &GroupPass,
        operation: &GroupOperation,
    ) -> Option<AdmissionRequest> {
        p.group_admission(pass, operation)
    }

    fn not_admitted(pass: &mut GroupPass, operation: &GroupOperation, stop: GroupStop) -> Result<(), GroupStop> {
        go_on_without(pass, operation, stop)
    }

    fn base<E: Effects>(p: &Provisioner<E>, uid: &Uid, gate: &Gate, guard: Option<GuardName>, now: Timestamp) -> u64 {
        p.group_base(uid, gate, guard, now)
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

    fn mirror<E: Effects>(p: &Provisioner<E>) -> &Observed<GroupMirror> {
        &p.mirror.groups
    }

    fn asks_members(session: &Session) -> bool {
        session.policy.profile.members_readable == MembersReadable::OnRequest
    }

    async fn asked_further<E: Effects>(
        p: &Provisioner<E>,
        pass: &GroupPass,
        resource: Resource,
    ) -> Result<Option<Resource>, Error> {
        p.read_with_members(pass, resource).await
    }

    fn read<E: Effects>(
        p: &Provisioner<E>,
        pass: &mut GroupPass,
        resource: Resource,
    ) -> Result<Option<Account>, GroupStop> {
        p.group_read(pass, resource)
    }

    fn read_failed<E: Effects>(p: &Provisioner<E>, pass: &GroupPass, error: &Error) -> GroupStop {
        p.group_not_read(pass, error)
    }

    fn unrecorded<'a, E: Effects>(p: &Provisioner<E>, pass: &'a GroupPass) -> Option<Claimed<'a, Self>> {
        p.unrecorded_group(pass).map(|claim| Claimed { key: Cow::Owned(claim.display_name.clone()), claim })
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

    fn has_claimed_name(resource: &Resource, claim: &ClaimedGroup) -> bool {
        Self::shown_name(resource).is_some_and(|shown| same_name(shown, &claim.display_name))
    }

    fn may_filter(session: &Session, _: &str) -> bool {
        let profile = &session.policy.profile;
        !profile.filters.is_empty() || !profile.list_groups
    }

    fn lists(session: &Session) -> bool {
        session.policy.profile.list_groups
    }

    fn search_refused<E: Effects>(
        p: &Provisioner<E>,
        session: &Session,
        _: (&str, &str),
        error: &Error,
    ) -> SearchRefused<Self> {
        p.group_search_refused(session, error)
    }

    fn finds_surely(_: &str) -> bool {
        true
    }

    async fn write_ahead<E: Effects>(
        p: &Provisioner<E>,
        pass: &mut GroupPass,
        operation: &GroupOperation,
    ) -> Result<bool, GroupStop> {
        let known = p.look_before(pass, operation).await? && p.record_first(pass, operation).await?;
        if known { p.status_ahead(pass, operation).await.map(|()| true) } else { Ok(false) }
    }

    fn sends<E: Effects>(p: &Provisioner<E>, pass: &GroupPass, operation: &GroupOperation) {
        p.effects.note(&Note::GroupSends { group: &pass.object, operation });
        let added = operation.change.added.len();
        if added > 0 && pass.session.policy.profile.members_an_hour.is_some() {
            // Whatever comes of it, the server may count it.
            p.group_notes.put_in(&pass.uid(), added, p.effects.instant());
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
        resource.0.retain(|name, _| !name.eq_ignore_ascii_case(MEMBERS));
        resource
    }

    fn shown_name(resource: &Resource) -> Option<&str> {
        resource.display_name()
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
        p.group_may_have_changed(pass, operation);
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

    fn denied(operation: &GroupOperation) -> (Reason, &'static str) {
        let what = match operation.request {
            Request::Delete { .. } => "it doesn't delete groups, or not this one",
            _ => "it may not know one of the members, or has no PATCH for groups",
        };
        (Reason::Rejected, what)
    }

    fn exists_hidden<E: Effects>(p: &Provisioner<E>, pass: &GroupPass, error: &Error) -> String {
        let alike = p.mirror.groups.look(|known| known.alike(&pass.object.spec.display_name));
        exists_hidden(pass, alike, error)
    }

    async fn bind<E: Effects>(p: &Provisioner<E>, pass: &mut GroupPass, binding: &Binding) -> Result<(), GroupStop> {
        p.bind_group(pass, binding).await
    }

    async fn write_claim<E: Effects>(
        p: &Provisioner<E>,
        object: &ScimGroup,
        present: bool,
        claim: Option<&ClaimedGroup>,
    ) -> Result<Arc<ScimGroup>, WriteError> {
        p.write_group_claim(object, present, claim).await
    }

    async fn before_finalizer<E: Effects>(p: &Provisioner<E>, pass: &mut GroupPass, verdict: &GroupVerdict) -> bool {
        p.before_group_goes(pass, &verdict.departure).await
    }

    fn record<E: Effects>(p: &Provisioner<E>, pass: &mut GroupPass, verdict: &GroupVerdict) -> ScimGroupStatus {
        if verdict.applied.is_some() {
            pass.status.external_id.clone_from(&pass.object.spec.external_id);
            p.note_owned(pass);
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

    fn unsaved<E: Effects>(p: &Provisioner<E>) -> &Unsaved<ScimGroupStatus> {
        &p.group_notes.unsaved
    }

    fn departs<E: Effects>(p: &Provisioner<E>, pass: &GroupPass, verdict: &GroupVerdict) {
        p.effects.note(&Note::GroupDeparts { group: &pass.object, status: &pass.status, verdict });
    }
}
