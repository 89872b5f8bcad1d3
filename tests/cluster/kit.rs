//! What the tests of a running operator share: one operator for the binary, and
//! a place of its own for every test.

use std::time::Duration;

use kube::api::Api;
use scim_operator::api::{ScimConnection, ScimUser};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::support::{ControlPlane, Directory, Helm, Jackson, Operator, OperatorBuilder, eventually, http};

pub const PATIENCE: Duration = Duration::from_secs(120);
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// Whoever is killed is succeeded soon.
pub const SHORT_LEASE: [&str; 2] = ["--lease-duration=10", "--lease-renewal=2"];

/// The operator as the chart installs it: a service account with the chart's
/// RBAC and nothing more, and a namespace for its Lease.
#[allow(dead_code, reason = "for the binaries that start it again")]
pub async fn start_operator() -> Operator {
    operator_builder().await.start()
}

pub async fn operator_builder() -> OperatorBuilder {
    install(&[]).await.1
}

/// The same with these arguments for helm; its namespace, too.
pub async fn install(helm: &[&str]) -> (String, OperatorBuilder) {
    install_in(ControlPlane::shared().await, helm).await
}

/// The same in a cluster of the test's own.
pub async fn install_in(cluster: &'static ControlPlane, helm: &[&str]) -> (String, OperatorBuilder) {
    cluster.install_crds().await;
    let namespace = cluster.namespace().await;
    let only_rbac = [&["--show-only", "templates/rbac.yaml"], helm].concat();
    // Each object names its own namespace.
    cluster.apply("", &Helm::offline(&namespace).manifest("scim-operator", &only_rbac));
    let kubeconfig = cluster.kubeconfig_for_service_account(&namespace, "scim-operator");
    let builder = Operator::builder(&kubeconfig, &namespace)
        .arg(SHORT_LEASE[0])
        .arg(SHORT_LEASE[1])
        .arg("--log-level=info,scim_operator=debug")
        // No proxy leads to this name; the tests of proxies have it.
        .env("NO_PROXY", "localhost");
    (namespace, builder)
}

/// The operator of this test binary.
pub async fn operator() -> &'static Operator {
    &shared().await.1
}

/// Where it lives.
#[allow(dead_code, reason = "one binary asks")]
pub async fn operator_namespace() -> String {
    shared().await.0.clone()
}

async fn shared() -> &'static (String, Operator) {
    static SHARED: OnceCell<(String, Operator)> = OnceCell::const_new();
    // Nobody waits for its Lease, and nothing starts it again if a busy machine makes it miss a short one.
    let start = async || {
        let (namespace, builder) = install(&[]).await;
        (namespace, SHORT_LEASE.iter().fold(builder, |builder, arg| builder.without(arg)).start())
    };
    SHARED.get_or_init(start).await
}

/// A namespace and a directory that no other test uses.
pub struct Place {
    pub cluster: &'static ControlPlane,
    pub namespace: String,
    pub directory: Directory,
    client: kube::Client,
}

impl Place {
    /// With the operator of this test binary at work.
    pub async fn new() -> Place {
        operator().await;
        Place::without_operator().await
    }

    pub async fn without_operator() -> Place {
        Place::within(ControlPlane::shared().await).await
    }

    /// A namespace of this cluster.
    pub async fn within(cluster: &'static ControlPlane) -> Place {
        Place {
            cluster,
            namespace: cluster.namespace().await,
            directory: Jackson::shared().await.new_directory("generic-scim-v2").await,
            client: cluster.client(),
        }
    }

    /// With a connection `jackson` that is in use.
    pub async fn connected(connection: Value) -> Place {
        let place = Place::new().await;
        place.connect(connection);
        place.connection_is("Connected").await;
        place
    }

    /// The Secret, labelled, and the connection with these further fields of its spec.
    pub fn connect(&self, fields: Value) {
        self.secret(&self.directory.token);
        self.apply(self.connection(fields));
    }

