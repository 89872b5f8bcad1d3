//! The commands that the pages show go as they are written: with kubectl at a real API server, and with the sandbox.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::documented::{pages, quoted};
use crate::kit::{PATIENCE, Place};
use crate::operator;
use crate::support::{Process, eventually, guarded, part, repository, scratch, unique};

/// Begins, or has in it, what isn't run here; and who runs it.
const ELSEWHERE: &[(&str, &str)] = &[
    ("make ", "the targets are compared by commands_that_the_pages_name_are_there"),
    ("docker ", "tests/image.rs reads the Dockerfile; no registry is there"),
    ("helm ", "tests/chart/release.rs installs, upgrades and tests the chart; rendered for a plan below"),
    ("kubectl create namespace scim-operator", "the same"),
    ("kubectl apply --server-side -k .", "tests/manifests/kustomize.rs"),
    ("cargo install", "it compiles; what is installed is what is run here"),
    ("cargo run --bin scim-sandbox", "below, at a port of its own"),
    ("cosign ", "it takes a release that is published"),
    ("identity=", "of cosign"),
    ("issuer=", "of cosign"),
    ("port-forward", "the control plane has no nodes, and so no pods"),
    ("logs deploy/", "the same"),
    ("curl ", "of the sandbox below; of the operator's own address tests/operations/running.rs"),
    ("base=", "of the sandbox"),
    ("kubectl scim console", "it serves until it is ended: tests/cli/console.rs"),
    ("kubectl scim approve", "it asks a person: tests/cli/answering.rs"),
    ("kubectl-scim man", "tests/cli/manners.rs"),
    ("jq '.items", "jq isn't on every machine; what such a file is planned as: tests/cli, i22_what_was_exported"),
];

/// The blocks of commands on a page, also those within a list.
fn blocks(page: &Path) -> Vec<String> {
    let text = fs::read_to_string(page).unwrap();
    let blocks = text.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap());
    blocks.map(str::to_owned).collect()
}

/// One a line, without what is said of it.
fn commands(block: &str) -> Vec<String> {
    let joined = block.replace("\\\n", " ");
    let lines = joined.lines().map(|line| line.split("  #").next().unwrap().trim().to_owned());
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

/// Runs it by bash as a person would, in this directory; what went wrong.
async fn runs(what: &str, script: String, directory: &Path, kubeconfig: &Path) -> Result<(), String> {
    let programs = Path::new(env!("CARGO_BIN_EXE_kubectl-scim")).parent().unwrap();
    let kubectl = part("bin/kubectl");
    let path = [kubectl.parent().unwrap(), programs].map(|folder| folder.display().to_string()).join(":");
    let mut shell = Command::new("timeout");
    shell.args(["120", "bash", "-euo", "pipefail", "-c", &script]).current_dir(directory);
    shell.env("PATH", format!("{path}:{}", std::env::var("PATH").unwrap())).env("KUBECONFIG", kubeconfig);
    shell.env("NO_PROXY", "127.0.0.1").stdin(std::process::Stdio::null());
    let done = tokio::task::spawn_blocking(move || shell.output()).await.unwrap().expect("bash");
    let (said, complained) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    // The command line's code for what needs a person; one that it doesn't understand has the same.
    let needs_a_person = [Some(2), Some(3)].contains(&done.status.code())
        && what.contains("kubectl scim")
        && !complained.contains("error:");
    let done_well = done.status.success() || needs_a_person;
    if done_well { Ok(()) } else { Err(format!("{what}: {}\n{said}{complained}", done.status)) }
}

/// A directory with what the commands read, and the objects that they name.
async fn prepared(place: &Place) -> (PathBuf, PathBuf) {
    let mut config: Value =
        serde_json::from_str(&fs::read_to_string(place.cluster.admin_kubeconfig()).unwrap()).unwrap();
    config["contexts"][0]["context"]["namespace"] = place.namespace.clone().into();
    let directory = scratch().join("data").join(unique("pages"));
    fs::create_dir_all(directory.join("people")).unwrap();
    let kubeconfig = directory.join("kubeconfig");
    fs::write(&kubeconfig, config.to_string()).unwrap();

    for name in ["example", "datadog"] {
        let mut connection = place.connection(json!({}));
        connection["metadata"]["name"] = json!(name);
        place.apply(connection);
    }
    place.apply(crate::kit::user("ada", json!({"connectionRef": {"name": "example"}})));
    place.synced("ada").await;

    let head = "userPrincipalName,jobTitle,mail,displayName,IsSoftDeleted\n";
    let row = |name: &str| format!("{name}@example.com,Engineer,{name}@example.com,{name},False\n");
    let table = format!("{head}{}", row("grace"));
    for name in ["users.csv", "people.csv"] {
        fs::write(directory.join(name), &table).unwrap();
    }
    fs::write(directory.join("users.json"), r#"[{"userPrincipalName": "grace@example.com", "IsSoftDeleted": false}]"#)
        .unwrap();
    let people = |table: &str| {
        let source = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"users.csv": table},
            "metadata": {"name": "rows", "labels": {"scim-operator.dev/roster-source": "true"}}});
        let roster = json!({"apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimRoster",
            "metadata": {"name": "people"}, "spec": {"connectionRef": {"name": "example"}, "preset": "EntraDatadog",
            "source": {"configMaps": {"names": ["rows"]}}, "guard": {"maxPercent": 0, "minCount": 0, "maxCount": 0}}});
        format!("{source}\n---\n{roster}\n")
    };
    // A row that is gone waits for a person.
    place.cluster.apply(&place.namespace, &people(&format!("{table}{}", row("alan"))));
    place.kubectl(&["wait", "--for=condition=Ready", "scimroster/people", "--timeout=120s"]);
    place.kubectl(&["wait", "--for=condition=Ready", "scimuser", "--all", "--timeout=120s"]);
    place.cluster.apply(&place.namespace, &people(&table));
    for name in ["people.yaml", "people/people.yaml"] {
        fs::write(directory.join(name), people(&table)).unwrap();
    }
    fs::write(directory.join("people/kustomization.yaml"), "resources: [people.yaml]\n").unwrap();
    (directory, kubeconfig)
}

