//! Users as the engine's kind.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::facts::write_after_read;
use super::rejected::retry;
use super::requests::{claim_of_binding, claim_of_creation, identity, unrecorded};
use super::{Scratch, UserPass, UserStop};
use crate::api::{ClaimedAccount, OperationType, Reason, ScimUser, ScimUserStatus, Uid};
use crate::directory::is_deleting;
use crate::plan::guards::{Gate, GuardName};
use crate::plan::{
    Account, Binding, Claims, Operation, Path, Request, Step, User, Verdict, after_binding, bound_status, status_ahead,
};
use crate::provisioner::Provisioner;
use crate::provisioner::connection::session::Session;
use crate::provisioner::effects::{Effects, Note};
use crate::provisioner::engine::{AdmissionRequest, Claimed, Kind, SearchRefused, Unsaved};
use crate::provisioner::kubernetes::WriteError;
use crate::provisioner::mirror::observed::Observed;
use crate::provisioner::mirror::users::{Known, UserMirror, contradiction};
use crate::provisioner::schedule::queue::Outcome;
use crate::provisioner::users::is_to_be_inactive;
use crate::scim::{Error, Kind as Collection, Lesson, Resource, Written, fold, is_special};
use crate::status::{PassLog, record, whole_seconds};

impl Kind for User {
    type Object = ScimUser;
    type Status = ScimUserStatus;
    type Claim = ClaimedAccount;
    type Scratch = Scratch;
    type Mirror = UserMirror;

    const COLLECTION: Collection = Collection::Users;
    const KIND: &'static str = "ScimUser";
    const LEFT: &'static str = "AccountLeft";

    fn claimed<E: Effects>(_: &Provisioner<E>, object: &ScimUser) -> Option<ClaimedAccount> {
        object.claimed_account()
    }

    fn claim_of_operation<E: Effects>(
        _: &Provisioner<E>,
        pass: &UserPass,
        operation: &Operation,
    ) -> Option<ClaimedAccount> {
        match operation.request {
            Request::Create(_) => Some(claim_of_creation(pass)),
            _ => pass.object.claimed_account(),
        }
    }

    fn claim_of_binding(pass: &UserPass, binding: &Binding) -> ClaimedAccount {
        claim_of_binding(pass, binding)
    }

    fn claims<E: Effects>(p: &Provisioner<E>, pass: &UserPass, id: Option<&str>) -> Claims {
        p.claims(pass, pass.server(), id)
    }

    fn takes_access<E: Effects>(p: &Provisioner<E>, pass: &UserPass) -> bool {
        pass.is_deleting() || is_to_be_inactive(&pass.object, p.effects.now())
    }

    fn unserved<E: Effects>(p: &Provisioner<E>, object: &ScimUser) -> bool {
        !p.may_serve(object)
    }

    fn ends_access<E: Effects>(p: &Provisioner<E>, object: &ScimUser) -> bool {
        is_to_be_inactive(object, p.effects.now())
    }

    async fn prepare<E: Effects>(p: &Provisioner<E>, pass: &mut UserPass) -> bool {
        p.look_up_and_record(pass).await
    }

    fn plan<E: Effects>(p: &Provisioner<E>, pass: &UserPass) -> Step {
        p.user_as_far_as_served(pass, p.plan(pass))
    }

    fn write_after_read<E: Effects>(p: &Provisioner<E>, pass: &UserPass) -> Option<Operation> {
        p.with_facts(pass, p.effects.now(), write_after_read)
    }

    async fn before_operation<E: Effects>(
        p: &Provisioner<E>,
        pass: &mut UserPass,
        operation: &Operation,
    ) -> Result<(), UserStop> {
        if operation.kind == OperationType::Delete {
            return p.before_deletion(pass, operation).await;
        }
        Ok(())
    }

    fn before_departure<E: Effects>(p: &Provisioner<E>, pass: &UserPass) -> Result<(), UserStop> {
        p.before_going(pass)
    }

