//! One URL, and the key decides whose accounts are shown.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode, header};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::world::World;
use crate::sandbox::{Options, Sandbox};

const MINUTE: Duration = Duration::from_secs(60);

/// The roots of organizations, by their keys.
type Roots = Arc<Mutex<BTreeMap<&'static str, String>>>;

/// Two organizations at one URL, by their keys.
struct Service {
    url: String,
    roots: Roots,
    /// These keys are answered 503 where one account is asked for.
    troubled: Troubled,
    organizations: Vec<Sandbox>,
}

type Troubled = Arc<Mutex<BTreeSet<&'static str>>>;

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
        let of = |one: &Sandbox| one.base.replace(base.path(), "");
        let roots = BTreeMap::from([("ours", of(&organizations[0])), ("theirs", of(&organizations[1]))]);
        let roots: Roots = Arc::new(Mutex::new(roots));
        let troubled = Troubled::default();
        let state = (Arc::clone(&roots), Arc::clone(&troubled), reqwest::Client::new());
        let router = Router::new().fallback(forward).with_state(state);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url: format!("{root}{}", base.path()), roots, troubled, organizations }
    }

    /// Two connections of the service, with these people each.
    async fn with_people(&self, ours: &[&str], theirs: &[&str]) -> (World, World) {
        let unlimited = json!({"rateLimits": [{"requests": 100_000}]});
        let mut worlds = (World::at(&self.url, "ours", unlimited.clone()), World::at(&self.url, "theirs", unlimited));
        for (world, people) in [(&mut worlds.0, ours), (&mut worlds.1, theirs)] {
            for name in people {
                let user_name = format!("{name}@example.com");
                let emails = json!([{"value": user_name, "type": "work", "primary": true}]);
                let full = json!({"givenName": name, "familyName": "Example"});
                world.user(name, json!({"userName": user_name, "emails": emails, "name": full, "active": true}));
            }
            world.pass(3 * MINUTE).await;
        }
        worlds
    }

    /// The key is good no longer.
    fn revoke(&self, key: &str) {
        self.roots.lock().expect("the keys").remove(key);
    }

    async fn accounts(&self, of: usize) -> Vec<Value> {
        let url = format!("{}/users", self.organizations[of].admin);
        let answer = reqwest::get(url).await.expect("an answer").text().await.expect("a body");
        serde_json::from_str(&answer).expect("JSON")
    }

    /// How many accounts are there and active.
    async fn active(&self, of: usize) -> usize {
        let accounts = self.accounts(of).await;
        let active = |account: &&Value| account["exists"] == json!(true) && account["active"] == json!(true);
        accounts.iter().filter(active).map(|account| account["userName"].to_string()).collect::<BTreeSet<_>>().len()
    }

    /// Somebody deletes these accounts by hand.
    async fn delete(&self, key: &str, of: usize, names: &[&str]) {
        let http = reqwest::Client::new();
        for account in self.accounts(of).await {
            let name = account["userName"].as_str().unwrap_or_default();
            if names.iter().any(|one| name.starts_with(one)) {
                let url = format!("{}/Users/{}", self.url, account["id"].as_str().unwrap_or_default());
                let answer = http.delete(url).bearer_auth(key).send().await.expect("an answer");
                assert!(answer.status().is_success(), "{}", answer.status());
            }
        }
    }
}

type Shared = (Roots, Troubled, reqwest::Client);

