//! ConfigMaps and Secrets whose names end with a hash of what they hold, as Kustomize and charts make them: for a while
//! the old one and the new one are there together.

use std::collections::BTreeMap;

use kube::ResourceExt;

use crate::api::is_kustomize_hash;

/// The name before the hash, if there is one.
fn stem(name: &str) -> Option<&str> {
    let (stem, hash) = name.rsplit_once('-')?;
    (!stem.is_empty() && is_hash(hash)).then_some(stem)
}

/// As short as Git's; a shorter one may be a number of anything. Of a short one letters and digits must be mixed well: who is
/// in a part that was taken for an older one would be gone, and cc10001, dec2026 and 01feb26 are such parts.
fn is_hash(text: &str) -> bool {
    let letters: Vec<bool> = text.bytes().map(|byte| byte.is_ascii_alphabetic()).collect();
    let turns = letters.windows(2).filter(|pair| pair[0] != pair[1]).count();
    let well_mixed = if text.len() < 10 { 3 } else { 2 };
    let of_chart = (7..=64).contains(&text.len()) && is_hex(text) && turns >= well_mixed;
    is_kustomize_hash(text) || of_chart
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Whether this is the name with a hash, or without. That there is one behind it was said, and so it may be shorter, or
/// without a digit.
pub fn is_of(name: &str, prefix: &str) -> bool {
    let is_said = |text: &str| {
        let has_digit = text.bytes().any(|byte| byte.is_ascii_digit());
        is_kustomize_hash(text) || (is_hex(text) && (if has_digit { 5 } else { 6 }..=64).contains(&text.len()))
    };
    let rest = name.strip_prefix(prefix);
    rest.is_some_and(|rest| rest.is_empty() || rest.strip_prefix('-').is_some_and(is_said))
}

/// Of those that differ in nothing but a hash the newest, in the order of the names, and a word about the others.
pub fn newest<K: ResourceExt>(found: Vec<K>, kind: &str, key: impl Fn(&str) -> String) -> (Vec<K>, Option<String>) {
    let mut newest: BTreeMap<String, K> = BTreeMap::new();
    let mut older = Vec::new();
    for object in found {
        // Of one second the version tells, which grows with each write.
        let version = |object: &K| object.resource_version().and_then(|version| version.parse::<u64>().ok());
        let made = |object: &K| (object.creation_timestamp(), version(object), object.name_any());
        match newest.entry(key(&object.name_any())) {
            std::collections::btree_map::Entry::Vacant(place) => _ = place.insert(object),
            std::collections::btree_map::Entry::Occupied(mut place) if made(place.get()) < made(&object) => {
                older.push(place.insert(object).name_any());
            }
            std::collections::btree_map::Entry::Occupied(_) => older.push(object.name_any()),
        }
    }
    older.sort_unstable();
    let note = older.first().map(|first| {
        let more = if older.len() > 1 { format!(" and {} more", older.len() - 1) } else { String::new() };
        let newer: Vec<String> =
            newest.values().map(ResourceExt::name_any).filter(|newer| key(newer) == key(first)).collect();
        let newer = newer.join(", ");
        format!(
            "{first}{more} is older than {newer} and is not read. If it is in force again, as after a revert without a prune: \
             kubectl delete {kind} {newer}."
        )
    });
    (newest.into_values().collect(), note)
}

/// What tells objects apart beside their hashes.
pub fn without_hash(name: &str) -> String {
    stem(name).unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use serde_json::json;

    use super::*;

    fn named(name: &str, second: u32) -> ConfigMap {
        let at = format!("2026-11-28T00:00:{second:02}Z");
        serde_json::from_value(json!({"metadata": {"name": name, "creationTimestamp": at}})).expect("a ConfigMap")
    }

    /// Whoever is in a part that isn't read is gone.
    #[test]
    fn i10_codes_of_parts_are_no_hashes() {
        for codes in [
            ["people-cc10001", "people-cc10002"],
            ["people-de00001", "people-fe00002"],
            ["people-dec2026", "people-feb2026"],
            ["people-01dec26", "people-01feb26"],
            ["people-a000001", "people-a000002"],
            ["people-2026a01", "people-2026b01"],
            ["people-00001de", "people-00002de"],
            ["people-ab10000001", "people-ab10000002"],
        ] {
            let found = codes.iter().zip(0..).map(|(name, second)| named(name, second)).collect();
            let (read, note) = newest(found, "configmap", without_hash);
            assert_eq!((read.len(), note), (2, None), "{codes:?}");
        }
        let hashes = vec![named("people-1a2b3c4", 1), named("people-c0ffee4d0e", 2)];
        assert_eq!(newest(hashes, "configmap", without_hash).0.len(), 1);
    }

    #[test]
    fn of_two_hashes_of_one_name_the_newer_is_read() {
        let found = vec![
            named("people-7h2k9mf4dt", 1),
            named("people-2bc4567dfg", 3),
            named("people-2", 0),
            named("people-3", 9),
            named("people-20261128", 1),
            named("people-20261129", 2),
            named("leavers-0a1b2c3d4e5f", 2),
            named("staff-1a2b3c4", 5),
            named("staff-9f8e7d6", 4),
            named("part-1a2b", 1),
            named("part-3c4d", 2),
        ];
        let (read, note) = newest(found, "configmap", without_hash);
        let names: Vec<String> = read.iter().map(ResourceExt::name_any).collect();
        assert_eq!(
            names,
            [
                "leavers-0a1b2c3d4e5f",
                "part-1a2b",
                "part-3c4d",
                "people-2bc4567dfg",
                "people-2",
                "people-20261128",
                "people-20261129",
                "people-3",
                "staff-1a2b3c4"
            ]
        );
        let note = note.expect("a note");
        assert!(note.starts_with("people-7h2k9mf4dt and 1 more is older than people-2bc4567dfg"), "{note}");
        assert!(note.ends_with("kubectl delete configmap people-2bc4567dfg."), "{note}");
        for (name, expected) in [
            ("people", true),
            ("people-7h2k9mf4dt", true),
            ("people-20261128", true),
            ("people-1a2b3c4", true),
            ("people-1a2b3c", true),
            ("people-deadbeef", true),
            ("people-old", false),
            ("people-leavers", false),
            ("people-part2", false),
            ("people-2026", false),
            ("people-more-7h2k9mf4dt", false),
        ] {
            assert_eq!(is_of(name, "people"), expected, "{name}");
        }
    }
}