    fn reserve<E: Effects>(p: &Provisioner<E>, pass: &UserPass, step: &Step, uid: &Uid) -> bool {
        let reserve = |name: &str| p.directory.reserve(pass.server(), name, uid);
        let account = |id: &str| p.directory.reserve_account(pass.server(), &id.into(), uid);
        let found = match step {
            // What a lost creation made may have another name than the one declared now.
            Step::Bind(binding) => reserve(&binding.name) && account(&binding.id),
            Step::Send(operation) => {
                unrecorded(pass).is_none_or(|claimed| reserve(&claimed.user_name))
                    && operation.request.target().is_none_or(account)
            }
            _ => true,
        };
        found && reserve(&pass.object.spec.user_name)
    }

    fn give_up_successor<E: Effects>(p: &Provisioner<E>, pass: &UserPass) {
        p.directory.give_up(&pass.object, pass.server());
    }

    fn decline<E: Effects>(p: &Provisioner<E>, pass: &UserPass) -> Vec<Uid> {
        p.directory.decline(&pass.object, pass.server())
    }

    fn tries_another_form<E: Effects>(p: &Provisioner<E>, pass: &mut UserPass, verdict: &Verdict) -> bool {
        if pass.tries_whole_lists_for(verdict) || p.tries_to_replace(pass, verdict) {
            return true;
        }
        p.learn_whole_lists(pass, verdict);
        p.learn_what_is_kept(pass, verdict);
        false
    }

    fn own_outcome<E: Effects>(p: &Provisioner<E>, pass: &UserPass, verdict: &Verdict) -> Option<Outcome> {
        let tried = p.notes.tried(&pass.uid());
        retry(pass, verdict, &tried, p.effects.now())
    }

    fn settles<E: Effects>(p: &Provisioner<E>, pass: &UserPass, verdict: &Verdict) -> Option<Verdict> {
        p.leaves_groups_meanwhile(pass, verdict)
    }

    fn after_pass<E: Effects>(p: &Provisioner<E>, pass: &UserPass) {
        p.watch_window(pass);
    }

    fn admission_of_binding<E: Effects>(
        p: &Provisioner<E>,
        pass: &UserPass,
        binding: &Binding,
    ) -> Option<(AdmissionRequest, Vec<Path>)> {
        // What is removed at once is asked for by itself.
        if pass.is_deleting() {
            return None;
        }
        let next = p.with_facts(pass, p.effects.now(), |facts| after_binding(facts, binding));
        let removes = next.as_ref().is_some_and(|next| next.kind == OperationType::Deactivate);
        let attributes = next.as_ref().map(|next| next.attributes.clone()).unwrap_or_default();
        let request = AdmissionRequest {
            operation: if removes { OperationType::Deactivate } else { binding.how },
            remote_id: Some(binding.id.clone()),
            attributes: attributes.iter().map(Path::to_string).collect(),
            guard: next.and_then(|next| next.guard),
            undelegated: false,
        };
        Some((request, attributes))
    }

    fn base<E: Effects>(p: &Provisioner<E>, _: &Uid, gate: &Gate, _: Option<GuardName>, now: Timestamp) -> u64 {
        p.base(gate, now)
    }

    fn mirror<E: Effects>(p: &Provisioner<E>) -> &Observed<UserMirror> {
        &p.mirror.users
    }

    fn read<E: Effects>(
        p: &Provisioner<E>,
        pass: &mut UserPass,
        resource: Resource,
    ) -> Result<Option<Account>, UserStop> {
        p.account_read(pass, &resource);
        Ok(Some(Account::Found { resource, fresh: true }))
    }

    fn namesake<E: Effects>(p: &Provisioner<E>, pass: &UserPass) -> Option<Account> {
        // By its former name it is looked for first: whoever has the name that is declared since may be anybody.
        if pass.status.id.is_none() || is_deleting(&pass.object) || pass.former_name().is_some() {
            return None;
        }
        let spec = &pass.object.spec;
        match p.mirror.users.look(|known| known.by_identity(&spec.user_name, spec.external_id.as_deref())) {
            Known::Found(resource) => Some(Account::Found { resource, fresh: false }),
            Known::Listed(id) => Some(Account::Listed(id)),
            _ => None,
        }
    }

