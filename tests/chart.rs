//! The chart: what it renders, what it refuses, and a release's life on a real API server.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::pedantic)]

#[path = "cluster/kit.rs"]
#[allow(dead_code, reason = "the other binary uses the rest")]
mod kit;
#[path = "chart/release.rs"]
mod release;
#[path = "chart/rendered.rs"]
mod rendered;
#[path = "chart/schema.rs"]
mod schema;
mod support;
