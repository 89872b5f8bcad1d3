//! One exchange: a request as it goes out, and what comes of it.

use std::pin::pin;
use std::sync::Arc;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, IF_MATCH};
use reqwest::{Method, RequestBuilder};
use secrecy::SecretString;
use serde_json::Value;
use tokio::time::{Instant, sleep_until};
use tracing::debug;
use url::Url;

use super::super::answer::Answer;
use super::super::auth::SHORTEST_KEY;
use super::super::echo::values_sent;
use super::super::error::{Class, Error};
use super::super::proxy::naming;
use super::super::resource::Resource;
use super::super::transport::transport;
use super::{Client, Exchange, Kind};

/// An error names itself so early.
const SEARCHED: usize = 4096;

/// No answer may be larger, after decompression.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

impl Client {
    /// Sends once. What is refused on account of its content type is sent once more in the other, and that one is
    /// remembered where it helped: the same, however many requests are on their way.
    pub(in super::super) async fn send(
        &self,
        method: Method,
        kind: Kind,
        url: Url,
        body: Option<&Value>,
        if_match: Option<&str>,
        deadline: Instant,
    ) -> Result<Answer, Error> {
        let what = what(&method, kind, &url, &self.base);
        let written = body.and_then(|body| self.ids.written(kind, body));
        let body = written.as_ref().or(body);
        let (deletes, empty) = (method == Method::DELETE, Value::Object(serde_json::Map::new()));
        let body = body.or((deletes && self.experience.deletes_with_body()).then_some(&empty));
        let exchange =
            async |plain, body| self.exchange(&method, &what, url.clone(), body, plain, if_match, deadline).await;
        let knows = self.sends_plain_json();
        // A deletion's body says nothing, and nothing is learnt of its type.
        let told = body.filter(|_| !deletes);
        let trial = !knows && told.is_some() && self.experience.takes_trial();
        let mut plain = knows || trial || (deletes && body.is_some());
        let mut answer = exchange(plain, body).await.inspect_err(|_| {
            if trial {
                self.experience.trial_failed(false);
            }
        })?;
        // There are servers that want a body, and a type of it, of whatever isn't a GET.
        if deletes && body.is_none() && answer.status == 415 {
            let other = exchange(true, Some(&empty)).await?;
            if matches!(other.status, 200..300 | 404 | 410) {
                self.experience.wants_body_to_delete();
                answer = other;
            }
        }
        match told.filter(|_| trial) {
            Some(_) if Misread::Mute.helped(&answer) => self.experience.sends_plain_json(true),
            Some(body) => self.experience.trial_failed(answer.misses_what(body)),
            None => {}
        }
        if told.is_some() && !plain && (200..300).contains(&answer.status) {
            self.experience.reads_scim_json();
        }
        match misread(&answer, told, plain).filter(|_| !deletes || body.is_none()) {
            Some(Misread::Mute) if !self.experience.may_be_unread() => {}
            // It may have taken effect all the same: whoever sent it looks first, and sends it again.
            Some(_) if answer.status == 500 && method == Method::POST => self.experience.try_plain_json(),
            Some(by) => {
                let other = exchange(!plain, body).await?;
                let helped = by.helped(&other);
                if helped {
                    plain = !plain;
                    self.experience.sends_plain_json(plain);
                }
                match by {
                    Misread::Mute if !helped => self.experience.trial_spent(false),
                    _ => answer = other,
                }
            }
            None => {}
        }
        // A token may end before its time; the one that was refused isn't used again.
        if answer.status == 401 && self.tokens.is_some() {
            answer = exchange(plain, body).await?;
        }
        answer.ids = Some((self.ids.clone(), kind));
        Ok(answer)
    }

    /// What no answer may show: the token that was asked for is one of it.
    fn secrets_with(&self, token: Option<&HeaderValue>) -> Arc<[SecretString]> {
        let token = token.and_then(|header| header.to_str().ok()?.strip_prefix("Bearer "));
        match token.filter(|token| token.len() >= SHORTEST_KEY) {
            Some(token) => self.secrets.iter().cloned().chain([SecretString::from(token)]).collect(),
            None => Arc::clone(&self.secrets),
        }
    }

