//! What answers show, and what is told of an exchange.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::super::answer::{Answer, Body};
use super::super::error::{Class, Error};
use super::super::resource::Resource;
use super::super::words;

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Page<R = Resource> {
    /// The resources on it.
    pub resources: Vec<R>,
    /// All entries on it.
    pub shown: u64,
    /// Entries without a usable id: somebody is there, and it can't be told who.
    pub unreadable: u64,
    /// `totalResults`, which is not always true.
    pub total: Option<u64>,
    /// `nextCursor`, RFC 9865.
    pub next_cursor: Option<String>,
}

impl<R> Default for Page<R> {
    fn default() -> Self {
        Self { resources: Vec::new(), shown: 0, unreadable: 0, total: None, next_cursor: None }
    }
}

impl Page {
    pub(super) fn new(entries: &[Value], total: Option<u64>, next_cursor: Option<String>) -> Self {
        let resources: Vec<Resource> = entries.iter().filter_map(Value::as_object).cloned().map(Resource).collect();
        let readable = resources.iter().filter(|resource| resource.id().is_some()).count();
        let unreadable = (entries.len() - readable) as u64;
        Self { resources, shown: entries.len() as u64, unreadable, total, next_cursor }
    }
}

impl<R> Page<R> {
    /// The same page with something else of each resource.
    pub fn map<T>(self, each: impl FnMut(R) -> T) -> Page<T> {
        let Self { resources, shown, unreadable, total, next_cursor } = self;
        let resources = resources.into_iter().map(each).collect();
        Page { resources, shown, unreadable, total, next_cursor }
    }

    /// It counts resources and shows none of them, as servers do whose key may not view them.
    pub fn is_hollow(&self) -> bool {
        self.shown == 0 && self.total.is_some_and(|total| total > 0)
    }
}

/// What a search found, and what it proves.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The resources that have the value asked for.
    pub hits: Vec<Resource>,
    /// Those that have it in other letters.
    pub alike: Vec<Resource>,
    /// Nobody else has it: the filter was heeded, and all that it lets through was shown (promise I11).
    pub all: bool,
}

/// A write that took effect.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// The resource as the answer shows it, where it does.
    pub resource: Option<Resource>,
    /// The server's id of the request.
    pub request_id: Option<String>,
    /// How long the server asks to wait before the next request.
    pub pause: Option<Duration>,
    /// 201: it says that this made the resource.
    pub created: bool,
    /// When it answered, by the server's own clock.
    pub date: Option<Timestamp>,
}

/// A request that ended, for whoever looks on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange<'a> {
    /// Its method.
    pub method: &'a str,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// Its class, where it was answered and not by a 2xx.
    pub class: Option<Class>,
    /// How long it took.
    pub took: Duration,
    /// How long the server asks to be left alone, which it may with any answer.
    pub pause: Option<Duration>,
}

impl Answer {
    /// It refuses what is read-only, instead of ignoring it.
    pub(super) fn refuses_read_only(&self) -> bool {
        matches!(self.status, 400 | 422) && self.judged_reason().is_some_and(|reason| words::says_read_only(&reason))
    }

    /// The body of a change that was taken. Words in place of the resource, as `"OK"`, say nothing of it: it is read. A page
    /// for people is no answer of a SCIM server (promise I21).
    pub(in super::super) fn of_change<T: DeserializeOwned + Into<Value>>(&self) -> Result<Body, Error> {
        let is_page = || {
            let html =
                self.header(CONTENT_TYPE.as_str()).is_some_and(|kind| kind.to_ascii_lowercase().contains("html"));
            html || self.decoded().trim_ascii_start().starts_with(b"<")
        };
        match self.body_as::<T>() {
            Err(error) if error.class == Class::NotScim && self.refusal().is_none() && !is_page() => Ok(Body::Empty),
            answer => answer,
        }
    }
}

/// What the server alone writes.
const READ_ONLY: [&str; 3] = ["id", "groups", "meta"];

/// Takes out what nobody may write, and servers are to ignore (RFC 7644 §3.5.1); false where there is nothing of it.
pub(super) fn without_read_only(body: &mut Value) -> bool {
    let Some(body) = body.as_object_mut() else { return false };
    let before = body.len();
    body.retain(|name, _| !READ_ONLY.iter().any(|own| name.eq_ignore_ascii_case(own)));
    body.len() < before
}
