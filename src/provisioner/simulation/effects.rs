//! The effects of a pass in the simulation: each is a place where the pass may stop for ever, or another one go first.

use std::future::Future;
use std::pin::Pin;
use std::sync::MutexGuard;
use std::task::{Context, Poll};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::Event;
use serde_json::Value;
use tokio::time::Instant;

use super::outside::{Fault, Listing, Outside, Place, Shared, look};
use super::quirks::Filters;
use super::setup::SECOND;
use super::site::Answer;
use crate::api::{ClaimedAccount, ScimConnection, ScimConnectionStatus, ScimGroup, ScimUser, ScimUserStatus, Uid};
use crate::directory::ConnectionKey;
use crate::plan::{Request, Step};
use crate::provisioner::effects::{ClockState, Effects, Note};
use crate::provisioner::kubernetes::WriteError;
use crate::provisioner::schedule::limiter::{Limiter, Priority, RequestKind};
use crate::scim::{Class, Client, Error, Found, Kind, Page, Resource, Start, Written};

/// Accounts a page.
const PAGE: usize = 2;

/// A minute from now no request is under way any more.
const LONGEST: Duration = Duration::from_secs(60);

/// Carries effects out in the world of a history.
pub struct Simulated(pub Shared);

/// Gives way once.
struct Pause(bool);

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Simulated {
    /// Whoever comes to this place stops there; a crash may come, or another.
    async fn stop_at(&self, place: Place) {
        {
            let mut outside = look(&self.0);
            if let Some(uid) = outside.observed.at_work.clone() {
                outside.observed.places.insert(uid, place);
            }
        }
        Pause(false).await;
    }

    fn look(&self) -> MutexGuard<'_, Outside> {
        look(&self.0)
    }
}

fn error(class: Class) -> Error {
    Error::simulated(class)
}

impl Outside {
    /// The server's own answer, in its form.
    fn error(&self, class: Class) -> Error {
        if self.site.quirks.bare_errors { error(class) } else { error(class).in_scim_form() }
    }
}

/// The API server answers, and refuses.
fn refused() -> WriteError {
    WriteError::Refused(Box::new(kube::Error::LinesCodecMaxLineLengthExceeded))
}

impl Effects for Simulated {
    fn now(&self) -> Timestamp {
        self.look().time()
    }

    fn instant(&self) -> Instant {
        self.look().instant()
    }

    fn clock(&self) -> ClockState {
        ClockState::Trusted
    }

    fn deadline(&self) -> Option<Instant> {
        Some(self.look().instant() + LONGEST)
    }

    async fn turn(&self, _: &Limiter, _: RequestKind, priority: Priority) -> bool {
        let mut outside = self.look();
        if let Some(uid) = outside.observed.at_work.clone() {
            outside.turns.push((uid, priority));
        }
        outside.strikes(&[Fault::Turn]).is_none()
    }

    async fn sleep(&self, _: Duration) {
        Pause(false).await;
    }

    async fn get(&self, client: &Client, kind: Kind, id: &str, members: bool, _: Instant) -> Result<Resource, Error> {
        self.stop_at(Place::Read).await;
        let mut outside = self.at(client);
        let found = match kind {
            Kind::Users => outside.site.get(id),
            Kind::Groups => outside.site.group(id, members),
        };
        outside.say(|| format!("  reads {found:?}"));
        let faults = [Fault::Refused, Fault::Broken, Fault::Lost, Fault::Missing, Fault::Throttled, Fault::Forbidden];
        match outside.strikes(&faults) {
            Some(Fault::Broken) => Err(error(Class::Transient).with_status(500)),
            Some(Fault::Throttled) => Err(error(Class::Throttled)),
            Some(Fault::Forbidden) => Err(error(Class::Forbidden)),
            Some(Fault::Missing) => {
                if found.is_some() {
                    let now = outside.now;
                    outside.book.deny(id, now);
                }
                Err(error(Class::NotFound))
            }
            Some(_) => Err(error(Class::Transient)),
            None => match found {
                Some(found) => Ok(outside.received(kind, found)),
                None => Err(outside.error(Class::NotFound)),
            },
        }
    }

    async fn find(
        &self,
        client: &Client,
        kind: Kind,
        attribute: &str,
        value: &str,
        _: Instant,
    ) -> Result<Found, Error> {
        self.stop_at(Place::Read).await;
        let mut outside = self.at(client);
        if outside.site.quirks.filters == Filters::Refused {
            return Err(outside.error(Class::Rejected));
        }
        let fault = outside.strikes(&[Fault::Refused, Fault::Lost, Fault::Stale, Fault::Throttled]);
        if fault == Some(Fault::Throttled) {
            return Err(error(Class::Throttled));
        }
        if matches!(fault, Some(Fault::Refused | Fault::Lost)) {
            return Err(error(Class::Transient));
        }
        Ok(outside.search(kind, attribute, value, fault.is_some()))
    }

