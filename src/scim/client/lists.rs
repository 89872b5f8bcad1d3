//! Lists. A server that refuses one is asked for it otherwise, and what helped is remembered: without `startIndex` and `count`,
//! by shorter pages, or for nobody, where it lists nobody without a filter.

use rand::RngExt as _;
use tokio::time::Instant;
use url::form_urlencoded::byte_serialize;

use super::super::error::{Class, Error, ScimType};
use super::super::filter;
use super::super::paging::Start;
use super::super::resource::Resource;
use super::{Client, Entry, HITS, Kind, Page, Recall};

/// What is listed, what else the query has, and whose words are known.
type What<'a> = (Kind, &'a str, Option<Recall<'a>>);

/// So often a 500 must be met again before it is about the request.
const AGAIN_500: u32 = 3;

impl Client {
    /// One page, RFC 7644 §3.4.2.4.
    pub async fn list(&self, kind: Kind, start_index: u64, count: u32, deadline: Instant) -> Result<Page, Error> {
        self.list_from(kind, &Start::Index(start_index), count, deadline).await
    }

    /// One page, by index or by cursor; `startIndex` and `count` are always sent, but to a server that doesn't page.
    pub async fn list_from(&self, kind: Kind, start: &Start, count: u32, deadline: Instant) -> Result<Page, Error> {
        self.listed(kind, start, count, "", deadline).await
    }

    /// The same, of groups as [`Self::list_groups`] asks for them.
    pub async fn list_page(&self, kind: Kind, start: &Start, count: u32, deadline: Instant) -> Result<Page, Error> {
        match kind {
            Kind::Users => self.list_from(kind, start, count, deadline).await,
            Kind::Groups => self.list_groups(start, count, deadline).await,
        }
    }

    /// One page of users, where those that `recall` knows by their words aren't read again.
    pub async fn list_users(
        &self,
        start: &Start,
        count: u32,
        recall: Recall<'_>,
        deadline: Instant,
    ) -> Result<Page<Entry>, Error> {
        self.list_entries(start, count, (Kind::Users, "", Some(recall)), deadline).await
    }

    /// Asks for one user: the shape of the answer tells whether this is SCIM.
    pub async fn probe(&self, deadline: Instant) -> Result<Page, Error> {
        if !self.experience.no_user_list() {
            match self.list(Kind::Users, 1, 1, deadline).await {
                Err(_) if self.experience.no_user_list() => {}
                answer => return answer,
            }
        }
        match self.find_nobody(deadline).await {
            Err(error)
                if (refuses_list(&error) || error.class() == Class::NotFound) && self.says_too_many(deadline).await =>
            {
                Ok(Page::default())
            }
            answer => answer,
        }
    }

    /// Searches for somebody whom nobody can be: whoever is found shows that the filter was not heeded.
    pub async fn find_nobody(&self, deadline: Instant) -> Result<Page, Error> {
        Ok(self.nobody(Kind::Users, deadline).await?.map(read))
    }

    /// What a filter lets through, few as they are. There are servers that count from 0, so that the first is on no page.
    pub(super) async fn searched(&self, kind: Kind, filter: &str, deadline: Instant) -> Result<Page, Error> {
        let mut url = self.filtered(kind, filter, HITS);
        let page = self.page(kind, url.clone(), deadline).await?;
        if !page.is_hollow() || self.experience.no_paging() {
            return Ok(page);
        }
        let filter = url.query().unwrap_or_default().split('&').next().unwrap_or_default().to_owned();
        url.set_query(Some(&filter));
        Ok(self.page(kind, url, deadline).await.unwrap_or(page))
    }

    /// One page; `also` is what else its query has.
    pub(in super::super) async fn listed(
        &self,
        kind: Kind,
        start: &Start,
        count: u32,
        also: &str,
        deadline: Instant,
    ) -> Result<Page, Error> {
        Ok(self.list_entries(start, count, (kind, also, None), deadline).await?.map(read))
    }

    async fn list_entries(
        &self,
        start: &Start,
        count: u32,
        what: What<'_>,
        deadline: Instant,
    ) -> Result<Page<Entry>, Error> {
        let paged = (!self.experience.no_paging()).then(|| start.query(self.experience.page_size(count)));
        let answer = self.asked(what, paged.as_deref(), deadline).await;
        let refused = answer.as_ref().err().filter(|error| refuses_list(error)).cloned();
        let Some(error) = refused.filter(|_| matches!(start, Start::Index(_)) && self.experience.may_try()) else {
            return answer;
        };
        let mut errors = vec![error];
        if let Some(paged) = &paged {
            match self.asked(what, None, deadline).await {
                Ok(page) => return self.without_paging(start, page, paged, what, deadline).await,
                Err(error) => errors.push(error),
            }
        }
        if start.is_first() {
            self.may_need_filter(what.0, &mut errors, deadline).await;
        }
        // What is refused for good says more than what fails.
        let telling = errors.iter().position(|error| error.class() == Class::Rejected).unwrap_or_default();
        Err(errors.swap_remove(telling))
    }