    #[allow(clippy::too_many_arguments, reason = "one request, as it goes out")]
    async fn exchange(
        &self,
        method: &Method,
        what: &str,
        url: Url,
        body: Option<&Value>,
        plain: bool,
        if_match: Option<&str>,
        deadline: Instant,
    ) -> Result<Answer, Error> {
        let began = Instant::now();
        let until = deadline.min(began + self.timeout);
        if until <= began {
            return Err(Error::new(Class::Timeout, what, "there was no time left to send it"));
        }
        let accepted = if plain { "application/json" } else { "application/scim+json, application/json" };
        let mut request = self.http.request(method.clone(), url.clone()).header(ACCEPT, accepted);
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, if plain { "application/json" } else { "application/scim+json" });
            request = request.body(body.to_string());
        }
        if let Some(version) = if_match {
            request = request.header(IF_MATCH, version);
        }
        let token = match &self.tokens {
            Some(tokens) => Some(tokens.header(until).await?),
            None => None,
        };
        if let Some(token) = &token {
            request = request.header(AUTHORIZATION, token.clone());
        }
        let secrets = self.secrets_with(token.as_ref());
        let answer = self.in_time(until, began + self.timeout, receive(request, what, &secrets)).await;
        let asked = |answer: Answer| {
            let sent = if answer.status < 300 { Vec::new() } else { values_sent(&url, body) };
            Answer { creates: *method == Method::POST, conditional: if_match.is_some(), sent, ..answer }
        };
        let answer = answer.map(|answer| answer.map(asked));
        if let Some(observer) = &self.observer {
            let answer = answer.as_ref().and_then(|answer| answer.as_ref().ok());
            observer(Exchange {
                method: method.as_str(),
                status: answer.map(|answer| answer.status),
                class: answer.and_then(Answer::refusal),
                took: began.elapsed(),
                pause: answer.and_then(Answer::wait),
            });
        }
        let answer = answer.unwrap_or_else(|| Err(Error::new(Class::Timeout, what, "no answer in time")));
        let answer = answer.map_err(|error| naming(self.by_proxy.as_deref(), error))?;
        if let (401, Some(tokens), Some(token)) = (answer.status, &self.tokens, &token) {
            tokens.refused(token).await;
        }
        debug!(
            request = what,
            status = answer.status,
            request_id = answer.request_id().as_deref().unwrap_or("-"),
            elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            "answered"
        );
        Ok(answer)
    }

    /// The answer, unless `deadline` passes first and no newer one has come by then; never after `latest`.
    async fn in_time<T>(&self, mut deadline: Instant, latest: Instant, answer: impl Future<Output = T>) -> Option<T> {
        let mut answer = pin!(answer);
        loop {
            tokio::select! {
                biased;
                answer = &mut answer => return Some(answer),
                () = sleep_until(deadline) => {
                    let newest = self.newest_deadline.as_ref().and_then(|newest| *newest.borrow());
                    deadline = newest.map(|newest| newest.min(latest)).filter(|newest| *newest > deadline)?;
                }
            }
        }
    }
}

/// How a server shows that it can't read a content type.
#[derive(Clone, Copy)]
enum Misread {
    /// It says so: 415, or 406 to `Accept`.
    Told,
    /// It says that something is missing which was sent: it never read the body.
    Unread,
    /// It says nothing at all, as where its own code fails on a body that it never read.
    Mute,
}

impl Misread {
    fn helped(self, answer: &Answer) -> bool {
        match self {
            Self::Told => !matches!(answer.status, 406 | 415),
            Self::Unread | Self::Mute => matches!(answer.status, 200..300 | 409),
        }
    }
}

/// Whether an answer is about the content type of the request.
fn misread(answer: &Answer, body: Option<&Value>, plain: bool) -> Option<Misread> {
    match (answer.status, body) {
        (406, _) | (415, Some(_)) => Some(Misread::Told),
        (400 | 422 | 500, Some(body)) if !plain && answer.misses_what(body) => Some(Misread::Unread),
        (400 | 422 | 500, Some(_)) if !plain && answer.is_mute() => Some(Misread::Mute),
        _ => None,
    }
}

/// Method and path; neither host nor the values of a query.
fn what(method: &Method, kind: Kind, url: &Url, base: &Url) -> String {
    let path = url.path().strip_prefix(base.path().trim_end_matches('/')).unwrap_or(kind.path());
    let filtered = if url.query().is_some_and(|query| query.contains("filter=")) { "?filter=…" } else { "" };
    format!("{method} {path}{filtered}")
}

/// The status, which some tell of an error in its body alone (RFC 7644 §3.12).
fn told_status(status: u16, body: &[u8]) -> u16 {
    const ERROR: &[u8] = b"urn:ietf:params:scim:api:messages:2.0:Error";
    let names_error =
        (200..300).contains(&status) && body.windows(ERROR.len()).take(SEARCHED).any(|some| some == ERROR);
    let told = || {
        let error = Resource(serde_json::from_slice::<Value>(body).ok()?.as_object()?.clone());
        let is_error =
            error.get("schemas")?.as_array()?.iter().any(|urn| urn.as_str().map(str::as_bytes) == Some(ERROR));
        let told = error.get("status").filter(|_| is_error)?;
        told.as_u64().or_else(|| told.as_str()?.parse().ok()).and_then(|told| u16::try_from(told).ok())
    };
    names_error.then(told).flatten().filter(|told| (400..600).contains(told)).unwrap_or(status)
}

async fn receive(request: RequestBuilder, what: &str, secrets: &Arc<[SecretString]>) -> Result<Answer, Error> {
    let mut response = request.send().await.map_err(|error| transport(what, &error))?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| transport(what, &error))? {
        if body.len() + chunk.len() > BODY_LIMIT {
            let error = Error::new(Class::NotScim, what, "the answer is larger than 16 MiB");
            return Err(Error { too_large: (200..300).contains(&status), ..error });
        }
        body.extend_from_slice(&chunk);
    }
    let (what, status) = (what.to_owned(), told_status(status, &body));
    Ok(Answer {
        what,
        status,
        headers,
        body,
        secrets: Arc::clone(secrets),
        ids: None,
        creates: false,
        conditional: false,
        sent: Vec::new(),
    })
}
