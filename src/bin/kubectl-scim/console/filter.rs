//! Which of the people are shown, and which page of them.

use std::cmp::Ordering;

use maud::{Markup, html};
use serde::{Deserialize, Deserializer};
use url::form_urlencoded::Serializer;

use super::entry::{Entry, connection_called, connection_key};
use super::folded::searched;
use super::kept::Kept;
use super::members::Members;

/// So many are on a page.
pub const PAGE: usize = 100;

/// What the address of a page says; what it leaves out doesn't matter.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub struct Filter {
    /// Words, all of which are in the names, the addresses or the ids.
    pub q: String,
    pub connection: String,
    pub state: String,
    pub reason: String,
    pub roster: String,
    /// `namespace/name`; what isn't one has no members.
    pub group: String,
    /// What they are sorted by; else by namespace and name.
    pub sort: String,
    /// From 1.
    #[serde(deserialize_with = "number")]
    pub page: usize,
}

/// Sorted by userName or displayName, without letter case and accents.
pub const BY_NAME: &str = "name";
/// Sorted by the last change, the newest first.
pub const BY_CHANGE: &str = "change";

/// The number of a page; what isn't one is the first.
pub fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    String::deserialize(deserializer).map(|text| text.parse().unwrap_or_default())
}

/// One page of those that fit.
pub struct Page<'a> {
    pub entries: Vec<&'a Entry>,
    /// How many fit.
    pub total: usize,
    /// From 1.
    pub number: usize,
    pub pages: usize,
}

