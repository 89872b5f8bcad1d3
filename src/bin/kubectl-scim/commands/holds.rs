//! `holds`: what waits for a person's answer, and everything that is in it.

mod held;
pub mod rejected;
mod values;

use std::borrow::Borrow;

use anyhow::{Result, bail};
use clap::Args;
use jiff::Timestamp;
use kube::ResourceExt;
use scim_operator::api::{ScimConnection, ScimRoster};
use serde::Serialize;

pub use self::held::{Held, told_of_change};
pub use self::values::Values;
use super::plan::KeyAccess;
use super::roster::against;
use super::rosters;
use crate::Outcome;
use crate::cluster::{Cluster, Kind};
use crate::global::Global;
use crate::objects::{Object, Selection, full_name};
use crate::output::{self, Cell, Printer, Row, Tone};
use crate::time::{age, instant};

/// `holds`
#[derive(Debug, Args)]
pub struct Arguments {
    /// The hold whose members are listed; without it the holds are
    #[arg(value_name = "ID")]
    id: Option<String>,
    #[command(flatten)]
    keys: KeyAccess,
}

/// So many objects of a hold are shown, unless all are asked for.
const MOST: usize = 200;

/// A hold, and whose it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// What it is answered by; none until it has closed.
    pub id: Option<String>,
    /// The kind of whatever it is of.
    #[serde(skip)]
    pub kind: Kind,
    #[serde(skip)]
    pub namespace: Option<String>,
    #[serde(skip)]
    pub name: String,
    /// `namespace/name` of that.
    pub of: String,
    pub reason: String,
    pub since: Option<Timestamp>,
    pub creates: i64,
    pub updates: i64,
    pub deactivations: i64,
    pub deletes: i64,
    /// Members that groups would lose.
    pub memberships: i64,
    /// Some of its objects.
    pub sample: Vec<String>,
    /// It was refused before.
    pub rejected: bool,
    /// The version of whatever it is of, as it was read.
    #[serde(skip)]
    pub version: Option<String>,
}

impl Hold {
    /// One of which nothing is known but whose it is.
    pub fn of_kind(kind: Kind) -> Self {
        Self {
            id: None,
            kind,
            namespace: None,
            name: String::new(),
            of: String::new(),
            reason: String::new(),
            since: None,
            creates: 0,
            updates: 0,
            deactivations: 0,
            deletes: 0,
            memberships: 0,
            sample: Vec::new(),
            rejected: false,
            version: None,
        }
    }

    /// Operations on users and groups, members of groups apart.
    pub fn operations(&self) -> i64 {
        self.creates + self.updates + self.deactivations + self.deletes
    }

    /// What an answer is confirmed by: all that [`Self::words`] tells, members of groups too.
    pub fn count(&self) -> u64 {
        u64::try_from(self.operations() + self.memberships).unwrap_or_default()
    }

    /// Whether these objects are all that it would touch: users and groups by their number, groups that lose members by
    /// these.
    pub fn is_all<'a, O: Borrow<Object> + 'a>(&self, listed: impl IntoIterator<Item = &'a Held<O>>) -> bool {
        let (mut operations, mut memberships) = (0, 0);
        for held in listed {
            match held.taken_out() {
                0 => operations += 1,
                out => memberships += out,
            }
        }
        operations >= self.operations() && memberships >= self.memberships
    }

    /// Those of its objects that it names.
    pub fn sampled(&self) -> Vec<Held> {
        let named = |name: &String| {
            let (namespace, name) = name.split_once('/').unwrap_or(("", name));
            Held::leaving(Object {
                kind: "ScimUser",
                namespace: namespace.to_owned(),
                name: name.to_owned(),
                ..Object::default()
            })
        };
        self.sample.iter().map(named).collect()
    }

    /// What it would do, in words.
    pub fn words(&self) -> String {
        let parts = [
            (self.deletes, if self.kind == Kind::Roster { "ScimUsers deleted" } else { "deletions" }),
            (self.deactivations, "deactivations"),
            (self.memberships, "members taken out of groups"),
            (self.updates, "updates"),
            (self.creates, "creations"),
        ];
        output::counted(parts).join(", ")
    }
}

