//! A Kubernetes control plane of the test binary's own: etcd, the API server
//! with RBAC, the controllers that tests depend on.

mod spawn;

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use scim_operator::api::crds;
use serde_json::{Value, json};

use self::spawn::{await_ready, spawn_apiserver, write_kubeconfig};
use super::{Process, crypto, eventually, part, repository, scratch, unique};

pub struct ControlPlane {
    dir: PathBuf,
    server: String,
    admin: PathBuf,
    apiserver_args: Vec<String>,
    apiserver: Mutex<Process>,
    crds: tokio::sync::OnceCell<()>,
    etcd_url: String,
    _etcd: Process,
    _controllers: Process,
}

impl ControlPlane {
    /// The control plane of this test binary, started by whoever asks first.
    pub async fn shared() -> &'static ControlPlane {
        static SHARED: LazyLock<ControlPlane> = LazyLock::new(|| ControlPlane::start("cluster", "127.0.0.1", &[]));
        match tokio::task::spawn_blocking(|| &*SHARED).await {
            Ok(shared) => shared,
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
    }

    /// One of a test's own, whose etcd has these further switches.
    pub async fn another(name: &str, etcd: &[&str]) -> &'static ControlPlane {
        ControlPlane::another_at(name, "127.0.0.1", etcd).await
    }

    /// The same whose API server has this address alone.
    pub async fn another_at(name: &str, address: &'static str, etcd: &[&str]) -> &'static ControlPlane {
        let (name, etcd) = (name.to_owned(), etcd.iter().map(|&switch| switch.to_owned()).collect::<Vec<_>>());
        let start = move || {
            let etcd: Vec<&str> = etcd.iter().map(String::as_str).collect();
            // Its processes end with the test binary.
            &*Box::leak(Box::new(ControlPlane::start(&name, address, &etcd)))
        };
        tokio::task::spawn_blocking(start).await.expect("a control plane")
    }

    fn start(name: &str, address: &str, etcd: &[&str]) -> ControlPlane {
        crypto();
        // A port can be taken between being found free and being used.
        let mut tried = String::new();
        for attempt in 0..3 {
            match ControlPlane::try_start(&scratch().join(format!("data/{name}-{attempt}")), address, etcd) {
                Ok(started) => return started,
                Err(why) => writeln!(tried, "attempt {attempt}: {why}").unwrap(),
            }
        }
        panic!("the control plane didn't start\n{tried}");
    }

    /// A client that may do everything. One a test: its connections belong to
    /// the runtime of the test that asked.
    pub fn client(&self) -> kube::Client {
        self.client_with(&self.admin)
    }

    pub fn client_with(&self, kubeconfig: &Path) -> kube::Client {
        let read = Kubeconfig::read_from(kubeconfig).expect("a kubeconfig of ours");
        // Nothing in it has to be waited for.
        let config =
            futures::executor::block_on(kube::Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()));
        kube::Client::try_from(config.expect("a configuration")).expect("a client")
    }

    pub fn admin_kubeconfig(&self) -> &Path {
        &self.admin
    }

    pub fn server(&self) -> String {
        self.server.clone()
    }

    /// CPU seconds that the API server has used so far.
    pub fn cpu_seconds(&self) -> f64 {
        self.apiserver.lock().unwrap().cpu_seconds()
    }

    /// The API server's own certificate for 127.0.0.1, its authority in the same file, and its key: a
    /// private authority that no test has to make.
    pub fn certificate(&self) -> (PathBuf, PathBuf) {
        let file = |name: &str| self.dir.join("certificates").join(name);
        (file("apiserver.crt"), file("apiserver.key"))
    }

    /// A namespace that no other test uses.
    pub async fn namespace(&self) -> String {
        let name = unique("test");
        let object = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
        let namespaces: Api<Namespace> = Api::all(self.client());
        namespaces.create(&PostParams::default(), &object).await.expect("a namespace");
        name
    }

    /// Runs kubectl as admin.
    pub fn kubectl<S: AsRef<std::ffi::OsStr>>(&self, args: &[S]) -> Output {
        kubectl(&self.admin, args, None)
    }

    /// kubectl's output, when it must succeed.
    pub fn kubectl_ok<S: AsRef<std::ffi::OsStr> + std::fmt::Debug>(&self, args: &[S]) -> String {
        succeeded(&format!("kubectl {args:?}"), self.kubectl(args))
    }

    /// `kubectl apply -n NAMESPACE -f -`, which must succeed.
    pub fn apply(&self, namespace: &str, yaml: &str) -> String {
        let began = std::time::Instant::now();
        loop {
            let tried = self.try_apply(namespace, yaml);
            // An API server that has just begun lists our kinds a moment later.
            let listed = !String::from_utf8_lossy(&tried.stderr).contains("no matches for kind");
            if tried.status.success() || listed || began.elapsed() > Duration::from_secs(30) {
                return succeeded(&format!("kubectl apply of\n{yaml}"), tried);
            }
        }
    }

    /// The same for manifests that may be refused.
    pub fn try_apply(&self, namespace: &str, yaml: &str) -> Output {
        kubectl(&self.admin, &["apply", "-n", namespace, "-f", "-"], Some(yaml))
    }

    /// Brings `crds/` in, once, and waits until they are served.
    pub async fn install_crds(&self) {
        let install = async || {
            let crds = repository().join("crds");
            assert!(crds.is_dir(), "{} is missing: run `make crds`", crds.display());
            let crds = crds.to_str().expect("a plain path");
            self.kubectl_ok(&["apply", "--server-side", "-f", crds]);
            self.await_kinds().await;
        };
        self.crds.get_or_init(install).await;
    }

    /// Where its etcd listens.
    pub fn etcd_url(&self) -> &str {
        &self.etcd_url
    }

    /// Until kubectl can apply our kinds. What is established is named in the list of all kinds a moment later, and
    /// kubectl goes by that list.
    pub async fn await_kinds(&self) {
        let names = crds().into_iter().map(|crd| crd.metadata.name.expect("each has a name")).collect::<Vec<_>>();
        self.kubectl_ok(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]);
        eventually(Duration::from_secs(60), "the API server lists our kinds", async || {
            let listed = self.kubectl(&["api-resources", "--api-group=scim-operator.dev", "-o", "name"]);
            let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
            let all = names.iter().all(|name| listed.lines().any(|line| line == name));
            if all { Ok(()) } else { Err(listed) }
        })
        .await;
    }

    /// A kubeconfig with a token of this service account, which is made when it
    /// isn't there. It may do what RBAC gives it: nothing, at first.
    pub fn kubeconfig_for_service_account(&self, namespace: &str, name: &str) -> PathBuf {
        let account = json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": name, "namespace": namespace},
        });
        self.apply(namespace, &account.to_string());
        let token = self.kubectl_ok(&["create", "token", name, "-n", namespace, "--duration=24h"]);
        let file = self.dir.join(format!("{namespace}-{name}.kubeconfig"));
        let certificate = self.dir.join("certificates/apiserver.crt");
        write_kubeconfig(&file, &self.server(), &certificate.to_string_lossy(), token.trim(), namespace);
        file
    }

    /// Kills the API server and starts it again on the same port and data.
    /// Returns when it is ready.
    pub async fn restart_apiserver(&'static self) {
        tokio::task::spawn_blocking(|| {
            let mut apiserver = self.apiserver.lock().unwrap();
            apiserver.kill9();
            *apiserver = spawn_apiserver(&self.apiserver_args);
            await_ready(&self.admin, &[&apiserver]).unwrap_or_else(|why| panic!("{why}"));
        })
        .await
        .expect("the API server again");
    }

    /// Every write to our kinds in this namespace (all, if empty) that the API
    /// server answered, from its audit log: `verb`, `user.username`,
    /// `objectRef.{resource,subresource,name,namespace}`, `responseStatus.code`.
    pub fn writes(&self, namespace: &str) -> Vec<Value> {
        let log = fs::read_to_string(self.dir.join("audit.log")).unwrap_or_default();
        // The last line may be half written.
        log.lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|event| event["objectRef"]["apiGroup"] == "scim-operator.dev")
            .filter(|event| !["get", "list", "watch"].map(Value::from).contains(&event["verb"]))
            .filter(|event| namespace.is_empty() || event["objectRef"]["namespace"] == namespace)
            .collect()
    }

    /// Every request of a service account that the API server answered, in the same form. A watch is there when
    /// it has ended.
    pub fn requests_of(&self, namespace: &str, service_account: &str) -> Vec<Value> {
        let name = format!("system:serviceaccount:{namespace}:{service_account}");
        let log = fs::read_to_string(self.dir.join("audit.log")).unwrap_or_default();
        log.lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|event| event["user"]["username"] == name.as_str())
            .collect()
    }
}

fn kubectl<S: AsRef<std::ffi::OsStr>>(config: &Path, args: &[S], stdin: Option<&str>) -> Output {
    let mut child = Command::new(part("bin/kubectl"))
        .arg("--kubeconfig")
        .arg(config)
        // What it remembers of another control plane that had the same port is none of this one's.
        .arg("--cache-dir")
        .arg(config.with_extension("cache"))
        .args(args)
        .stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("kubectl");
    if let Some(text) = stdin {
        // Dropped at once: kubectl reads to the end.
        child.stdin.take().expect("its stdin").write_all(text.as_bytes()).expect("kubectl reads");
    }
    child.wait_with_output().expect("kubectl's output")
}

pub(super) fn succeeded(what: &str, output: Output) -> String {
    let Output { status, stdout, stderr } = output;
    let stdout = String::from_utf8_lossy(&stdout).into_owned();
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{what}: {status}\n{stdout}{stderr}");
    stdout
}
