//! What a pass does outside of this process: requests to the SCIM server, writes to the API server, waiting, the time.
//!
//! Everything that decides is written against this one interface, so that what is proven is what ships: the operator
//! carries the effects out ([`super::live::Live`]), the simulation tries every way in which they can end, and the
//! command line answers them by reading alone.

use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::Event;
use serde_json::Value;
use tokio::time::Instant;

use super::kubernetes::WriteError;
use crate::api::{
    ClaimedAccount, ScimConnection, ScimConnectionStatus, ScimGroup, ScimGroupStatus, ScimUser, ScimUserStatus, Uid,
};
use crate::directory::ConnectionKey;
use crate::plan::groups::{GroupOperation, GroupStep, GroupVerdict};
use crate::plan::guards::{Admission, Candidate};
use crate::plan::{Facts, Operation, Request, Step, Verdict};
use crate::provisioner::schedule::limiter::{Limiter, Priority, RequestKind};
use crate::scim::{Client, Entry, Error, Found, Kind, Page, Recall, Recalled, Resource, Start, Text, Written};

/// How the effects of a pass are carried out.
///
/// Reads go out by the connection's client, unless a driver answers them itself; what is written, each driver says. Requests
/// end with the classes of promise I21; the deadline of each is the instant that it may not outlive (promise I28).
pub trait Effects: Send + Sync + Sized + 'static {
    /// The wall clock.
    fn now(&self) -> Timestamp;

    /// The clock of queues and deadlines.
    fn instant(&self) -> Instant;

    /// Whether the wall clock agrees with the API server's.
    fn clock(&self) -> ClockState;

    /// Until when this process may write: none where it may not, for it doesn't hold the Lease.
    fn deadline(&self) -> Option<Instant>;

    /// Waits for a turn within the connection's rate; false where it takes too long, or where nothing of this kind is
    /// sent at all.
    fn turn(&self, limiter: &Limiter, kind: RequestKind, priority: Priority) -> impl Future<Output = bool> + Send;

    /// Waits.
    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send;

    /// GET of one resource; `members` asks for the members of a group.
    fn get(
        &self,
        client: &Client,
        kind: Kind,
        id: &str,
        members: bool,
        deadline: Instant,
    ) -> impl Future<Output = Result<Resource, Error>> + Send {
        async move {
            match kind {
                Kind::Users => client.get(kind, id, deadline).await,
                Kind::Groups => client.get_group(id, members, deadline).await,
            }
        }
    }

    /// GET of the resources whose attribute has this value.
    fn find(
        &self,
        client: &Client,
        kind: Kind,
        attribute: &str,
        value: &str,
        deadline: Instant,
    ) -> impl Future<Output = Result<Found, Error>> + Send {
        client.find(kind, attribute, value, deadline)
    }

    /// GET of one page of a collection.
    fn page(
        &self,
        client: &Client,
        kind: Kind,
        start: &Start,
        count: u32,
        deadline: Instant,
    ) -> impl Future<Output = Result<Page, Error>> + Send {
        client.list_page(kind, start, count, deadline)
    }

    /// GET of one page of users; those that `recall` knows by their words aren't read again.
    fn user_page(
        &self,
        client: &Client,
        start: &Start,
        count: u32,
        recall: Recall<'_>,
        deadline: Instant,
    ) -> impl Future<Output = Result<Page<Entry>, Error>> + Send {
        async move { Ok(self.page(client, Kind::Users, start, count, deadline).await?.map(|shown| recalled(shown, recall))) }
    }

    /// Asks whether an account is a member of a group.
    fn is_member(
        &self,
        client: &Client,
        group: &str,
        member: &str,
        deadline: Instant,
    ) -> impl Future<Output = Result<bool, Error>> + Send {
        client.is_member(group, member, deadline)
    }

    /// GET of the server's roles or entitlements: their ids and names.
    fn grants(
        &self,
        client: &Client,
        collection: &str,
        deadline: Instant,
    ) -> impl Future<Output = Result<Vec<(String, String)>, Error>> + Send {
        client.list_grants(collection, deadline)
    }

    /// Sends a write; `bare` asks not to be shown the members of a group.
    fn send(
        &self,
        client: &Client,
        kind: Kind,
        request: &Request,
        bare: bool,
        deadline: Instant,
    ) -> impl Future<Output = Result<Written, Error>> + Send;

    /// Sets our finalizer and what the object claims, or takes off both; nobody else's finalizer is touched. What is to be set
    /// was planned for this version: one that declares something else by now comes back as it is.
    fn claim_user(
        &self,
        user: &ScimUser,
        present: bool,
        claimed: Option<&ClaimedAccount>,
    ) -> impl Future<Output = Result<ScimUser, WriteError>> + Send;

    /// Writes the status.
    fn write_user(
        &self,
        user: &ScimUser,
        status: &ScimUserStatus,
    ) -> impl Future<Output = Result<ScimUser, WriteError>> + Send;

    /// Merges into the status, key by key.
    fn merge_user(&self, user: &ScimUser, status: Value) -> impl Future<Output = Result<ScimUser, WriteError>> + Send;

    /// The same for a group.
    fn claim_group(
        &self,
        group: &ScimGroup,
        claimed: Option<&str>,
    ) -> impl Future<Output = Result<ScimGroup, WriteError>> + Send;

    /// Writes the status, all but what is merged key by key.
    fn write_group(
        &self,
        group: &ScimGroup,
        status: Value,
    ) -> impl Future<Output = Result<ScimGroup, WriteError>> + Send;

    /// Merges into the status, key by key.
    fn merge_group(
        &self,
        group: &ScimGroup,
        status: Value,
    ) -> impl Future<Output = Result<ScimGroup, WriteError>> + Send;

    /// Writes the connection's status.
    fn write_connection(
        &self,
        key: &ConnectionKey,
        connection: &ScimConnection,
        status: &ScimConnectionStatus,
    ) -> impl Future<Output = Result<ScimConnection, kube::Error>> + Send;

    /// Merges into the connection.
    fn merge_connection(
        &self,
        key: &ConnectionKey,
        body: &Value,
    ) -> impl Future<Output = Result<ScimConnection, kube::Error>> + Send;

    /// Publishes an event; one that fails is nobody's error.
    fn publish(&self, event: Event, about: &ObjectReference) -> impl Future<Output = ()> + Send;

    /// Hears of what was decided.
    fn note(&self, note: &Note<'_>);
}

