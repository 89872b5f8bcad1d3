//! Rendered manifests, as objects: the defaults, and what each switch changes.

use serde_json::{Value, json};

use crate::support::{Helm, chart, objects, repository};

fn render(args: &[&str]) -> Vec<Value> {
    Helm::offline("identity").template("scim-operator", args)
}

fn with(values: Value) -> Vec<Value> {
    let sets: Vec<String> =
        values.as_object().unwrap().iter().map(|(name, value)| format!("--set-json={name}={value}")).collect();
    render(&sets.iter().map(String::as_str).collect::<Vec<_>>())
}

fn of<'a>(all: &'a [Value], kind: &str) -> Vec<&'a Value> {
    all.iter().filter(|object| object["kind"] == kind).collect()
}

fn one<'a>(all: &'a [Value], kind: &str) -> &'a Value {
    let found = of(all, kind);
    assert_eq!(found.len(), 1, "{kind}: {found:?}");
    found[0]
}

fn container(all: &[Value]) -> &Value {
    &one(all, "Deployment")["spec"]["template"]["spec"]["containers"][0]
}

fn args(all: &[Value]) -> Vec<String> {
    let args = container(all)["args"].as_array().unwrap();
    args.iter().map(|arg| arg.as_str().unwrap().to_owned()).collect()
}

/// 1000.0 is 1000.
fn whole(value: &Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().map_or(Value::Null, |number| json!(number)),
        Value::Array(list) => list.iter().map(whole).collect(),
        Value::Object(map) => map.iter().map(|(name, value)| (name.clone(), whole(value))).collect(),
        other => other.clone(),
    }
}

/// The kinds that these values add to the default ones.
fn added(values: Value) -> Vec<String> {
    let kinds = |all: &[Value]| -> Vec<String> {
        all.iter().map(|object| format!("{}/{}", object["kind"], object["metadata"]["name"]).replace('"', "")).collect()
    };
    let mut left = kinds(&with(json!({})));
    let mut new = kinds(&with(values));
    new.retain(|kind| match left.iter().position(|known| known == kind) {
        Some(at) => {
            left.remove(at);
            false
        }
        None => true,
    });
    assert!(left.is_empty(), "missing now: {left:?}");
    new
}

#[test]
fn lint_finds_nothing() {
    Helm::offline("identity").ok(&["lint", "--strict", &chart()]);
}

#[test]
fn the_defaults_are_an_operator_for_the_whole_cluster() {
    let all = with(json!({}));
    let mut kinds: Vec<&str> = all.iter().map(|object| object["kind"].as_str().unwrap()).collect();
    kinds.retain(|kind| *kind != "CustomResourceDefinition");
    kinds.sort_unstable();
    let expected =
        ["ClusterRole", "ClusterRoleBinding", "Deployment", "Pod", "Role", "RoleBinding", "Service", "ServiceAccount"];
    assert_eq!(kinds, expected);
    for object in &all {
        assert_eq!(object["metadata"]["labels"]["app.kubernetes.io/instance"], "scim-operator", "{object}");
    }
    assert_eq!(container(&all)["image"], concat!("ghcr.io/scim-operator/scim-operator:", env!("CARGO_PKG_VERSION")));
    let service = one(&all, "Service");
    let labels = &one(&all, "Deployment")["spec"]["template"]["metadata"]["labels"];
    for (name, value) in service["spec"]["selector"].as_object().unwrap() {
        assert_eq!(labels[name], *value);
    }
}

