//! The SCIM endpoints.

use axum::http::Method;
use serde_json::{Value, json};

use super::asked::Asked;
use super::dialect::{Delete, Dialect, Meta};
use super::discovery;
use super::error::{Fail, Outcome};
use super::faults::PageFault;
use super::list::{list, list_all, seen};
use super::projection::{Projection, Query, render};
use super::record::active;
use super::reply::Reply;
use super::state::{State, Written, lock};
use super::store::{Actor, Collection, Record, Store};
use super::write::{change, put, read};

/// Answers a SCIM request.
pub(super) fn answer(state: &State, asked: &Asked<'_>, fault: Option<&PageFault>) -> Outcome<Reply> {
    let parts: Vec<&str> = asked.path.split('/').filter(|part| !part.is_empty()).collect();
    let unknown = || Err(Fail::new(404, format!("no such endpoint: {}", asked.path)));
    match parts[..] {
        ["Users"] => collection(state, asked, Collection::Users, fault),
        ["Groups"] => collection(state, asked, Collection::Groups, fault),
        [".search"] => search(state, asked, None),
        ["Users", ".search"] => search(state, asked, Some(Collection::Users)),
        ["Groups", ".search"] => search(state, asked, Some(Collection::Groups)),
        ["Users", id] => resource(state, asked, Collection::Users, id, fault),
        ["Groups", id] => resource(state, asked, Collection::Groups, id, fault),
        ["Me"] if state.dialect.me => {
            let id = owner(state).ok_or_else(|| Fail::new(501, "no owner is configured"))?;
            resource(state, asked, Collection::Users, &id, fault)
        }
        ["Roles"] if state.dialect.discovery => roles(state),
        ["Bulk"] => Err(Fail::new(501, "Bulk is not supported")),
        [what @ ("ServiceProviderConfig" | "ResourceTypes" | "Schemas"), ref rest @ ..]
            if state.dialect.discovery
                && (what != "ServiceProviderConfig" || state.dialect.service_provider_config) =>
        {
            discover(state, asked, what, rest)
        }
        _ => unknown(),
    }
}

fn owner(state: &State) -> Option<String> {
    let owner = state.owner.as_ref()?.to_lowercase();
    let store = lock(&state.store);
    let seq = store.users.indexed("userName", &owner)?.first()?;
    store.users.rows.get(seq).map(|record| record.id.clone())
}

fn discover(state: &State, asked: &Asked<'_>, what: &str, rest: &[&str]) -> Outcome<Reply> {
    if asked.method != Method::GET {
        return Err(Fail::new(405, "read only"));
    }
    if Query::from_url(asked.query)?.filter.is_some() {
        return Err(Fail::new(403, "discovery takes no filter"));
    }
    let all = match what {
        "Schemas" => discovery::schemas(&state.dialect, &state.base),
        "ResourceTypes" => discovery::resource_types(&state.base),
        _ => {
            let config = discovery::service_provider_config(&state.dialect, &state.base);
            return match rest {
                [] => Ok(Reply::new(200, config)),
                _ => Err(Fail::missing(asked.path)),
            };
        }
    };
    match rest {
        [] => Ok(Reply::new(
            200,
            json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
                "totalResults": all.len(),
                "itemsPerPage": all.len(),
                "startIndex": 1,
                "Resources": all,
            }),
        )),
        [id] => all
            .into_iter()
            .find(|one| one["id"].as_str().is_some_and(|found| found.eq_ignore_ascii_case(id)))
            .map(|one| Reply::new(200, one))
            .ok_or_else(|| Fail::missing(id)),
        _ => Err(Fail::missing(asked.path)),
    }
}

/// The roles that there are, where they were named.
fn roles(state: &State) -> Outcome<Reply> {
    let store = lock(&state.store);
    if store.roles.is_empty() {
        return Err(Fail::new(404, "no roles were named"));
    }
    let all: Vec<Value> =
        store.roles.iter().map(|(id, name)| json!({"id": id, "value": id, "display": name})).collect();
    let urn = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
    let list = json!({"schemas": [urn], "totalResults": all.len(), "itemsPerPage": all.len(), "Resources": all});
    Ok(Reply::new(200, list))
}

fn search(state: &State, asked: &Asked<'_>, within: Option<Collection>) -> Outcome<Reply> {
    if asked.method != Method::POST {
        return Err(Fail::new(405, ".search takes POST"));
    }
    let query = Query::from_search(&asked.json()?)?;
    let store = lock(&state.store);
    let found = match within {
        Some(collection) => list(&store, &state.dialect, collection, &query, None)?,
        None => list_all(&store, &state.dialect, &query)?,
    };
    Ok(Reply::new(200, found))
}