    async fn asked(
        &self,
        (kind, also, recall): What<'_>,
        paged: Option<&str>,
        deadline: Instant,
    ) -> Result<Page<Entry>, Error> {
        let parts = [paged.unwrap_or_default(), also];
        let query = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("&");
        let mut url = self.url(kind, None);
        url.set_query((!query.is_empty()).then_some(query.as_str()));
        self.entries(kind, url, recall, deadline).await
    }

    /// It lists where it isn't told how much. An answer that comes and goes says nothing: the refusal must be met again, and
    /// a 500, which servers also answer for a while, three times, and only where the list without pages is all there is.
    async fn without_paging(
        &self,
        start: &Start,
        whole: Page<Entry>,
        paged: &str,
        what: What<'_>,
        deadline: Instant,
    ) -> Result<Page<Entry>, Error> {
        let more = whole.total.is_some_and(|total| total > whole.shown);
        if let Some(shorter) = u32::try_from(whole.shown).ok().filter(|shown| more && *shown > 0)
            && let Ok(page) = self.asked(what, Some(&start.query(shorter)), deadline).await
        {
            // It pages, only not in so large steps.
            self.experience.shortens_pages(shorter);
            return Ok(page);
        }
        let all = whole.is_hollow() || whole.total.is_some() && !more;
        for met in 1..=AGAIN_500 {
            let error = match self.asked(what, Some(paged), deadline).await {
                Err(error) if refuses_list(&error) => error,
                answer => return answer,
            };
            let breaks = error.status() == Some(500);
            if !all && (breaks || !start.is_first()) {
                return Err(error);
            }
            if !breaks || met == AGAIN_500 {
                break;
            }
        }
        self.experience.lists_whole();
        Ok(whole)
    }

    /// It may want to be asked for somebody: nobody is found, and that is an answer. One that says `tooMany` wants a filter,
    /// whatever it makes of this one.
    async fn may_need_filter(&self, kind: Kind, errors: &mut [Error], deadline: Instant) {
        let told = errors.iter().any(Error::wants_filter);
        if !told && errors.iter().all(|error| error.class() != Class::Rejected) {
            return;
        }
        let needed = match self.nobody(kind, deadline).await {
            Ok(page) if page.shown == 0 && !page.is_hollow() => true,
            Ok(_) => {
                for error in errors.iter_mut() {
                    error.nobody_is_found("a search shows others than were asked for, so that nobody can be found");
                }
                told
            }
            // Nobody is found, as some servers answer that.
            Err(search) if told && search.class() == Class::NotFound => true,
            Err(search) => {
                for error in errors.iter_mut() {
                    error.fails_beside(&search);
                }
                told && refuses_list(&search)
            }
        };
        match kind {
            Kind::Users if needed => self.experience.needs_filter(),
            Kind::Groups if needed => self.experience.groups_need_filter(),
            _ => {}
        }
    }

    /// Somebody is looked for whom nobody can be; without `startIndex` and `count` where they are refused, which is met again
    /// before lists are asked for so, too.
    async fn nobody(&self, kind: Kind, deadline: Instant) -> Result<Page<Entry>, Error> {
        let attribute = match kind {
            Kind::Users => "userName",
            Kind::Groups => "displayName",
        };
        let nobody = format!("nobody-{:016x}@example.invalid", rand::rng().random::<u64>());
        let filter: String = byte_serialize(filter::eq(attribute, &nobody).as_bytes()).collect();
        // Form encoding writes a space as `+`, which not every server reads as one.
        let filter = format!("filter={}", filter.replace('+', "%20"));
        let (what, start) = ((kind, filter.as_str(), None), Start::Index(1));
        let paged = (!self.experience.no_paging()).then(|| start.query(1));
        let answer = self.asked(what, paged.as_deref(), deadline).await;
        let Some(paged) = paged.filter(|_| answer.as_ref().is_err_and(refuses_list)) else { return answer };
        match self.asked(what, None, deadline).await {
            Ok(page) => self.without_paging(&start, page, &paged, what, deadline).await,
            Err(_) => answer,
        }
    }

    /// It says in SCIM's own words that it lists nobody without a filter: that is SCIM, whatever becomes of a filter.
    async fn says_too_many(&self, deadline: Instant) -> bool {
        let answer = self.asked((Kind::Users, "", None), None, deadline).await;
        answer.is_err_and(|error| error.wants_filter())
    }
}

/// What an entry shows, where nothing is recalled.
fn read(entry: Entry) -> Resource {
    match entry {
        Entry::Read(resource, _) => resource,
        Entry::Same(_) => Resource::default(),
    }
}

/// A refusal that may be about how the list was asked for.
fn refuses_list(error: &Error) -> bool {
    let of_its_form = matches!(error.class(), Class::Rejected | Class::Unsupported) || error.status() == Some(500);
    of_its_form || error.scim_type() == Some(ScimType::TooMany)
}
