//! docs/ci.md: each workflow is valid, and its rights suffice for what it runs.

use std::process::Command;

use serde_json::{Value, json};

use crate::kit::{PATIENCE, Place};
use crate::planning::user;
use crate::support::{ControlPlane, Sandbox, eventually, part, repository, scratch, unique};
use crate::{operator, program, stderr};

/// The block of docs/ci.md that begins with this name.
pub fn block(name: &str) -> String {
    let page = std::fs::read_to_string(repository().join("docs/ci.md")).expect("docs/ci.md");
    let begin = format!("```yaml\n# {name}\n");
    let rest = page.split(&begin).nth(1).unwrap_or_else(|| panic!("docs/ci.md has no {name}"));
    rest.split("```").next().expect("its end").to_owned()
}

/// What the hook of the page runs before a sync of these files.
pub fn hook(namespace: &str, files: &str, server: &str) -> Command {
    let objects: Vec<Value> = serde_saphyr::from_multiple(&block("presync-plan.yaml")).expect("manifests");
    let job = objects.iter().find(|object| object["kind"] == "Job").expect("a Job");
    let words = job["spec"]["template"]["spec"]["containers"][0]["command"].as_array().expect("a command");
    let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
    let script = words[2].replace("-n identity", &format!("-n {namespace} --allow-loopback-http"));
    assert!(script.contains("-f /people "), "{script}");
    let script = script.replace("/people", files).replace("https://scim.example.com", server);
    assert!(script.contains(server), "{script}");
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_kubectl-scim")).parent().expect("a directory");
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(words[0]);
    command.args([words[1], &script]).env("PATH", format!("{}:{path}", bin.display()));
    command
}

#[test]
fn the_workflows_of_the_page_are_valid() {
    let file = scratch().join(format!("{}.yaml", unique("workflow")));
    let both = [".github/workflows/people.yaml", ".github/workflows/plan.yaml"];
    for name in both {
        lint(&file, name);
    }
    for name in [".gitlab-ci.yml", ".gitlab-ci.yml of the plan"] {
        let told = of_gitlab(&file, &block(name));
        assert!(told.is_empty(), "{name}: {told}");
    }
    // It finds what is wrong.
    let typo = block(".gitlab-ci.yml of the plan").replace("allow_failure", "alow_failure");
    let told = of_gitlab(&file, &typo);
    assert!(told.contains("alow_failure"), "{told}");
    let read: Vec<Value> = serde_saphyr::from_multiple(&block("kustomization.yaml")).expect("YAML");
    assert!(!read.is_empty());
}

/// What GitLab's own schema says against a pipeline.
fn of_gitlab(file: &std::path::Path, text: &str) -> String {
    std::fs::write(file, text).expect("a file");
    let mut command = Command::new(part("bin/check-jsonschema"));
    command.args(["--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci", "--color", "never"]);
    let checked = command.arg(file).output().expect("check-jsonschema");
    if checked.status.success() { String::new() } else { String::from_utf8_lossy(&checked.stdout).into_owned() }
}

fn lint(file: &std::path::Path, name: &str) {
    std::fs::write(file, block(name)).expect("a file");
    let lint = Command::new(part("bin/actionlint")).args(["-shellcheck=", "-pyflakes="]).arg(file).output();
    let lint = lint.expect("actionlint");
    assert!(lint.status.success(), "{}", String::from_utf8_lossy(&lint.stdout));
}

#[tokio::test]
async fn i27_the_rights_of_the_page_suffice_and_no_more_is_asked_for() {
    let place = Place::without_operator().await;
    place.cluster.install_crds().await;
    let namespace = place.namespace.as_str();
    let here = |name: &str| block(name).replace("namespace: identity", &format!("namespace: {namespace}"));
    for name in ["role.yaml", "status.yaml", "plan.yaml", "presync.yaml", "presync-plan.yaml"] {
        let file = scratch().join(format!("{}.yaml", unique("rights")));
        std::fs::write(&file, here(name)).expect("a file");
        let verb = if name.starts_with("presync") { &["create", "--dry-run=server"][..] } else { &["apply"] };
        place.kubectl(&[verb, &["-f", &file.to_string_lossy()]].concat());
    }
    let preview = place.cluster.kubeconfig_for_service_account(namespace, "preview");
    place.kubectl(&[
        "create",
        "rolebinding",
        "preview",
        "--role=scim-preview",
        &format!("--serviceaccount={namespace}:preview"),
    ]);
    let roster = scratch().join(format!("{}.json", unique("roster")));
    let object = json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimRoster", "metadata": {"name": "people"},
        "spec": {"connectionRef": {"name": "jackson"}, "source": {"configMaps": {"namePrefix": "people"}},
            "mappings": [{"target": "userName", "value": "row.mail"}]},
    });
    std::fs::write(&roster, object.to_string()).expect("a file");
    // A namespace without anything is none that is well.
    let mut suspended = object.clone();
    suspended["spec"]["suspend"] = json!(true);
    place.apply(suspended);
    place.apply(json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"people.csv": "mail\nada@example.com\n"},
        "metadata": {"name": "people", "labels": {"scim-operator.dev/roster-source": "true"}}}));
    let status = place.cluster.kubeconfig_for_service_account(namespace, "scim-status");
    let roster = roster.to_string_lossy();
    for (kubeconfig, args) in
        [(&preview, &["roster", "preview", "-f", &roster, "--against"][..]), (&status, &["status"])]
    {
        let output = program(kubeconfig).args(["-n", namespace]).args(args).output().expect("kubectl-scim");
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", stderr(&output));
    }
    let output = program(&status).args(["-n", namespace, "roster", "preview", "-f", &roster, "--against"]).output();
    let told = stderr(&output.expect("kubectl-scim"));
    assert!(told.contains("ask for a Role"), "{told}");
}

