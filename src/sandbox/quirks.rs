//! What servers in the field do otherwise than the RFCs say, one switch each. Any of them go together, and with any dialect
//! and any fault.

use std::collections::BTreeSet;

use axum::http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::asked::Asked;
use super::error::Fail;
use super::reply::Reply;
use super::schema::Object;
use super::store::Store;

mod rewrite;
mod shape;

use rewrite::{keeps, rewrite};
pub(super) use shape::Shape;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// A switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Quirk {
    /// PATCH answers 405.
    #[serde(rename = "no_patch")]
    NoPatch,
    /// PATCH answers 501.
    #[serde(rename = "patch_501")]
    Patch501,
    /// There is no route for PATCH: 404 and a line of text.
    NoPatchRoute,
    /// PUT answers 405.
    NoPut,
    /// A member is taken out by a path with a filter, in word alone: 200, and nothing is done.
    IgnoresMemberPaths,
    /// A PUT of a group leaves its members as they are.
    PutKeepsMembers,
    /// It says of itself that it has no PATCH.
    SaysNoPatch,
    /// A path with a filter is answered 400 `noTarget`.
    NoFilteredPaths,
    /// A member is taken out by no path with a filter: 501.
    NoMemberPaths,
    /// A PATCH of several operations is answered 400.
    OneOperation,
    /// `active` is refused beside anything else.
    ActiveAlone,
    /// Phone numbers are refused.
    RefusesPhones,
    /// A manager is refused.
    RefusesManagers,
    /// An e-mail that another account has is answered 409.
    UniqueEmails,
    /// A filter is answered 400.
    RefusesFilters,
    /// A filter is answered 500.
    #[serde(rename = "filters_500")]
    Filters500,
    /// A filter is not heeded.
    IgnoresFilters,
    /// A filter finds nobody.
    FiltersFindNobody,
    /// A filter with quotes, backslashes or accents in its value is answered 400.
    RefusesSpecialLetters,
    /// `startIndex` and `count` are answered 400.
    RefusesPaging,
    /// `startIndex` and `count` are answered 500.
    #[serde(rename = "paging_500")]
    Paging500,
    /// A `startIndex` beyond the first is answered 500.
    #[serde(rename = "second_page_500")]
    SecondPage500,
    /// More than ten a page are refused.
    SmallPages,
    /// A list without a filter is answered 400 `tooMany`.
    NeedsFilter,
    /// `application/scim+json` is answered 415.
    #[serde(rename = "scim_json_415")]
    ScimJson415,
    /// The body of `application/scim+json` isn't read: 400, something required is missing.
    ScimJsonUnread,
    /// The same, with 500.
    #[serde(rename = "scim_json_unread_500")]
    ScimJsonUnread500,
    /// An `Accept` of anything but `application/json` is answered 406.
    AcceptsJsonOnly,
    /// More than three operations, or five members, are answered 413.
    FewOperations,
    /// A member that there isn't sinks the request: 404.
    UnknownMember,
    /// The same with 400, and words that name each of them.
    #[serde(rename = "unknown_member_400")]
    UnknownMember400,
    /// The same with 500.
    #[serde(rename = "unknown_member_500")]
    UnknownMember500,
    /// A member that there isn't is left out without a word.
    DropsUnknownMembers,
    /// There are two seats: with as many active accounts a creation is answered 403.
    TwoSeats,
    /// A limit of the rate is answered 403.
    #[serde(rename = "rate_403")]
    Rate403,
    /// An account stays inactive after its creation, and after it was re-activated.
    Invites,
    /// `userName` is kept in lower case.
    LowersNames,
    /// Phone numbers are kept as their digits.
    DigitsOnly,
    /// Neither `name` nor `displayName` is kept.
    DropsNames,
    /// Entries of lists lose their `type`.
    DropsTypes,
    /// Writes that say `broken` are answered 500.
    Breaks,
    /// Answers begin with a byte order mark.
    Bom,
    /// Lists have `resources`, and their total is text.
    LowerCaseLists,
    /// Times have no zone.
    TimesWithoutZone,
    /// Errors are `{"message": …}`.
    ErrorsAsMessage,
    /// Errors are `{"error": {"message": …}}`.
    ErrorsNested,
    /// Errors are a problem of RFC 9457 with `errors`.
    ErrorsAsProblem,
    /// Errors say nothing.
    ErrorsMute,
    /// Errors are one line of text.
    ErrorsAsText,
}

