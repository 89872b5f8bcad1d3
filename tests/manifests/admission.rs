//! The chart's ValidatingAdmissionPolicies on a real API server, with users who may and users who may not.

use std::time::Duration;

use crate::support::{ControlPlane, Helm, eventually, scratch};
use serde_json::{Value, json};

/// Policies come into force some time after they were written, on a busy machine late.
const PATIENCE: Duration = Duration::from_secs(120);

const HOLD: &str = "3f2a9c0d11b2e477";

/// A namespace that the policies bind, and the users of it.
struct Place {
    cluster: &'static ControlPlane,
    namespace: String,
}

impl Place {
    /// As with `watchNamespaces`: cluster connections are not concerned.
    async fn new(values: &[&str]) -> Place {
        let place = Place::without_policies().await;
        let watched = format!("--set=watchNamespaces={{{}}}", place.namespace);
        place.install(&[&[watched.as_str()], values].concat());
        place
    }

    /// As without: cluster connections are concerned.
    async fn cluster_wide(values: &[&str]) -> Place {
        let place = Place::without_policies().await;
        place.install(values);
        place
    }

    async fn without_policies() -> Place {
        let cluster = ControlPlane::shared().await;
        cluster.install_crds().await;
        Place { cluster, namespace: cluster.namespace().await }
    }

    fn install(&self, values: &[&str]) {
        let named = format!("--set=fullnameOverride={}", self.namespace);
        let args = [&["--show-only=templates/admission.yaml", named.as_str()], values].concat();
        for mut object in Helm::offline(&self.namespace).template("scim-operator", &args) {
            // Other tests of this cluster aren't to notice.
            if object["kind"] == "ValidatingAdmissionPolicyBinding" {
                object["spec"]["matchResources"] = json!({"namespaceSelector": only(&self.namespace)});
            }
            self.cluster.apply("", &object.to_string());
        }
    }

    /// A user of this name with these rules in the namespace, or in the whole cluster.
    fn user(&self, name: &str, everywhere: bool, rules: &Value) -> User {
        let name = format!("{name}-{}", self.namespace);
        let (role, binding) = if everywhere { ("ClusterRole", "ClusterRoleBinding") } else { ("Role", "RoleBinding") };
        for object in [
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": role, "metadata": {"name": name}, "rules": rules}),
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": binding, "metadata": {"name": name},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role, "name": name},
                "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name}]}),
        ] {
            self.cluster.apply(&self.namespace, &object.to_string());
        }
        User { cluster: self.cluster, namespace: self.namespace.clone(), name }
    }

    /// Who may edit everything of ours, and these kinds of Kubernetes' own.
    fn editor(&self) -> User {
        let all = json!([
            rule("scim-operator.dev", &["*"], &["get", "list", "create", "update", "patch", "delete"]),
            rule("", &["secrets", "configmaps"], &["get", "create", "update", "patch"]),
        ]);
        self.user("editor", true, &all)
    }

    fn apply(&self, object: &Value) {
        self.cluster.apply(&self.namespace, &object.to_string());
    }
}

fn only(namespace: &str) -> Value {
    json!({"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": [namespace]}]})
}

#[test]
fn with_watch_namespaces_they_bind_there_and_nothing_else() {
    let all = "--set=admissionPolicies.approve.enabled=true,admissionPolicies.guards.enabled=true,\
        admissionPolicies.labels.enabled=true,watchNamespaces={people}";
    let objects = Helm::offline("x").template("scim-operator", &["--show-only=templates/admission.yaml", all]);
    let of = |kind: &str| objects.iter().filter(|object| object["kind"] == kind).collect::<Vec<_>>();
    let (bindings, policies) = (of("ValidatingAdmissionPolicyBinding"), of("ValidatingAdmissionPolicy"));
    assert_eq!((bindings.len(), policies.len()), (5, 5));
    for binding in bindings {
        assert_eq!(binding["spec"]["matchResources"]["namespaceSelector"], only("people"), "{binding:#}");
    }
    for policy in policies {
        let rules = policy["spec"]["matchConstraints"]["resourceRules"].to_string();
        assert!(!rules.contains("clusterscimconnections"), "{policy:#}");
    }
}

fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> Value {
    json!({"apiGroups": [group], "resources": resources, "verbs": verbs})
}