    pub fn secret(&self, token: &str) {
        self.apply(json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "key", "labels": {"scim-operator.dev/credentials": "true"}},
            "stringData": {"token": token},
        }));
    }

    pub fn connection(&self, fields: Value) -> Value {
        let spec = json!({
            "provider": "Jackson",
            "baseUrl": self.directory.base_url,
            "auth": {"bearerToken": {"secretKeyRef": {"name": "key", "key": "token"}}},
            "resyncInterval": "10s",
        });
        object("ScimConnection", "jackson", spec, fields)
    }

    /// A ScimUser with the least that Jackson wants, and these further fields.
    pub fn user(&self, name: &str, fields: Value) {
        self.apply(user(name, fields));
    }

    pub fn apply(&self, object: Value) {
        self.cluster.apply(&self.namespace, &object.to_string());
    }

    /// kubectl in this namespace, which must succeed.
    pub fn kubectl(&self, args: &[&str]) -> String {
        self.cluster.kubectl_ok(&[&["-n", self.namespace.as_str()], args].concat())
    }

    /// What the API server says about an object that it must refuse.
    pub fn refused(&self, object: &Value) -> String {
        let tried = self.cluster.try_apply(&self.namespace, &object.to_string());
        assert!(!tried.status.success(), "was taken: {object}");
        String::from_utf8_lossy(&tried.stderr).into_owned()
    }

    /// The ScimUser as it is now.
    pub async fn get(&self, name: &str) -> Option<Value> {
        let api: Api<ScimUser> = Api::namespaced(self.client.clone(), &self.namespace);
        let found = api.get_opt(name).await.expect("an answer");
        found.map(|user| serde_json::to_value(user).expect("JSON"))
    }

    pub async fn users(&self) -> Vec<Value> {
        let api: Api<ScimUser> = Api::namespaced(self.client.clone(), &self.namespace);
        let list = api.list(&kube::api::ListParams::default()).await.expect("an answer");
        list.items.iter().map(|user| serde_json::to_value(user).expect("JSON")).collect()
    }

    pub async fn get_connection(&self) -> Value {
        let api: Api<ScimConnection> = Api::namespaced(self.client.clone(), &self.namespace);
        let found = api.get("jackson").await.expect("the connection");
        serde_json::to_value(found).expect("JSON")
    }

    /// The ScimUser, when Ready has this status and reason at its newest generation.
    pub async fn is(&self, name: &str, status: &str, reason: &str) -> Value {
        let what = format!("{name} is {status}/{reason}");
        eventually(PATIENCE, &what, async || {
            let user = self.get(name).await.ok_or(Value::Null)?;
            let ready = condition(&user, "Ready");
            let current = user["status"]["observedGeneration"] == user["metadata"]["generation"];
            let as_asked = ready["status"] == status && ready["reason"] == reason;
            // Of what waits, the generation is not carried out.
            let waits = reason.starts_with("ConnectionNot") || ["Planned", "Pending"].contains(&reason);
            if as_asked && (current || waits) { Ok(user) } else { Err(user["status"].clone()) }
        })
        .await
    }

    /// The same for `Ready=True`, `Synced`; returns the account's id.
    pub async fn synced(&self, name: &str) -> String {
        let user = self.is(name, "True", "Synced").await;
        user["status"]["id"].as_str().unwrap_or_default().to_owned()
    }

    /// The message of `Connected` when it has this reason.
    pub async fn connection_is(&self, reason: &str) -> String {
        eventually(PATIENCE, &format!("the connection is {reason}"), async || {
            let connection = self.get_connection().await;
            let connected = condition(&connection, "Connected");
            if connected["reason"] == reason {
                Ok(connected["message"].as_str().unwrap_or_default().to_owned())
            } else {
                Err(connection["status"].clone())
            }
        })
        .await
    }

    /// Until this many more sweeps have completed.
    pub async fn sweeps(&self, many: usize) {
        let completed = async || self.get_connection().await["status"]["sweep"]["lastCompleted"].clone();
        for _ in 0..many {
            let before = completed().await;
            eventually(PATIENCE, "another sweep", async || {
                let now = completed().await;
                if now == before || now.is_null() { Err(now) } else { Ok(()) }
            })
            .await;
        }
    }

    /// A while in which nothing changes; `SCIM_OPERATOR_AT_REST=60` for ten minutes. Returns how many sweeps it was.
    pub async fn rests(&self, sweeps: usize) -> usize {
        let sweeps = std::env::var("SCIM_OPERATOR_AT_REST").map_or(sweeps, |many| many.parse().expect("a number"));
        self.sweeps(sweeps).await;
        sweeps
    }

    /// The connection's status, when it fits.
    pub async fn status_is(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        eventually(PATIENCE, what, async || {
            let status = self.get_connection().await["status"].clone();
            if fits(&status) { Ok(status) } else { Err(status) }
        })
        .await
    }

    /// The id of the connection's one hold, when it has closed.
    pub async fn hold_id(&self) -> String {
        let status = self.status_is("one hold has closed", |status| status["holds"][0]["id"].is_string()).await;
        assert_eq!(status["holds"].as_array().map(Vec::len), Some(1), "{status}");
        status["holds"][0]["id"].as_str().unwrap_or_default().to_owned()
    }

    /// Answers a hold as its message says: `approvedHold` or `rejectedHold`.
    pub fn answer(&self, field: &str, id: &str) {
        let patch = json!({"spec": {field: id}}).to_string();
        self.kubectl(&["patch", "scimconnection", "jackson", "--type=merge", "-p", &patch]);
    }

    /// The notes of the events with this reason in the namespace.
    pub fn events(&self, reason: &str) -> Vec<String> {
        let list = self.kubectl(&["get", "events.events.k8s.io", "-o", "json"]);
        let list: Value = serde_json::from_str(&list).expect("JSON");
        let events = list["items"].as_array().into_iter().flatten().filter(|event| event["reason"] == reason);
        events.map(|event| event["note"].as_str().unwrap_or_default().to_owned()).collect()
    }

    pub async fn is_gone(&self, name: &str) {
        eventually(PATIENCE, &format!("{name} is gone"), async || match self.get(name).await {
            None => Ok(()),
            Some(user) => Err(user["status"].clone()),
        })
        .await;
    }

    /// What Jackson holds for this id.
    pub async fn account(&self, id: &str) -> Option<Value> {
        self.directory.users().await.into_iter().find(|account| account["id"] == id)
    }

    /// The account, when Jackson holds it so.
    pub async fn account_is(&self, id: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        eventually(PATIENCE, what, async || match self.account(id).await {
            Some(account) if fits(&account) => Ok(account),
            other => Err(other),
        })
        .await
    }

    /// Somebody else changes an account, with PUT.
    pub async fn changed_by_others(&self, id: &str, field: &str, value: Value) {
        let mut raw = self.account(id).await.expect("the account")["raw"].clone();
        raw[field] = value;
        let (status, answer) = self.directory.scim("PUT", &format!("/Users/{id}"), Some(raw)).await;
        assert_eq!(status, 200, "{answer}");
    }
}

