//! The rows of the lists, each with the columns that matter there.

use jiff::Timestamp;
use kube::ResourceExt;
use scim_operator::api::ScimRoster;
use serde::Serialize;

use crate::objects::{Object, connection_name};
use crate::output::{Cell, Row, Tone};
use crate::time::{age, instant};

/// An object that fails, with the reason in the first place.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct Failure(pub(super) Object);

impl Row for Failure {
    const COLUMNS: &'static [&'static str] =
        &["NAMESPACE", "KIND", "NAME", "CALLED", "CONNECTION", "REASON", "SINCE", "MESSAGE", "+STATE", "+ID"];

    fn cells(&self) -> Vec<Cell> {
        let object = &self.0;
        let text = |text: &Option<String>| Cell::from(text.clone().unwrap_or_default());
        vec![
            object.namespace.clone().into(),
            object.kind.into(),
            object.name.clone().into(),
            object.called.clone().into(),
            object.connection.clone().into(),
            Cell::toned(object.reason.clone().unwrap_or_default(), Tone::Bad),
            age(object.since).into(),
            text(&object.message),
            text(&object.state),
            text(&object.id),
        ]
    }
}

/// An object that isn't at the server as it is declared.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct Drift(pub(super) Object);

impl Row for Drift {
    const COLUMNS: &'static [&'static str] = &[
        "NAMESPACE",
        "KIND",
        "NAME",
        "CALLED",
        "CONNECTION",
        "STATE",
        "CHANGED THERE",
        "NOT WRITTEN",
        "+ID",
        "+MESSAGE",
    ];

    fn cells(&self) -> Vec<Cell> {
        let object = &self.0;
        let text = |text: &Option<String>| Cell::from(text.clone().unwrap_or_default());
        let changed = match object.reason.as_deref() {
            Some("DeactivatedAtServer") => "active".to_owned(),
            Some("DeletedAtServer") => "deleted".to_owned(),
            _ => object.drift.join(", "),
        };
        vec![
            object.namespace.clone().into(),
            object.kind.into(),
            object.name.clone().into(),
            object.called.clone().into(),
            object.connection.clone().into(),
            text(&object.state),
            Cell::toned(changed, Tone::Warning),
            object.ignored.join(", ").into(),
            text(&object.id),
            text(&object.message),
        ]
    }
}

/// An account that no object declares.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Unmanaged {
    pub(super) connection: String,
    pub(super) user_name: String,
    pub(super) id: String,
}

impl Row for Unmanaged {
    const COLUMNS: &'static [&'static str] = &["CONNECTION", "USER NAME", "ID"];

    fn cells(&self) -> Vec<Cell> {
        vec![self.connection.clone().into(), self.user_name.clone().into(), self.id.clone().into()]
    }
}

/// A roster.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Roster {
    namespace: String,
    name: String,
    connection: String,
    ready: String,
    reason: String,
    message: String,
    rows: i64,
    in_scope: i64,
    generated: i64,
    rejected: i64,
    held: i64,
    last_good: Option<Timestamp>,
}

impl From<ScimRoster> for Roster {
    fn from(roster: ScimRoster) -> Self {
        let status = roster.status.clone().unwrap_or_default();
        let ready = status.conditions.iter().flatten().find(|known| known.type_ == "Ready");
        let number = |count: Option<i64>| count.unwrap_or_default();
        Self {
            namespace: roster.namespace().unwrap_or_default(),
            name: roster.name_any(),
            connection: connection_name(&roster.spec.connection_ref),
            ready: ready.map(|ready| ready.status.clone()).unwrap_or_default(),
            reason: ready.map(|ready| ready.reason.clone()).unwrap_or_default(),
            message: ready.map(|ready| ready.message.clone()).unwrap_or_default(),
            rows: number(status.rows),
            in_scope: number(status.in_scope),
            generated: number(status.generated),
            rejected: number(status.rejected_rows),
            held: status.hold.as_ref().map_or(0, |hold| hold.removals),
            last_good: instant(status.last_good.as_ref()),
        }
    }
}

impl Row for Roster {
    const COLUMNS: &'static [&'static str] = &[
        "NAMESPACE",
        "NAME",
        "CONNECTION",
        "READY",
        "REASON",
        "ROWS",
        "IN SCOPE",
        "GENERATED",
        "REJECTED",
        "HELD",
        "LAST GOOD",
        "+MESSAGE",
    ];

    fn cells(&self) -> Vec<Cell> {
        vec![
            self.namespace.clone().into(),
            self.name.clone().into(),
            self.connection.clone().into(),
            Cell::toned(self.ready.clone(), if self.ready == "True" { Tone::Good } else { Tone::Bad }),
            self.reason.clone().into(),
            self.rows.to_string().into(),
            self.in_scope.to_string().into(),
            self.generated.to_string().into(),
            Cell::fault(self.rejected, Tone::Bad),
            Cell::fault(self.held, Tone::Warning),
            age(self.last_good).into(),
            self.message.clone().into(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_has_its_value() {
        assert_eq!(Failure::COLUMNS.len(), Failure(Object::default()).cells().len());
        assert_eq!(Drift::COLUMNS.len(), Drift(Object::default()).cells().len());
        assert_eq!(Roster::COLUMNS.len(), Roster::from(ScimRoster::default()).cells().len());
    }
}