impl Filter {
    /// Those that fit. `groups` are those that a group is chosen from.
    pub fn all<'a>(
        &self,
        entries: impl Iterator<Item = &'a Entry>,
        groups: &Kept<Entry>,
    ) -> impl Iterator<Item = &'a Entry> {
        let group = self.group.split_once('/').and_then(|(namespace, name)| groups.get(namespace, name));
        let members = group.and_then(Members::of);
        let text = searched(&self.q);
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        let (connection, roster) = (connection_called(&self.connection), self.roster.split_once('/'));
        let any = |wanted: &str, is: &dyn Fn() -> bool| wanted.is_empty() || is();
        entries.filter(move |entry| {
            let object = &entry.object;
            words.iter().all(|word| entry.text.contains(word.as_str()))
                && any(&self.state, &|| object.state.as_deref() == Some(self.state.as_str()))
                && any(&self.reason, &|| object.reason.as_deref() == Some(self.reason.as_str()))
                && any(&self.connection, &|| connection_key(object) == connection)
                && any(&self.group, &|| members.as_ref().is_some_and(|members| members.has(entry)))
                && any(&self.roster, &|| {
                    entry.roster.as_ref().is_some_and(|known| roster == Some((object.namespace.as_str(), &*known.name)))
                })
        })
    }

    /// How they are sorted, if not as they are listed. What a search looks through begins with the name.
    fn order(&self) -> Option<fn(&&Entry, &&Entry) -> Ordering> {
        match self.sort.as_str() {
            BY_NAME => Some(|a, b| a.text.cmp(&b.text)),
            BY_CHANGE => Some(|a, b| (b.object.last_change, &a.text).cmp(&(a.object.last_change, &b.text))),
            _ => None,
        }
    }

    /// All that fit, in their order.
    pub fn sorted<'a>(&self, entries: impl Iterator<Item = &'a Entry>, groups: &Kept<Entry>) -> Vec<&'a Entry> {
        let mut found: Vec<&Entry> = self.all(entries, groups).collect();
        if let Some(order) = self.order() {
            found.sort_unstable_by(order);
        }
        found
    }

    /// One page of them; the last one where there are fewer.
    pub fn page<'a>(&self, entries: impl Iterator<Item = &'a Entry>, groups: &Kept<Entry>) -> Page<'a> {
        let mut found: Vec<&Entry> = self.all(entries, groups).collect();
        let (total, pages) = (found.len(), found.len().div_ceil(PAGE).max(1));
        let number = self.page.clamp(1, pages);
        let from = (number - 1) * PAGE;
        if let Some(order) = self.order() {
            // Of a hundred thousand only those of the page are sorted.
            if from < total {
                found.select_nth_unstable_by(from, order);
            }
            if from + PAGE < total {
                found[from..].select_nth_unstable_by(PAGE, order);
            }
            let until = total.min(from + PAGE);
            found[from..until].sort_unstable_by(order);
        }
        let entries = found.into_iter().skip(from).take(PAGE).collect();
        Page { entries, total, number, pages }
    }

    /// The heading of a column that a list may be sorted by: a link that does so, or ends it.
    pub fn heading(&self, title: &str, sort: &str, path: &str) -> Markup {
        let is_so = self.sort == sort;
        let other = if is_so { String::new() } else { sort.to_owned() };
        let direction = if sort == BY_CHANGE { "descending" } else { "ascending" };
        html! {
            th aria-sort=[is_so.then_some(direction)] {
                a href=(Self { sort: other, page: 1, ..self.clone() }.address(path)) { (title) }
            }
        }
    }

    /// The address of what this shows.
    pub fn address(&self, path: &str) -> String {
        let mut query = Serializer::new(String::new());
        for (name, value) in [
            ("q", &self.q),
            ("connection", &self.connection),
            ("state", &self.state),
            ("reason", &self.reason),
            ("roster", &self.roster),
            ("group", &self.group),
            ("sort", &self.sort),
        ] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        if self.page > 1 {
            query.append_pair("page", &self.page.to_string());
        }
        let query = query.finish();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::Roster;
    use super::*;
    use crate::objects::Object;

    fn entries(count: usize) -> Vec<Entry> {
        let entry = |number: usize| {
            let object = Object {
                namespace: "identity".into(),
                name: format!("user-{number}"),
                called: format!("Üser{number}@Example.com"),
                connection: "datadog".into(),
                state: Some(if number.is_multiple_of(2) { "Active" } else { "Held" }.into()),
                ..Object::default()
            };
            let text = searched(&format!("{}\n{}", object.called, object.name));
            let roster = (number == 3).then(|| Roster { name: "people".into(), mark: [0; 5] });
            Entry { object, text: text.into(), roster, ..Entry::default() }
        };
        (0..count).map(entry).collect()
    }

    #[test]
    fn people_are_found_by_words_in_any_letter_case_and_by_what_they_are() {
        let all = entries(250);
        let found = |filter: Filter| filter.page(all.iter(), &Kept::default()).total;
        assert_eq!(found(Filter::default()), 250);
        assert_eq!(found(Filter { q: "ÜSER17@ example".into(), ..Filter::default() }), 1);
        assert_eq!(found(Filter { state: "Held".into(), ..Filter::default() }), 125);
        assert_eq!(found(Filter { connection: "identity/datadog".into(), ..Filter::default() }), 250);
        assert_eq!(found(Filter { connection: "datadog".into(), ..Filter::default() }), 0, "a cluster's is another");
        assert_eq!(found(Filter { roster: "identity/people".into(), ..Filter::default() }), 1);
        let last = Filter { page: 9, ..Filter::default() }.page(all.iter(), &Kept::default());
        assert_eq!((last.number, last.pages, last.entries.len()), (3, 3, 50));
    }

    #[test]
    fn people_are_sorted_by_name_or_by_their_last_change_and_each_is_on_one_page() {
        let mut all = entries(250);
        for (number, entry) in all.iter_mut().enumerate() {
            // As listed, the odd ones come last.
            let seconds = i64::try_from(number * 7 % 250).unwrap();
            entry.object.last_change = jiff::Timestamp::from_second(seconds).ok();
        }
        let sorted = |sort: &str| -> Vec<String> {
            let page = |page| {
                let filter = Filter { sort: sort.into(), page, ..Filter::default() };
                filter.page(all.iter(), &Kept::default()).entries.into_iter().map(|entry| entry.text.to_string())
            };
            let pages: Vec<String> = (1..=3).flat_map(page).collect();
            let filter = Filter { sort: sort.into(), ..Filter::default() };
            let whole = filter.sorted(all.iter(), &Kept::default()).into_iter().map(|entry| entry.text.to_string());
            assert_eq!(pages, whole.collect::<Vec<_>>(), "{sort}");
            pages
        };
        let mut names = sorted("");
        assert_eq!(sorted("nothing of the kind"), names);
        let newest: Vec<String> = sorted(BY_CHANGE);
        assert!(newest[0].contains("user-107") && newest[249].contains("user-0"), "{newest:?}");
        names.sort();
        assert_eq!(sorted(BY_NAME), names);
    }

    #[test]
    fn what_is_no_number_is_the_first_page() {
        let read = |query: &str| {
            let address = format!("http://127.0.0.1/people?{query}").parse().unwrap();
            axum::extract::Query::<Filter>::try_from_uri(&address).unwrap().0
        };
        assert_eq!((read("page=abc&q=x").page, read("page=7").page, read("page=-1").page), (0, 7, 0));
    }

    #[test]
    fn an_address_says_it_all_and_breaks_out_of_nothing() {
        let filter = Filter { q: "a&b=\"<c>".into(), page: 2, ..Filter::default() };
        assert_eq!(filter.address("/people"), "/people?q=a%26b%3D%22%3Cc%3E&page=2");
        assert_eq!(Filter::default().address("/people"), "/people");
    }

    #[test]
    fn a_search_among_a_hundred_thousand_finds_them_all() {
        let all = entries(100_000);
        let found = Filter { q: "user-99 com".into(), ..Filter::default() }.page(all.iter(), &Kept::default());
        assert_eq!((found.total, found.entries.len()), (1111, PAGE));
    }
}
