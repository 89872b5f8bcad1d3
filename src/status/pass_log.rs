//! What was done in a pass, beside the verdict at its end.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::condition::whole_seconds;
use crate::api::{LastOperation, OperationType};
use crate::plan::{ResourceType, Verdict};

/// So many attributes of a request are named.
const ATTRIBUTES_LIMIT: usize = 100;

/// What was done in a pass.
#[derive(Clone, Debug, Default)]
pub struct PassLog {
    /// The last binding, or request that took effect.
    pub last: Option<LastWrite>,
    /// The annotation `reconcile-requested-at` that this pass answers, once it has carried out what was asked for or met
    /// what only a person can mend.
    pub answered: Option<String>,
    /// Whether the account is active by a request of this pass.
    pub active: Option<bool>,
}

/// A binding, or a request that took effect.
#[derive(Clone, Debug)]
pub struct LastWrite {
    /// What it did.
    pub operation: OperationType,
    /// The attributes that it changed.
    pub attributes: Vec<String>,
    /// What the server calls the request.
    pub request_id: Option<String>,
}

impl LastWrite {
    /// As status has it.
    pub(super) fn recorded(&self, now: Timestamp) -> LastOperation {
        let attributes: Vec<_> = self.attributes.iter().take(ATTRIBUTES_LIMIT).cloned().collect();
        LastOperation {
            type_: self.operation,
            at: Time(whole_seconds(now)),
            attributes: (!attributes.is_empty()).then_some(attributes),
            request_id: self.request_id.clone(),
        }
    }
}

impl PassLog {
    /// The object is bound.
    pub fn bound(&mut self, how: OperationType) {
        self.last = Some(LastWrite { operation: how, attributes: Vec::new(), request_id: None });
    }

    /// A request took effect; `shown` is the account's `active` in the answer, where that showed one. What made the
    /// account active or inactive is recorded however the pass ends: unrecorded, it would be somebody else's doing later
    /// (promises I16, I22).
    pub fn took_effect(
        &mut self,
        operation: OperationType,
        attributes: Vec<String>,
        request_id: Option<String>,
        shown: Option<bool>,
    ) {
        match operation {
            OperationType::Deactivate => self.active = Some(false),
            OperationType::Reactivate if shown == Some(true) => self.active = Some(true),
            _ => {}
        }
        self.last = Some(LastWrite { operation, attributes, request_id });
    }

    /// What was done last was this.
    pub fn ends_with(&self, operation: OperationType) -> bool {
        self.last.as_ref().is_some_and(|last| last.operation == operation)
    }

    /// The annotation that is answered by now.
    pub(super) fn handled<T: ResourceType>(&self, verdict: &Verdict<T>) -> Option<&String> {
        self.answered.as_ref().filter(|_| verdict.executed && !verdict.unanswered)
    }
}