    fn unrecorded<'a, E: Effects>(_: &Provisioner<E>, pass: &'a UserPass) -> Option<Claimed<'a, Self>> {
        let claim = unrecorded(pass)?;
        let key = Cow::Owned(claim.email.clone().unwrap_or_else(|| claim.user_name.clone()));
        Some(Claimed { claim, key })
    }

    fn keys(pass: &UserPass) -> Vec<(&'static str, String)> {
        let (spec, profile) = (&pass.object.spec, &pass.session.policy.profile);
        let mut keys = vec![("userName", identity(spec, profile.match_by))];
        let mut known = profile.filters.iter().chain(&profile.searched_in_list);
        let kept = profile.filters.is_empty() || known.any(|filter| filter == "externalId");
        let external_id = spec.external_id.clone().filter(|_| kept);
        keys.extend(external_id.map(|external_id| ("externalId", external_id)));
        keys
    }

    fn several() -> String {
        contradiction(1)
    }

    fn same_name(one: &str, other: &str) -> bool {
        fold(one) == fold(other)
    }

    fn has_claimed_name(resource: &Resource, claim: &ClaimedAccount) -> bool {
        resource.user_name().is_some_and(|name| fold(name) == fold(&claim.user_name))
    }

    fn may_filter(session: &Session, attribute: &str) -> bool {
        session.policy.profile.filters.iter().any(|filter| filter == attribute)
    }

    fn lists(session: &Session) -> bool {
        session.policy.profile.list_users
    }

    fn search_refused<E: Effects>(
        p: &Provisioner<E>,
        session: &Session,
        searched: (&str, &str),
        error: &Error,
    ) -> SearchRefused<Self> {
        p.user_search_refused(session, searched, error)
    }

    fn finds_surely(value: &str) -> bool {
        !is_special(value)
    }

    async fn write_ahead<E: Effects>(
        p: &Provisioner<E>,
        pass: &mut UserPass,
        operation: &Operation,
    ) -> Result<bool, UserStop> {
        if operation.kind == OperationType::Create && !p.forget_memberships(pass).await {
            return Err(UserStop::WithoutStatus(Outcome::Retry));
        }
        let (policy, deleting) = (&pass.session.policy, pass.is_deleting());
        let ahead = status_ahead(pass.object.status.as_ref(), &pass.status, policy, deleting, operation);
        let Some(ahead) = ahead else { return Ok(true) };
        pass.status = ahead;
        let status = p.write_down(pass, &Verdict::default()).await.map_err(UserStop::WithoutStatus)?;
        pass.object = Arc::new(ScimUser { status: Some(status), ..(*pass.object).clone() });
        Ok(true)
    }

    fn sends<E: Effects>(p: &Provisioner<E>, pass: &UserPass, operation: &Operation) {
        p.effects.note(&Note::Sends { uid: &pass.uid(), operation });
    }

    fn created_as(pass: &UserPass) -> (&str, Option<&str>) {
        let (spec, profile) = (&pass.object.spec, &pass.session.policy.profile);
        (&spec.user_name, spec.external_id.as_deref().filter(|_| profile.external_id))
    }

    fn shown_name(resource: &Resource) -> Option<&str> {
        resource.user_name()
    }

    async fn took_effect<E: Effects>(
        p: &Provisioner<E>,
        pass: &mut UserPass,
        operation: Operation,
        written: Written,
    ) -> Result<Option<Outcome>, UserStop> {
        p.user_took_effect(pass, &operation, written);
        Ok(None)
    }

    fn may_have_applied<E: Effects>(p: &Provisioner<E>, pass: &UserPass, operation: &Operation) {
        // Whoever takes over the account next looks at it first.
        if let Some(id) = operation.request.target().filter(|_| operation.removes()) {
            p.in_mirror(pass, |snapshot| snapshot.invalidate(id));
        }
    }

    async fn refused<E: Effects>(
        p: &Provisioner<E>,
        pass: &mut UserPass,
        operation: &Operation,
        error: &Error,
    ) -> Option<Result<(), UserStop>> {
        p.user_refused(pass, operation, error).await
    }

    fn refused_part<E: Effects>(p: &Provisioner<E>, pass: &mut UserPass, part: &str, words: &str) -> bool {
        p.attribute_refused(pass, part, words)
    }

    fn at_once(_: &Operation, most: u32) -> Lesson {
        Lesson::Operations(most)
    }

    fn optional_at_creation<E: Effects>(
        p: &Provisioner<E>,
        pass: &UserPass,
        operation: &Operation,
        error: &Error,
    ) -> BTreeSet<String> {
        p.optional_at_creation(pass, operation, error)
    }

    fn removes_otherwise<E: Effects>(p: &Provisioner<E>, pass: &mut UserPass, operation: &Operation) -> bool {
        p.deactivates_first(pass, operation)
    }

    fn denied(operation: &Operation) -> (Reason, &'static str) {
        super::requests::denied(operation)
    }

    fn exists_hidden<E: Effects>(_: &Provisioner<E>, pass: &UserPass, error: &Error) -> String {
        super::requests::exists_hidden(pass, error)
    }

    fn unsupported<E: Effects>(p: &Provisioner<E>, pass: &UserPass, error: &Error) -> String {
        let message =
            format!("{error}; set spec.dialect.writeUsers of the connection to the method that this server has");
        p.connection.state.unsupported(&pass.uid(), pass.session.generation, &message);
        message
    }

    async fn bind<E: Effects>(p: &Provisioner<E>, pass: &mut UserPass, binding: &Binding) -> Result<(), UserStop> {
        p.effects.note(&Note::Binds { uid: &pass.uid(), id: &binding.id });
        if !p.memberships_before_binding(pass, &binding.id).await && !Self::takes_access(p, pass) {
            return Err(UserStop::WithoutStatus(Outcome::Retry));
        }
        pass.status = bound_status(&pass.status, binding, pass.server(), whole_seconds(p.effects.now()));
        Ok(())
    }

    async fn write_claim<E: Effects>(
        p: &Provisioner<E>,
        object: &ScimUser,
        present: bool,
        claim: Option<&ClaimedAccount>,
    ) -> Result<Arc<ScimUser>, WriteError> {
        p.set_finalizer(object, present, claim).await.map(Arc::new)
    }

    async fn before_finalizer<E: Effects>(p: &Provisioner<E>, pass: &mut UserPass, _: &Verdict) -> bool {
        p.note_vanishing(pass).await
    }

    fn record<E: Effects>(p: &Provisioner<E>, pass: &mut UserPass, verdict: &Verdict) -> ScimUserStatus {
        record(&pass.status, pass.generation(), verdict, &pass.log, p.effects.now())
    }

    fn record_waiting(status: &ScimUserStatus, generation: i64, verdict: &Verdict, now: Timestamp) -> ScimUserStatus {
        record(status, generation, verdict, &PassLog::default(), now)
    }

    async fn save<E: Effects>(
        p: &Provisioner<E>,
        object: &ScimUser,
        status: &ScimUserStatus,
    ) -> Result<(), WriteError> {
        p.save_user(object, status).await
    }

    fn unsaved<E: Effects>(p: &Provisioner<E>) -> &Unsaved<ScimUserStatus> {
        &p.user_notes.unsaved
    }

    fn settled<E: Effects>(p: &Provisioner<E>, pass: &UserPass, verdict: &Verdict) {
        p.submit_if_carrying(pass);
        p.put_into_groups_again(pass);
        p.effects.note(&Note::Settled { user: &pass.object, status: &pass.status, verdict });
    }

    fn departs<E: Effects>(p: &Provisioner<E>, pass: &UserPass, verdict: &Verdict) {
        p.effects.note(&Note::Departs { user: &pass.object, status: &pass.status, verdict });
    }
}
