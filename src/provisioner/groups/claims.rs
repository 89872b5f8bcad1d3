//! What identifies the group that a pass is about to make or to take.

use kube::ResourceExt;

use super::GroupPass;
use crate::api::ClaimedGroup;
use crate::plan::groups::Group;
use crate::plan::{Account, Binding};
use crate::provisioner::engine::Kind as _;
use crate::scim::Error;

/// What identifies the group that a creation is about to make at the connection's server.
pub(super) fn claim_of_creation(pass: &GroupPass) -> ClaimedGroup {
    let (name, external_id) = Group::created_as(pass);
    let (external_id, server) = (external_id.map(str::to_owned), Some(pass.server().to_owned()));
    ClaimedGroup { display_name: name.to_owned(), external_id, server, uid: pass.object.uid() }
}

/// What identifies a group that is about to be taken.
pub(super) fn claim_of_binding(pass: &GroupPass, binding: &Binding) -> ClaimedGroup {
    let (server, uid) = (Some(pass.server().to_owned()), pass.object.uid());
    let same =
        |claimed: &ClaimedGroup| claimed.uid == uid && claimed.server == server && claimed.display_name == binding.name;
    pass.object.claimed_group().filter(same).unwrap_or_else(|| {
        let external_id = match &pass.account {
            Some(Account::Found { resource, .. }) => resource.external_id().map(str::to_owned),
            _ => None,
        };
        ClaimedGroup { display_name: binding.name.clone(), external_id, server: server.clone(), uid: uid.clone() }
    })
}

/// The server says that the group is there already, and shows none; `alike`: the id and the name of one that has the name in
/// other letters.
pub(super) fn exists_hidden(pass: &GroupPass, alike: Option<(String, String)>, error: &Error) -> String {
    let words = error.detail().unwrap_or_default();
    let what = match (&pass.object.spec.external_id, alike) {
        (Some(external_id), _) if error.words().contains("externalid") => format!(
            "the server says that another group has the externalId {external_id:?}, and shows none; look for it there, and \
             bind it by the annotation scim-operator.dev/remote-id, or declare another externalId"
        ),
        (_, Some((id, name))) => format!(
            "the group {id:?} has this displayName in other letters, {name:?}, and the server doesn't tell such names apart: \
             declare the name as it is spelt there, or bind the group by the annotation scim-operator.dev/remote-id"
        ),
        _ => "the server says that this group exists already, and shows none with this displayName".to_owned(),
    };
    if words.is_empty() { what } else { format!("{what}. The server's words: {words}") }
}
