//! The sweep: lists the server page by page, and submits only what differs.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tracing::{debug, info, warn};

use super::listing::{Listed, Listing, may_pass};
use super::settled::Circumstances;
use crate::api::{Reason, ScimUser, Uid, UserState};
use crate::directory::full_name;
use crate::plan::{Step, Verdict};
use crate::provisioner::Provisioner;
use crate::provisioner::connection::session::Session;
use crate::provisioner::effects::Effects;
use crate::provisioner::mirror::users::UserMirror;
use crate::provisioner::schedule::queue::{Lane, back_off};
use crate::provisioner::users::{UserPass, lane_of};
use crate::scim::{Entry, Error, Kind, Page, fold};
use crate::status::{PassLog, record};

/// The back-off after a sweep that failed begins as if so many tries had been made.
const FIRST_RETRY: u32 = 3;

/// So many objects are looked at before others have their turn, …
const AT_ONCE: usize = 1_000;

/// … and so many of them compared.
const PLANS_AT_ONCE: usize = 32;

/// So many bound accounts that a list doesn't show are read by each sweep, or a tenth of all.
const IN_TURN: usize = 20;

/// The object's uid, and the id of its account at this server.
fn bound_at(user: &ScimUser, server: &str) -> Option<(Uid, String)> {
    let id = user.status.as_ref()?.id_at(server)?;
    Some((Uid::of(&user.metadata), id.to_owned()))
}

impl<E: Effects> Provisioner<E> {
    /// Sweeps when the connection becomes usable, and then `resyncInterval` after each end; sooner after one that failed.
    pub(in crate::provisioner) async fn keep_swept(self: Arc<Self>) {
        let mut failed = 0;
        while !self.stop.is_cancelled() {
            let interval = self.connection().spec.resync_interval.std().max(Duration::from_secs(10));
            let wait = match self.session() {
                None => None,
                Some(_) if self.serves_removals_only() => None,
                Some(session) => {
                    let ended = tokio::select! {
                        () = self.stop.cancelled() => break,
                        ended = self.sweep_once(&session) => ended,
                    };
                    failed = if ended { 0 } else { failed + 1 };
                    Some(if ended { interval } else { back_off(FIRST_RETRY + failed, rand::random()).min(interval) })
                }
            };
            tokio::select! {
                () = self.stop.cancelled() => break,
                () = self.mirror.sweep_asked() => {}
                () = async { match wait { Some(wait) => sleep(wait).await, None => std::future::pending().await } } => {}
            }
        }
    }

    /// A search needs the whole list: the next sweep begins as soon as may be.
    pub(in crate::provisioner) fn ask_for_sweep(&self) {
        // One that failed is tried again as it is, and no sooner for being asked for.
        if !self.connection.state.sweep_failed() {
            self.mirror.ask_for_sweep();
        }
    }

    /// False where the server could not be asked, and may be soon.
    pub(in crate::provisioner) async fn sweep_once(&self, session: &Arc<Session>) -> bool {
        let began = self.effects.instant();
        let now = self.effects.now();
        if self.mirror.users.change(session.epoch, |known| known.begin(now)).is_none() {
            return true;
        }
        self.connection.state.sweep_began();
        self.mirror.grants.ask_again();
        let listed = session.policy.profile.list_users;
        // Where nobody is listed without a filter, each account is asked for by itself.
        let result = if listed { Some(self.list_users(session).await) } else { None };
        // What writes taught since, too.
        self.apply_lessons(session, session.client.lessons());
        let answered = self.mirror.users.change(session.epoch, |known| {
            known.end(matches!(result, Some(Ok(Listed::Complete(_)))));
            known.sightings.answered()
        });
        // The connection leads elsewhere by now, or was lost meanwhile: what was seen says nothing.
        let Some(answered) = answered else { return true };
        let short = matches!(result, Some(Ok(Listed::Incomplete(_))));
        let (complete, ended) = match result {
            Some(Ok(Listed::BrokenOff)) => return true,
            Some(Ok(Listed::Complete(pages))) => {
                debug!(pages, accounts = self.mirror.users.look(UserMirror::len), "sweep complete");
                self.tell_of_gap(Kind::Users, None);
                (true, true)
            }
            None => {
                self.tell_of_gap(Kind::Users, None);
                self.invalidate_all(session);
                (false, true)
            }
            Some(Ok(Listed::Incomplete(gap))) => {
                self.tell_of_gap(Kind::Users, Some(&gap));
                (false, true)
            }
            Some(Err(error)) => {
                warn!("the sweep did not complete, so nothing is concluded from it: {error}");
                self.request_probe();
                (false, !may_pass(error.class()))
            }
        };
        let first = self.connection.state.sweep_ended(complete, ended, began.elapsed());
        if first {
            self.notes.serves_from(self.effects.now());
        }
        // Where nobody is listed, asking for each account is all that a sweep can be.
        if complete || !listed {
            self.surroundings.metrics.sweep(&self.key.to_string(), began.elapsed());
        }
        if complete {
            self.requeue_searching(&answered);
        }
        if ended {
            self.submit_differing(session, complete || !listed).await;
            // A server that shows no list at all is asked for nobody.
            if short {
                self.read_left_out(session);
            }
            self.sweep_groups(session).await;
        }
        if first {
            info!(complete, accounts = self.mirror.users.look(UserMirror::len), "first sweep ended");
        }
        self.schedule.wake();
        ended
    }

