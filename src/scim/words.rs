//! Why a server refuses, in its own words: few keep to the form of RFC 7644 §3.12. What is found is a person's to read; it is
//! bounded and cleaned by whoever shows it.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};
use serde_json::{Map, Value};

/// A longer text is cut, and no sentence where nothing else says that it is a reason.
const LONGEST_TEXT: usize = 4096;
/// So many errors of a list are told.
const MOST_ERRORS: usize = 8;
/// So deep a reason may be.
const DEPTH: u8 = 4;

/// The attributes that say why, the most telling first: RFC 7644 has `detail`, RFC 9457 `detail` and `title`, Okta
/// `errorSummary`, OAuth `error_description`, and most others `message` or `error`.
const REASONS: [&str; 9] =
    ["detail", "message", "errorSummary", "error_description", "errorMessage", "description", "error", "msg", "reason"];

/// The reason in the body of a refusal; `content_type` is what it says to be.
pub(super) fn reason(body: &[u8], content_type: Option<&str>) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?.trim();
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(map)) => of_object(&map, DEPTH),
        Ok(Value::Array(list)) => of_list(&list, DEPTH),
        Ok(Value::String(text)) => sentence(&text),
        Err(_) if is_plain(text, content_type) => sentence(text),
        Ok(_) | Err(_) => None,
    }
}

/// One line that doesn't pretend to be anything else.
fn is_plain(text: &str, content_type: Option<&str>) -> bool {
    let media_type = content_type.map(|kind| kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    let kind = media_type.is_none_or(|kind| kind == "text/plain" || kind.ends_with("json"));
    kind && text.len() <= LONGEST_TEXT && !text.contains('\n') && !text.starts_with(['{', '['])
}

fn of_object(map: &Map<String, Value>, depth: u8) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    let get = |name: &str| map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let reason = REASONS.iter().find_map(|name| of_value(get(name)?, depth));
    let errors = ["errors", "errorCauses"].iter().find_map(|name| match get(name)? {
        Value::Object(fields) => of_fields(fields, depth),
        other => of_value(other, depth),
    });
    match (reason, errors) {
        (Some(reason), Some(errors)) if errors != reason => Some(format!("{reason}: {errors}")),
        (reason, errors) => reason.or(errors).or_else(|| of_value(get("title")?, depth)),
    }
}

/// The `errors` of a problem: what is wrong with each field.
fn of_fields(fields: &Map<String, Value>, depth: u8) -> Option<String> {
    let told =
        fields.iter().filter_map(|(name, value)| Some(format!("{}: {}", sentence(name)?, of_value(value, depth)?)));
    joined(told)
}

fn of_list(list: &[Value], depth: u8) -> Option<String> {
    joined(list.iter().filter_map(|value| of_value(value, depth)))
}

fn of_value(value: &Value, depth: u8) -> Option<String> {
    match value {
        Value::String(text) => sentence(text),
        Value::Object(map) => of_object(map, depth),
        Value::Array(list) => of_list(list, depth.checked_sub(1)?),
        _ => None,
    }
}

fn joined(told: impl Iterator<Item = String>) -> Option<String> {
    let told: Vec<String> = told.take(MOST_ERRORS).collect();
    (!told.is_empty()).then(|| told.join("; "))
}

/// What servers say of an attribute that they lack.
const MISSING: [&str; 9] = [
    "required",
    "missing",
    "must be provided",
    "must be present",
    "must not be null",
    "cannot be null",
    "can't be blank",
    "is empty",
    "undefined",
];

/// What servers say that have no seat left, in whole words, of which the last may be one of several.
const SEATS: [&str; 23] = [
    "seat",
    "no seat",
    "seat limit",
    "insufficient seat",
    "out of seat",
    "license limit",
    "licence limit",
    "license count",
    "licence count",
    "license quota",
    "licence quota",
    "no license",
    "no licence",
    "not enough license",
    "not enough licence",
    "license available",
    "licenses available",
    "licences available",
    "user limit",
    "user quota",
    "maximum number of user",
    "upgrade your plan to add",
    "upgrade your plan to invite",
];

