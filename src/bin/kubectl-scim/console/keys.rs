//! Since when keys are in use: of their Secrets only the metadata is asked for.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures::future::join_all;
use jiff::Timestamp;
use scim_operator::api::ScimConnection;

use super::account::Way;
use crate::cluster::Cluster;
use crate::commands::status::key_changed;
use crate::objects::full_name;

/// An answer is asked for anew after this.
const GOOD_FOR: Duration = Duration::from_secs(60);

/// When the keys of connections were last changed, by the connections' names; those that can't be told aren't there.
pub type Changed = BTreeMap<String, Timestamp>;

/// What was answered lately.
#[derive(Default)]
pub struct Keys(Mutex<HashMap<String, (Instant, Option<Timestamp>)>>);

impl Keys {
    /// Of these connections.
    pub async fn of(&self, cluster: &Cluster, way: &Way, connections: Vec<ScimConnection>) -> Changed {
        let all = connections.iter().map(|connection| self.one(cluster, way, connection));
        join_all(all).await.into_iter().flatten().collect()
    }

    async fn one(&self, cluster: &Cluster, way: &Way, connection: &ScimConnection) -> Option<(String, Timestamp)> {
        let name = full_name(connection);
        let known = self.0.lock().ok().and_then(|answers| answers.get(&name).copied());
        let changed = match known {
            Some((at, changed)) if at.elapsed() < GOOD_FOR => changed,
            _ => {
                let changed = key_changed(cluster, way.secret_namespace(connection), connection).await;
                if let Ok(mut answers) = self.0.lock() {
                    answers.insert(name.clone(), (Instant::now(), changed));
                }
                changed
            }
        };
        changed.map(|changed| (name, changed))
    }
}