impl Quirk {
    /// The switch of that name.
    pub fn named(name: &str) -> Option<Self> {
        serde_json::from_value(Value::String(name.to_owned())).ok()
    }
}

/// The switches that are on.
pub(super) type Quirks = BTreeSet<Quirk>;

/// Refuses a request before anything is done.
pub(super) fn refuse(quirks: &Quirks, asked: &Asked<'_>, store: &Store) -> Option<Fail> {
    let refused = |quirk: &&Quirk| refusal(**quirk, asked, store);
    quirks.iter().find_map(|quirk| refused(&quirk))
}

fn refusal(quirk: Quirk, asked: &Asked<'_>, store: &Store) -> Option<Fail> {
    let patch = asked.method == Method::PATCH;
    let status = |holds: bool, status: u16, detail: &str| holds.then(|| Fail::new(status, detail));
    let bad = |holds: bool, kind: &'static str, detail: &str| holds.then(|| Fail::bad(kind, detail));
    match quirk {
        Quirk::NoPatch => status(patch, 405, "Method not allowed"),
        Quirk::Patch501 => status(patch, 501, "Not implemented"),
        Quirk::NoPatchRoute => status(patch, 404, &format!("Cannot PATCH {}", asked.path)),
        Quirk::NoPut => status(asked.method == Method::PUT, 405, "Method not allowed"),
        Quirk::Breaks => status(asked.writes() && asked.text().contains("broken"), 500, "an unexpected error"),
        Quirk::NoFilteredPaths => {
            let filtered = |operation: &Value| operation["path"].as_str().is_some_and(|path| path.contains('['));
            bad(patch && operations(asked).iter().any(filtered), "noTarget", "the path matches nothing")
        }
        Quirk::NoMemberPaths => {
            let filtered =
                |operation: &Value| operation["path"].as_str().is_some_and(|path| path.starts_with("members["));
            status(patch && operations(asked).iter().any(filtered), 501, "Not implemented")
        }
        Quirk::OneOperation => bad(operations(asked).len() > 1, "invalidSyntax", "one operation at a time"),
        Quirk::ActiveAlone => {
            let names = touched(asked);
            bad(names.len() > 1 && names.contains("active"), "invalidValue", "active can't be changed with others")
        }
        Quirk::RefusesPhones => {
            bad(touched(asked).contains("phonenumbers"), "invalidValue", "phoneNumbers: not a valid number")
        }
        Quirk::RefusesManagers => {
            let managed = asked.writes() && asked.text().contains("manager");
            status(managed && asked.text().contains(ENTERPRISE), 400, "manager: no such user")
        }
        Quirk::UniqueEmails => {
            let taken = emails(asked).into_iter().find(|email| has_email(store, asked, email));
            taken.map(|email| Fail::new(409, format!("the e-mail {email} is in use")))
        }
        Quirk::TwoSeats => {
            let creates = asked.method == Method::POST && asked.path.trim_matches('/') == "Users";
            let taken =
                store.users.rows.values().filter(|record| record.body.get("active") != Some(&Value::Bool(false)));
            status(creates && taken.count() >= 2, 403, "No seats left in your plan")
        }
        Quirk::FewOperations => status(too_many(asked), 413, "too many operations"),
        Quirk::UnknownMember => unknown(asked, store).map(|id| Fail::missing(&id)),
        Quirk::UnknownMember400 => {
            let named = members(asked).join(", ");
            status(unknown(asked, store).is_some(), 400, &format!("invalid parameters provided in request: {named}"))
        }
        Quirk::UnknownMember500 => status(unknown(asked, store).is_some(), 500, "an unexpected error"),
        Quirk::ScimJson415 => status(asked.body_is_scim_json(), 415, "Unsupported media type"),
        Quirk::ScimJsonUnread => status(asked.body_is_scim_json(), 400, &missing(asked)),
        Quirk::ScimJsonUnread500 => status(asked.body_is_scim_json(), 500, &missing(asked)),
        Quirk::AcceptsJsonOnly => status(asked.header("accept") != "application/json", 406, "Not acceptable"),
        reads => refused_read(reads, asked),
    }
}