fn collection(state: &State, asked: &Asked<'_>, which: Collection, fault: Option<&PageFault>) -> Outcome<Reply> {
    match asked.method {
        Method::GET => {
            let query = Query::from_url(asked.query)?;
            let store = lock(&state.store);
            Ok(Reply::new(200, list(&store, &state.dialect, which, &query, fault)?))
        }
        Method::POST => {
            let dialect = &state.dialect;
            let mut body = read(asked, which, dialect)?;
            if which == Collection::Users {
                body.entry("active").or_insert(Value::Bool(true));
            } else if !dialect.members_on_write {
                body.remove("members");
            }
            let mut store = lock(&state.store);
            let record = store.create(which, body, Actor::Client)?.clone();
            wrote(state, which, &asked.method, &record, "created");
            let reply = shown(&store, dialect, which, &record, asked, 201)?;
            Ok(if dialect.location { reply.with("location", location(state, which, &record.id)) } else { reply })
        }
        _ => Err(Fail::new(405, "GET or POST")),
    }
}

fn location(state: &State, which: Collection, id: &str) -> String {
    let base = match state.dialect.meta {
        Meta::At(elsewhere) => elsewhere,
        _ => &state.base,
    };
    format!("{base}/{}/{id}", which.kind().endpoint)
}

/// Counts a write that took effect.
fn wrote(state: &State, which: Collection, method: &Method, record: &Record, outcome: &'static str) {
    let mut counters = lock(&state.stats);
    counters.writes += 1;
    if which == Collection::Users {
        *counters.per_user.entry(record.id.clone()).or_default() += 1;
    }
    let name = ["userName", "displayName"].into_iter().find_map(|name| record.body.get(name)?.as_str());
    counters.journal.push(Written {
        at: format!("{:.3}", jiff::Timestamp::now()),
        method: method.to_string(),
        collection: which.kind().endpoint,
        id: record.id.clone(),
        name: name.unwrap_or_default().to_owned(),
        outcome,
    });
}

fn shown(
    store: &Store,
    dialect: &Dialect,
    which: Collection,
    record: &Record,
    asked: &Asked<'_>,
    status: u16,
) -> Outcome<Reply> {
    let projection = Projection::new(which.kind(), &Query::from_url(asked.query)?);
    let body = render(store, dialect, which, &record.body, &projection);
    let reply = Reply::new(status, body);
    Ok(if dialect.etag { reply.with("etag", record.etag()) } else { reply })
}

fn tagged(asked: &Asked<'_>, header: &str, tag: &str) -> Option<bool> {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let given = asked.headers.get(header)?.to_str().ok()?;
    let mut tags = given.split(',');
    Some(tags.any(|one| one.trim() == "*" || bare(one) == bare(tag)))
}

fn resource(
    state: &State,
    asked: &Asked<'_>,
    which: Collection,
    id: &str,
    fault: Option<&PageFault>,
) -> Outcome<Reply> {
    let dialect = &state.dialect;
    let mut store = lock(&state.store);
    let record = store.table(which).get(id)?;
    let tag = record.etag();
    if asked.method == Method::GET {
        if dialect.etag && tagged(asked, "if-none-match", &tag) == Some(true) {
            return Ok(Reply::new(304, None).with("etag", tag));
        }
        let mut record = record.clone();
        record.body = seen(&record, fault).cloned().ok_or_else(|| Fail::missing(id))?;
        return shown(&store, dialect, which, &record, asked, 200);
    }
    if dialect.etag && tagged(asked, "if-match", &tag) == Some(false) {
        return Err(Fail::new(412, "the resource has changed"));
    }
    let was = store.table(which).get(id)?.clone();
    match asked.method {
        Method::PUT => put(&mut store, dialect, which, id, asked)?,
        Method::PATCH => change(&mut store, dialect, which, id, asked)?,
        Method::DELETE => return delete(state, &mut store, which, &was, asked),
        _ => return Err(Fail::new(405, "GET, PUT, PATCH or DELETE")),
    }
    let record = store.table(which).get(id)?;
    let outcome = match (active(&was.body), active(&record.body)) {
        _ if was.body == record.body => "unchanged",
        (true, false) => "deactivated",
        (false, true) => "reactivated",
        _ => "updated",
    };
    wrote(state, which, &asked.method, record, outcome);
    shown(&store, dialect, which, record, asked, 200)
}

fn delete(state: &State, store: &mut Store, which: Collection, was: &Record, asked: &Asked<'_>) -> Outcome<Reply> {
    let dialect = &state.dialect;
    let user = which == Collection::Users;
    let disables = user && dialect.delete == Delete::Disables;
    if disables {
        store.update(which, &was.id, Actor::Client, |body| {
            body.insert("active".into(), false.into());
            Ok(())
        })?;
    } else {
        store.delete(which, &was.id, Actor::Client)?;
    }
    let outcome = if disables { "deactivated" } else { "deleted" };
    wrote(state, which, &asked.method, was, outcome);
    match dialect.delete {
        Delete::GoneWithBody if user => shown(store, dialect, which, was, asked, 200),
        Delete::GoneWithBody => Ok(Reply::new(200, json!({}))),
        _ => Ok(Reply::new(204, None)),
    }
}
