//! What is special to one kind of object: everything that the engine doesn't know.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt;
use kube::core::object::HasStatus;

use super::admission_request::AdmissionRequest;
use super::object_status::ObjectStatus;
use super::unsaved::Unsaved;
use super::{Pass, Stop};
use crate::api::Uid;
use crate::directory::Object;
use crate::plan::guards::{Gate, GuardName};
use crate::plan::{Account, Binding, Claims, Operation, Path, ResourceType, Step, Verdict};
use crate::provisioner::Provisioner;
use crate::provisioner::connection::session::Session;
use crate::provisioner::effects::Effects;
use crate::provisioner::kubernetes::WriteError;
use crate::provisioner::mirror::Mirror;
use crate::provisioner::mirror::observed::Observed;
use crate::provisioner::schedule::queue::Outcome;
use crate::scim::{Error, Kind as Collection, Lesson, Resource, Written};

/// A kind of object that is reconciled: users and groups. Another one (a SCIM `Device`, RFC 9944) would be one more
/// module with one more implementation of this.
///
/// Functions that await may touch the network; the others look at what is known.
pub trait Kind: ResourceType {
    /// The custom resource.
    type Object: Object
        + ResourceExt
        + kube::Resource<DynamicType = ()>
        + HasStatus<Status = Self::Status>
        + Clone
        + Send
        + Sync
        + 'static;
    /// Its status.
    type Status: ObjectStatus;
    /// What identifies the account or group that an object is about to make or to take.
    type Claim: Clone + PartialEq + Send + Sync;
    /// What one pass gathers beside what every pass does.
    type Scratch: Default + Send + Sync;
    /// What the server was seen to hold.
    type Mirror: Mirror;

    /// The collection, RFC 7644 §3.2.
    const COLLECTION: Collection;
    /// The kind of the custom resource.
    const KIND: &'static str;
    /// The event of an object that goes and leaves its resource as it is.
    const LEFT: &'static str;

    // What is declared.

    /// What the object claims; only what it may claim counts (promise I26).
    fn claimed<E: Effects>(p: &Provisioner<E>, object: &Self::Object) -> Option<Self::Claim>;
    /// What it claims once this operation is sent; none claims nothing that wasn't claimed.
    fn claim_of_operation<E: Effects>(
        p: &Provisioner<E>,
        pass: &Pass<Self>,
        operation: &Operation<Self>,
    ) -> Option<Self::Claim>;
    /// What it claims once it is bound.
    fn claim_of_binding(pass: &Pass<Self>, binding: &Binding) -> Self::Claim;
    /// What other objects say of this account or group.
    fn claims<E: Effects>(p: &Provisioner<E>, pass: &Pass<Self>, id: Option<&str>) -> Claims;
    /// What is declared takes access away.
    fn takes_access<E: Effects>(p: &Provisioner<E>, pass: &Pass<Self>) -> bool;
    /// Whether what is owed takes access away.
    fn removes_access<E: Effects>(p: &Provisioner<E>, pass: &Pass<Self>) -> bool {
        Self::takes_access(p, pass)
    }

    // The pass.

