//! The members of a group, one by one.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use kube::ResourceExt as _;
use kube::api::ListParams;
use scim_operator::api::{ScimGroup, ScimUser};
use scim_operator::provisioner::dry_run::PlannedObject;

use super::step::Step;
use crate::cluster::{Cluster, each};
use crate::output::Tone;

/// So many are named unless all are asked for.
const MOST: usize = 20;
/// So many objects are read one by one; of more the whole namespace is listed.
const MOST_READS: usize = 50;

/// Who is declared to be in it, those that are waited for first; all of them, where that was asked for.
pub async fn of(cluster: &Cluster, group: &ScimGroup, live: Option<&PlannedObject>, all: bool) -> Result<Vec<Step>> {
    let users = declared(cluster, group).await?;
    let mut steps: Vec<Step> = users.iter().map(|(name, user)| of_user(group, name, user.as_ref(), live)).collect();
    for member in group.spec.members.iter().flatten() {
        if let Some(reference) = &member.group_ref {
            steps.push(of_group(cluster, group, &reference.name).await?);
        }
        let by = [("userName", &member.user_name), ("id", &member.id)];
        for (what, value) in by.into_iter().filter_map(|(what, value)| Some((what, value.as_ref()?))) {
            steps.push(Step::new("member", Tone::Plain, format!("the account with the {what} {value}")));
        }
    }
    steps.sort_by_key(|step| match step.tone {
        Tone::Bad => 0,
        Tone::Warning => 1,
        Tone::Plain | Tone::Good => 2,
    });
    let more = if all { 0 } else { steps.len().saturating_sub(MOST) };
    steps.truncate(steps.len() - more);
    if more > 0 {
        steps.push(Step::new("members", Tone::Plain, format!("and {more} more; -o wide and -o json name all of them")));
    }
    Ok(steps)
}

/// The users that the spec names or selects, as far as they are there.
async fn declared(cluster: &Cluster, group: &ScimGroup) -> Result<BTreeMap<String, Option<ScimUser>>> {
    let namespace = group.namespace().unwrap_or_default();
    let api = cluster.within::<ScimUser>(&namespace);
    let named: BTreeSet<&String> =
        group.spec.members.iter().flatten().filter_map(|member| Some(&member.user_ref.as_ref()?.name)).collect();
    let mut users: BTreeMap<String, Option<ScimUser>> = named.iter().map(|name| ((*name).clone(), None)).collect();
    if named.len() > MOST_READS {
        each(&api, &ListParams::default(), |user: ScimUser| {
            if let Some(place) = users.get_mut(&user.name_any()) {
                *place = Some(user);
            }
        })
        .await?;
    } else {
        for (name, place) in &mut users {
            *place = api.get_opt(name).await?;
        }
    }
    if let Some(selector) = &group.spec.member_selector {
        let labels: Vec<String> = selector.match_labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        each(&api, &ListParams::default().labels(&labels.join(",")), |user: ScimUser| {
            if user.spec.connection_ref == group.spec.connection_ref {
                users.insert(user.name_any(), Some(user));
            }
        })
        .await?;
    }
    Ok(users)
}

fn of_user(group: &ScimGroup, name: &str, user: Option<&ScimUser>, live: Option<&PlannedObject>) -> Step {
    let Some(user) = user else {
        return Step::new("member", Tone::Bad, format!("there is no user/{name} in this namespace; it is waited for"));
    };
    let who = format!("user/{name} ({})", user.spec.user_name);
    if user.spec.connection_ref != group.spec.connection_ref {
        return Step::new("member", Tone::Bad, format!("{who} is of another connection, and can't be in this group"));
    }
    let status = user.status.clone().unwrap_or_default();
    let Some(id) = status.id else {
        let conditions = status.conditions.unwrap_or_default();
        let why =
            conditions.into_iter().find(|known| known.type_ == "Ready").map(|ready| format!(": {}", ready.reason));
        let why = why.unwrap_or_default();
        return Step::new(
            "member",
            Tone::Warning,
            format!("{who} has no account yet{why}; it is put in once it has one"),
        );
    };
    if live.is_some_and(|live| live.members.added.iter().any(|added| added == name)) {
        return Step::new(
            "member",
            Tone::Warning,
            format!("{who}, the account {id}, isn't in it and would be put in now"),
        );
    }
    let in_group = group.status.as_ref().and_then(|status| status.id.as_ref());
    let recorded = in_group.zip(status.groups.as_ref()).is_some_and(|(group, groups)| groups.get(group) == Some(&id));
    let how = match (recorded, live) {
        (_, Some(_)) => ", is in it",
        (true, None) => ", was put in",
        (false, None) => "",
    };
    Step::new("member", Tone::Good, format!("{who}, the account {id}{how}"))
}

async fn of_group(cluster: &Cluster, group: &ScimGroup, name: &str) -> Result<Step> {
    let api = cluster.within::<ScimGroup>(&group.namespace().unwrap_or_default());
    let there = api.get_opt(name).await?;
    let id = there.as_ref().and_then(|nested| nested.status.as_ref()?.id.as_ref());
    Ok(match (&there, id) {
        (None, _) => Step::new("member", Tone::Bad, format!("there is no group/{name} in this namespace")),
        (Some(nested), Some(id)) => {
            Step::new("member", Tone::Good, format!("group/{name} ({}), the group {id}", nested.spec.display_name))
        }
        (Some(nested), None) => {
            let text = format!("group/{name} ({}) isn't at the server yet", nested.spec.display_name);
            Step::new("member", Tone::Warning, text)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn each_member_is_told_by_what_keeps_it_out_or_in() {
        let group: ScimGroup = serde_json::from_value(json!({
            "metadata": {"name": "team", "namespace": "identity"}, "status": {"id": "g"},
            "spec": {"connectionRef": {"name": "c"}, "displayName": "Team", "membership": "Additive"},
        }))
        .unwrap();
        let user = |connection: &str, status: Value| {
            serde_json::from_value::<ScimUser>(json!({"metadata": {"name": "ada"}, "status": status,
                "spec": {"connectionRef": {"name": connection}, "userName": "ada@example.com"}}))
            .unwrap()
        };
        let live = |added: &[&str]| PlannedObject {
            members: scim_operator::provisioner::dry_run::MemberChanges {
                added: added.iter().map(|name| (*name).to_owned()).collect(),
                removed: Vec::new(),
            },
            ..PlannedObject::default()
        };
        let told =
            |user: Option<ScimUser>, live: Option<PlannedObject>| of_user(&group, "ada", user.as_ref(), live.as_ref());
        let cases = [
            (None, None, Tone::Bad, "there is no user/ada"),
            (Some(user("d", json!({}))), None, Tone::Bad, "of another connection"),
            (Some(user("c", json!({}))), None, Tone::Warning, "no account yet"),
            (Some(user("c", json!({"id": "7", "groups": {"g": "7"}}))), None, Tone::Good, "the account 7, was put in"),
            (Some(user("c", json!({"id": "7", "groups": {"g": "6"}}))), None, Tone::Good, "the account 7"),
            (Some(user("c", json!({"id": "7"}))), Some(live(&["ada"])), Tone::Warning, "would be put in now"),
            (Some(user("c", json!({"id": "7"}))), Some(live(&[])), Tone::Good, "the account 7, is in it"),
        ];
        for (user, live, tone, text) in cases {
            let step = told(user, live);
            assert!(step.tone == tone && step.found.contains(text), "{text}: {step:?}");
        }
    }
}
