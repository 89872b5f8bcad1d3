//! A listing, page by page: which page comes next, and whether what came is all there is (promise I11).

mod gap;

use std::time::Duration;

use tracing::{debug, warn};

pub use self::gap::GapIn;
use crate::provisioner::connection::session::Session;
use crate::provisioner::effects::Effects;
use crate::provisioner::engine::class_name;
use crate::provisioner::schedule::limiter::{Priority, RequestKind};
use crate::provisioner::schedule::queue::back_off;
use crate::provisioner::{Provisioner, overrides};
use crate::scim::{Class, Entry, Error, Kind, ObservedQuirks, Page, Paging, Profile, Recall, Start};

/// A listing that never ends is broken off here.
const MOST_PAGES: u64 = 100_000;

/// One page is asked for so often, …
const MOST_TRIES: u32 = 6;

/// … and so often where the listing before failed at the very same.
const TRIES_AGAIN: u32 = 2;

/// A server that doesn't heed where a page begins is asked for so many times more at once, …
const WIDER: u32 = 10;

/// … up to so many.
const WIDEST: u32 = 10_000;

/// So many are shown by servers that show no more, whatever is asked for.
const USUAL_LIMITS: [u64; 9] = [10, 20, 25, 50, 100, 200, 250, 500, 1000];

/// How a listing ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Listed {
    /// All there is was shown, on so many pages.
    Complete(u64),
    /// It went through, and isn't all there is.
    Incomplete(Gap),
    /// Broken off from our side: it says nothing, not even that the server is at fault.
    BrokenOff,
}

/// Why a listing that went through isn't all there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gap {
    /// So many are counted and none is shown.
    Hollow(u64),
    /// So many were shown, of so many that are counted.
    Short(u64, u64),
    /// So many entries without a usable id.
    Unreadable(u64),
    /// A page showed nothing but what earlier ones had.
    Circles,
    /// So many, and the same again wherever a page was to begin: there may be more.
    Repeated(u64),
    /// It goes no further than so many, and why.
    Breaks(u64, String),
    /// It went on for longer than any server has resources.
    Endless,
}

/// Where a listing is.
#[derive(Debug)]
pub struct Listing {
    paging: Paging,
    trust_totals: bool,
    start: Start,
    /// A list that shows a cursor goes on by it, for nobody has set how it pages.
    follows: bool,
    /// Where it would have gone on otherwise.
    left_at: Option<Start>,
    /// So many are asked for at once.
    size: u32,
    /// Entries on a page that was as long as was asked for and came twice.
    full: Option<u64>,
    /// Entries on the last page, and on the longest.
    last: u64,
    longest: u64,
    pages: u64,
    /// Entries shown so far, and those shown before the listing had to begin again.
    walked: u64,
    walked_before: u64,
    unreadable: u64,
    total: Option<u64>,
}

impl Listing {
    /// At its first page.
    pub fn new(profile: &Profile) -> Self {
        Self {
            paging: profile.paging,
            trust_totals: profile.trust_totals,
            start: Start::first(profile.paging),
            follows: true,
            left_at: None,
            size: profile.page_size,
            full: None,
            last: 0,
            longest: 0,
            pages: 0,
            walked: 0,
            walked_before: 0,
            unreadable: 0,
            total: None,
        }
    }

    /// A person has set how it pages.
    fn paged_as_set(mut self, set: bool) -> Self {
        self.follows &= !set;
        self
    }

    /// Where the next page begins.
    pub fn start(&self) -> &Start {
        &self.start
    }

    /// So many are asked for at once.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// Entries shown so far.
    pub fn walked(&self) -> u64 {
        self.walked
    }

    /// The server doesn't know the place any more: from the beginning, once.
    fn begin_again(&mut self) -> bool {
        let may = self.paging == Paging::Cursor && !self.start.is_first() && self.walked_before == 0;
        if may {
            self.start = Start::first(self.paging);
            (self.walked_before, self.walked, self.unreadable) = (self.walked, 0, 0);
        }
        may
    }

    /// The server shows the same again, wherever a page begins, and as many as were asked for: more are asked for at once.
    pub fn widens(&mut self, end: &Result<(), Gap>) -> bool {
        let circles = self.paging == Paging::Index && *end == Err(Gap::Circles);
        let full = self.last == u64::from(self.size) && self.full.is_none_or(|before| self.last > before);
        // Nothing but this one page came.
        let alone = self.walked_before > 0 || self.walked == 2 * self.last;
        let may = circles && full && alone && self.size < WIDEST;
        if may {
            self.full = Some(self.last);
            self.size = self.size.saturating_mul(WIDER).min(WIDEST);
            self.start = Start::first(self.paging);
            (self.walked_before, self.walked, self.unreadable) = (self.last, 0, 0);
        }
        may
    }