/// Those of one connection.
pub fn of_connection(connection: &ScimConnection) -> Vec<Hold> {
    let namespace = connection.namespace();
    let kind = if namespace.is_some() { Kind::Connection } else { Kind::ClusterConnection };
    let status = connection.status.clone().unwrap_or_default();
    let refused = status.refused_holds.unwrap_or_default();
    let holds = status.holds.unwrap_or_default().into_iter();
    let hold = |hold: scim_operator::api::HoldStatus| Hold {
        kind,
        namespace: namespace.clone(),
        name: connection.name_any(),
        of: full_name(connection),
        reason: hold.reason,
        since: Some(hold.since.0),
        creates: hold.creates,
        updates: hold.updates,
        deactivations: hold.deactivations,
        deletes: hold.deletes,
        memberships: hold.memberships,
        sample: hold.sample,
        rejected: hold.id.as_ref().is_some_and(|id| refused.contains(id)),
        id: hold.id,
        version: connection.resource_version(),
    };
    holds.map(hold).collect()
}

/// That of one roster.
pub fn of_roster(roster: &ScimRoster) -> Option<Hold> {
    let hold = roster.status.as_ref()?.hold.clone()?;
    let namespace = roster.namespace();
    let sample =
        hold.sample.iter().map(|name| format!("{}/{name}", namespace.as_deref().unwrap_or_default())).collect();
    Some(Hold {
        id: Some(hold.id),
        name: roster.name_any(),
        of: format!("roster {}", full_name(roster)),
        reason: "rows are gone".to_owned(),
        since: instant(roster.status.as_ref().and_then(|status| status.last_good.as_ref())),
        deletes: hold.removals,
        sample,
        rejected: hold.rejected,
        namespace,
        version: roster.resource_version(),
        ..Hold::of_kind(Kind::Roster)
    })
}

/// All of them.
async fn all(cluster: &Cluster) -> Result<Vec<Hold>> {
    let connections = cluster.connections().await?;
    let mut found: Vec<Hold> = connections.iter().flat_map(of_connection).collect();
    found.extend(rejected::of_connections(cluster, &connections, None).await?);
    found.extend(rosters::all(cluster).await?.iter().filter_map(of_roster));
    Ok(found)
}

/// The one with this id.
pub async fn find(cluster: &Cluster, id: &str) -> Result<Hold> {
    if id.len() != 16 || !id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        bail!("{id:?} is not the id of a hold, which has 16 hex digits; kubectl scim holds lists them");
    }
    let connections = cluster.connections().await?;
    let is_it = |hold: &Hold| hold.id.as_deref() == Some(id);
    if let Some(open) = connections.iter().flat_map(of_connection).find(is_it) {
        return Ok(open);
    }
    if let Some(rejected) = rejected::of_connections(cluster, &connections, Some(id)).await?.pop() {
        return Ok(rejected);
    }
    let found = rosters::all(cluster).await?.iter().filter_map(of_roster).find(is_it);
    found.ok_or_else(|| {
        anyhow::anyhow!(
            "there is no hold {id} in {}: it was answered, or what is in it has changed and it has another id now; kubectl \
             scim holds -A lists them all",
            cluster.place()
        )
    })
}

/// The objects in a hold, page by page. Of a roster's, only some are known by name where its source may not be read.
pub async fn members(cluster: &Cluster, hold: &Hold) -> Result<Vec<Held>> {
    if hold.rejected && hold.kind != Kind::Roster {
        return rejected::members(cluster, hold).await;
    }
    if hold.kind == Kind::Roster {
        let left = leavers(cluster, hold).await.unwrap_or_default();
        return Ok(if i64::try_from(left.len()) == Ok(hold.deletes) { left } else { hold.sampled() });
    }
    let mut selection = Selection::both(vec![format!("status.hold.id={}", hold.id.as_deref().unwrap_or_default())]);
    let everywhere = Cluster { client: cluster.client.clone(), namespace: cluster.namespace.clone(), all: true };
    // A cluster connection's are anywhere; one of a namespace has them beside it.
    selection.namespace.clone_from(&hold.namespace);
    let mut found = Vec::new();
    selection.each(&everywhere, |object| found.push(Held(object))).await?;
    sort(&mut found);
    Ok(found)
}

