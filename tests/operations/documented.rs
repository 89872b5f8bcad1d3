//! What the docs show is taken by the API server as it stands, and what they link to is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::{ControlPlane, objects, repository};

/// README and docs/, runbooks and servers included; what stands beside them; the chart's page.
pub fn pages() -> Vec<PathBuf> {
    let beside = [
        "README.md",
        "ARCHITECTURE.md",
        "SECURITY.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "charts/scim-operator/README.md",
    ];
    let mut found: Vec<PathBuf> = beside.map(|name| repository().join(name)).to_vec();
    let mut folders = vec![repository().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "md") {
                found.push(path);
            }
        }
    }
    found
}

#[tokio::test]
async fn examples_are_taken_as_they_stand() {
    let cluster = ControlPlane::shared().await;
    cluster.install_crds().await;
    let mut tried = 0;
    for page in pages() {
        // Each page is read by itself, and may use the names of another.
        let namespace = cluster.namespace().await;
        let text = fs::read_to_string(&page).unwrap();
        for block in text.split("```yaml\n").skip(1) {
            let block = block.split("```").next().unwrap();
            // Whole objects of ours; fragments are shown too.
            if block.contains("apiVersion: scim-operator.dev/") {
                let taken = cluster.try_apply(&namespace, block);
                assert!(taken.status.success(), "{}:\n{block}\n{taken:?}", page.display());
                tried += 1;
            }
        }
    }
    assert!(tried >= 1, "no example was found");
}

/// Each kind has an example of its own, beside what the pages show.
#[tokio::test]
async fn every_kind_has_an_example_that_is_taken() {
    let cluster = ControlPlane::shared().await;
    cluster.install_crds().await;
    let mut kinds = BTreeSet::new();
    for entry in fs::read_dir(repository().join("examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "yaml") {
            continue;
        }
        // The demo fills that in; each file is read by itself.
        let example = fs::read_to_string(&path).unwrap().replace("BASE_URL", "https://scim.example.com");
        let taken = cluster.try_apply(&cluster.namespace().await, &example);
        assert!(taken.status.success(), "{}: {taken:?}", path.display());
        kinds.extend(objects(&example).iter().map(|object| object["kind"].as_str().unwrap().to_owned()));
    }
    for crd in scim_operator::api::crds() {
        assert!(kinds.contains(&crd.spec.names.kind), "no example of {}", crd.spec.names.kind);
    }
}

/// What stands in backticks on the pages, with the page.
pub fn quoted() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        // Without blocks.
        let text: String = text.split("```").step_by(2).collect();
        found.extend(text.split('`').skip(1).step_by(2).map(|quote| (page.clone(), quote.to_owned())));
    }
    found
}

/// All fields of a schema as dotted paths.
fn fields(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        found.insert(format!("{path}."));
        fields(inner, &path, found);
    }
    for inner in [&schema["items"], &schema["additionalProperties"]] {
        if inner.is_object() {
            fields(inner, path, found);
        }
    }
}

/// `spec.guards.removals`, `driftPolicy.attributes` and the like are fields of a kind, or values of the chart.
#[test]
fn fields_that_the_pages_name_are_there() {
    let mut there = BTreeSet::new();
    for crd in objects(&fs::read_to_string(repository().join("crds/crds.yaml")).unwrap()) {
        fields(&crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"], "", &mut there);
    }
    let values = fs::read_to_string(repository().join("charts/scim-operator/values.schema.json")).unwrap();
    fields(&serde_json::from_str(&values).unwrap(), "", &mut there);
    let first: BTreeSet<&str> = there.iter().map(|path| path[1..].split('.').next().unwrap()).collect();
    let second = there.iter().filter_map(|path| path[1..].split('.').nth(1));
    let begins: BTreeSet<&str> = first.into_iter().chain(second).filter(|name| !name.is_empty()).collect();
    let mut unknown = Vec::new();
    for (page, quote) in quoted() {
        // A path, or one with a value: `driftPolicy.attributes: Repair`.
        let path = quote.split([':', '=', ' ']).next().unwrap().replace("[]", "");
        let words: Vec<&str> = path.split('.').collect();
        let is_path = words.iter().all(|word| !word.is_empty() && word.chars().all(char::is_alphanumeric));
        let is_file = words.last().is_some_and(|end| ["yaml", "md", "json", "key", "crt", "rs"].contains(end));
        if words.len() > 1 && is_path && !is_file && begins.contains(words[0]) {
            let known = there.iter().any(|field| field.contains(&format!(".{path}.")));
            unknown.extend((!known).then(|| format!("{}: {path}", page.display())));
        }
    }
    assert!(unknown.is_empty(), "no such fields: {unknown:#?}");
}

#[test]
fn labels_and_annotations_that_the_pages_name_are_there() {
    let api = fs::read_dir(repository().join("src/api")).unwrap();
    let sources: String = api.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    for page in pages() {
        for name in fs::read_to_string(&page).unwrap().split("scim-operator.dev/").skip(1) {
            let name: String =
                name.chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '-').collect();
            // kubectl removes what ends so.
            let name = name.trim_end_matches('-');
            let known =
                sources.contains(&format!("scim-operator.dev/{name}\"")) || ["v1alpha1", "ScimUser"].contains(&name);
            assert!(known || name.is_empty(), "{}: nothing is called scim-operator.dev/{name}", page.display());
        }
    }
}

