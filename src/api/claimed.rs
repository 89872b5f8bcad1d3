//! What our annotations say of what an object is about to make or to take.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};

/// The account that an object is about to make or to take: still found where an answer is lost (promise I7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClaimedAccount {
    /// Its userName.
    pub user_name: String,
    /// Its first e-mail, where the server looks accounts up by that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The externalId that it was created with, or had when it was to be taken: another may be declared by now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The server that it is at, as `status.boundTo` names it; none in the claim of an operator that didn't say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The uid of the object that claims it; none in the claim of an operator that didn't say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
}

/// The claim is the object's own: the manifest of another one, copied with its annotations, brings that one's. A claim that
/// names no object counts only where it names what the object declares anyway.
pub(super) fn is_own(claimed_by: Option<&str>, object: &ObjectMeta, names_declared: bool) -> bool {
    claimed_by.map_or(names_declared, |uid| object.uid.as_deref() == Some(uid))
}
