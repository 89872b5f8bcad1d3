//! Which rows of rosters people are. A page comes anew with every change, and reads a roster's source now and then.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use kube::ResourceExt as _;
use scim_operator::api::ScimUser;

use crate::cluster::Cluster;
use crate::commands::explain::{self, Step};
use crate::objects::full_name;

/// A row is looked for anew after this.
const GOOD_FOR: Duration = Duration::from_secs(60);

/// What was found lately, by uid and version of the object.
#[derive(Default)]
pub struct Rows(Mutex<HashMap<(String, String), (Instant, Option<Step>)>>);

impl Rows {
    /// The row of this person.
    pub async fn of(&self, cluster: &Cluster, user: &ScimUser) -> Option<Step> {
        let key = (full_name(user), user.resource_version().unwrap_or_default());
        let known = self.0.lock().ok().and_then(|rows| rows.get(&key).cloned());
        if let Some((_, row)) = known.filter(|(at, _)| at.elapsed() < GOOD_FOR) {
            return row;
        }
        let row = explain::row_of(cluster, user).await;
        if let Ok(mut rows) = self.0.lock() {
            rows.retain(|_, (at, _)| at.elapsed() < GOOD_FOR);
            rows.insert(key, (Instant::now(), row.clone()));
        }
        row
    }
}
