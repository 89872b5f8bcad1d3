//! Errors have exactly one class each (promise I21), and it is decided here.

use std::fmt;
use std::time::Duration;

/// What an error means for whoever sent the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// 429, or a 403 that says so: fewer requests.
    Throttled,
    /// 408, 425, 5xx: try again.
    Transient,
    /// 401: the key.
    Credential,
    /// 403: the key's permission.
    Forbidden,
    /// 404, 410: the account, or the whole path.
    NotFound,
    /// 409: something is there already.
    Conflict,
    /// 412: it was changed meanwhile.
    Precondition,
    /// 415: the other content type.
    ContentType,
    /// 405, 501: the profile doesn't fit.
    Unsupported,
    /// A redirect, or a 2xx that isn't SCIM.
    NotScim,
    /// Any other 4xx: this very request.
    Rejected,
    /// No connection.
    Unreachable,
    /// No trust.
    Tls,
    /// No answer in time, or none that ended.
    Timeout,
    /// A 2xx to a creation that shows nothing.
    Empty,
}

impl Class {
    /// A change that ended so may have taken effect all the same.
    pub fn may_have_applied(self) -> bool {
        matches!(self, Self::Transient | Self::NotScim | Self::Timeout | Self::Empty)
    }
}

/// The kinds of errors of RFC 7644 §3.12 that something follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScimType {
    /// A filter that the server can't answer.
    InvalidFilter,
    /// More than the server is willing to process or to show.
    TooMany,
    /// A path that means nothing to it.
    InvalidPath,
    /// A path with a filter that nothing fits.
    NoTarget,
}

impl ScimType {
    pub(super) fn read(text: &str) -> Option<Self> {
        let kinds = [
            ("invalidFilter", Self::InvalidFilter),
            ("tooMany", Self::TooMany),
            ("invalidPath", Self::InvalidPath),
            ("noTarget", Self::NoTarget),
        ];
        kinds.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, kind)| kind)
    }
}

const PAYMENT_REQUIRED: u16 = 402;

/// The class of a status that isn't 2xx.
pub(super) fn class_of(status: u16) -> Class {
    match status {
        401 => Class::Credential,
        403 => Class::Forbidden,
        404 | 410 => Class::NotFound,
        405 | 501 => Class::Unsupported,
        409 => Class::Conflict,
        412 => Class::Precondition,
        415 => Class::ContentType,
        429 => Class::Throttled,
        408 | 425 | 500..=599 => Class::Transient,
        400..=499 => Class::Rejected,
        _ => Class::NotScim,
    }
}

/// A request that did not succeed.
#[derive(Clone, Debug)]
pub struct Error {
    pub(super) class: Class,
    /// Method and path, without the query's values.
    pub(super) what: Box<str>,
    pub(super) status: Option<u16>,
    /// What happened, where no status says it.
    pub(super) cause: Option<Box<str>>,
    /// The server's words, as people may see them.
    pub(super) detail: Option<String>,
    /// The same in small letters, without what they repeat of the request.
    pub(super) words: Option<Box<str>>,
    pub(super) scim_type: Option<ScimType>,
    /// It says that the key's permissions don't suffice.
    pub(super) lacks_permission: bool,
    /// It has the form of RFC 7644 §3.12.
    pub(super) scim: bool,
    pub(super) retry_after: Option<Duration>,
    pub(super) request_id: Option<Box<str>>,
    pub(super) unresolvable: bool,
    /// A 2xx whose body was too large to be taken in.
    pub(super) too_large: bool,
}

impl Error {
    pub(super) fn new(class: Class, what: &str, cause: impl Into<String>) -> Self {
        Self {
            class,
            what: what.into(),
            status: None,
            cause: Some(cause.into().into()),
            detail: None,
            words: None,
            scim_type: None,
            lacks_permission: false,
            scim: false,
            retry_after: None,
            request_id: None,
            unresolvable: false,
            too_large: false,
        }
    }

    /// An error of this class where no server was asked: the simulation's, and that of a dry run.
    pub(crate) fn simulated(class: Class) -> Self {
        Self::new(class, "the request", "refused")
    }

    /// The same, in SCIM's form.
    #[cfg(test)]
    pub(crate) fn in_scim_form(mut self) -> Self {
        self.scim = true;
        self
    }

    /// The same, of an answer with this status.
    #[cfg(test)]
    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// It succeeded, and the answer was too large to be taken in.
    pub fn is_too_large(&self) -> bool {
        self.too_large
    }

    /// Its class.
    pub fn class(&self) -> Class {
        self.class
    }

    /// The HTTP status, where there was an answer.
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// The kind of error that the server names.
    pub fn scim_type(&self) -> Option<ScimType> {
        self.scim_type
    }

    /// It says that something is missing which is required.
    pub fn says_missing(&self) -> bool {
        super::words::misses_something(self.words())
    }

