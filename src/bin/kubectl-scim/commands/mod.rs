//! The commands.

pub mod answer;
pub mod change;
pub mod complete;
pub mod documents;
pub mod explain;
pub mod history;
pub mod holds;
pub mod import;
mod interrupted;
pub mod lists;
pub mod plan;
pub mod report;
pub mod roster;
pub mod rosters;
pub mod status;
pub mod test;
