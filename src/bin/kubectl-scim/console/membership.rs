//! What a group's object says of who is in it.

use std::collections::BTreeMap;

use scim_operator::api::ScimGroup;

use super::folded::folded;

/// What a group's spec says of its members.
#[derive(Debug, Default)]
pub struct Membership {
    pub(super) users: Vec<String>,
    pub(super) groups: Vec<String>,
    /// Folded.
    pub(super) user_names: Vec<String>,
    pub(super) ids: Vec<String>,
    /// `key=value`, all of which a member carries; empty where nobody is selected by labels.
    pub(super) labels: Vec<String>,
}

/// The labels of an object, as a membership compares them.
pub fn labels(labels: &BTreeMap<String, String>) -> Box<str> {
    let lines: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    lines.join("\n").into()
}

impl From<&ScimGroup> for Membership {
    fn from(group: &ScimGroup) -> Self {
        let mut found = Self::default();
        for member in group.spec.members.iter().flatten() {
            found.users.extend(member.user_ref.iter().map(|user| user.name.clone()));
            found.groups.extend(member.group_ref.iter().map(|group| group.name.clone()));
            found.user_names.extend(member.user_name.as_deref().map(folded));
            found.ids.extend(member.id.clone());
        }
        let selected = group.spec.member_selector.iter().flat_map(|selector| &selector.match_labels);
        found.labels = selected.map(|(name, value)| format!("{name}={value}")).collect();
        found
    }
}
