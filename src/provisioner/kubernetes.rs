//! What a write to the API server may come to.

/// Why a write to the API server did not happen.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The object is gone, or is another one under the same name.
    #[error("the object is gone")]
    Gone,
    /// A newer version of the object declares something else: nothing was written.
    #[error("the object has changed")]
    Stale,
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

pub fn classify(error: kube::Error) -> WriteError {
    match &error {
        kube::Error::Api(status) if status.code == 404 => WriteError::Gone,
        // Server-side apply with the uid of an object that isn't there any more.
        kube::Error::Api(status) if status.code == 409 && status.message.contains("uid") => WriteError::Gone,
        _ => WriteError::Refused(Box::new(error)),
    }
}
