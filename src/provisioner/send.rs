//! Requests about one object, and what their answers mean (promise I21).

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use super::directory::{full_name, has_finalizer};
use super::limiter::{Priority, RequestKind};
use super::queue::Outcome;
use super::session::Session;
use super::snapshot::{Known, Snapshot, contradiction};
use super::worker::{Pass, Stop, own_error_pause};
use super::{Provisioner, lock};
use crate::api::{ClaimedAccount, OperationType, Reason, ScimUser, ScimUserSpec, UserState};
use crate::plan::{Account, Binding, Operation, Path, Request, Verdict, at_server, status_ahead};
use crate::scim::{Class, Error, Kind, MatchBy, Resource, Written, fold};

/// After a 429 that doesn't say how long.
pub(super) const UNTOLD_PAUSE: Duration = Duration::from_secs(5);

/// Whoever waits longer for the limiter goes back to the queue.
const LONGEST_TURN: Duration = Duration::from_secs(10);

impl Provisioner {
    /// Reads the account with this id.
    pub(super) async fn read_account(&self, pass: &mut Pass, id: &str) -> Result<(), Stop> {
        let uid = pass.user.uid().unwrap_or_default();
        let deadline = self.turn(pass, RequestKind::Read, Priority::Write).await?;
        let answer = pass.session.client.get(Kind::Users, id, deadline).await;
        pass.account = Some(match answer {
            Ok(resource) => {
                lock(&self.memory).seen(&uid);
                self.learn_account(pass, &resource);
                Account::Found { resource, fresh: true }
            }
            Err(error) if error.class() == Class::NotFound => self.not_found(pass, &uid, id, &error).await?,
            Err(error) => return Err(self.failed(pass, &error)),
        });
        Ok(())
    }

    /// A 404 says nothing before the collection itself answers properly, and then only the second time.
    async fn not_found(&self, pass: &Pass, uid: &str, id: &str, error: &Error) -> Result<Account, Stop> {
        self.collection_answers(pass, error).await?;
        if lock(&self.memory).missing(uid, Timestamp::now()) {
            self.forget_account(pass, id);
            Ok(self.namesake(pass).unwrap_or(Account::Absent { fresh: true }))
        } else {
            Ok(Account::Missing)
        }
    }

    /// A 404 is the object's only where the collection itself is there; else it is the connection's (promise I12).
    async fn collection_answers(&self, pass: &Pass, error: &Error) -> Result<(), Stop> {
        let deadline = self.turn(pass, RequestKind::Read, Priority::Write).await?;
        let Err(probe) = pass.session.client.probe(deadline).await else { return Ok(()) };
        self.doubt();
        Err(if probe.class() == Class::NotFound { Self::try_later(error) } else { self.failed(pass, &probe) })
    }

    /// The account that has the userName now, where the bound one is gone: none is created beside it.
    fn namesake(&self, pass: &Pass) -> Option<Account> {
        if pass.status.id.is_none() || super::directory::is_deleting(&pass.user) {
            return None;
        }
        let spec = &pass.user.spec;
        match lock(&self.snapshot).by_identity(&spec.user_name, spec.external_id.as_deref()) {
            Known::Found(resource) => Some(Account::Found { resource, fresh: false }),
            _ => None,
        }
    }

    /// Looks for the account by what identifies it: first for what was claimed without a record of what came of it, which
    /// may have another name than the one declared now.
    pub(super) async fn find_account(&self, pass: &mut Pass) -> Result<(), Stop> {
        let spec = pass.user.spec.clone();
        let profile = &pass.session.policy.profile;
        let wanted = identity(&spec, profile.match_by);
        let mut found: Vec<Resource> = Vec::new();
        let mut by_name = Some(wanted.clone());
        if let Some(claimed) = unrecorded(pass) {
            let sent = claimed.email.as_ref().unwrap_or(&claimed.user_name);
            let hits = self.ask_for(pass, "userName", sent).await?;
            if let Some(account) = self.what_was_claimed(pass, &claimed, &hits) {
                self.learn_account(pass, account);
                pass.account = Some(Account::Found { resource: account.clone(), fresh: true });
                return Ok(());
            }
            if fold(sent) == fold(&wanted) {
                (found, by_name) = (hits, None);
            }
        }
        let by_external_id = spec.external_id.filter(|_| profile.filters.iter().any(|filter| filter == "externalId"));
        for (attribute, value) in [("userName", by_name), ("externalId", by_external_id)] {
            let Some(value) = value else { continue };
            for hit in self.ask_for(pass, attribute, &value).await? {
                if !found.iter().any(|known| known.id() == hit.id()) {
                    found.push(hit);
                }
            }
        }
        for resource in &found {
            self.learn_account(pass, resource);
        }
        pass.account = Some(match found.len() {
            0 => Account::Absent { fresh: true },
            1 => Account::Found { resource: found.remove(0), fresh: true },
            _ => Account::Contradictory(contradiction(1)),
        });
        Ok(())
    }

