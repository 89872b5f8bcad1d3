//! Judges answers: by their shape, within bounds (promise I25).

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use jiff::{Timestamp, fmt::rfc2822};
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::echo;
use super::error::{Class, Error, ScimType, class_of};
use super::ids::Ids;
use super::kind::Kind;
use super::resource::{Resource, is_usable_id};
use super::words;

/// The server's words are cut here.
const DETAIL_LIMIT: usize = 512;
const REQUEST_ID_LIMIT: usize = 128;
/// So much of a body is searched for words about the rate.
const SEARCHED: usize = 64 * 1024;
/// What servers say in a 403 that is about the rate: in lower case, and whatever isn't a letter or a digit is a space.
const TOO_FAST: [&str; 13] = [
    "secondary rate limit",
    "rate limit exceeded",
    "rate limit reached",
    "rate limit hit",
    "rate limited",
    "rate exceeded",
    "ratelimit exceeded",
    "exceeded the rate limit",
    "exceeded your rate limit",
    "api rate limit",
    "too many requests",
    "request was throttled",
    "abuse detection mechanism",
];
/// Headers that say how many requests may still come …
const REMAINING: [&str; 3] = ["x-ratelimit-remaining", "x-rate-limit-remaining", "ratelimit-remaining"];
/// … and when there are more: in seconds, or as an instant.
const RESET: [&str; 3] = ["x-ratelimit-reset", "x-rate-limit-reset", "ratelimit-reset"];
/// No server makes us wait longer.
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);

/// An answer, read whole.
pub(super) struct Answer {
    pub what: String,
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// The key, which some servers repeat in their errors (promise I23).
    pub secrets: Arc<[SecretString]>,
    /// How ids are read, in an answer about resources.
    pub ids: Option<(Ids, Kind)>,
    /// The request was to create something.
    pub creates: bool,
    /// The request said `If-Match`.
    pub conditional: bool,
    /// What the request sent, where it was refused: servers repeat it.
    pub sent: Vec<String>,
}

impl Answer {
    /// The body of a 2xx; everything else is an error with its class.
    pub(super) fn body(&self) -> Result<Body, Error> {
        self.body_as::<Value>()
    }

