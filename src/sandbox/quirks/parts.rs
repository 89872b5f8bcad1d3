//! What a request is about, for quirks to judge.

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::Value;

use crate::sandbox::asked::Asked;
use crate::sandbox::schema::Object;
use crate::sandbox::store::{Record, Store};

/// The operations of a PATCH.
pub(super) fn operations(asked: &Asked<'_>) -> Vec<Value> {
    let body = if asked.method == Method::PATCH { asked.json().unwrap_or_default() } else { Value::Null };
    body["Operations"].as_array().cloned().unwrap_or_default()
}

/// The attributes that a PATCH touches, in lower case, without their parts.
pub(super) fn touched(asked: &Asked<'_>) -> BTreeSet<String> {
    let stem = |path: &str| path.split(['[', '.']).next().unwrap_or_default().to_ascii_lowercase();
    let body = if asked.method == Method::POST || asked.method == Method::PUT { asked.object().ok() } else { None };
    let patched = operations(asked).into_iter().flat_map(|operation| match operation["path"].as_str() {
        Some(path) => vec![stem(path)],
        None => operation["value"].as_object().into_iter().flat_map(Object::keys).map(|key| stem(key)).collect(),
    });
    patched.chain(body.iter().flat_map(Object::keys).map(|key| stem(key))).collect()
}

/// A member that there isn't.
pub(super) fn unknown(asked: &Asked<'_>, store: &Store) -> Option<String> {
    members(asked).into_iter().find(|id| store.users.get(id).is_err() && store.groups.get(id).is_err())
}

/// The e-mails that a request sends.
pub(super) fn emails(asked: &Asked<'_>) -> Vec<String> {
    let entries = email_entries(asked);
    entries.iter().filter_map(|entry| entry["value"].as_str().or(entry.as_str()).map(str::to_owned)).collect()
}

/// The same as they are sent.
pub(super) fn email_entries(asked: &Asked<'_>) -> Vec<Value> {
    let body = if asked.writes() { asked.json().unwrap_or_default() } else { Value::Null };
    let patched = operations(asked)
        .into_iter()
        .filter(|operation| operation["path"].as_str().is_some_and(|path| path.starts_with("emails")));
    let values = patched.map(|operation| operation["value"].clone()).chain([body["emails"].clone()]);
    let entries = values.flat_map(|value| match value {
        Value::Array(entries) => entries,
        one => vec![one],
    });
    entries.collect()
}

/// Whether another account than the one that is asked about has the e-mail.
pub(super) fn has_email(store: &Store, asked: &Asked<'_>, email: &str) -> bool {
    store.users.rows.values().any(|record| !asked.path.ends_with(&record.id) && has_mail(record, email))
}

/// Whether this account has it.
pub(super) fn has_mail(record: &Record, email: &str) -> bool {
    let mut emails = record.body.get("emails").and_then(Value::as_array).into_iter().flatten();
    emails.any(|entry| entry["value"].as_str().is_some_and(|known| known.eq_ignore_ascii_case(email)))
}

/// The ids of the members that a request names.
pub(super) fn members(asked: &Asked<'_>) -> Vec<String> {
    entries(asked).iter().filter_map(|entry| entry["value"].as_str().map(str::to_owned)).collect()
}

/// The members that a request puts in, as it has them.
pub(super) fn entries(asked: &Asked<'_>) -> Vec<Value> {
    let of = |list: &Value| list.as_array().cloned().unwrap_or_default();
    let patched = operations(asked);
    let adds = patched.iter().filter(|operation| {
        let op = operation["op"].as_str().unwrap_or_default();
        !op.eq_ignore_ascii_case("remove") && operation["path"] == "members"
    });
    let whole = asked.writes() && asked.path.starts_with("/Groups") && asked.method != Method::PATCH;
    let body = if whole { asked.json().unwrap_or_default() } else { Value::Null };
    adds.flat_map(|operation| of(&operation["value"])).chain(of(&body["members"])).collect()
}

/// More than a request may have at once, where that is little.
pub(super) fn too_many(asked: &Asked<'_>) -> bool {
    operations(asked).len() > 3 || members(asked).len() > 5
}

/// What a server says that read an empty body.
pub(super) fn missing(asked: &Asked<'_>) -> String {
    let name = match (asked.method == Method::PATCH, asked.path.starts_with("/Groups")) {
        (true, _) => "Operations",
        (false, true) => "displayName",
        (false, false) => "userName",
    };
    format!("{name} is required")
}

/// A user of this name is made, who is there already.
pub(super) fn is_there(asked: &Asked<'_>, store: &Store) -> Option<String> {
    let body = asked.json().ok().filter(|_| makes_user(asked))?;
    let name = body["userName"].as_str()?.to_lowercase();
    let seq = store.users.indexed("userName", &name)?.first()?;
    store.users.rows.get(seq).map(|record| record.id.clone())
}

/// It is to make a user.
pub(super) fn makes_user(asked: &Asked<'_>) -> bool {
    asked.method == Method::POST && asked.path.trim_matches('/') == "Users"
}

/// The attribute by which the request filters.
pub(super) fn filtered_by(asked: &Asked<'_>) -> Option<String> {
    let (_, filter) = asked.decoded_query().into_iter().find(|(key, _)| key == "filter")?;
    filter.split_whitespace().next().map(str::to_owned)
}

/// The user that is to be deleted.
pub(super) fn deleted_user<'a>(asked: &Asked<'a>) -> Option<&'a str> {
    asked.path.trim_matches('/').strip_prefix("Users/").filter(|_| asked.method == Method::DELETE)
}
