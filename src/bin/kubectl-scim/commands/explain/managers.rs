//! The managers of a user, each by name, up to the one who has none.

use std::collections::BTreeSet;

use anyhow::Result;
use kube::ResourceExt as _;
use scim_operator::api::{ManagerRef, ScimUser};

use super::step::Step;
use crate::cluster::Cluster;
use crate::output::Tone;

/// So many are followed.
const MOST: usize = 20;

/// A step each; a chain that comes back to somebody ends there.
pub async fn of(cluster: &Cluster, user: &ScimUser) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    let mut seen = BTreeSet::from([user.name_any()]);
    let mut above = manager(user);
    while let Some(reference) = above.take() {
        let Some(object) = &reference.user_ref else {
            let given = reference.value.map(|id| format!("the account {id}, as the manifest says"));
            steps.extend(given.map(|given| Step::new("manager", Tone::Plain, given)));
            break;
        };
        let name = object.name.as_str();
        if !seen.insert(name.to_owned()) {
            let ring = format!("user/{name} again: they are managers of each other, which costs one request more");
            steps.push(Step::new("manager", Tone::Plain, ring));
            break;
        }
        if steps.len() == MOST {
            let more = format!("user/{name}, and perhaps others above; kubectl scim explain user/{name} goes on");
            steps.push(Step::new("manager", Tone::Plain, more));
            break;
        }
        let there = cluster.within::<ScimUser>(&cluster.namespace).get_opt(name).await?;
        let Some(there) = there else {
            let why = format!("there is no user/{name} in this namespace");
            steps.push(Step::new("manager", Tone::Bad, why));
            break;
        };
        above = manager(&there);
        steps.push(found(name, &there));
    }
    Ok(steps)
}

fn manager(user: &ScimUser) -> Option<ManagerRef> {
    user.spec.attributes.enterprise.as_ref()?.manager.clone()
}

/// How far the account of a manager is.
fn found(name: &str, manager: &ScimUser) -> Step {
    let who = format!("user/{name} ({})", manager.spec.user_name);
    if let Some(id) = manager.status.as_ref().and_then(|status| status.id.as_ref()) {
        return Step::new("manager", Tone::Good, format!("{who} is the account {id}"));
    }
    Step::new("manager", Tone::Warning, format!("{who} has no account yet; the manager is set once it has one"))
}