/// Without one of the rights, objects of a cluster connection look refused: the page names them all.
#[tokio::test]
async fn i27_the_rights_of_the_page_suffice_for_a_cluster_connection() {
    let sandbox = Sandbox::start();
    let place = Place::without_operator().await;
    place.cluster.install_crds().await;
    let (namespace, name) = (place.namespace.as_str(), unique("plan"));
    let mut objects: Vec<Value> = serde_saphyr::from_multiple(&block("plan-cluster.yaml")).expect("manifests");
    // Other tests share the cluster.
    for object in &mut objects {
        object["metadata"]["name"] = json!(name);
    }
    objects[1]["roleRef"]["name"] = json!(name);
    objects[1]["subjects"][0]["namespace"] = json!(namespace);
    objects.extend(serde_saphyr::from_multiple::<Value>(&block("plan.yaml")).expect("manifests").into_iter().map(
        |mut role| {
            role["metadata"]["namespace"] = json!(namespace);
            role
        },
    ));
    let labels = json!({"kubernetes.io/metadata.name": namespace});
    let delegation =
        json!([{"namespaceSelector": {"matchLabels": labels}, "userNames": ["*@example.com"], "groups": ["*"]}]);
    let secret = json!({"name": "key", "key": "token"});
    objects.push(json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ClusterScimConnection", "metadata": {"name": name},
        "spec": {"baseUrl": sandbox.base_url, "auth": {"bearerToken": {"secretKeyRef": secret}}, "delegation": delegation},
    }));
    for object in &objects {
        place.cluster.apply("", &object.to_string());
    }
    let mut ada = user("ada", "Engineer");
    ada["spec"]["connectionRef"] = json!({"kind": "ClusterScimConnection", "name": name});
    place.apply(ada);
    let kubeconfig = place.cluster.kubeconfig_for_service_account(namespace, "scim-plan");
    let binding = ["create", "rolebinding", "scim-plan", "--role=scim-plan"];
    place.kubectl(&[&binding[..], &[&format!("--serviceaccount={namespace}:scim-plan")]].concat());
    let target = format!("cluster/{name}");
    // Rights take effect a moment after they are written.
    let planned = async |part: &str| {
        let mut command = program(&kubeconfig);
        command.args(["-n", namespace, "plan", &target, "--allow-loopback-http"]).env("SCIM_KEY", &sandbox.token);
        let output =
            tokio::task::spawn_blocking(move || command.output().expect("kubectl-scim")).await.expect("it ran");
        let text = format!("{:?} {}{}", output.status.code(), crate::printed(&output), stderr(&output));
        if text.contains(part) { Ok(text) } else { Err(text) }
    };
    let whole = eventually(PATIENCE, "the rights suffice", async || planned("1 to create").await).await;
    // Each right is needed: without one of them, less is seen.
    let parts = ["Some(1)", "may not be listed", "labels of namespaces can't be read"];
    for (rule, part) in parts.into_iter().enumerate() {
        let mut role = objects[0].clone();
        role["rules"].as_array_mut().expect("rules").remove(rule);
        place.cluster.apply("", &role.to_string());
        eventually(PATIENCE, "it is missed", async || planned(part).await).await;
    }
    for kind in ["clusterscimconnection", "clusterrole", "clusterrolebinding"] {
        place.cluster.kubectl_ok(&["delete", kind, &name, "--wait=false"]);
    }
    assert!(parts.iter().all(|part| !whole.contains(part)) && whole.starts_with("Some(2)"), "{whole}");
}

