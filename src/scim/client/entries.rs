//! The entries of a list, which is read again and again: one that is shown in the same words as before isn't read anew.

use std::fmt;
use std::sync::Arc;

use reqwest::Method;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::Instant;
use url::Url;

use super::super::answer::{Answer, Body};
use super::super::error::{Class, Error};
use super::super::ids::{Forms, Ids};
use super::super::resource::{Attributes, Resource};
use super::{Client, Kind, Page};

/// An entry of a list.
#[derive(Clone, Debug)]
pub enum Entry {
    /// The resource with this id, in the words that are remembered of it.
    Same(Arc<str>),
    /// The resource, and what to remember of its words, where they can be.
    Read(Resource, Option<Text>),
}

impl From<Resource> for Entry {
    fn from(resource: Resource) -> Self {
        Self::Read(resource, None)
    }
}

/// The words of an entry, as far as they are remembered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Text {
    /// Tells them from others.
    pub digest: u64,
    forms: Forms,
}

impl Text {
    /// Of words that have this digest, and no id that is a number.
    pub fn of(digest: u64) -> Self {
        Self { digest, forms: Forms::default() }
    }
}

/// A digest is another one in each process.
impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Text")
    }
}

/// What is remembered of the words of an entry.
#[derive(Clone, Debug)]
pub enum Recalled {
    /// The resource with this id was shown in them, and is known as they tell it.
    Known(Arc<str>, Text),
    /// Nothing; the digest to remember them by.
    New(u64),
}

/// Remembers the words of entries.
pub type Recall<'a> = &'a (dyn Fn(&str) -> Recalled + Send + Sync);

impl Client {
    pub(in super::super) async fn page(&self, kind: Kind, url: Url, deadline: Instant) -> Result<Page, Error> {
        read(&self.send(Method::GET, kind, url, None, None, deadline).await?)
    }

    /// One page, of which only that is read which isn't known by its words.
    pub(super) async fn entries(
        &self,
        kind: Kind,
        url: Url,
        recall: Option<Recall<'_>>,
        deadline: Instant,
    ) -> Result<Page<Entry>, Error> {
        let answer = self.send(Method::GET, kind, url, None, None, deadline).await?;
        match recall.and_then(|recall| compare(&self.ids, &answer, kind, recall)) {
            Some(page) => Ok(page),
            None => Ok(read(&answer)?.map(Entry::from)),
        }
    }
}

/// Takes apart a page; none where the answer is out of the ordinary in any way.
fn compare(ids: &Ids, answer: &Answer, kind: Kind, recall: Recall<'_>) -> Option<Page<Entry>> {
    if answer.refusal().is_some() {
        return None;
    }
    let body = answer.decoded();
    let List { entries, rest } = serde_json::from_slice(&body).ok()?;
    let shown = entries.len() as u64;
    let mut resources = Vec::with_capacity(entries.len());
    let (mut readable, mut seen) = (0, Vec::with_capacity(entries.len()));
    for entry in entries {
        match recall(entry.get()) {
            Recalled::Known(id, text) => {
                seen.push(text.forms);
                readable += 1;
                resources.push(Entry::Same(id));
            }
            Recalled::New(digest) => {
                let Value::Object(mut attributes) = serde_json::from_str(entry.get()).ok()? else { continue };
                let forms = Ids::to_text(kind, &mut attributes);
                seen.push(forms);
                let resource = Resource(attributes);
                readable += u64::from(resource.id().is_some());
                resources.push(Entry::Read(resource, Some(Text { digest, forms })));
            }
        }
    }
    // Of a page that can't be read nothing is learnt.
    for forms in seen {
        ids.see(forms);
    }
    let next_cursor = rest.get("nextCursor").and_then(Value::as_str).map(str::to_owned);
    Some(Page { resources, shown, unreadable: shown - readable, total: rest.number("totalResults"), next_cursor })
}

/// Reads a page whole.
fn read(answer: &Answer) -> Result<Page, Error> {
    let map = match answer.body()? {
        Body::Object(map) => map,
        Body::Empty | Body::EmptyObject => {
            return Err(answer.error(Class::NotScim, Some("but with nothing in it, as a deactivated directory does")));
        }
    };
    let list = Resource(map);
    let total = list.number("totalResults");
    let next_cursor = list.get("nextCursor").and_then(Value::as_str).map(str::to_owned);
    // Past the end, and it says so: RFC 7644 §3.4.2 asks for the resources only where there are some.
    let none_here = list.number("itemsPerPage") == Some(0);
    match (list.get("Resources"), total) {
        (Some(Value::Array(entries)), _) => Ok(Page::new(entries, total, next_cursor)),
        (None | Some(Value::Null), Some(total)) if total == 0 || none_here => {
            Ok(Page { total: Some(total), next_cursor, ..Page::default() })
        }
        _ => Err(answer.error(Class::NotScim, Some("but the body isn't a SCIM list"))),
    }
}

/// A list whose entries are as they came.
struct List<'a> {
    entries: Vec<&'a RawValue>,
    rest: Resource,
}

impl<'de> Deserialize<'de> for List<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ListVisitor)
    }
}

