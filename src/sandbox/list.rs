//! Lists: filter, sort, pages by index and by cursor, and projection.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::dialect::{Dialect, Filters};
use super::error::{Fail, Outcome};
use super::faults::PageFault;
use super::filter::{Filter, Op, parse};
use super::matching::{matches, sort_key};
use super::projection::{Projection, Query, render};
use super::schema::Object;
use super::store::{Collection, Record, Store};

const LIST_URN: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// Parses a filter as far as the dialect understands it.
fn understand(text: &str, dialect: &Dialect, collection: Collection) -> Outcome<Filter> {
    let filter = parse(text, collection.kind())?;
    let supported = match (dialect.filters, collection) {
        (Filters::Only { users, and, .. }, Collection::Users) => within(&filter, users, and),
        (Filters::Only { groups, and, .. }, Collection::Groups) => within(&filter, groups, and),
        _ => true,
    };
    if !supported {
        return Err(Fail::filter(format!("filter not supported: {text}")));
    }
    Ok(filter)
}

fn within(filter: &Filter, names: &[&str], and: bool) -> bool {
    match filter {
        Filter::And(left, right) => and && within(left, names, and) && within(right, names, and),
        Filter::Test(target, Op::Eq, _) => target.attr.is_some_and(|attr| names.contains(&attr.name)),
        _ => false,
    }
}

/// Sequence numbers that may pass, if an index can tell.
fn candidates(store: &Store, collection: Collection, filter: &Filter) -> Option<Vec<u64>> {
    let table = store.table(collection);
    match filter {
        Filter::And(left, right) => {
            candidates(store, collection, left).or_else(|| candidates(store, collection, right))
        }
        Filter::Any(target, inner) => match &**inner {
            Filter::Test(sub, Op::Eq, value) => {
                let mut target = *target;
                target.sub = sub.attr;
                candidates(store, collection, &Filter::Test(target, Op::Eq, value.clone()))
            }
            _ => None,
        },
        Filter::Test(target, Op::Eq, Value::String(value)) if target.extension.is_none() => {
            let leaf = target.leaf()?.name;
            let (index, key) = match (target.attr?.name, leaf) {
                ("id", _) => {
                    return Some(table.by_id.get(value).copied().into_iter().collect());
                }
                ("userName", _) if collection == Collection::Users => ("userName", value.to_lowercase()),
                ("displayName", _) if collection == Collection::Groups => ("displayName", value.to_lowercase()),
                ("externalId", _) => ("externalId", value.clone()),
                ("emails", "value") => ("emails.value", value.to_lowercase()),
                ("members", "value") => ("members.value", value.clone()),
                _ => return None,
            };
            Some(table.indexed(index, &key).into_iter().flatten().copied().collect())
        }
        _ => None,
    }
}

/// What the filter lets through, in order of creation. `None` is everything.
fn select(store: &Store, dialect: &Dialect, collection: Collection, query: &Query) -> Outcome<Option<Vec<u64>>> {
    let Some(text) = &query.filter else {
        return Ok(None);
    };
    let table = store.table(collection);
    if dialect.filters == Filters::AfterEq {
        let Some((_, value)) = text.split_once("eq ") else {
            return Err(Fail::new(500, "Internal Server Error"));
        };
        let value = value.trim_matches('"');
        let found = match collection {
            Collection::Users => table.indexed("lookup", value),
            Collection::Groups => table.indexed("displayName", &value.to_lowercase()),
        };
        return Ok(Some(found.into_iter().flatten().copied().collect()));
    }
    let filter = understand(text, dialect, collection)?;
    let passes = |record: &Record| {
        let mut whole;
        let body = if collection == Collection::Users && text.to_ascii_lowercase().contains("groups") {
            whole = record.body.clone();
            whole.extend(store.memberships(&record.id).map(|groups| ("groups".to_owned(), groups)));
            &whole
        } else {
            &record.body
        };
        matches(&filter, body)
    };
    let all = candidates(store, collection, &filter);
    let all = all.as_ref().unwrap_or(&table.order);
    let pass = all.iter().filter(|seq| table.rows.get(seq).is_some_and(passes));
    Ok(Some(pass.copied().collect()))
}

fn sorted(store: &Store, collection: Collection, chosen: Option<Vec<u64>>, query: &Query) -> Outcome<Option<Vec<u64>>> {
    let Some(by) = &query.sort_by else {
        return Ok(chosen);
    };
    let table = store.table(collection);
    let target = collection.kind().resolve(by);
    let target = target.ok_or_else(|| Fail::bad("invalidPath", format!("cannot sort by '{by}'")))?;
    let chosen = chosen.unwrap_or_else(|| table.order.clone());
    let mut keyed: Vec<_> = chosen
        .into_iter()
        .map(|seq| {
            let key = table.rows.get(&seq).and_then(|record| sort_key(target, &record.body));
            // Without a value: last when ascending, first when descending.
            (key.is_none(), key, seq)
        })
        .collect();
    keyed.sort();
    if query.descending {
        keyed.reverse();
    }
    Ok(Some(keyed.into_iter().map(|(_, _, seq)| seq).collect()))
}

