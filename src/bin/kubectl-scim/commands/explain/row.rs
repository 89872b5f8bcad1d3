//! The row of a roster that a user was made of.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Result;
use kube::ResourceExt as _;
use scim_operator::api::{ROSTER_LABEL, ScimRoster, ScimUser};
use scim_operator::roster::{Ours, Places, Refused};

use super::step::Step;
use crate::cluster::{Cluster, sentence};
use crate::commands::roster::sources::Sources;
use crate::manifests::Manifests;
use crate::output::Tone;

/// Rows that were read are good for so long, as long as their roster isn't another.
const GOOD_FOR: Duration = Duration::from_secs(60);

/// The rows of the roster that was asked about last: a source of ten thousand rows is not read for each of its people.
#[derive(Default)]
pub struct Rows(Mutex<Option<Read>>);

#[derive(Clone)]
struct Read {
    /// The roster's uid and version.
    of: (Option<String>, Option<String>),
    at: Instant,
    places: Arc<Result<Places, Refused>>,
}

impl Rows {
    /// Which row of its roster a user is; none where it is of none.
    pub async fn step(&self, cluster: &Cluster, user: &ScimUser) -> Option<Step> {
        let roster = user.labels().get(ROSTER_LABEL)?;
        Some(self.found(cluster, roster, user).await.unwrap_or_else(|error| {
            let why = sentence(&error);
            Step::new("row", Tone::Plain, format!("of roster/{roster}; which row it is can't be told: {why}"))
        }))
    }

    async fn found(&self, cluster: &Cluster, name: &str, user: &ScimUser) -> Result<Step> {
        let namespace = user.namespace().unwrap_or_default();
        let Some(roster) = cluster.within::<ScimRoster>(&namespace).get_opt(name).await? else {
            let why = format!("there is no roster/{name} any more: nothing changes the object but people");
            return Ok(Step::new("row", Tone::Warning, why));
        };
        let (user, connection) = (Arc::new(user.clone()), roster.spec.connection_ref.clone());
        let read = self.read(cluster, &namespace, roster).await?;
        let places = match &*read {
            Ok(places) => places,
            Err(refused) => return Ok(Step::new("row", Tone::Warning, format!("roster/{name}: {}", refused.message))),
        };
        let place = places.of(user, Ours { roster: name, connection: &connection, deletes: false });
        let Some((document, row)) = place else {
            let why = format!(
                "no row of roster/{name} is it now: gone, out of scope or rejected; kubectl get scimroster {name} -o yaml \
                 shows rejected rows"
            );
            return Ok(Step::new("row", Tone::Warning, why));
        };
        let document = if document.is_empty() { String::new() } else { format!(" of {document}") };
        let text = format!("row {row}{document} in roster/{name}; kubectl scim roster preview shows its mappings");
        Ok(Step::new("row", Tone::Good, text))
    }

    /// The roster's source, as the operator reads it.
    async fn read(
        &self,
        cluster: &Cluster,
        namespace: &str,
        roster: ScimRoster,
    ) -> Result<Arc<Result<Places, Refused>>> {
        let of = (roster.uid(), roster.resource_version());
        let known = self.0.lock().ok().and_then(|known| known.clone());
        if let Some(known) = known.filter(|known| known.of == of && known.at.elapsed() < GOOD_FOR) {
            return Ok(known.places);
        }
        let documents = Sources::of(Manifests::default()).documents(&roster, Some(namespace), Some(cluster)).await?;
        // Thousands of rows take their time.
        let read = tokio::task::spawn_blocking(move || {
            let (documents, _) = documents?;
            let columns = roster.status.and_then(|status| status.columns).unwrap_or_default();
            Places::read(&roster.spec, &columns, documents)
        });
        let places = Arc::new(read.await?);
        if let Ok(mut known) = self.0.lock() {
            *known = Some(Read { of, at: Instant::now(), places: Arc::clone(&places) });
        }
        Ok(places)
    }
}
