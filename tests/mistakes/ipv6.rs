//! A cluster that has IPv6 alone: the API server listens on no other address.

use serde_json::json;

use crate::elsewhere::held;
use crate::kit::{Place, install_in};
use crate::support::{ControlPlane, Sandbox};

#[tokio::test]
async fn a_cluster_that_has_nothing_but_ipv6() {
    let cluster = ControlPlane::another_at("ipv6", "::1", &[]).await;
    assert!(cluster.server().starts_with("https://[::1]:"), "{}", cluster.server());
    let (_, builder) = install_in(cluster, &[]).await;
    // Its own probes and metrics, too.
    let operator = builder.without("--listen").without("127.0.0.1:0").arg("--listen=[::1]:0").start();
    assert!(operator.address().await.starts_with("[::1]:"));
    let sandbox = Sandbox::start_with(&["--listen", "[::1]:0"]);
    let place = Place::within(cluster).await;
    place.secret(&sandbox.token);
    place.apply(place.generic(&sandbox.base_url, json!({})));
    place.connection_is("Connected").await;
    place.user("ada", json!({}));
    place.synced("ada").await;
    assert_eq!(held(&sandbox, "ada@example.com").await.len(), 1);
    operator.terminate();
}
