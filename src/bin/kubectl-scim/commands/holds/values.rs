//! What each change of a hold is, read from the server by a plan: the operator records names of attributes alone.

use std::collections::HashMap;

use anyhow::Result;
use scim_operator::provisioner::dry_run::{Action, AttributeChange, MemberChanges, PlannedObject};
use serde::Serialize;

use super::{Held, Hold};
use crate::cluster::{Cluster, Kind, sentence};
use crate::commands::plan::{self, Access, KeyAccess, changes};
use crate::global::Global;
use crate::objects::Object;
use crate::output::{self, Cell, Row, Tone};

/// What a plan says now of the objects in a hold.
#[derive(Default)]
pub struct Values {
    planned: HashMap<(String, String, String), PlannedObject>,
}

impl Values {
    /// Reads the server. Where it may not be read, it is said how to.
    pub async fn read(global: &Global, cluster: &Cluster, hold: &Hold, keys: &KeyAccess) -> Self {
        let Some((target, command)) = target(hold) else { return Self::default() };
        match Box::pin(planned(global, cluster, hold, keys, &target)).await {
            Ok(planned) => Self { planned },
            Err(error) => {
                let why = sentence(&error);
                output::note(&format!("{command} shows the old and the new values. They can't be read here: {why}"));
                Self::default()
            }
        }
    }

    /// What would be done about one of its objects.
    pub fn of<'v>(&'v self, held: &'v Held) -> Shown<'v> {
        let object = &held.0;
        let key = (object.kind.to_owned(), object.namespace.clone(), object.name.clone());
        let planned = self.planned.get(&key);
        let since = planned.and_then(|planned| since(planned, object.held_digest.as_deref()));
        let changed = since == Some(Since::Changed);
        let planned = planned.filter(|_| since.is_none());
        Shown {
            object,
            changes: planned.map(|planned| planned.changes.as_slice()).unwrap_or_default(),
            members: planned.map(|planned| &planned.members).filter(|members| !members.is_empty()),
            changed_since: changed,
            words: match planned.map(changes).filter(|words| !words.is_empty()) {
                Some(words) => format!("{}: {words}", object.held_operation.as_deref().unwrap_or_default()),
                None => match since {
                    Some(Since::Changed) => format!("{}, and it changed since it was held", held.change()),
                    Some(Since::Unread(why)) => format!("{}; its values can't be told now: {why}", held.change()),
                    None => held.change().to_owned(),
                },
            },
        }
    }
}

/// Why a plan doesn't show what was held.
#[derive(PartialEq)]
enum Since<'p> {
    /// Something was declared or changed at the server since then: that is in no approval.
    Changed,
    /// It isn't known what would be done now.
    Unread(&'p str),
}

/// Nothing where the plan shows the operation that was held.
fn since<'p>(planned: &'p PlannedObject, held: Option<&str>) -> Option<Since<'p>> {
    match &planned.held {
        Some(now) if now.digest.as_deref() == held => None,
        Some(_) => Some(Since::Changed),
        // Before guards are asked, it is known whether it is suspended, refused, or can be read at all.
        None => match planned.action {
            Action::Refused | Action::Unknown | Action::Waits | Action::Nothing if !planned.message.is_empty() => {
                Some(Since::Unread(&planned.message))
            }
            _ => Some(Since::Changed),
        },
    }
}

async fn planned(
    global: &Global,
    cluster: &Cluster,
    hold: &Hold,
    keys: &KeyAccess,
    target: &str,
) -> Result<HashMap<(String, String, String), PlannedObject>> {
    let namespace = hold.namespace.clone().unwrap_or_else(|| cluster.namespace.clone());
    let global = Global { namespace: Some(namespace), all_namespaces: false, ..global.clone() };
    let plans = plan::plans(&global, &Access::of_cluster(keys.clone().for_any_server()), Some(target)).await?;
    let objects = plans.into_iter().flat_map(|plan| plan.objects);
    Ok(objects
        .map(|object| ((object.kind.to_string(), object.namespace.clone(), object.name.clone()), object))
        .collect())
}

