//! What the docs show is taken by the API server as it stands, and what they link to is there.

use std::fs;
use std::path::PathBuf;

use crate::support::{ControlPlane, repository};

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

#[test]
fn links_lead_somewhere() {
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
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
