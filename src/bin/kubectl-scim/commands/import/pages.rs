//! Walks the pages of a list; what was seen is remembered by its id alone.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Result, bail};
use scim_operator::scim::{Class, Error, Kind, Page, Paging, Profile, Resource, Start};
use tokio::time::Instant;

use crate::server::Server;

/// A request is sent so often before the walk is given up.
const TRIES: u32 = 6;

/// A walk over the pages of users or groups.
pub(super) struct Walk<'a> {
    server: &'a Server,
    kind: Kind,
    start: Option<Start>,
    size: u32,
    seen: HashSet<String>,
    unreadable: u64,
    one_page: bool,
    trust_totals: bool,
    /// What the server says that there is.
    pub(super) total: Option<u64>,
}

impl<'a> Walk<'a> {
    pub(super) fn users(server: &'a Server, profile: &Profile) -> Self {
        Self::new(server, profile, Kind::Users, profile.paging == Paging::None)
    }

    pub(super) fn groups(server: &'a Server, profile: &Profile) -> Self {
        Self::new(server, profile, Kind::Groups, !profile.list_groups || profile.paging == Paging::None)
    }

    fn new(server: &'a Server, profile: &Profile, kind: Kind, one_page: bool) -> Self {
        Self {
            server,
            kind,
            start: Some(Start::first(profile.paging)),
            size: profile.page_size,
            seen: HashSet::new(),
            unreadable: 0,
            one_page,
            trust_totals: profile.trust_totals,
            total: None,
        }
    }

    /// How many were seen.
    pub(super) fn seen(&self) -> u64 {
        self.seen.len() as u64
    }

    /// What is new on the next page; none at the end: a page that brings nothing new.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Resource>>> {
        let Some(start) = self.start.take() else { return Ok(None) };
        let page = self.page(&start).await?;
        self.total = page.total.or(self.total);
        let next = start.after(&page);
        let shown = page.resources.len();
        let with_id = page.resources.into_iter().filter(|one| one.id().is_some()).collect::<Vec<_>>();
        self.unreadable += (shown - with_id.len()) as u64;
        let new: Vec<Resource> =
            with_id.into_iter().filter(|one| one.id().is_some_and(|id| self.seen.insert(id.to_owned()))).collect();
        let by_cursor = matches!(start, Start::Cursor(_));
        let ended = self.trust_totals && self.total.is_some_and(|total| self.seen() >= total);
        if !self.one_page && !ended && (by_cursor || !new.is_empty()) {
            self.start = next;
        }
        Ok(if new.is_empty() && self.start.is_none() { None } else { Some(new) })
    }

    async fn page(&self, start: &Start) -> Result<Page> {
        let ask = async |deadline| self.server.client.list_page(self.kind, start, self.size, deadline).await;
        if self.seen.is_empty() {
            // Whether there is a server at all is known at once.
            match ask(self.server.read().await).await {
                Ok(page) => return Ok(page),
                Err(error) if error.class() == Class::Unreachable => {
                    bail!("{} can't be reached: {error}", self.server.url)
                }
                Err(_) => {}
            }
        }
        patiently(self.server, "a page of the list", ask).await
    }

    /// Why the list may not be whole.
    pub(super) fn warnings(&self, what: &str) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.unreadable > 0 {
            warnings.push(format!("{} {what} have no id that can be used, and were left out", self.unreadable));
        }
        if let Some(total) = self.total.filter(|total| *total > self.seen() + self.unreadable) {
            warnings.push(format!("the list ended after {} of {total} {what}", self.seen()));
        }
        warnings
    }
}

/// Asks again where that may help.
pub(super) async fn patiently<T>(
    server: &Server,
    what: &str,
    ask: impl AsyncFn(Instant) -> Result<T, Error>,
) -> Result<T> {
    let mut pause = Duration::from_secs(1);
    let mut tries = 0;
    loop {
        tries += 1;
        match ask(server.read().await).await {
            Ok(answer) => return Ok(answer),
            Err(error) if is_passing(&error) && tries == TRIES => {
                bail!("{} did not give {what} in {TRIES} tries, and nothing more was read: {error}", server.url)
            }
            Err(error) if is_passing(&error) => {
                server.pause(Some(error.retry_after().unwrap_or(pause)));
                pause *= 2;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// It may go better the next time.
fn is_passing(error: &Error) -> bool {
    matches!(error.class(), Class::Throttled | Class::Transient | Class::Timeout | Class::Unreachable)
}
