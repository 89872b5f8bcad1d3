//! `plan` for what files lay over a cluster, and for cluster connections.

use serde_json::{Value, json};

use crate::importing::{all_ready, at};
use crate::kit::Place;
use crate::planning::{Folder, account, group, object, user};
use crate::support::{Sandbox, scratch, unique};
use crate::{json_of, printed, program, scim, stderr};

#[tokio::test]
async fn what_no_file_has_would_be_pruned_and_nothing_else() {
    let sandbox = Sandbox::start();
    let place = at(&sandbox).await;
    let here = |mut object: Value| {
        object["spec"]["connectionRef"] = json!({"name": "jackson"});
        object
    };
    for object in [user("ada", "Countess"), user("grace", "Admiral"), group("team", &["ada"])] {
        place.apply(here(object));
    }
    all_ready(&place, "scimuser").await;
    all_ready(&place, "scimgroup").await;
    let folder = Folder::of(&sandbox.base_url, &sandbox.token, &json!({}), &[here(user("ada", "Countess"))]);
    let folder = folder.without_connection();
    let args = ["plan", "--allow-loopback-http", "-R", "-f", folder.path(), "--against", "-o", "json"];
    let journal = sandbox.admin("GET", "/journal", None).await;
    let kept = scim(&place.namespace, &args).await;
    assert_eq!(kept.status.code(), Some(0), "{}{}", printed(&kept), stderr(&kept));
    let pruned = scim(&place.namespace, &[&args[..], &["--prune"]].concat()).await;
    let plans = json_of(&pruned);
    assert_eq!(pruned.status.code(), Some(2), "{plans:#}");
    let actions = ["ada", "grace", "team"].map(|name| object(&plans, name)["action"].clone());
    assert_eq!(actions, ["nothing", "deactivate", "release"], "{plans:#}");
    assert_eq!(sandbox.admin("GET", "/journal", None).await, journal, "nothing was written since");
}

/// Objects that were taken out of one cluster begin anew in another: whom they are bound to is nothing that a file says.
#[tokio::test]
async fn i22_what_was_exported_is_planned_as_another_cluster_makes_it() {
    let sandbox = Sandbox::start();
    let place = at(&sandbox).await;
    let here = |mut object: Value| {
        object["spec"]["connectionRef"] = json!({"name": "jackson"});
        object
    };
    for object in [user("ada", "Countess"), group("team", &["ada"])] {
        place.apply(here(object));
    }
    all_ready(&place, "scimuser").await;
    all_ready(&place, "scimgroup").await;
    let exported = place.kubectl(&["get", "scimconnection,scimuser,scimgroup", "-o", "yaml"]);
    let folder = Folder::of(&sandbox.base_url, &sandbox.token, &json!({}), &[]).without_connection();
    std::fs::write(folder.path.join("people/all.json"), "").expect("a file");
    std::fs::write(folder.path.join("people/exported.yaml"), exported).expect("a file");
    let output = folder.plan(&["-o", "json"]).await;
    let plans = json_of(&output);
    assert_eq!(output.status.code(), Some(3), "{plans:#}{}", stderr(&output));
    assert_eq!(object(&plans, "ada")["action"], "adopt", "{plans:#}");
    let team = object(&plans, "team");
    assert_eq!(team["action"], "refused", "groups are adopted by nobody who didn't ask for it: {plans:#}");
}

/// Both tenants of a cluster connection have a user of that name.
#[tokio::test]
async fn i26_nobody_is_told_of_another_tenants_object() {
    let sandbox = Sandbox::start();
    let place = Place::without_operator().await;
    place.cluster.install_crds().await;
    let name = unique("shared");
    let mut connection = delegating(&name, &sandbox.base_url);
    connection["spec"]["delegation"] =
        json!([{"namespaceSelector": {}, "userNames": ["*@example.com"], "groups": ["*"]}]);
    place.cluster.apply("", &connection.to_string());
    let mut tenants = [place.namespace.clone(), place.cluster.namespace().await];
    tenants.sort_unstable();
    for tenant in &tenants {
        let mut ada = user("ada", "Engineer");
        ada["spec"]["connectionRef"] = json!({"kind": "ClusterScimConnection", "name": name});
        ada["spec"]["userName"] = json!(format!("{tenant}@example.com"));
        place.cluster.apply(tenant, &ada.to_string());
    }
    let ours = account(&sandbox, &tenants[1], "Engineer").await;
    let key = scratch().join(unique("key"));
    std::fs::write(&key, &sandbox.token).expect("a file");
    let by = ["--key-file", &key.to_string_lossy(), "--allow-loopback-http", "-o", "json"];
    let plan = scim(&tenants[1], &[&["plan", "user/ada"][..], &by].concat()).await;
    let explained = scim(&tenants[1], &[&["explain", "user/ada", "--live"][..], &by].concat()).await;
    place.cluster.kubectl_ok(&["delete", "clusterscimconnection", &name, "--wait=false"]);
    let plans = json_of(&plan);
    let all = plans[0]["objects"].as_array().expect("objects");
    assert_eq!(all.iter().map(|object| &object["namespace"]).collect::<Vec<_>>(), [&tenants[1]], "{plans:#}");
    let steps = printed(&explained);
    assert!(steps.contains(&format!("read now: the account {ours}")), "{steps}{}", stderr(&explained));
}