/// What those may who answer holds: no more than it takes.
fn approving() -> Value {
    let kinds = ["scimconnections", "clusterscimconnections", "scimrosters"];
    json!([rule("scim-operator.dev", &kinds, &["get", "patch", "approve"])])
}

struct User {
    cluster: &'static ControlPlane,
    namespace: String,
    name: String,
}

impl User {
    /// kubectl as this user; what was said when it was refused.
    fn tries(&self, args: &[&str]) -> Result<(), String> {
        let run = self.cluster.kubectl(&[&["-n", &self.namespace, "--as", &self.name], args].concat());
        if run.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&run.stderr).into_owned()) }
    }

    fn patches(&self, kind: &str, name: &str, spec: Value, dry_run: &str) -> Result<(), String> {
        self.tries(&["patch", kind, name, dry_run, "--type=merge", "-p", &json!({"spec": spec}).to_string()])
    }

    /// RBAC and policies are taken up a moment after they were written.
    async fn may(&self, kind: &str, name: &str, spec: Value) {
        let what = format!("{} may write {spec} into {kind}/{name}", self.name);
        eventually(PATIENCE, &what, async || self.patches(kind, name, spec.clone(), "--dry-run=none")).await;
    }

    async fn may_not(&self, kind: &str, name: &str, spec: Value, why: &str) {
        let what = format!("{} may not write {spec} into {kind}/{name}", self.name);
        // What got through before the policy was in force would be no change the next time.
        eventually(PATIENCE, &what, async || match self.patches(kind, name, spec.clone(), "--dry-run=server") {
            Err(said) if said.contains(why) => Ok(()),
            other => Err(other),
        })
        .await;
    }
}

fn connection(kind: &str, name: &str) -> Value {
    let mut object = json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": kind, "metadata": {"name": name},
        "spec": {"baseUrl": "https://scim.example.com", "auth": {"bearerToken": {"secretKeyRef": {"name": "key", "key": "token"}}}},
    });
    if kind == "ClusterScimConnection" {
        object["spec"]["delegation"] = json!([{"namespaceSelector": {}, "userNames": ["*"]}]);
    }
    object
}

fn roster() -> Value {
    json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimRoster", "metadata": {"name": "people"},
        "spec": {"connectionRef": {"name": "example"}, "preset": "EntraGeneric", "source": {"inline": []}},
    })
}

const NO_APPROVER: &str = "may be changed by those who hold the verb approve";
const NO_LOOSENER: &str = "guards may be loosened by those who hold the verb approve";

#[tokio::test]
async fn who_answers_a_hold_holds_the_verb_approve() {
    let place = Place::cluster_wide(&["--set=admissionPolicies.approve.enabled=true"]).await;
    let cluster_wide = format!("shared-{}", place.namespace);
    place.apply(&connection("ScimConnection", "example"));
    place.apply(&connection("ScimConnection", "other"));
    place.apply(&connection("ClusterScimConnection", &cluster_wide));
    place.apply(&roster());
    let editor = place.editor();
    let approver = place.user("approver", true, &approving());
    for (kind, name) in
        [("scimconnection", "example"), ("clusterscimconnection", cluster_wide.as_str()), ("scimroster", "people")]
    {
        editor.may_not(kind, name, json!({"approvedHold": HOLD}), NO_APPROVER).await;
        editor.may_not(kind, name, json!({"rejectedHold": HOLD}), NO_APPROVER).await;
        approver.may(kind, name, json!({"approvedHold": HOLD})).await;
        // Neither is an answer taken back or exchanged; everything else is the editor's still.
        editor.may_not(kind, name, json!({"approvedHold": null}), NO_APPROVER).await;
        editor.may_not(kind, name, json!({"approvedHold": "0000000000000000"}), NO_APPROVER).await;
        editor.may(kind, name, json!({"suspend": true})).await;
    }

    // An object that is made with an answer in it.
    let mut answered = connection("ScimConnection", "third");
    answered["spec"]["approvedHold"] = json!(HOLD);
    let file = scratch().join(format!("data/{}.json", place.namespace));
    std::fs::write(&file, answered.to_string()).unwrap();
    let said = editor.tries(&["create", "-f", file.to_str().unwrap()]).expect_err("made with an answer in it");
    assert!(said.contains(NO_APPROVER), "{said}");

    // By name: RBAC's resourceNames.
    let mut one = rule("scim-operator.dev", &["scimconnections"], &["get", "patch", "approve"]);
    one["resourceNames"] = json!(["other"]);
    let rest = rule("scim-operator.dev", &["scimconnections"], &["get", "patch"]);
    let of_one = place.user("of-one", false, &json!([one, rest]));
    let another = json!({"rejectedHold": "1111111111111111"});
    of_one.may("scimconnection", "other", another.clone()).await;
    of_one.may_not("scimconnection", "example", another, NO_APPROVER).await;

    // Elsewhere nothing is bound.
    let elsewhere = Place { cluster: place.cluster, namespace: place.cluster.namespace().await };
    elsewhere.apply(&connection("ScimConnection", "example"));
    let there = User { namespace: elsewhere.namespace.clone(), cluster: place.cluster, name: editor.name.clone() };
    there.may("scimconnection", "example", json!({"approvedHold": HOLD})).await;
}

