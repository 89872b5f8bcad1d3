//! Answers, before and after they become HTTP.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use futures::StreamExt as _;
use serde_json::{Value, json};

use super::dialect::{Dialect, Errors};
use super::error::Fail;

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Option<Value>,
}

impl Reply {
    /// A status and perhaps a body.
    pub fn new(status: u16, body: impl Into<Option<Value>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    /// With one header more.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// A refusal in the dialect's words.
    pub fn refused(fail: &Fail, dialect: &Dialect) -> Self {
        let mut fail = fail.clone();
        if fail.status == 409 && !dialect.duplicate.1.is_empty() {
            (fail.status, fail.detail) = (dialect.duplicate.0, dialect.duplicate.1.to_owned());
        }
        let mut body = fail.body();
        match dialect.errors {
            Errors::Scim => {}
            Errors::List => body = json!({"errors": [fail.detail]}),
            Errors::Bare => {
                body = json!({"schemas": body["schemas"], "detail": fail.detail});
            }
            Errors::Aws => body["schema"] = body["schemas"].clone(),
        }
        Self::new(fail.status, body)
    }

    /// Its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        self.body.as_ref().and_then(|body| serde_json::to_vec(body).ok()).unwrap_or_default()
    }

    /// HTTP with these bytes for a body.
    pub fn http(self, kind: &'static str, body: Body) -> Response<Body> {
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        if self.body.is_some() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        response
    }
}

/// A body in eight pieces, spread over a time.
pub(super) fn slowly(bytes: &[u8], time: Duration) -> Body {
    let size = bytes.len().div_ceil(8).max(1);
    let pieces: Vec<Bytes> = bytes.chunks(size).map(Bytes::copy_from_slice).collect();
    Body::from_stream(futures::stream::iter(pieces).then(move |piece| async move {
        tokio::time::sleep(time / 8).await;
        Ok::<_, std::io::Error>(piece)
    }))
}

/// Half a body, then the connection breaks.
pub(super) fn cut_short(bytes: &[u8]) -> Body {
    let half = Bytes::copy_from_slice(&bytes[..bytes.len() / 2]);
    let stream = futures::stream::once(async move { Ok(half) }).chain(futures::stream::once(async {
        // The half must leave before the break does.
        tokio::time::sleep(Duration::from_millis(20)).await;
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
    }));
    Body::from_stream(stream)
}

/// Valid JSON of about that size.
pub(super) fn huge(bytes: usize) -> Body {
    const PIECE: &[u8] = &[b'x'; 65536];
    let head = futures::stream::once(async { Bytes::from_static(b"{\"padding\":\"") });
    let pieces = futures::stream::iter((0..bytes.div_ceil(PIECE.len())).map(|_| Bytes::from_static(PIECE)));
    let tail = futures::stream::once(async { Bytes::from_static(b"\"}") });
    Body::from_stream(head.chain(pieces).chain(tail).map(Ok::<_, std::io::Error>))
}