    async fn page(&self, client: &Client, kind: Kind, start: &Start, count: u32, _: Instant) -> Result<Page, Error> {
        self.stop_at(Place::Read).await;
        let mut outside = self.at(client);
        // The test of a collection after a 404.
        let how = if count == 1 { Listing::Whole } else { outside.listing };
        if outside.site.quirks.no_list && kind == Kind::Users && count != 1 {
            return Err(outside.error(Class::Rejected));
        }
        let mut all = match kind {
            Kind::Users => outside.site.list(how == Listing::Stale),
            Kind::Groups => outside.site.groups.list(how == Listing::Stale),
        };
        let total = (how == Listing::Short).then_some(all.len() as u64);
        if how == Listing::Short {
            all.pop();
        }
        let begin = match start {
            Start::Index(index) => usize::try_from(*index).unwrap_or(1).saturating_sub(1),
            Start::Cursor(_) => 0,
        };
        let begin = match how {
            Listing::Truncated if begin > 0 => return Err(error(Class::Rejected)),
            Listing::Empty => all.len(),
            Listing::Gap if begin > 0 => begin + PAGE,
            Listing::Repeated => begin.saturating_sub(PAGE),
            Listing::Circling => 0,
            _ => begin,
        };
        let mut resources: Vec<Resource> = all.into_iter().skip(begin).take(PAGE).collect();
        let shown = resources.len() as u64;
        if how == Listing::Unreadable {
            resources.pop();
        }
        let unreadable = shown - resources.len() as u64;
        outside.say(|| format!("  lists {resources:?}"));
        let resources = resources.into_iter().map(|resource| outside.received(kind, resource)).collect();
        Ok(Page { resources, shown, unreadable, total, ..Page::default() })
    }

    async fn is_member(&self, client: &Client, group: &str, member: &str, _: Instant) -> Result<bool, Error> {
        self.stop_at(Place::Read).await;
        let mut outside = self.at(client);
        if outside.strikes(&[Fault::Refused, Fault::Lost]).is_some() {
            return Err(error(Class::Transient));
        }
        Ok(outside.site.groups.all.get(group).is_some_and(|group| group.members.contains(member)))
    }

    async fn grants(&self, _: &Client, _: &str, _: Instant) -> Result<Vec<(String, String)>, Error> {
        Ok(Vec::new())
    }

    async fn send(
        &self,
        client: &Client,
        kind: Kind,
        request: &Request,
        _: bool,
        _: Instant,
    ) -> Result<Written, Error> {
        self.stop_at(Place::Request).await;
        let answer = self.at(client).receive(kind, request);
        self.stop_at(Place::Answer).await;
        let mut outside = self.look();
        outside.say(|| format!("  hears {answer:?}"));
        let (creates, silent) = (matches!(request, Request::Create(_)), Written::default());
        let class = match answer {
            Answer::Shown(resource) | Answer::PassedForNew(resource) => {
                let resource = Some(outside.received(kind, resource));
                return Ok(Written { resource, created: creates, ..silent });
            }
            Answer::Upserted(resource) => {
                return Ok(Written { resource: Some(outside.received(kind, resource)), ..silent });
            }
            Answer::Done if !creates => return Ok(silent),
            Answer::Done => Class::Empty,
            Answer::NoRoute => return Err(error(Class::NotFound)),
            Answer::Throttled => return Err(error(Class::Throttled)),
            Answer::Broken => return Err(error(Class::Transient)),
            Answer::Mute => return Err(error(Class::Forbidden).with_status(403)),
            Answer::NotFound => Class::NotFound,
            Answer::Conflict => Class::Conflict,
            Answer::Precondition => Class::Precondition,
            Answer::Rejected => Class::Rejected,
            Answer::ContentType => Class::ContentType,
            Answer::Unsupported => Class::Unsupported,
            Answer::Forbidden => Class::Forbidden,
        };
        Err(outside.error(class))
    }

    async fn claim_user(
        &self,
        user: &ScimUser,
        present: bool,
        claimed: Option<&ClaimedAccount>,
    ) -> Result<ScimUser, WriteError> {
        self.stop_at(Place::Claim).await;
        self.look().cluster.claim_user(user, present, claimed)
    }

    async fn write_user(&self, user: &ScimUser, status: &ScimUserStatus) -> Result<ScimUser, WriteError> {
        self.stop_at(Place::Status).await;
        let uid = Uid::of(&user.metadata);
        let mut outside = self.look();
        if outside.strikes(&[Fault::Status]).is_some() {
            outside.observed.unsaved.insert(uid, status.clone());
            return Err(refused());
        }
        outside.check_record(&uid, status);
        outside.note_server(&uid, status);
        outside.note_own(&uid, status.id.as_deref());
        let written = outside.cluster.set_status(&uid, status).ok_or(WriteError::Gone)?;
        outside.observed.unsaved.remove(&uid);
        outside.say(|| {
            let reason = super::checks::reason_of(status);
            format!("  {uid} status {:?} {:?} {:?} {reason}", status.id, status.observed_generation, status.state)
        });
        outside.check_owners();
        Ok(written)
    }

