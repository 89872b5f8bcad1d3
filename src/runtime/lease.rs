//! One writer (promise I28): a Lease, and a deadline that no request outlives.
//!
//! What is decided, and when, is in `election`; here are the calls. Every write carries the resourceVersion; a
//! conflict is a lost race.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, PostParams};
use kube::{Client, ResourceExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::election::{Decision, Election, NAME, Timing};
use super::reaching::api_error;

/// kube's client retries a busy API server for minutes; a renewal must not.
const CALL: Duration = Duration::from_secs(5);

/// How often who waits for the Lease looks at it: a leader that is asked to end releases it.
const LOOK: Duration = Duration::from_secs(1);

/// From a renewal that failed to the next attempt.
const RETRY: Duration = Duration::from_secs(1);

/// Whether, and until when, this process may write. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Leadership {
    deadline: watch::Receiver<Option<Instant>>,
}

impl Leadership {
    /// The instant that no request may outlive; `None` while the Lease is not ours.
    pub fn deadline(&self) -> Option<Instant> {
        *self.deadline.borrow()
    }

    /// The same, as it moves on with each renewal.
    pub fn deadlines(&self) -> watch::Receiver<Option<Instant>> {
        self.deadline.clone()
    }

    /// Returns when the Lease is ours.
    pub async fn acquired(&mut self) {
        // The sender lives as long as the task that holds the Lease; its end ends the process anyway.
        if self.deadline.wait_for(Option::is_some).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// The Lease is lost: another process may write from now on.
#[derive(Debug, thiserror::Error)]
#[error("the Lease is lost ({0}); this process ends, so that there is one writer")]
pub struct LeaseLost(String);

/// Holds the Lease until `stop`, then releases it. The second value runs the whole time.
pub fn hold(
    client: Client,
    namespace: &str,
    identity: String,
    timing: Timing,
    stop: CancellationToken,
) -> (Leadership, impl Future<Output = Result<(), LeaseLost>> + Send + 'static) {
    let api: Api<Lease> = Api::namespaced(client, namespace);
    let (sender, deadline) = watch::channel(None);
    let run = async move {
        info!(%identity, "waiting for the Lease");
        let mut election = Election::new(identity, timing);
        let result = lead(&api, &mut election, timing, &sender, &stop).await;
        // Nothing begins any more, whatever comes first: the end of the process or that of its passes.
        sender.send_replace(None);
        if result.is_ok() {
            // Released, the next replica need not wait for its end. A claim whose answer was lost counts too.
            match timeout(CALL, release(&api, &election)).await {
                Ok(Ok(())) => {}
                // It was never ours, as far as we know; nobody waits for us.
                _ if election.deadline().is_none() => {}
                Ok(Err(error)) => warn!("the Lease {NAME} could not be released: {}", api_error(&error)),
                Err(_) => warn!("the Lease {NAME} could not be released: the API server doesn't answer"),
            }
        }
        result
    };
    (Leadership { deadline }, run)
}

/// Acquires and renews until `stop`, or until the Lease is lost.
async fn lead(
    api: &Api<Lease>,
    election: &mut Election,
    timing: Timing,
    sender: &watch::Sender<Option<Instant>>,
    stop: &CancellationToken,
) -> Result<(), LeaseLost> {
    let mut trouble: Option<String> = None;
    while !stop.is_cancelled() {
        let began = Instant::now();
        let led = election.deadline();
        let until = led.map_or(began + CALL, |deadline| deadline.min(began + CALL));
        let failed = match timeout_at(until, attempt(api, election, began)).await {
            Ok(Ok(Decision::Wait(_))) if led.is_some() => {
                return Err(LeaseLost("another process took it".into()));
            }
            Ok(Ok(Decision::Wait(left))) => {
                trouble = None;
                pause(began + left.min(LOOK), stop).await;
                continue;
            }
            Ok(Ok(Decision::Acquire | Decision::Renew)) => {
                if led.is_none() {
                    info!("the Lease is ours");
                }
                trouble = None;
                sender.send_replace(election.deadline());
                let next = began + timing.renewal;
                pause(election.deadline().map_or(next, |deadline| deadline.min(next)), stop).await;
                continue;
            }
            Ok(Err(kube::Error::Api(status))) if status.code == 409 => {
                debug!("another wrote the Lease first");
                None
            }
            Ok(Err(error)) => Some(api_error(&error)),
            Err(_) => Some("the API server doesn't answer in time".to_owned()),
        };
        if let Some(text) = failed.filter(|text| trouble.as_ref() != Some(text)) {
            warn!("the Lease {NAME} could not be written: {text}");
            trouble = Some(text);
        }
        let retry = Instant::now() + RETRY;
        match election.deadline() {
            Some(deadline) if deadline <= retry => {
                let why = trouble.unwrap_or_else(|| "others wrote it".to_owned());
                return Err(LeaseLost(format!("it could not be renewed in time: {why}")));
            }
            _ => pause(retry, stop).await,
        }
    }
    Ok(())
}

async fn pause(until: Instant, stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = sleep_until(until) => {}
    }
}

/// Reads, decides, and writes what was decided.
async fn attempt(api: &Api<Lease>, election: &mut Election, began: Instant) -> Result<Decision, kube::Error> {
    let found = api.get_opt(NAME).await?;
    let decision = election.decide(found.as_ref(), Instant::now());
    if let Decision::Wait(_) = decision {
        return Ok(decision);
    }
    let lease = election.claim(found, Timestamp::now());
    let written = if lease.resource_version().is_some() {
        api.replace(NAME, &PostParams::default(), &lease).await?
    } else {
        api.create(&PostParams::default(), &lease).await?
    };
    election.written(&written, began, Instant::now());
    Ok(decision)
}

async fn release(api: &Api<Lease>, election: &Election) -> Result<(), kube::Error> {
    if let Some(lease) = api.get_opt(NAME).await?.and_then(|lease| election.released(lease)) {
        api.replace(NAME, &PostParams::default(), &lease).await?;
    }
    Ok(())
}
