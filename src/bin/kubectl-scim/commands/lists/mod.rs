//! `get`, `failures`, `drift` and, in a file of its own, `unmanaged`: lists of thousands, sorted and filtered.

mod rows;
pub mod unmanaged;

use std::cmp::Ordering;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use kube::ResourceExt;
use kube::api::ListParams;
use scim_operator::api::{Reason, ScimConnection, ScimRoster};

use self::rows::{Drift, Failure};
use super::rosters::Roster;
use crate::Outcome;
use crate::cluster::{Cluster, each};
use crate::objects::{Object, Selection, full_name, known_state, not_at_ease};
use crate::output::{self, Printer};

/// What can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// Users and groups
    All,
    /// `ScimUser`s
    Users,
    /// `ScimGroup`s
    Groups,
    /// `ScimRoster`s
    Rosters,
    /// Connections of namespaces and of the cluster
    Connections,
}

/// How lists are narrowed and sorted.
#[derive(Args, Clone, Debug)]
pub struct Filter {
    /// Only those of this connection; that of a cluster connection is cluster/NAME
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
    /// Only those whose userName, displayName or name has this in it, in whatever letter case
    #[arg(long, value_name = "TEXT")]
    called: Option<String>,
    /// Only those with this reason of Ready, such as Rejected
    #[arg(long, value_name = "REASON")]
    reason: Option<String>,
    /// Only those with these labels
    #[arg(short = 'l', long, value_name = "LABELS")]
    selector: Option<String>,
    /// What to sort by
    #[arg(long, value_enum, default_value_t = Sort::Name)]
    sort: Sort,
}

/// What lists are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Sort {
    /// Namespace and name
    Name,
    /// userName or displayName
    Called,
    /// Reason of Ready
    Reason,
    /// The last change at the server, the newest first
    Change,
    /// How long Ready has been as it is, the newest first
    Since,
}

/// `get`
#[derive(Debug, Args)]
pub struct GetArguments {
    /// What to list
    #[arg(value_enum, default_value_t = What::All)]
    what: What,
    /// Only those in this state, such as Active, Failed or Held
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    #[command(flatten)]
    filter: Filter,
}

/// `failures`
#[derive(Debug, Args)]
pub struct FailuresArguments {
    #[command(flatten)]
    filter: Filter,
}

/// `drift`
#[derive(Debug, Args)]
pub struct DriftArguments {
    #[command(flatten)]
    filter: Filter,
}

impl Filter {
    fn narrow(&self, selection: &mut Selection) {
        selection.labels.clone_from(&self.selector);
        if let Some(name) = &self.connection {
            let name = name.strip_prefix("cluster/").unwrap_or(name);
            selection.fields.push(format!("spec.connectionRef.name={name}"));
        }
    }

    fn fits(&self, object: &Object) -> bool {
        let called = |text: &str| {
            let text = text.to_lowercase();
            [&object.called, &object.name].iter().any(|name| name.to_lowercase().contains(&text))
        };
        self.connection.as_ref().is_none_or(|name| object.connection == *name)
            && self.called.as_ref().is_none_or(|text| called(text))
            && self
                .reason
                .as_ref()
                .is_none_or(|reason| object.reason.as_ref().is_some_and(|known| known.eq_ignore_ascii_case(reason)))
    }

    fn order(&self, a: &Object, b: &Object) -> Ordering {
        let by = match self.sort {
            Sort::Name => Ordering::Equal,
            Sort::Called => a.called.to_lowercase().cmp(&b.called.to_lowercase()),
            Sort::Reason => a.reason.cmp(&b.reason),
            Sort::Change => b.last_change.cmp(&a.last_change),
            Sort::Since => b.since.cmp(&a.since),
        };
        by.then_with(|| (&a.namespace, a.kind, &a.name).cmp(&(&b.namespace, b.kind, &b.name)))
    }

    async fn list(
        &self,
        cluster: &Cluster,
        mut selection: Selection,
        keep: impl Fn(&Object) -> bool,
    ) -> Result<Vec<Object>> {
        self.narrow(&mut selection);
        let mut found = Vec::new();
        let visit = |object: Object| {
            if self.fits(&object) && keep(&object) {
                found.push(object);
            }
        };
        selection.each(cluster, visit).await?;
        if found.is_empty() {
            self.check(cluster).await?;
        }
        found.sort_by(|a, b| self.order(a, b));
        Ok(found)
    }

    /// A name that there isn't is no reason for an empty list.
    async fn check(&self, cluster: &Cluster) -> Result<()> {
        if let Some(reason) = &self.reason
            && !Reason::ALL.iter().any(|known| known.as_str().eq_ignore_ascii_case(reason))
        {
            let all: Vec<&str> = Reason::ALL.iter().map(|known| known.as_str()).collect();
            bail!("there is no reason {reason}; there are: {}", all.join(", "));
        }
        if let Some(name) = &self.connection {
            known_connection(cluster, name).await?;
        }
        Ok(())
    }

    /// Some of it was said.
    fn is_set(&self) -> bool {
        let texts = [&self.connection, &self.called, &self.reason, &self.selector];
        texts.into_iter().any(Option::is_some) || self.sort != Sort::Name
    }
}