/// What is refused of reads of lists.
fn refused_read(quirk: Quirk, asked: &Asked<'_>) -> Option<Fail> {
    let query = asked.decoded_query();
    let list = asked.method == Method::GET && matches!(asked.path.trim_matches('/'), "Users" | "Groups");
    let value = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let (filter, paged) = (value("filter"), value("startIndex").is_some() || value("count").is_some());
    let number = |name: &str| value(name).and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
    let special = |filter: &str| filter.contains('\\') || !filter.is_ascii();
    match quirk {
        Quirk::RefusesFilters if filter.is_some() => Some(Fail::filter("filters are not supported")),
        Quirk::Filters500 if filter.is_some() => Some(Fail::new(500, "an unexpected error")),
        Quirk::RefusesSpecialLetters if filter.is_some_and(special) => Some(Fail::filter("the filter can't be read")),
        Quirk::RefusesPaging if list && paged => Some(Fail::new(400, "unknown parameter startIndex or count")),
        Quirk::Paging500 if list && paged => Some(Fail::new(500, "an unexpected error")),
        Quirk::SecondPage500 if list && number("startIndex") > 1 => Some(Fail::new(500, "an unexpected error")),
        Quirk::SmallPages if list && number("count") > 10 => Some(Fail::new(400, "count must be 10 at most")),
        Quirk::NeedsFilter if list && filter.is_none() => Some(Fail::bad("tooMany", "a filter is required")),
        _ => None,
    }
}

fn operations(asked: &Asked<'_>) -> Vec<Value> {
    let body = if asked.method == Method::PATCH { asked.json().unwrap_or_default() } else { Value::Null };
    body["Operations"].as_array().cloned().unwrap_or_default()
}

/// The attributes that a PATCH touches, in lower case, without their parts.
fn touched(asked: &Asked<'_>) -> BTreeSet<String> {
    let stem = |path: &str| path.split(['[', '.']).next().unwrap_or_default().to_ascii_lowercase();
    let body = if asked.method == Method::POST || asked.method == Method::PUT { asked.object().ok() } else { None };
    let patched = operations(asked).into_iter().flat_map(|operation| match operation["path"].as_str() {
        Some(path) => vec![stem(path)],
        None => operation["value"].as_object().into_iter().flat_map(Object::keys).map(|key| stem(key)).collect(),
    });
    patched.chain(body.iter().flat_map(Object::keys).map(|key| stem(key))).collect()
}

/// A member that there isn't.
fn unknown(asked: &Asked<'_>, store: &Store) -> Option<String> {
    members(asked).into_iter().find(|id| store.users.get(id).is_err() && store.groups.get(id).is_err())
}

/// The e-mails that a request sends.
fn emails(asked: &Asked<'_>) -> Vec<String> {
    let body = if asked.writes() { asked.json().unwrap_or_default() } else { Value::Null };
    let patched = operations(asked)
        .into_iter()
        .filter(|operation| operation["path"].as_str().is_some_and(|path| path.starts_with("emails")));
    let values = patched.map(|operation| operation["value"].clone()).chain([body["emails"].clone()]);
    let entries = values.flat_map(|value| match value {
        Value::Array(entries) => entries,
        one => vec![one],
    });
    entries.filter_map(|entry| entry["value"].as_str().or(entry.as_str()).map(str::to_owned)).collect()
}

/// Whether another account than the one that is asked about has the e-mail.
fn has_email(store: &Store, asked: &Asked<'_>, email: &str) -> bool {
    let others = store.users.rows.values().filter(|record| !asked.path.ends_with(&record.id));
    let mut emails =
        others.flat_map(|record| record.body.get("emails").and_then(Value::as_array).into_iter().flatten());
    emails.any(|entry| entry["value"].as_str().is_some_and(|known| known.eq_ignore_ascii_case(email)))
}

