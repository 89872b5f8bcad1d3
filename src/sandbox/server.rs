//! One request: faults, limits, credentials, then SCIM or administration.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State as Shared};
use axum::http::{Method, Response, header};
use serde_json::{Value, json};

use super::admin;
use super::asked::{Asked, authorized};
use super::error::{Fail, Outcome};
use super::faults::Fault;
use super::net::Scissors;
use super::quirks;
use super::reply::{Reply, cut_short, huge, slowly};
use super::scim;
use super::state::{State, lock};

const LARGEST_BODY: usize = 16 << 20;

/// Counts a request as long as it lasts.
struct InFlight(Arc<State>);

impl InFlight {
    fn begin(state: &Arc<State>) -> Self {
        let mut counters = lock(&state.stats);
        counters.in_flight += 1;
        counters.peak_in_flight = counters.peak_in_flight.max(counters.in_flight);
        drop(counters);
        Self(Arc::clone(state))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        lock(&self.0.stats).in_flight -= 1;
    }
}

/// Answers every request there is.
pub(super) async fn handle(
    Shared(state): Shared<Arc<State>>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    request: Request,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let query = head.uri.query().unwrap_or_default().to_owned();
    let Ok(body) = axum::body::to_bytes(body, LARGEST_BODY).await else {
        return send(Reply::refused(&Fail::new(413, "too large"), &state.dialect), &state);
    };
    if let Some(path) = path.strip_prefix("/_sandbox") {
        let reply = admin::answer(&state, &head.method, path, &query, &head.headers, &body);
        let bytes = reply.bytes();
        return reply.http("application/json", Body::from(bytes));
    }
    let _in_flight = InFlight::begin(&state);
    let Some(path) = path.strip_prefix(state.dialect.base) else {
        return send(Reply::refused(&Fail::new(404, "no such path"), &state.dialect), &state);
    };
    let path = percent_decode(path);
    let decoded = percent_decode(&query);
    let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let verdict =
        lock(&state.faults).judge(head.method.as_str(), &path, &decoded, content_type, &String::from_utf8_lossy(&body));
    let wait = state.latency + Duration::from_millis(verdict.latency_ms);
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    let asked = Asked { method: head.method, path: &path, query: &query, headers: &head.headers, body: &body };
    faulty(&state, &scissors, &asked, verdict.fault).await
}

fn percent_decode(text: &str) -> String {
    // These stay what they are: only the list parser reads forms.
    let text = text.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    let decoded = url::form_urlencoded::parse(text.as_bytes()).next();
    decoded.map_or_else(String::new, |(whole, _)| whole.into_owned())
}

async fn faulty(state: &State, scissors: &Scissors, asked: &Asked<'_>, fault: Option<Fault>) -> Response<Body> {
    let count = |what: &str| {
        lock(&state.stats).answered(asked.method.as_str(), asked.collection(), what);
    };
    let counted = |reply: Reply| {
        count(&reply.status.to_string());
        reply
    };
    let instead = |code: u16, body: Value| send(counted(Reply::new(code, body)), state);
    let normal = || answer(state, asked, fault.as_ref());
    match &fault {
        Some(Fault::Status { code, retry_after, body, effect }) => {
            if *effect {
                normal();
            }
            let mut reply = Reply::refused(&Fail::new(*code, "injected"), &state.dialect);
            reply.body = body.clone().or(reply.body);
            send(counted(with_retry(reply, retry_after.as_ref(), state)), state)
        }
        Some(Fault::ResetBefore {}) => {
            count("reset_before");
            scissors.cut();
            Response::default()
        }
        Some(Fault::ResetAfter {}) => {
            normal();
            count("reset_after");
            scissors.cut();
            Response::default()
        }
        Some(Fault::Hang { ms }) => {
            count("hang");
            tokio::time::sleep(Duration::from_millis(*ms)).await;
            scissors.cut();
            Response::default()
        }
        Some(Fault::Html200 {}) => {
            count("html_200");
            let page = "<!DOCTYPE html><html><body><form>Sign in</form></body></html>";
            Reply::new(200, json!({})).http("text/html", Body::from(page))
        }
        Some(Fault::EmptyObject200 {}) => instead(200, json!({})),
        Some(Fault::SlowBody { ms }) => {
            let reply = counted(normal());
            let body = slowly(&reply.bytes(), Duration::from_millis(*ms));
            reply.http(kind(state), body)
        }
        Some(Fault::TruncatedBody {}) => {
            let reply = counted(normal());
            let bytes = reply.bytes();
            let reply = reply.with("content-length", bytes.len().to_string());
            reply.http(kind(state), cut_short(&bytes))
        }
        Some(Fault::HugeBody { bytes }) => counted(normal()).http(kind(state), huge(*bytes)),
        _ => send(counted(normal()), state),
    }
}