/// Each `make` is a target, and the command line takes each `kubectl scim` as it is written.
#[test]
fn commands_that_the_pages_name_are_there() {
    let makefile = fs::read_to_string(repository().join("Makefile")).unwrap();
    for (page, quote) in quoted() {
        let words: Vec<&str> = quote.split_whitespace().skip_while(|word| word.contains('=')).collect();
        if let ["make", target, ..] = words[..] {
            assert!(makefile.contains(&format!("\n{target}:")), "{}: no target {target}", page.display());
        }
    }
    // What follows is asked for after all that stands there was understood.
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        // A block of cli.md that shows what may be left out is none.
        let blocks = text.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap());
        let lines = blocks.flat_map(str::lines).filter_map(|line| line.strip_prefix("kubectl scim "));
        let inline = quoted().into_iter().filter(|(there, _)| *there == page).map(|(_, quote)| quote);
        let inline = inline.filter_map(|quote| quote.strip_prefix("kubectl scim ").map(str::to_owned));
        let inline = inline.filter(|line| !line.starts_with("COMMAND"));
        for line in lines.map(str::to_owned).chain(inline) {
            let line = line.split(" #").next().unwrap().replace("\'", "");
            let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-scim"));
            let done = command.args(line.split_whitespace()).arg("--help").output().unwrap();
            // A sentence may name an option without its value.
            let names_an_option = String::from_utf8_lossy(&done.stderr).contains("a value is required for");
            assert!(done.status.success() || names_an_option, "{}: kubectl scim {line}: {done:?}", page.display());
        }
    }
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(page: &Path) -> BTreeSet<String> {
    let text: String = fs::read_to_string(page).unwrap().split("```").step_by(2).collect();
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let kept = |letter: &char| letter.is_alphanumeric() || "-_ ".contains(*letter);
    headings.map(|text| text.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")).collect()
}

#[test]
fn links_lead_somewhere() {
    for page in pages() {
        // Without code, where a pattern may look like a link.
        let text: String = fs::read_to_string(&page).unwrap().split('`').step_by(2).collect();
        let links = text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap());
        for link in links.filter(|link| !link.contains("://") && !link.starts_with("mailto:")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let there = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(there.exists(), "{}: {link} is not there", page.display());
            let is_page = there.extension().is_some_and(|end| end == "md");
            let leads = anchor.is_empty() || !is_page || anchors(&there).contains(anchor);
            assert!(leads, "{}: {link}: no such heading", page.display());
        }
    }
}

/// Whoever has exported a KUBECONFIG didn't ask for its cluster, and a second operator would be a second writer.
#[test]
fn i28_the_demo_serves_its_own_namespace_and_takes_no_cluster_unasked() {
    let demo = std::fs::read_to_string(repository().join("examples/demo")).expect("the demo");
    let start =
        demo.split("def start_operator").nth(1).and_then(|rest| rest.split("\ndef ").next()).expect("it starts one");
    assert!(start.contains("--watch-namespaces={NAMESPACE}"), "{start}");
    assert!(demo.contains("own_cluster = bool(context)") && demo.contains("            refuse_second_operator()"));
}
