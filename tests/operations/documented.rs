//! What the docs show is taken by the API server as it stands, and what they link to is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use crate::support::{ControlPlane, objects, repository};

/// README and docs/, runbooks and servers included.
fn pages() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        ["README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(|name| repository().join(name)).to_vec();
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

#[test]
fn links_lead_somewhere() {
    for page in pages() {
        // Without code, where a pattern may look like a link.
        let text: String = fs::read_to_string(&page).unwrap().split('`').step_by(2).collect();
        for link in text.split("](").skip(1) {
            let link = link.split(')').next().unwrap();
            let file = link.split('#').next().unwrap();
            if !file.is_empty() && !link.contains("://") {
                let there = page.parent().unwrap().join(file).exists();
                assert!(there, "{}: {link} is not there", page.display());
            }
        }
    }
}