#[tokio::test]
async fn commands_of_the_pages_go_as_they_are_written() {
    operator().await;
    let place = Place::without_operator().await;
    place.secret(&place.directory.token);
    let (directory, kubeconfig) = prepared(&place).await;
    let hold = eventually(PATIENCE, "a hold with its id", async || {
        let roster = place.kubectl(&["get", "scimroster", "people", "-o", "jsonpath={.status}"]);
        let roster: Value = serde_json::from_str(&roster).expect("JSON");
        roster["hold"]["id"].as_str().map(str::to_owned).ok_or(roster)
    })
    .await;
    let (mut run, mut wrong) = (0, Vec::new());
    // Answers to the hold come last.
    let (mut pages, last): (Vec<_>, Vec<_>) = pages().into_iter().partition(|page| !page.ends_with("rosters.md"));
    pages.extend(last);
    for page in pages.into_iter().filter(|page| !page.ends_with("tutorial.md")) {
        for command in blocks(&page).iter().flat_map(|block| commands(block)) {
            if ELSEWHERE
                .iter()
                .any(|(known, _)| command.starts_with(known) || command.contains(known) && !known.ends_with(' '))
            {
                continue;
            }
            let filled = command
                .replace("3f2a9c0d11b2e477", &hold)
                .replace("3f2a…", &hold)
                .replace("NAME", "example")
                .replace("--server https://scim.example.com", &format!("--server {}", place.directory.base_url))
                // The page shows both answers: the first is taken back.
                .replace("{\"rejectedHold\"", "{\"approvedHold\":null,\"rejectedHold\"")
                .replace("-n identity", &format!("-n {}", place.namespace));
            let asks_the_server = ["explain", "import", "plan", "test"].map(|name| format!("kubectl scim {name} "));
            let here = asks_the_server.iter().any(|start| filled.starts_with(start)) || filled.contains("=server");
            let filled = if here { format!("{filled} --allow-loopback-http") } else { filled };
            wrong.extend(runs(&format!("{}: {command}", page.display()), filled, &directory, &kubeconfig).await.err());
            run += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(run >= 35, "{run}");
}

/// What stands within sentences and tables and is no whole command, or isn't for this cluster.
const PARTS_OF_COMMANDS: &[&str] = &[
    "kubectl apply",
    "kubectl apply --server-side -k .",
    "kubectl apply -k",
    "kubectl apply --force",
    "kubectl apply --server-side",
    "kubectl config set-context --current --namespace=scim-demo",
    "kubectl create secret tls",
    "kubectl delete -k",
    "kubectl describe",
    "kubectl explain",
    "kubectl kustomize overlays/prod | kubectl scim plan -f -",
    "kubectl krew install --manifest-url=…/scim.yaml",
    "kubectl port-forward",
    "kubectl port-forward -n scim-operator deploy/scim-operator 8080 & curl -X PUT -d info,scim_operator=debug localhost:8080/log-level",
    "kubectl replace --force",
];

/// The commands of runbooks and of steps: what changes something is tried as far as the API server without doing it.
#[tokio::test]
async fn commands_within_sentences_go_as_they_are_written() {
    operator().await;
    let place = Place::without_operator().await;
    place.secret(&place.directory.token);
    let (directory, kubeconfig) = prepared(&place).await;
    place.apply(json!({"apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimGroup", "metadata": {"name": "team"},
        "spec": {"connectionRef": {"name": "example"}, "displayName": "Team", "membership": "Additive", "members": [{"userRef": {"name": "ada"}}]}}));
    let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "scim-operator"}});
    place.apply(lease);
    std::os::unix::fs::symlink(repository().join("crds"), directory.join("crds")).unwrap();
    let (mut run, mut wrong) = (0, Vec::new());
    for (page, quote) in quoted() {
        let command = quote.split_whitespace().collect::<Vec<_>>().join(" ");
        let is_ours = command.starts_with("kubectl scim");
        if !command.starts_with("kubectl ") || is_ours || PARTS_OF_COMMANDS.contains(&command.as_str()) {
            continue;
        }
        let names =
            [("scimuser", "ada"), ("scimgroup", "team"), ("scimroster", "people"), ("scimconnection", "example")];
        let name = names.iter().find(|(kind, _)| command.contains(kind)).map_or("scim-operator", |(_, name)| name);
        let filled =
            command.replace("NAMESPACE", &place.namespace).replace("NAME", name).replace("ID", "3f2a9c0d11b2e477");
        let changes = ["annotate", "apply", "delete", "patch"]
            .iter()
            .any(|verb| command.starts_with(&format!("kubectl {verb} ")));
        let filled = if changes { format!("{filled} --dry-run=server") } else { filled };
        wrong.extend(runs(&format!("{}: {command}", page.display()), filled, &directory, &kubeconfig).await.err());
        run += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(run >= 35, "{run}");
}