    /// A page came, with so many ids that no earlier one had. `Some` at the end, with `Ok` where nothing speaks against
    /// its being complete.
    pub fn turn<R>(&mut self, page: &Page<R>, new: usize) -> Option<Result<(), Gap>> {
        self.pages += 1;
        self.last = page.shown;
        self.longest = self.longest.max(page.shown);
        self.walked += page.shown;
        self.unreadable += page.unreadable;
        // Beyond the end some count what the page shows.
        if page.shown > 0 || page.total > self.total {
            self.total = page.total.or(self.total);
        }
        let all = self.trust_totals && page.total.is_some_and(|total| self.walked >= total);
        if self.paging == Paging::None || all {
            return Some(Ok(()));
        }
        let leads_on = page.next_cursor.as_ref().is_some_and(|cursor| !cursor.is_empty());
        // It goes on by its cursor, whatever it was asked for (RFC 9865 §2).
        if leads_on && self.paging == Paging::Index && self.follows {
            self.left_at = self.start.after(page);
            (self.paging, self.start) = (Paging::Cursor, Start::Cursor(String::new()));
        } else if let Some(place) = self.left_at.take()
            && page.shown > 0
            && new == 0
        {
            // It shows cursors, and heeds none.
            (self.paging, self.start, self.follows) = (Paging::Index, place, false);
            self.walked -= page.shown;
            self.unreadable -= page.unreadable;
            return None;
        }
        let next = match self.start.after(page) {
            // The same cursor again.
            None if leads_on => return Some(Err(Gap::Circles)),
            None => return Some(Ok(())),
            Some(next) => next,
        };
        let again = self.walked <= self.walked_before;
        if page.shown == 0 && self.paging == Paging::Index {
            return Some(Ok(()));
        }
        if page.shown > 0 && new == 0 && !again {
            return Some(Err(Gap::Circles));
        }
        if self.pages >= MOST_PAGES {
            return Some(Err(Gap::Endless));
        }
        self.start = next;
        None
    }

    /// A page that came twice is as long as servers make them, and where more were asked for it grew no longer.
    fn may_be_cut(&self) -> bool {
        let full = self.last == u64::from(self.size) || self.full.is_some_and(|before| self.last <= before);
        self.paging == Paging::Index && (full || USUAL_LIMITS.contains(&self.last))
    }

    /// All that are counted were shown, and the last page wasn't full: there is nothing beyond it but an error. A full one may be
    /// as far as the server goes, and what it counts, too.
    fn has_ended(&self, distinct: u64) -> bool {
        let several = self.longest > self.last;
        // Servers have round numbers for the longest page.
        let shorter = several || (self.last < u64::from(self.size) && !self.last.is_multiple_of(5));
        // A cursor says itself whether there is more.
        self.paging == Paging::Index && shorter && self.unreadable == 0 && self.total == Some(distinct)
    }

    /// The server can't be walked further than this: what it showed is no less so.
    fn broken_by(&self, error: &Error, distinct: u64) -> Listed {
        if self.has_ended(distinct) {
            return self.judge(Ok(()), distinct);
        }
        Listed::Incomplete(Gap::Breaks(self.walked.max(self.walked_before), error.without_advice()))
    }

    /// What a listing that ended so, having shown so many different ids, amounts to.
    pub fn judge(&self, end: Result<(), Gap>, distinct: u64) -> Listed {
        let short = self.total.filter(|total| *total > distinct);
        let gap = match (end, short) {
            _ if self.unreadable > 0 => Gap::Unreadable(self.unreadable),
            (_, Some(total)) if self.walked == 0 => Gap::Hollow(total),
            (_, Some(total)) => Gap::Short(distinct, total),
            (Err(Gap::Circles), None) if self.total.is_some() && distinct <= self.last && self.may_be_cut() => {
                Gap::Repeated(self.last)
            }
            // As servers do that show everything again past the end.
            (Err(Gap::Circles), None) if self.total.is_some() => return Listed::Complete(self.pages),
            (Err(gap), None) => gap,
            (Ok(()), None) => return Listed::Complete(self.pages),
        };
        Listed::Incomplete(gap)
    }
}

impl<E: Effects> Provisioner<E> {
    /// Walks a collection, of users where it can be recalled which of them are known. `take` takes in a page and returns
    /// how many of its ids are new, or nothing where the listing doesn't count any more; `distinct` says how many ids it
    /// has shown.
    pub(in crate::provisioner) async fn list(
        &self,
        session: &Session,
        recall: Option<Recall<'_>>,
        mut take: impl FnMut(&mut Page<Entry>, &Listing) -> Option<usize>,
        distinct: impl FnOnce() -> usize,
    ) -> Result<Listed, Error> {
        let set = overrides(&self.connection().spec).paging;
        let mut listing = Listing::new(&session.policy.profile).paged_as_set(set);
        loop {
            let mut page = match self.next_page(session, recall, &mut listing).await {
                Ok(Some(page)) => page,
                Ok(None) => return Ok(Listed::BrokenOff),
                Err(error) if breaks_for_good(session, &listing, &error) => {
                    return Ok(listing.broken_by(&error, distinct() as u64));
                }
                Err(error) => return Err(error),
            };
            session.seen.take_in(|seen| {
                for entry in &page.resources {
                    if let Entry::Read(resource, _) = entry {
                        seen.listed(resource);
                    }
                }
            });
            let Some(new) = take(&mut page, &listing) else { return Ok(Listed::BrokenOff) };
            if let Some(end) = listing.turn(&page, new).filter(|end| !listing.widens(end)) {
                return Ok(listing.judge(end, distinct() as u64));
            }
        }
    }

