//! What the chart brings beside the operator, on a real API server: admission policies, and the way without Helm.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::pedantic)]

#[path = "manifests/admission.rs"]
mod admission;
#[path = "manifests/kustomize.rs"]
mod kustomize;
#[path = "manifests/olm.rs"]
mod olm;
mod support;