struct ListVisitor;

impl<'de> Visitor<'de> for ListVisitor {
    type Value = List<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a SCIM list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<List<'de>, A::Error> {
        let (mut entries, mut rest) = (None, Attributes::new());
        while let Some(name) = map.next_key::<String>()? {
            if !name.eq_ignore_ascii_case("Resources") {
                rest.insert(name, map.next_value()?);
            } else if entries.replace(map.next_value()?).is_some() {
                return Err(serde::de::Error::duplicate_field("Resources"));
            }
        }
        let entries = entries.ok_or_else(|| serde::de::Error::missing_field("Resources"))?;
        Ok(List { entries, rest: Resource(rest) })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Mutex;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn answer(body: &str, ids: &Ids) -> Answer {
        Answer {
            what: "GET /Users".into(),
            status: 200,
            headers: reqwest::header::HeaderMap::default(),
            body: body.as_bytes().to_vec(),
            secrets: Arc::default(),
            ids: Some((ids.clone(), Kind::Users)),
            creates: false,
            conditional: false,
            sent: Vec::new(),
        }
    }

    /// Whatever servers have shown for an account, and what they shouldn't.
    fn entry() -> impl Strategy<Value = String> {
        let id = prop_oneof![Just(r#""a""#), Just(r#""7""#), Just("7"), Just("1.5"), Just("null"), Just(r#"".""#)];
        let account = (id, any::<bool>()).prop_map(|(id, upper)| {
            let name = if upper { "ID" } else { "id" };
            format!(r#"{{ "{name}": {id}, "userName" : "A\u00e9da", "groups": [{{"value": {id}}}]}}"#)
        });
        let odd = ["null", "3", "[]", "{}", r#"{"id": "a", "id": "b"}"#, r#"{"a": "\ud800"}"#, "{", "1e999"];
        prop_oneof![6 => account, 1 => proptest::sample::select(odd.to_vec()).prop_map(str::to_owned)]
    }

    fn body() -> impl Strategy<Value = String> {
        let rest = ["", r#", "totalResults": 3"#, r#", "TotalResults": "2""#, r#", "nextCursor": "c""#, ", 1", "", ""];
        let name = ["Resources", "Resources", "resources", "Users"];
        let sampled = (proptest::sample::select(name.to_vec()), proptest::sample::select(rest.to_vec()));
        (sampled, proptest::collection::vec(entry(), 0..4))
            .prop_map(|((name, rest), entries)| format!(r#"{{"{name}": [{}]{rest}}}"#, entries.join(",")))
    }

    /// What a page says, the resources with their ids; none where it is no page.
    fn told(page: Option<&Page<Entry>>) -> Option<Value> {
        let page = page?;
        let ids = page.resources.iter().map(|entry| match entry {
            Entry::Same(id) => json!(**id),
            Entry::Read(resource, _) => resource.id().map_or_else(|| json!(resource.0), |id| json!(id)),
        });
        let ids: Vec<Value> = ids.collect();
        Some(json!([ids, page.shown, page.unreadable, page.total, page.next_cursor]))
    }

    fn forms(ids: &Ids) -> String {
        format!("{ids:?}")
    }

    proptest! {
        /// However often it is shown: what is taken apart says what the whole says, and of ids the same forms.
        #[test]
        fn i11_a_page_whose_entries_are_known_says_the_same(bodies in proptest::collection::vec(body(), 1..6)) {
            let (whole, apart) = (Ids::default(), Ids::default());
            let known: Mutex<HashMap<String, (Arc<str>, Text)>> = Mutex::default();
            for body in bodies {
                let recall = |text: &str| match known.lock().unwrap().get(text) {
                    Some((id, text)) => Recalled::Known(Arc::clone(id), *text),
                    None => Recalled::New(text.len() as u64),
                };
                let expected = read(&answer(&body, &whole)).ok().map(|page| page.map(Entry::from));
                let page = compare(&apart, &answer(&body, &apart), Kind::Users, &recall);
                let Some(page) = page else {
                    // It is read whole.
                    let _ = read(&answer(&body, &apart));
                    continue;
                };
                prop_assert_eq!(told(Some(&page)), told(expected.as_ref()), "{}", body);
                prop_assert_eq!(forms(&apart), forms(&whole));
                let texts: List = serde_json::from_str(&body).unwrap();
                let objects = texts.entries.iter().filter(|text| text.get().starts_with('{'));
                for (text, entry) in objects.zip(&page.resources) {
                    if let Entry::Read(resource, Some(words)) = entry && let Some(id) = resource.id() {
                        known.lock().unwrap().insert(text.get().to_owned(), (id.into(), *words));
                    }
                }
            }
        }
    }

    #[test]
    fn an_ordinary_page_is_taken_apart() {
        let ids = Ids::default();
        let body = r#"{"totalResults": 1, "Resources": [{"id": 7, "userName": "ada"}]}"#;
        let page = compare(&ids, &answer(body, &ids), Kind::Users, &|_| Recalled::New(1)).unwrap();
        assert_eq!(told(Some(&page)), Some(json!([["7"], 1, 0, 1, null])));
    }
}
