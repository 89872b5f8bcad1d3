//! Pure: (verdict, old status, now) → new status. Conditions keep their transition time.

mod condition;
mod group;
mod ledger;
mod pass_log;
mod roster;
mod user;

pub use condition::{fresh_condition, is_true, ready, set_condition, unset_condition, waits_already, whole_seconds};
pub use group::record_group;
pub use ledger::{buckets, ledger};
pub use pass_log::{LastWrite, PassLog};
pub use roster::{RosterOutcome, RosterRead, record_roster};
pub use user::record;
