//! The product's own SCIM client, at a server of a test's.

use std::time::Duration;

use scim_operator::scim::{Client, ClientConfig, Credentials, Profile, Trust};
use tokio::time::Instant;

/// A client with a bearer token.
pub fn client(base_url: &str, token: &str, profile: Profile) -> Client {
    Client::new(ClientConfig {
        base_url: base_url.parse().unwrap(),
        credentials: Credentials::Bearer(token.to_owned().into()),
        trust: Trust::default(),
        proxy: None,
        connect_timeout: Duration::from_secs(5),
        request_timeout: Duration::from_secs(20),
        profile,
        user_agent: "scim-operator-test".into(),
    })
    .unwrap()
}

/// Until when a request of a test may take.
pub fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}
