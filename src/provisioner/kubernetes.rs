//! The writes to the API server about one object: finalizer and status.

use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use super::{Provisioner, lock};
use crate::api::{CLAIMED_ACCOUNT, ClaimedAccount, FINALIZER, GROUP, ScimUser, ScimUserStatus, VERSION};

/// Our name in `managedFields`.
pub const FIELD_MANAGER: &str = "scim-operator";

/// Tries of a write that met a newer version of the object.
const TRIES: usize = 3;

/// Why a write to the API server did not happen.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The object is gone, or is another one under the same name.
    #[error("the object is gone")]
    Gone,
    /// The API server didn't take it.
    #[error("the API server didn't take the write: {0}")]
    Refused(#[from] Box<kube::Error>),
}

impl WriteError {
    /// The object had changed meanwhile: no failure of the API server.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused(error) if matches!(&**error, kube::Error::Api(status) if status.code == 409))
    }
}

pub(super) fn classify(error: kube::Error) -> WriteError {
    match &error {
        kube::Error::Api(status) if status.code == 404 => WriteError::Gone,
        // Server-side apply with the uid of an object that isn't there any more.
        kube::Error::Api(status) if status.code == 409 && status.message.contains("uid") => WriteError::Gone,
        _ => WriteError::Refused(Box::new(error)),
    }
}

impl Provisioner {
    fn users(&self, namespace: &str) -> Api<ScimUser> {
        Api::namespaced(self.shared.kube.clone(), namespace)
    }

    /// Writes the status by server-side apply; the uid keeps it from landing on a namesake.
    pub(super) async fn write_status(&self, user: &ScimUser, status: &ScimUserStatus) -> Result<ScimUser, WriteError> {
        let name = user.name_any();
        // Its groups are written key by key, by those who put it there.
        let status = &ScimUserStatus { groups: None, ..status.clone() };
        let body = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": "ScimUser",
            "metadata": {"name": name, "uid": user.uid()},
            "status": status,
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let api = self.users(&user.namespace().unwrap_or_default());
        let written = api.patch_status(&name, &params, &Patch::Apply(&body)).await.map_err(classify)?;
        self.learn(&written);
        Ok(written)
    }

    /// Adds or takes off our finalizer, and nobody else's; the account that the object claims goes with it.
    pub(super) async fn set_finalizer(
        &self,
        user: &ScimUser,
        present: bool,
        claimed: Option<&ClaimedAccount>,
    ) -> Result<ScimUser, WriteError> {
        let api = self.users(&user.namespace().unwrap_or_default());
        let name = user.name_any();
        let mut newest = user.clone();
        for tried in 1.. {
            let mut finalizers = newest.finalizers().to_vec();
            let known = finalizers.iter().any(|finalizer| finalizer == FINALIZER);
            if known == present && newest.claimed_account().as_ref() == claimed {
                return Ok(newest);
            }
            if present && !known {
                finalizers.push(FINALIZER.to_owned());
            } else if !present {
                finalizers.retain(|finalizer| finalizer != FINALIZER);
            }
            let mut metadata = json!({"resourceVersion": newest.resource_version(), "finalizers": finalizers});
            if newest.claimed_account().as_ref() != claimed {
                let text = claimed.and_then(|claimed| serde_json::to_string(claimed).ok());
                metadata["annotations"] = json!({CLAIMED_ACCOUNT: text});
            }
            let body = json!({"metadata": metadata});
            match api.patch(&name, &PatchParams::default(), &Patch::Merge(&body)).await {
                Ok(written) => {
                    self.learn(&written);
                    return Ok(written);
                }
                Err(kube::Error::Api(status)) if status.code == 409 && tried < TRIES => {
                    newest = api.get(&name).await.map_err(classify)?;
                    if newest.uid() != user.uid() {
                        return Err(WriteError::Gone);
                    }
                }
                Err(error) => return Err(classify(error)),
            }
        }
        Err(WriteError::Gone)
    }

    /// The answer to a write is as good as a watch event.
    fn learn(&self, written: &ScimUser) {
        for uid in self.shared.directory.learn(written.clone()) {
            // The receiver lives as long as the controller does.
            let _ = self.shared.reroute.send(uid);
        }
    }

    /// Writes the status if it differs; what the API server doesn't take is kept and tried again alone.
    pub(super) async fn save(&self, user: &ScimUser, status: &ScimUserStatus) -> Result<(), WriteError> {
        if user.status.as_ref() == Some(status) {
            return Ok(());
        }
        let uid = user.uid().unwrap_or_default();
        match self.write_status(user, status).await {
            Ok(_) => {
                lock(&self.memory).saved(&uid);
                Ok(())
            }
            Err(error) => {
                if matches!(error, WriteError::Refused(_)) {
                    self.shared.metrics.kubernetes_error(&self.key.to_string());
                    lock(&self.memory).keep_unsaved(&uid, status.clone());
                }
                Err(error)
            }
        }
    }
}
