//! The addresses of the console, and what answers at them.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Form, Path, Query, Request, State as Shared};
use axum::middleware::{self, Next};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use axum::{Router, body::Body};
use futures::{Stream, stream};
use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, SET_COOKIE};
use jiff::Timestamp;
use maud::Markup;
use tokio::sync::oneshot;

use super::filter::Filter;
use super::page;
use super::respond::{Asked, Console, failed, framed, missing, page_with, refused};
use super::rights::Rights;
use super::store::Store;
use super::{State, act, events, gate, groups, history, holds, overview, people, rosters, single};
use crate::cluster::Kind;

/// A form of ours is far smaller; rows to try take the most.
const LARGEST_FORM: usize = 256 << 10;
/// Browsers are told of changes at most this often,
const SETTLED: Duration = Duration::from_secs(1);
/// and at least this often: how long ago something was changes by itself.
const RENEWED: Duration = Duration::from_secs(60);

/// All of them, behind the gate.
pub fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/", get(show_overview))
        .route("/people", get(show_people))
        .route("/people.csv", get(people_csv))
        .route("/people/{namespace}/{name}", get(single::show_person))
        .route("/people/{namespace}/{name}/server", post(single::read_person))
        .route("/holds", get(show_holds))
        .route("/holds/{id}", get(show_hold))
        .route("/groups", get(show_groups))
        .route("/groups/{namespace}/{name}", get(single::show_group))
        .route("/groups/{namespace}/{name}/server", post(single::read_group))
        .route("/rosters", get(show_rosters))
        .route("/rosters/{namespace}/{name}", get(single::show_roster).post(single::try_rows))
        .route("/rosters/{namespace}/{name}/source", post(single::read_rows))
        .route("/events", get(show_events))
        .route("/live", get(live))
        .route("/do", post(carry_out))
        .route("/style.css", get(async || ([(CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("style.css"))))
        .route(
            "/console.js",
            get(async || ([(CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("console.js"))),
        )
        .route("/open", get(open))
        .fallback(nowhere)
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
        .layer(middleware::from_fn_with_state(state.clone(), guard))
        .with_state(state)
}

/// Lets in who may come, and writes the headers of every response.
async fn guard(Shared(state): Console, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let admitted = match request.uri().path() {
        "/open" => state.gate.addressed(headers),
        _ => state.gate.admits(request.method(), headers),
    };
    let mut response = match admitted {
        Ok(()) => next.run(request).await,
        Err(refusal) => refused(refusal),
    };
    response.headers_mut().extend(gate::HEADERS);
    response
}

async fn nowhere(Shared(state): Console) -> Response {
    missing(&state, "/")
}

async fn open(Shared(state): Console, Query(asked): Query<Asked>) -> Response {
    let Some(cookie) = state.gate.open(&asked.token) else { return refused(gate::Refusal::Session) };
    let mut response = page_with(StatusCode::OK, page::opened());
    if let Ok(cookie) = cookie.parse() {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

/// A page made of the store.
fn shown(state: &State, path: &str, title: &str, done: &str, content: impl FnOnce(&Store) -> Markup) -> Response {
    framed(state, StatusCode::OK, path, title, act::notice(done), content)
}

async fn show_overview(Shared(state): Console, Query(asked): Query<Asked>) -> Response {
    let connections = state.store.read().map(|store| store.all_connections().cloned().collect()).unwrap_or_default();
    let keys = state.keys.of(&state.cluster, &state.way, connections).await;
    let Ok(counted) = state.counted.read() else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    shown(&state, "/", "Overview", &asked.done, |store| {
        overview::content(store, &keys, &counted, state.cluster.all, Timestamp::now())
    })
}

async fn show_people(Shared(state): Console, Query(filter): Query<Filter>) -> Response {
    shown(&state, "/people", "People", "", |store| people::list(store, &filter, Timestamp::now()))
}

async fn people_csv(Shared(state): Console, Query(filter): Query<Filter>) -> Response {
    let Ok(store) = state.store.read() else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let Ok(csv) = people::csv(filter.sorted(store.users.iter(), &store.groups).into_iter()) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let headers = [(CONTENT_TYPE, "text/csv; charset=utf-8"), (CONTENT_DISPOSITION, "attachment; filename=people.csv")];
    (headers, Body::from(csv)).into_response()
}

async fn show_holds(Shared(state): Console, Query(asked): Query<Asked>) -> Response {
    shown(&state, "/holds", "Holds", &asked.done, |store| holds::list(store, state.cluster.all, Timestamp::now()))
}

async fn show_hold(Shared(state): Console, Path(id): Path<String>, Query(asked): Query<Asked>) -> Response {
    let hold = state.store.read().ok().and_then(|store| store.hold(&id, state.cluster.all));
    let Some(hold) = hold else { return missing(&state, "/holds") };
    let namespace = hold.namespace.as_deref().unwrap_or_default();
    let write = state.rights.write(&state.cluster, hold.kind, namespace, &hold.name).await;
    // A cluster connection's may be in namespaces that nothing here is watched of.
    let elsewhere = match hold.kind {
        Kind::ClusterConnection if !state.cluster.all => Some(state.elsewhere.members(&state.cluster, &hold).await),
        _ => None,
    };
    let shown = holds::Shown {
        search: &asked.q,
        page: asked.page,
        elsewhere: elsewhere.as_ref(),
        rights: Rights { write, ..Rights::default() },
        form_word: state.gate.form_word(),
        commands: &state.commands,
        now: Timestamp::now(),
    };
    match state.store.read().ok().and_then(|store| holds::one(&store, &id, shown)) {
        Some(content) => {
            let title = format!("{} at {}", hold.words(), hold.of);
            framed(&state, StatusCode::OK, "/holds", &title, None, |_| content)
        }
        None => missing(&state, "/holds"),
    }
}

async fn show_groups(Shared(state): Console, Query(filter): Query<Filter>) -> Response {
    shown(&state, "/groups", "Groups", "", |store| groups::list(store, &filter, Timestamp::now()))
}

async fn show_rosters(Shared(state): Console) -> Response {
    shown(&state, "/rosters", "Rosters", "", |store| rosters::list(store, Timestamp::now()))
}

async fn show_events(Shared(state): Console, Query(asked): Query<Asked>) -> Response {
    let history = history::newest(state.audit.as_ref(), None, &asked.q).await;
    events::ask(&state).await;
    shown(&state, "/events", "Events", "", |store| {
        events::page(&store.events, history.as_ref(), &asked.q, Timestamp::now())
    })
}

async fn carry_out(Shared(state): Console, Form(form): Form<act::Form>) -> Response {
    if let Err(refusal) = state.gate.admits_form(&form.word) {
        return refused(refusal);
    }
    let act = match act::Act::read(&form) {
        Ok(act) => act,
        Err(words) => return page_with(StatusCode::BAD_REQUEST, page::refusal(&words)),
    };
    let then = act.page();
    let (told, ended) = oneshot::channel();
    if state.acts.send((act, told)).await.is_err() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    match ended.await {
        Ok(Ok(())) => Redirect::to(&then).into_response(),
        Ok(Err(error)) => failed(&state, &error),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// Tells the browser each time that something has changed, and what.
async fn live(Shared(state): Console) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let mut counted = state.changes.subscribe();
    let told = *counted.borrow_and_update();
    let changes = stream::unfold((state, counted, told), async |(state, mut counted, told)| {
        let is_change = match tokio::time::timeout(RENEWED, counted.changed()).await {
            Ok(known) => {
                known.ok()?;
                tokio::time::sleep(SETTLED).await;
                true
            }
            Err(_) => false,
        };
        let now = *counted.borrow_and_update();
        let changed = if is_change { state.changes.since(told) } else { "*".to_owned() };
        Some((Ok(Event::default().data(changed)), (state, counted, now)))
    });
    Sse::new(changes).keep_alive(KeepAlive::default())
}
