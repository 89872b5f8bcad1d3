//! Who may talk to the console: the browser that was opened by its link, from the console's own pages, and nobody else.
//!
//! A page on the web can have the browser send requests to this machine, and a name of its own can be made to point
//! here. So a request counts only where its `Host` is the console's own address, its `Origin`, if it has one, is the
//! console's, it carries the cookie that the link set, and, where it would change something, the word that only the
//! console's own pages know.

use std::sync::Mutex;

use http::header::{COOKIE, HOST, ORIGIN};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use sha2::{Digest as _, Sha256};

/// What the browser may load and send: what the console serves itself, and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// On every response.
pub const HEADERS: [(HeaderName, HeaderValue); 7] = [
    (http::header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    (http::header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (http::header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    // With no-referrer the browser would leave out the Origin of our own forms.
    (http::header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (http::header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is addressed to another name: what DNS rebinding looks like.
    Host,
    /// It comes from a page of somebody else's.
    Origin,
    /// Its browser was not opened by the link.
    Session,
    /// It would change something, and its form is not one of ours.
    Form,
}

impl Refusal {
    /// The status of its response.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Host => StatusCode::MISDIRECTED_REQUEST,
            Self::Origin | Self::Form => StatusCode::FORBIDDEN,
            Self::Session => StatusCode::UNAUTHORIZED,
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Host => "The console answers at the address that it printed, and at no other name.",
            Self::Origin => "The request comes from a page that is not the console's. Nothing was changed.",
            Self::Session => {
                "This browser was not opened by the console's link, or the link was used before. End the console and run \
                 kubectl scim console again."
            }
            Self::Form => {
                "The form is from another session of the console. Go back, reload the page and try again. Nothing was changed."
            }
        }
    }
}

/// The secrets of one run.
pub struct Gate {
    authority: String,
    cookie: String,
    session: String,
    form: String,
    /// The link's token, until it is used.
    token: Mutex<Option<String>>,
}

impl Gate {
    /// For the console at this port.
    pub fn new(port: u16) -> Self {
        Self {
            authority: format!("127.0.0.1:{port}"),
            // Browsers send a cookie to every port of a host; another console's has another name.
            cookie: format!("scim-console-{port}"),
            session: secret(),
            form: secret(),
            token: Mutex::new(Some(secret())),
        }
    }

    /// The link that opens the console; good once.
    pub fn link(&self) -> String {
        let token = self.token.lock().ok().and_then(|token| token.clone()).unwrap_or_default();
        format!("http://{}/open?token={token}", self.authority)
    }

    /// What forms carry.
    pub fn form_word(&self) -> &str {
        &self.form
    }

    /// The cookie for a browser that shows the link's token; the token is used up by that.
    pub fn open(&self, token: &str) -> Option<String> {
        let mut expected = self.token.lock().ok()?;
        if !same(expected.as_deref()?, token) {
            return None;
        }
        *expected = None;
        Some(format!("{}={}; Path=/; HttpOnly; SameSite=Strict", self.cookie, self.session))
    }

    /// Whether the request is addressed to us, from our own pages. `/open` needs no more than that.
    pub fn addressed(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        if only(headers, &HOST) != Some(&self.authority) {
            return Err(Refusal::Host);
        }
        if headers.contains_key(ORIGIN) && !self.is_own_origin(headers) {
            return Err(Refusal::Origin);
        }
        Ok(())
    }

    /// Whether the request may be answered.
    pub fn admits(&self, method: &Method, headers: &HeaderMap) -> Result<(), Refusal> {
        self.addressed(headers)?;
        if !method.is_safe() && !self.is_own_origin(headers) {
            return Err(Refusal::Origin);
        }
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        if pairs.any(|(name, value)| name == self.cookie && same(&self.session, value)) {
            return Ok(());
        }
        Err(Refusal::Session)
    }

    /// Whether a form is one of this run's.
    pub fn admits_form(&self, word: &str) -> Result<(), Refusal> {
        if same(&self.form, word) { Ok(()) } else { Err(Refusal::Form) }
    }

    fn is_own_origin(&self, headers: &HeaderMap) -> bool {
        only(headers, &ORIGIN).and_then(|origin| origin.strip_prefix("http://")) == Some(&self.authority)
    }
}

/// A header that is there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

fn secret() -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

/// By digests: how long it takes says nothing of the secret.
fn same(secret: &str, given: &str) -> bool {
    Sha256::digest(secret) == Sha256::digest(given)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    fn opened() -> (Gate, String) {
        let gate = Gate::new(4100);
        let token = gate.link().split_once("token=").unwrap().1.to_owned();
        let cookie = gate.open(&token).unwrap();
        let pair = cookie.split(';').next().unwrap().to_owned();
        (gate, pair)
    }

    #[test]
    fn the_link_is_good_once_and_its_cookie_is_for_this_site_alone() {
        let gate = Gate::new(4100);
        let token = gate.link().split_once("token=").unwrap().1.to_owned();
        assert!(gate.open("").is_none() && gate.open("guess").is_none());
        let cookie = gate.open(&token).unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
        assert!(!cookie.contains(&token), "what stands in a history opens nothing");
        assert!(gate.open(&token).is_none() && gate.open("").is_none());
    }

    #[test]
    fn only_the_opened_browser_at_the_consoles_own_address_is_answered() {
        let (gate, cookie) = opened();
        let get = |pairs: &[(&'static str, &str)]| gate.admits(&Method::GET, &headers(pairs));
        let host = ("host", "127.0.0.1:4100");
        assert_eq!(get(&[host, ("cookie", &cookie)]), Ok(()));
        assert_eq!(get(&[host, ("cookie", &format!("other=1; {cookie}"))]), Ok(()));
        assert_eq!(get(&[host]), Err(Refusal::Session));
        let (_, of_another_run) = opened();
        for other in ["scim-console-4100=guess", "scim-console-4100=", &of_another_run] {
            assert_eq!(get(&[host, ("cookie", other)]), Err(Refusal::Session), "{other}");
        }
        for name in ["evil.example.com:4100", "127.0.0.1", "127.0.0.1:4101", "localhost:4100", ""] {
            assert_eq!(get(&[("host", name), ("cookie", &cookie)]), Err(Refusal::Host), "{name}");
        }
        assert_eq!(get(&[("cookie", &cookie)]), Err(Refusal::Host));
        assert_eq!(get(&[host, host, ("cookie", &cookie)]), Err(Refusal::Host), "of two none counts");
        assert_eq!(get(&[host, ("cookie", &cookie), ("origin", "http://evil.example.com")]), Err(Refusal::Origin));
    }

    #[test]
    fn what_changes_something_comes_from_a_form_of_ours() {
        let (gate, cookie) = opened();
        let post = |origin: &[(&'static str, &str)]| {
            let pairs = [&[("host", "127.0.0.1:4100"), ("cookie", &cookie)], origin].concat();
            gate.admits(&Method::POST, &headers(&pairs))
        };
        assert_eq!(post(&[("origin", "http://127.0.0.1:4100")]), Ok(()));
        for origin in ["null", "https://127.0.0.1:4100", "http://127.0.0.1:4101", "http://evil.example.com"] {
            assert_eq!(post(&[("origin", origin)]), Err(Refusal::Origin), "{origin}");
        }
        assert_eq!(post(&[]), Err(Refusal::Origin));
        assert_eq!(gate.admits_form("guess"), Err(Refusal::Form));
        assert_eq!(gate.admits_form(gate.form_word()), Ok(()));
    }

    #[test]
    fn the_policy_lets_nothing_in_from_elsewhere() {
        assert!(POLICY.starts_with("default-src 'none'") && !POLICY.contains("unsafe") && !POLICY.contains('*'));
    }
}
