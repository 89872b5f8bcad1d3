//! Membership by PATCH: always what changes, in the server's form, and never more than it takes at once.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::membership::MEMBERS;
use crate::api::RemoteId;
use crate::plan::Request;
use crate::scim::{Attributes, GroupChange, MemberRemoval, Op, PatchOperation, Profile, Resource};

/// What one request changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Change {
    /// Put in.
    pub added: Vec<RemoteId>,
    /// Taken out.
    pub removed: Vec<RemoteId>,
}

impl Change {
    /// Who comes and who goes, one by one.
    pub fn parts(&self) -> impl Iterator<Item = String> {
        let added = self.added.iter().map(|id| part(id, true));
        added.chain(self.removed.iter().map(|id| part(id, false)))
    }

    /// The operations. `members` is never removed or replaced as a whole: what isn't named here stays.
    pub fn operations(&self, profile: &Profile) -> Vec<PatchOperation> {
        let mut operations = Vec::new();
        let values = |ids: &[RemoteId]| Value::Array(ids.iter().map(|id| member(id.as_str(), profile)).collect());
        let whole =
            |op, ids: &[RemoteId]| PatchOperation { op, path: Some("members".into()), value: Some(values(ids)) };
        match profile.member_removal {
            MemberRemoval::Values if self.removed.is_empty() => {}
            MemberRemoval::Values => operations.push(whole(Op::Remove, &self.removed)),
            MemberRemoval::Filter => operations.extend(self.removed.iter().map(|id| PatchOperation {
                op: Op::Remove,
                path: Some(format!("members[value eq {}]", Value::from(id.as_str()))),
                value: None,
            })),
        }
        if !self.added.is_empty() {
            operations.push(whole(Op::Add, &self.added));
        }
        operations
    }
}

/// A member as it is put in: its id, and where the server wants that, its reference (RFC 7643 §2.3.7).
pub(super) fn member(id: &str, profile: &Profile) -> Value {
    let mut member = json!({"value": id});
    if profile.member_refs {
        member["$ref"] = format!("../Users/{id}").into();
    }
    member
}

/// The same, where what is replaced of the group itself goes without a path, RFC 7644 §3.5.2.3.
pub fn without_paths(operations: Vec<PatchOperation>) -> Vec<PatchOperation> {
    let bare = |operation: PatchOperation| match (&operation.path, &operation.value) {
        (Some(path), Some(value)) if operation.op == Op::Replace && !path.starts_with(MEMBERS) => {
            PatchOperation { op: Op::Replace, path: None, value: Some(json!({path.as_str(): value})) }
        }
        _ => operation,
    };
    operations.into_iter().map(bare).collect()
}

/// A group as a PUT sends it (RFC 7644 §3.5.1): as it was shown, with a change laid over it.
pub fn replaced(
    whole: &Resource,
    id: &str,
    operations: &[PatchOperation],
    change: &Change,
    profile: &Profile,
) -> Attributes {
    let mut body = whole.0.clone();
    // However the server spells them: two members of one name say nothing.
    let named = |name: &str, own: &str| name.eq_ignore_ascii_case(own);
    body.retain(|name, _| !["meta", "id", "schemas"].iter().any(|own| named(name, own)));
    for operation in operations {
        let Some(path) = operation.path.as_deref().filter(|path| matches!(*path, "displayName" | "externalId")) else {
            continue;
        };
        body.retain(|name, _| !named(name, path));
        if let Some(value) = &operation.value {
            body.insert(path.into(), value.clone());
        }
    }
    let shown = whole.get(MEMBERS).and_then(Value::as_array).cloned().unwrap_or_default();
    let id_of = |member: &Value| member.get("value").unwrap_or(member).as_str().map(str::to_owned);
    let gone: BTreeSet<&str> = change.removed.iter().map(RemoteId::as_str).collect();
    let here: BTreeSet<String> = shown.iter().filter_map(id_of).collect();
    let stays = |member: &Value| id_of(member).is_none_or(|id| !gone.contains(id.as_str()));
    // The client takes in no more of them than their ids.
    let in_full = |shown: Value| match id_of(&shown) {
        Some(id) if shown.is_string() || profile.member_refs && shown.get("$ref").is_none() => member(&id, profile),
        _ => shown,
    };
    let mut members: Vec<Value> = shown.into_iter().filter(stays).map(in_full).collect();
    members.extend(change.added.iter().filter(|id| !here.contains(id.as_str())).map(|id| member(id.as_str(), profile)));
    body.retain(|name, _| !named(name, MEMBERS));
    body.insert(MEMBERS.into(), Value::Array(members));
    body.insert("id".into(), id.into());
    body
}

/// What a request is, by what it could do to members whom it doesn't name; nothing where the whole group is sent.
pub fn kinds_of(request: &Request, change: &Change) -> Vec<GroupChange> {
    let Request::Patch { operations, .. } = request else { return Vec::new() };
    let removal = match change.removed.len() {
        0 => None,
        1 => Some(GroupChange::Removal),
        _ => Some(GroupChange::Removals),
    };
    let addition = (!change.added.is_empty()).then_some(GroupChange::Addition);
    let links =
        |operation: &PatchOperation| operation.op == Op::Replace && operation.path.as_deref() == Some("externalId");
    let external_id = operations.iter().any(links).then_some(GroupChange::ExternalId);
    [removal, addition, external_id].into_iter().flatten().collect()
}

/// What a refusal calls a member that is put in, or taken out.
pub fn part(id: &RemoteId, put: bool) -> String {
    format!("{}{id}", if put { '+' } else { '-' })
}

/// The next request's share: removals first, then additions, as many as the server takes at once; no additions beside
/// removals where they go `apart`.
pub fn chunk<'a>(
    extra: impl IntoIterator<Item = &'a RemoteId>,
    missing: impl IntoIterator<Item = &'a RemoteId>,
    profile: &Profile,
    apart: bool,
) -> Change {
    let most = profile.members_at_once();
    let removed: Vec<RemoteId> = extra.into_iter().take(most).cloned().collect();
    let room = if apart && !removed.is_empty() { 0 } else { most - removed.len() };
    let added = missing.into_iter().take(room).cloned().collect();
    Change { added, removed }
}