    /// The account that was claimed, unless somebody else holds it by now.
    fn what_was_claimed<'a>(
        &self,
        pass: &Pass,
        claimed: &ClaimedAccount,
        hits: &'a [Resource],
    ) -> Option<&'a Resource> {
        let same = |hit: &Resource| hit.user_name().is_some_and(|name| fold(name) == fold(&claimed.user_name));
        let held = |hit: &Resource| {
            self.claims(pass, &pass.session.policy.server, hit.id()).holder.is_some_and(|holder| holder.has_account)
        };
        let mut free = hits.iter().filter(|hit| same(hit) && !held(hit));
        // Among namesakes none is certain to be ours.
        free.next().filter(|_| free.next().is_none())
    }

    /// The accounts that have this value.
    async fn ask_for(&self, pass: &Pass, attribute: &str, value: &str) -> Result<Vec<Resource>, Stop> {
        let deadline = self.turn(pass, RequestKind::Read, Priority::Write).await?;
        match pass.session.client.find(Kind::Users, attribute, value, deadline).await {
            Ok(hits) => Ok(hits),
            Err(error) => {
                if error.class() == Class::NotFound {
                    self.collection_answers(pass, &error).await?;
                }
                Err(self.failed(pass, &error))
            }
        }
    }

    /// Sends one operation, after the limiter and the finalizer.
    pub(super) async fn send(&self, pass: &mut Pass, operation: Operation) -> Result<(), Stop> {
        let removes = operation.removes();
        if self.serves_removals_only() && !removes {
            return Err(Stop::Silently(Outcome::Paused));
        }
        self.write_ahead(pass, &operation).await?;
        let creates = matches!(operation.request, Request::Create(_));
        let claimed = if creates { Some(claimed_account(pass)) } else { pass.user.claimed_account() };
        if !self.add_finalizer(pass, claimed).await? {
            return Ok(());
        }
        let (kind, priority) = match operation.kind {
            OperationType::Create => (RequestKind::Create, Priority::Write),
            OperationType::Deactivate | OperationType::Delete => (RequestKind::Write, Priority::Removal),
            _ => (RequestKind::Write, Priority::Write),
        };
        let deadline = self.turn_at(pass, priority, kind).await?;
        let client = &pass.session.client;
        let answer = match &operation.request {
            Request::Create(body) => client.create(Kind::Users, body, deadline).await,
            Request::Patch { id, operations } => client.patch(Kind::Users, id, operations, None, deadline).await,
            Request::Put { id, body, if_match } => {
                client.replace(Kind::Users, id, body, if_match.as_deref(), deadline).await
            }
            Request::Delete { id } => client.delete(Kind::Users, id, deadline).await,
        };
        self.audit(pass, &operation, &answer);
        match answer {
            Ok(written) => {
                self.took_effect(pass, &operation, written);
                Ok(())
            }
            Err(error) => {
                // It may have taken effect: whoever takes over the account next looks at it first.
                if let (true, Some(id)) = (removes && error.class().leaves_open(), operation.request.target()) {
                    self.in_snapshot(pass, |snapshot| snapshot.unsee(id));
                }
                self.refused(pass, &operation, &error).await
            }
        }
    }

    /// Writes what an operation must find in status, should the operator not live to hear its answer.
    async fn write_ahead(&self, pass: &mut Pass, operation: &Operation) -> Result<(), Stop> {
        let (server, deleting) = (&pass.session.policy.server, super::directory::is_deleting(&pass.user));
        let ahead = status_ahead(pass.user.status.as_ref(), &pass.status, server, deleting, operation);
        let Some(ahead) = ahead else { return Ok(()) };
        pass.status = ahead;
        let status = self.write_down(pass, &Verdict::default()).await.map_err(Stop::Silently)?;
        pass.user = Arc::new(ScimUser { status: Some(status), ..(*pass.user).clone() });
        Ok(())
    }

    fn took_effect(&self, pass: &mut Pass, operation: &Operation, written: Written) {
        let uid = pass.user.uid().unwrap_or_default();
        let names: Vec<String> = operation.attributes.iter().map(Path::to_string).collect();
        info!(
            object = %full_name(&pass.user),
            operation = ?operation.kind,
            attributes = names.join(","),
            request_id = written.request_id.as_deref().unwrap_or("-"),
            "done"
        );
        self.shared.metrics.operation(&self.key.to_string(), operation.kind.as_str());
        if let Some(pause) = written.pause {
            self.limiter.pause(pause);
        }
        {
            let mut memory = lock(&self.memory);
            memory.accepted(&uid);
            let settled = pass.status.observed_generation == pass.user.metadata.generation;
            if settled && operation.kind == OperationType::Update {
                memory.repaired(&uid, &operation.attributes, Timestamp::now());
            }
        }
        let shown = written.resource.as_ref().and_then(Resource::active);
        pass.recorded.took_effect(operation.kind, names, written.request_id, shown);
        pass.written.extend(operation.attributes.iter().cloned());
        match (&operation.request, written.resource) {
            (Request::Delete { id }, _) => {
                self.forget_account(pass, id);
                pass.account = Some(Account::Absent { fresh: true });
            }
            (Request::Create(_), Some(resource)) => {
                pass.status = at_server(&pass.status, &pass.session.policy.server);
                pass.status.id = resource.id().map(str::to_owned);
                pass.status.user_name = resource.user_name().map(str::to_owned);
                self.learn_account(pass, &resource);
                pass.account = Some(Account::Found { resource, fresh: true });
            }
            (_, Some(resource)) => {
                self.learn_account(pass, &resource);
                pass.account = Some(Account::Found { resource, fresh: true });
            }
            // The answer doesn't show the result: it is read back before it is judged.
            (_, None) => pass.account = Some(Account::Unknown),
        }
    }

    /// The server didn't do it, or didn't say so.
    async fn refused(&self, pass: &mut Pass, operation: &Operation, error: &Error) -> Result<(), Stop> {
        match (error.class(), &operation.request) {
            (Class::Conflict, Request::Create(_)) if !pass.looked_up_after_conflict => {
                pass.looked_up_after_conflict = true;
                self.take_back_finalizer(pass).await?;
                self.find_account(pass).await?;
                if matches!(pass.account, Some(Account::Absent { .. })) {
                    return Err(self.own_error(
                        pass,
                        Reason::Conflict,
                        "the server says that this user exists already, and shows no account with this userName; look there \
                         for one with the same e-mail"
                            .to_owned(),
                    ));
                }
                // Someone else's account until the checks of a first binding say otherwise.
                Ok(())
            }
            // It may mean that the person is there already (promise I7).
            (Class::Rejected, Request::Create(_))
                if pass.session.policy.profile.unsure_of_duplicates && !pass.looked_up_after_conflict =>
            {
                pass.looked_up_after_conflict = true;
                self.take_back_finalizer(pass).await?;
                self.find_account(pass).await?;
                match pass.account {
                    Some(Account::Absent { .. }) => Err(self.failed(pass, error)),
                    _ => Ok(()),
                }
            }
            (Class::Empty, Request::Create(_)) => {
                self.doubt();
                self.find_account(pass).await?;
                match pass.account {
                    Some(Account::Found { .. }) => Ok(()),
                    _ => Err(self.failed(pass, error)),
                }
            }
            (Class::Empty, Request::Delete { .. }) => {
                self.took_effect(pass, operation, Written::default());
                Ok(())
            }
            (Class::Empty, Request::Patch { .. } | Request::Put { .. }) => {
                pass.written.extend(operation.attributes.iter().cloned());
                pass.account = Some(Account::Unknown);
                Ok(())
            }
            (Class::Precondition, _) if !pass.read_again => {
                pass.read_again = true;
                pass.account = Some(Account::Unknown);
                Ok(())
            }
            (Class::NotFound, Request::Patch { id, .. } | Request::Put { id, .. } | Request::Delete { id }) => {
                let (id, uid) = (id.clone(), pass.user.uid().unwrap_or_default());
                pass.account = Some(match (self.not_found(pass, &uid, &id, error).await?, &operation.request) {
                    // A 404 to a DELETE is what was wanted, once the collection answers properly.
                    (Account::Missing, Request::Delete { .. }) => Account::Absent { fresh: true },
                    (account, _) => account,
                });
                Ok(())
            }
            (Class::NotFound, Request::Create(_)) => {
                self.collection_answers(pass, error).await?;
                Err(self.failed(pass, error))
            }
            _ => Err(self.failed(pass, error)),
        }
    }

    /// What the server showed, unless it was asked in a time that doesn't count any more.
    fn learn_account(&self, pass: &Pass, resource: &Resource) {
        self.in_snapshot(pass, |snapshot| snapshot.learn(resource));
    }

    fn forget_account(&self, pass: &Pass, id: &str) {
        self.in_snapshot(pass, |snapshot| snapshot.forget(id));
    }

    /// Changes what is known, unless the pass is of a time that doesn't count any more.
    fn in_snapshot(&self, pass: &Pass, change: impl FnOnce(&mut Snapshot)) {
        let mut snapshot = lock(&self.snapshot);
        if snapshot.is_of(pass.session.epoch) {
            change(&mut snapshot);
        }
    }

    /// The way that a pass began with is still the connection's: an edit may lead it elsewhere meanwhile.
    pub(super) fn is_current(&self, session: &Session) -> bool {
        self.session().is_some_and(|now| now.epoch == session.epoch)
    }

    /// Waits for the limiter; returns the instant that the request may not outlive.
    async fn turn(&self, pass: &Pass, kind: RequestKind, priority: Priority) -> Result<Instant, Stop> {
        let leaving = super::directory::is_deleting(&pass.user) || pass.user.spec.active == Some(false);
        self.turn_at(pass, if leaving { Priority::Removal } else { priority }, kind).await
    }

    async fn turn_at(&self, pass: &Pass, priority: Priority, kind: RequestKind) -> Result<Instant, Stop> {
        self.in_turn(&pass.session, kind, priority).await.ok_or(Stop::Silently(Outcome::Paused))
    }

    /// Waits for the limiter; returns the instant that the request may not outlive. None where it may not be sent now.
    pub(super) async fn in_turn(&self, session: &Session, kind: RequestKind, priority: Priority) -> Option<Instant> {
        let began = Instant::now();
        // Bounded, so that a slow limit doesn't keep a slot from whoever is more urgent.
        let turn = timeout(LONGEST_TURN, self.limiter.acquire(kind, priority)).await;
        self.shared.metrics.waited(&self.key.to_string(), began.elapsed());
        turn.ok()?;
        self.deadline().filter(|_| self.is_current(session))
    }

    /// What a failed request means for its object, and whether it casts doubt on the connection.
    pub(super) fn failed(&self, pass: &Pass, error: &Error) -> Stop {
        let class = error.class();
        warn!(object = %full_name(&pass.user), ?class, request_id = error.request_id().unwrap_or("-"), "{error}");
        self.shared.metrics.error(&self.key.to_string(), class_name(class));
        match class {
            Class::Throttled => {
                self.limiter.pause(error.retry_after().unwrap_or(UNTOLD_PAUSE));
                Stop::Silently(Outcome::Paused)
            }
            Class::Credential => {
                self.doubt_key();
                Self::try_later(error)
            }
            Class::NotScim => {
                self.doubt();
                Self::try_later(error)
            }
            Class::Transient | Class::Unreachable | Class::Tls | Class::Timeout | Class::Empty => {
                self.doubt();
                if let Some(pause) = error.retry_after() {
                    self.limiter.pause(pause);
                }
                Self::try_later(error)
            }
            Class::Forbidden => {
                self.doubt();
                self.own_error(pass, Reason::Rejected, error.to_string())
            }
            Class::Unsupported => {
                let message = format!(
                    "{error}; set spec.dialect.writeUsers of the connection to the method that this server has"
                );
                let uid = pass.user.uid().unwrap_or_default();
                lock(&self.report).unsupported(&uid, pass.session.generation, &message);
                self.own_error(pass, Reason::NotSupported, message)
            }
            Class::Conflict => self.own_error(pass, Reason::Conflict, error.to_string()),
            Class::NotFound | Class::Precondition | Class::ContentType | Class::Rejected => {
                self.own_error(pass, Reason::Rejected, error.to_string())
            }
        }
    }

    fn try_later(error: &Error) -> Stop {
        let verdict = Verdict {
            reason: Some(Reason::Pending),
            message: format!("{error}; it is tried again"),
            state: Some(UserState::Pending),
            ..Verdict::default()
        };
        Stop::With(Box::new(verdict), Outcome::Retry)
    }

    /// The object's own error: it waits for a change on our side, or for an hour and longer.
    fn own_error(&self, pass: &Pass, reason: Reason, message: String) -> Stop {
        let before = lock(&self.memory).rejected(&pass.user.uid().unwrap_or_default());
        let deleting = super::directory::is_deleting(&pass.user);
        let verdict = Verdict {
            reason: Some(reason),
            message,
            state: Some(if deleting { UserState::Deleting } else { UserState::Failed }),
            executed: true,
            ..Verdict::default()
        };
        Stop::With(Box::new(verdict), Outcome::After(own_error_pause(before)))
    }
}

