//! The pages of one person, one group and one roster, with what is read at the server or tried when somebody asks.

use std::sync::Arc;

use axum::extract::{Form, Path, Query};
use axum::response::Response;
use http::StatusCode;
use jiff::Timestamp;
use kube::ResourceExt as _;
use maud::{Markup, html};
use scim_operator::api::{ConnectionRef, ScimConnection, ScimGroup, ScimRoster, ScimUser};
use scim_operator::provisioner::secret_names;

use super::account::{self, connection_behind};
use super::addresses::is_name;
use super::entry::Entry;
use super::page::foreign;
use super::person::{Shown, person};
use super::respond::{Asked, Console, failed, framed, missing, refused};
use super::rights::Rights;
use super::steps::steps;
use super::{State, act, comparison, group, history, present, respond, rosters, source};
use crate::cluster::{Kind, is_forbidden, sentence};
use crate::commands::explain;
use crate::commands::roster::against;
use crate::objects::full_name;

type At = Path<(String, String)>;

/// What was read when somebody asked for it, or why it wasn't.
type Server = Option<(StatusCode, Markup)>;

/// An object by its name; the response, where there is none.
async fn get<K>(state: &State, namespace: &str, name: &str, list: &str) -> Result<K, Response>
where
    K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned,
{
    if !(is_name(namespace) && is_name(name)) {
        return Err(missing(state, list));
    }
    match state.cluster.within::<K>(namespace).get_opt(name).await {
        Ok(Some(object)) => Ok(object),
        Ok(None) => Err(missing(state, list)),
        Err(error) => Err(respond::unread(state, &error.into())),
    }
}

/// The connection of an object, where its key may be read.
async fn readable(state: &State, namespace: &str, reference: &ConnectionRef) -> anyhow::Result<Option<ScimConnection>> {
    let connection = connection_behind(&state.cluster, namespace, reference).await?;
    let (names, of) = (secret_names(&connection.spec), state.way.secret_namespace(&connection));
    let may = state.rights.secrets(&state.cluster, of, &names).await;
    Ok(may.then_some(connection))
}

async fn rights(state: &State, kind: Kind, (namespace, name): (&str, &str), reference: &ConnectionRef) -> Rights {
    let read_key = matches!(readable(state, namespace, reference).await, Ok(Some(_)));
    Rights { write: state.rights.write(&state.cluster, kind, namespace, name).await, read_key }
}

/// A connection that may be used, or what is shown instead.
async fn usable(
    state: &State,
    namespace: &str,
    reference: &ConnectionRef,
) -> Result<ScimConnection, (StatusCode, Markup)> {
    match readable(state, namespace, reference).await {
        Ok(Some(connection)) => Ok(connection),
        Ok(None) => {
            let words = "You may not read the Secret with the connection's key, so the server was not asked.";
            Err((StatusCode::FORBIDDEN, html! { p.problem role="alert" data-still { (words) } }))
        }
        Err(error) => Err(unread(&error)),
    }
}

fn unread(error: &anyhow::Error) -> (StatusCode, Markup) {
    let status = if is_forbidden(error) { StatusCode::FORBIDDEN } else { StatusCode::BAD_GATEWAY };
    (status, html! { p.problem role="alert" data-still { "It was not read: " (foreign(&sentence(error))) } })
}

pub async fn show_person(state: Console, Path((namespace, name)): At, Query(asked): Query<Asked>) -> Response {
    match get::<ScimUser>(&state, &namespace, &name, "/people").await {
        Ok(user) => person_page(&state, &user, &asked.done, None).await,
        Err(response) => response,
    }
}

pub async fn read_person(state: Console, Path((namespace, name)): At, Form(form): Form<act::Form>) -> Response {
    if let Err(refusal) = state.gate.admits_form(&form.word) {
        return refused(refusal);
    }
    let user = match get::<ScimUser>(&state, &namespace, &name, "/people").await {
        Ok(user) => user,
        Err(response) => return response,
    };
    let server = match usable(&state, &namespace, &user.spec.connection_ref).await {
        Err(shown) => shown,
        Ok(connection) => match Box::pin(account::of_user(&state.cluster, &state.way, connection, &user)).await {
            Ok(account) => (StatusCode::OK, comparison::beside(&user, &account, Timestamp::now())),
            Err(error) => unread(&error),
        },
    };
    person_page(&state, &user, "", Some(server)).await
}