/// Answers a list.
pub(super) fn list(
    store: &Store,
    dialect: &Dialect,
    collection: Collection,
    query: &Query,
    fault: Option<&PageFault>,
) -> Outcome<Value> {
    let table = store.table(collection);
    let heeds = fault != Some(&PageFault::IgnoreQuery);
    let mut chosen = if heeds { select(store, dialect, collection, query)? } else { None };
    if dialect.sort {
        chosen = sorted(store, collection, chosen, query)?;
    }
    if dialect.newest_first {
        let mut list = chosen.unwrap_or_else(|| table.order.clone());
        list.reverse();
        chosen = Some(list);
    }
    let all: &[u64] = chosen.as_ref().unwrap_or(&table.order);
    let paged = dialect.group_paging || collection == Collection::Users;
    let count = match query.count.filter(|_| paged && heeds) {
        None => dialect.default_page,
        Some(0) if dialect.first_email => dialect.default_page,
        Some(count) => usize::try_from(count).unwrap_or(0).min(dialect.max_page),
    };
    let cursor = query.cursor.as_deref().filter(|_| dialect.cursor);
    let start = match cursor {
        Some(cursor) => read_cursor(cursor, all, query)?,
        None => usize::try_from(query.start.filter(|_| paged).unwrap_or(1).max(1) - 1).unwrap_or(0),
    };
    let from = match fault {
        Some(PageFault::Repeat) => start.saturating_sub(count),
        Some(PageFault::Drop) => start.saturating_add(count),
        _ => start,
    }
    .min(all.len());
    let page = &all[from..from.saturating_add(count).min(all.len())];
    let projection = Projection::new(collection.kind(), query);
    let resources: Vec<Value> = page
        .iter()
        .filter_map(|seq| table.rows.get(seq))
        .filter_map(|record| seen(record, fault))
        .map(|body| render(store, dialect, collection, body, &projection))
        .collect();
    let mut total = all.len().min(dialect.total_cap.unwrap_or(usize::MAX));
    if let Some(PageFault::WrongTotal { total: fixed, delta }) = fault {
        total = fixed.unwrap_or_else(|| total.saturating_add_signed(*delta));
    }
    let mut answer = json!({
        "schemas": [LIST_URN],
        "totalResults": total,
        "itemsPerPage": resources.len(),
        "Resources": resources,
    });
    if cursor.is_none() {
        answer["startIndex"] = (start + 1).into();
    } else {
        let end = start.saturating_add(count);
        if count > 0 && end < all.len() {
            answer["nextCursor"] = write_cursor(end, all, query).into();
        }
    }
    Ok(answer)
}

/// Answers a search of everything: users before groups, and of those only
/// the ones whose type knows the names in the filter.
pub(super) fn list_all(store: &Store, dialect: &Dialect, query: &Query) -> Outcome<Value> {
    let mut rows = Vec::new();
    let mut refusal = None;
    for collection in [Collection::Users, Collection::Groups] {
        match select(store, dialect, collection, query) {
            Ok(found) => {
                let table = store.table(collection);
                let found = found.unwrap_or_else(|| table.order.clone());
                rows.extend(found.into_iter().map(|seq| (collection, seq)));
            }
            Err(fail) => refusal = Some(fail),
        }
    }
    if let Some(fail) = refusal.filter(|_| rows.is_empty()) {
        return Err(fail);
    }
    let start = usize::try_from(query.start.unwrap_or(1).max(1) - 1).unwrap_or(0);
    let count =
        query.count.map_or(dialect.default_page, |count| usize::try_from(count).unwrap_or(0).min(dialect.max_page));
    let page = rows.iter().skip(start).take(count);
    let resources: Vec<Value> = page
        .filter_map(|(collection, seq)| {
            let record = store.table(*collection).rows.get(seq)?;
            let projection = Projection::new(collection.kind(), query);
            Some(render(store, dialect, *collection, &record.body, &projection))
        })
        .collect();
    Ok(json!({
        "schemas": [LIST_URN],
        "totalResults": rows.len(),
        "itemsPerPage": resources.len(),
        "startIndex": start + 1,
        "Resources": resources,
    }))
}

/// A resource as a replica may see it.
pub(super) fn seen<'a>(record: &'a Record, fault: Option<&PageFault>) -> Option<&'a Object> {
    match fault {
        Some(PageFault::Stale(ms)) if record.changed.elapsed() < Duration::from_millis(*ms) => record.before.as_ref(),
        _ => Some(&record.body),
    }
}

/// A cursor names the last resource seen, so that others may come and go; of
/// a sorted list it names the place.
fn write_cursor(end: usize, all: &[u64], query: &Query) -> String {
    let text = match query.sort_by {
        Some(_) => format!("at:{end}"),
        None => format!("after:{}", all[end - 1]),
    };
    URL_SAFE_NO_PAD.encode(text)
}

fn read_cursor(cursor: &str, all: &[u64], query: &Query) -> Outcome<usize> {
    if cursor.is_empty() {
        return Ok(0);
    }
    let invalid = || Fail::bad("invalidCursor", "this cursor was not issued here");
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| invalid())?;
    let text = String::from_utf8(bytes).map_err(|_| invalid())?;
    let (how, number) = text.split_once(':').ok_or_else(invalid)?;
    let number: u64 = number.parse().map_err(|_| invalid())?;
    match (how, &query.sort_by) {
        ("at", Some(_)) => usize::try_from(number).map_err(|_| invalid()),
        ("after", None) => Ok(all.partition_point(|seq| *seq <= number)),
        _ => Err(invalid()),
    }
}