    /// Why the connection doesn't serve the object now, beside what concerns all.
    fn unserved<E: Effects>(p: &Provisioner<E>, object: &Self::Object) -> bool;
    /// Access ends by it, though the object itself isn't deleted: a connection that serves removals only serves that, too.
    fn ends_access<E: Effects>(p: &Provisioner<E>, object: &Self::Object) -> bool;
    /// What is to be known before the first plan. False: it can't be for now.
    fn prepare<E: Effects>(p: &Provisioner<E>, pass: &mut Pass<Self>) -> impl Future<Output = bool> + Send;
    /// What is to be known before each plan.
    fn before_plan<E: Effects>(
        _: &Provisioner<E>,
        _: &mut Pass<Self>,
    ) -> impl Future<Output = Result<(), Stop<Self>>> + Send {
        std::future::ready(Ok(()))
    }
    /// The plan as everything stands now.
    fn plan<E: Effects>(p: &Provisioner<E>, pass: &Pass<Self>) -> Step<Self>;
    /// The write that a read is only to prepare, as far as the last look tells.
    fn write_after_read<E: Effects>(_: &Provisioner<E>, _: &Pass<Self>) -> Option<Operation<Self>> {
        None
    }
    /// What is to be done before an operation may be.
    fn before_operation<E: Effects>(
        _: &Provisioner<E>,
        _: &mut Pass<Self>,
        _: &Operation<Self>,
    ) -> impl Future<Output = Result<(), Stop<Self>>> + Send {
        std::future::ready(Ok(()))
    }
    /// What is to be done before the object may go whose resource is gone.
    fn before_departure<E: Effects>(_: &Provisioner<E>, _: &Pass<Self>) -> Result<(), Stop<Self>> {
        Ok(())
    }
    /// Nobody else makes or takes the same meanwhile.
    fn reserve<E: Effects>(p: &Provisioner<E>, pass: &Pass<Self>, step: &Step<Self>, uid: &Uid) -> bool;
    /// The object waits for its successor no longer.
    fn give_up_successor<E: Effects>(p: &Provisioner<E>, pass: &Pass<Self>);
    /// Whoever waited for the object to take over a resource waits no longer; these are looked at again.
    fn decline<E: Effects>(p: &Provisioner<E>, pass: &Pass<Self>) -> Vec<Uid>;
    /// What is looked for only once nothing is left to send; true where that was done.
    fn looks_further<E: Effects>(
        _: &Provisioner<E>,
        _: &mut Pass<Self>,
        _: &Verdict<Self>,
    ) -> impl Future<Output = Result<bool, Stop<Self>>> + Send {
        async { Ok(false) }
    }
    /// The server took what was sent and did nothing: the same is tried in another form.
    fn tries_another_form<E: Effects>(_: &Provisioner<E>, _: &mut Pass<Self>, _: &Verdict<Self>) -> bool {
        false
    }
    /// How a pass ends that has nothing left to send.
    fn ended<E: Effects>(_: &Provisioner<E>, _: &mut Pass<Self>, verdict: Box<Verdict<Self>>) -> Ended<Self> {
        Ended::AsDecided(verdict)
    }
    /// When the object is looked at again, where the kind knows better than the reason tells.
    fn own_outcome<E: Effects>(p: &Provisioner<E>, pass: &Pass<Self>, verdict: &Verdict<Self>) -> Option<Outcome>;
    /// The same where nothing is owed.
    fn rest(_: &Pass<Self>, _: &Verdict<Self>) -> Outcome {
        Outcome::Done
    }
    /// The pass ends so: what is told in place of that, where more is done about it.
    fn settles<E: Effects>(_: &Provisioner<E>, _: &Pass<Self>, _: &Verdict<Self>) -> Option<Verdict<Self>> {
        None
    }
    /// The pass is over.
    fn after_pass<E: Effects>(_: &Provisioner<E>, _: &Pass<Self>) {}

    // Guards.

    /// What a binding asks for: the request, and the attributes of the write that follows at once and is admitted with it.
    fn admission_of_binding<E: Effects>(
        p: &Provisioner<E>,
        pass: &Pass<Self>,
        binding: &Binding,
    ) -> Option<(AdmissionRequest, Vec<Path>)>;
    /// What an operation asks for; none where no guard counts it.
    fn admission_of<E: Effects>(
        _: &Provisioner<E>,
        _: &Pass<Self>,
        operation: &Operation<Self>,
    ) -> Option<AdmissionRequest> {
        Some(AdmissionRequest::of(operation))
    }
    /// An operation isn't admitted now; `Ok` where the rest of the pass goes on without it.
    fn not_admitted(_: &mut Pass<Self>, _: &Operation<Self>, stop: Stop<Self>) -> Result<(), Stop<Self>> {
        Err(stop)
    }
    /// What a guard's percentage is of.
    fn base<E: Effects>(p: &Provisioner<E>, uid: &Uid, gate: &Gate, guard: Option<GuardName>, now: Timestamp) -> u64;
    /// The ledger is written before what it counts is sent: a crash over-counts, and never under-counts.
    fn save_ledger<E: Effects>(
        p: &Provisioner<E>,
        _: &Pass<Self>,
        _: Option<GuardName>,
        revision: u64,
    ) -> impl Future<Output = Result<(), Stop<Self>>> + Send {
        async move { if p.keep_ledger(revision).await { Ok(()) } else { Err(Stop::WithoutStatus(Outcome::Retry)) } }
    }

    // What the server shows.

