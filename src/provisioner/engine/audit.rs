//! What the audit stream and the metrics are told of a write.

use kube::ResourceExt;

use crate::api::{ScimConnection, UserHold};
use crate::directory::origin::{managers, tracking};
use crate::plan::{Operation, Path};
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;
use crate::provisioner::engine::{Kind, ObjectStatus, Pass, class_name};
use crate::runtime::audit::{HoldRecord, MembersRecord, ObjectRecord, Record};
use crate::scim::{Error, Written};

impl<E: Effects> Provisioner<E> {
    /// A write at the server ended.
    pub(in crate::provisioner) fn record_audit<K: Kind>(
        &self,
        pass: &Pass<K>,
        operation: &Operation<K>,
        answer: &Result<Written, Error>,
    ) {
        if !self.surroundings.audit.is_on() {
            return;
        }
        let object = &*pass.object;
        let (outcome, status, request_id) = match answer {
            Ok(written) => ("Done", None, written.request_id.clone()),
            Err(error) => (class_name(error.class()), error.status(), error.request_id().map(str::to_owned)),
        };
        let record = Record {
            time: self.effects.now(),
            connection: self.key.to_string(),
            object: ObjectRecord {
                kind: K::KIND,
                namespace: object.namespace().unwrap_or_default(),
                name: object.name_any(),
                uid: pass.uid().to_string(),
                generation: pass.generation(),
                field_managers: managers(object.managed_fields(), "f:spec"),
                tracking: tracking(object),
            },
            operation: operation.kind.as_str(),
            attributes: operation.attributes.iter().map(Path::to_string).collect(),
            members: K::members_changed(operation).map(|(added, removed)| MembersRecord { added, removed }),
            hold: approved_hold(pass.status.hold(), &self.connection()),
            outcome,
            status,
            request_id,
        };
        if !self.surroundings.audit.write(&record) {
            self.surroundings.metrics.audit_failed();
        }
    }
}

/// The hold that the object was in, if it was approved.
fn approved_hold(hold: Option<&UserHold>, connection: &ScimConnection) -> Option<HoldRecord> {
    let id = hold.map(|hold| &hold.id)?;
    let approved = connection.spec.approved_hold.as_ref() == Some(id);
    approved
        .then(|| HoldRecord { id: id.clone(), approved_by: managers(connection.managed_fields(), "f:approvedHold") })
}
