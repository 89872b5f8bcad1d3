//! What servers in the field do otherwise than the RFCs say, one switch each. Any of them go together, and with any dialect
//! and any fault.

use axum::http::Method;
use serde_json::{Value, json};

use super::asked::Asked;
use super::error::Fail;
use super::reply::Reply;
use super::store::{Collection, Store};

mod aftermath;
mod answers;
mod domain;
mod groups;
mod losses;
mod parts;
mod refusals;
mod rewrite;
mod shape;
mod switch;

pub(super) use aftermath::{comes_of, seen_before};
pub(super) use answers::says;
use parts::{emails, filtered_by, has_mail, is_there, makes_user};
use rewrite::{keeps, rewrite};
pub(super) use shape::Shape;
pub(super) use switch::{Quirk, Quirks};

/// Refuses a request before anything is done.
pub(super) fn refuse(quirks: &Quirks, asked: &Asked<'_>, store: &Store) -> Option<Fail> {
    let refused = |quirk: &&Quirk| refusals::refusal(**quirk, asked, store);
    quirks.iter().find_map(|quirk| refused(&quirk))
}

/// What the server makes of a body before it keeps it; none where that is what was sent.
pub(super) fn rewritten(quirks: &Quirks, asked: &Asked<'_>, store: &Store) -> Option<Value> {
    let plain = domain::without_domain(asked).filter(|_| quirks.contains(&Quirk::NamesInDomain));
    if let Some(body) = plain {
        let (method, path, query, headers) = (asked.method.clone(), asked.path, asked.query, asked.headers);
        let asked = Asked { method, path, query, headers, body: &body };
        return rewritten(quirks, &asked, store).or_else(|| asked.json().ok());
    }
    if quirks.contains(&Quirk::IgnoresPatches) && asked.method == Method::PATCH && asked.path.starts_with("/Users") {
        return Some(json!({"Operations": [{"op": "add", "value": {}}]}));
    }
    if quirks.contains(&Quirk::HeedsActiveAlone) && asked.method == Method::PATCH && asked.path.starts_with("/Users") {
        return rewrite::active_alone(asked);
    }
    if asked.path.starts_with("/Groups") {
        let keeps_none = quirks.contains(&Quirk::KeepsNoMembers);
        let drops = keeps_none || quirks.contains(&Quirk::DropsUnknownMembers);
        let kept = rewrite::of_members(quirks, asked, store)
            .or_else(|| rewrite::without_members(asked, store, keeps_none).filter(|_| drops));
        let kept = losses::with_losses(quirks, asked, kept.as_ref(), store).or(kept);
        return groups::with_name(quirks, asked, kept.as_ref()).or(kept);
    }
    let changes = [
        Quirk::Invites,
        Quirk::NamesByEmail,
        Quirk::LowersNames,
        Quirk::CutsNames,
        Quirk::OwnDisplayNames,
        Quirk::DigitsOnly,
        Quirk::Composes,
        Quirk::Trims,
        Quirk::DropsNames,
        Quirk::DropsTypes,
    ];
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
    if quirks.contains(&Quirk::CursorsOnly) && pairs.iter().any(|(key, _)| key == "startIndex") {
        pairs.retain(|(key, _)| key != "startIndex");
        pairs.push(("cursor".to_owned(), String::new()));
        return Some(form(&pairs));
    }
    if quirks.contains(&Quirk::OnePage) && pairs.iter().any(|(key, _)| key == "startIndex") {
        pairs.retain(|(key, _)| key != "startIndex");
        return Some(form(&pairs));
    }
    if let Some((_, index)) =
        pairs.iter_mut().find(|(key, _)| key == "startIndex" && quirks.contains(&Quirk::CountsFrom0))
    {
        *index = (index.parse::<u64>().unwrap_or_default() + 1).to_string();
        return Some(form(&pairs));
    }
    let at = pairs.iter().position(|(key, _)| key == "filter")?;
    let named = domain::in_filter(&pairs[at].1);
    if quirks.contains(&Quirk::NamesInDomain) && named != pairs[at].1 {
        pairs[at].1 = named;
        return Some(form(&pairs));
    }
    if quirks.contains(&Quirk::IgnoresFilters) {
        pairs.remove(at);
    } else if quirks.contains(&Quirk::FiltersFindNobody)
        || (quirks.contains(&Quirk::ExternalIdFindsNobody) && filtered_by(asked)? == "externalId")
    {
        "id eq \"nobody\"".clone_into(&mut pairs[at].1);
    } else {
        return None;
    }
    Some(form(&pairs))
}

fn form(pairs: &[(String, String)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// A limit of the rate in the words of those who answer 403.
pub(super) fn rate_limit(quirks: &Quirks) -> Fail {
    if quirks.contains(&Quirk::Rate403) {
        Fail::new(403, "API rate limit exceeded")
    } else {
        Fail::new(429, "too many requests")
    }
}

/// A deletion is answered as if it were done.
pub(super) fn ignores(quirks: &Quirks, asked: &Asked<'_>, store: &Store) -> Option<Reply> {
    let deletes = quirks.contains(&Quirk::IgnoresDeletes) && asked.method == Method::DELETE;
    let id = asked.path.trim_matches('/').split_once('/').filter(|_| deletes)?.1;
    let exists = store.users.get(id).is_ok() || store.groups.get(id).is_ok();
    exists.then(|| Reply::new(204, None))
}

/// Somebody is there already, and is shown instead of being made.
pub(super) fn upserted(quirks: &Quirks, asked: &Asked<'_>, store: &Store) -> Option<String> {
    if !quirks.contains(&Quirk::Upserts) || !makes_user(asked) {
        return None;
    }
    let by_email = || {
        let mails = emails(asked);
        let known = store.users.rows.values().find(|record| mails.iter().any(|mail| has_mail(record, mail)));
        known.map(|record| record.id.clone())
    };
    is_there(asked, store).or_else(by_email).map(|id| format!("/Users/{id}"))
}

/// What was removed under this name comes back, and is shown instead of being made.
pub(super) fn revived(quirks: &Quirks, asked: &Asked<'_>, store: &mut Store) -> Option<String> {
    let makes = quirks.contains(&Quirk::Revives) && asked.method == Method::POST;
    let (which, path) = match asked.path.trim_matches('/') {
        "Users" => (Collection::Users, "Users"),
        "Groups" => (Collection::Groups, "Groups"),
        _ => return None,
    };
    let body = asked.object().ok().filter(|_| makes)?;
    store.revive(which, &body).map(|id| format!("/{path}/{id}"))
}

/// How an answer is written.
pub(super) fn shape(quirks: &Quirks, reply: &mut Reply) -> Shape {
    shape::shape(quirks, reply)
}

#[cfg(test)]
#[path = "quirks_tests.rs"]
mod tests;
