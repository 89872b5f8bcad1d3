//! Membership by PATCH: always what changes, in the server's form, and never more than it takes at once.

use serde_json::{Value, json};

use super::membership::Id;
use crate::scim::{MemberRemoval, Op, PatchOperation, Profile};

/// What one request changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Change {
    /// Put in.
    pub added: Vec<Id>,
    /// Taken out.
    pub removed: Vec<Id>,
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
        let values = |ids: &[Id]| Value::Array(ids.iter().map(|id| json!({"value": **id})).collect());
        let whole = |op, ids: &[Id]| PatchOperation { op, path: Some("members".into()), value: Some(values(ids)) };
        match profile.member_removal {
            MemberRemoval::Values if self.removed.is_empty() => {}
            MemberRemoval::Values => operations.push(whole(Op::Remove, &self.removed)),
            MemberRemoval::Filter => operations.extend(self.removed.iter().map(|id| PatchOperation {
                op: Op::Remove,
                path: Some(format!("members[value eq {}]", Value::from(&**id))),
                value: None,
            })),
        }
        if !self.added.is_empty() {
            operations.push(whole(Op::Add, &self.added));
        }
        operations
    }
}

/// What a refusal calls a member that is put in, or taken out.
pub fn part(id: &str, put: bool) -> String {
    format!("{}{id}", if put { '+' } else { '-' })
}

/// The next request's share: removals first, then additions, as many as the server takes at once; no additions beside
/// removals where they go `apart`.
pub fn chunk<'a>(
    extra: impl IntoIterator<Item = &'a Id>,
    missing: impl IntoIterator<Item = &'a Id>,
    profile: &Profile,
    apart: bool,
) -> Change {
    let most = usize::try_from(profile.max_members_per_patch).unwrap_or(100).max(1);
    let removed: Vec<Id> = extra.into_iter().take(most).cloned().collect();
    let room = if apart && !removed.is_empty() { 0 } else { most - removed.len() };
    let added = missing.into_iter().take(room).cloned().collect();
    Change { added, removed }
}
