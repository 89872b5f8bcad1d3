//! Why a ScimRoster is Ready, or is not.

use super::conditions::{Also, reasons};

reasons!(
    /// Why a ScimRoster is Ready, or is not.
    RosterReason {
        /// Every row in scope has its ScimUser.
        Generated,
        /// The rows were read, and the ScimUsers are being written.
        Generating,
        /// There is no such connection: create it, or apply the roster anew with the right `connectionRef`. Nobody is
        /// changed.
        ConnectionNotFound,
        /// A source is not there: create it, or correct `spec.source`. Nobody is changed.
        SourceNotFound,
        /// A source lacks the label that allows its use; the message has the command that sets it.
        SourceNotLabelled,
        /// A source could not be read from the API server; it is tried again. Nobody is changed.
        SourceUnavailable,
        /// There is no row. Nobody is changed: suspend the roster, or delete it, if nobody is to be provisioned.
        SourceEmpty,
        /// Rows were read, and none of them is in scope: correct `spec.scope` or `spec.assigned`; or suspend the roster, or
        /// delete it, if nobody is to be provisioned.
        NobodyInScope,
        /// The source is not what its format says; the message names the row and column. Nobody is changed.
        SourceInvalid,
        /// A column that mappings read is not there (any more). Nobody is changed: put it back, or override the lines
        /// that read it.
        ColumnMissing,
        /// An expression can't be read; the message has its place. Nobody is changed.
        MappingInvalid,
        /// Rows were rejected; see `status.rejected`. All others are provisioned, and theirs stay as they were.
        RowsRejected,
        /// More rows are gone than the guard lets go; the message has the commands that approve or reject.
        Held,
        /// The API server didn't take a write; it is tried again.
        WriteFailed,
        /// Suspended: Ready stays as it was. Set `suspend: false` to go on.
        Suspended,
    }
);

impl RosterReason {
    /// The status of Ready; `None` leaves it as it was.
    pub fn ready(self) -> Option<&'static str> {
        match self {
            Self::Suspended => None,
            Self::Generated => Some("True"),
            _ => Some("False"),
        }
    }

    /// The condition beside Ready.
    pub fn also(self) -> Also {
        match self {
            Self::Generated | Self::Suspended => Also::Nothing,
            Self::Generating | Self::ConnectionNotFound | Self::SourceUnavailable | Self::WriteFailed => {
                Also::Reconciling
            }
            _ => Also::Stalled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_documented() {
        let page = include_str!("../../docs/conditions.md");
        let part = page.split("## ScimRoster").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("its part");
        for reason in RosterReason::ALL {
            assert!(part.contains(&format!("| `{}` |", reason.as_str())), "{reason:?}");
        }
    }
}
