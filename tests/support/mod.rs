//! What the integration tests stand on: a real control plane, real SCIM
//! servers, the operator's own binary. Each part is a child process that dies
//! with the test binary. A part that isn't there fails the test; nothing is
//! skipped.

#![allow(
    dead_code, // every test binary uses a part of this
    missing_docs,
    unused_imports,
    clippy::pedantic,
    clippy::unwrap_used
)]

mod authority;
mod client;
mod cluster;
mod front;
mod helm;
mod libraries;
mod operator;
mod process;
mod products;
mod servers;

pub use authority::Authority;
pub use client::{client, soon};
pub use cluster::ControlPlane;
pub use front::{Front, Seen, Served};
pub use helm::{Helm, chart, objects, packaged_chart};
pub use libraries::Library;
pub use operator::{Operator, OperatorBuilder, Sandbox, waiting};
pub use process::{Process, free_port, guarded, is_first_at, scratch};
pub use products::Product;
pub use servers::{Directory, Jackson, Scim2Server, Tenant};

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// One look at something that may not be there yet.
pub trait Look {
    type Value;
    /// The value, or what was seen instead of it.
    fn value(self) -> Result<Self::Value, String>;
}

impl<T> Look for Option<T> {
    type Value = T;
    fn value(self) -> Result<T, String> {
        self.ok_or_else(|| "nothing".to_owned())
    }
}

impl<T, E: Debug> Look for Result<T, E> {
    type Value = T;
    fn value(self) -> Result<T, String> {
        self.map_err(|seen| format!("{seen:?}"))
    }
}

/// Looks again and again until there is a value. A look that returns a `Result`
/// puts what it saw into the message of the failure.
pub async fn eventually<L: Look>(timeout: Duration, what: &str, mut look: impl AsyncFnMut() -> L) -> L::Value {
    let deadline = tokio::time::Instant::now() + timeout;
    let mut last = "no answer at all".to_owned();
    loop {
        match tokio::time::timeout_at(deadline, look()).await.map(Look::value) {
            Ok(Ok(value)) => return value,
            Ok(Err(seen)) => last = seen,
            Err(_) => {}
        }
        assert!(tokio::time::Instant::now() < deadline, "{what}: not within {timeout:?}; last seen: {last}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A file that `tests/parts/install` puts in place.
pub fn part(path: &str) -> PathBuf {
    let assets = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
    let given = path.strip_prefix("bin/").and_then(|name| Some(assets?.join(name))).filter(|file| file.exists());
    let file = given.unwrap_or_else(|| repository().join(".parts").join(path));
    assert!(
        file.exists(),
        "{} is missing: run `make test`, which fetches and builds every part \
         (or tests/parts/install, which does only that)",
        file.display()
    );
    file
}

pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A name no other test has, on this control plane or in this process.
pub fn unique(prefix: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{prefix}-{:x}-{n}", std::process::id())
}

/// An HTTP client of the running test's own: connections belong to the runtime
/// that opened them, and each test has a runtime.
pub fn http() -> reqwest::Client {
    crypto();
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().expect("an HTTP client")
}

/// Chooses the TLS implementation, as the operator's `main` does.
pub(crate) fn crypto() {
    // An error says that another test was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
