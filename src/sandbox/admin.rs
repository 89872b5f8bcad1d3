//! `/_sandbox`: what a test sees and does behind the client's back.
//!
//! | request | what it does |
//! |---|---|
//! | `GET /stats`, `DELETE /stats` | counters of the client's requests and writes; reset them (and the journal) |
//! | `GET /journal` | the client's writes that took effect, in order |
//! | `GET /users[?userName=]`, `GET /users/{id or userName}` | accounts and their history, deleted ones too |
//! | `POST /users`, `DELETE /users/{…}`, `POST /users/{…}/change` | make, take away or merge by hand: no client's write |
//! | `POST /users/{…}/accept` | an invitation is accepted: active, under another id |
//! | `POST /clock` `{"ahead": 3600}` | its clock is off by so many seconds |
//! | `POST /seed` `{"users": 100, "prefix": "seed"}` | make many accounts |
//! | `GET /groups` | the groups |
//! | `POST /renumber` | give everything a new id, as a rebuilt database does |
//! | `POST /faults` `[{"match": {…}, "fault": {"kind": …}}]`, `GET`, `DELETE` | add rules, see them, take all away |
//! | `POST /quirks` `["no_patch"]`, `GET`, `DELETE` | switch quirks on, see them, switch all off |
//! | `GET /faults/log`, `DELETE /faults/log` | how many of each fault were injected |
//! | `POST /rate` `{"per_second": 20, "retry_after": 2}`, `DELETE` | limit the rate |
//! | `POST /unavailable` `{"status": 503}`, `DELETE` | refuse everything |
//! | `POST /token` `{"token": "…"}` | accept another token from now on |

use axum::body::Bytes;
use axum::http::{HeaderMap, Method};
use jiff::SignedDuration;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::asked::authorized;
use super::error::{Fail, Outcome};
use super::faults::Rule;
use super::quirks::Quirks;
use super::reply::Reply;
use super::schema::{Object, user};
use super::state::{Bucket, Rate, State, Unavailable, lock};
use super::store::{Actor, Collection, Record};

