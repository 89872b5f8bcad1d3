//! Why a connection can't be used.

use crate::api::ConnectedReason;

/// Why a connection can't be used.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// The reason of `Connected`.
    pub reason: ConnectedReason,
    /// What a person is told.
    pub message: String,
    /// The API server didn't answer: nothing is known of the Secret.
    pub unread: bool,
    /// The Secret lacks its label, and who may have removed it.
    pub unlabelled: Option<Unlabelled>,
}

/// A Secret without the label that permits its use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlabelled {
    /// `name/key/uid`, as the fingerprint of a key that was read from it has it.
    pub mark: String,
    /// `namespace/name`.
    pub secret: String,
    /// The field manager that writes its data.
    pub writer: Option<String>,
}

impl Unlabelled {
    /// Who writes the Secret, where that is a controller: what people do with kubectl they mean.
    pub fn controller(&self) -> Option<&str> {
        self.writer.as_deref().filter(|writer| !writer.starts_with("kubectl"))
    }
}

impl Refusal {
    /// A refusal with its reason.
    pub fn new(reason: ConnectedReason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), unread: false, unlabelled: None }
    }
}