async fn forward(State((roots, troubled, http)): State<Shared>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let key = parts.headers[header::AUTHORIZATION].to_str().expect("text").replace("Bearer ", "");
    let Some(root) = roots.lock().expect("the keys").get(key.as_str()).cloned() else {
        let refused = Response::builder().status(StatusCode::UNAUTHORIZED);
        return refused.body(Body::empty()).expect("an answer");
    };
    let of_one = parts.method == "GET" && parts.uri.path().contains("/Users/");
    if of_one && troubled.lock().expect("the keys").contains(key.as_str()) {
        let refused = Response::builder().status(StatusCode::SERVICE_UNAVAILABLE);
        return refused.body(Body::empty()).expect("an answer");
    }
    let body = to_bytes(body, usize::MAX).await.expect("a body");
    let sent = http.request(parts.method, format!("{root}{}", parts.uri)).headers(parts.headers).body(body);
    let answer = sent.send().await.expect("an answer");
    let mut reply = Response::builder().status(answer.status());
    reply.headers_mut().expect("headers").extend(answer.headers().clone());
    reply.body(Body::from(answer.bytes().await.expect("a body"))).expect("an answer")
}

/// The reason of Connected, and its message.
fn connected(world: &World) -> (String, String) {
    let conditions = world.connection().status.and_then(|status| status.conditions).unwrap_or_default();
    let connected = conditions.into_iter().find(|one| one.type_ == "Connected").expect("Connected");
    (connected.reason, connected.message)
}

/// A key of another organization is put into the Secret by mistake, somebody leaves meanwhile, and the mistake is mended.
#[tokio::test]
async fn i23_a_key_of_another_organization_is_not_taken_into_use() {
    // The second has ids that are numbers: under those of ours there are other people.
    for dialect in ["generic", "numericIds"] {
        let service = Service::start(dialect).await;
        let (mut ours, _theirs) = service.with_people(&["ada", "bob", "eve"], &["zoe", "yan", "xia"]).await;
        ours.use_key("theirs");
        ours.pass(MINUTE).await;
        ours.delete("ada");
        ours.pass(5 * MINUTE).await;
        let (reason, message) = connected(&ours);
        assert_eq!(reason, "NewKeyRejected", "{dialect}: {message}");
        assert!(message.contains("of another organization"), "{message}");
        assert_eq!(service.active(0).await, 2, "{dialect}: whoever left is inactive where the account is");
        assert_eq!(service.active(1).await, 3, "{dialect}: nobody of theirs was touched");
        // Another key of the same organization is taken into use.
        ours.use_key("ours");
        ours.pass(2 * MINUTE).await;
        assert_eq!(connected(&ours).0, "Connected", "{dialect}");
    }
}

/// The last good key can't be asked any more: it is revoked, or known to no process any longer.
#[tokio::test]
async fn i23_a_key_of_another_organization_is_known_by_what_is_on_record() {
    for dialect in ["generic", "numericIds"] {
        for (revoked, restarts) in [(true, false), (false, true), (true, true)] {
            let told = format!("{dialect}: {revoked} {restarts}");
            let service = Service::start(dialect).await;
            let (mut ours, _theirs) = service.with_people(&["ada", "bob", "eve"], &["zoe", "yan", "xia"]).await;
            if revoked {
                service.revoke("ours");
            }
            ours.use_key("theirs");
            if restarts {
                ours.restart();
            }
            ours.pass(MINUTE).await;
            ours.delete("ada");
            ours.pass(5 * MINUTE).await;
            let (reason, message) = connected(&ours);
            let refused = reason == "CredentialsRejected" || reason == "NewKeyRejected";
            assert!(refused && message.contains("of another organization"), "{told}: {reason} {message}");
            assert!(ours.get("ada").is_some(), "{told}: whose removal is owed stays");
            assert_eq!(service.active(1).await, 3, "{told}: nobody of theirs was touched");
            // A new key of the same organization is put in, and what was declared meanwhile is carried out.
            let root = service.organizations[0].base.clone();
            let path = url::Url::parse(&root).expect("a URL").path().to_owned();
            service.roots.lock().expect("the keys").insert("ours", root.replace(&path, ""));
            ours.use_key("ours");
            ours.pass(5 * MINUTE).await;
            assert_eq!(connected(&ours).0, "Connected", "{told}");
            assert_eq!((service.active(0).await, ours.get("ada").is_none()), (2, true), "{told}");
        }
    }
}

