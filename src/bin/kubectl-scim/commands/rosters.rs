//! Rosters, as they are listed.

use anyhow::Result;
use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::ListParams;
use scim_operator::api::ScimRoster;
use serde::Serialize;

use crate::cluster::{Cluster, each, is_forbidden};
use crate::objects::connection_name;
use crate::output::{self, Cell, Row, Tone};
use crate::time::{age, instant};

/// All of them, as far as they may be seen.
pub async fn all(cluster: &Cluster) -> Result<Vec<ScimRoster>> {
    let mut found = Vec::new();
    let listed = each(&cluster.api::<ScimRoster>(), &ListParams::default(), |roster| found.push(roster)).await;
    match listed {
        Err(error) if is_forbidden(&error) => {
            output::note("note: you may not list rosters, so neither they nor their holds are shown");
            Ok(Vec::new())
        }
        listed => listed.map(|()| found),
    }
}

/// A roster.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Roster {
    namespace: String,
    name: String,
    connection: String,
    ready: String,
    reason: String,
    message: String,
    suspended: bool,
    rows: i64,
    in_scope: i64,
    generated: i64,
    rejected: i64,
    held: i64,
    last_good: Option<Timestamp>,
}

impl From<&ScimRoster> for Roster {
    fn from(roster: &ScimRoster) -> Self {
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
            suspended: roster.spec.suspend,
            rows: number(status.rows),
            in_scope: number(status.in_scope),
            generated: number(status.generated),
            rejected: number(status.rejected_rows),
            held: status.hold.as_ref().map_or(0, |hold| hold.removals),
            last_good: instant(status.last_good.as_ref()),
        }
    }
}

impl Roster {
    /// Its rows aren't what the ScimUsers are, and nobody meant that.
    pub fn fails(&self) -> bool {
        self.ready != "True" && !self.suspended
    }

    /// What a person should know of it beside its counts.
    pub fn note(&self) -> Option<String> {
        let name = format!("{}/{}", self.namespace, self.name);
        let told = || match self.ready.as_str() {
            "" => format!("{name}: the operator has not looked at this roster yet; is one at work in this cluster?"),
            _ => format!("{name}: {}: {}", self.reason, self.message),
        };
        self.fails().then(told)
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
            if self.suspended { "suspended".into() } else { self.reason.clone().into() },
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
    use serde_json::json;

    fn roster(suspend: bool, ready: &str) -> Roster {
        let roster: ScimRoster = serde_json::from_value(json!({
            "metadata": {"name": "people", "namespace": "identity"},
            "spec": {"connectionRef": {"name": "datadog"}, "source": {}, "suspend": suspend},
            "status": {"conditions": [{"type": "Ready", "status": ready, "reason": "SourceNotFound", "message": "it is gone",
                "lastTransitionTime": "2026-11-28T12:00:00Z"}]},
        }))
        .unwrap();
        Roster::from(&roster)
    }

    #[test]
    fn a_roster_that_is_not_ready_fails_unless_it_is_suspended() {
        assert_eq!(roster(false, "False").note().as_deref(), Some("identity/people: SourceNotFound: it is gone"));
        assert_eq!((roster(false, "True").note(), roster(true, "False").note()), (None, None));
        assert!(Roster::from(&ScimRoster::default()).note().is_some_and(|note| note.contains("is one at work")));
        assert_eq!(Roster::COLUMNS.len(), roster(false, "True").cells().len());
    }
}
