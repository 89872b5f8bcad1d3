//! Events, for whoever describes an object.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, Recorder, Reporter};
use tracing::{debug, warn};

use super::api_error;

/// Publishes events. One that fails is nobody's error.
#[derive(Clone)]
pub struct Events {
    recorder: Recorder,
    /// The API server refuses them, which was told.
    refused: Arc<AtomicBool>,
}

impl Events {
    /// Nothing is published yet.
    pub fn new(client: Client) -> Self {
        let reporter = Reporter { controller: "scim-operator".into(), instance: None };
        Self { recorder: Recorder::new(client, reporter), refused: Arc::default() }
    }

    /// Publishes an event about an object.
    pub async fn publish(&self, event: &Event, about: &ObjectReference) {
        match self.recorder.publish(event, about).await {
            Ok(()) => self.refused.store(false, Ordering::Relaxed),
            Err(error) if lacks_right(&error) && !self.refused.swap(true, Ordering::Relaxed) => {
                warn!("events can't be published: {}", api_error(&error));
            }
            Err(error) => debug!("an event could not be published: {}", api_error(&error)),
        }
    }
}

/// In a namespace that ends, nobody can make one.
fn lacks_right(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 403 && !status.message.contains("being terminated"))
}