    /// The same, read in a way of its own.
    pub(super) fn body_as<T: DeserializeOwned + Into<Value>>(&self) -> Result<Body, Error> {
        if let Some(class) = self.refusal() {
            let mut error = self.error(class, None);
            if (300..400).contains(&self.status) {
                error.cause = Some("a redirect, which is never followed with a key".into());
            }
            return Err(error);
        }
        let body = self.decoded();
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Body::Empty);
        }
        match serde_json::from_slice::<T>(&body).map(Into::into) {
            Ok(Value::Object(map)) if map.is_empty() => Ok(Body::EmptyObject),
            Ok(Value::Object(mut map)) => {
                if let Some((ids, kind)) = &self.ids {
                    ids.read(*kind, &mut map);
                }
                Ok(Body::Object(map))
            }
            Ok(_) => Err(self.error(Class::NotScim, Some("but the body is no JSON object"))),
            // Cut off on the way, or of another kind altogether.
            Err(error) if error.is_eof() => Err(self.error(Class::Timeout, Some("but the body breaks off"))),
            Err(_) => Err(self.error(Class::NotScim, Some("but the body isn't JSON"))),
        }
    }

    /// The class of an answer that isn't 2xx: a 403 that asks for fewer requests is what a 429 is.
    pub(super) fn refusal(&self) -> Option<Class> {
        match self.status {
            200..300 => None,
            403 if self.limits_the_rate() => Some(Class::Throttled),
            // To wait doesn't help where every seat is taken, and nobody else is to wait for it.
            429 if self.creates && !self.says_when() && self.words().is_some_and(|words| words::wants_seat(&words)) => {
                Some(Class::Forbidden)
            }
            // There are servers that refuse with it whatever they don't like.
            412 if !self.conditional => Some(Class::Rejected),
            status => Some(class_of(status)),
        }
    }

    /// It says by a header, or in words, that there were too many requests.
    fn limits_the_rate(&self) -> bool {
        if self.headers.contains_key(RETRY_AFTER) || self.nothing_remains() {
            return true;
        }
        // One spelling for `rate-limited`, `rate_limit_exceeded` and `Rate limit exceeded`.
        let plain = |byte: &u8| if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b' ' };
        let text = String::from_utf8_lossy(&self.body[..self.body.len().min(SEARCHED)]);
        let text: Vec<u8> = echo::without(&text, &self.sent).bytes().map(|byte| plain(&byte)).collect();
        let text = String::from_utf8_lossy(&text);
        TOO_FAST.iter().any(|words| text.contains(words))
    }

    fn says_when(&self) -> bool {
        self.headers.contains_key(RETRY_AFTER) || self.nothing_remains()
    }

    fn nothing_remains(&self) -> bool {
        REMAINING.iter().any(|name| self.header(name) == Some("0"))
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
    }

    pub(super) fn error(&self, class: Class, cause: Option<&str>) -> Error {
        Error {
            class,
            what: self.what.as_str().into(),
            status: Some(self.status),
            cause: cause.map(Into::into),
            detail: self.detail(),
            words: self.words().map(Into::into),
            scim_type: self.scim_type(),
            lacks_permission: self.lacks_permission(),
            scim: self.is_scim(),
            retry_after: self.wait(),
            request_id: self.request_id().map(Into::into),
            unresolvable: false,
            too_large: false,
        }
    }

    /// Why it was refused, in the server's words: from JSON, or from one line of plain text; never HTML.
    fn detail(&self) -> Option<String> {
        let text = self.shown(&self.reason()?, DETAIL_LIMIT);
        (!text.is_empty()).then_some(text)
    }

    /// The same without what it repeats of the request, in small letters.
    fn words(&self) -> Option<String> {
        self.detail().map(|detail| echo::without(&detail, &self.sent))
    }

    /// The whole of it, as it came.
    fn reason(&self) -> Option<String> {
        words::reason(&self.decoded(), self.header(CONTENT_TYPE.as_str()))
    }

    /// The same to be judged: without what it repeats of the request, in small letters.
    pub(super) fn judged_reason(&self) -> Option<String> {
        self.reason().map(|reason| echo::without(&reason, &self.sent))
    }

    /// The body in UTF-8.
    pub(super) fn decoded(&self) -> Cow<'_, [u8]> {
        words::decoded(&self.body, self.header(CONTENT_TYPE.as_str()))
    }

    /// It says that an attribute is missing which stands in the body of the request.
    pub(super) fn misses_what(&self, sent: &Value) -> bool {
        let Some(reason) = self.judged_reason() else { return false };
        let sent = sent.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
        words::says_missing(&reason, sent.map(|(name, _)| name.as_str()))
    }

    /// It says nothing beyond its status.
    pub(super) fn is_mute(&self) -> bool {
        const PHRASES: [&str; 3] = ["internal server error", "bad request", "unprocessable entity"];
        self.reason().is_none_or(|reason| PHRASES.contains(&&*reason.trim_end_matches('.').to_lowercase()))
    }

    /// It has `schemas`, as errors (RFC 7644 §3.12) and everything else of SCIM.
    fn is_scim(&self) -> bool {
        let body = serde_json::from_slice::<Value>(&self.decoded()).ok();
        body.and_then(|body| Some(Resource(body.as_object()?.clone()).get("schemas").is_some())).unwrap_or_default()
    }

    /// The token is good and doesn't suffice, RFC 6750 §3.1.
    fn lacks_permission(&self) -> bool {
        self.header(WWW_AUTHENTICATE.as_str()).is_some_and(|challenge| challenge.contains("insufficient_scope"))
    }

    /// The kind of error, RFC 7644 §3.12.
    fn scim_type(&self) -> Option<ScimType> {
        let Ok(Value::Object(map)) = serde_json::from_slice(&self.decoded()) else { return None };
        ScimType::read(Resource(map).get("scimType")?.as_str()?)
    }

    /// The last part of `Location`, which may be relative (RFC 9110 §10.2.2): the id of what was made. It is never followed.
    pub(super) fn location_id(&self) -> Option<String> {
        let path = self.header(LOCATION.as_str())?.split(['?', '#']).next()?.trim_end_matches('/');
        let id = percent_encoding::percent_decode_str(path.rsplit('/').next()?).decode_utf8().ok()?;
        is_usable_id(&id).then(|| id.into_owned())
    }

    /// The server's id of the request, under the names that are in use.
    pub(super) fn request_id(&self) -> Option<String> {
        [
            "x-request-id",
            "x-amzn-requestid",
            "x-github-request-id",
            "x-okta-request-id",
            "x-correlation-id",
            "request-id",
        ]
        .iter()
        .find_map(|name| self.headers.get(*name)?.to_str().ok())
        .map(|id| self.shown(id, REQUEST_ID_LIMIT))
    }

    /// `Date`, RFC 9110 §6.6.1.
    pub(super) fn date(&self) -> Option<Timestamp> {
        Some(rfc2822::parse(self.headers.get(DATE)?.to_str().ok()?.trim()).ok()?.timestamp())
    }

    /// A server's text as people may see it, in one line. What hides a key from the eye doesn't hide it from the search.
    pub(super) fn shown(&self, text: &str, limit: usize) -> String {
        let bare: String = text.chars().filter(|c| !c.is_control() && !is_invisible(*c)).collect();
        let hidden = self.secrets.iter().fold(bare.clone(), |text, secret| text.replace(secret.expose_secret(), "…"));
        if hidden != bare {
            return hidden.chars().take(limit).collect();
        }
        let visible = |c: &char| c.is_whitespace() || !c.is_control() && !is_invisible(*c);
        let text: String = text.chars().filter(visible).collect();
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        line.chars().take(limit).collect()
    }

    /// `Retry-After` (RFC 9110 §10.2.3: seconds or a date), else `X-RateLimit-Reset` where nothing remains.
    pub(super) fn wait(&self) -> Option<Duration> {
        let told = self.header(RETRY_AFTER.as_str()).and_then(|value| {
            value.parse::<u64>().ok().map(Duration::from_secs).or_else(|| {
                let date = rfc2822::parse(value).ok()?.timestamp();
                Duration::try_from(date.duration_since(Timestamp::now())).ok()
            })
        });
        let spent = self.status == 429 || self.nothing_remains();
        let reset = || RESET.iter().find_map(|name| self.header(name)?.parse().ok()).map(until_reset);
        told.or_else(|| spent.then(reset).flatten()).map(|wait| wait.min(LONGEST_WAIT))
    }
}

/// Letters that show nothing, or turn what others show.
pub fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Most say in how many seconds; a number that large is an instant, as GitHub has it.
fn until_reset(reset: u64) -> Duration {
    const NO_WAIT_THIS_LONG: u64 = 1_000_000_000;
    let seconds = if reset < NO_WAIT_THIS_LONG {
        reset
    } else {
        reset.saturating_sub(u64::try_from(Timestamp::now().as_second()).unwrap_or_default())
    };
    Duration::from_secs(seconds)
}

/// What a 2xx carried.
pub(super) enum Body {
    /// Nothing.
    Empty,
    /// `{}`.
    EmptyObject,
    /// A JSON object.
    Object(serde_json::Map<String, Value>),
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