/// What is planned for, and the command that does so; nothing where no value changes.
fn target(hold: &Hold) -> Option<(String, String)> {
    if hold.updates + hold.creates + hold.memberships == 0 {
        return None;
    }
    match (hold.kind, &hold.namespace) {
        (Kind::Connection, Some(namespace)) => {
            Some((hold.name.clone(), format!("kubectl scim plan -n {namespace} {}", hold.name)))
        }
        (Kind::ClusterConnection, _) => {
            let target = format!("cluster/{}", hold.name);
            Some((target.clone(), format!("kubectl scim plan {target}")))
        }
        _ => None,
    }
}

/// An object of a hold, with what would be done to it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown<'v> {
    #[serde(flatten)]
    pub object: &'v Object,
    /// Attributes, from what they are at the server to what they would be.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    changes: &'v [AttributeChange],
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<&'v MemberChanges>,
    /// The operation is another one now than when it was held: an approval isn't good for it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    changed_since: bool,
    #[serde(skip)]
    pub words: String,
}

impl Row for Shown<'_> {
    const COLUMNS: &'static [&'static str] =
        &["NAMESPACE", "KIND", "NAME", "CALLED", "CHANGE", "DELETED", "+CONNECTION", "+ID", "+MESSAGE"];

    fn cells(&self) -> Vec<Cell> {
        let object = self.object;
        let removes = matches!(object.held_operation.as_deref(), Some("Delete" | "Deactivate"));
        vec![
            object.namespace.clone().into(),
            object.kind.into(),
            object.name.clone().into(),
            object.called.clone().into(),
            Cell::toned(self.words.clone(), if removes { Tone::Bad } else { Tone::Warning }),
            if object.deleting { "yes" } else { "" }.into(),
            object.connection.clone().into(),
            object.id.clone().unwrap_or_default().into(),
            object.message.clone().unwrap_or_default().into(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scim_operator::provisioner::dry_run::{self, Packed};
    use serde_json::json;

    #[test]
    fn i13_a_change_is_shown_with_its_values_while_it_is_the_one_that_was_held() {
        let held = |digest: &str| {
            Held(Object {
                kind: "ScimUser",
                namespace: "identity".into(),
                name: "ada".into(),
                held_operation: Some("Update".into()),
                held_digest: Some(digest.into()),
                message: Some("Update of title is held: it exceeds. Hold 3f".into()),
                ..Object::default()
            })
        };
        let planned = PlannedObject {
            held: Some(dry_run::Held { by: "rewrites".into(), needs_answer: true, digest: Some("d1".into()) }),
            changes: vec![AttributeChange {
                attribute: "title".into(),
                old: Some(Packed::from(&json!("Engineer"))),
                new: Some(Packed::from(&json!("Countess"))),
            }],
            ..PlannedObject::default()
        };
        let key = ("ScimUser".to_owned(), "identity".to_owned(), "ada".to_owned());
        let unread = PlannedObject {
            action: Action::Unknown,
            message: "the server asks for patience".into(),
            ..PlannedObject::default()
        };
        let values = Values { planned: HashMap::from([(key.clone(), unread)]) };
        let one = held("d1");
        let shown = values.of(&one);
        assert!(!shown.changed_since, "{}", shown.words);
        assert_eq!(shown.words, "Update of title; its values can't be told now: the server asks for patience");
        let values = Values { planned: HashMap::from([(key, planned)]) };
        assert_eq!(values.of(&held("d1")).words, "Update: title: Engineer → Countess");
        let other = held("d2");
        let since = values.of(&other);
        assert!(since.changed_since && since.changes.is_empty(), "{}", since.words);
        assert_eq!(since.words, "Update of title, and it changed since it was held");
        assert_eq!(Values::default().of(&held("d1")).words, "Update of title");
        assert_eq!(Shown::COLUMNS.len(), since.cells().len());
    }
}