/// A chart's output into a plan, as docs/ci.md has it.
#[tokio::test]
async fn what_a_chart_renders_is_planned_as_the_page_says() {
    let place = Place::without_operator().await;
    let directory = scratch().join("data").join(unique("rendered"));
    fs::create_dir_all(&directory).unwrap();
    let values = json!({
        "connections": {"example": {"spec": place.connection(json!({}))["spec"]}},
        "users": {"ada": {"spec": {"connectionRef": {"name": "example"}, "userName": "ada@example.com"}}},
    });
    fs::write(directory.join("values.yaml"), values.to_string()).unwrap();
    let all = blocks(&repository().join("docs/ci.md")).iter().flat_map(|block| commands(block)).collect::<Vec<_>>();
    let command = all.iter().find(|command| command.starts_with("helm template ")).expect("it is on the page");
    let chart = repository().join("charts/scim-operator");
    let filled = command.replace("oci://ghcr.io/scim-operator/charts/scim-operator", chart.to_str().unwrap());
    let filled = filled.replace("helm ", &format!("{} ", part("bin/helm").display()));
    let script =
        format!("export SCIM_KEY={}; {filled} --allow-loopback-http | grep ada@example.com", place.directory.token);
    assert_eq!(runs("docs/ci.md: kubectl scim", script, &directory, Path::new("/dev/null")).await, Ok(()));
}

/// docs/sandbox.md from its top to its end, with a sandbox at a port of its own.
#[tokio::test]
async fn the_page_of_the_sandbox_goes_as_it_is_written() {
    let page = blocks(&repository().join("docs/sandbox.md"));
    let start = commands(&page[0]).remove(0);
    let switches = start.split(" -- ").nth(1).unwrap().replace("127.0.0.1:8080", "127.0.0.1:0");
    let mut sandbox = guarded(env!("CARGO_BIN_EXE_scim-sandbox"));
    sandbox.args(switches.split(' '));
    let (_process, hello) = Process::announcing(&unique("sandbox"), sandbox);
    let base = hello["base"].as_str().expect("where it listens");
    let address = base.trim_start_matches("http://").split('/').next().unwrap();
    let script: String = page[1..].join("\n").replace("127.0.0.1:8080", address);
    let script = format!("curl() {{ command curl --silent --show-error --fail-with-body \"$@\"; }}\n{script}");
    let went = runs("docs/sandbox.md", script, scratch(), Path::new("/dev/null")).await;
    assert_eq!(went, Ok(()));
}