    /// Whether this word, in small letters, is among the server's.
    pub fn has_word(&self, word: &str) -> bool {
        self.words().split(|letter: char| !letter.is_alphanumeric()).any(|one| one == word)
    }

    /// It says that nothing is listed without a filter: in SCIM's own way, or in words.
    pub fn wants_filter(&self) -> bool {
        let told = self.words().contains("filter");
        self.scim_type == Some(ScimType::TooMany) || (self.class == Class::Rejected && told && self.says_missing())
    }

    /// It says that something isn't to be sent.
    pub fn says_unsupported(&self) -> bool {
        const WORDS: [&str; 6] =
            ["not supported", "unsupported", "not allowed", "not permitted", "read-only", "readonly"];
        WORDS.iter().any(|word| self.words().contains(word))
    }

    /// A 404 that may be about the method, as frameworks answer that have no such route: it isn't SCIM's, and names no resource.
    pub fn may_be_of_a_route(&self) -> bool {
        const ROUTE: [&str; 4] = ["patch", "put", "route", "endpoint"];
        let words = self.words();
        let is_of_route = |word| ROUTE.contains(&word);
        !self.scim && (self.detail.is_none() || words.split(|c: char| !c.is_alphanumeric()).any(is_of_route))
    }

    /// A creation was refused because every seat that was paid for is taken: in words, or by 402.
    pub fn wants_seat(&self) -> bool {
        let refused = matches!(self.class, Class::Forbidden | Class::Conflict | Class::Rejected);
        refused && (self.status == Some(PAYMENT_REQUIRED) || super::words::wants_seat(self.words()))
    }

    /// A search failed, too, so that nothing is left to find anybody by.
    pub(super) fn fails_beside(&mut self, search: &Self) {
        self.nobody_is_found(&format!(
            "a search failed, too, so that nobody can be found: {}",
            search.without_advice()
        ));
    }

    /// What became of a search, too.
    pub(super) fn nobody_is_found(&mut self, why: &str) {
        let words = self.detail.as_deref().map(|words| format!("{words}; ")).unwrap_or_default();
        self.detail = Some(format!("{words}and {why}").chars().take(512).collect());
    }

    /// It was refused for being too much at once.
    pub fn is_too_many(&self) -> bool {
        self.status == Some(413) || self.scim_type == Some(ScimType::TooMany)
    }

    /// It was answered in SCIM's form: the request reached the SCIM service, and not only what stands before it.
    pub fn is_scim(&self) -> bool {
        self.scim
    }

    /// What it says of why, in small letters: without what it repeats of the request. To be judged, and shown to nobody.
    pub fn words(&self) -> &str {
        self.words.as_deref().unwrap_or_default()
    }

    /// The server's own words: one line, bounded.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// How long the server asks to wait; at most an hour.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The server's id of the request.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// The host's name doesn't resolve.
    pub fn is_unresolvable(&self) -> bool {
        self.unresolvable
    }

    /// What was asked and answered, for whoever knows better what to do about it than its class tells.
    pub fn without_advice(&self) -> String {
        let answer = match (self.status, &self.cause) {
            (Some(status), Some(cause)) => format!("the server answered {status}, {cause}"),
            (Some(status), None) => format!("the server answered {status}"),
            (None, Some(cause)) => cause.to_string(),
            (None, None) => "no answer".to_owned(),
        };
        let detail = self.detail.as_ref().map_or_else(String::new, |detail| format!(" ({detail})"));
        format!("{}: {answer}{detail}", self.what)
    }

    fn advice(&self) -> &'static str {
        match self.class {
            Class::Throttled => "the server asks for fewer requests; lower spec.rateLimits if this lasts",
            Class::Credential => "the server refuses the key; put a valid one into the Secret",
            Class::Forbidden if self.lacks_permission => "the key lacks a permission; grant it at the server",
            // A seat, a domain, a role: the server's words tell, and where there are none nothing is certain.
            Class::Forbidden if self.detail.is_none() => "the server gives no reason; the key may lack a permission",
            Class::NotFound => "check spec.baseUrl if every request meets this",
            Class::NotScim => "check spec.baseUrl: it must be that of the SCIM API, and the directory must be active",
            Class::Unreachable => "check the host, the port and the network policy",
            Class::Tls => {
                "check the server's certificate; spec.tls.caBundle names a CA of your own, spec.tls.serverName another name"
            }
            Class::Unsupported => "the server doesn't know this method",
            _ => "",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.without_advice())?;
        let advice = self.advice();
        if advice.is_empty() { Ok(()) } else { write!(f, "; {advice}") }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i21_every_status_has_exactly_one_class() {
        for status in 100..600 {
            let class = class_of(status);
            let retried = matches!(class, Class::Throttled | Class::Transient);
            assert_eq!(retried, matches!(status, 408 | 425 | 429 | 500 | 502..=599), "{status}");
            assert_eq!(class == Class::NotScim, status < 400, "{status}");
        }
    }
}
