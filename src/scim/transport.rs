//! What a request came to that got no answer.

use super::error::{Class, Error};
use super::tls::refused_certificate;

/// The class of a transport error; the causes are walked because reqwest's own text hides them.
pub(super) fn transport(what: &str, error: &reqwest::Error) -> Error {
    let mut causes = Vec::new();
    let mut next: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    let text = causes.join(": ");
    let lower = text.to_lowercase();
    let refused = refused_certificate(&text);
    let class = if error.is_timeout() {
        Class::Timeout
    } else if refused.is_some() {
        Class::Credential
    } else if ["certificate", "tls", "handshake", "ssl"].iter().any(|word| lower.contains(word)) {
        Class::Tls
    } else if error.is_connect() {
        Class::Unreachable
    } else {
        Class::Transient
    };
    let cause = match refused {
        Some(words) => words.to_owned(),
        // What came wasn't a record of TLS at all.
        None if text.contains("InvalidContentType") => "the server doesn't speak TLS at this port".to_owned(),
        None if text.is_empty() => "the connection failed".to_owned(),
        None => text.chars().take(300).collect(),
    };
    let mut found = Error::new(class, what, cause);
    found.unresolvable = lower.contains("dns error") || lower.contains("failed to lookup");
    found
}
