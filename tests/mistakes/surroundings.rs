//! What the operator, or the command line, finds around it: the clock, the environment, CRDs of other versions, a kubeconfig.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::apart::Apart;
use crate::elsewhere::held;
use crate::kit::PATIENCE;
use crate::support::{Front, eventually, repository, scratch};
use crate::table::told;

/// A library that sets the clock of a process forward.
fn clock_ahead(seconds: i64) -> PathBuf {
    let (source, library) = (scratch().join("ahead.c"), scratch().join("ahead.so"));
    let text = format!(
        "#define _GNU_SOURCE\n#include <sys/syscall.h>\n#include <time.h>\n#include <unistd.h>\n\
         int clock_gettime(clockid_t id, struct timespec *at) {{\n\
         long done = syscall(SYS_clock_gettime, id, at);\n\
         if (done == 0 && id == CLOCK_REALTIME) at->tv_sec += {seconds};\n\
         return (int)done;\n}}\n"
    );
    std::fs::write(&source, text).expect("a file");
    let made = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status();
    assert!(made.expect("cc").success());
    library
}

pub async fn the_clock_is_wrong(apart: &mut Apart) {
    let library = clock_ahead(7200).to_string_lossy().into_owned();
    // By a clock that is right it ends in an hour.
    let ends = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    apart
        .place
        .user("gil", json!({"active": null, "access": {"notAfter": ends.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()}}));
    apart.place.synced("gil").await;
    apart.restart(apart.builder.clone().env("LD_PRELOAD", &library));
    told("wrong-clock", &apart.place.connection_tells("ClockSkew").await);
    apart.place.user("hal", json!({}));
    apart.place.synced("hal").await;
    let account = held(&apart.sandbox, "gil@example.com").await[0]["resource"].clone();
    assert_eq!(account["active"], true, "nobody loses access by a wrong clock: {account}");
    apart.restart(apart.builder.clone());
    apart.place.connection_tells("Connected").await;
}

pub async fn the_proxy_of_the_environment_is_in_the_way(apart: &mut Apart) {
    let front = Front::before(&apart.sandbox.base_url, &apart.sandbox.token);
    let (certificate, key) = apart.cluster.certificate();
    let front = front.tls(&certificate, &key).open();
    let authority = std::fs::read_to_string(&certificate).expect("the certificate");
    apart.place.apply(
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ca"}, "data": {"ca.crt": authority}}),
    );
    // NO_PROXY excepts the API server, by its address, and not the front, by its name.
    let by = [("HTTPS_PROXY", "http://svc:hunter22@127.0.0.1:1"), ("NO_PROXY", "127.0.0.1")];
    let mut builder = apart.builder.clone();
    for (name, value) in by {
        builder = builder.env(name, value);
    }
    apart.restart(builder);
    let tls = json!({"caBundle": {"configMapKeyRef": {"name": "ca", "key": "ca.crt"}}, "serverName": "kubernetes.default.svc"});
    let url = front.base_url.replace("127.0.0.1", "localhost");
    let mut proxied = apart.place.generic(&url, json!({"tls": tls}));
    proxied["metadata"]["name"] = json!("proxied");
    apart.place.apply(proxied);
    let said = apart.place.tells("scimconnection/proxied", "Unreachable").await;
    told("environment-proxy", &said);
    assert!(!said.contains("hunter22"), "{said}");
    // Without it the very same connection is good.
    apart.restart(apart.builder.clone());
    apart.place.tells("scimconnection/proxied", "Connected").await;
    apart.place.kubectl(&["delete", "scimconnection", "proxied", "--timeout=60s"]);
}

pub async fn crds_of_another_version(apart: &mut Apart) {
    apart.operator.terminate();
    let path = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/lastHandledReconcileAt";
    let patch = json!([{"op": "remove", "path": path}]).to_string();
    apart.cluster.kubectl_ok(&["patch", "crd", "scimconnections.scim-operator.dev", "--type=json", "-p", &patch]);
    // What is served follows a moment later.
    eventually(PATIENCE, "the older CRD is served", async || {
        let served = apart.cluster.kubectl_ok(&["get", "--raw", "/openapi/v3/apis/scim-operator.dev/v1alpha1"]);
        let served: Value = serde_json::from_str(&served).expect("JSON");
        let schema = &served["components"]["schemas"]["dev.scim-operator.v1alpha1.ScimConnection"];
        if schema["properties"]["status"]["properties"]["lastHandledReconcileAt"].is_null() { Ok(()) } else { Err(()) }
    })
    .await;
    apart.operator = apart.builder.clone().start();
    told("crds-of-another-version", &apart.logs(&["waiting for the CRDs"]).await);
    apart.place.user("ivy", json!({}));
    let crds = repository().join("crds");
    apart.cluster.kubectl_ok(&["apply", "--server-side", "--force-conflicts", "-f", crds.to_str().expect("a path")]);
    apart.place.synced("ivy").await;
    apart.is_there_once("ivy").await;
}

pub async fn newer_crds(apart: &mut Apart) {
    apart.operator.terminate();
    let properties = "/spec/versions/0/schema/openAPIV3Schema/properties";
    let patch = json!([
        {"op": "add", "path": format!("{properties}/spec/properties/later"), "value": {"type": "string", "default": "x"}},
        {"op": "add", "path": format!("{properties}/status/properties/later"), "value": {"type": "string"}},
    ]);
    for kind in ["scimconnections", "scimusers"] {
        let crd = format!("{kind}.scim-operator.dev");
        apart.cluster.kubectl_ok(&["patch", "crd", &crd, "--type=json", "-p", &patch.to_string()]);
    }
    apart.operator = apart.builder.clone().start();
    apart.place.user("jan", json!({}));
    apart.place.synced("jan").await;
    told("crds-newer", &apart.place.connection_tells("Connected").await);
    apart.is_there_once("jan").await;
}

/// A kubeconfig whose user logs in by a program.
#[test]
fn a_kubeconfig_that_leads_nowhere() {
    let text = "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\n\
        clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]\nusers: [{name: u, user: {exec: {\
        apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: no-such-login}}}]\n";
    let file = scratch().join("no-such-login.kubeconfig");
    std::fs::write(&file, text).expect("a file");
    for (name, kubeconfig, options) in [
        ("kubeconfig-plugin", Some(&file), &[][..]),
        ("kubeconfig-context", Some(&file), &["--context", "other"]),
        ("kubeconfig-missing", None, &["--kubeconfig", "/there/is/none"]),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-scim"));
        command.args(options).args(["get", "users"]).env_remove("KUBECONFIG");
        kubeconfig.map(|file| command.env("KUBECONFIG", file));
        let output = command.output().expect("kubectl-scim");
        assert!(!output.status.success());
        told(name, &String::from_utf8_lossy(&output.stderr));
    }
}
