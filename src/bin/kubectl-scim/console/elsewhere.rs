//! What is in a cluster connection's hold in namespaces that nothing here is watched of: listed once for all keys of a search.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::sync::OnceCell;

use crate::cluster::Cluster;
use crate::commands::holds::{Held, Hold, members};

/// It is listed anew after this, and let go of.
const GOOD_FOR: Duration = Duration::from_secs(10);

/// What was listed last.
#[derive(Default)]
pub struct Elsewhere(Arc<Mutex<Option<Listed>>>);

struct Listed {
    /// The hold's id, and the version of its connection.
    of: (Option<String>, Option<String>),
    /// Whoever asks while it is being listed waits for the same list.
    found: Arc<OnceCell<(Instant, Arc<Vec<Held>>)>>,
}

impl Listed {
    fn is_good(&self) -> bool {
        self.found.get().is_none_or(|(at, _)| at.elapsed() < GOOD_FOR)
    }
}

impl Elsewhere {
    /// What is in a hold beyond the namespace that is watched.
    pub async fn members(&self, cluster: &Cluster, hold: &Hold) -> Result<Arc<Vec<Held>>> {
        let found = self.asked(hold);
        let list = async || {
            let mut all = members(cluster, hold).await?;
            all.retain(|held| held.0.namespace != cluster.namespace);
            let at = Instant::now();
            self.forget(at + GOOD_FOR);
            anyhow::Ok((at, Arc::new(all)))
        };
        let (_, members) = found.get_or_try_init(list).await?;
        Ok(Arc::clone(members))
    }

    fn asked(&self, hold: &Hold) -> Arc<OnceCell<(Instant, Arc<Vec<Held>>)>> {
        let of = (hold.id.clone(), hold.version.clone());
        let Ok(mut last) = self.0.lock() else { return Arc::default() };
        let known = last.take().filter(|known| known.of == of && known.is_good());
        let known = known.unwrap_or_else(|| Listed { of, found: Arc::default() });
        let found = Arc::clone(&known.found);
        *last = Some(known);
        found
    }

    /// A hundred thousand of them are not kept once nobody asks any more.
    fn forget(&self, at: Instant) {
        let last = Arc::clone(&self.0);
        tokio::spawn(async move {
            tokio::time::sleep_until(at.into()).await;
            if let Ok(mut last) = last.lock() {
                *last = last.take().filter(Listed::is_good);
            }
        });
    }
}
