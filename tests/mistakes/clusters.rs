//! What is wrong with the cluster: rights, admission, clocks, CRDs, a full etcd. Each in a cluster of the test's own, since
//! it concerns every operator there.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::elsewhere::held;
use crate::kit::{PATIENCE, Place, condition, install_in, user};
use crate::support::{ControlPlane, Front, Operator, OperatorBuilder, Sandbox, eventually, http, repository, scratch};
use crate::table::told;

/// A cluster with an operator, and a connection in use.
pub struct Apart {
    pub cluster: &'static ControlPlane,
    pub builder: OperatorBuilder,
    pub operator: Operator,
    /// The operator's.
    pub namespace: String,
    pub sandbox: Sandbox,
    pub place: Place,
}

impl Apart {
    pub async fn new(name: &str, etcd: &[&str]) -> Apart {
        let cluster = ControlPlane::another(name, etcd).await;
        let (namespace, builder) = install_in(cluster, &[]).await;
        let (operator, sandbox) = (builder.clone().start(), Sandbox::start());
        let place = Place::within(cluster).await;
        place.secret(&sandbox.token);
        place.apply(place.generic(&sandbox.base_url, json!({})));
        place.connection_is("Connected").await;
        Apart { cluster, builder, operator, namespace, sandbox, place }
    }

    /// The operator ends, and another begins.
    pub fn restart(&mut self, builder: OperatorBuilder) {
        self.operator.terminate();
        self.operator = builder.start();
    }

    /// The operator's log has a line with all of these; the line from the first of them on.
    pub async fn logs(&self, words: &[&str]) -> String {
        eventually(PATIENCE, &format!("the log has {words:?}"), async || {
            let log = self.operator.log();
            let line = log.lines().find(|line| words.iter().all(|word| line.contains(word)));
            let line = line.ok_or_else(|| log.clone())?;
            Ok::<_, String>(line[line.find(words[0]).unwrap_or_default()..].to_owned())
        })
        .await
    }

    /// Without its Lease the operator ends; a kubelet starts it again.
    pub async fn has_ended(&self) {
        eventually(PATIENCE, "the operator has ended", async || {
            self.operator.process().ended().map(drop).ok_or_else(|| self.operator.log())
        })
        .await;
    }

    /// The operator's cluster roles, as they are.
    fn roles(&self) -> Vec<Value> {
        let get = |args: &[&str]| -> Value { serde_json::from_str(&self.cluster.kubectl_ok(args)).expect("JSON") };
        let bindings = get(&["get", "clusterrolebindings", "-o", "json"]);
        let ours = bindings["items"].as_array().into_iter().flatten().filter(|binding| {
            let subjects = binding["subjects"].as_array();
            subjects.into_iter().flatten().any(|subject| subject["namespace"] == self.namespace.as_str())
        });
        let names = ours.filter_map(|binding| binding["roleRef"]["name"].as_str());
        names.map(|name| get(&["get", "clusterrole", name, "-o", "json"])).collect()
    }

    /// Takes these verbs on a resource away. What is returned gives them back.
    pub fn without(&self, resource: &str, verbs: &[&str]) -> Vec<Value> {
        let before = self.roles();
        for mut role in before.clone() {
            role["metadata"] = json!({"name": role["metadata"]["name"]});
            let mut rules = Vec::new();
            for rule in role["rules"].as_array().into_iter().flatten() {
                let mut rest = rule.clone();
                let named = |rule: &mut Value, keep: &dyn Fn(&str) -> bool, field: &str| {
                    let list = rule[field].as_array_mut().expect("a list");
                    list.retain(|entry| keep(entry.as_str().unwrap_or_default()));
                    !list.is_empty()
                };
                if named(&mut rest, &|name| name != resource, "resources") {
                    rules.push(rest);
                }
                let mut own = rule.clone();
                if named(&mut own, &|name| name == resource, "resources")
                    && named(&mut own, &|verb| !verbs.contains(&verb), "verbs")
                {
                    rules.push(own);
                }
            }
            role["rules"] = json!(rules);
            self.cluster.apply("", &role.to_string());
        }
        before
    }