#[tokio::test]
async fn who_may_change_people_does_not_approve() {
    let approve = "--set=admissionPolicies.approve.enabled=true,admissionPolicies.approve.separate=true";
    let place = Place::new(&[approve]).await;
    place.apply(&connection("ScimConnection", "example"));
    place.apply(&roster());
    let with = |name: &str, resource: &str, verb: &str| {
        let mut rules = approving();
        rules.as_array_mut().unwrap().push(rule("scim-operator.dev", &[resource], &[verb]));
        place.user(name, false, &rules)
    };
    for (name, resource, verb) in [
        ("deleter", "scimusers", "delete"),
        ("patcher", "scimusers", "patch"),
        ("grouper", "scimgroups", "update"),
        ("maker", "scimrosters", "create"),
        ("sweeper", "scimgroups", "deletecollection"),
    ] {
        let why = format!("{verb} {resource} there");
        let user = with(name, resource, verb);
        // The last word of the message is the same for both verbs of it.
        let why = if ["create", "update"].contains(&verb) { format!("{resource} there") } else { why };
        user.may_not("scimconnection", "example", json!({"approvedHold": HOLD}), &why).await;
    }
    // A roster's hold is answered in the roster, so that one right on rosters has to be there; people's aren't.
    let of_rosters = place.user(
        "of-rosters",
        false,
        &json!([rule("scim-operator.dev", &["scimrosters"], &["get", "patch", "approve"])]),
    );
    of_rosters.may("scimroster", "people", json!({"approvedHold": HOLD})).await;
    let of_connections = place.user(
        "of-connections",
        false,
        &json!([rule("scim-operator.dev", &["scimconnections"], &["get", "patch", "approve"])]),
    );
    of_connections.may("scimconnection", "example", json!({"approvedHold": HOLD})).await;
}

