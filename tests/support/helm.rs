//! The chart, through helm itself.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use super::cluster::succeeded;
use super::{part, repository, scratch};

/// One release of the chart in one namespace.
pub struct Helm {
    kubeconfig: Option<std::path::PathBuf>,
    pub namespace: String,
}

impl Helm {
    /// Without a cluster: it can render.
    pub fn offline(namespace: &str) -> Helm {
        Helm { kubeconfig: None, namespace: namespace.to_owned() }
    }

    pub fn admin(kubeconfig: &Path, namespace: &str) -> Helm {
        Helm { kubeconfig: Some(kubeconfig.to_owned()), namespace: namespace.to_owned() }
    }

    pub fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(part("bin/helm"));
        command.args(args).args(["--namespace", &self.namespace]);
        self.of_its_own(&mut command).output().expect("helm")
    }

    /// A line that a page shows, as a person runs it; it names the namespace itself.
    pub fn line(&self, line: &str) -> String {
        let mut bash = Command::new("bash");
        let path = format!("{}:{}", part("bin").display(), std::env::var("PATH").unwrap());
        bash.args(["-euo", "pipefail", "-c", line]).current_dir(repository()).env("PATH", path);
        succeeded(line, self.of_its_own(&mut bash).output().expect("bash"))
    }

    /// Nobody's own settings, and nobody's own cluster.
    fn of_its_own<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let home = scratch().join("data/helm");
        for name in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            command.env(name, home.join(name));
        }
        let nowhere = home.join("no-kubeconfig");
        command.env("KUBECONFIG", self.kubeconfig.as_deref().unwrap_or(&nowhere))
    }

    /// Its output, when it must succeed.
    pub fn ok(&self, args: &[&str]) -> String {
        succeeded(&format!("helm {args:?}"), self.run(args))
    }

    /// What helm says about something that it must refuse.
    pub fn refused(&self, args: &[&str]) -> String {
        let tried = self.run(args);
        assert!(!tried.status.success(), "was taken: {args:?}");
        String::from_utf8_lossy(&tried.stderr).into_owned()
    }

    /// The rendered objects, hooks included.
    pub fn template(&self, release: &str, args: &[&str]) -> Vec<Value> {
        objects(&self.ok(&[&["template", release, chart().as_str()], args].concat()))
    }

    /// The same as YAML.
    pub fn manifest(&self, release: &str, args: &[&str]) -> String {
        self.ok(&[&["template", release, chart().as_str()], args].concat())
    }
}

/// The chart's directory.
pub fn chart() -> String {
    repository().join("charts/scim-operator").to_string_lossy().into_owned()
}

/// The chart as a release has it: a package.
pub fn packaged_chart() -> String {
    let into = scratch().join("data/chart");
    let into = into.to_string_lossy();
    let helm = Helm::offline("default");
    helm.ok(&["package", &chart(), "--destination", &into]);
    format!("{into}/scim-operator-{}.tgz", env!("CARGO_PKG_VERSION"))
}

/// The documents of a YAML stream.
pub fn objects(yaml: &str) -> Vec<Value> {
    let documents = serde_saphyr::from_multiple::<Value>(yaml).expect("YAML");
    documents.into_iter().filter(|object| !object.is_null()).collect()
}