fn kind(state: &State) -> &'static str {
    if state.dialect.scim_json { "application/scim+json" } else { "application/json" }
}

fn send(mut reply: Reply, state: &State) -> Response<Body> {
    let shape = quirks::shape(&lock(&state.quirks), &mut reply);
    if let Some(text) = shape.text {
        return reply.http("text/plain; charset=utf-8", Body::from(text));
    }
    let bytes = reply.bytes();
    let mark: &[u8] = if shape.bom && !bytes.is_empty() { b"\xef\xbb\xbf" } else { b"" };
    reply.http(kind(state), Body::from([mark, &bytes].concat()))
}

fn with_retry(reply: Reply, after: Option<&Value>, state: &State) -> Reply {
    let Some(after) = after else { return reply };
    let after = match after {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if state.dialect.x_rate_limit {
        reply.with("x-ratelimit-reset", after).with("x-ratelimit-remaining", "0")
    } else {
        reply.with("retry-after", after)
    }
}

/// Limits and credentials, then SCIM.
fn answer(state: &State, asked: &Asked<'_>, fault: Option<&Fault>) -> Reply {
    let refuse = |fail: Fail| Reply::refused(&fail, &state.dialect);
    let mut limits = Vec::new();
    let ahead = lock(&state.store).ahead;
    {
        let mut control = lock(&state.control);
        if let Some(down) = &control.unavailable {
            let reply = refuse(Fail::new(down.status, "unavailable"));
            return with_retry(reply, down.retry_after.as_ref(), state);
        }
        if let Some(bucket) = &mut control.rate
            && !(bucket.rate.writes_only && asked.method == Method::GET)
        {
            let passes = bucket.take(ahead);
            if state.dialect.x_rate_limit {
                limits = vec![
                    ("x-ratelimit-limit", bucket.rate.per_second.to_string()),
                    ("x-ratelimit-period", "1".to_owned()),
                    ("x-ratelimit-remaining", bucket.left()),
                    ("x-ratelimit-reset", "1".to_owned()),
                    ("x-ratelimit-name", "sandbox".to_owned()),
                ];
            }
            if !passes {
                let mut reply = refuse(quirks::rate_limit(&lock(&state.quirks)));
                reply.headers.extend(limits);
                return with_retry(reply, bucket.rate.retry_after.as_ref(), state);
            }
        }
        if !authorized(asked.headers, &control.token) {
            return refuse(Fail::new(401, "Unauthorized")).with("www-authenticate", "Bearer");
        }
    }
    if state.dialect.user_agent && !asked.headers.contains_key(header::USER_AGENT) {
        return refuse(Fail::new(403, "a User-Agent is required"));
    }
    let mut reply = served(state, asked, fault).unwrap_or_else(refuse);
    reply.headers.extend(limits);
    reply
}

/// SCIM, with the quirks that are on.
fn served(state: &State, asked: &Asked<'_>, fault: Option<&Fault>) -> Outcome<Reply> {
    let quirks = lock(&state.quirks).clone();
    if let Some(fail) = quirks::refuse(&quirks, asked, &lock(&state.store)) {
        return Err(fail);
    }
    if let Some(reply) = quirks::ignores(&quirks, asked, &lock(&state.store)) {
        return Ok(reply);
    }
    let body = quirks::rewritten(&quirks, asked, &lock(&state.store)).map(|body| Bytes::from(body.to_string()));
    let query = quirks::heeded(&quirks, asked);
    let upserted = quirks::upserted(&quirks, asked, &lock(&state.store));
    let upserted = upserted.or_else(|| quirks::revived(&quirks, asked, &mut lock(&state.store)));
    let sent = asked.body;
    let asked = Asked {
        method: if upserted.is_some() { Method::GET } else { asked.method.clone() },
        path: upserted.as_deref().unwrap_or(asked.path),
        query: query.as_deref().unwrap_or(asked.query),
        headers: asked.headers,
        body: body.as_ref().unwrap_or(asked.body),
    };
    let before = quirks::seen_before(&quirks, &asked, &lock(&state.store));
    let mut reply = scim::answer(state, &asked, fault.and_then(Fault::page).as_ref())?;
    quirks::comes_of(&quirks, &asked, before, &mut lock(&state.store), &mut reply);
    quirks::says(&quirks, &asked, sent, &lock(&state.store), &mut reply);
    Ok(reply)
}
