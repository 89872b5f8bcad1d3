//! A running `scim-sandbox` and ways to talk to it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

pub const TOKEN: &str = "sandbox-test-token";
pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

/// A running `scim-sandbox`.
pub struct Sandbox {
    pub child: Child,
    pub base: String,
    pub admin: String,
    pub client: Client,
}

impl Sandbox {
    pub fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_scim-sandbox"))
            .args(["--listen", "127.0.0.1:0", "--token", TOKEN])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("scim-sandbox starts");
        let mut line = String::new();
        let out = child.stdout.take().expect("a pipe");
        BufReader::new(out).read_line(&mut line).expect("a line");
        let first: Value = serde_json::from_str(&line).expect("the first line is JSON");
        let text = |key: &str| first[key].as_str().expect(key).to_owned();
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            child,
            base: text("base"),
            admin: text("admin"),
            client: Client::builder().no_proxy().build().expect("a client"),
        }
    }

    pub async fn try_send(&self, method: &str, path: &str, body: Option<Value>) -> reqwest::Result<Response> {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.base))
            .header("authorization", format!("Bearer {TOKEN}"))
            .header("user-agent", "tests");
        if let Some(body) = body {
            request = request.header("content-type", "application/scim+json").body(body.to_string());
        }
        request.send().await
    }

    pub async fn send(&self, method: &str, path: &str, body: impl Into<Option<Value>>) -> (u16, Value) {
        let response = self.try_send(method, path, body.into()).await;
        let response = response.expect("an answer");
        let status = response.status().as_u16();
        let text = response.text().await.expect("a body");
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    pub async fn admin(&self, method: &str, path: &str, body: impl Into<Option<Value>>) -> Value {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self.client.request(method, format!("{}{path}", self.admin));
        if let Some(body) = body.into() {
            request = request.body(body.to_string());
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200, "{path}");
        serde_json::from_str(&response.text().await.expect("a body")).expect("JSON")
    }

    pub async fn user(&self, name: &str) -> String {
        let (status, made) = self.send("POST", "/Users", user(name)).await;
        assert_eq!(status, 201, "{made}");
        made["id"].as_str().expect("an id").to_owned()
    }

    pub async fn fault(&self, rule: Value) {
        self.admin("POST", "/faults", json!([rule])).await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn user(name: &str) -> Value {
    json!({"schemas": [USER], "userName": name, "externalId": format!("x-{name}"),
        "emails": [{"value": format!("{name}@example.com"), "type": "work", "primary": true}]})
}

pub fn patch(operations: &Value) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations})
}