    async fn merge_user(&self, user: &ScimUser, status: Value) -> Result<ScimUser, WriteError> {
        self.stop_at(Place::Status).await;
        let mut outside = self.look();
        if outside.strikes(&[Fault::Status]).is_some() || outside.unrecorded == user.metadata.uid {
            return Err(refused());
        }
        outside.cluster.merge_user(&Uid::of(&user.metadata), &status).ok_or(WriteError::Gone)
    }

    async fn claim_group(&self, group: &ScimGroup, claimed: Option<&str>) -> Result<ScimGroup, WriteError> {
        self.stop_at(Place::Claim).await;
        let mut outside = self.look();
        if outside.strikes(&[Fault::Status]).is_some() {
            return Err(refused());
        }
        outside.cluster.claim_group(group, claimed)
    }

    async fn write_group(&self, group: &ScimGroup, status: Value) -> Result<ScimGroup, WriteError> {
        self.stop_at(Place::Status).await;
        let uid = Uid::of(&group.metadata);
        let mut outside = self.look();
        if outside.strikes(&[Fault::Status]).is_some() {
            return Err(refused());
        }
        outside.note_group_server(&uid, &status);
        let written = outside.cluster.write_group(&uid, status).ok_or(WriteError::Gone)?;
        outside.note_owned(&written);
        outside.say(|| super::group_checks::told(&written));
        outside.check_group_owners();
        Ok(written)
    }

    async fn merge_group(&self, group: &ScimGroup, status: Value) -> Result<ScimGroup, WriteError> {
        self.stop_at(Place::Status).await;
        let mut outside = self.look();
        if outside.strikes(&[Fault::Status]).is_some() {
            return Err(refused());
        }
        outside.cluster.merge_group(&Uid::of(&group.metadata), &status).ok_or(WriteError::Gone)
    }

    async fn write_connection(
        &self,
        key: &ConnectionKey,
        _: &ScimConnection,
        status: &ScimConnectionStatus,
    ) -> Result<ScimConnection, kube::Error> {
        self.stop_at(Place::Connection).await;
        if key.name == SECOND {
            let second = &mut self.look().cluster.second;
            second.status = Some(status.clone());
            return Ok(second.clone());
        }
        Ok(self.look().cluster.set_connection(|connection| connection.status = Some(status.clone())))
    }

    async fn merge_connection(&self, key: &ConnectionKey, body: &Value) -> Result<ScimConnection, kube::Error> {
        self.stop_at(Place::Connection).await;
        let finalizers = serde_json::from_value(body["metadata"]["finalizers"].clone()).unwrap_or_default();
        if key.name == SECOND {
            let second = &mut self.look().cluster.second;
            second.metadata.finalizers = finalizers;
            return Ok(second.clone());
        }
        Ok(self.look().cluster.set_connection(|connection| connection.metadata.finalizers = finalizers))
    }

    async fn publish(&self, event: Event, _: &ObjectReference) {
        self.look().say(|| format!("  event {}: {}", event.reason, event.note.unwrap_or_default()));
    }

    fn note(&self, note: &Note<'_>) {
        let mut outside = self.look();
        outside.hear(note);
        match note {
            Note::Decided { uid, facts, step } => {
                outside.say(|| match step {
                    Step::Settle(verdict) => format!("  {uid} Settle {:?} {}", verdict.reason, verdict.message),
                    other => format!("  {uid} {other:?}"),
                });
                outside.check_step(uid, facts, step);
            }
            Note::Admitted { candidate, hold, admission } => {
                outside.say(|| format!("  {} {admission:?}", candidate.uid));
                outside.check_admission(candidate, *hold, admission);
            }
            Note::Sends { uid, operation } => outside.sends(uid, operation),
            Note::Binds { uid, id } => {
                outside.book.ours.insert((*id).to_owned());
                outside.book.taken.entry((*uid).to_owned()).or_default().push((*id).to_owned());
            }
            Note::Withdrawn { uid } => {
                outside.observed.held.remove(*uid);
                *outside.book.done.entry((*uid).to_owned()).or_default() += 1;
            }
            Note::Settled { user, status, verdict } => outside.note_rest(user, status, verdict),
            Note::Departs { user, status, verdict } => outside.check_departure(user, status, &verdict.departure),
            Note::GroupDecided { uid, step } => outside.say(|| format!("  {uid} {step:?}")),
            Note::GroupSends { group, operation } => {
                let uid = Uid::of(&group.metadata);
                outside.observed.group_sent.insert(uid, ((*group).clone(), (*operation).clone()));
            }
            Note::GroupDeparts { group, status, verdict } => outside.check_group_departure(group, status, verdict),
            Note::Diverges { .. } => outside.complain("i04: the plan does not converge"),
        }
    }
}