    pub fn give_back(&self, roles: Vec<Value>) {
        for mut role in roles {
            role["metadata"] = json!({"name": role["metadata"]["name"]});
            self.cluster.apply("", &role.to_string());
        }
    }

    /// There is one account of this name.
    pub async fn is_there_once(&self, name: &str) {
        let found = held(&self.sandbox, &format!("{name}@example.com")).await;
        assert_eq!(found.len(), 1, "{found:?}");
    }
}

#[tokio::test]
async fn i27_i28_rights_and_policies_that_are_in_the_way_cost_nobody_anything() {
    let mut apart = Apart::new("apart", &[]).await;
    status_can_not_be_written(&apart).await;
    finalizers_can_not_be_written(&apart).await;
    secrets_can_not_be_read(&apart).await;
    nothing_can_be_listed(&mut apart).await;
    sources_can_not_be_read(&apart).await;
    a_policy_refuses_finalizers(&apart).await;
    a_policy_takes_finalizers_off(&apart).await;
    a_policy_takes_labels_off(&apart).await;
    the_clock_is_wrong(&mut apart).await;
    the_proxy_of_the_environment_is_in_the_way(&mut apart).await;
    crds_of_another_version(&mut apart).await;
    newer_crds(&mut apart).await;
}

async fn status_can_not_be_written(apart: &Apart) {
    let roles = apart.without("scimusers/status", &["patch"]);
    apart.place.user("ada", json!({}));
    let refused = eventually(PATIENCE, "the connection says so", async || {
        let said = apart.place.connection_tells("Connected").await;
        if said.contains("refuses writes") { Ok(said) } else { Err(said) }
    })
    .await;
    told("right-to-status", &refused);
    assert_eq!(apart.place.events("WritesRefused").len(), 1);
    apart.give_back(roles);
    apart.place.synced("ada").await;
    apart.is_there_once("ada").await;
}

async fn finalizers_can_not_be_written(apart: &Apart) {
    let roles = apart.without("scimusers", &["patch", "update"]);
    apart.place.user("bob", json!({}));
    told("right-to-finalizers", &apart.place.tells("scimuser/bob", "WriteRefused").await);
    assert!(held(&apart.sandbox, "bob@example.com").await.is_empty(), "nothing is sent before");
    apart.give_back(roles);
    apart.place.annotate("bob", "reconcile-requested-at=now");
    apart.place.synced("bob").await;
    apart.is_there_once("bob").await;
}

async fn secrets_can_not_be_read(apart: &Apart) {
    let roles = apart.without("secrets", &["get"]);
    let mut other = apart.place.generic(&apart.sandbox.base_url, json!({}));
    other["metadata"]["name"] = json!("other");
    apart.place.apply(other);
    told("right-to-secrets", &apart.place.tells("scimconnection/other", "SecretNotFound").await);
    // What works goes on.
    apart.place.user("ada", json!({"title": "Officer"}));
    apart.place.synced("ada").await;
    apart.give_back(roles);
    apart.place.tells("scimconnection/other", "Connected").await;
}

/// Each kind is told by its name, and nothing begins meanwhile.
async fn nothing_can_be_listed(apart: &mut Apart) {
    let watches = [
        ("scimusers", "watch of ScimUsers"),
        ("scimgroups", "watch of ScimGroups"),
        ("scimconnections", "watch of ScimConnections"),
        ("clusterscimconnections", "watch of ClusterScimConnections"),
        ("scimrosters", "watch of ScimRosters"),
        ("secrets", "watch of Secrets"),
        ("configmaps", "watch of roster sources"),
        ("namespaces", "watch of Namespaces"),
    ];
    let mut before: Vec<Vec<Value>> = watches.iter().map(|(resource, _)| apart.without(resource, &["list"])).collect();
    apart.restart(apart.builder.clone());
    told("right-to-list", &apart.logs(&["watch of ScimUsers", "forbidden"]).await);
    for (resource, watch) in watches {
        let missing = format!("cannot list resource \"{resource}\"");
        apart.logs(&[watch, &missing, "ask for a Role with that verb"]).await;
    }
    apart.place.user("cyd", json!({}));
    // As the roles were at first.
    apart.give_back(before.swap_remove(0));
    apart.place.synced("cyd").await;
    apart.is_there_once("cyd").await;
}