fn sort(found: &mut [Held]) {
    found.sort_by(|Held(a), Held(b)| {
        (&a.held_operation, &a.namespace, a.kind, &a.name).cmp(&(&b.held_operation, &b.namespace, b.kind, &b.name))
    });
}

/// Everybody whose row is gone, by the rows as they are now.
async fn leavers(cluster: &Cluster, hold: &Hold) -> Result<Vec<Held>> {
    let namespace = hold.namespace.as_deref().unwrap_or_default();
    let roster = cluster.within::<ScimRoster>(namespace).get(&hold.name).await?;
    let found = against::now(cluster, namespace, &roster).await?;
    let people = found.map(|against| against.people).unwrap_or_default();
    let leaving = people.into_iter().filter(|person| person.what == "leaves").map(|person| {
        let (namespace, name, called) = (namespace.to_owned(), person.name, person.user_name);
        Held::leaving(Object { kind: "ScimUser", namespace, name, called, ..Object::default() })
    });
    Ok(leaving.collect())
}

/// Lists holds, or what is in one.
pub async fn run(global: &Global, cluster: &Cluster, printer: Printer, arguments: &Arguments) -> Result<Outcome> {
    let Some(id) = &arguments.id else {
        let holds = all(cluster).await?;
        if holds.is_empty() && !printer.is_data() {
            output::note(&format!("nothing is held in {}", cluster.place()));
        }
        printer.list(&holds)?;
        return Ok(if holds.iter().all(|hold| hold.rejected) { Outcome::Done } else { Outcome::Found });
    };
    let hold = find(cluster, id).await?;
    let members = members(cluster, &hold).await?;
    let values = Values::read(global, cluster, &hold, &arguments.keys).await;
    let more = if printer.is_whole() { 0 } else { members.len().saturating_sub(MOST) };
    let shown: Vec<_> = members.iter().take(members.len() - more).map(|member| values.of(member)).collect();
    printer.list(&shown)?;
    if more > 0 {
        output::note(&format!("and {more} more; -o wide and -o json show all of them"));
    }
    output::note(&format!("Hold {id} of {}: {}. {}", hold.of, hold.words(), counted(&hold, &members)));
    Ok(Outcome::Found)
}

/// How the objects listed compare with what the hold says.
fn counted(hold: &Hold, listed: &[Held]) -> String {
    let id = hold.id.as_deref().unwrap_or_default();
    if hold.rejected && hold.kind != Kind::Roster {
        return format!(
            "It was rejected, and stays undone until what is declared changes; kubectl scim approve {id} takes that back."
        );
    }
    if hold.is_all(listed) {
        return format!("Answer by kubectl scim approve {id} or kubectl scim reject {id}.");
    }
    let (count, listed) = (hold.count(), listed.len());
    if hold.kind == Kind::Roster {
        return format!("Only {listed} of them are known by name.");
    }
    format!("Of {count} not all say so yet: {listed} objects are listed.")
}

