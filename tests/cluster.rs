//! The operator in a cluster, as users meet it: a real API server, the chart's
//! own RBAC, and SAML Jackson at the other end.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::pedantic)]

#[path = "cluster/auth.rs"]
mod auth;
#[path = "cluster/connections.rs"]
mod connections;
#[path = "cluster/datadog.rs"]
mod datadog;
#[path = "cluster/deleting.rs"]
mod deleting;
#[path = "cluster/dialects.rs"]
mod dialects;
#[path = "cluster/drift.rs"]
mod drift;
#[path = "cluster/elsewhere.rs"]
mod elsewhere;
#[path = "cluster/faults.rs"]
mod faults;
#[path = "cluster/first_bindings.rs"]
mod first_bindings;
#[path = "cluster/groups.rs"]
mod groups;
#[path = "cluster/groups_elsewhere.rs"]
mod groups_elsewhere;
#[path = "cluster/groups_lost.rs"]
mod groups_lost;
#[path = "cluster/guards.rs"]
mod guards;
#[path = "cluster/guides.rs"]
mod guides;
#[path = "cluster/input.rs"]
mod input;
#[path = "cluster/jackson.rs"]
mod jackson;
#[path = "cluster/kit.rs"]
mod kit;
#[path = "cluster/learning.rs"]
mod learning;
#[path = "cluster/lives.rs"]
mod lives;
#[path = "cluster/members.rs"]
mod members;
#[path = "cluster/policies.rs"]
mod policies;
#[path = "cluster/products.rs"]
mod products;
#[path = "cluster/refusals.rs"]
mod refusals;
#[path = "cluster/refusals_groups.rs"]
mod refusals_groups;
#[path = "cluster/roles.rs"]
mod roles;
#[path = "cluster/rosters.rs"]
mod rosters;
#[path = "cluster/rosters_isolation.rs"]
mod rosters_isolation;
#[path = "cluster/rosters_leavers.rs"]
mod rosters_leavers;
#[path = "cluster/rosters_sources.rs"]
mod rosters_sources;
#[path = "cluster/servers.rs"]
mod servers;
#[path = "cluster/state.rs"]
mod state;
#[path = "cluster/storms.rs"]
mod storms;
mod support;
#[path = "cluster/tenancy.rs"]
mod tenancy;
#[path = "cluster/trust.rs"]
mod trust;
