//! How the processes of a control plane begin.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::super::{Process, free_port, guarded, part};
use super::{ControlPlane, kubectl, succeeded};

impl ControlPlane {
    pub(super) fn try_start(dir: &Path, address: &str, etcd_switches: &[&str]) -> Result<ControlPlane, String> {
        fs::create_dir_all(dir).expect("a directory for the control plane");
        let file = |name: &str| dir.join(name).to_string_lossy().into_owned();
        let (client_port, peer_port, port) = (free_port(), free_port(), free_port());
        let etcd_url = format!("http://127.0.0.1:{client_port}");
        let peer_url = format!("http://127.0.0.1:{peer_port}");

        let mut etcd = guarded(part("bin/etcd"));
        etcd.args(["--unsafe-no-fsync", "--log-level=warn", "--name=test"])
            .arg(format!("--data-dir={}", file("etcd")))
            .arg(format!("--listen-client-urls={etcd_url}"))
            .arg(format!("--advertise-client-urls={etcd_url}"))
            .arg(format!("--listen-peer-urls={peer_url}"))
            .arg(format!("--initial-advertise-peer-urls={peer_url}"))
            .arg(format!("--initial-cluster=test={peer_url}"))
            .args(etcd_switches);
        let etcd = Process::spawn("etcd", etcd);

        new_signing_key(&file("service-accounts.key"));
        let token = random_token();
        fs::write(file("tokens.csv"), format!("{token},admin,admin,\"system:masters\"\n")).unwrap();
        fs::write(file("audit.yaml"), AUDIT_POLICY).unwrap();
        let apiserver_args = vec![
            format!("--etcd-servers={etcd_url}"),
            format!("--bind-address={address}"),
            format!("--advertise-address={address}"),
            // Loopback can't be an endpoint of the service `kubernetes`.
            "--endpoint-reconciler-type=none".into(),
            format!("--secure-port={port}"),
            format!("--cert-dir={}", file("certificates")),
            format!("--token-auth-file={}", file("tokens.csv")),
            "--authorization-mode=RBAC".into(),
            format!(
                "--service-cluster-ip-range={}",
                if address.contains(':') { "fd00:96::/112" } else { "10.96.0.0/16" }
            ),
            "--service-account-issuer=https://kubernetes.default.svc".into(),
            format!("--service-account-key-file={}", file("service-accounts.key")),
            format!("--service-account-signing-key-file={}", file("service-accounts.key")),
            format!("--audit-policy-file={}", file("audit.yaml")),
            format!("--audit-log-path={}", file("audit.log")),
            // A test that wants a slow server says so; this one isn't to be the
            // bottleneck of those that run beside each other.
            "--max-requests-inflight=2000".into(),
            "--max-mutating-requests-inflight=1000".into(),
        ];
        let apiserver = spawn_apiserver(&apiserver_args);

        let address = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
        let server = format!("https://{address}:{port}");
        // The server makes its certificate at its first start, under a CA of
        // its own that stands in the same file.
        let certificate = file("certificates/apiserver.crt");
        let admin = dir.join("admin.kubeconfig");
        await_file(Path::new(&certificate), &[&etcd, &apiserver])?;
        write_kubeconfig(&admin, &server, &certificate, &token, "default");
        await_ready(&admin, &[&etcd, &apiserver])?;

        let mut controllers = guarded(part("bin/kube-controller-manager"));
        controllers
            .args(["--leader-elect=false", "--secure-port=0", "--concurrent-gc-syncs=5"])
            .arg(format!("--kubeconfig={}", admin.display()))
            .arg(format!("--service-account-private-key-file={}", file("service-accounts.key")))
            .arg(format!("--root-ca-file={certificate}"))
            .arg(format!("--controllers={CONTROLLERS}"));
        let controllers = Process::spawn("kube-controller-manager", controllers);

        Ok(ControlPlane {
            dir: dir.to_owned(),
            server,
            admin,
            apiserver_args,
            apiserver: Mutex::new(apiserver),
            crds: tokio::sync::OnceCell::const_new(),
            etcd_url,
            _etcd: etcd,
            _controllers: controllers,
        })
    }
}

/// Those that tests depend on: namespaces go as a whole, owned objects follow
/// their owners, service accounts get what they need, roles aggregate.
const CONTROLLERS: &str = "namespace-controller,garbage-collector-controller,\
serviceaccount-controller,serviceaccount-token-controller,\
root-ca-certificate-publisher-controller,clusterrole-aggregation-controller";

const AUDIT_POLICY: &str = r#"
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
  - level: Metadata
    verbs: [create, update, patch, delete, deletecollection]
    resources: [{group: scim-operator.dev}]
  - level: Metadata
    userGroups: ["system:serviceaccounts"]
  - level: None
"#;

pub(super) fn spawn_apiserver(args: &[String]) -> Process {
    let mut command = guarded(part("bin/kube-apiserver"));
    command.args(args);
    Process::spawn("kube-apiserver", command)
}

pub(super) fn write_kubeconfig(file: &Path, server: &str, ca: &str, token: &str, namespace: &str) {
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": server, "certificate-authority": ca}}],
        "users": [{"name": "test", "user": {"token": token}}],
        "contexts": [{"name": "test",
            "context": {"cluster": "test", "user": "test", "namespace": namespace}}],
    });
    fs::write(file, config.to_string()).expect("a kubeconfig");
}

/// Service-account tokens are signed with it. Node is there for Jackson anyway,
/// and knows how to make a key.
fn new_signing_key(file: &str) {
    const MAKE: &str = "require('fs').writeFileSync(process.argv[1], \
        require('crypto').generateKeyPairSync('rsa', {modulusLength: 2048}).privateKey\
        .export({type: 'pkcs1', format: 'pem'}), {mode: 0o600})";
    let made = Command::new("node").args(["-e", MAKE, file]).output();
    succeeded("making a key with node", made.expect("node, which `make test` asks for"));
}

fn random_token() -> String {
    format!("{:032x}", rand::random::<u128>())
}

fn await_file(file: &Path, needed: &[&Process]) -> Result<(), String> {
    await_true(&format!("no {}", file.display()), needed, || file.exists())
}

pub(super) fn await_ready(admin: &Path, needed: &[&Process]) -> Result<(), String> {
    await_true("the API server isn't ready", needed, || {
        let asked = kubectl(admin, &["get", "--raw", "/readyz", "--request-timeout=5s"], None);
        asked.status.success()
    })
}

fn await_true(otherwise: &str, needed: &[&Process], mut is_so: impl FnMut() -> bool) -> Result<(), String> {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !is_so() {
        for process in needed {
            if let Some(status) = process.ended() {
                return Err(format!("ended with {status}\n{}", process.tail(20)));
            }
            if Instant::now() > deadline {
                return Err(format!("{otherwise}\n{}", process.tail(20)));
            }
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}
