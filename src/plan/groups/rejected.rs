//! Members and attributes of a group that the server refuses by themselves, or takes and doesn't keep: as status records them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::membership::MEMBERS;
use crate::api::{IgnoredAttribute, IgnoredReason, ScimGroupSpec, ScimGroupStatus, hex};
use crate::plan::Tried;

/// So many are kept in status.
pub const MOST: usize = 50;

/// So many letters of a server's words are kept.
const MESSAGE_LIMIT: usize = 256;

/// Puts a part on record that the server refuses or doesn't keep, instead of what was known of it.
pub fn record_part(
    status: &mut ScimGroupStatus,
    spec: &ScimGroupSpec,
    part: &str,
    reason: IgnoredReason,
    words: &str,
    now: Timestamp,
) {
    let (path, digest) = recorded(spec, part);
    let entry = IgnoredAttribute {
        path,
        reason,
        generation: None,
        digest: Some(digest),
        message: Some(words.chars().take(MESSAGE_LIMIT).collect()).filter(|words: &String| !words.is_empty()),
        since: Some(Time(now)),
    };
    let known = status.ignored_attributes.get_or_insert_with(Vec::new);
    // Refused once more, it is no news.
    let same = |known: &IgnoredAttribute| IgnoredAttribute { since: entry.since.clone(), ..known.clone() } == entry;
    if known.iter().any(same) {
        return;
    }
    known.retain(|known| known.path != entry.path);
    known.insert(0, entry);
    known.truncate(MOST);
}

/// What isn't sent now: refused within the hour, as it is declared now; `tried`: when its parts were sent last.
pub fn resting(status: &ScimGroupStatus, spec: &ScimGroupSpec, tried: &Tried, now: Timestamp) -> BTreeSet<String> {
    let known = status.ignored_attributes.iter().flatten();
    let lately = known.filter(|entry| tried.rests_until(entry).is_some_and(|until| now < until));
    lately.filter_map(|entry| part_of(entry).filter(|part| recorded(spec, part).1 == digest_of(entry))).collect()
}

/// The part that an entry of status is about.
pub fn part_of(entry: &IgnoredAttribute) -> Option<String> {
    let Some(id) = entry.path.strip_prefix("members[value eq ").and_then(|rest| rest.strip_suffix(']')) else {
        return Some(entry.path.clone());
    };
    let id: String = serde_json::from_str(id).ok()?;
    let sign = if digest_of(entry) == REMOVED { '-' } else { '+' };
    Some(format!("{sign}{id}"))
}

const ADDED: &str = "add";
const REMOVED: &str = "remove";

fn digest_of(entry: &IgnoredAttribute) -> &str {
    entry.digest.as_deref().unwrap_or_default()
}

/// How a part is named in status.
pub fn path_of(part: &str) -> String {
    match part.split_at_checked(1) {
        Some(("+" | "-", id)) => format!("{MEMBERS}[value eq {}]", Value::from(id)),
        _ => part.to_owned(),
    }
}

/// How a part stands in status, and what tells whether it is the same still.
fn recorded(spec: &ScimGroupSpec, part: &str) -> (String, String) {
    if part.starts_with('+') {
        return (path_of(part), ADDED.to_owned());
    }
    if part.starts_with('-') {
        return (path_of(part), REMOVED.to_owned());
    }
    let value = if part == "displayName" { Some(&spec.display_name) } else { spec.external_id.as_ref() };
    let digest = Sha256::digest(value.map(String::as_str).unwrap_or_default());
    (part.to_owned(), hex(&digest[..8]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ScimGroup;

    #[test]
    fn i33_what_was_refused_rests_for_an_hour_or_until_it_is_declared_otherwise() {
        let spec = |name: &str| -> ScimGroupSpec {
            let group = serde_json::json!({
                "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimGroup", "metadata": {},
                "spec": {"connectionRef": {"name": "c"}, "displayName": name, "membership": "Exact"},
            });
            serde_json::from_value::<ScimGroup>(group).expect("a group").spec
        };
        let at = |minutes: i64| Timestamp::from_second(minutes * 60).expect("a time");
        let (mut status, declared) = (ScimGroupStatus::default(), spec("Team"));
        for part in ["+9\"9", "-7", "displayName"] {
            record_part(&mut status, &declared, part, IgnoredReason::Rejected, "another", at(0));
            record_part(&mut status, &declared, part, IgnoredReason::Rejected, "no", at(1));
        }
        let before = status.clone();
        record_part(&mut status, &declared, "-7", IgnoredReason::Rejected, "no", at(30));
        assert_eq!(status, before, "refused once more, it is no news");
        let none = Tried::default();
        let all: BTreeSet<String> = ["+9\"9", "-7", "displayName"].map(str::to_owned).into();
        assert_eq!(resting(&status, &declared, &none, at(60)), all);
        assert!(resting(&status, &declared, &none, at(61)).is_empty());
        let parts = [("displayName".to_owned(), at(60))].into();
        let tried = Tried { parts, anew: None };
        assert_eq!(resting(&status, &declared, &tried, at(100)), BTreeSet::from(["displayName".to_owned()]));
        assert!(!resting(&status, &spec("Other"), &none, at(2)).contains("displayName"));
        let changed = Tried { anew: Some(at(40)), ..tried };
        assert_eq!(resting(&status, &declared, &changed, at(41)), BTreeSet::from(["displayName".to_owned()]));
        let parts: BTreeSet<String> = status.ignored_attributes.iter().flatten().filter_map(part_of).collect();
        assert_eq!(parts, all);
    }
}