    /// What a list with a gap doesn't show of bound accounts is read in turn: a list may have its gap for good (promise I11).
    fn read_left_out(&self, session: &Session) {
        let users = self.directory.users_of(&self.key);
        let bound: Vec<(Uid, String)> =
            users.iter().filter_map(|user| bound_at(user, &session.policy.server)).collect();
        let unseen = self.mirror.users.look(|known| {
            let unseen = bound.iter().filter(|(_, id)| !known.is_of_sweep(id));
            unseen.cloned().collect::<Vec<_>>()
        });
        let share = IN_TURN.max(bound.len() / 10).min(unseen.len());
        let turn = self.mirror.users.change(session.epoch, |known| known.take_turn(share));
        let Some(turn) = turn.filter(|_| share > 0) else { return };
        for step in 0..share {
            let (uid, id) = &unseen[turn.wrapping_add(step) % unseen.len()];
            // Whoever is at work on it knows better.
            if !self.schedule.contains(uid) {
                self.mirror.users.change(session.epoch, |known| known.invalidate(id));
                self.schedule.submit(uid, Lane::Drift, false, self.effects.instant());
            }
        }
    }

    /// Where nobody is listed, what was shown before says nothing of how it stands now: each account is read again.
    fn invalidate_all(&self, session: &Session) {
        let users = self.directory.users_of(&self.key);
        self.mirror.users.change(session.epoch, |known| {
            for id in users.iter().filter_map(|user| user.status.as_ref()?.id.as_deref()) {
                known.invalidate(id);
            }
        });
    }

    /// Whoever was to be looked for in the whole list, and groups whose members were.
    fn requeue_searching(&self, uids: &[Uid]) {
        for user in uids.iter().filter_map(|uid| self.directory.get(uid)) {
            let uid = Uid::of(&user.metadata);
            self.schedule.resume(&uid, lane_of(&user, self.effects.now()), self.effects.instant());
        }
        for group in uids.iter().filter_map(|uid| self.directory.group(uid)) {
            self.resume_group(&group);
        }
    }

    /// Walks the list of users, and takes in what it shows.
    async fn list_users(&self, session: &Session) -> Result<Listed, Error> {
        let server = &session.policy.server;
        let keep = |name: &str, id: &str| self.directory.declares(server, name, id);
        let recall = |text: &str| self.mirror.users.look(|known| known.recall(text, keep));
        let take = |page: &mut Page<Entry>, listing: &Listing| {
            self.observe(session, |seen| {
                seen.page(listing.size(), page.shown, listing.walked() + page.shown, page.total);
            });
            self.apply_lessons(session, session.client.lessons());
            self.mirror.grants.add_from(page.resources.iter().filter_map(|entry| match entry {
                Entry::Read(account, _) => Some(account),
                Entry::Same(_) => None,
            }));
            let resources = std::mem::take(&mut page.resources);
            self.mirror.users.change(session.epoch, |known| known.page(resources, keep))
        };
        self.list(session, Some(&recall), take, || self.mirror.users.look(UserMirror::seen)).await
    }