/// And generated users can't be deleted.
async fn sources_can_not_be_read(apart: &Apart) {
    let table = |people: &str| {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "data": {"people.csv": format!("mail\n{people}\n")},
            "metadata": {"name": "staff", "labels": {"scim-operator.dev/roster-source": "true"}},
        })
    };
    let roles = apart.without("configmaps", &["get"]);
    apart.place.apply(table("kim@example.com\nlou@example.com"));
    apart.place.apply(json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimRoster", "metadata": {"name": "staff"},
        "spec": {
            "connectionRef": {"name": "jackson"}, "source": {"configMaps": {"names": ["staff"]}},
            "mappings": [{"target": "userName", "value": "row.mail"}, {"target": "active", "value": "true"}],
        },
    }));
    told("right-to-sources", &apart.place.tells("scimroster/staff", "SourceUnavailable").await);
    apart.give_back(roles);
    apart.place.tells("scimroster/staff", "Generated").await;
    apart.is_there_once("lou").await;

    let roles = apart.without("scimusers", &["delete"]);
    apart.place.apply(table("kim@example.com"));
    told("right-to-delete", &apart.place.tells("scimroster/staff", "WriteFailed").await);
    apart.give_back(roles);
    apart.place.tells("scimroster/staff", "Generated").await;
    eventually(PATIENCE, "lou is inactive", async || {
        let account = held(&apart.sandbox, "lou@example.com").await[0]["resource"]["active"].clone();
        if account == false { Ok(()) } else { Err(account) }
    })
    .await;
}

/// An admission policy for ScimUsers of the place, and its binding.
async fn policy(apart: &Apart, kind: &str, mut spec: Value) -> Vec<Value> {
    let version = "admissionregistration.k8s.io/v1";
    spec["matchConstraints"] = json!({"resourceRules": [{
        "apiGroups": ["scim-operator.dev"], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"], "resources": ["scimusers"],
    }]});
    let policy = json!({"apiVersion": version, "kind": kind, "metadata": {"name": "house-rules"}, "spec": spec});
    let mut bound = json!({"policyName": "house-rules"});
    if kind == "ValidatingAdmissionPolicy" {
        bound["validationActions"] = json!(["Deny"]);
    }
    let binding = json!({
        "apiVersion": version, "kind": format!("{kind}Binding"), "metadata": {"name": "house-rules"}, "spec": bound,
    });
    apart.cluster.apply("", &policy.to_string());
    apart.cluster.apply("", &binding.to_string());
    // A policy is in force a moment after it is there.
    let probe = "policy-probe";
    eventually(PATIENCE, "the policy is in force", async || {
        let mut probed = user(probe, json!({"suspend": true, "connectionRef": {"name": "nobody"}}));
        probed["metadata"]["finalizers"] = json!(["scim-operator.dev/deprovision"]);
        probed["metadata"]["labels"] = json!({"scim-operator.dev/roster": "probe"});
        let tried = apart.cluster.try_apply(&apart.place.namespace, &probed.to_string());
        let metadata = apart.place.get(probe).await.map(|found| found["metadata"].clone());
        let clear = json!({"metadata": {"finalizers": null}}).to_string();
        if metadata.is_some() {
            apart.place.kubectl(&["patch", "scimuser", probe, "--type=merge", "-p", &clear]);
            apart.place.kubectl(&["delete", "scimuser", probe, "--timeout=60s"]);
        }
        let whole = metadata.as_ref().is_some_and(|metadata| {
            metadata["finalizers"].is_array() && metadata["labels"]["scim-operator.dev/roster"] == "probe"
        });
        if tried.status.success() && whole { Err(metadata) } else { Ok(()) }
    })
    .await;
    vec![binding, policy]
}

