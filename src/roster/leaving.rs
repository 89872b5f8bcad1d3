//! Leavers of whose rows nothing else can be used: nothing else delays a removal (promise I17).

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use serde_json::json;

use super::people::Body;
use super::recipe::{Line, Recipe};
use super::source::{Table, TableRow};
use super::target::{Drafted, Target};
use crate::api::{ScimUser, ScimUserSpec};

/// What a row says of the end of somebody's access, whatever else is wrong with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccessEnd {
    /// They have left.
    pub has_left: bool,
    /// From when on they have no access.
    pub not_after: Option<Timestamp>,
}

/// What is written of a ScimUser of whose row more can't be used.
#[derive(Clone, Debug)]
pub struct Leaver {
    /// The ScimUser's name.
    pub name: String,
    /// What it records of its person's key.
    pub key: String,
    /// What it says, with the end of access.
    pub body: Body,
}

const LEFT: &str = ". The account is deactivated all the same";
const ENDS: &str = ". The end of access in it counts all the same";

/// What is wrong with a row, without what is done all the same.
pub fn untold(reason: &str) -> &str {
    reason.strip_suffix(LEFT).or_else(|| reason.strip_suffix(ENDS)).unwrap_or(reason)
}

impl AccessEnd {
    /// What of it is to be told of the row of this ScimUser: a later end is none that hurries.
    pub fn told(self, user: &ScimUser) -> Option<&'static str> {
        if self.has_left {
            return Some(LEFT);
        }
        let known = user.spec.access.as_ref().and_then(|access| access.not_after.as_ref()).map(|end| end.0);
        let ends = self.not_after.is_some_and(|end| known.is_none_or(|known| end <= known));
        ends.then_some(ENDS)
    }

    /// The ScimUser's spec with this end; none where it has it already. Nothing else can be read of its row.
    fn of(self, user: &ScimUser) -> Option<ScimUserSpec> {
        let mut spec = user.spec.clone();
        if self.has_left {
            spec.active = Some(false);
        }
        if let Some(end) = self.not_after {
            let access = spec.access.get_or_insert_default();
            if access.not_before.as_ref().is_some_and(|begin| end <= begin.0) {
                // It would end before it begins, which no ScimUser may say.
                spec.active = Some(false);
            } else if access.not_after.as_ref().is_none_or(|known| end < known.0) {
                access.not_after = Some(Time(end));
            }
        }
        (spec != user.spec).then_some(spec)
    }
}

impl AccessEnd {
    /// Whether access ends before the other one ends it, if that does at all.
    pub fn is_before(self, other: Option<Self>) -> bool {
        let other = other.unwrap_or_default();
        let sooner = self.not_after.is_some_and(|end| other.not_after.is_none_or(|known| end < known));
        !other.has_left && (self.has_left || sooner)
    }
}

impl Recipe {
    /// What a row says of the end of access. Of values that can't be read, and of columns that its header lacks, nothing
    /// can be said, and where all of them are empty it says nothing.
    pub fn access_end(&self, table: &Table, row: &TableRow) -> Option<AccessEnd> {
        let mut drafted = Drafted::default();
        let ends = |line: &&Line| matches!(line.target, Target::Active | Target::Access("notAfter"));
        for line in self.lines.iter().filter(ends).filter(|line| self.says_something(table, row, line)) {
            if let Ok(value) = self.value(&line.value, row) {
                // What isn't one is told with the row.
                let _ = line.target.put(&value, &mut drafted);
            }
        }
        let has_left = row.deleted || drafted.attributes.get("active") == Some(&json!(false));
        let not_after = drafted.attributes.get("access").and_then(|access| access["notAfter"].as_str()?.parse().ok());
        (has_left || not_after.is_some()).then_some(AccessEnd { has_left, not_after })
    }

    fn says_something(&self, table: &Table, row: &TableRow, line: &Line) -> bool {
        let mut places = line.value.columns().iter().filter_map(|column| self.wanted.place(column)).peekable();
        let is_empty =
            |place: usize| row.values[place].is_null() || row.values[place].as_str().is_some_and(str::is_empty);
        let is_constant = places.peek().is_none();
        let places: Vec<usize> = places.collect();
        let is_there = places.iter().all(|place| !table.is_column_missing(row, *place));
        is_there && (is_constant || places.iter().any(|place| !is_empty(*place)))
    }

    /// What is to be written of a ScimUser for such an end, if it doesn't say so yet. `key` is what its row's key would
    /// be recorded as.
    pub fn leaver(&self, user: &ScimUser, end: AccessEnd, key: Option<String>) -> Option<Leaver> {
        let spec = serde_json::to_value(end.of(user)?).unwrap_or_default();
        let key = user.annotations().get(crate::api::ROSTER_KEY).cloned().or(key)?;
        let ours = user.labels().iter().filter(|(name, _)| self.labels.iter().any(|(known, _)| known == *name));
        let labels = ours.map(|(name, value)| (name.clone(), json!(value))).collect();
        Some(Leaver { name: user.name_any(), key, body: Body { spec, labels, manager_missing: false } })
    }
}
