//! `/livez`, `/readyz`, `/metrics`, and `/log-level`, which only this very host may ask.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{ConnectInfo, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::logs::LogLevel;
use super::metrics::Metrics;

/// Whether the process is ready; a standby is.
#[derive(Clone, Debug)]
pub struct Health(Arc<Mutex<Option<&'static str>>>);

impl Default for Health {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Some("the CRDs are not there yet"))))
    }
}

impl Health {
    /// From now on `/readyz` answers 200.
    pub fn set_ready(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// From now on `/readyz` answers 503 with this text.
    pub fn set_unready(&self, why: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }

    fn why_not_ready(&self) -> Option<&'static str> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves until `stop`.
pub async fn serve(
    listener: TcpListener,
    health: Health,
    metrics: Metrics,
    level: LogLevel,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let router = Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(ready).with_state(health))
        .route("/metrics", get(exposition).with_state(metrics))
        .route("/log-level", get(log_level).put(set_log_level).with_state(level));
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(stop.cancelled_owned()).await
}

async fn ready(State(health): State<Health>) -> (StatusCode, String) {
    match health.why_not_ready() {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}

async fn exposition(State(metrics): State<Metrics>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], metrics.encode())
}

async fn log_level(State(level): State<LogLevel>) -> String {
    format!("{}\n", level.get())
}

/// The port is open to whoever scrapes metrics. `kubectl port-forward` comes from loopback, and asks RBAC first.
async fn set_log_level(
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    State(level): State<LogLevel>,
    wanted: String,
) -> (StatusCode, String) {
    if !peer.ip().to_canonical().is_loopback() {
        return (StatusCode::FORBIDDEN, "only by way of kubectl port-forward\n".to_owned());
    }
    match level.set(&wanted) {
        Ok(()) => {
            info!(level = level.get(), "log level changed");
            (StatusCode::OK, format!("{}\n", level.get()))
        }
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")),
    }
}
