//! One URL, and the key decides whose accounts are shown.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Response, header};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::world::World;
use crate::sandbox::{Options, Sandbox};

const MINUTE: Duration = Duration::from_secs(60);

/// Two organizations at one URL, by their keys.
struct Service {
    url: String,
    organizations: Vec<Sandbox>,
}

impl Service {
    async fn start(dialect: &str) -> Self {
        // Whoever builds a client has to choose, over TLS or not.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut organizations = Vec::new();
        for (seed, token) in (1..).zip(["ours", "theirs"]) {
            let options = Options { token: token.into(), seed, dialect: dialect.into(), ..Options::default() };
            organizations.push(Sandbox::start(options).await.expect("a sandbox"));
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let root = format!("http://{}", listener.local_addr().expect("an address"));
        let base = url::Url::parse(&organizations[0].base).expect("a URL");
        let roots: Vec<String> = organizations.iter().map(|one| one.base.replace(base.path(), "")).collect();
        let router = Router::new().fallback(forward).with_state((roots, reqwest::Client::new()));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url: format!("{root}{}", base.path()), organizations }
    }

    async fn accounts(&self, of: usize) -> Vec<Value> {
        let url = format!("{}/users", self.organizations[of].admin);
        let answer = reqwest::get(url).await.expect("an answer").text().await.expect("a body");
        serde_json::from_str(&answer).expect("JSON")
    }
}

async fn forward(State((roots, http)): State<(Vec<String>, reqwest::Client)>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let key = parts.headers[header::AUTHORIZATION].to_str().expect("text");
    let root = &roots[usize::from(key.contains("theirs"))];
    let body = to_bytes(body, usize::MAX).await.expect("a body");
    let sent = http.request(parts.method, format!("{root}{}", parts.uri)).headers(parts.headers).body(body);
    let answer = sent.send().await.expect("an answer");
    let mut reply = Response::builder().status(answer.status());
    reply.headers_mut().expect("headers").extend(answer.headers().clone());
    reply.body(Body::from(answer.bytes().await.expect("a body"))).expect("an answer")
}

/// A key of another organization is put into the Secret by mistake, somebody leaves meanwhile, and the mistake is mended.
#[tokio::test]
async fn i23_a_key_of_another_organization_is_not_taken_into_use() {
    // The second has ids that are numbers: under those of ours there are other people.
    for dialect in ["generic", "numericIds"] {
        let service = Service::start(dialect).await;
        let unlimited = json!({"rateLimits": [{"requests": 100_000}]});
        let mut theirs = World::at(&service.url, "theirs", unlimited.clone());
        let mut ours = World::at(&service.url, "ours", unlimited);
        for (world, people) in [(&mut theirs, ["zoe", "yan", "xia"]), (&mut ours, ["ada", "bob", "eve"])] {
            for name in people {
                let user_name = format!("{name}@example.com");
                let emails = json!([{"value": user_name, "type": "work", "primary": true}]);
                let full = json!({"givenName": name, "familyName": "Example"});
                world.user(name, json!({"userName": user_name, "emails": emails, "name": full, "active": true}));
            }
            world.pass(3 * MINUTE).await;
        }
        ours.use_key("theirs");
        ours.pass(MINUTE).await;
        ours.delete("ada");
        ours.pass(5 * MINUTE).await;
        let connection = ours.connection();
        let conditions = connection.status.and_then(|status| status.conditions).unwrap_or_default();
        let connected = conditions.iter().find(|one| one.type_ == "Connected").expect("Connected");
        assert_eq!(connected.reason, "NewKeyRejected", "{dialect}: {}", connected.message);
        assert!(connected.message.contains("of another organization"), "{}", connected.message);
        let ended = |accounts: Vec<Value>| {
            let active = |account: &&Value| account["exists"] == json!(true) && account["active"] == json!(true);
            let names = accounts.iter().filter(active).map(|account| account["userName"].to_string());
            names.collect::<std::collections::BTreeSet<_>>().len()
        };
        assert_eq!(ended(service.accounts(0).await), 2, "{dialect}: whoever left is inactive where the account is");
        assert_eq!(ended(service.accounts(1).await), 3, "{dialect}: nobody of theirs was touched");
        // Another key of the same organization is taken into use.
        ours.use_key("ours");
        ours.pass(2 * MINUTE).await;
        let conditions = ours.connection().status.and_then(|status| status.conditions).unwrap_or_default();
        assert!(conditions.iter().any(|one| one.type_ == "Connected" && one.reason == "Connected"), "{conditions:?}");
    }
}
