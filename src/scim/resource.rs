//! A resource as a server shows it, RFC 7643 §3: read leniently.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};
use unicode_normalization::UnicodeNormalization;

/// The attributes of a resource.
pub type Attributes = Map<String, Value>;

/// 2001: no service is older that speaks SCIM. What shows an earlier time has none, as the zero of Go and of Unix.
const FIRST_TIME: Timestamp = Timestamp::constant(978_307_200, 0);

/// A longer one is no id but an attack on whoever keeps it.
pub(super) const LONGEST_ID: usize = 512;

/// A URL can name it: `.` and `..` lead to the collection or above it (RFC 3986 §5.2.4), and control characters are lost.
pub(super) fn is_usable_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= LONGEST_ID && id != "." && id != ".." && !id.contains(char::is_control)
}

/// A resource as a server shows it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resource(pub Attributes);

impl Resource {
    /// An attribute, its name compared without regard to case (RFC 7643 §2.1).
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0
            .get(name)
            .or_else(|| self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
    }

    /// The server's id of it, where requests can name it.
    pub fn id(&self) -> Option<&str> {
        self.text("id").filter(|id| is_usable_id(id))
    }

    /// `userName`.
    pub fn user_name(&self) -> Option<&str> {
        self.text("userName")
    }

    /// `displayName`: a group's name, and an empty one is one that differs.
    pub fn display_name(&self) -> Option<&str> {
        self.get("displayName")?.as_str()
    }

    /// `externalId`.
    pub fn external_id(&self) -> Option<&str> {
        self.text("externalId")
    }

    /// `active`; some servers show it as a string or as a number.
    pub fn active(&self) -> Option<bool> {
        match self.get("active")? {
            Value::Bool(active) => Some(*active),
            Value::Number(number) => match number.as_u64()? {
                0 => Some(false),
                1 => Some(true),
                _ => None,
            },
            Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    /// `meta.version`, RFC 7644 §3.14.
    pub fn version(&self) -> Option<&str> {
        self.get("meta")?.get("version")?.as_str()
    }

    /// `meta.created`; a time without a zone is read as UTC, and one that stands for none is none.
    pub fn created(&self) -> Option<Timestamp> {
        self.time("created")
    }

    /// `meta.lastModified`, in the same way.
    pub fn last_modified(&self) -> Option<Timestamp> {
        self.time("lastModified")
    }

    fn time(&self, name: &str) -> Option<Timestamp> {
        let text = self.get("meta")?.get(name)?.as_str()?;
        let unzoned = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
        text.parse().ok().or_else(unzoned).filter(|time| *time >= FIRST_TIME)
    }

    /// A number, which some write as text.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        let value = self.get(name)?;
        value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
    }

    /// The values of `emails`.
    pub fn emails(&self) -> impl Iterator<Item = &str> {
        emails_of(self.get("emails"))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str().filter(|text| !text.is_empty())
    }
}

/// The values of `emails`, of which some servers show plain strings.
pub fn emails_of(emails: Option<&Value>) -> impl Iterator<Item = &str> {
    let list = emails.and_then(Value::as_array);
    list.into_iter().flatten().filter_map(|email| email.get("value").and_then(Value::as_str).or(email.as_str()))
}

/// Folds letter case, for `userName` and e-mail addresses (RFC 7643 §4.1.1: `caseExact` is false), and composes letters
/// (NFC): what looks the same is the same.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    // Lower case may decompose again.
    composed(&composed(text).to_lowercase())
}

/// With composed letters (NFC), as names are sent and looked for: some servers compare letter by letter.
pub fn composed(text: &str) -> String {
    text.nfc().collect()
}

/// The name that somebody had whom Entra ID has deleted: it sets their object's id before it,
/// `283405f50000000000000000000000c2ada@example.com`.
pub fn without_tombstone(name: &str) -> Option<&str> {
    let (local, _) = name.split_once('@')?;
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    // SHA-1 and SHA-256 of something are names of their own.
    if is_hex(local) && [40, 64].contains(&local.len()) {
        return None;
    }
    let id = |length: usize| local.get(..length).filter(|id| is_hex(&id.replace('-', "")));
    let plain = id(32).filter(|id| !id.contains('-'));
    let places = |id: &&str| id.match_indices('-').map(|(at, _)| at).eq([8, 13, 18, 23]);
    let found = plain.or_else(|| id(36).filter(places))?;
    let rest = &name[found.len()..];
    rest.starts_with(char::is_alphanumeric).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn resource(shown: &Value) -> Resource {
        Resource(shown.as_object().cloned().unwrap_or_default())
    }

    #[test]
    fn i11_an_id_that_no_request_can_name_is_none() {
        for odd in ["", ".", "..", "a\nb", "\u{7f}"] {
            assert_eq!(resource(&json!({"id": odd})).id(), None, "{odd:?}");
        }
        for usable in ["a/b", "a b", "%2e%2e", "...", " "] {
            assert_eq!(resource(&json!({"ID": usable})).id(), Some(usable));
        }
    }

    #[test]
    fn i06_a_name_that_entra_took_back_is_known_by_its_form() {
        for name in [
            "283405f50000000000000000000000c2ada@example.com",
            "283405F50000000000000000000000C2ada@example.com",
            "283405f5-0000-0000-0000-0000000000c2ada@example.com",
        ] {
            assert_eq!(without_tombstone(name), Some("ada@example.com"), "{name}");
        }
        for name in [
            "ada@example.com",
            "283405f50000000000000000000000c2@example.com",
            "283405f5-0000-0000-0000-0000000000c2@example.com",
            "283405f5-0000-0000-0000-0000000000c2-x@example.com",
            "da39a3ee5e6b4b0d3255bfef95601890afd80709@example.com",
            "28340-5f50000000000000000000000c2ada@example.com",
        ] {
            assert_eq!(without_tombstone(name), None, "{name}");
        }
    }

    #[test]
    fn i07_a_time_that_stands_for_none_is_none() {
        let created = |time: &str| resource(&json!({"meta": {"created": time}})).created().is_some();
        for none in ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00", "1899-12-30T00:00:00Z", "now"] {
            assert!(!created(none), "{none}");
        }
        assert!(created("2001-01-01T00:00:00Z") && created("2026-11-28T12:00:00"));
    }

    #[test]
    fn i05_whether_an_account_is_active_is_read_in_any_form() {
        for (shown, active) in [
            (json!(true), Some(true)),
            (json!("False"), Some(false)),
            (json!(0), Some(false)),
            (json!(1), Some(true)),
            (json!(2), None),
            (json!(null), None),
        ] {
            assert_eq!(resource(&json!({"active": shown})).active(), active, "{shown}");
        }
    }
}
