//! What Argo CD compares, by its own library: each example, and each field that the API server fills in, is in sync with
//! what the API server makes of it. A difference would be `OutOfSync` for ever.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::kit::PATIENCE;
use crate::support::{ControlPlane, eventually, objects, part, repository, scratch, unique};

/// The field manager of Argo CD's server-side apply.
const MANAGER: &str = "argocd-controller";

struct Argo {
    cluster: &'static ControlPlane,
    openapi: PathBuf,
}

impl Argo {
    async fn new() -> Argo {
        ControlPlane::shared().await.install_crds().await;
        Argo::knowing("dev.scim-operator.v1alpha1.ScimUser").await
    }

    /// When the API server describes this kind, a moment after it has it.
    async fn knowing(kind: &str) -> Argo {
        let cluster = ControlPlane::shared().await;
        let openapi = eventually(PATIENCE, kind, async || {
            let described = cluster.kubectl_ok(&["get", "--raw", "/openapi/v2"]);
            if described.contains(&format!("\"{kind}\"")) { Ok(described) } else { Err(described.len()) }
        })
        .await;
        let file = scratch().join(format!("data/{kind}.json"));
        fs::write(&file, openapi).unwrap();
        Argo { cluster, openapi: file }
    }

    /// What differs between an object as it stands in Git and as it is in the cluster, by each way to compare; nothing, in
    /// sync.
    fn differs(&self, config: &Value, live: &Value, predicted: &Value) -> BTreeMap<String, Value> {
        let mut compare = Command::new(part("bin/argocd"))
            .arg(&self.openapi)
            .arg(MANAGER)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Argo CD's comparison");
        let line = json!({"config": config, "live": live, "predicted": predicted});
        compare.stdin.take().unwrap().write_all(format!("{line}\n").as_bytes()).unwrap();
        let output = compare.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?} of {line}");
        let said: BTreeMap<String, Value> = serde_json::from_slice(&output.stdout).expect("a comparison");
        assert_eq!(said.keys().collect::<Vec<_>>(), ["serverSide", "structuredMerge", "threeWay"]);
        said.into_iter().filter(|(_, difference)| !difference.is_null()).collect()
    }

    /// Applies an object in each of the ways that Argo CD has, in namespaces of their own, and compares.
    async fn in_sync(&self, what: &str, object: &Value) {
        for server_side in [false, true] {
            let namespace = self.cluster.namespace().await;
            let mut config = object.clone();
            if object["kind"] != "ClusterScimConnection" {
                // As Argo CD gives it the namespace of its destination.
                config["metadata"]["namespace"] = json!(namespace);
            }
            let differs = self.applied(&config, server_side);
            assert!(differs.is_empty(), "{what}, server side {server_side}: {differs:#?}");
        }
    }

    fn applied(&self, config: &Value, server_side: bool) -> BTreeMap<String, Value> {
        let file = scratch().join(format!("data/{}.json", unique("argocd")));
        fs::write(&file, config.to_string()).unwrap();
        let file = file.to_str().unwrap();
        let by_server = ["--server-side", "--force-conflicts", "--field-manager", MANAGER];
        let apply = |switches: &[&str]| -> Value {
            let said = self.cluster.kubectl_ok(&[&["apply", "-o", "json", "-f", file], switches].concat());
            serde_json::from_str(&said).expect("JSON")
        };
        apply(if server_side { &by_server } else { &[] });
        let predicted = apply(&[&by_server[..], &["--dry-run=server", "--show-managed-fields"]].concat());
        let text = |of: &Value| of.as_str().unwrap_or_default().to_owned();
        let (kind, name) = (text(&config["kind"]).to_lowercase(), text(&config["metadata"]["name"]));
        let namespace = text(&config["metadata"]["namespace"]);
        let get = ["get", &kind, &name, "-n", &namespace, "-o", "json", "--show-managed-fields"];
        let live: Value = serde_json::from_str(&self.cluster.kubectl_ok(&get)).expect("JSON");
        let differs = self.differs(config, &live, &predicted);
        self.cluster.kubectl_ok(&["delete", &kind, &name, "-n", &namespace]);
        differs
    }
}

/// All objects of ours in examples/.
fn examples() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for folder in ["examples", "examples/guides", "examples/try", "examples/try/before", "examples/try/after"] {
        for entry in fs::read_dir(repository().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "yaml") {
                let text = fs::read_to_string(&path).unwrap().replace("BASE_URL", "https://scim.example.com");
                let ours = objects(&text).into_iter().filter(|object| {
                    object["apiVersion"].as_str().is_some_and(|version| version.starts_with("scim-operator.dev/"))
                });
                found
                    .extend(ours.map(|object| (format!("{}: {}", path.display(), object["metadata"]["name"]), object)));
            }
        }
    }
    found
}

