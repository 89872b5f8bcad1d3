//! What the planner's tests begin with.

use proptest::test_runner::Config;
use serde_json::Value;

use crate::api::{Action, AdoptionPolicy, DeletionPolicy, ScimUserSpec};
use crate::plan::protect::Protected;
use crate::plan::{Policy, Repair};
use crate::scim::Profile;

/// A connection that permits everything.
pub fn policy(profile: Profile) -> Policy {
    Policy {
        server: "here".into(),
        profile,
        plan: false,
        suspend: false,
        actions: vec![Action::Create, Action::Update, Action::Deprovision],
        adoption: AdoptionPolicy::Adopt,
        deletion: DeletionPolicy::Deactivate,
        group_adoption: AdoptionPolicy::Refuse,
        group_deletion: crate::api::GroupDeletionPolicy::Retain,
        allow_irreversible_delete: false,
        repair: Repair { attributes: true, deactivated: false, deleted: false },
        protected: Protected::default(),
    }
}

/// A spec from its JSON.
pub fn spec(json: Value) -> ScimUserSpec {
    serde_json::from_value(json).expect("a spec")
}

/// As many cases as whole passes have time for.
pub fn cases() -> Config {
    let usual = Config::default();
    Config { cases: usual.cases / 4, ..usual }
}
