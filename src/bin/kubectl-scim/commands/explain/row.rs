//! The row of a roster that a user was made of.

use std::sync::Arc;

use anyhow::Result;
use kube::ResourceExt as _;
use scim_operator::api::{ROSTER_LABEL, ScimRoster, ScimUser};
use scim_operator::roster::{Ours, place_of};

use super::step::Step;
use crate::cluster::{Cluster, sentence};
use crate::commands::roster::sources::Sources;
use crate::manifests::Manifests;
use crate::output::Tone;

/// Reads the user's roster and its source as the operator does, and says which row it is; none where it is of no roster.
pub async fn of(cluster: &Cluster, user: &ScimUser) -> Option<Step> {
    let roster = user.labels().get(ROSTER_LABEL)?;
    Some(found(cluster, roster, user).await.unwrap_or_else(|error| {
        let why = sentence(&error);
        Step::new("row", Tone::Plain, format!("of roster/{roster}; which row it is can't be told: {why}"))
    }))
}

async fn found(cluster: &Cluster, name: &str, user: &ScimUser) -> Result<Step> {
    let namespace = user.namespace();
    let api = cluster.within::<ScimRoster>(namespace.as_deref().unwrap_or_default());
    let Some(roster) = api.get_opt(name).await? else {
        let why = format!("there is no roster/{name} any more: nothing changes the object but people");
        return Ok(Step::new("row", Tone::Warning, why));
    };
    let sources = Sources::of(Manifests::default());
    let documents = match sources.documents(&roster, namespace.as_deref(), Some(cluster)).await? {
        Ok((documents, _)) => documents,
        Err(refused) => return Ok(Step::new("row", Tone::Warning, format!("roster/{name}: {}", refused.message))),
    };
    let user = Arc::new(user.clone());
    // A source of ten thousand rows takes its time.
    let place = tokio::task::spawn_blocking(move || {
        let status = roster.status.as_ref();
        let columns = status.and_then(|status| status.columns.clone()).unwrap_or_default();
        let (name, connection) = (roster.name_any(), &roster.spec.connection_ref.name);
        place_of(&roster.spec, &columns, documents, user, Ours { roster: &name, connection })
    });
    Ok(match place.await? {
        Err(refused) => Step::new("row", Tone::Warning, format!("roster/{name}: {}", refused.message)),
        Ok(Some((document, row))) => {
            let document = if document.is_empty() { String::new() } else { format!(" of {document}") };
            let text = format!("row {row}{document} in roster/{name}; kubectl scim roster preview shows its mappings");
            Step::new("row", Tone::Good, text)
        }
        Ok(None) => {
            let why = format!(
                "no row of roster/{name} is it now: gone, out of scope or rejected; kubectl get scimroster {name} -o yaml \
                 shows rejected rows"
            );
            Step::new("row", Tone::Warning, why)
        }
    })
}