#[tokio::test]
async fn guards_are_loosened_by_approvers_and_not_with_an_approval() {
    let place = Place::cluster_wide(&["--set=admissionPolicies.guards.enabled=true"]).await;
    let cluster_wide = format!("guarded-{}", place.namespace);
    let mut example = connection("ScimConnection", "example");
    example["spec"]["guards"] = json!({"creates": {"maxCount": 10}, "protected": ["a@example.com", "b@example.com"]});
    example["spec"]["mode"] = json!("Plan");
    place.apply(&example);
    place.apply(&connection("ClusterScimConnection", &cluster_wide));
    place.apply(&roster());
    let editor = place.editor();
    let approver = place.user("approver", true, &approving());
    let loosenings = [
        json!({"guards": {"removals": {"maxPercent": 50}}}),
        json!({"guards": {"rewrites": {"minCount": 6}}}),
        json!({"guards": {"memberships": {"maxCount": 501}}}),
        json!({"guards": {"groups": {"window": "1h"}}}),
    ];
    for loosened in &loosenings {
        editor.may_not("scimconnection", "example", loosened.clone(), NO_LOOSENER).await;
        editor.may_not("clusterscimconnection", &cluster_wide, loosened.clone(), NO_LOOSENER).await;
    }
    for loosened in [
        json!({"guards": {"creates": null}}),
        json!({"guards": {"creates": {"maxCount": 11}}}),
        json!({"guards": {"creates": {"window": "1m"}}}),
        json!({"guards": {"protected": ["a@example.com"]}}),
        json!({"guards": {"protected": null}}),
        json!({"mode": "Apply"}),
    ] {
        editor.may_not("scimconnection", "example", loosened, NO_LOOSENER).await;
    }
    editor.may_not("scimroster", "people", json!({"guard": {"maxPercent": 100}}), NO_LOOSENER).await;

    // Tighter is anybody's, as is what has nothing to do with guards.
    for tighter in [
        json!({"guards": {"removals": {"maxPercent": 1, "minCount": 0, "window": "48h"}, "protected": ["a@example.com", "b@example.com", "c@example.com"]}}),
        json!({"suspend": true}),
    ] {
        editor.may("scimconnection", "example", tighter).await;
    }

    let both = json!({"approvedHold": HOLD, "guards": {"removals": {"maxPercent": 50}}});
    let why = "an update that answers a hold may not loosen a guard as well";
    approver.may_not("scimconnection", "example", both.clone(), why).await;
    approver.may_not("clusterscimconnection", &cluster_wide, both, why).await;
    approver.may_not("scimroster", "people", json!({"approvedHold": HOLD, "guard": {"minCount": 9}}), why).await;
    approver.may("scimconnection", "example", json!({"guards": {"removals": {"maxPercent": 50}}})).await;
    approver.may("clusterscimconnection", &cluster_wide, json!({"guards": {"removals": {"maxPercent": 50}}})).await;
    approver.may("scimroster", "people", json!({"guard": {"minCount": 9}})).await;
    approver.may("scimconnection", "example", json!({"approvedHold": HOLD})).await;
}

#[tokio::test]
async fn labels_are_given_by_those_who_hold_the_verb() {
    let place = Place::new(&["--set=admissionPolicies.labels.enabled=true"]).await;
    for name in ["key", "rows"] {
        place.apply(&json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}}));
        place.apply(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}));
    }
    let editor = place.editor();
    let keeper = place.user(
        "keeper",
        false,
        &json!([
            rule("", &["secrets"], &["get", "patch", "label-credentials"]),
            rule("", &["configmaps"], &["get", "patch", "label-roster-source"]),
        ]),
    );
    let label = |user: &User, object: &str, label: &str| {
        user.tries(&["label", "--overwrite", object, &format!("scim-operator.dev/{label}")])
    };
    let refused = async |user: &User, object: &str, what: &str| {
        eventually(PATIENCE, &format!("{} may not label {object} {what}", user.name), async || {
            // As it was, should the policy not be there yet.
            match label(user, object, what) {
                Err(said) if said.contains("may be given by those who hold the verb label-") => Ok(()),
                Ok(()) => {
                    let name = what.split('=').next().unwrap();
                    place.cluster.kubectl_ok(&[
                        "-n",
                        &place.namespace,
                        "label",
                        object,
                        &format!("scim-operator.dev/{name}-"),
                    ]);
                    Err("was labelled".to_owned())
                }
                Err(said) => Err(said),
            }
        })
        .await;
    };
    refused(&editor, "secret/key", "credentials=true").await;
    refused(&editor, "secret/rows", "roster-source=true").await;
    refused(&editor, "configmap/rows", "roster-source=true").await;
    // One verb isn't the other.
    refused(&keeper, "secret/rows", "roster-source=true").await;
    for (object, what) in [("secret/key", "credentials=true"), ("configmap/rows", "roster-source=true")] {
        eventually(PATIENCE, "the keeper labels it", async || label(&keeper, object, what)).await;
    }
    // What is labelled is edited as before, and unlabelled by anybody.
    editor.tries(&["annotate", "secret", "key", "example.com/a=b"]).expect("an edit");
    editor.tries(&["label", "secret", "key", "scim-operator.dev/credentials-"]).expect("the label taken off");
    refused(&editor, "secret/key", "credentials=true").await;
    // Nor is anything made with it.
    let made = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "made", "labels": {"scim-operator.dev/roster-source": "true"}}});
    let file = scratch().join(format!("data/{}.json", place.namespace));
    std::fs::write(&file, made.to_string()).unwrap();
    let said = editor.tries(&["create", "-f", file.to_str().unwrap()]).expect_err("made with the label");
    assert!(said.contains("label-roster-source"), "{said}");
}
