//! A server's words without what they repeat of the request: a name, an address or a place may hold any word, and says nothing of
//! why it was refused.

use serde_json::Value;
use url::Url;

/// What isn't anybody's value: names of attributes, and kinds.
const FORMS: [&str; 5] = ["schemas", "op", "path", "type", "$ref"];
/// Shorter ones are in any text.
const SHORTEST: usize = 3;
/// A longer one is repeated by nobody.
const LONGEST: usize = 512;
/// So many are looked for.
const MOST: usize = 200;

/// The values that a request sent, the longest first.
pub(super) fn values_sent(url: &Url, body: Option<&Value>) -> Vec<String> {
    let mut values = Vec::new();
    for (_, filter) in url.query_pairs().filter(|(name, _)| name == "filter") {
        let quoted = filter.split_once('"').and_then(|(_, rest)| rest.rsplit_once('"'));
        quoted.into_iter().for_each(|(value, _)| gather_text(value, &mut values));
    }
    body.into_iter().for_each(|body| gather(body, &mut values));
    values.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
    values.dedup();
    values
}

fn gather(value: &Value, values: &mut Vec<String>) {
    match value {
        _ if values.len() >= MOST => {}
        Value::String(text) => gather_text(text, values),
        Value::Array(list) => list.iter().for_each(|value| gather(value, values)),
        Value::Object(map) => {
            let told = map.iter().filter(|(name, _)| !FORMS.iter().any(|form| name.eq_ignore_ascii_case(form)));
            told.for_each(|(_, value)| gather(value, values));
        }
        _ => {}
    }
}

/// A text, and what is before and after its `@`.
fn gather_text(text: &str, values: &mut Vec<String>) {
    let parts = text.split_once('@').map(|(local, domain)| [local, domain]);
    let all = [text].into_iter().chain(parts.into_iter().flatten()).map(str::trim);
    values.extend(all.filter(|part| (SHORTEST..=LONGEST).contains(&part.len())).map(str::to_owned));
}

/// The words in small letters, without what was sent. What is one plain word goes only as it was sent: `User` as a title isn't
/// the user that is spoken of.
pub(super) fn without(words: &str, sent: &[String]) -> String {
    let is_word = |value: &&String| value.chars().all(char::is_alphabetic);
    let others = sent.iter().filter(|value| !is_word(value));
    let words = others.fold(words.to_owned(), |words, value| cut(&words, value, str::to_ascii_lowercase));
    let words = sent.iter().filter(is_word).fold(words, |words, value| cut(&words, value, str::to_owned));
    words.to_lowercase()
}

/// Takes out a value that stands by itself, and is no part of a word; `folded` keeps the length.
fn cut(words: &str, value: &str, folded: impl Fn(&str) -> String) -> String {
    let mut kept = String::with_capacity(words.len());
    let mut from = 0;
    for (at, _) in folded(words).match_indices(&folded(value)) {
        let end = at + value.len();
        let inside = words[..at].ends_with(char::is_alphanumeric) || words[end..].starts_with(char::is_alphanumeric);
        if !inside {
            kept.push_str(&words[from..at]);
            from = end;
        }
    }
    kept.push_str(&words[from..]);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn left(words: &str, body: &Value) -> String {
        let url = Url::parse("https://example.com/Users?filter=userName%20eq%20%22ada%40seat.es%22").unwrap();
        without(words, &values_sent(&url, Some(body)))
    }

    #[test]
    fn i21_what_a_server_repeats_is_none_of_its_words() {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "j.seat@Example.com", "title": "User",
            "displayName": "No Seat", "emails": [{"value": "j@seat.es", "type": "work"}],
        });
        for (words, expected) in [
            ("User J.Seat@example.com already exists", "  already exists"),
            ("the user j.seat@example.com is there", "the user  is there"),
            ("domain seat.es isn't verified", "domain  isn't verified"),
            ("'No Seat' is invalid", "'' is invalid"),
            ("no seats left, work on that", "no seats left, work on that"),
            ("ada@seat.es is not found by j.seatings", " is not found by j.seatings"),
        ] {
            assert_eq!(left(words, &body), expected, "{words}");
        }
    }

    /// What names an attribute isn't what it holds.
    #[test]
    fn i21_the_paths_of_a_patch_are_still_spoken_of() {
        let patch = json!({"Operations": [{"op": "replace", "path": "displayName", "value": "Chief Seat"}]});
        assert_eq!(left("displayName Chief Seat can't replace", &patch), "displayname  can't replace");
    }
}
