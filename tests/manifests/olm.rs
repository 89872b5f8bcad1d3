//! The bundle for the Operator Lifecycle Manager, made of the chart, and what its own validator says of it. `make bundle`
//! builds that, and leaves the bundle in dist/.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Helm, objects, part, repository};

const NAME: &str = "scim-operator";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The objects of the chart by kind, with no namespace: the Lifecycle Manager chooses it.
fn rendered(kind: &str) -> Value {
    let all = Helm::offline(NAME).template(NAME, &["--set=crds.enabled=false"]);
    let mut object = all.into_iter().find(|object| object["kind"] == kind).expect("the chart has it");
    object["metadata"].as_object_mut().unwrap().remove("namespace");
    object
}

/// An annotation of the chart that holds YAML, such as what its kinds are called.
fn annotation(chart: &Value, name: &str) -> Value {
    let text = chart["annotations"][format!("artifacthub.io/{name}")].as_str().expect("an annotation of the chart");
    serde_saphyr::from_str(text).expect("YAML")
}

fn service_version(chart: &Value) -> Value {
    let named = |kind: &str| json!([{"serviceAccountName": NAME, "rules": rendered(kind)["rules"]}]);
    let kinds = annotation(chart, "crds");
    let owned = kinds.as_array().unwrap().iter().map(|kind| {
        json!({"name": kind["name"], "kind": kind["kind"], "version": kind["version"],
            "displayName": kind["displayName"], "description": kind["description"]})
    });
    let owned: Vec<Value> = owned.collect();
    let image = annotation(chart, "images")[0]["image"].clone();
    let readme = fs::read_to_string(repository().join("README.md")).unwrap();
    let about = readme.split("\n\n").nth(1).expect("the README's first words");
    json!({
        "apiVersion": "operators.coreos.com/v1alpha1",
        "kind": "ClusterServiceVersion",
        "metadata": {
            "name": format!("{NAME}.v{VERSION}"),
            "namespace": "placeholder",
            "annotations": {
                "alm-examples": annotation(chart, "crdsExamples").to_string(),
                "capabilities": annotation_text(chart, "operatorCapabilities"),
                "categories": "Security",
                "containerImage": image,
                "description": chart["description"],
                "repository": chart["home"],
                "support": "scim-operator",
            },
        },
        "spec": {
            "displayName": "SCIM operator",
            "description": about,
            "version": VERSION,
            "minKubeVersion": "1.33.0",
            "maturity": "alpha",
            "keywords": chart["keywords"],
            "links": [{"name": "Documentation", "url": format!("{}/tree/main/docs", chart["home"].as_str().unwrap())}],
            "maintainers": [{"name": "scim-operator", "email": "maintainers@scim-operator.dev"}],
            "provider": {"name": "scim-operator", "url": chart["home"]},
            // What it is allowed, it is allowed in the whole cluster.
            "installModes": [
                {"type": "OwnNamespace", "supported": false}, {"type": "SingleNamespace", "supported": false},
                {"type": "MultiNamespace", "supported": false}, {"type": "AllNamespaces", "supported": true},
            ],
            "customresourcedefinitions": {"owned": owned},
            "install": {"strategy": "deployment", "spec": {
                "clusterPermissions": named("ClusterRole"),
                "permissions": named("Role"),
                "deployments": [{"name": NAME, "spec": rendered("Deployment")["spec"]}],
            }},
        },
    })
}

fn annotation_text<'a>(chart: &'a Value, name: &str) -> &'a str {
    chart["annotations"][format!("artifacthub.io/{name}")].as_str().expect("an annotation of the chart")
}

fn write(file: PathBuf, object: &impl serde::Serialize) {
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, serde_saphyr::to_string(object).unwrap()).unwrap();
}

/// Manifests and metadata, as an image of a bundle holds them.
fn write_bundle(folder: &Path) {
    let chart = fs::read_to_string(repository().join("charts/scim-operator/Chart.yaml")).unwrap();
    let chart = &objects(&chart)[0];
    let manifests = folder.join("manifests");
    write(manifests.join(format!("{NAME}.clusterserviceversion.yaml")), &service_version(chart));
    write(manifests.join("service.yaml"), &rendered("Service"));
    for crd in scim_operator::api::crds() {
        write(manifests.join(format!("{}.yaml", crd.metadata.name.as_deref().unwrap())), &crd);
    }
    let annotations = json!({"annotations": {
        "operators.operatorframework.io.bundle.mediatype.v1": "registry+v1",
        "operators.operatorframework.io.bundle.manifests.v1": "manifests/",
        "operators.operatorframework.io.bundle.metadata.v1": "metadata/",
        "operators.operatorframework.io.bundle.package.v1": NAME,
        "operators.operatorframework.io.bundle.channels.v1": "alpha",
        "operators.operatorframework.io.bundle.channel.default.v1": "alpha",
    }});
    write(folder.join("metadata/annotations.yaml"), &annotations);
}

#[test]
#[ignore = "`make bundle`, which builds the validator"]
fn the_bundle_is_valid() {
    let folder = repository().join("dist/bundle");
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    write_bundle(&folder);
    let verify = |folder: &Path| {
        let mut command = Command::new(part("bin/operator-verify"));
        command.args(["manifests", "--operatorhub_validate", "--object_validate"]).arg(folder);
        let done = command.output().expect("the validator");
        // It says what it finds, and ends with 0 whatever that is.
        (done.status.success(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    let (ended, said) = verify(&folder);
    assert!(ended && !said.contains("level=error"), "{said}");
    println!("{said}");

    // It looks: a bundle without a kind that it says it owns isn't valid.
    let broken = crate::support::scratch().join("data/bundle");
    write_bundle(&broken);
    fs::remove_file(broken.join("manifests/scimusers.scim-operator.dev.yaml")).unwrap();
    let (ended, said) = verify(&broken);
    assert!(!ended || said.contains("level=error"), "{said}");
}
