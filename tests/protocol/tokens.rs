//! OAuth 2.0 client credentials: one token for all who use a client, renewed before it ends, and never a key too many.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use scim_operator::scim::{Class, Client, ClientConfig, ClientCredentials, Credentials, Profile, Trust};
use serde_json::{Value, json};

use crate::soon;
use crate::support::{Sandbox, eventually};

/// A token endpoint: its answers in turn, the last for ever.
#[derive(Clone, Default)]
struct Endpoint {
    answers: Arc<Mutex<Vec<(u16, Value)>>>,
    asked: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<(String, String)>>>,
}

impl Endpoint {
    async fn open(answers: Vec<(u16, Value)>) -> (Endpoint, String) {
        let endpoint = Endpoint { answers: Arc::new(Mutex::new(answers)), ..Endpoint::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/token", listener.local_addr().unwrap());
        let app = Router::new().route("/token", post(answer)).with_state(endpoint.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (endpoint, url)
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn answer(State(endpoint): State<Endpoint>, headers: HeaderMap, body: String) -> (StatusCode, String) {
    endpoint.asked.fetch_add(1, Ordering::SeqCst);
    let basic = headers["authorization"].to_str().unwrap().to_owned();
    endpoint.seen.lock().unwrap().push((basic, body));
    let mut answers = endpoint.answers.lock().unwrap();
    let (status, body) = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
    (StatusCode::from_u16(status).unwrap(), body.to_string())
}

fn client(sandbox: &Sandbox, token_url: &str) -> Client {
    let with = ClientCredentials {
        token_url: token_url.parse().unwrap(),
        client_id: "the operator".into(),
        client_secret: "s:cret".to_owned().into(),
        scope: Some("scim read".into()),
    };
    Client::new(ClientConfig {
        base_url: sandbox.base_url.parse().unwrap(),
        credentials: Credentials::OAuth2(with),
        trust: Trust::default(),
        proxy: None,
        connect_timeout: Duration::from_secs(5),
        request_timeout: Duration::from_secs(20),
        profile: Profile::generic(),
        user_agent: "scim-operator-test".into(),
    })
    .unwrap()
}

fn token(text: &str, seconds: u64) -> (u16, Value) {
    (200, json!({"access_token": text, "token_type": "Bearer", "expires_in": seconds}))
}

#[tokio::test]
async fn one_token_serves_all_who_use_a_client() {
    let sandbox = Sandbox::start();
    let (endpoint, url) = Endpoint::open(vec![token(&sandbox.token, 3600)]).await;
    let client = client(&sandbox, &url);
    let asked = (0..16).map(|_| async { client.clone().probe(soon()).await });
    for answer in futures::future::join_all(asked).await {
        answer.unwrap();
    }
    assert_eq!(endpoint.asked(), 1);
    let (basic, body) = endpoint.seen.lock().unwrap()[0].clone();
    // "the+operator:s%3Acret", as RFC 6749 §2.3.1 has it.
    assert_eq!(basic, "Basic dGhlK29wZXJhdG9yOnMlM0FjcmV0");
    assert_eq!(body, "grant_type=client_credentials&scope=scim+read");
    assert!(!format!("{client:?}").contains("cret"), "{client:?}");
}

#[tokio::test]
async fn a_token_is_renewed_before_it_expires() {
    let sandbox = Sandbox::start();
    let (endpoint, url) = Endpoint::open(vec![token(&sandbox.token, 1)]).await;
    let client = client(&sandbox, &url);
    eventually(Duration::from_secs(30), "another token", async || {
        client.probe(soon()).await.unwrap();
        let asked = endpoint.asked();
        if asked > 1 { Ok(()) } else { Err(asked) }
    })
    .await;
}

#[tokio::test]
async fn a_token_that_ended_before_its_time_is_replaced_once() {
    let sandbox = Sandbox::start();
    let (endpoint, url) = Endpoint::open(vec![token("revoked", 3600), token(&sandbox.token, 3600)]).await;
    client(&sandbox, &url).probe(soon()).await.unwrap();
    assert_eq!(endpoint.asked(), 2);
    let (endpoint, url) = Endpoint::open(vec![token("never good", 3600)]).await;
    let refused = client(&sandbox, &url).probe(soon()).await.unwrap_err();
    assert_eq!((refused.class(), endpoint.asked()), (Class::Credential, 2), "{refused}");
}

#[tokio::test]
async fn i21_what_a_token_endpoint_refuses_has_its_class() {
    let sandbox = Sandbox::start();
    let cases = [
        ((401, json!({"error": "invalid_client"})), Class::Credential),
        ((400, json!({"error": "invalid_scope"})), Class::Credential),
        ((503, json!("down")), Class::Transient),
        ((429, json!({})), Class::Throttled),
        ((200, json!({"access_token": ""})), Class::NotScim),
        ((200, json!({"access_token": "a", "token_type": "mac"})), Class::NotScim),
    ];
    for (answer, class) in cases {
        let words = answer.1["error"].as_str().unwrap_or_default().to_owned();
        let (_, url) = Endpoint::open(vec![answer.clone()]).await;
        let error = client(&sandbox, &url).probe(soon()).await.unwrap_err();
        assert_eq!(error.class(), class, "{answer:?}: {error}");
        assert!(error.to_string().contains(&words), "{error}");
    }
}