impl Row for Hold {
    const COLUMNS: &'static [&'static str] = &["ID", "OF", "REASON", "SINCE", "WHAT IT WOULD DO", "+SAMPLE"];

    fn cells(&self) -> Vec<Cell> {
        let rejected = if self.rejected { " (rejected)" } else { "" };
        vec![
            self.id.clone().unwrap_or_else(|| "not closed yet".to_owned()).into(),
            self.of.clone().into(),
            format!("{}{rejected}", self.reason).trim_start().into(),
            age(self.since).into(),
            Cell::toned(self.words(), Tone::Warning),
            self.sample.join(", ").into(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn connection() -> ScimConnection {
        serde_json::from_value(json!({
            "metadata": {"name": "datadog", "namespace": "identity", "resourceVersion": "7"},
            "spec": {"baseUrl": "https://scim.example.com", "auth": {}},
            "status": {"holds": [{"id": "3f2a9c0d11b2e477", "reason": "removals", "since": "2026-11-28T12:00:00Z",
                "creates": 0, "updates": 1, "deactivations": 2, "deletes": 3, "memberships": 4}]},
        }))
        .unwrap()
    }

    #[test]
    fn a_hold_says_what_it_would_do_and_whose_it_is() {
        let hold = of_connection(&connection()).remove(0);
        assert_eq!((hold.of.as_str(), hold.kind, hold.operations()), ("identity/datadog", Kind::Connection, 6));
        assert_eq!(hold.words(), "3 deletions, 2 deactivations, 4 members taken out of groups, 1 updates");
        let listed: Vec<Held> = (0..6).map(|_| held("Delete", "")).chain([members_of(4)]).collect();
        assert!(counted(&hold, &listed[1..]).contains("Of 10 not all say so yet"));
        assert!(counted(&hold, &listed).contains("approve 3f2a9c0d11b2e477"));
        assert_eq!(Hold::COLUMNS.len(), hold.cells().len());
    }

    fn held(operation: &str, message: &str) -> Held {
        let (held_operation, message) = (Some(operation.to_owned()), Some(message.to_owned()));
        Held(Object { message, held_operation, ..Object::default() })
    }

    fn members_of(count: i64) -> Held {
        let subject = if count == 1 { "one membership".to_owned() } else { format!("{count} memberships") };
        held("Update", &format!("Update of {subject} is held: it exceeds a guard. Hold 3f"))
    }

    #[test]
    fn i13_members_taken_out_of_groups_are_counted_and_no_group_stands_for_a_person() {
        let json = json!([{"id": "3f2a9c0d11b2e477", "reason": "memberships", "since": "2026-11-28T12:00:00Z",
            "creates": 0, "updates": 0, "deactivations": 2, "deletes": 0, "memberships": 500}]);
        let mut connection = connection();
        connection.status.as_mut().unwrap().holds = serde_json::from_value(json).unwrap();
        let hold = of_connection(&connection).remove(0);
        assert_eq!(hold.count(), 502, "what is told is what is typed");
        let person = || held("Deactivate", "Deactivate is held: it is more");
        assert!(hold.is_all(&[person(), person(), members_of(499), members_of(1)]));
        assert!(!hold.is_all(&[person(), members_of(499), members_of(1)]), "a person isn't shown");
        assert!(!hold.is_all(&[person(), person()]), "no group is shown");
        assert!(!hold.is_all(&[person(), person(), members_of(499)]), "one group isn't shown");
    }

    #[test]
    fn i13_who_is_put_into_a_group_stands_for_nobody_who_is_taken_out() {
        let json = json!([{"id": "3f2a9c0d11b2e477", "reason": "Plan", "since": "2026-11-28T12:00:00Z",
            "creates": 0, "updates": 1, "deactivations": 0, "deletes": 0, "memberships": 21}]);
        let mut connection = connection();
        connection.status.as_mut().unwrap().holds = serde_json::from_value(json).unwrap();
        let hold = of_connection(&connection).remove(0);
        let group = |members: &str| held("Update", &format!("Update of {members} is held: nothing is sent. Hold 3f"));
        let (mixed, joins) = (|| group("31 memberships (30 put in)"), || group("25 memberships (25 put in)"));
        assert_eq!((mixed().memberships(), joins().memberships()), (Some((1, 30)), Some((0, 25))));
        assert!(!hold.is_all(&[mixed(), joins()]), "the group that loses 20 isn't shown");
        assert!(!hold.is_all(&[mixed(), members_of(20)]), "the group that gets 25 isn't shown");
        assert!(hold.is_all(&[mixed(), members_of(20), joins()]));
    }
}
