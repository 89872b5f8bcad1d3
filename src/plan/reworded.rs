//! What a server keeps in another form than it was sent (promise I5), or doesn't keep at all: learnt by attribute.
//!
//! What it showed after our own write is what was declared, as long as neither changes. A form that several accounts show
//! tells the same of accounts that were not written yet.

use serde_json::Value;

use super::change::Change;
use super::facts::{Account, Facts};
use super::path::{Path, is_empty, member};
use super::step::Ignored;
use super::untyped::View;
use crate::api::IgnoredReason;
use crate::scim::{Form, Lesson};

/// Names longer than this are not learnt by.
const LONGEST_NAME: usize = 100;

/// The attribute's name in lessons: entries of one list are kept alike.
fn key(path: &Path) -> String {
    match path {
        Path::Entry { name, .. } => name.clone(),
        Path::Attribute { .. } => path.to_string(),
    }
}

/// The texts that differ, each with the attribute's name: none where anything else differs, or something is missing.
fn differing<'v>(name: String, sent: &'v Value, shown: &'v Value) -> Option<Vec<(String, &'v str, &'v str)>> {
    match (sent, shown) {
        (Value::String(_), Value::String(shown)) if shown.is_empty() => None,
        (Value::String(sent), Value::String(shown)) if sent == shown => Some(Vec::new()),
        (Value::String(sent), Value::String(shown)) => Some(vec![(name, sent, shown)]),
        (Value::Object(sent), Value::Object(_)) => {
            let mut all = Vec::new();
            for (sub, value) in sent.iter().filter(|(_, value)| !is_empty(value)) {
                let found = member(shown, sub);
                if found.is_none() && value == &Value::Bool(false) {
                    continue;
                }
                // The type is what an entry is known by.
                let found = if sub == "type" { value } else { found? };
                all.extend(differing(format!("{name}.{sub}"), value, found)?);
            }
            Some(all)
        }
        (sent, shown) => (sent == shown).then(Vec::new),
    }
}

/// Whether the server is known to keep such a value in the form that it shows.
pub(super) fn is_known(facts: &Facts, path: &Path, change: &Change, shown: Option<&Value>) -> bool {
    let forms = &facts.policy.profile.forms;
    let (Change::Set(sent), Some(shown), false) = (change, shown, forms.is_empty()) else { return false };
    let known = |(name, sent, shown): (String, &str, &str)| {
        forms.iter().any(|(attribute, form)| *attribute == name && form.of(sent) == shown)
    };
    differing(key(path), sent, shown).is_some_and(|all| all.into_iter().all(known))
}

/// Whether the server keeps in its own form what was just written: it shows a text, and another than before.
pub(super) fn is_reworded(facts: &Facts, view: &View, path: &Path, change: &Change) -> bool {
    let (Change::Set(sent), Some(shown)) = (change, path.read(&view.resource)) else { return false };
    let Some(texts) = differing(key(path), sent, shown).filter(|texts| !texts.is_empty()) else { return false };
    if texts.iter().all(|(_, sent, shown)| Form::between(sent, shown).is_some()) {
        return true;
    }
    let Some(before) = facts.before else { return false };
    // Of entries without a type nobody can tell which one was changed.
    let untold = view.whole.contains(path.name()) && before.get(path.name()).is_some_and(|list| !is_empty(list));
    !untold && path.read(before) != Some(shown)
}

/// The server is known not to keep this attribute, and was never asked to for this account.
pub(super) fn is_never_kept(facts: &Facts, path: &Path, change: &Change, shown: Option<&Value>) -> bool {
    let new = facts.object.status.managed_attributes.is_none() && !facts.object.requested;
    let known = || facts.policy.profile.not_kept.contains(&key(path));
    new && shown.is_none() && matches!(change, Change::Set(_)) && known()
}

/// What the writes of a pass teach, once nothing is left to send: of each lesson whether they support it.
pub fn taught(facts: &Facts, ignored: &[Ignored]) -> Vec<(Lesson, bool)> {
    let Account::Found { resource, .. } = &facts.account else { return Vec::new() };
    let declared = facts.declared();
    let view = super::untyped::typed(&declared, &facts.owned(resource), resource);
    let written =
        declared.attributes.iter().chain(&declared.on_create).filter(|(path, _)| facts.written.contains(path));
    let mut taught = Vec::new();
    for (path, sent) in written.filter(|(path, _)| key(path).len() <= LONGEST_NAME) {
        let reason = ignored.iter().find(|ignored| ignored.path == *path).map(|ignored| ignored.reason);
        let shown = path.read(&view.resource);
        match (reason, shown) {
            (Some(IgnoredReason::NotPersisted), None) => taught.push((Lesson::NotKept(key(path)), true)),
            (_, Some(shown)) => {
                taught.push((Lesson::NotKept(key(path)), false));
                let texts = differing(key(path), sent, shown).unwrap_or_default();
                let forms =
                    texts.into_iter().filter_map(|(name, sent, shown)| Some((name, Form::between(sent, shown)?)));
                taught.extend(forms.map(|(name, form)| (Lesson::KeptAs(name, form), true)));
            }
            _ => {}
        }
    }
    taught
}

/// What is told of values that the server keeps in its own form.
pub(super) fn told(ignored: &[Ignored]) -> Option<String> {
    let kept = ignored.iter().filter(|ignored| ignored.reason == IgnoredReason::Reworded);
    let paths: Vec<String> = kept.map(|ignored| ignored.path.to_string()).collect();
    (!paths.is_empty()).then(|| format!(", and keeps in a form of its own: {}", paths.join(", ")))
}
