//! What every page is answered with.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use maud::{Markup, html};
use serde::Deserialize;

use super::page::{self, Frame, foreign};
use super::store::Store;
use super::{State, gate};
use crate::cluster::{is_forbidden, sentence};

/// What a page is made of.
pub type Console = Shared<Arc<State>>;

/// What a page's address may say beside its filter.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    pub q: String,
    pub done: String,
    pub token: String,
    /// From 1.
    #[serde(deserialize_with = "super::filter::number")]
    pub page: usize,
}

/// Turned away at the gate.
pub fn refused(refusal: gate::Refusal) -> Response {
    page_with(refusal.status(), page::refusal(refusal.words()))
}

pub fn page_with(status: StatusCode, page: Markup) -> Response {
    (status, [(CONTENT_TYPE, "text/html; charset=utf-8")], page.into_string()).into_response()
}

/// The same with a status of its own.
pub fn framed(
    state: &State,
    status: StatusCode,
    path: &str,
    title: &str,
    notice: Option<&str>,
    content: impl FnOnce(&Store) -> Markup,
) -> Response {
    let Ok(store) = state.store.read() else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let frame = Frame {
        place: if state.cluster.all { "all namespaces" } else { &state.cluster.namespace },
        notice,
        problems: store.problems(),
        complete: store.is_complete(),
        holds: store.holds().iter().filter(|hold| !hold.rejected).count(),
    };
    page_with(status, page::page(&frame, path, title, &content(&store)))
}

/// There is no such object.
pub fn missing(state: &State, path: &str) -> Response {
    framed(state, StatusCode::NOT_FOUND, path, "Not there", None, |_| {
        html! {
            p {
                @if path == "/holds" { "There is no such hold here: it was answered, or what is in it has changed, and it has another id now. " }
                @else { "It is not here, or not any more. " }
                a href=(path) { "See what there is" } "."
            }
        }
    })
}

/// What the API server refuses to do, or can't be done now.
pub fn failed(state: &State, error: &anyhow::Error) -> Response {
    told(state, error, StatusCode::CONFLICT, "It was not done")
}

/// What the API server doesn't show.
pub fn unread(state: &State, error: &anyhow::Error) -> Response {
    told(state, error, StatusCode::BAD_GATEWAY, "It can't be read")
}

fn told(state: &State, error: &anyhow::Error, otherwise: StatusCode, title: &str) -> Response {
    let forbidden = is_forbidden(error);
    if forbidden {
        state.rights.forget();
    }
    let status = if forbidden { StatusCode::FORBIDDEN } else { otherwise };
    framed(state, status, "", title, None, |_| html! { p.problem role="alert" { (foreign(&sentence(error))) } })
}