/// A ScimUser of the connection `jackson`.
pub fn user(name: &str, fields: Value) -> Value {
    let spec = json!({
        "connectionRef": {"name": "jackson"},
        "userName": format!("{name}@example.com"),
        "active": true,
        "name": {"givenName": name, "familyName": "Example"},
        "emails": [{"value": format!("{name}@example.com"), "type": "work", "primary": true}],
    });
    object("ScimUser", name, spec, fields)
}

fn object(kind: &str, name: &str, mut spec: Value, fields: Value) -> Value {
    for (field, value) in fields.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
    json!({"apiVersion": "scim-operator.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// The condition of this type.
pub fn condition(object: &Value, type_: &str) -> Value {
    let conditions = object["status"]["conditions"].as_array();
    conditions.into_iter().flatten().find(|known| known["type"] == type_).cloned().unwrap_or_default()
}

/// What the operator exports under a name and a label, summed up, as it is now.
#[allow(dead_code, reason = "for the binaries that count")]
pub async fn counted(name: &str, label: &str) -> f64 {
    let url = format!("http://{}/metrics", operator().await.address().await);
    let text = http().get(&url).send().await.expect("an answer").text().await.expect("text");
    let lines = text.lines().filter(|line| line.starts_with(&format!("scim_operator_{name}")) && line.contains(label));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}