/// A cluster connection that delegates to the namespaces with a label.
fn delegating(name: &str, base_url: &str) -> Value {
    json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ClusterScimConnection", "metadata": {"name": name},
        "spec": {"baseUrl": base_url, "auth": {"bearerToken": {"secretKeyRef": {"name": "key", "key": "token"}}},
            "delegation": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "tenant"}},
                "userNames": ["*@example.com"], "groups": ["*"]}]},
    })
}

#[tokio::test]
async fn i26_a_cluster_connection_is_planned_for_the_namespaces_that_it_delegates_to() {
    let sandbox = Sandbox::start();
    let of = |namespace: &str, name: &str| {
        let mut user = user(name, "Engineer");
        user["metadata"]["namespace"] = json!(namespace);
        user["spec"]["connectionRef"] = json!({"kind": "ClusterScimConnection", "name": "shared"});
        user
    };
    let namespace = |name: &str| {
        json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}}})
    };
    let objects = [
        delegating("shared", &sandbox.base_url),
        namespace("tenant"),
        namespace("other"),
        of("tenant", "ada"),
        of("other", "eve"),
    ];
    let folder = Folder::of(&sandbox.base_url, &sandbox.token, &json!({}), &objects).without_connection();
    let output = folder.plan(&["cluster/shared", "-o", "json"]).await;
    let plans = json_of(&output);
    assert_eq!(output.status.code(), Some(3), "{plans:#}{}", stderr(&output));
    assert_eq!(object(&plans, "ada")["action"], "create", "{plans:#}");
    assert_eq!(object(&plans, "eve")["action"], "refused", "{plans:#}");

    // Of a cluster the labels are its own.
    let place = Place::without_operator().await;
    place.cluster.install_crds().await;
    let name = unique("plan");
    let mut connection = delegating(&name, &sandbox.base_url);
    connection["spec"]["delegation"][0]["namespaceSelector"]["matchLabels"] =
        json!({"kubernetes.io/metadata.name": place.namespace});
    place.cluster.apply("", &connection.to_string());
    let mut ada = user("ada", "Engineer");
    ada["spec"]["connectionRef"] = json!({"kind": "ClusterScimConnection", "name": name});
    place.apply(ada);
    let key = scratch().join(unique("key"));
    std::fs::write(&key, &sandbox.token).expect("a file");
    let key = key.to_string_lossy().into_owned();
    let target = format!("cluster/{name}");
    let args = ["plan", &target, "--key-file", &key, "--allow-loopback-http"];
    let output = scim(&place.namespace, &args).await;
    let text = printed(&output);
    let unnamed = scim(&place.namespace, &[&args[..1], &args[2..]].concat()).await;
    // Another namespace has declared the same person before.
    let other = place.cluster.namespace().await;
    let mut elsewhere = json!({"metadata": {"name": "later"}});
    elsewhere["apiVersion"] = json!("scim-operator.dev/v1alpha1");
    elsewhere["kind"] = json!("ScimUser");
    elsewhere["spec"] =
        json!({"connectionRef": {"kind": "ClusterScimConnection", "name": name}, "userName": "ada@example.com"});
    let both = json!([{"namespaceSelector": {}, "userNames": ["*@example.com"], "groups": ["*"]}]);
    let patch = json!({"spec": {"delegation": both}}).to_string();
    place.cluster.kubectl_ok(&["patch", "clusterscimconnection", &name, "--type=merge", "-p", &patch]);
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    place.cluster.apply(&other, &elsewhere.to_string());
    let twice = scim(&other, &[&args[..], &["-o", "json"]].concat()).await;
    place.cluster.kubectl_ok(&["delete", "clusterscimconnection", &name, "--wait=false"]);
    let plans = json_of(&twice);
    assert_eq!(object(&plans, "later")["action"], "refused", "{plans:#}{}", stderr(&twice));
    assert!(output.status.code() == Some(2) && text.contains("1 to create"), "{text}{}", stderr(&output));
    assert!(unnamed.status.code() == Some(2) && printed(&unnamed).contains("1 to create"), "{}", stderr(&unnamed));

    // Whoever may not read what is the cluster's is told so.
    let nobody = place.cluster.kubeconfig_for_service_account(&place.namespace, "nobody");
    let mut command = program(&nobody);
    command.args(["-n", &place.namespace]).args(args);
    let refused = tokio::task::spawn_blocking(move || command.output().expect("kubectl-scim")).await.expect("it ran");
    assert!(refused.status.code() == Some(1) && stderr(&refused).contains("ask for a Role"), "{}", stderr(&refused));
}