/// Answers an administrator.
pub(super) fn answer(
    state: &State,
    method: &Method,
    path: &str,
    query: &str,
    headers: &HeaderMap,
    body: &Bytes,
) -> Reply {
    if state.admin_token.as_ref().is_some_and(|token| !authorized(headers, token)) {
        return Reply::new(401, json!({"error": "admin token required"}));
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    match act(state, method, &parts, query, body) {
        Ok(answer) => Reply::new(200, answer),
        Err(fail) => Reply::new(fail.status, json!({"error": fail.detail})),
    }
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Outcome<T> {
    serde_json::from_slice(body).map_err(|error| Fail::new(400, error.to_string()))
}

fn act(state: &State, method: &Method, parts: &[&str], query: &str, body: &Bytes) -> Outcome<Value> {
    match (method.as_str(), parts) {
        ("GET", []) => Ok(json!({"base": state.base, "dialect": state.dialect.name})),
        ("GET", ["stats"]) => Ok(stats(state)),
        ("DELETE", ["stats"]) => {
            lock(&state.stats).reset(state.connections());
            Ok(json!({}))
        }
        ("GET", ["journal"]) => Ok(json!(lock(&state.stats).journal)),
        ("GET", ["users"]) => Ok(users(state, query)),
        ("GET", ["groups"]) => {
            let store = lock(&state.store);
            let groups = store.groups.order.iter().filter_map(|seq| store.groups.rows.get(seq));
            Ok(groups.map(|group| Value::Object(group.body.clone())).collect())
        }
        ("POST", ["users"]) => create(state, read(body)?),
        ("GET", ["users", id]) => find(state, id),
        ("DELETE", ["users", id]) => {
            let id = id_of(state, id)?;
            lock(&state.store).delete(Collection::Users, &id, Actor::Hand)?;
            Ok(json!({}))
        }
        ("POST", ["renumber"]) => {
            lock(&state.store).renumber();
            Ok(json!({}))
        }
        ("POST", ["users", id, "accept"]) => {
            let id = id_of(state, id)?;
            Ok(show(lock(&state.store).accept(&id)?, true))
        }
        ("POST", ["clock"]) => {
            let given: Value = read(body)?;
            let ahead = given["ahead"].as_i64().ok_or_else(|| Fail::new(400, "ahead is required, in seconds"))?;
            lock(&state.store).ahead = SignedDuration::from_secs(ahead);
            Ok(json!({}))
        }
        ("POST", ["users", id, "change"]) => drift(state, id, &read(body)?),
        ("GET", ["faults"]) => Ok(json!(lock(&state.faults).rules())),
        ("POST", ["faults"]) => {
            let rules: Vec<Rule> = match read::<Value>(body)? {
                list @ Value::Array(_) => serde_json::from_value(list),
                one => serde_json::from_value(one).map(|one| vec![one]),
            }
            .map_err(|error| Fail::new(400, error.to_string()))?;
            let mut faults = lock(&state.faults);
            faults.arm(rules);
            Ok(json!({"rules": faults.rules().len()}))
        }
        ("DELETE", ["faults"]) => {
            lock(&state.faults).disarm();
            Ok(json!({}))
        }
        ("GET", ["quirks"]) => Ok(json!(*lock(&state.quirks))),
        ("POST", ["quirks"]) => {
            let more: Quirks = read(body)?;
            let mut quirks = lock(&state.quirks);
            quirks.extend(more);
            Ok(json!(*quirks))
        }
        ("DELETE", ["quirks"]) => {
            lock(&state.quirks).clear();
            Ok(json!({}))
        }
        ("GET", ["faults", "log"]) => Ok(json!(lock(&state.faults).log)),
        ("DELETE", ["faults", "log"]) => {
            lock(&state.faults).log.clear();
            Ok(json!({}))
        }
        ("POST", ["token"]) => {
            let given: Value = read(body)?;
            let token = given["token"].as_str();
            let token = token.ok_or_else(|| Fail::new(400, "token is required"))?;
            token.clone_into(&mut lock(&state.control).token);
            Ok(json!({}))
        }
        ("POST", ["seed"]) => seed(state, &read(body)?),
        ("POST", ["rate"]) => {
            let rate: Rate = read(body)?;
            lock(&state.control).rate = Some(Bucket::new(rate));
            Ok(json!({}))
        }
        ("DELETE", ["rate"]) => {
            lock(&state.control).rate = None;
            Ok(json!({}))
        }
        ("POST", ["unavailable"]) => {
            let body = if body.is_empty() { &Bytes::from_static(b"{}") } else { body };
            let down: Unavailable = read(body)?;
            lock(&state.control).unavailable = Some(down);
            Ok(json!({}))
        }
        ("DELETE", ["unavailable"]) => {
            lock(&state.control).unavailable = None;
            Ok(json!({}))
        }
        _ => Err(Fail::new(404, "no such thing in /_sandbox")),
    }
}

fn stats(state: &State) -> Value {
    let store = lock(&state.store);
    let counters = lock(&state.stats);
    let name = |id: &String| {
        let here = store.users.get(id).ok();
        let record = here.or_else(|| store.users.gone.iter().rev().find(|gone| gone.id == *id));
        let name = record.and_then(|record| record.body.get("userName")?.as_str());
        name.unwrap_or(id).to_owned()
    };
    let mut names = Object::new();
    for (id, writes) in &counters.per_user {
        let entry = names.entry(name(id)).or_insert(0.into());
        *entry = (entry.as_u64().unwrap_or(0) + writes).into();
    }
    let mut answer = json!(*counters);
    answer["users"] = store.users.order.len().into();
    answer["groups"] = store.groups.order.len().into();
    answer["connections"] = state.connections().saturating_sub(counters.opened_before).into();
    answer["max_writes_per_user"] = counters.per_user.values().copied().max().unwrap_or(0).into();
    answer["writes_per_user"] = names.into();
    answer
}

fn show(record: &Record, exists: bool) -> Value {
    json!({
        "id": record.id,
        "userName": record.body.get("userName"),
        "externalId": record.body.get("externalId"),
        "active": record.body.get("active") != Some(&Value::Bool(false)),
        "exists": exists,
        "writes": record.history.writes(),
        "history": record.history,
        "resource": record.body,
    })
}

/// All accounts, those that are gone too, or those of one `userName`.
fn users(state: &State, query: &str) -> Value {
    let wanted = url::form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key.eq_ignore_ascii_case("userName"))
        .map(|(_, value)| value.to_lowercase());
    let asked = |record: &&Record| {
        let name = record.body.get("userName").and_then(Value::as_str);
        wanted.as_ref().is_none_or(|wanted| name.is_some_and(|name| name.to_lowercase() == *wanted))
    };
    let store = lock(&state.store);
    let users = &store.users;
    let here = users.order.iter().filter_map(|seq| users.rows.get(seq));
    let here = here.filter(asked).map(|record| show(record, true));
    let gone = users.gone.iter().filter(asked).map(|record| show(record, false));
    here.chain(gone).collect()
}

/// An id, given as such or as a userName.
fn id_of(state: &State, given: &str) -> Outcome<String> {
    let store = lock(&state.store);
    if store.users.by_id.contains_key(given) {
        return Ok(given.to_owned());
    }
    let found = store.users.indexed("userName", &given.to_lowercase());
    let found = found.and_then(|set| store.users.rows.get(set.first()?));
    found.map(|record| record.id.clone()).ok_or_else(|| Fail::missing(given))
}

fn find(state: &State, given: &str) -> Outcome<Value> {
    let id = id_of(state, given);
    let store = lock(&state.store);
    match id {
        Ok(id) => Ok(show(store.users.get(&id)?, true)),
        Err(fail) => {
            let gone = store.users.gone.iter().find(|gone| gone.id == given);
            gone.map(|gone| show(gone, false)).ok_or(fail)
        }
    }
}

fn create(state: &State, body: Object) -> Outcome<Value> {
    let mut body = user().fit(body)?;
    body.entry("active").or_insert(Value::Bool(true));
    let mut store = lock(&state.store);
    store.create(Collection::Users, body, Actor::Hand).map(|record| show(record, true))
}

/// A merge by hand: null takes away, objects are merged, lists replaced.
fn drift(state: &State, given: &str, changes: &Value) -> Outcome<Value> {
    let id = id_of(state, given)?;
    let mut store = lock(&state.store);
    let record = store.update(Collection::Users, &id, Actor::Hand, |body| {
        let mut merged = Value::Object(std::mem::take(body));
        merge(&mut merged, changes);
        if let Value::Object(merged) = merged {
            *body = user().fit(merged)?;
        }
        Ok(())
    })?;
    Ok(show(record, true))
}

fn merge(into: &mut Value, changes: &Value) {
    match (into, changes) {
        (Value::Object(into), Value::Object(changes)) => {
            for (key, value) in changes {
                if value.is_null() {
                    into.remove(key);
                } else {
                    merge(into.entry(key).or_insert(Value::Null), value);
                }
            }
        }
        (into, changes) => *into = changes.clone(),
    }
}

fn seed(state: &State, given: &Value) -> Outcome<Value> {
    let wanted = given["users"].as_u64().unwrap_or(0);
    let prefix = given["prefix"].as_str().unwrap_or("seed");
    let mut store = lock(&state.store);
    for number in 0..wanted {
        let name = format!("{prefix}-{number:05}@example.com");
        let body = json!({
            "userName": name,
            "externalId": format!("{prefix}-{number:05}"),
            "active": true,
            "displayName": format!("Seed {number}"),
            "name": {"givenName": "Seed", "familyName": number.to_string(), "formatted": format!("Seed {number}")},
            "emails": [{"value": name, "type": "work", "primary": true}],
        });
        let body = user().fit(body.as_object().cloned().unwrap_or_default())?;
        store.create(Collection::Users, body, Actor::Hand)?;
    }
    Ok(json!({"users": store.users.order.len()}))
}