    /// The page where the listing is. One that fails is asked for again, as patiently as the server asks.
    async fn next_page(
        &self,
        session: &Session,
        recall: Option<Recall<'_>>,
        listing: &mut Listing,
    ) -> Result<Option<Page<Entry>>, Error> {
        let size = listing.size;
        let broke = session.seen.look(|seen| seen.list_breaks_at() == Some(listing.walked)) && listing.pages > 0;
        let most = if broke { TRIES_AGAIN } else { MOST_TRIES };
        let mut tries = 0;
        loop {
            let began = self.effects.instant();
            let turn = self.effects.turn(self.schedule.limiter(), RequestKind::Read, Priority::Sweep).await;
            self.surroundings.metrics.waited(&self.key.to_string(), began.elapsed());
            let may = turn && self.is_current(session) && !self.serves_removals_only();
            let Some(deadline) = self.effects.deadline().filter(|_| may) else { return Ok(None) };
            let (effects, client, start) = (&self.effects, &session.client, listing.start());
            let answer = match recall {
                Some(recall) => effects.user_page(client, start, size, recall, deadline).await,
                None => {
                    effects.page(client, Kind::Groups, start, size, deadline).await.map(|page| page.map(Entry::from))
                }
            };
            let error = match answer {
                Ok(page) => return Ok(Some(page)),
                Err(error) => error,
            };
            self.surroundings.metrics.error(&self.key.to_string(), class_name(error.class()));
            if error.class() == Class::Rejected && listing.begin_again() {
                continue;
            }
            tries += 1;
            if !may_pass(error.class()) || tries >= most {
                return Err(error);
            }
            debug!(tries, "a page of a listing failed, and is asked for again: {error}");
            self.do_without_list();
            self.wait_for_page(&error, tries).await;
        }
    }

    /// Whoever owes something need not wait for a server that is slow to be listed: it is asked for one at a time.
    pub(in crate::provisioner) fn do_without_list(&self) {
        if self.connection.state.delay_first_sweep() {
            self.notes.serves_from(self.effects.now());
            self.schedule.wake();
        }
    }

    /// A listing went through; a gap in it is said at the connection, and told of once.
    pub(in crate::provisioner) fn tell_of_gap(&self, kind: Kind, gap: Option<&Gap>) {
        let gap = gap.map(|gap| GapIn(gap, kind).to_string());
        if let Some(gap) = &gap {
            warn!("nothing is concluded from the list: {gap}");
        }
        self.connection.state.listed(kind.path(), gap);
    }

    /// A listing failed; that is said at the connection, and told of once.
    pub(in crate::provisioner) fn tell_of_failed_list(&self, kind: Kind, error: &Error) {
        warn!("nothing is concluded, for the list of /{} failed: {error}", kind.path());
        self.connection.state.listed(kind.path(), Some(error.to_string()));
    }

    async fn wait_for_page(&self, error: &Error, tries: u32) {
        if error.class() == Class::Throttled {
            // The limiter waits as long as the server says.
            return;
        }
        if tries == 1 {
            self.request_probe();
        }
        let wait = error.retry_after().unwrap_or(Duration::ZERO).max(back_off(tries, rand::random()));
        if let Some(pause) = error.retry_after() {
            self.schedule.limiter().pause(pause);
        }
        self.effects.sleep(wait).await;
    }
}

/// A list that fails beyond a place does so at each try, and is taken for what it shows: one that is refused at once, one
/// that fails where the listing before failed.
fn breaks_for_good(session: &Session, listing: &Listing, error: &Error) -> bool {
    if listing.pages == 0 {
        return false;
    }
    match error.class() {
        Class::Rejected | Class::Forbidden | Class::NotFound | Class::Unsupported => true,
        Class::Transient if error.status().is_some() => {
            let before = session.seen.look(ObservedQuirks::list_breaks_at);
            session.seen.take_in(|seen| seen.list_broke_at(listing.walked));
            before == Some(listing.walked)
        }
        _ => false,
    }
}

/// An error that the same request may not meet again.
pub(in crate::provisioner) fn may_pass(class: Class) -> bool {
    matches!(class, Class::Throttled | Class::Transient | Class::Timeout | Class::Unreachable)
}

#[cfg(test)]
#[path = "listing_tests.rs"]
mod tests;
