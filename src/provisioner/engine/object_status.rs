//! What the status of every object records.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::api::{LastOperation, RejectedHold, ScimGroupStatus, ScimUserStatus, UserHold};

/// What the status of every object records.
pub trait ObjectStatus: Clone + Default + PartialEq + Send + Sync + 'static {
    /// The id of its account or group.
    fn id(&self) -> Option<&str>;
    /// Its name there, as last seen.
    fn name(&self) -> Option<&str>;
    /// The server that has it.
    fn bound_to(&self) -> Option<&str>;
    /// The generation that was carried out last.
    fn observed_generation(&self) -> Option<i64>;
    /// The hold that it is in.
    fn hold(&self) -> Option<&UserHold>;
    /// The holds that were rejected and that it was in.
    fn rejected_holds(&self) -> &[RejectedHold];
    /// Puts them on record.
    fn set_rejected_holds(&mut self, rejected: Option<Vec<RejectedHold>>);
    /// Its conditions.
    fn conditions(&self) -> Option<&[Condition]>;
    /// What was done last.
    fn last_operation(&self) -> Option<&LastOperation>;
    /// The request by annotation that was answered last.
    fn last_handled_reconcile_at(&self) -> Option<&String>;
    /// Of this status nothing is known of any resource.
    fn unbind(&mut self);
}

macro_rules! object_status {
    ($($status:ty, $name:ident);+) => {
        $(impl ObjectStatus for $status {
            fn id(&self) -> Option<&str> {
                self.id.as_deref()
            }

            fn name(&self) -> Option<&str> {
                self.$name.as_deref()
            }

            fn bound_to(&self) -> Option<&str> {
                self.bound_to.as_deref()
            }

            fn observed_generation(&self) -> Option<i64> {
                self.observed_generation
            }

            fn hold(&self) -> Option<&UserHold> {
                self.hold.as_ref()
            }

            fn rejected_holds(&self) -> &[RejectedHold] {
                self.rejected_holds.as_deref().unwrap_or_default()
            }

            fn set_rejected_holds(&mut self, rejected: Option<Vec<RejectedHold>>) {
                self.rejected_holds = rejected;
            }

            fn conditions(&self) -> Option<&[Condition]> {
                self.conditions.as_deref()
            }

            fn last_operation(&self) -> Option<&LastOperation> {
                self.last_operation.as_ref()
            }

            fn last_handled_reconcile_at(&self) -> Option<&String> {
                self.last_handled_reconcile_at.as_ref()
            }

            fn unbind(&mut self) {
                self.id = None;
            }
        })+
    };
}
object_status!(ScimUserStatus, user_name; ScimGroupStatus, display_name);
