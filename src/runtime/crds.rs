//! Waits for the CRDs with one clear line instead of a crash loop.

use std::time::Duration;

use kube::Client;
use tokio::time::sleep;
use tracing::{info, warn};

use crate::api::{GROUP, VERSION};

const PAUSE: Duration = Duration::from_secs(2);

/// Returns when the API server serves these resources.
pub async fn wait_for_crds(client: &Client, plurals: &[&str]) {
    let mut last_text = None;
    loop {
        let served = client.list_api_group_resources(&format!("{GROUP}/{VERSION}")).await;
        let missing: Vec<&str> = match &served {
            Ok(list) => plurals
                .iter()
                .filter(|plural| !list.resources.iter().any(|known| known.name == **plural))
                .copied()
                .collect(),
            Err(_) => plurals.to_vec(),
        };
        if missing.is_empty() {
            if last_text.is_some() {
                info!("the CRDs are there");
            }
            return;
        }
        let unreachable = served.err().filter(|error| !matches!(error, kube::Error::Api(status) if status.code == 404));
        let text = unreachable.map_or_else(
            || format!("waiting for the CRDs {} in {GROUP}: kubectl apply -f crds/", missing.join(", ")),
            |error| format!("waiting for the API server: {error}"),
        );
        if last_text.as_ref() != Some(&text) {
            warn!("{text}");
            last_text = Some(text);
        }
        sleep(PAUSE).await;
    }
}
