//! Our own two programs, as they are shipped.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use jiff::Timestamp;
use scim_operator::api::{GROUP, VERSION};
use serde_json::{Value, json};

use super::servers::{answer, by_hand, text};
use super::{Process, eventually, guarded, http, is_first_at, unique};

/// The operator's binary at work. Its log is printed when the test fails.
pub struct Operator {
    builder: OperatorBuilder,
    process: Process,
}

/// How to start one.
#[derive(Clone, Debug)]
pub struct OperatorBuilder {
    kubeconfig: PathBuf,
    namespace: String,
    args: Vec<String>,
    env: Vec<(String, String)>,
}

impl Operator {
    /// With this kubeconfig, keeping its Lease in this namespace.
    pub fn builder(kubeconfig: &Path, namespace: &str) -> OperatorBuilder {
        OperatorBuilder {
            kubeconfig: kubeconfig.to_owned(),
            namespace: namespace.to_owned(),
            args: ["run", "--allow-loopback-http", "--listen", "127.0.0.1:0"].map(str::to_owned).to_vec(),
            env: Vec::new(),
        }
    }

    pub fn start(kubeconfig: &Path, namespace: &str) -> Operator {
        Operator::builder(kubeconfig, namespace).start()
    }

    /// SIGKILL: no clean-up, no Lease given back.
    pub fn kill9(&self) {
        self.process.kill9();
    }

    /// SIGTERM, as Kubernetes stops it.
    pub fn terminate(&self) -> ExitStatus {
        self.process.terminate(Duration::from_secs(30))
    }

    /// The same again, after it ended.
    pub fn again(&self) -> Operator {
        self.builder.clone().start()
    }

    /// Where it serves probes and metrics.
    pub async fn address(&self) -> String {
        eventually(Duration::from_secs(30), "the operator says where it listens", async || {
            let log = self.log();
            let (_, rest) = log.split_once("listen=").ok_or_else(|| log.clone())?;
            Ok::<_, String>(rest.split_whitespace().next().unwrap_or_default().to_owned())
        })
        .await
    }

    pub fn process(&self) -> &Process {
        &self.process
    }

    pub fn log(&self) -> String {
        self.process.log()
    }
}

impl OperatorBuilder {
    #[must_use]
    pub fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }

    /// Takes one of its usual switches away.
    #[must_use]
    pub fn without(mut self, arg: &str) -> Self {
        self.args.retain(|known| known != arg);
        self
    }

    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn start(self) -> Operator {
        // Benchmarks measure other builds of it, too.
        let binary = std::env::var("SCIM_OPERATOR_BINARY");
        let mut command = guarded(binary.as_deref().unwrap_or(env!("CARGO_BIN_EXE_scim-operator")));
        command.args(&self.args);
        command.env("KUBECONFIG", &self.kubeconfig).env("POD_NAMESPACE", &self.namespace);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        let process = Process::spawn(&unique(&format!("operator-{}", self.namespace)), command);
        Operator { builder: self, process }
    }
}

/// `scim-sandbox`: a SCIM server whose faults a test can choose.
pub struct Sandbox {
    pub base_url: String,
    pub admin_url: String,
    pub token: String,
    pub admin_token: String,
    process: Process,
}

impl Sandbox {
    pub fn start() -> Sandbox {
        Sandbox::start_with(&[])
    }

    pub fn start_with(switches: &[&str]) -> Sandbox {
        loop {
            let sandbox = Sandbox::somewhere(switches);
            let url: url::Url = sandbox.base_url.parse().expect("a URL");
            if is_first_at(url.port().expect("a port")) {
                return sandbox;
            }
        }
    }

    fn somewhere(switches: &[&str]) -> Sandbox {
        let (token, admin_token) = (unique("token"), unique("admin"));
        let mut command = guarded(env!("CARGO_BIN_EXE_scim-sandbox"));
        if !switches.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        command.args(["--token", &token]);
        command.args(["--admin-token", &admin_token]).args(switches);
        let (process, hello) = Process::announcing(&unique("sandbox"), command);
        Sandbox { base_url: text(&hello["base"]), admin_url: text(&hello["admin"]), token, admin_token, process }
    }

    /// A SCIM request by hand.
    pub async fn scim(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        by_hand(&format!("{}{path}", self.base_url), &self.token, method, body).await
    }

    /// A request to its control interface, which must succeed.
    pub async fn admin(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let method = method.parse().expect("a method");
        let url = format!("{}{path}", self.admin_url);
        let mut request = http().request(method, url).bearer_auth(&self.admin_token);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        answer(request).await
    }

    pub fn process(&self) -> &Process {
        &self.process
    }
}

/// As the operator marks a ScimUser whose connection isn't there: benchmarks write the same.
pub fn waiting(name: &str) -> Value {
    let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let condition = |kind: &str, status: &str| {
        json!({"type": kind, "status": status, "reason": "ConnectionNotFound", "observedGeneration": 1,
            "message": "the ScimConnection identity/bench is not there; create it, or correct spec.connectionRef",
            "lastTransitionTime": now})
    };
    json!({
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": "ScimUser",
        "metadata": {"name": name},
        "status": {
            "observedGeneration": 1,
            "state": "Pending",
            "conditions": [condition("Ready", "False"), condition("Reconciling", "True")],
        },
    })
}