    /// What the server was seen to hold.
    fn mirror<E: Effects>(p: &Provisioner<E>) -> &Observed<Self::Mirror>;
    /// A group's members are asked for with it.
    fn asks_members(_: &Session) -> bool {
        false
    }
    /// What a read showed, and whatever has to be asked for beside it; none where that can't be asked now.
    fn asked_further<E: Effects>(
        _: &Provisioner<E>,
        _: &Pass<Self>,
        resource: Resource,
    ) -> impl Future<Output = Result<Option<Resource>, Error>> + Send {
        async move { Ok(Some(resource)) }
    }
    /// A read showed this; none where it isn't what was looked for.
    fn read<E: Effects>(
        p: &Provisioner<E>,
        pass: &mut Pass<Self>,
        resource: Resource,
    ) -> Result<Option<Account>, Stop<Self>>;
    /// A read failed otherwise than by a 404.
    fn read_failed<E: Effects>(p: &Provisioner<E>, pass: &Pass<Self>, error: &Error) -> Stop<Self> {
        p.failed(pass, error)
    }
    /// Another resource that has the name, where the bound one is gone.
    fn namesake<E: Effects>(_: &Provisioner<E>, _: &Pass<Self>) -> Option<Account> {
        None
    }
    /// What was claimed without a record of what came of it, if anything was: its name as the server looks it up.
    fn unrecorded<'a, E: Effects>(p: &Provisioner<E>, pass: &'a Pass<Self>) -> Option<Claimed<'a, Self>>;
    /// What the object is looked for by: attributes and values, the name first.
    fn keys(pass: &Pass<Self>) -> Vec<(&'static str, String)>;
    /// What a person is told when more than one fits.
    fn several() -> String;
    /// Two names are the same to the server.
    fn same_name(one: &str, other: &str) -> bool;
    /// The resource has the name that was claimed.
    fn has_claimed_name(resource: &Resource, claim: &Self::Claim) -> bool;
    /// The server can be asked by a filter for this attribute.
    fn may_filter(session: &Session, attribute: &str) -> bool;
    /// All of them can be listed; else a search by a filter is the only one there is.
    fn lists(session: &Session) -> bool;
    /// What a refused search means.
    fn search_refused<E: Effects>(
        p: &Provisioner<E>,
        session: &Session,
        asked: (&str, &str),
        error: &Error,
    ) -> SearchRefused<Self>;
    /// Whoever isn't found by a filter for this value isn't there.
    fn finds_surely(value: &str) -> bool;

    // Requests.

    /// What an operation must find on record, should the process not live to hear its answer. False: it is planned anew,
    /// without what can't be recorded.
    fn write_ahead<E: Effects>(
        p: &Provisioner<E>,
        pass: &mut Pass<Self>,
        operation: &Operation<Self>,
    ) -> impl Future<Output = Result<bool, Stop<Self>>> + Send;
    /// An operation is sent now.
    fn sends<E: Effects>(p: &Provisioner<E>, pass: &Pass<Self>, operation: &Operation<Self>);
    /// The answer need not show a group's members.
    fn is_bare<E: Effects>(_: &Provisioner<E>, _: &Pass<Self>) -> bool {
        false
    }
    /// The name and the externalId that a creation sends, where the server keeps one.
    fn created_as(pass: &Pass<Self>) -> (&str, Option<&str>);
    /// The resource as a plan looks at it: members are known elsewhere.
    fn without_members(resource: Resource) -> Resource {
        resource
    }
    /// The name that a resource shows.
    fn shown_name(resource: &Resource) -> Option<&str>;
    /// How many members an operation puts in and takes out, where it changes any.
    fn members_changed(_: &Operation<Self>) -> Option<(usize, usize)> {
        None
    }
    /// An operation took effect.
    fn took_effect<E: Effects>(
        p: &Provisioner<E>,
        pass: &mut Pass<Self>,
        operation: Operation<Self>,
        written: Written,
    ) -> impl Future<Output = Result<Option<Outcome>, Stop<Self>>> + Send;
    /// It may have taken effect: it is read anew before anything rests on what was known (promise I12).
    fn may_have_applied<E: Effects>(p: &Provisioner<E>, pass: &Pass<Self>, operation: &Operation<Self>);
    /// What a refusal means that is special to the kind.
    fn refused<E: Effects>(
        p: &Provisioner<E>,
        pass: &mut Pass<Self>,
        operation: &Operation<Self>,
        error: &Error,
    ) -> impl Future<Output = Option<Result<(), Stop<Self>>>> + Send;
    /// One part of a change was refused by itself: it goes on record. False where that decides over the whole object.
    fn refused_part<E: Effects>(_: &Provisioner<E>, _: &mut Pass<Self>, _: &str, _: &str) -> bool {
        false
    }
    /// So many parts fit into one such request.
    fn at_once(operation: &Operation<Self>, most: u32) -> Lesson;
    /// What a refused creation may go without; never what tells who it is (promise I7).
    fn optional_at_creation<E: Effects>(
        _: &Provisioner<E>,
        _: &Pass<Self>,
        _: &Operation<Self>,
        _: &Error,
    ) -> BTreeSet<String> {
        BTreeSet::new()
    }
    /// A removal is refused; true where another way is tried next that takes the access away as well.
    fn removes_otherwise<E: Effects>(_: &Provisioner<E>, _: &mut Pass<Self>, _: &Operation<Self>) -> bool {
        false
    }
    /// A write was answered 404, and its resource is there: the reason, and what may be the matter.
    fn denied(operation: &Operation<Self>) -> (crate::api::Reason, &'static str);
    /// The server says that it is there already, and shows none.
    fn exists_hidden<E: Effects>(p: &Provisioner<E>, pass: &Pass<Self>, error: &Error) -> String;
    /// The server doesn't know the method.
    fn unsupported<E: Effects>(_: &Provisioner<E>, _: &Pass<Self>, error: &Error) -> String {
        error.to_string()
    }

    // The API server.

    /// The status of an object that is bound now.
    fn bind<E: Effects>(
        p: &Provisioner<E>,
        pass: &mut Pass<Self>,
        binding: &Binding,
    ) -> impl Future<Output = Result<(), Stop<Self>>> + Send;
    /// Sets our finalizer and what is claimed, or takes off both.
    fn write_claim<E: Effects>(
        p: &Provisioner<E>,
        object: &Self::Object,
        present: bool,
        claim: Option<&Self::Claim>,
    ) -> impl Future<Output = Result<Arc<Self::Object>, WriteError>> + Send;
    /// What must be on record before the finalizer comes off. False: it can't be for now.
    fn before_finalizer<E: Effects>(
        p: &Provisioner<E>,
        pass: &mut Pass<Self>,
        verdict: &Verdict<Self>,
    ) -> impl Future<Output = bool> + Send;
    /// The status after the pass.
    fn record<E: Effects>(p: &Provisioner<E>, pass: &mut Pass<Self>, verdict: &Verdict<Self>) -> Self::Status;
    /// The status of an object that waits, without a pass.
    fn record_waiting(status: &Self::Status, generation: i64, verdict: &Verdict<Self>, now: Timestamp) -> Self::Status;
    /// Writes the status if it differs; what the API server doesn't take is kept and tried again alone.
    fn save<E: Effects>(
        p: &Provisioner<E>,
        object: &Self::Object,
        status: &Self::Status,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;
    /// The statuses that the API server didn't take.
    fn unsaved<E: Effects>(p: &Provisioner<E>) -> &Unsaved<Self::Status>;
    /// A pass ended so, on record.
    fn settled<E: Effects>(_: &Provisioner<E>, _: &Pass<Self>, _: &Verdict<Self>) {}
    /// The finalizer comes off.
    fn departs<E: Effects>(p: &Provisioner<E>, pass: &Pass<Self>, verdict: &Verdict<Self>);
}

/// How a pass ends that has nothing left to send.
pub enum Ended<K: Kind> {
    /// As its plan says.
    AsDecided(Box<Verdict<K>>),
    /// With another verdict, and this outcome.
    Otherwise(Box<Verdict<K>>, Outcome),
}

/// What an object claimed, and how the server is asked for it.
pub struct Claimed<'a, K: Kind> {
    /// What is claimed.
    pub claim: K::Claim,
    /// The value that it is looked up by.
    pub key: std::borrow::Cow<'a, str>,
}

/// What a refused search means.
pub enum SearchRefused<K: Kind> {
    /// The server doesn't look by this attribute: the whole list is searched.
    List,
    /// The collection itself may be missing, which is asked first.
    Collection,
    /// The pass ends.
    Stop(Stop<K>),
    /// What any failure means.
    Failed,
}