    /// Submits the objects whose account, or whose status, is not as it should be.
    /// What a list that isn't complete doesn't show isn't asked for singly each time; `singly`: there is no such list.
    async fn submit_differing(&self, session: &Arc<Session>, singly: bool) {
        let now = self.effects.instant();
        let (epoch, policy) = (session.epoch, session.policy.clone());
        let revision = self.directory.revision();
        let circumstances = Circumstances { epoch, policy, revision };
        self.mirror.users.change(epoch, |known| known.settled.under(circumstances));
        let (mut last, mut compared) = (None, 0);
        loop {
            let users = self.directory.users_after(&self.key, last.as_ref(), AT_ONCE);
            let Some((end, _)) = users.last().cloned() else { return };
            for (uid, user) in users {
                if self.schedule.contains(&uid) {
                    continue;
                }
                if self.is_settled(&uid, &user) {
                    debug_assert!(!self.differs(session, &user, singly), "{} isn't as it was", full_name(&user));
                    continue;
                }
                if self.differs(session, &user, singly) {
                    debug!(object = %full_name(&user), "differs");
                    self.schedule.submit(&uid, Lane::Drift, true, now);
                }
                compared += 1;
                // A hundred thousand plans must keep nobody else waiting, nor the Lease from being renewed.
                if compared % PLANS_AT_ONCE == 0 {
                    tokio::task::yield_now().await;
                }
            }
            tokio::task::yield_now().await;
            last = Some(end);
        }
    }

    /// It was compared with the very same account, under the same circumstances.
    fn is_settled(&self, uid: &Uid, user: &ScimUser) -> bool {
        let id = user.status.as_ref().and_then(|status| status.id.as_deref());
        let Some(id) = id else { return false };
        self.mirror.users.look(|known| known.stamp(id).is_some_and(|stamp| known.settled.holds(uid, stamp)))
    }

    fn differs(&self, session: &Arc<Session>, user: &Arc<ScimUser>, singly: bool) -> bool {
        let status = user.status.clone().unwrap_or_default();
        let stamp = status.id.as_deref().and_then(|id| self.mirror.users.look(|known| known.stamp(id)));
        let pass = UserPass::new(Arc::clone(user), status, Arc::clone(session));
        match self.plan(&pass) {
            Step::Settle(verdict) if self.is_news(&pass, &verdict) || pass.owes_finalizer(&verdict) => true,
            Step::Settle(verdict) => {
                if let Some(stamp) = stamp.filter(|_| self.stays(&pass, &verdict)) {
                    self.mirror.users.change(session.epoch, |known| known.settled.add(&pass.uid(), stamp));
                }
                false
            }
            Step::Read(_) => singly || pass.status.observed_generation != user.metadata.generation,
            _ => true,
        }
    }

    /// The verdict rests on the object, the account and the circumstances alone: on no time, no other account, and nothing
    /// that was tried.
    fn stays(&self, pass: &UserPass, verdict: &Verdict) -> bool {
        let (spec, status) = (&pass.object.spec, &pass.status);
        let manager = spec.attributes.enterprise.as_ref().and_then(|enterprise| enterprise.manager.as_ref());
        let by_itself = spec.access.is_none() && manager.is_none() && self.with_ids(spec).is_none();
        let bound = status.bound_to.as_deref() == Some(&*pass.session.policy.server);
        let named = self.mirror.users.look(|known| {
            let shown = status.id.as_deref().and_then(|id| known.identity(id));
            shown.is_some_and(|(name, _)| Some(name) == status.user_name.as_deref().map(fold).as_deref())
        });
        let uid = &pass.uid();
        let untried =
            self.notes.tried(uid).parts.is_empty() && self.notes.contested(uid, self.effects.now()).is_empty();
        let calm = matches!(status.state, Some(UserState::Active | UserState::Inactive))
            && matches!(verdict.reason, None | Some(Reason::Synced))
            && status.hold.is_none()
            && status.ignored_attributes.is_none()
            && status.more_ignored.is_none();
        by_itself && bound && named && untried && calm && !pass.is_deleting()
    }

    fn is_news(&self, pass: &UserPass, verdict: &Verdict) -> bool {
        let generation = pass.object.metadata.generation.unwrap_or_default();
        record(&pass.status, generation, verdict, &PassLog::default(), self.effects.now()) != pass.status
    }
}
