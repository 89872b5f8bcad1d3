//! A server's words without what they repeat of the request: a name, an address or a place may hold any word, and says nothing of
//! why it was refused.

use percent_encoding::percent_decode_str;
use serde_json::Value;
use url::Url;

/// What isn't anybody's value: names of attributes, and kinds.
const FORMS: [&str; 5] = ["schemas", "op", "path", "type", "$ref"];
/// Attributes that name somebody, or a group: their values are repeated as they are. Of any other a plain word is the
/// server's own as likely as not: the role `user`, the title `Manager`.
const NAMES: [&str; 12] = [
    "userName",
    "externalId",
    "displayName",
    "nickName",
    "formatted",
    "familyName",
    "givenName",
    "middleName",
    "emails",
    "members",
    "manager",
    "name",
];
/// What servers speak of themselves, whoever is called so.
const SPOKEN_OF: [&str; 10] =
    ["user", "users", "member", "members", "group", "groups", "account", "accounts", "active", "manager"];
/// Shorter ones are in any text.
const SHORTEST: usize = 3;
/// A longer one is repeated by nobody.
const LONGEST: usize = 512;
/// So many are looked for.
const MOST: usize = 200;
/// What stands where something was taken out: the words on both sides of it aren't one phrase.
const GAP: char = '…';

/// The values that a request sent, the longest first: in its path, its filter and its body.
pub(super) fn values_sent(url: &Url, body: Option<&Value>) -> Vec<String> {
    let mut values = Vec::new();
    let id = url.path_segments().and_then(|mut segments| segments.next_back());
    let id = id.and_then(|id| percent_decode_str(id).decode_utf8().ok());
    if let Some(id) = id {
        gather_text(&id, true, &mut values);
    }
    for (_, filter) in url.query_pairs().filter(|(name, _)| name == "filter") {
        let quoted = filter.split_once('"').and_then(|(_, rest)| rest.rsplit_once('"'));
        if let Some((value, _)) = quoted {
            gather_text(value, true, &mut values);
        }
    }
    if let Some(body) = body {
        gather(body, false, &mut values);
    }
    values.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
    values.dedup();
    values
}

fn gather(value: &Value, names: bool, values: &mut Vec<String>) {
    match value {
        _ if values.len() >= MOST => {}
        Value::String(text) => gather_text(text, names, values),
        Value::Array(list) => list.iter().for_each(|value| gather(value, names, values)),
        Value::Object(map) => {
            let is_in = |list: &[&str], name: &str| list.iter().any(|known| name.eq_ignore_ascii_case(known));
            // The value of an operation of a PATCH is of the attribute that its path names.
            let of_path = map.get("path").and_then(Value::as_str).is_some_and(|path| is_in(&NAMES, path));
            for (name, value) in map.iter().filter(|(name, _)| !is_in(&FORMS, name)) {
                gather(value, names || of_path || is_in(&NAMES, name), values);
            }
        }
        _ => {}
    }
}

/// A text, and what is before and after its `@`.
fn gather_text(text: &str, names: bool, values: &mut Vec<String>) {
    let parts = text.split_once('@').map(|(local, domain)| [local, domain]);
    let all = [text].into_iter().chain(parts.into_iter().flatten()).map(str::trim);
    let is_word = |part: &str| part.chars().all(char::is_alphabetic);
    let is_spoken_of = |part: &str| SPOKEN_OF.iter().any(|known| part.eq_ignore_ascii_case(known));
    let all = all.filter(|part| (SHORTEST..=LONGEST).contains(&part.len()));
    values.extend(all.filter(|part| !is_word(part) || names && !is_spoken_of(part)).map(str::to_owned));
}

/// The words in small letters, without what was sent.
pub(super) fn without(words: &str, sent: &[String]) -> String {
    sent.iter().fold(words.to_owned(), |words, value| cut(&words, value)).to_lowercase()
}

/// Takes out a value that stands by itself, and is no part of a word, in whatever letters.
fn cut(words: &str, value: &str) -> String {
    let mut kept = String::with_capacity(words.len());
    let mut from = 0;
    // In ASCII, so that the places stay.
    for (at, _) in words.to_ascii_lowercase().match_indices(&value.to_ascii_lowercase()) {
        let end = at + value.len();
        let inside = words[..at].ends_with(char::is_alphanumeric) || words[end..].starts_with(char::is_alphanumeric);
        if !inside {
            kept.push_str(&words[from..at]);
            kept.push(GAP);
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
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "j.seat@Example.com", "title": "Manager",
            "displayName": "No Seat", "name": {"familyName": "Seat"}, "emails": [{"value": "j@seat.es", "type": "work"}],
            "roles": [{"value": "user"}], "userType": "active",
        });
        for (words, expected) in [
            ("User J.Seat@example.com already exists", "user … already exists"),
            ("the user j.seat@example.com is there", "the user … is there"),
            ("domain seat.es isn't verified", "domain … isn't verified"),
            ("'No Seat' is invalid", "'…' is invalid"),
            ("SEAT, JUNE exists already", "…, june exists already"),
            ("no seats left, work on that", "no seats left, work on that"),
            ("ada@seat.es is not found by j.seatings", "… is not found by j.seatings"),
            ("Manager does not exist", "manager does not exist"),
            ("your user limit is reached", "your user limit is reached"),
            ("active is not allowed", "active is not allowed"),
        ] {
            assert_eq!(left(words, &body), expected, "{words}");
        }
    }

    #[test]
    fn i21_an_id_of_the_path_is_repeated_too() {
        let url = Url::parse("https://example.com/scim/Groups/computer-science").unwrap();
        assert_eq!(without("/Groups/computer-science not found", &values_sent(&url, None)), "/groups/… not found");
        let url = Url::parse("https://example.com/scim/Users/ada%40seat.es").unwrap();
        assert_eq!(without("too much for ada@seat.es", &values_sent(&url, None)), "too much for …");
    }

    /// What names an attribute isn't what it holds.
    #[test]
    fn i21_the_paths_of_a_patch_are_still_spoken_of() {
        let patch = json!({"Operations": [{"op": "replace", "path": "displayName", "value": "Chief Seat"}]});
        assert_eq!(left("displayName Chief Seat can't replace", &patch), "displayname … can't replace");
    }
}