async fn without_policy(apart: &Apart, objects: Vec<Value>) {
    for object in objects {
        let kind = object["kind"].as_str().expect("a kind").to_lowercase();
        apart.cluster.kubectl_ok(&["delete", &kind, "house-rules"]);
    }
    // And out of force a moment after it is gone.
    eventually(PATIENCE, "the policy is out of force", async || {
        let mut probed = user("policy-probe", json!({"suspend": true, "connectionRef": {"name": "nobody"}}));
        probed["metadata"]["finalizers"] = json!(["scim-operator.dev/deprovision"]);
        probed["metadata"]["labels"] = json!({"scim-operator.dev/roster": "probe"});
        let taken = apart.cluster.try_apply(&apart.place.namespace, &probed.to_string()).status.success();
        let Some(found) = apart.place.get("policy-probe").await else { return Err(taken) };
        let metadata = &found["metadata"];
        let whole = metadata["finalizers"].is_array() && metadata["labels"]["scim-operator.dev/roster"] == "probe";
        let clear = json!({"metadata": {"finalizers": null}}).to_string();
        apart.place.kubectl(&["patch", "scimuser", "policy-probe", "--type=merge", "-p", &clear]);
        apart.place.kubectl(&["delete", "scimuser", "policy-probe", "--timeout=60s"]);
        if whole { Ok(()) } else { Err(taken) }
    })
    .await;
}

async fn a_policy_refuses_finalizers(apart: &Apart) {
    let rule = json!({
        "expression": "!has(object.metadata.finalizers) || size(object.metadata.finalizers) == 0",
        "message": "no finalizers in this house",
    });
    let objects = policy(apart, "ValidatingAdmissionPolicy", json!({"validations": [rule]})).await;
    apart.place.user("dan", json!({}));
    told("policy-refuses", &apart.place.tells("scimuser/dan", "WriteRefused").await);
    assert!(held(&apart.sandbox, "dan@example.com").await.is_empty());
    without_policy(apart, objects).await;
    apart.place.annotate("dan", "reconcile-requested-at=now");
    apart.place.synced("dan").await;
    apart.is_there_once("dan").await;
}

/// Takes a field out of each ScimUser as it is written.
fn takes_off(condition: &str, path: &str) -> Value {
    let expression = format!("[JSONPatch{{op: \"remove\", path: \"{path}\"}}]");
    json!({
        "failurePolicy": "Fail", "reinvocationPolicy": "Never",
        "matchConditions": [{"name": "has-it", "expression": condition}],
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}],
    })
}

async fn a_policy_takes_finalizers_off(apart: &Apart) {
    let spec =
        takes_off("has(object.metadata.finalizers) && size(object.metadata.finalizers) > 0", "/metadata/finalizers");
    let objects = policy(apart, "MutatingAdmissionPolicy", spec).await;
    apart.place.user("eve", json!({}));
    told("policy-takes-finalizers-off", &apart.place.tells("scimuser/eve", "WriteRefused").await);
    assert!(held(&apart.sandbox, "eve@example.com").await.is_empty());
    without_policy(apart, objects).await;
    apart.place.annotate("eve", "reconcile-requested-at=now");
    apart.place.synced("eve").await;
    apart.is_there_once("eve").await;
}

async fn a_policy_takes_labels_off(apart: &Apart) {
    const LABEL: &str = "scim-operator.dev/roster";
    let spec = takes_off(
        &format!("has(object.metadata.labels) && '{LABEL}' in object.metadata.labels"),
        "/metadata/labels/scim-operator.dev~1roster",
    );
    let objects = policy(apart, "MutatingAdmissionPolicy", spec).await;
    apart.place.apply(json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimRoster", "metadata": {"name": "people"},
        "spec": {
            "connectionRef": {"name": "jackson"}, "source": {"inline": [{"mail": "fay@example.com"}]},
            "mappings": [{"target": "userName", "value": "row.mail"}, {"target": "active", "value": "true"}],
        },
    }));
    told("policy-takes-labels-off", &apart.place.tells("scimroster/people", "RowsRejected").await);
    without_policy(apart, objects).await;
    // As the message says, or by itself.
    let users: Vec<String> =
        apart.place.users().await.iter().map(|user| user["metadata"]["name"].to_string()).collect();
    let fay = users.iter().find(|name| name.contains("fay")).expect("fay").trim_matches('"').to_owned();
    apart.place.kubectl(&["label", "scimuser", &fay, &format!("{LABEL}=people")]);
    apart.place.tells("scimroster/people", "Generated").await;
    apart.place.synced(&fay).await;
    apart.is_there_once("fay").await;
}

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

