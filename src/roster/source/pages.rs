//! Answers that come in pages: whether all of them are there.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::api::Row;

/// What `OData`, Google, JSON:API, Zendesk, Auth0 and others name the next page by. A last one lacks it, or has nothing there.
const NEXT: [&str; 10] = [
    "@odata.nextLink",
    "odata.nextLink",
    "nextLink",
    "__next",
    "nextPageToken",
    "next_page",
    "next",
    "nextCursor",
    "next_cursor",
    "after_cursor",
];
/// Goes before them: a last page may name a next one all the same.
const MORE: [&str; 3] = ["more", "has_more", "hasMore"];
/// How many there are on all pages, and never anything else: `OData` and SCIM.
const IN_ALL: [&str; 4] = ["@odata.count", "odata.count", "__count", "totalResults"];
/// The same, beside one of `OF_PAGES`.
const TOTALS: [&str; 6] = ["total", "totalCount", "total_count", "totalElements", "total_elements", "count"];
/// Tells that a list is one of several, or could be.
const OF_PAGES: [&str; 12] = [
    "start",
    "startIndex",
    "offset",
    "skip",
    "limit",
    "itemsPerPage",
    "per_page",
    "perPage",
    "pageSize",
    "page_size",
    "page",
    "current_page",
];
/// Objects of an answer that have such beside its list.
const BESIDE: [&str; 6] = ["links", "_links", "meta", "metadata", "paging", "pagination"];

/// What is known of the pages of a source, by their collection.
#[derive(Clone, Debug, Default)]
pub struct Pages(BTreeMap<String, Collection>);

#[derive(Clone, Debug, Default)]
struct Collection {
    /// What says of one that another follows.
    goes_on: Option<String>,
    /// One says of itself that it is the last.
    has_last: bool,
    /// So many rows are on the pages.
    rows: u64,
    /// So many there should be, and what says so.
    total: Option<(u64, String)>,
}

impl Pages {
    /// A page whose list, of so many rows, was taken out of this field.
    pub fn see(&mut self, page: &Row, list: &str, rows: usize) {
        let context = page.get("@odata.context").or_else(|| page.get("odata.metadata")).and_then(Value::as_str);
        let collection = self.0.entry(context.unwrap_or(list).to_owned()).or_default();
        collection.rows += u64::try_from(rows).unwrap_or(u64::MAX);
        let fields = fields(page);
        match continuation(&fields) {
            Some(name) => _ = collection.goes_on.get_or_insert(name),
            None => collection.has_last = true,
        }
        collection.total = collection.total.take().into_iter().chain(total(&fields)).max();
    }

    /// What is missing.
    pub fn problem(&self) -> Option<String> {
        self.0.values().find_map(|Collection { goes_on, has_last, rows, total }| match (goes_on, total) {
            (Some(name), _) if !has_last => {
                Some(format!("the last page is missing ({name}): put all of them into the source"))
            }
            (_, Some((total, name))) if rows < total => Some(format!(
                "there are {rows} rows, and {total} should be ({name}): put all pages into the source. If you have taken \
                 some out, take out {name}, too"
            )),
            _ => None,
        })
    }
}

/// Everything beside the list, with its name.
fn fields(page: &Row) -> Vec<(String, &str, &Value)> {
    let own = page.iter().map(|(name, value)| (name.clone(), name.as_str(), value));
    let inner = BESIDE.into_iter().filter_map(|name| Some((name, page.get(name)?.as_object()?)));
    let inner = inner.flat_map(|(outer, object)| {
        object.iter().map(move |(name, value)| (format!("{outer}.{name}"), name.as_str(), value))
    });
    own.chain(inner).collect()
}

/// What says that another page follows.
fn continuation(fields: &[(String, &str, &Value)]) -> Option<String> {
    let named = |names: &'static [&str]| fields.iter().filter(move |(_, name, _)| names.contains(name));
    if let Some((name, _, more)) = named(&MORE).find(|(_, _, value)| value.is_boolean()) {
        return (**more == Value::Bool(true)).then(|| name.clone());
    }
    named(&NEXT).find(|(_, _, value)| says_something(value)).map(|(name, ..)| name.clone())
}

fn says_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.trim().is_empty(),
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        Value::Bool(true) => true,
    }
}

/// How many there should be on all pages, and what says so.
fn total(fields: &[(String, &str, &Value)]) -> Option<(u64, String)> {
    let is_paged =
        fields.iter().any(|(_, name, _)| [&OF_PAGES[..], &NEXT, &MORE].iter().any(|known| known.contains(name)));
    let counts = |name: &&str| IN_ALL.contains(name) || (is_paged && TOTALS.contains(name));
    let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
    let totals = fields.iter().filter(|(_, name, _)| counts(name));
    totals.filter_map(|(path, _, value)| Some((number(value)?, path.clone()))).max()
}
