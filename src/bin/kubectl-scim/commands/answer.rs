//! `approve` and `reject`: a person's answer to a hold.

use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;

use super::holds::{Hold, Values, find, members};
use super::plan::KeyAccess;
use crate::cluster::{Cluster, Kind, patch};
use crate::global::Global;
use crate::{Outcome, confirm, output};

/// Such a write meets one of the operator's own now and then; each is tried again on what is there then.
const TRIES: usize = 10;
/// So many members are named before the question.
const NAMED: usize = 20;

/// `approve`, `reject`
#[derive(Debug, Args)]
pub struct Arguments {
    /// The hold
    #[arg(value_name = "ID")]
    pub id: String,
    /// The count that would be typed, for scripts; with another count nothing is changed
    #[arg(long, value_name = "COUNT")]
    pub yes: Option<u64>,
}

/// The same, and how to read what is in the hold.
#[derive(Debug, Args)]
pub struct Asked {
    #[command(flatten)]
    arguments: Arguments,
    #[command(flatten)]
    keys: KeyAccess,
}

const APPROVE: Answer = Answer { field: "approvedHold", other: "rejectedHold", verb: "lets go", done: "approved" };
const REJECT: Answer = Answer { field: "rejectedHold", other: "approvedHold", verb: "refuses", done: "rejected" };

/// Lets it go.
pub async fn approve(cluster: &Cluster, arguments: &Arguments) -> Result<Outcome> {
    answer(cluster, arguments, &APPROVE, None).await
}

/// Refuses it.
pub async fn reject(cluster: &Cluster, arguments: &Arguments) -> Result<Outcome> {
    answer(cluster, arguments, &REJECT, None).await
}

/// Shows a person what is in it, and lets it go or refuses it as they say. Whoever gives the count has seen it.
pub async fn ask(global: &Global, cluster: &Cluster, asked: &Asked, approves: bool) -> Result<Outcome> {
    let values = Some((global, &asked.keys)).filter(|_| asked.arguments.yes.is_none());
    answer(cluster, &asked.arguments, if approves { &APPROVE } else { &REJECT }, values).await
}

struct Answer {
    field: &'static str,
    other: &'static str,
    verb: &'static str,
    done: &'static str,
}

async fn answer(
    cluster: &Cluster,
    arguments: &Arguments,
    answer: &Answer,
    values: Option<(&Global, &KeyAccess)>,
) -> Result<Outcome> {
    let id = arguments.id.as_str();
    let hold = find(cluster, id).await?;
    if hold.rejected && answer.field == REJECT.field {
        bail!("hold {id} of {} is rejected already; kubectl scim approve {id} takes that back", hold.of);
    }
    let values = match values {
        Some((global, keys)) => Values::read(global, cluster, &hold, keys).await,
        None => Values::default(),
    };
    let count = count(cluster, &hold, &values).await?;
    let rejected = if hold.rejected { ", which was rejected" } else { "" };
    let what = format!("This {} hold {id} of {}{rejected}: {}.", answer.verb, hold.of, hold.words());
    confirm::by_count(&what, count, arguments.yes)?;
    write(cluster, &hold, answer).await?;
    output::note(&format!("hold {id} of {} is {}", hold.of, answer.done));
    Ok(Outcome::Done)
}

/// Shows what is in it, and says how much that is. What is not all to be seen can't be answered.
async fn count(cluster: &Cluster, hold: &Hold, values: &Values) -> Result<u64> {
    let members = members(cluster, hold).await?;
    for held in members.iter().take(NAMED) {
        let (object, shown) = (&held.0, values.of(held));
        output::note(&format!(
            "  {} {}/{} {}: {}",
            object.kind, object.namespace, object.name, object.called, shown.words
        ));
    }
    let operations = u64::try_from(hold.operations()).unwrap_or_default();
    let listed = members.len() as u64;
    let all = if hold.kind == Kind::Roster { operations } else { listed };
    if all > NAMED as u64 {
        let more =
            if listed < all { String::new() } else { format!("; kubectl scim holds {} lists all", hold_id(hold)) };
        output::note(&format!("  and {} more{more}", all - members.len().min(NAMED) as u64));
    }
    if hold.kind != Kind::Roster && !hold.is_all(&members) {
        bail!(
            "the hold has {}, and {listed} objects say that they are in it: they are still being written. Nothing was changed; try \
             again in a moment",
            hold.words()
        );
    }
    Ok(hold.count())
}

fn hold_id(hold: &Hold) -> &str {
    hold.id.as_deref().unwrap_or_default()
}

/// Writes the answer onto what was read right before; nothing where the hold is another one now.
async fn write(cluster: &Cluster, hold: &Hold, answer: &Answer) -> Result<()> {
    let id = hold_id(hold);
    let api = cluster.objects(hold.kind, hold.namespace.as_deref());
    for _ in 0..TRIES {
        let now = find(cluster, id).await?;
        if (now.operations(), now.memberships) != (hold.operations(), hold.memberships) || now.of != hold.of {
            bail!("the hold has changed meanwhile: {} now. Nothing was changed", now.words());
        }
        let mut spec = serde_json::Map::from_iter([(answer.field.to_owned(), json!(id))]);
        let current = api.get(&hold.name).await?;
        if current.data["spec"][answer.other] == id {
            // A hold has one answer.
            spec.insert(answer.other.to_owned(), json!(null));
        }
        // Of the very version in which the hold was seen: what comes between is a conflict.
        let body = json!({"metadata": {"resourceVersion": now.version}, "spec": spec});
        match patch(&api, &hold.name, &body).await {
            Ok(()) => return Ok(()),
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => return Err(error.into()),
        }
    }
    bail!("{} changes faster than an answer can be written; nothing was changed. Try again", hold.of)
}
