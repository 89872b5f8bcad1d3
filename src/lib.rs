//! A Kubernetes operator that provisions people over SCIM 2.0 (RFC 7643, RFC 7644).
//!
//! | module | what is in it |
//! |---|---|
//! | [`api`] | the custom resources, their conditions and reasons |
//! | [`scim`] | SCIM 2.0 on the wire; knows nothing of Kubernetes |
//! | [`plan`] | pure: declared × observed × owned → what to send |
//! | [`status`] | pure: outcome × old status × now → new status |
//! | [`directory`] | what Kubernetes declares: objects, their claims, who may use what |
//! | [`provisioner`] | one per connection: schedule, engine, mirror of the server |
//! | [`roster`] | pure: a table of people × a roster → ScimUsers |
//! | [`controller`] | watches, indexes, routing, connections |
//! | [`runtime`] | Lease, metrics, logs, health, shutdown |
//! | [`sandbox`] | a SCIM server in memory, for demos and tests |

pub mod api;
pub mod controller;
pub mod directory;
pub mod plan;
pub mod provisioner;
pub mod roster;
pub mod runtime;
pub mod sandbox;
pub mod scim;
pub mod status;