/// What `kubectl kustomize` makes of a folder with these files.
async fn kustomized(files: &[(&str, String)]) -> String {
    let directory = scratch().join(unique("kustomize"));
    std::fs::create_dir_all(&directory).expect("a directory");
    for (name, text) in files {
        std::fs::write(directory.join(name), text).expect("a file");
    }
    ControlPlane::shared().await.kubectl_ok(&["kustomize", &directory.to_string_lossy()])
}

/// Flux runs no Job again that has ended; one that is gone it makes anew.
#[tokio::test]
async fn a_check_before_a_sync_with_flux_is_made_anew() {
    for (page, job) in [("flux.yaml", "presync.yaml"), ("flux-plan.yaml", "presync-plan.yaml")] {
        let of_flux: Vec<Value> = serde_saphyr::from_multiple(&block(page)).expect("manifests");
        let patches = &of_flux[0]["spec"]["patches"];
        let kustomization = json!({"resources": ["job.yaml"], "patches": patches}).to_string();
        let made = kustomized(&[("kustomization.yaml", kustomization), ("job.yaml", block(job))]).await;
        assert!(made.contains("ttlSecondsAfterFinished: 60") && made.contains("\n  name: scim-"), "{page}: {made}");
    }
}

/// docs/gitops.md: a connection names the Secret by its hashed name.
#[tokio::test]
async fn a_secret_that_kustomize_generates_is_named_in_the_connection() {
    let page = std::fs::read_to_string(repository().join("docs/gitops.md")).expect("docs/gitops.md");
    let block = |name: &str| {
        let rest = page.split(&format!("```yaml\n# {name}\n")).nth(1).unwrap_or_else(|| panic!("{name} is not there"));
        rest.split("```").next().expect("its end").to_owned()
    };
    let connection = json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimConnection", "metadata": {"name": "datadog"},
        "spec": {"baseUrl": "https://scim.example.com",
            "auth": {"bearerToken": {"secretKeyRef": {"name": "datadog-scim", "key": "token"}}}},
    });
    let files = [
        ("kustomization.yaml", block("kustomization.yaml")),
        ("names.yaml", block("names.yaml")),
        ("connection.yaml", connection.to_string()),
        ("token", "no-key".to_owned()),
    ];
    let made: Vec<Value> = serde_saphyr::from_multiple(&kustomized(&files).await).expect("manifests");
    let of = |kind: &str| made.iter().find(|object| object["kind"] == kind).expect(kind);
    let name = &of("Secret")["metadata"]["name"];
    assert!(name.as_str().is_some_and(|name| name.starts_with("datadog-scim-")), "{name}");
    assert_eq!(&of("ScimConnection")["spec"]["auth"]["bearerToken"]["secretKeyRef"]["name"], name);
    assert_eq!(of("Secret")["metadata"]["labels"], json!({"scim-operator.dev/credentials": "true"}));
}

/// Without that, the connection names the Secret that it may be.
#[tokio::test]
async fn a_secret_under_a_name_with_a_hash_is_named_where_the_connection_finds_none() {
    operator().await;
    let place = Place::without_operator().await;
    for name in ["key-7h2k9mf4dt", "key-for-others"] {
        place.apply(json!({"apiVersion": "v1", "kind": "Secret", "stringData": {"token": "x"},
            "metadata": {"name": name, "labels": {"scim-operator.dev/credentials": "true"}}}));
    }
    place.apply(place.connection(json!({})));
    let message = place.connection_is("SecretNotFound").await;
    let hint =
        "There is key-7h2k9mf4dt: where Kustomize generates the Secret set generatorOptions.disableNameSuffixHash";
    assert!(message.contains(hint), "{message}");
}

/// By Flux's own kinds: a field that they don't have is refused.
#[tokio::test]
async fn what_the_page_says_for_flux_is_taken_by_its_kinds() {
    let place = Place::without_operator().await;
    let kinds = part("flux-kinds/kustomize-controller").canonicalize().expect("a directory");
    place.kubectl(&["apply", "--server-side", "-f", &kinds.to_string_lossy()]);
    let kind = "crd/kustomizations.kustomize.toolkit.fluxcd.io";
    place.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", kind]);
    for name in ["flux.yaml", "flux-plan.yaml"] {
        let text = block(name).replace("namespace: flux-system", &format!("namespace: {}", place.namespace));
        let file = scratch().join(format!("{}.yaml", unique("flux")));
        std::fs::write(&file, &text).expect("a file");
        let taken = place.kubectl(&["create", "--dry-run=server", "--validate=strict", "-f", &file.to_string_lossy()]);
        assert_eq!(taken.lines().count(), 2, "{taken}");
    }
}
