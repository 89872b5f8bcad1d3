//! Flux's own source- and kustomize-controller over a Git repository: what docs/gitops.md promises of them. They take
//! minutes to build, so that `make gitops-test` runs this, and `make test` doesn't.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::routing::{get, post};
use serde_json::{Value, json};

use crate::kit::{PATIENCE, Place, condition, user};
use crate::operator;
use crate::support::{ControlPlane, Process, eventually, free_port, guarded, part, scratch, unique};

const BRANCH: &str = "main";

/// A work tree whose commits Flux can fetch at once.
struct Git {
    tree: PathBuf,
    url: String,
}

impl Git {
    async fn served() -> Git {
        let tree = scratch().join("data").join(unique("fleet"));
        fs::create_dir_all(&tree).unwrap();
        let address = serve(tree.clone()).await;
        let git = Git { tree, url: format!("http://{address}/fleet.git") };
        git.run(&["init", "--quiet", "--initial-branch", BRANCH]);
        git
    }

    fn run(&self, args: &[&str]) {
        let mut command = Command::new("git");
        command.arg("-C").arg(&self.tree).args(["-c", "user.name=test", "-c", "user.email=test@example.com"]);
        // Nobody's own settings.
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
        let done = command.args(args).output().expect("git, which `make gitops-test` asks for");
        assert!(done.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    fn write(&self, path: &str, object: &Value) {
        let file = self.tree.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, object.to_string()).unwrap();
    }

    fn delete(&self, path: &str) {
        fs::remove_file(self.tree.join(path)).unwrap();
    }

    fn commit(&self, message: &str) {
        self.run(&["add", "--all"]);
        self.run(&["commit", "--quiet", "--message", message]);
    }
}

/// Git's protocol over HTTP, reading only, as `git http-backend` speaks it.
async fn serve(tree: PathBuf) -> SocketAddr {
    let refs = tree.clone();
    let routes = Router::new()
        .route(
            "/fleet.git/info/refs",
            get(async move || {
                let mut answer = b"001e# service=git-upload-pack\n0000".to_vec();
                answer.extend(upload_pack(&refs, &["--advertise-refs"], &[]).await);
                ([(CONTENT_TYPE, "application/x-git-upload-pack-advertisement")], answer)
            }),
        )
        .route(
            "/fleet.git/git-upload-pack",
            post(async move |body: Bytes| {
                let answer = upload_pack(&tree, &[], &body).await;
                ([(CONTENT_TYPE, "application/x-git-upload-pack-result")], answer)
            }),
        );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    address
}

async fn upload_pack(tree: &Path, options: &[&str], input: &[u8]) -> Vec<u8> {
    let (tree, input) = (tree.to_owned(), input.to_owned());
    let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
    let pack = move || {
        let mut child = Command::new("git")
            .args(["upload-pack", "--stateless-rpc"])
            .args(options)
            .arg(tree)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("git");
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), &input).unwrap();
        child.wait_with_output().unwrap().stdout
    };
    tokio::task::spawn_blocking(pack).await.unwrap()
}

/// Both controllers at work on this control plane.
fn flux(cluster: &ControlPlane) -> [Process; 2] {
    let kinds = ["flux-kinds/source-controller", "flux-kinds/kustomize-controller"].map(part);
    for folder in kinds {
        // kubectl takes a link for a file.
        let folder = folder.canonicalize().unwrap();
        cluster.kubectl_ok(&["apply", "--server-side", "-f", folder.to_str().unwrap()]);
    }
    cluster.kubectl_ok(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]);
    let start = |name: &str, args: &[String]| {
        let mut command = guarded(part(&format!("bin/{name}")));
        command.env("KUBECONFIG", cluster.admin_kubeconfig()).env("RUNTIME_NAMESPACE", "default");
        command.args(args).args(["--metrics-addr=127.0.0.1:0".to_owned()]);
        command.arg(format!("--health-addr=127.0.0.1:{}", free_port()));
        Process::spawn(name, command)
    };
    let artifacts = scratch().join("data/artifacts");
    fs::create_dir_all(&artifacts).unwrap();
    let storage = format!("127.0.0.1:{}", free_port());
    let source = [
        format!("--storage-path={}", artifacts.display()),
        format!("--storage-addr={storage}"),
        format!("--storage-adv-addr={storage}"),
    ];
    [start("source-controller", &source), start("kustomize-controller", &["--requeue-dependency=1s".to_owned()])]
}

/// The way of docs/gitops.md: a source, and two Kustomizations in order.
fn declare(place: &Place, git: &Git) {
    place.apply(
        json!({"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository", "metadata": {"name": "fleet"},
        "spec": {"interval": "10m", "url": git.url, "ref": {"branch": BRANCH}}}),
    );
    let kustomization = |name: &str, depends_on: Value| {
        json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": {"name": name},
            "spec": {"interval": "10m", "retryInterval": "2s", "path": format!("./{name}"), "prune": true, "wait": true,
                "timeout": "2m", "targetNamespace": place.namespace, "dependsOn": depends_on,
                "sourceRef": {"kind": "GitRepository", "name": "fleet"}}})
    };
    place.apply(kustomization("connection", json!([])));
    place.apply(kustomization("people", json!([{"name": "connection"}])));
}