/// Most of the accounts are gone as the operator begins with a new key, and it is the same organization's.
#[tokio::test]
async fn i23_a_new_key_is_taken_into_use_at_a_server_that_lost_most_accounts() {
    let service = Service::start("generic").await;
    let people = ["ada", "bob", "cyd", "dee", "eve", "fay", "gil", "hal"];
    let (mut ours, _theirs) = service.with_people(&people, &[]).await;
    service.delete("ours", 0, &people[..7]).await;
    ours.use_key("ours");
    ours.restart();
    ours.pass(3 * MINUTE).await;
    let (reason, message) = connected(&ours);
    assert_eq!(reason, "Connected", "{message}");
}

/// The database was rebuilt: the same people under new ids, and a new key.
#[tokio::test]
async fn i23_a_new_key_is_taken_into_use_at_a_server_that_gave_out_new_ids() {
    for dialect in ["generic", "numericIds"] {
        let service = Service::start(dialect).await;
        let (mut ours, _theirs) = service.with_people(&["ada", "bob", "eve"], &["bob", "eve", "ada", "zoe"]).await;
        service.revoke("ours");
        ours.use_key("theirs");
        ours.restart();
        ours.pass(3 * MINUTE).await;
        let (reason, message) = connected(&ours);
        assert_eq!(reason, "Connected", "{dialect}: {message}");
    }
}

/// So few accounts may all have been deleted by others.
#[tokio::test]
async fn i23_a_new_key_is_taken_into_use_where_too_few_accounts_are_on_record_to_tell() {
    let service = Service::start("generic").await;
    let (mut ours, _theirs) = service.with_people(&["ada", "bob"], &[]).await;
    service.delete("ours", 0, &["ada", "bob"]).await;
    ours.use_key("ours");
    ours.restart();
    ours.pass(3 * MINUTE).await;
    let (reason, message) = connected(&ours);
    assert_eq!(reason, "Connected", "{message}");
}

/// What the new key shows of an account can't be told, and the last good one shows it: nothing is concluded from that.
#[tokio::test]
async fn i31_a_key_that_can_not_be_tried_takes_no_good_ones_place() {
    let service = Service::start("generic").await;
    let (mut ours, _theirs) = service.with_people(&["ada", "bob", "eve"], &["zoe", "yan", "xia"]).await;
    service.troubled.lock().expect("the keys").insert("theirs");
    ours.use_key("theirs");
    ours.pass(MINUTE).await;
    assert_eq!(connected(&ours).0, "NewKeyRejected");
    service.troubled.lock().expect("the keys").remove("theirs");
    ours.delete("ada");
    ours.pass(3 * MINUTE).await;
    assert_eq!(connected(&ours).0, "NewKeyRejected");
    assert_eq!((service.active(0).await, service.active(1).await), (2, 3));
}

/// Nor can the last good key be tried, for the server is busy: that is asked again before the new one is taken into use.
#[tokio::test]
async fn i31_a_key_that_comes_while_the_server_is_busy_has_yet_to_show_an_account() {
    let service = Service::start("generic").await;
    let (mut ours, _theirs) = service.with_people(&["ada", "bob", "eve"], &["zoe", "yan", "xia"]).await;
    let busy = |busy: bool| {
        let keys = if busy { BTreeSet::from(["ours", "theirs"]) } else { BTreeSet::new() };
        *service.troubled.lock().expect("the keys") = keys;
    };
    for (key, after) in [("theirs", "NewKeyRejected"), ("ours", "Connected")] {
        busy(true);
        ours.use_key(key);
        ours.pass(MINUTE).await;
        let (reason, message) = connected(&ours);
        assert_eq!(reason, "NewKeyRejected", "{key}: {message}");
        assert!(message.contains("asked again by itself"), "{key}: {message}");
        busy(false);
        ours.pass(MINUTE).await;
        let (reason, message) = connected(&ours);
        assert_eq!(reason, after, "{key}: {message}");
    }
    assert_eq!((service.active(0).await, service.active(1).await), (3, 3));
}
