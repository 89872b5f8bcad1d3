//! What every page is answered with.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use maud::{Markup, html};
use serde::Deserialize;

use super::page::{self, Frame};
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
        holds: store.holds().len(),
    };
    page_with(status, page::page(&frame, path, title, &content(&store)))
}

/// There is no such object.
pub fn missing(state: &State, path: &str) -> Response {
    framed(state, StatusCode::NOT_FOUND, path, "Not there", None, |_| {
        html! { p { "It is not there, or no more: a hold that was answered, or whose set has changed, has another id. "
        a href=(path) { "See what there is" } "." } }
    })
}

/// What the API server refuses, or can't be done now.
pub fn failed(state: &State, error: &anyhow::Error) -> Response {
    let forbidden = is_forbidden(error);
    if forbidden {
        state.rights.forget();
    }
    let status = if forbidden { StatusCode::FORBIDDEN } else { StatusCode::CONFLICT };
    framed(state, status, "", "It was not done", None, |_| html! { p.problem role="alert" { (sentence(error)) } })
}