/// What `flux reconcile` does: fetch and apply now.
fn reconcile(place: &Place) {
    let now = format!("reconcile.fluxcd.io/requestedAt={}", unique("now"));
    place.kubectl(&["annotate", "--overwrite", "gitrepository", "fleet", &now]);
    place.kubectl(&["annotate", "--overwrite", "kustomization", "--all", &now]);
}

fn ready(place: &Place, name: &str) -> Value {
    let object = place.kubectl(&["get", "kustomization", name, "-o", "json"]);
    condition(&serde_json::from_str(&object).expect("JSON"), "Ready")
}

/// Until Ready of a Kustomization has this reason, of the newest commit where it is True.
async fn becomes(place: &Place, name: &str, reason: &str) -> Value {
    eventually(PATIENCE, &format!("{name} is {reason}"), async || {
        let now = ready(place, name);
        if now["reason"] == reason { Ok(now) } else { Err(now) }
    })
    .await
}

fn people(many: usize) -> Vec<String> {
    (0..many).map(|n| format!("person{n}")).collect()
}

#[tokio::test]
#[ignore = "`make gitops-test`, which builds Flux's controllers"]
async fn a_fleet_is_provisioned_and_a_reverted_mass_deletion_costs_nobody_their_access() {
    operator().await;
    let place = Place::without_operator().await;
    let git = Git::served().await;
    let everybody = people(12);
    git.write("connection/connection.yaml", &place.connection(json!({})));
    for name in &everybody {
        git.write(&format!("people/{name}.yaml"), &user(name, json!({})));
    }
    git.commit("A connection and its people");
    let _flux = flux(place.cluster);
    declare(&place, &git);

    // dependsOn: as long as the connection isn't healthy, nobody is applied.
    becomes(&place, "people", "DependencyNotReady").await;
    eventually(PATIENCE, "the connection is applied", async || {
        let found = place.cluster.kubectl(&["get", "scimconnection", "jackson", "-n", &place.namespace]);
        found.status.success().then_some(())
    })
    .await;
    place.connection_is("SecretNotFound").await;
    assert!(place.users().await.is_empty(), "applied before the connection");
    // Keys don't lie in Git.
    place.secret(&place.directory.token);
    becomes(&place, "connection", "ReconciliationSucceeded").await;

    // wait: done is when everybody has an account.
    becomes(&place, "people", "ReconciliationSucceeded").await;
    let mut ids = Vec::new();
    for name in &everybody {
        let object = place.get(name).await.expect("applied");
        assert_eq!(condition(&object, "Ready")["reason"], "Synced", "{name}");
        ids.push(object["status"]["id"].as_str().expect("an account").to_owned());
    }

    an_error_shows_in_flux(&place, &git).await;

    let writes = place.directory.writes().await;
    for name in &everybody[1..] {
        git.delete(&format!("people/{name}.yaml"));
    }
    git.commit("Somebody's mistake");
    reconcile(&place);
    let hold = place.hold_id().await;
    assert_eq!(place.get_connection().await["status"]["holds"][0]["deactivations"], 11);
    git.run(&["revert", "--no-edit", "HEAD"]);
    reconcile(&place);
    place.answer("rejectedHold", &hold);
    for (name, id) in everybody.iter().zip(&ids) {
        eventually(PATIENCE, &format!("{name} is back"), async || {
            let object = place.get(name).await.unwrap_or_default();
            let back = object["metadata"]["deletionTimestamp"].is_null() && object["status"]["id"] == **id;
            if back && condition(&object, "Ready")["reason"] == "Synced" { Ok(()) } else { Err(object) }
        })
        .await;
        assert_eq!(place.account(id).await.expect("the account")["active"], true, "{name}");
    }
    becomes(&place, "people", "ReconciliationSucceeded").await;
    assert_eq!(place.directory.writes().await, writes, "an account was touched");
}

/// Health checks: who can't be provisioned fails the Kustomization, with a name; corrected, it is done.
async fn an_error_shows_in_flux(place: &Place, git: &Git) {
    git.write("people/twin.yaml", &user("twin", json!({"userName": "person0@example.com"})));
    git.commit("A second object for the same person");
    reconcile(place);
    let failed = becomes(place, "people", "HealthCheckFailed").await;
    let message = failed["message"].as_str().unwrap();
    assert!(message.contains("twin") && message.contains("Failed"), "{message}");
    git.run(&["revert", "--no-edit", "HEAD"]);
    reconcile(place);
    place.is_gone("twin").await;
    becomes(place, "people", "ReconciliationSucceeded").await;
}