/// Whether a reason, in small letters, says that there is no seat left: in a phrase, or in a code such as `seatLimitExceeded`.
pub(super) fn wants_seat(reason: &str) -> bool {
    // Words on both sides of a full stop, a bracket or something taken out are no phrase.
    let adjoins = |c: char| c.is_whitespace() || "-_".contains(c);
    let apart: String = reason.chars().map(|c| if c.is_alphanumeric() || adjoins(c) { c } else { '.' }).collect();
    let apart = apart.replace('.', " . ");
    let words: Vec<&str> = apart.split(adjoins).filter(|word| !word.is_empty()).collect();
    let spaced = format!(" {} ", words.join(" "));
    SEATS.iter().any(|phrase| {
        let code = phrase.replace(' ', "");
        let is_said = spaced.contains(&format!(" {phrase} ")) || spaced.contains(&format!(" {phrase}s "));
        is_said || code.len() > phrase.find(' ').unwrap_or(usize::MAX) && words.iter().any(|word| word.contains(&code))
    })
}

/// What servers say of an attribute that nobody may write.
const READ_ONLY: [&str; 5] = ["read-only", "read only", "readonly", "immutable", "mutability"];

/// Whether a reason says that something is read-only.
pub(super) fn says_read_only(reason: &str) -> bool {
    let reason = reason.to_ascii_lowercase();
    READ_ONLY.iter().any(|words| reason.contains(words))
}

/// Whether a reason says that something is missing.
pub(super) fn misses_something(reason: &str) -> bool {
    let reason = reason.to_ascii_lowercase();
    MISSING.iter().any(|missing| reason.contains(missing))
}

/// Whether a reason says that one of these attributes is missing.
pub(super) fn says_missing<'a>(reason: &str, mut names: impl Iterator<Item = &'a str>) -> bool {
    let reason = reason.to_ascii_lowercase();
    let mut words = reason.split(|c: char| !c.is_ascii_alphanumeric());
    let names: Vec<String> = names.by_ref().map(str::to_ascii_lowercase).collect();
    MISSING.iter().any(|missing| reason.contains(missing)) && words.any(|word| names.iter().any(|name| name == word))
}

/// A text that a person may be shown: not empty, not endless, and no markup.
fn sentence(text: &str) -> Option<String> {
    let text = text.trim();
    let fits = !text.is_empty() && !has_markup(text);
    fits.then(|| text.chars().take(LONGEST_TEXT).collect())
}

/// Whether there is a tag in it.
fn has_markup(text: &str) -> bool {
    let opens =
        |(at, _): (usize, &str)| text[at + 1..].starts_with(|c: char| c.is_ascii_alphabetic() || "/!?".contains(c));
    text.match_indices('<').any(opens) && text.contains('>')
}

/// A body as UTF-8, without the mark that some put before it (RFC 8259 §8.1). What isn't UTF-8 is read as it says to be.
pub(super) fn decoded<'a>(body: &'a [u8], content_type: Option<&str>) -> Cow<'a, [u8]> {
    match Encoding::for_bom(body) {
        Some((encoding, length)) if encoding == UTF_8 => return Cow::Borrowed(&body[length..]),
        Some((encoding, length)) => return in_utf8(encoding, &body[length..]),
        None => {}
    }
    // Servers name a charset that is their framework's and not the body's.
    match charset(content_type) {
        Some(encoding) if encoding != UTF_8 && std::str::from_utf8(body).is_err() => in_utf8(encoding, body),
        _ => Cow::Borrowed(body),
    }
}