/// The ids of the members that a request names.
fn members(asked: &Asked<'_>) -> Vec<String> {
    let of = |list: &Value| -> Vec<String> {
        let entries = list.as_array().cloned().unwrap_or_default();
        entries.iter().filter_map(|entry| entry["value"].as_str().map(str::to_owned)).collect()
    };
    let patched = operations(asked);
    let adds = patched.iter().filter(|operation| {
        let op = operation["op"].as_str().unwrap_or_default();
        !op.eq_ignore_ascii_case("remove") && operation["path"] == "members"
    });
    let whole = asked.writes() && asked.path.starts_with("/Groups") && asked.method != Method::PATCH;
    let body = if whole { asked.json().unwrap_or_default() } else { Value::Null };
    adds.flat_map(|operation| of(&operation["value"])).chain(of(&body["members"])).collect()
}

fn too_many(asked: &Asked<'_>) -> bool {
    operations(asked).len() > 3 || members(asked).len() > 5
}

/// What a server says that read an empty body.
fn missing(asked: &Asked<'_>) -> String {
    let name = match (asked.method == Method::PATCH, asked.path.starts_with("/Groups")) {
        (true, _) => "Operations",
        (false, true) => "displayName",
        (false, false) => "userName",
    };
    format!("{name} is required")
}

/// What the server makes of a body before it keeps it; none where that is what was sent.
pub(super) fn rewritten(quirks: &Quirks, asked: &Asked<'_>, store: &Store) -> Option<Value> {
    if asked.path.starts_with("/Groups")
        && let Some(body) = rewrite::of_members(quirks, asked, store)
    {
        return Some(body);
    }
    if quirks.contains(&Quirk::DropsUnknownMembers) && asked.path.starts_with("/Groups") {
        return rewrite::without_unknown(asked, store);
    }
    let changes = [Quirk::Invites, Quirk::LowersNames, Quirk::DigitsOnly, Quirk::DropsNames, Quirk::DropsTypes];
    let changes: Vec<Quirk> = changes.into_iter().filter(|quirk| quirks.contains(quirk)).collect();
    if changes.is_empty() || !asked.writes() || !asked.path.starts_with("/Users") {
        return None;
    }
    let mut body = asked.json().ok()?;
    for quirk in changes {
        if let Some(operations) = body["Operations"].as_array_mut() {
            operations.retain_mut(|operation| keeps(quirk, operation));
            // Taken all the same, and nothing comes of it.
            if operations.is_empty() {
                operations.push(json!({"op": "add", "value": {}}));
            }
        } else {
            let new = asked.method == Method::POST;
            rewrite(quirk, body.as_object_mut()?, new);
        }
    }
    Some(body)
}

/// The query that is heeded: without its filter, or with one that finds nobody.
pub(super) fn heeded(quirks: &Quirks, asked: &Asked<'_>) -> Option<String> {
    let mut pairs = asked.decoded_query();
    let at = pairs.iter().position(|(key, _)| key == "filter")?;
    if quirks.contains(&Quirk::IgnoresFilters) {
        pairs.remove(at);
    } else if quirks.contains(&Quirk::FiltersFindNobody) {
        "id eq \"nobody\"".clone_into(&mut pairs[at].1);
    } else {
        return None;
    }
    Some(url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish())
}

/// A limit of the rate in the words of those who answer 403.
pub(super) fn rate_limit(quirks: &Quirks) -> Fail {
    if quirks.contains(&Quirk::Rate403) {
        Fail::new(403, "API rate limit exceeded")
    } else {
        Fail::new(429, "too many requests")
    }
}

/// What the server says of itself.
pub(super) fn says(quirks: &Quirks, asked: &Asked<'_>, reply: &mut Reply) {
    if quirks.contains(&Quirk::SaysNoPatch)
        && asked.path.trim_matches('/') == "ServiceProviderConfig"
        && let Some(config) = &mut reply.body
    {
        config["patch"]["supported"] = false.into();
    }
}

/// How an answer is written.
pub(super) fn shape(quirks: &Quirks, reply: &mut Reply) -> Shape {
    shape::shape(quirks, reply)
}

#[cfg(test)]
#[path = "quirks_tests.rs"]
mod tests;