/// There is such a connection, as far as that may be seen.
pub async fn known_connection(cluster: &Cluster, name: &str) -> Result<()> {
    let all = cluster.connections().await?;
    let called = |connection: &ScimConnection| match connection.namespace() {
        Some(_) => connection.name_any(),
        None => format!("cluster/{}", connection.name_any()),
    };
    let mut names: Vec<String> = all.iter().map(called).collect();
    names.dedup();
    if !names.iter().any(|known| known == name) && !all.iter().any(|connection| full_name(connection) == name) {
        bail!("there is no connection {name} here; there are: {}", names.join(", "));
    }
    Ok(())
}

/// Says that nothing was found, where a table would be empty.
fn told(printer: Printer, empty: bool, nothing: &str) {
    if empty && !printer.is_data() {
        output::note(nothing);
    }
}

/// Lists objects of a kind.
pub async fn get(cluster: &Cluster, printer: Printer, arguments: &GetArguments) -> Result<Outcome> {
    if matches!(arguments.what, What::Rosters | What::Connections)
        && (arguments.filter.is_set() || arguments.state.is_some())
    {
        bail!("only users and groups are filtered and sorted");
    }
    match arguments.what {
        What::Rosters => rosters(cluster, printer).await,
        What::Connections => {
            let connections = super::status::connections(cluster).await?;
            told(printer, connections.is_empty(), "there is no connection here");
            printer.list(&connections)?;
            Ok(Outcome::Done)
        }
        what => {
            let mut selection = Selection::both(Vec::new());
            selection.users = what != What::Groups;
            selection.groups = what != What::Users;
            // A state that there isn't is no reason for an empty list.
            let state = arguments.state.as_deref().map(known_state).transpose()?;
            selection.fields.extend(state.map(|state| format!("status.state={state}")));
            let found = arguments.filter.list(cluster, selection, |_| true).await?;
            told(printer, found.is_empty(), "nothing here fits; -A looks into all namespaces");
            printer.list(&found)?;
            Ok(Outcome::Done)
        }
    }
}

/// Lists users and groups that need a person.
pub async fn failures(cluster: &Cluster, printer: Printer, arguments: &FailuresArguments) -> Result<Outcome> {
    let found = arguments.filter.list(cluster, not_at_ease(), Object::fails).await?;
    told(printer, found.is_empty(), &format!("nothing fails in {}", cluster.place()));
    let outcome = if found.is_empty() { Outcome::Done } else { Outcome::Found };
    printer.list(&found.into_iter().map(Failure).collect::<Vec<_>>())?;
    Ok(outcome)
}

/// Lists what was changed at the server or isn't kept there.
pub async fn drift(cluster: &Cluster, printer: Printer, arguments: &DriftArguments) -> Result<Outcome> {
    let gone = ["DeactivatedAtServer", "DeletedAtServer"];
    let drifted = |object: &Object| {
        let gone = object.reason.as_deref().is_some_and(|reason| gone.contains(&reason));
        gone || !object.drift.is_empty() || !object.ignored.is_empty()
    };
    let found = arguments.filter.list(cluster, Selection::both(Vec::new()), drifted).await?;
    told(printer, found.is_empty(), "nothing is drifted, and nothing is ignored by the server");
    let outcome = if found.is_empty() { Outcome::Done } else { Outcome::Found };
    printer.list(&found.into_iter().map(Drift).collect::<Vec<_>>())?;
    Ok(outcome)
}

async fn rosters(cluster: &Cluster, printer: Printer) -> Result<Outcome> {
    let mut found = Vec::new();
    each(&cluster.api(), &ListParams::default(), |roster: ScimRoster| found.push(Roster::from(&roster))).await?;
    told(printer, found.is_empty(), "there is no roster here; -A looks into all namespaces");
    printer.list(&found)?;
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn filter(sort: Sort) -> Filter {
        Filter { connection: None, called: None, reason: None, selector: None, sort }
    }

    fn object(name: &str, called: &str, reason: &str, change: Option<i64>) -> Object {
        Object {
            kind: "ScimUser",
            name: name.into(),
            called: called.into(),
            connection: "datadog".into(),
            reason: Some(reason.into()),
            last_change: change.map(|second| Timestamp::from_second(second).unwrap()),
            ..Object::default()
        }
    }

    #[test]
    fn lists_are_sorted_and_narrowed() {
        let mut all = [
            object("b", "Ada@x", "Synced", Some(1)),
            object("a", "zoe@x", "Held", Some(2)),
            object("c", "bob@x", "Held", None),
        ];
        let names = |all: &[Object]| all.iter().map(|object| object.name.clone()).collect::<Vec<_>>();
        for (sort, expected) in [
            (Sort::Name, ["a", "b", "c"]),
            (Sort::Called, ["b", "c", "a"]),
            (Sort::Reason, ["a", "c", "b"]),
            (Sort::Change, ["a", "b", "c"]),
        ] {
            let filter = filter(sort);
            all.sort_by(|a, b| filter.order(a, b));
            assert_eq!(names(&all), expected, "{sort:?}");
        }
        let only = Filter { called: Some("ADA".into()), ..filter(Sort::Name) };
        assert_eq!(all.iter().filter(|object| only.fits(object)).count(), 1);
        let only = Filter { reason: Some("held".into()), connection: Some("datadog".into()), ..filter(Sort::Name) };
        assert_eq!(all.iter().filter(|object| only.fits(object)).count(), 2);
        let none = Filter { connection: Some("cluster/datadog".into()), ..filter(Sort::Name) };
        assert_eq!(all.iter().filter(|object| none.fits(object)).count(), 0);
    }
}