/// A bounded name for metrics.
pub(super) fn class_name(class: Class) -> &'static str {
    match class {
        Class::Throttled => "throttled",
        Class::Transient => "transient",
        Class::Credential => "credential",
        Class::Forbidden => "forbidden",
        Class::NotFound => "not_found",
        Class::Conflict => "conflict",
        Class::Precondition => "precondition",
        Class::ContentType => "content_type",
        Class::Unsupported => "unsupported",
        Class::NotScim => "not_scim",
        Class::Rejected => "rejected",
        Class::Unreachable => "unreachable",
        Class::Tls => "tls",
        Class::Timeout => "timeout",
        Class::Empty => "empty",
    }
}

/// The value by which the server looks accounts up.
fn identity(spec: &ScimUserSpec, match_by: MatchBy) -> String {
    let email = spec.attributes.emails.iter().flatten().next().map(|email| email.value.clone());
    match match_by {
        MatchBy::UserName => spec.user_name.clone(),
        MatchBy::Email => email.unwrap_or_else(|| spec.user_name.clone()),
    }
}

/// What identifies an account that is about to be taken.
pub(super) fn claimed_by(pass: &Pass, binding: &Binding) -> ClaimedAccount {
    let known = pass.user.claimed_account().filter(|claimed| fold(&claimed.user_name) == fold(&binding.user_name));
    known.unwrap_or_else(|| {
        let email = match &pass.account {
            Some(Account::Found { resource, .. }) => resource.emails().next().map(str::to_owned),
            _ => None,
        };
        let email = email.filter(|_| pass.session.policy.profile.match_by == MatchBy::Email);
        ClaimedAccount { user_name: binding.user_name.clone(), email }
    })
}

/// The account that a creation was sent for, or that was being taken, without a record of what came of it.
pub(super) fn unrecorded(pass: &Pass) -> Option<ClaimedAccount> {
    pass.user.claimed_account().filter(|_| pass.status.id.is_none() && has_finalizer(&pass.user))
}

/// What identifies the account that a creation is about to make.
fn claimed_account(pass: &Pass) -> ClaimedAccount {
    let (spec, match_by) = (&pass.user.spec, pass.session.policy.profile.match_by);
    let email = (match_by == MatchBy::Email).then(|| identity(spec, match_by));
    ClaimedAccount { user_name: spec.user_name.clone(), email }
}
