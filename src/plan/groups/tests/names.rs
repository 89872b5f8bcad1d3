//! Names that a server keeps with a domain before them.

use serde_json::json;

use super::{Case, shown};
use crate::plan::Applied;
use crate::plan::groups::GroupStep;

fn carried_out(name: &str) -> String {
    let mut applied = Applied::default();
    applied.set("displayName", Some(&json!(name)));
    applied.text()
}

/// What is shown is what was written: the new name is another one, and no form of the old one.
#[test]
fn i06_a_name_that_is_declared_anew_is_written_also_where_only_its_domain_differs() {
    for (was, now) in [("eng/backend", "backend"), ("backend", "eng/backend"), ("CORP\\x", "x")] {
        let mut case = Case::bound(&[]);
        case.spec.display_name = now.into();
        case.status.display_name = Some(was.into());
        case.status.observed_generation = Some(0);
        case.group = shown(was);
        case.status.applied_attributes = Some(carried_out(was));
        assert!(matches!(case.decide(), GroupStep::Send(_)), "{was} is to be {now}");
        // Written so, and kept with a domain.
        case.status.applied_attributes = Some(carried_out(now));
        assert!(matches!(case.decide(), GroupStep::Settle(_)), "{now} is kept as {was}");
    }
}