async fn the_clock_is_wrong(apart: &mut Apart) {
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

async fn the_proxy_of_the_environment_is_in_the_way(apart: &mut Apart) {
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

async fn crds_of_another_version(apart: &mut Apart) {
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

async fn newer_crds(apart: &mut Apart) {
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

#[tokio::test]
async fn i28_a_full_etcd_stops_everything_and_loses_nothing() {
    let mut apart = Apart::new("full", &["--quota-backend-bytes=50331648"]).await;
    apart.place.user("ada", json!({}));
    apart.place.synced("ada").await;
    it_fills_while_the_operator_runs(&mut apart).await;
    apart.operator.kill9();
    apart.place.user("bob", json!({}));
    let refused = fill(&apart);
    told("etcd-full", &refused);
    apart.operator = apart.builder.clone().start();
    told("etcd-full-operator", &apart.logs(&["the Lease", "space exceeded"]).await);
    assert!(held(&apart.sandbox, "bob@example.com").await.is_empty(), "nothing is sent without the Lease");
    make_room(&apart).await;
    // Whoever gave up is started again, as a kubelet does.
    if apart.operator.process().ended().is_some() {
        apart.operator = apart.builder.clone().start();
    }
    apart.place.synced("bob").await;
    apart.place.synced("ada").await;
    for name in ["ada", "bob"] {
        apart.is_there_once(name).await;
    }
    assert_eq!(condition(&apart.place.get_connection().await, "Connected")["status"], "True");
}

/// The operator says so, and ends with its Lease; what it is asked for afterwards is done once.
async fn it_fills_while_the_operator_runs(apart: &mut Apart) {
    fill(apart);
    told("etcd-full-running", &apart.logs(&["the Lease", "could not be written", "space exceeded"]).await);
    apart.has_ended().await;
    make_room(apart).await;
    apart.operator = apart.builder.clone().start();
    apart.place.user("ada", json!({"title": "Officer"}));
    apart.place.synced("ada").await;
    let account = held(&apart.sandbox, "ada@example.com").await;
    assert_eq!((account.len(), &account[0]["resource"]["title"]), (1, &json!("Officer")), "{account:?}");
}

/// Until nothing more is taken; what is said then.
fn fill(apart: &Apart) -> String {
    for number in 0..200 {
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("filler-{number}"), "labels": {"fills": "etcd"}},
            "data": {"text": format!("{number}").repeat(900_000 / format!("{number}").len())},
        });
        let file = scratch().join("filler.json");
        std::fs::write(&file, object.to_string()).expect("a file");
        let made = apart.cluster.kubectl(&["-n", &apart.place.namespace, "create", "-f", &file.to_string_lossy()]);
        if !made.status.success() {
            return String::from_utf8_lossy(&made.stderr).into_owned();
        }
    }
    panic!("etcd takes everything");
}

/// As an administrator does it: what fills it is deleted, the history compacted, the file made smaller, the alarm ended.
async fn make_room(apart: &Apart) {
    apart.place.kubectl(&["delete", "configmap", "-l", "fills=etcd"]);
    let etcd = async |path: &str, body: Value| -> Value {
        let url = format!("{}{path}", apart.cluster.etcd_url());
        let answer =
            http().post(url).body(body.to_string()).timeout(Duration::from_secs(60)).send().await.expect("etcd");
        serde_json::from_str(&answer.text().await.expect("its answer")).expect("JSON")
    };
    let header = etcd("/v3/kv/range", json!({"key": "AA=="})).await["header"].clone();
    let (revision, member) = (&header["revision"], &header["member_id"]);
    etcd("/v3/kv/compaction", json!({"revision": revision, "physical": true})).await;
    etcd("/v3/maintenance/defragment", json!({})).await;
    etcd("/v3/maintenance/alarm", json!({"action": "DEACTIVATE", "memberID": member, "alarm": "NOSPACE"})).await;
}
