//! The rows of the lists, each with the columns that matter there.

use serde::Serialize;

use crate::objects::Object;
use crate::output::{Cell, Row, Tone};
use crate::time::age;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_has_its_value() {
        assert_eq!(Failure::COLUMNS.len(), Failure(Object::default()).cells().len());
        assert_eq!(Drift::COLUMNS.len(), Drift(Object::default()).cells().len());
    }
}