#[tokio::test]
async fn examples_are_in_sync() {
    let argo = Argo::new().await;
    let examples = examples();
    assert!(examples.len() >= 15, "{}", examples.len());
    for (what, example) in examples {
        argo.in_sync(&what, &example).await;
    }
}

/// The least of each kind, with lists whose entries leave out what they may.
fn least(kind: &str) -> Value {
    let key = json!({"bearerToken": {"secretKeyRef": {"name": "key", "key": "token"}}});
    let connection = json!({"baseUrl": "https://scim.example.com", "auth": key, "rateLimits": [{"requests": 5}]});
    let spec = match kind {
        "ScimConnection" => connection,
        "ClusterScimConnection" => {
            let mut spec = connection;
            spec["delegation"] = json!([{"namespaceSelector": {}, "userNames": ["*"]}]);
            spec
        }
        "ScimUser" => {
            json!({"connectionRef": {"name": "a"}, "userName": "ada@example.com", "emails": [{"value": "a@example.com"}]})
        }
        "ScimGroup" => json!({
            "connectionRef": {"name": "a"}, "displayName": "A", "membership": "Exact", "members": [{"userRef": {"name": "ada"}}],
        }),
        "ScimRoster" => json!({
            "connectionRef": {"name": "a"}, "source": {"inline": []}, "mappings": [{"target": "userName", "value": "row.mail"}],
        }),
        _ => panic!("nothing is known of a {kind}"),
    };
    json!({"apiVersion": "scim-operator.dev/v1alpha1", "kind": kind, "metadata": {"name": "least"}, "spec": spec})
}

/// Adds what the schema fills in below, as empty objects, down to this depth; the fields that are left out then.
fn hollow(schema: &Value, value: &mut Value, path: &str, depth: usize, left_out: &mut Vec<String>) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        let filled = field["properties"].is_object() && field.to_string().contains("\"default\"");
        if value.get(name).is_none() && filled && depth > 0 {
            value[name] = json!({});
        }
        match value.get_mut(name) {
            Some(inner) if inner.is_object() => hollow(field, inner, &path, depth.saturating_sub(1), left_out),
            None if field.get("default").is_some() => left_out.push(path),
            _ => {}
        }
    }
}

/// All fields with a default.
fn filled(schema: &Value, path: &str, found: &mut Vec<String>) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        found.extend(field.get("default").map(|_| path.clone()));
        filled(field, &path, found);
    }
}

#[tokio::test]
async fn fields_with_a_default_are_in_sync() {
    let argo = Argo::new().await;
    for crd in scim_operator::api::crds() {
        let kind = crd.spec.names.kind.as_str();
        let schema = serde_json::to_value(&crd.spec.versions[0].schema).unwrap();
        let schema = &schema["openAPIV3Schema"]["properties"]["spec"];
        let (mut expected, mut tried) = (Vec::new(), Vec::new());
        filled(schema, "spec", &mut expected);
        for depth in 0..3 {
            let mut object = least(kind);
            hollow(schema, &mut object["spec"], "spec", depth, &mut tried);
            argo.in_sync(&format!("{kind} {depth}"), &object).await;
        }
        for field in [&mut expected, &mut tried] {
            field.sort();
            field.dedup();
        }
        assert_eq!(tried, expected, "{kind}");
    }
}

/// The comparison finds what it is there to find, with a kind as none of ours may be.
#[tokio::test]
async fn a_list_that_the_api_server_completes_is_out_of_sync() {
    let cluster = ControlPlane::shared().await;
    let entry = json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string", "default": "filled"}}});
    let spec = json!({"type": "object", "properties": {"list": {"type": "array", "items": entry}, "entry": entry}});
    let schema = json!({"type": "object", "properties": {"spec": spec}});
    let crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "completeds.test.example.com"},
        "spec": {
            "group": "test.example.com", "scope": "Namespaced", "names": {"kind": "Completed", "plural": "completeds"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}],
        },
    });
    cluster.apply("", &crd.to_string());
    let argo = Argo::knowing("com.example.test.v1.Completed").await;
    let object = |spec: Value| {
        let metadata = json!({"name": "a", "namespace": "default"});
        json!({"apiVersion": "test.example.com/v1", "kind": "Completed", "metadata": metadata, "spec": spec})
    };
    cluster.kubectl_ok(&["wait", "--for=condition=Established", "--timeout=60s", "crd/completeds.test.example.com"]);
    let whole = argo.applied(&object(json!({"entry": {"a": "x"}})), true);
    assert!(whole.is_empty(), "{whole:#?}");
    // By the sync option ServerSideApply; what the client applies, Argo CD completes by itself.
    let completed = argo.applied(&object(json!({"list": [{"a": "x"}]})), true);
    assert!(completed.contains_key("structuredMerge"), "{completed:#?}");
}
