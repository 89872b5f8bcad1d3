//! What a ScimUser declares, as paths and values.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::path::{ENTERPRISE, ENTRY_LISTS, Path, is_empty};
use super::place;
use crate::api::{OperationType, Reason, ScimUserSpec, ScimUserStatus, UserAttributes};
use crate::scim::{Profile, composed, fold};

/// What is to be enforced at the server for one user.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Declared {
    /// Enforced attributes, `userName` among them, `active` not.
    pub attributes: BTreeMap<Path, Value>,
    /// Sent at creation only.
    pub on_create: BTreeMap<Path, Value>,
    /// Attributes that must be absent.
    pub clear: BTreeSet<Path>,
    /// Whether the account shall be active now; `None` leaves it as it is.
    pub active: Option<bool>,
    /// Declared attributes that the profile has no place for.
    pub unsupported: Vec<Path>,
    /// The account is meant to be inactive because `now` lies outside the access window.
    pub outside_window: bool,
}

impl Declared {
    /// Reads a spec. `manager` is the manager's id where `manager.userRef` could be resolved.
    pub fn new(spec: &ScimUserSpec, manager: Option<&str>, profile: &Profile, now: Timestamp) -> Self {
        let mut attributes = flatten(&spec.attributes, manager);
        attributes.insert(Path::core("userName"), Value::from(composed(&spec.user_name)));
        let mut unsupported = Vec::new();
        if let Some(external_id) = &spec.external_id {
            if profile.external_id {
                attributes.insert(Path::core("externalId"), Value::from(external_id.as_str()));
            } else {
                unsupported.push(Path::core("externalId"));
            }
        }
        let mut on_create = spec.on_create.as_ref().map(|on_create| flatten(on_create, None)).unwrap_or_default();
        unsupported.extend(place::fit(&mut attributes, profile));
        unsupported.extend(place::fit(&mut on_create, profile));
        let clear: BTreeSet<Path> = spec.clear.iter().flatten().map(|path| Path::parse(path)).collect();
        // What is derived never stands above what is said.
        attributes.retain(|path, _| !on_create.contains_key(path) && !clear.contains(path));
        let outside_window = !within_window(spec, now);
        let windowed = spec.access.is_some();
        let active = match spec.active {
            Some(false) => Some(false),
            Some(true) => Some(!outside_window),
            None if windowed => Some(!outside_window),
            None => None,
        };
        Self {
            attributes,
            on_create,
            clear,
            active,
            unsupported,
            outside_window: windowed && outside_window && spec.active != Some(false),
        }
    }

    /// The declared userName, folded.
    pub fn folded_user_name(&self) -> String {
        self.attributes.get(&Path::core("userName")).and_then(Value::as_str).map(fold).unwrap_or_default()
    }
}

fn within_window(spec: &ScimUserSpec, now: Timestamp) -> bool {
    let Some(access) = &spec.access else { return true };
    access.not_before.as_ref().is_none_or(|from| from.0 <= now)
        && access.not_after.as_ref().is_none_or(|until| now < until.0)
}

/// The instant that access windows are judged by: a clock that went backwards never re-opens a window that was seen
/// to have ended, by a deactivation of ours or by the condition that says so.
pub fn window_clock(spec: &ScimUserSpec, status: &ScimUserStatus, now: Timestamp) -> Timestamp {
    let Some(end) = spec.access.as_ref().and_then(|access| access.not_after.as_ref()) else { return now };
    let ended = status.last_operation.as_ref().filter(|last| last.type_ == OperationType::Deactivate);
    let outside = Reason::OutsideAccessWindow.as_str();
    let ready = status.conditions.iter().flatten().find(|known| known.type_ == "Ready" && known.reason == outside);
    let seen = ended.map(|last| last.at.0).max(ready.map(|ready| ready.last_transition_time.0));
    if seen.is_some_and(|seen| seen >= end.0) { now.max(end.0) } else { now }
}

/// The instants at which an access window opens or closes after `now`.
pub fn next_window_edge(spec: &ScimUserSpec, now: Timestamp) -> Option<Timestamp> {
    let access = spec.access.as_ref()?;
    [&access.not_before, &access.not_after]
        .into_iter()
        .filter_map(|edge| edge.as_ref().map(|edge| edge.0))
        .filter(|edge| *edge > now)
        .min()
}

/// One path a leaf, one a list entry where a list is owned by entries.
fn flatten(attributes: &UserAttributes, manager: Option<&str>) -> BTreeMap<Path, Value> {
    // The types are ours and hold nothing but strings, numbers, lists and maps with string keys.
    let Ok(Value::Object(map)) = serde_json::to_value(attributes) else { return BTreeMap::new() };
    let mut paths = BTreeMap::new();
    for (name, value) in map {
        match (name.as_str(), value) {
            ("enterprise", Value::Object(members)) => enterprise(members, manager, &mut paths),
            ("extensions", Value::Object(extensions)) => {
                for (urn, members) in extensions {
                    let Value::Object(members) = members else { continue };
                    for (name, value) in members {
                        put(&mut paths, Path::extension(&urn, &name), value);
                    }
                }
            }
            ("name", Value::Object(members)) => {
                for (sub, value) in members {
                    put(&mut paths, Path::sub("name", &sub), value);
                }
            }
            (list, Value::Array(entries)) if ENTRY_LISTS.contains(&list) => {
                for (path, entry) in by_key(list, entries) {
                    put(&mut paths, path, entry);
                }
            }
            (name, value) => put(&mut paths, Path::core(name), value),
        }
    }
    paths
}

fn enterprise(members: Map<String, Value>, manager: Option<&str>, paths: &mut BTreeMap<Path, Value>) {
    for (name, value) in members {
        if name == "manager" {
            let id = value.get("value").and_then(Value::as_str).or(manager);
            if let Some(id) = id {
                put(paths, Path::manager(), Value::from(id));
            }
        } else {
            put(paths, Path::extension(ENTERPRISE, &name), value);
        }
    }
}

fn put(paths: &mut BTreeMap<Path, Value>, path: Path, value: Value) {
    if !is_empty(&value) {
        paths.insert(path, value);
    }
}

/// The key of an entry is its type where each type occurs once, else type and value (promise I3).
fn by_key(list: &str, entries: Vec<Value>) -> Vec<(Path, Value)> {
    let kinds: Vec<String> =
        entries.iter().map(|entry| entry.get("type").and_then(Value::as_str).map(fold).unwrap_or_default()).collect();
    let ambiguous = |kind: &String| list != "addresses" && kinds.iter().filter(|other| *other == kind).count() > 1;
    let keys: Vec<Path> = kinds
        .iter()
        .zip(&entries)
        .map(|(kind, entry)| Path::Entry {
            name: list.into(),
            kind: kind.clone(),
            value: ambiguous(kind).then(|| entry.get("value").and_then(Value::as_str).unwrap_or_default().to_owned()),
        })
        .collect();
    keys.into_iter().zip(entries).collect()
}