fn in_utf8<'a>(encoding: &'static Encoding, body: &'a [u8]) -> Cow<'a, [u8]> {
    match encoding.decode_without_bom_handling(body).0 {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

fn charset(content_type: Option<&str>) -> Option<&'static Encoding> {
    let parameters = content_type?.split(';').skip(1);
    let mut named = parameters.filter_map(|parameter| parameter.split_once('='));
    let (_, label) = named.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))?;
    Encoding::for_label(label.trim().trim_matches('"').as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i25_a_reason_is_found_whatever_its_form() {
        for (body, expected) in [
            (
                r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"detail":"no such role","status":"400"}"#,
                "no such role",
            ),
            (r#"{"Detail":"upper case"}"#, "upper case"),
            (r#"{"error":{"code":17,"message":"the seat limit is reached"}}"#, "the seat limit is reached"),
            (r#"{"message":"Invalid phone"}"#, "Invalid phone"),
            (
                r#"{"message":["userName must be an email","name is required"],"error":"Bad Request"}"#,
                "userName must be an email; name is required",
            ),
            (
                r#"{"title":"One or more validation errors occurred.","status":400,"errors":{"UserName":["too long"]}}"#,
                "UserName: too long",
            ),
            (
                r#"{"type":"about:blank","title":"Bad Request","detail":"no","errors":[{"pointer":"/title","detail":"too long"}]}"#,
                "no: too long",
            ),
            (
                r#"{"errorCode":"E1","errorSummary":"Validation failed","errorCauses":[{"errorSummary":"login: in use"}]}"#,
                "Validation failed: login: in use",
            ),
            (r#"{"errors":["bad thing"]}"#, "bad thing"),
            (r#"{"error":"invalid_request","error_description":"no such client"}"#, "no such client"),
            (r#"[{"message":"a"},{"message":"b"}]"#, "a; b"),
            (r#"{"title":"Not Found"}"#, "Not Found"),
            (r#""only a string""#, "only a string"),
            ("License limit reached\n", "License limit reached"),
            ("5 < 6, and that is wrong", "5 < 6, and that is wrong"),
        ] {
            assert_eq!(reason(body.as_bytes(), None).as_deref(), Some(expected), "{body}");
        }
    }

    #[test]
    fn i25_what_is_no_reason_is_not_shown() {
        let long = "a".repeat(5000);
        let message = format!("{{\"message\":\"{long}\"}}");
        assert_eq!(reason(message.as_bytes(), None).map(|reason| reason.len()), Some(LONGEST_TEXT));
        let deep = format!("{}\"x\"{}", "{\"error\":".repeat(50), "}".repeat(50));
        for body in [
            "",
            "{}",
            "[]",
            "17",
            "null",
            "<html><h1>Forbidden</h1></html>",
            "Oops <b>no</b>",
            r#"{"message":"<!DOCTYPE html><p>no"}"#,
            r#"{"userName":"somebody"}"#,
            "two\nlines",
            "{\"detail\": \"bro",
            &long,
            &deep,
        ] {
            assert_eq!(reason(body.as_bytes(), None), None, "{body}");
        }
        assert_eq!(reason(b"Forbidden", Some("text/html; charset=utf-8")), None);
        assert_eq!(reason(b"Forbidden", Some("text/plain; charset=utf-8")).as_deref(), Some("Forbidden"));
        assert_eq!(reason(&[0xff, 0xfe, b'x'], Some("text/plain")), None);
    }

    #[test]
    fn i21_a_seat_is_spoken_of_in_whole_words() {
        for reason in [
            "no seats left",
            "seat limit reached",
            "your license count is used up",
            "User limit: 5",
            "user limits exceeded",
            "SeatLimitExceeded",
            "noSeatsAvailable",
            "InsufficientSeats",
            "USER_LIMIT_REACHED",
        ] {
            assert!(wants_seat(&reason.to_lowercase()), "{reason}");
        }
        for reason in [
            "seaton exists",
            "the region seattle isn't known",
            "seated",
            "superuser limits",
            "quota exceeded",
            "too many emails for user (limit 5)",
            "invalid user. limit of 64 characters for title exceeded",
            "user … limit of 5 phone numbers reached",
            "exceeds the maximum number of members (100)",
        ] {
            assert!(!wants_seat(reason), "{reason}");
        }
    }

    #[test]
    fn what_is_missing_is_told_by_its_name() {
        let says = |reason: &str| says_missing(reason, ["schemas", "userName"].into_iter());
        for reason in ["userName is required", "Missing attribute: 'username'", "schemas must not be null"] {
            assert!(says(reason), "{reason}");
        }
        for reason in ["title is required", "userName is invalid", "", "userNames are missing"] {
            assert!(!says(reason), "{reason}");
        }
    }

    #[test]
    fn a_body_is_read_in_its_own_encoding() {
        let latin: &[u8] = b"{\"detail\":\"J\xfcrgen\"}";
        let expected = "{\"detail\":\"J\u{fc}rgen\"}".as_bytes();
        assert_eq!(decoded(latin, Some("application/json; charset=ISO-8859-1")), expected);
        assert_eq!(
            decoded(expected, Some("application/scim+json;charset=\"iso-8859-1\"")),
            expected,
            "it is UTF-8 all the same"
        );
        assert_eq!(decoded(&[b"\xef\xbb\xbf", expected].concat(), None), expected);
        let wide: Vec<u8> = "\u{feff}{\"detail\":\"J\u{fc}rgen\"}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(decoded(&wide, None), expected);
    }
}