/// Whether the wall clock agrees with the API server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockState {
    /// It does, as far as is known.
    Trusted,
    /// They are so far apart.
    Apart(Duration),
}

/// A resource that came without its words is known by those that it would have.
fn recalled(shown: Resource, recall: Recall<'_>) -> Entry {
    match recall(&serde_json::to_string(&shown.0).unwrap_or_default()) {
        Recalled::Known(id, _) => Entry::Same(id),
        Recalled::New(digest) => Entry::Read(shown, Some(Text::of(digest))),
    }
}

/// What was decided, for whoever looks on.
#[derive(Debug)]
pub enum Note<'a> {
    /// The plan for a user, and what it rests on.
    Decided {
        /// The object's uid.
        uid: &'a Uid,
        /// What it rests on.
        facts: &'a Facts<'a>,
        /// What is to be done.
        step: &'a Step,
    },
    /// What a guard says of an operation.
    Admitted {
        /// The operation.
        candidate: &'a Candidate,
        /// The hold that the object's status names.
        hold: Option<&'a str>,
        /// The answer.
        admission: &'a Admission,
    },
    /// A request is sent now.
    Sends {
        /// The object's uid.
        uid: &'a Uid,
        /// What it does.
        operation: &'a Operation,
    },
    /// The object takes an account for its own.
    Binds {
        /// The object's uid.
        uid: &'a Uid,
        /// The account.
        id: &'a str,
    },
    /// Nothing is asked of the guards for the object any more.
    Withdrawn {
        /// The object's uid.
        uid: &'a Uid,
    },
    /// A pass over a user ended so, on record.
    Settled {
        /// The object, as the pass knew it.
        user: &'a ScimUser,
        /// Its status before.
        status: &'a ScimUserStatus,
        /// How it ended.
        verdict: &'a Verdict,
    },
    /// A user's finalizer comes off.
    Departs {
        /// The object, as the pass knew it.
        user: &'a ScimUser,
        /// Its status.
        status: &'a ScimUserStatus,
        /// Why.
        verdict: &'a Verdict,
    },
    /// The plan for a group.
    GroupDecided {
        /// The object's uid.
        uid: &'a Uid,
        /// What is to be done.
        step: &'a GroupStep,
    },
    /// A request about a group is sent now.
    GroupSends {
        /// The object, as the pass knows it.
        group: &'a ScimGroup,
        /// What it does.
        operation: &'a GroupOperation,
    },
    /// A group's finalizer comes off.
    GroupDeparts {
        /// The object, as the pass knew it.
        group: &'a ScimGroup,
        /// Its status.
        status: &'a ScimGroupStatus,
        /// Why.
        verdict: &'a GroupVerdict,
    },
    /// A plan for this object takes more steps than any should.
    Diverges {
        /// The object's uid.
        uid: &'a Uid,
    },
}