#[test]
fn chart_and_crate_have_one_version() {
    let yaml = std::fs::read_to_string(repository().join("charts/scim-operator/Chart.yaml")).unwrap();
    let chart = &objects(&yaml)[0];
    assert_eq!(chart["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
    let image = chart["annotations"]["artifacthub.io/images"].as_str().unwrap();
    assert!(image.contains(concat!("scim-operator:", env!("CARGO_PKG_VERSION"))), "{image}");
    let list = |name: &str| objects(chart["annotations"][name].as_str().unwrap())[0].clone();
    for name in ["artifacthub.io/crdsExamples", "artifacthub.io/images"] {
        assert!(!list(name).as_array().unwrap().is_empty(), "{name}");
    }
    let known = list("artifacthub.io/crds");
    let known: Vec<&str> = known.as_array().unwrap().iter().map(|crd| crd["name"].as_str().unwrap()).collect();
    for crd in scim_operator::api::crds() {
        assert!(known.contains(&crd.metadata.name.as_deref().unwrap()), "{known:?}: {:?}", crd.metadata.name);
    }
}

#[test]
fn the_crds_are_those_of_crds_and_are_kept() {
    let canonical = objects(&std::fs::read_to_string(repository().join("crds/crds.yaml")).unwrap());
    let all = with(json!({}));
    let rendered = of(&all, "CustomResourceDefinition");
    assert_eq!(rendered.len(), canonical.len());
    for (ours, theirs) in canonical.iter().zip(&rendered) {
        assert_eq!(ours["metadata"]["name"], theirs["metadata"]["name"]);
        assert_eq!(theirs["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
        let (ours, theirs) = (whole(&ours["spec"]), whole(&theirs["spec"]));
        assert!(ours == theirs, "rendered otherwise than crds/crds.yaml");
    }
    let dropped = with(json!({"crds": {"keep": false, "annotations": {"example.com/a": "b"}}}));
    for crd in of(&dropped, "CustomResourceDefinition") {
        assert_eq!(crd["metadata"]["annotations"], json!({"example.com/a": "b"}));
    }
    assert!(of(&with(json!({"crds": {"enabled": false}})), "CustomResourceDefinition").is_empty());
}

#[test]
fn the_pods_are_restricted_and_bounded() {
    let all = with(json!({}));
    let pods = [&one(&all, "Deployment")["spec"]["template"]["spec"], &one(&all, "Pod")["spec"]];
    for pod in pods {
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
        for container in pod["containers"].as_array().unwrap() {
            let context = &container["securityContext"];
            assert_eq!(context["allowPrivilegeEscalation"], false);
            assert_eq!(context["readOnlyRootFilesystem"], true);
            assert_eq!(context["capabilities"], json!({"drop": ["ALL"]}));
            assert!(container["resources"]["limits"]["memory"].is_string());
        }
    }
    let container = container(&all);
    assert_eq!(container["livenessProbe"]["httpGet"], json!({"path": "/livez", "port": "http"}));
    assert_eq!(container["readinessProbe"]["httpGet"], json!({"path": "/readyz", "port": "http"}));
    assert_eq!(container["startupProbe"], Value::Null);
}

#[test]
fn an_image_is_a_tag_or_a_digest() {
    assert!(container(&with(json!({"image": {"tag": "v9"}})))["image"].as_str().unwrap().ends_with(":v9"));
    let digest = format!("sha256:{}", "0".repeat(64));
    let all = with(json!({"image": {"tag": "v9", "digest": digest}}));
    assert_eq!(container(&all)["image"], format!("ghcr.io/scim-operator/scim-operator@{digest}"));
    assert_eq!(one(&all, "Pod")["spec"]["containers"][0]["image"], container(&all)["image"]);
}

#[test]
fn what_the_operator_is_told() {
    let all = with(json!({
        "watchNamespaces": ["a", "b"], "allowedHosts": ["scim.example.com", "*.example.org"], "allowLoopbackHttp": true,
        "audit": {"enabled": true, "path": "/audit/log"}, "log": {"level": "debug", "format": "text"},
        "extraArgs": ["--lease-duration=30"],
    }));
    let given = args(&all);
    for expected in [
        "run",
        "--listen=0.0.0.0:8080",
        "--watch-namespaces=a,b",
        "--allowed-hosts=scim.example.com,*.example.org",
        "--allow-loopback-http",
        "--audit-log=/audit/log",
        "--log-level=debug",
        "--log-format=text",
        "--lease-duration=30",
    ] {
        assert!(given.iter().any(|arg| arg == expected), "{expected} in {given:?}");
    }
    // The operator itself understands them.
    let mut asked = std::process::Command::new(env!("CARGO_BIN_EXE_scim-operator"));
    let asked = asked.args(&given).arg("--no-such-option").output().unwrap();
    let said = String::from_utf8_lossy(&asked.stderr).into_owned();
    assert!(said.contains("unexpected argument '--no-such-option'"), "{said}");
    assert_eq!(args(&with(json!({}))).len(), 4, "nothing but the defaults");
}

#[test]
fn i27_with_watch_namespaces_there_is_no_cluster_role() {
    let all = with(json!({"watchNamespaces": ["a", "b"]}));
    assert!(of(&all, "ClusterRole").is_empty() && of(&all, "ClusterRoleBinding").is_empty());
    let everywhere = with(json!({}));
    // What has no namespace can't be given for namespaces.
    let mut rules = one(&everywhere, "ClusterRole")["rules"].clone();
    let of_cluster =
        |rule: &Value| rule["resources"].to_string().contains("cluster") || rule["resources"] == json!(["namespaces"]);
    rules.as_array_mut().unwrap().retain(|rule| !of_cluster(rule));
    let mut places: Vec<&str> = Vec::new();
    for role in of(&all, "Role") {
        let place = role["metadata"]["namespace"].as_str().unwrap();
        places.push(place);
        if place == "identity" {
            let resources: Vec<&Value> =
                role["rules"].as_array().unwrap().iter().map(|rule| &rule["resources"]).collect();
            assert_eq!(resources, [&json!(["leases"]), &json!(["leases"])]);
        } else {
            assert_eq!(role["rules"], rules);
        }
    }
    places.sort_unstable();
    assert_eq!(places, ["a", "b", "identity"]);
    for binding in of(&all, "RoleBinding") {
        assert_eq!(binding["subjects"][0]["namespace"], "identity");
    }
}

#[test]
fn aggregation_is_off_and_adds_no_writing_to_view() {
    let all = with(json!({"rbac": {"aggregate": {"view": true, "edit": true}}}));
    let verbs = |name: &str| {
        let roles = of(&all, "ClusterRole");
        let role = roles.iter().find(|role| role["metadata"]["name"] == format!("scim-operator-{name}"));
        let role = role.unwrap_or_else(|| panic!("no role for {name}"));
        assert_eq!(role["metadata"]["labels"][format!("rbac.authorization.k8s.io/aggregate-to-{name}")], "true");
        role["rules"][0]["verbs"].clone()
    };
    assert_eq!(verbs("view"), json!(["get", "list", "watch"]));
    assert!(verbs("edit").as_array().unwrap().contains(&json!("delete")));
    assert_eq!(of(&all, "ClusterRole").len(), 3);
}

/// Whoever could write a status could point an object at somebody else's account.
#[test]
fn i32_no_role_for_people_gives_write_access_to_a_status() {
    let all = with(json!({"rbac": {"aggregate": {"view": true, "edit": true, "admin": true}}}));
    let roles = of(&all, "ClusterRole");
    let aggregated: Vec<_> =
        roles.iter().filter(|role| role["metadata"]["labels"].to_string().contains("aggregate-to-")).collect();
    assert_eq!(aggregated.len(), 3);
    for role in aggregated {
        for rule in role["rules"].as_array().unwrap() {
            for resource in rule["resources"].as_array().unwrap() {
                let resource = resource.as_str().unwrap();
                assert!(!resource.contains(['*', '/']), "{resource}: {role}");
            }
        }
    }
}

#[test]
fn rbac_and_the_service_account_can_be_someone_elses() {
    let all = with(json!({"rbac": {"create": false}, "serviceAccount": {"create": false, "name": "mine"}}));
    for kind in ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "ServiceAccount"] {
        assert!(of(&all, kind).is_empty(), "{kind}");
    }
    assert_eq!(one(&all, "Deployment")["spec"]["template"]["spec"]["serviceAccountName"], "mine");
}

#[test]
fn each_switch_adds_its_object() {
    let cases = [
        (json!({"podDisruptionBudget": {"enabled": true}}), vec!["PodDisruptionBudget/scim-operator"]),
        (json!({"networkPolicy": {"enabled": true}}), vec!["NetworkPolicy/scim-operator"]),
        (json!({"dashboards": {"enabled": true}}), vec!["ConfigMap/scim-operator-dashboard"]),
        // The cluster has no such kinds.
        (json!({"serviceMonitor": {"enabled": true}}), vec![]),
        (json!({"prometheusRule": {"enabled": true}}), vec![]),
        (json!({"dashboards": {"grafanaOperator": {"enabled": true}}}), vec![]),
        (json!({"users": {"ada": {"spec": {"userName": "ada"}}}}), vec![]),
        (json!({"rosters": {"people": {"spec": {}}}}), vec![]),
        (
            json!({"extraObjects": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-x"}}]}),
            vec!["ConfigMap/scim-operator-x"],
        ),
    ];
    for (values, expected) in cases {
        assert_eq!(added(values.clone()), expected, "{values}");
        let mut rendered = values.clone();
        rendered["whenKindMissing"] = json!("render");
        let (kind, name) = match expected.first() {
            Some(_) => continue,
            None if values.get("serviceMonitor").is_some() => ("ServiceMonitor", "scim-operator"),
            None if values.get("prometheusRule").is_some() => ("PrometheusRule", "scim-operator"),
            None if values.get("dashboards").is_some() => ("GrafanaDashboard", "scim-operator"),
            None if values.get("rosters").is_some() => ("ScimRoster", "people"),
            None => ("ScimUser", "ada"),
        };
        assert_eq!(added(rendered), [format!("{kind}/{name}")]);
    }
    let fails = Helm::offline("identity").refused(&[
        "template",
        "scim-operator",
        &chart(),
        "--set=serviceMonitor.enabled=true,whenKindMissing=fail",
    ]);
    assert!(fails.contains("monitoring.coreos.com/v1/ServiceMonitor"), "{fails}");
    let served =
        render(&["--set=serviceMonitor.enabled=true", "--api-versions=monitoring.coreos.com/v1/ServiceMonitor"]);
    assert_eq!(one(&served, "ServiceMonitor")["spec"]["endpoints"][0]["path"], "/metrics");
}

#[test]
fn a_network_policy_lets_out_dns_the_api_server_and_scim_alone() {
    let all = with(json!({"networkPolicy": {
        "enabled": true, "metricsFrom": [{"podSelector": {}}], "egressTo": [{"ipBlock": {"cidr": "0.0.0.0/0"}}],
    }}));
    let spec = &one(&all, "NetworkPolicy")["spec"];
    assert_eq!(spec["policyTypes"], json!(["Ingress", "Egress"]));
    // The pod of helm test asks as well, and is what its labels say.
    let labels = &one(&all, "Pod")["metadata"]["labels"];
    let names =
        ["app.kubernetes.io/instance", "app.kubernetes.io/name"].map(|name| (name.to_owned(), labels[name].clone()));
    let tester = json!({"podSelector": {"matchLabels": names.into_iter().collect::<serde_json::Map<_, _>>()}});
    let from = [json!({"podSelector": {}}), tester];
    assert_eq!(spec["ingress"], json!([{"ports": [{"port": "http", "protocol": "TCP"}], "from": from}]));
    let ports: Vec<&Value> =
        spec["egress"].as_array().unwrap().iter().flat_map(|rule| rule["ports"].as_array().unwrap()).collect();
    let ports: Vec<&Value> = ports.into_iter().map(|port| &port["port"]).collect();
    assert_eq!(ports, [&json!(53), &json!(53), &json!(443), &json!(6443)]);
    assert_eq!(spec["egress"][1]["to"], json!([{"ipBlock": {"cidr": "0.0.0.0/0"}}]));
}

#[test]
fn connections_users_and_rosters_are_kept_unless_told_otherwise() {
    let values = json!({
        "whenKindMissing": "render",
        "connections": {"example": {"spec": {"baseUrl": "https://scim.example.com"}, "annotations": {"a": "b"}}},
        "users": {"ada": {"namespace": "people", "labels": {"team": "x"}, "spec": {"userName": "ada@example.com"}}},
        "rosters": {"people": {"spec": {"source": {"configMaps": {"names": ["people"]}}}}},
    });
    let all = with(values.clone());
    let connection = one(&all, "ScimConnection");
    assert_eq!(connection["metadata"]["annotations"], json!({"a": "b", "helm.sh/resource-policy": "keep"}));
    assert_eq!(connection["metadata"]["namespace"], "identity");
    assert_eq!(connection["spec"]["baseUrl"], "https://scim.example.com");
    let user = one(&all, "ScimUser");
    assert_eq!(user["metadata"]["namespace"], "people");
    assert_eq!(user["metadata"]["labels"]["team"], "x");
    let roster = one(&all, "ScimRoster");
    assert_eq!(roster["metadata"]["annotations"], json!({"helm.sh/resource-policy": "keep"}));
    assert_eq!(roster["spec"]["source"]["configMaps"]["names"], json!(["people"]));
    let mut values = values;
    values["keepObjects"] = json!(false);
    assert_eq!(one(&with(values), "ScimUser")["metadata"]["annotations"], Value::Null);
}

#[test]
fn cluster_connections_have_no_namespace_and_need_the_whole_cluster() {
    let shared = json!({"shared": {"labels": {"team": "x"}, "spec": {"baseUrl": "https://scim.example.com"}}});
    let all = with(json!({"whenKindMissing": "render", "clusterConnections": shared}));
    let connection = one(&all, "ClusterScimConnection");
    assert_eq!(connection["metadata"]["name"], "shared");
    assert_eq!(connection["metadata"]["namespace"], Value::Null);
    assert_eq!(connection["metadata"]["labels"]["team"], "x");
    assert_eq!(connection["metadata"]["annotations"], json!({"helm.sh/resource-policy": "keep"}));
    assert_eq!(connection["spec"]["baseUrl"], "https://scim.example.com");
    assert!(of(&with(json!({"clusterConnections": shared})), "ClusterScimConnection").is_empty());
    let set = format!("--set-json=clusterConnections={shared}");
    let said =
        Helm::offline("identity").refused(&["template", "x", &chart(), &set, "--set-json=watchNamespaces=[\"a\"]"]);
    assert!(said.contains("clusterConnections have no namespace"), "{said}");
}

#[test]
fn the_rest_of_the_pod_is_passed_through() {
    let all = with(json!({
        "priorityClassName": "high", "nodeSelector": {"a": "b"}, "tolerations": [{"operator": "Exists"}],
        "topologySpreadConstraints": [{"maxSkew": 1}], "hostUsers": false, "podAnnotations": {"c": "d"},
        "podLabels": {"e": "f"}, "extraEnv": [{"name": "X", "value": "y"}], "extraVolumes": [{"name": "v", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "v", "mountPath": "/v"}], "extraContainers": [{"name": "side", "image": "i"}],
        "initContainers": [{"name": "init", "image": "i"}], "extraPodSpec": {"shareProcessNamespace": true},
        "imagePullSecrets": [{"name": "pull"}], "dnsConfig": {"options": [{"name": "ndots", "value": "2"}]},
        "lifecycle": {"preStop": {"sleep": {"seconds": 1}}}, "replicas": 2, "strategy": {"type": "Recreate"},
    }));
    let deployment = one(&all, "Deployment");
    assert_eq!(deployment["spec"]["replicas"], 2);
    assert_eq!(deployment["spec"]["strategy"]["type"], "Recreate");
    let template = &deployment["spec"]["template"];
    assert_eq!(template["metadata"]["annotations"]["c"], "d");
    assert_eq!(template["metadata"]["labels"]["e"], "f");
    let pod = &template["spec"];
    assert_eq!(pod["priorityClassName"], "high");
    assert_eq!(pod["nodeSelector"], json!({"a": "b"}));
    assert_eq!(pod["tolerations"], json!([{"operator": "Exists"}]));
    assert_eq!(pod["topologySpreadConstraints"], json!([{"maxSkew": 1}]));
    assert_eq!(pod["hostUsers"], false);
    assert_eq!(pod["shareProcessNamespace"], true);
    assert_eq!(pod["imagePullSecrets"], json!([{"name": "pull"}]));
    assert_eq!(pod["dnsConfig"]["options"][0]["name"], "ndots");
    assert_eq!(pod["initContainers"][0]["name"], "init");
    assert_eq!(pod["volumes"], json!([{"name": "v", "emptyDir": {}}]));
    assert_eq!(pod["containers"][1], json!({"name": "side", "image": "i"}));
    let container = container(&all);
    assert_eq!(container["volumeMounts"], json!([{"name": "v", "mountPath": "/v"}]));
    assert_eq!(container["env"][1], json!({"name": "X", "value": "y"}));
    assert_eq!(container["lifecycle"], json!({"preStop": {"sleep": {"seconds": 1}}}));
}