async fn person_page(state: &Arc<State>, user: &ScimUser, done: &str, server: Server) -> Response {
    let namespace = user.namespace().unwrap_or_default();
    let rights = rights(state, Kind::User, (&namespace, &user.name_any()), &user.spec.connection_ref).await;
    let (status, server) = server.unzip();
    let (form_word, now) = (state.gate.form_word(), Timestamp::now());
    let status = status.unwrap_or(StatusCode::OK);
    let told = steps(&explain::of_user(&state.cluster, user, &state.rows, None).await);
    let history = history::newest(state.audit.as_ref(), Some(("ScimUser", full_name(user))), "").await;
    framed(state, status, "/people", &user.spec.user_name, act::notice(done), |store| {
        let (server, history) = (server.as_ref(), history.as_ref());
        person(store, user, Shown { rights, form_word, now, server, steps: &told, history })
    })
}

pub async fn show_group(state: Console, Path((namespace, name)): At, Query(asked): Query<Asked>) -> Response {
    match get::<ScimGroup>(&state, &namespace, &name, "/groups").await {
        Ok(group) => group_page(&state, &group, &asked.done, None).await,
        Err(response) => response,
    }
}

pub async fn read_group(state: Console, Path((namespace, name)): At, Form(form): Form<act::Form>) -> Response {
    if let Err(refusal) = state.gate.admits_form(&form.word) {
        return refused(refusal);
    }
    let group = match get::<ScimGroup>(&state, &namespace, &name, "/groups").await {
        Ok(group) => group,
        Err(response) => return response,
    };
    let server = match usable(&state, &namespace, &group.spec.connection_ref).await {
        Err(shown) => shown,
        Ok(connection) => match Box::pin(account::of_group(&state.cluster, &state.way, connection, &group)).await {
            Ok(shown) => {
                let Ok(store) = state.store.read() else {
                    return failed(&state, &anyhow::anyhow!("what is listed can't be read"));
                };
                (StatusCode::OK, present::members(&store, &Entry::from(group.clone()), &shown, state.cluster.all))
            }
            Err(error) => unread(&error),
        },
    };
    group_page(&state, &group, "", Some(server)).await
}

async fn group_page(state: &Arc<State>, of: &ScimGroup, done: &str, server: Server) -> Response {
    let namespace = of.namespace().unwrap_or_default();
    let rights = rights(state, Kind::Group, (&namespace, &of.name_any()), &of.spec.connection_ref).await;
    let (status, server) = server.unzip();
    let (form_word, now) = (state.gate.form_word(), Timestamp::now());
    let status = status.unwrap_or(StatusCode::OK);
    let told = steps(&explain::of_group(&state.cluster, of).await);
    let history = history::newest(state.audit.as_ref(), Some(("ScimGroup", full_name(of))), "").await;
    framed(state, status, "/groups", &of.spec.display_name, act::notice(done), |store| {
        let (server, history) = (server.as_ref(), history.as_ref());
        group::group(store, of, Shown { rights, form_word, now, server, steps: &told, history })
    })
}

pub async fn show_roster(state: Console, Path((namespace, name)): At) -> Response {
    match get::<ScimRoster>(&state, &namespace, &name, "/rosters").await {
        Ok(roster) => roster_page(&state, &roster, "", None).await,
        Err(response) => response,
    }
}

pub async fn try_rows(state: Console, Path((namespace, name)): At, Form(form): Form<rosters::Rows>) -> Response {
    if let Err(refusal) = state.gate.admits_form(&form.word) {
        return refused(refusal);
    }
    match get::<ScimRoster>(&state, &namespace, &name, "/rosters").await {
        Ok(roster) => {
            let tried = rosters::tried(&roster, &form.rows);
            roster_page(&state, &roster, &form.rows, Some((StatusCode::OK, html! { div data-still { (tried) } }))).await
        }
        Err(response) => response,
    }
}

pub async fn read_rows(state: Console, Path((namespace, name)): At, Form(form): Form<act::Form>) -> Response {
    if let Err(refusal) = state.gate.admits_form(&form.word) {
        return refused(refusal);
    }
    let roster = match get::<ScimRoster>(&state, &namespace, &name, "/rosters").await {
        Ok(roster) => roster,
        Err(response) => return response,
    };
    let read = match against::now(&state.cluster, &namespace, &roster).await {
        Ok(read) => (StatusCode::OK, source::shown(&namespace, &read)),
        Err(error) => unread(&error),
    };
    roster_page(&state, &roster, "", Some(read)).await
}

async fn roster_page(state: &Arc<State>, roster: &ScimRoster, typed: &str, answer: Server) -> Response {
    let namespace = roster.namespace().unwrap_or_default();
    let can_read = state.rights.source(&state.cluster, &namespace, &roster.spec.source).await;
    let (status, answer) = answer.unzip();
    let status = status.unwrap_or(StatusCode::OK);
    framed(state, status, "/rosters", &full_name(roster), None, |_| {
        let (answer, form_word) = (answer.as_ref(), state.gate.form_word());
        rosters::one(roster, rosters::Shown { typed, answer, form_word, can_read }, Timestamp::now())
    })
}
