//! The sweep: lists the server page by page, and submits only what differs.

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use tokio::time::{Instant, sleep};
use tracing::{debug, info, warn};

use super::directory::full_name;
use super::failure::class_name;
use super::limiter::{Priority, RequestKind};
use super::queue::Lane;
use super::session::Session;
use super::worker::Pass;
use super::{Provisioner, lock};
use crate::api::ScimUser;
use crate::plan::{Step, Verdict};
use crate::scim::{Class, Error, Kind, Paging, Resource, Start, fold};
use crate::status::{Recorded, record};

/// A listing that never ends is broken off here: 100,000 pages.
const MOST_PAGES: u64 = 100_000;

impl Provisioner {
    /// Sweeps when the connection becomes usable, and then `resyncInterval` after each end.
    pub(super) async fn keep_swept(self: Arc<Self>) {
        while !self.stop.is_cancelled() {
            let interval = self.connection().spec.resync_interval.std().max(Duration::from_secs(10));
            let wait = match self.session() {
                None => None,
                Some(_) if self.serves_removals_only() => None,
                Some(session) => {
                    tokio::select! {
                        () = self.stop.cancelled() => break,
                        () = self.sweep_once(&session) => Some(interval),
                    }
                }
            };
            tokio::select! {
                () = self.stop.cancelled() => break,
                () = self.sweep.notified() => {}
                () = async { match wait { Some(wait) => sleep(wait).await, None => std::future::pending().await } } => {}
            }
        }
    }

    async fn sweep_once(&self, session: &Arc<Session>) {
        let began = Instant::now();
        {
            let mut snapshot = lock(&self.snapshot);
            if !snapshot.is_of(session.epoch) {
                return;
            }
            snapshot.begin();
        }
        lock(&self.names).ask_again();
        let result = self.list_all(session).await;
        {
            let mut snapshot = lock(&self.snapshot);
            // The connection leads elsewhere by now, or was lost meanwhile: what was seen says nothing.
            if !snapshot.is_of(session.epoch) {
                return;
            }
            snapshot.end(matches!(result, Ok(Some(_))));
        }
        let complete = match result {
            Ok(None) => return,
            Ok(Some(pages)) => {
                debug!(connection = %self.key, pages, accounts = lock(&self.snapshot).len(), "sweep complete");
                true
            }
            Err(error) => {
                warn!(connection = %self.key, "the sweep did not complete, so nothing is concluded from it: {error}");
                self.shared.metrics.error(&self.key.to_string(), class_name(error.class()));
                if error.class() == Class::Throttled {
                    self.limiter.pause(error.retry_after().unwrap_or(Duration::from_secs(5)));
                }
                self.doubt();
                false
            }
        };
        let first = {
            let mut report = lock(&self.report);
            report.sweep_ended(complete, began.elapsed());
            // A server that can't be listed is asked for one account at a time.
            !std::mem::replace(&mut report.swept, true)
        };
        if complete {
            self.shared.metrics.sweep(&self.key.to_string(), began.elapsed());
            self.submit_differing(session).await;
            self.sweep_groups(session).await;
        }
        if first {
            info!(connection = %self.key, complete, accounts = lock(&self.snapshot).len(), "first sweep ended");
        }
        self.wake.notify_one();
    }

    /// Walks the pages until one brings no new id: totals only end the walk where the profile trusts them. `None`
    /// where the walk was broken off from our side.
    async fn list_all(&self, session: &Session) -> Result<Option<u64>, Error> {
        let profile = &session.policy.profile;
        let server = &session.policy.server;
        let (mut start, mut walked) = (Start::first(profile.paging), 0_u64);
        for pages in 1..=MOST_PAGES {
            let began = Instant::now();
            self.limiter.acquire(RequestKind::Read, Priority::Sweep).await;
            self.shared.metrics.waited(&self.key.to_string(), began.elapsed());
            let Some(deadline) = self.deadline().filter(|_| !self.serves_removals_only()) else { return Ok(None) };
            let page = session.client.list_from(Kind::Users, &start, profile.page_size, deadline).await?;
            let (next, shown) = (start.after(&page), page.resources.len() as u64);
            self.notice(session, |seen| {
                seen.page(profile.page_size, shown, walked + shown, page.total);
                seen.content_type(&session.client);
            });
            let keep = |resource: &Resource| {
                let name = resource.user_name().map(fold).unwrap_or_default();
                self.shared.directory.declares(server, &name, resource.id().unwrap_or_default())
            };
            {
                let mut names = lock(&self.names);
                page.resources.iter().for_each(|account| names.known.learn_from(account));
            }
            let new = {
                let mut snapshot = lock(&self.snapshot);
                if !snapshot.is_of(session.epoch) {
                    return Ok(None);
                }
                snapshot.page(page.resources, keep)
            };
            walked += shown;
            let all = profile.trust_totals && page.total.is_some_and(|total| walked >= total);
            let goes_on = profile.paging == Paging::Cursor && page.next_cursor.is_some_and(|cursor| !cursor.is_empty());
            // A cursor may lead over an empty page, and never round in circles.
            let over = new == 0 && !(goes_on && shown == 0);
            match next.filter(|_| !over && !all && profile.paging != Paging::None) {
                Some(next) => start = next,
                None if goes_on && !all => break,
                // Fewer than a total that is trusted: something was not shown (promise I11).
                None if profile.trust_totals && page.total.is_some_and(|total| walked < total) => {
                    return Err(Error::short_listing(walked, page.total.unwrap_or_default()));
                }
                None => return Ok(Some(pages)),
            }
        }
        Err(Error::endless_listing())
    }

    /// Submits the objects whose account, or whose status, is not as it should be.
    async fn submit_differing(&self, session: &Arc<Session>) {
        let now = Instant::now();
        for (number, user) in self.shared.directory.users_of(&self.key).into_iter().enumerate() {
            // A hundred thousand plans must not keep the Lease from being renewed.
            if number % 256 == 255 {
                tokio::task::yield_now().await;
            }
            let uid = user.uid().unwrap_or_default();
            if lock(&self.queue).contains(&uid) {
                continue;
            }
            if self.differs(session, &user) {
                debug!(object = %full_name(&user), "differs");
                lock(&self.queue).submit(&uid.into(), Lane::Drift, false, now);
            }
        }
    }

    fn differs(&self, session: &Arc<Session>, user: &Arc<ScimUser>) -> bool {
        let status = user.status.clone().unwrap_or_default();
        let pass = Pass::new(Arc::clone(user), status, Arc::clone(session));
        match self.plan(&pass) {
            Step::Settle(verdict) => Self::is_news(&pass, &verdict),
            _ => true,
        }
    }

    fn is_news(pass: &Pass, verdict: &Verdict) -> bool {
        let generation = pass.user.metadata.generation.unwrap_or_default();
        record(&pass.status, generation, verdict, &Recorded::default(), jiff::Timestamp::now()) != pass.status
    }
}
