//! What a process needs to live in a cluster: Lease, metrics, logs, health, shutdown.

pub mod audit;
mod clock;
mod cluster;
mod crds;
mod election;
mod events;
mod health;
mod lease;
mod logs;
mod metrics;
mod options;
mod probe;
mod reaching;
mod shutdown;

pub use audit::Audit;
pub use clock::Clock;
pub use cluster::{NoCluster, cluster_client, cluster_config};
pub use crds::wait_for_crds;
pub use election::Timing;
pub use events::Events;
pub use health::{Health, serve};
pub use lease::{Leadership, LeaseLost, hold};
pub use logs::{LogLevel, init as init_logs};
pub use metrics::Metrics;
pub use options::{LogFormat, Options};
pub use probe::{ProbeOptions, probe};
pub use reaching::api_error;
pub use shutdown::on_signal;
