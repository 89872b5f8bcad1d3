//! What our annotations say of what an object is about to make or to take.

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
    /// The server that it is at, as `status.boundTo` names it; none in the claim of an operator that didn't say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
}
