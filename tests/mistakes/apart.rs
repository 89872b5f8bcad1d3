//! A cluster of a test's own, for what concerns every operator there.

use serde_json::{Value, json};

use crate::elsewhere::held;
use crate::kit::{PATIENCE, Place, install_in};
use crate::support::{ControlPlane, Operator, OperatorBuilder, Sandbox, eventually};

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
