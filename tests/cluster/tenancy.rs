//! Cluster connections: what is delegated can be used, and nothing else (promise I26).

use serde_json::{Value, json};

use crate::elsewhere::held;
use crate::kit::{PATIENCE, Place, condition, operator_namespace};
use crate::support::{Helm, Sandbox, eventually};

/// Two namespaces and a cluster connection, which delegates everything to the first and engineers to the second.
struct Tenants {
    sandbox: Sandbox,
    owner: Place,
    tenant: Place,
}

impl Tenants {
    async fn new() -> Self {
        let (sandbox, owner, tenant) = (Sandbox::start(), Place::new().await, Place::new().await);
        let name = &owner.namespace;
        let home = operator_namespace().await;
        owner.cluster.apply(
            &home,
            &json!({
                "apiVersion": "v1", "kind": "Secret",
                "metadata": {"name": name, "labels": {"scim-operator.dev/credentials": "true"}},
                "stringData": {"token": sandbox.token},
            })
            .to_string(),
        );
        let by_name = |namespace: &str| json!({"matchLabels": {"kubernetes.io/metadata.name": namespace}});
        let connection = json!({
            "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ClusterScimConnection",
            "metadata": {"name": name},
            "spec": {
                "baseUrl": sandbox.base_url,
                "auth": {"bearerToken": {"secretKeyRef": {"name": name, "key": "token"}}},
                "adoptionPolicy": {"users": "Adopt", "groups": "Adopt"},
                "resyncInterval": "10s",
                "delegation": [
                    {"namespaceSelector": by_name(name), "userNames": ["*"], "groups": ["*"], "trusted": true},
                    {"namespaceSelector": by_name(&tenant.namespace), "userNames": ["*@eng.example.com"],
                        "groups": ["eng-*"]},
                    {"namespaceSelector": {"matchLabels": {"example.com/late": name}}, "userNames": ["late*"]},
                ],
            },
        });
        owner.cluster.apply("", &connection.to_string());
        owner.cluster.kubectl_ok(&["wait", "clusterscimconnection", name, "--for=condition=Ready", "--timeout=90s"]);
        Self { sandbox, owner, tenant }
    }

    /// A ScimUser that refers to the cluster connection.
    fn user(&self, place: &Place, name: &str, user_name: &str, fields: Value) {
        let mut all = json!({
            "connectionRef": {"kind": "ClusterScimConnection", "name": self.owner.namespace},
            "userName": user_name, "emails": [{"value": user_name, "type": "work"}],
        });
        let more = fields.as_object().cloned().unwrap_or_default();
        all.as_object_mut().expect("an object").extend(more);
        place.user(name, all);
    }

    async fn ceo(&self) -> Value {
        held(&self.sandbox, "ceo@example.com").await[0].clone()
    }
}

#[tokio::test]
async fn i26_a_tenant_reaches_nobody_outside_of_its_delegation() {
    let tenants = Tenants::new().await;
    let (owner, tenant) = (&tenants.owner, &tenants.tenant);
    tenants.user(owner, "ceo", "ceo@example.com", json!({"externalId": "e-1", "title": "Chief"}));
    owner.synced("ceo").await;
    tenants.user(tenant, "ada", "ada@eng.example.com", json!({}));
    let ada = tenant.synced("ada").await;
    let before = tenants.ceo().await;

    let inside = "bob@eng.example.com";
    let tried = [
        ("by-name", "ceo@example.com", json!({})),
        ("by-case", "CEO@Example.com", json!({})),
        ("by-email", inside, json!({"emails": [{"value": "ceo@example.com"}]})),
        ("by-external-id", inside, json!({"externalId": "e-1"})),
        ("by-role", inside, json!({"roles": [{"value": "admin"}]})),
        ("by-entitlement", inside, json!({"entitlements": [{"value": "all"}]})),
        ("by-manager", inside, json!({"enterprise": {"manager": {"value": before["id"]}}})),
        ("by-extension", inside, json!({"extensions": {"urn:example:x": {"admin": true}}})),
    ];
    for (number, (name, user_name, fields)) in tried.into_iter().enumerate() {
        // One account each, should it ever be made.
        let user_name = if user_name == inside { format!("b{number}@eng.example.com") } else { user_name.to_owned() };
        tenants.user(tenant, name, &user_name, fields);
        let user = eventually(PATIENCE, name, async || {
            let user = tenant.get(name).await.ok_or(Value::Null)?;
            let reason = condition(&user, "Ready")["reason"].clone();
            if reason == "NotAllowed" || reason == "Conflict" { Ok(user) } else { Err(user["status"].clone()) }
        })
        .await;
        assert_eq!(user["status"]["id"], Value::Null, "{name}: {user}");
    }
    // Bound already, and then renamed; or pointed at the account by its id.
    tenants.user(tenant, "ada", "ceo@example.com", json!({}));
    tenant.is("ada", "False", "NotAllowed").await;
    tenants.user(tenant, "raw", "raw@eng.example.com", json!({}));
    tenant.annotate("raw", &format!("remote-id={}", before["id"].as_str().expect("an id")));
    tenants.user(tenant, "raw", "raw2@eng.example.com", json!({}));
    tenant.is("raw", "False", "NotAllowed").await;
    let now = tenants.ceo().await;
    assert_eq!(now["history"], before["history"], "the account was written to");
    assert_eq!(held(&tenants.sandbox, "ada@eng.example.com").await[0]["id"], *ada);

    // Groups: by their names, by raw ids, by the names of members, and never others' people by their labels.
    let group = |name: &str, fields: Value| {
        let mut spec = json!({
            "connectionRef": {"kind": "ClusterScimConnection", "name": owner.namespace},
            "displayName": name, "membership": "Exact",
        });
        spec.as_object_mut().expect("an object").extend(fields.as_object().cloned().unwrap_or_default());
        let meta = json!({"name": name});
        tenant.apply(
            json!({"apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimGroup", "metadata": meta, "spec": spec}),
        );
    };
    owner.kubectl(&["label", "scimuser", "ceo", "team=eng"]);
    group("admins", json!({"memberSelector": {"matchLabels": {"team": "eng"}}}));
    group("eng-raw", json!({"members": [{"id": before["id"]}]}));
    group("eng-name", json!({"members": [{"userName": "ceo@example.com"}]}));
    group("eng-all", json!({"memberSelector": {"matchLabels": {"team": "eng"}}}));
    for name in ["admins", "eng-raw", "eng-name"] {
        let wanted = r#"jsonpath={.status.conditions[?(@.type=="Ready")].reason}=NotAllowed"#;
        tenant.kubectl(&["wait", "scimgroup", name, &format!("--for={wanted}"), "--timeout=90s"]);
    }
    tenant.kubectl(&["wait", "scimgroup", "eng-all", "--for=condition=Ready", "--timeout=90s"]);
    let members = tenant.kubectl(&["get", "scimgroup", "eng-all", "-o", "jsonpath={.status.members}"]);
    assert!(members.contains(r#""declared":0"#) && members.contains(r#""present":0"#), "{members}");

    // Whoever isn't allowed the name doesn't keep the account from its end, either.
    owner.delete("ceo");
    owner.is_gone("ceo").await;
    assert_eq!(tenants.ceo().await["active"], false);
}

/// Writes a status as somebody does who was given the right to.
fn forge(place: &Place, resource: &str, name: &str, status: &Value) {
    let patch = json!({"status": status}).to_string();
    place.kubectl(&["patch", resource, name, "--subresource=status", "--type=merge", "-p", &patch]);
}

#[tokio::test]
async fn i32_a_forged_status_reaches_nobody_elses_account() {
    let tenants = Tenants::new().await;
    let (owner, tenant) = (&tenants.owner, &tenants.tenant);
    tenants.user(owner, "ceo", "ceo@example.com", json!({"title": "Chief"}));
    let ceo = owner.synced("ceo").await;
    tenants.user(tenant, "ada", "ada@eng.example.com", json!({}));
    let ada = tenant.synced("ada").await;
    let server = tenant.get("ada").await.expect("ada")["status"]["boundTo"].clone();
    let before = tenants.ceo().await;

    for change in [json!({"active": false}), json!({"title": "Nobody"})] {
        forge(tenant, "scimuser", "ada", &json!({"id": ceo, "boundTo": server, "userName": "ada@eng.example.com"}));
        tenants.user(tenant, "ada", "ada@eng.example.com", change);
        tenant.is("ada", "False", "NotAllowed").await;
    }
    tenant.kubectl(&["delete", "scimuser", "ada", "--wait=false"]);
    tenant.is("ada", "False", "NotAllowed").await;
    // Nor does it keep the owner from their own.
    tenants.user(owner, "ceo", "ceo@example.com", json!({"title": "President"}));
    owner.synced("ceo").await;
    let now = tenants.ceo().await;
    assert_eq!((&now["active"], &now["resource"]["title"]), (&json!(true), &json!("President")));
    assert_eq!(now["resource"]["userName"], before["resource"]["userName"]);
    assert_ne!(ada, ceo);

    // A name in a group of the tenant's own, whose status says that it is another one.
    let group = |place: &Place, name: &str| {
        place.apply(json!({
            "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimGroup", "metadata": {"name": name},
            "spec": {"connectionRef": {"kind": "ClusterScimConnection", "name": owner.namespace}, "displayName": name,
                "membership": "Exact", "deletionPolicy": null},
        }));
    };
    group(owner, "board");
    owner.kubectl(&["wait", "scimgroup", "board", "--for=condition=Ready", "--timeout=90s"]);
    let board = owner.kubectl(&["get", "scimgroup", "board", "-o", "jsonpath={.status.id}"]);
    // Claims the name without a right to it, and keeps nobody from it.
    tenant.apply(json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimGroup",
        "metadata": {"name": "eng-b", "annotations": {"scim-operator.dev/claimed-group": "council"},
            "finalizers": ["scim-operator.dev/deprovision"]},
        "spec": {"connectionRef": {"kind": "ClusterScimConnection", "name": owner.namespace}, "displayName": "council",
            "membership": "Exact"},
    }));
    group(owner, "council");
    owner.kubectl(&["wait", "scimgroup", "council", "--for=condition=Ready", "--timeout=90s"]);
    group(tenant, "eng-a");
    tenant.kubectl(&["wait", "scimgroup", "eng-a", "--for=condition=Ready", "--timeout=90s"]);
    forge(tenant, "scimgroup", "eng-a", &json!({"id": board, "boundTo": server}));
    tenant.kubectl(&["annotate", "scimgroup", "eng-a", "scim-operator.dev/reconcile-requested-at=now"]);
    let wanted = r#"jsonpath={.status.conditions[?(@.type=="Ready")].reason}=NotAllowed"#;
    tenant.kubectl(&["wait", "scimgroup", "eng-a", &format!("--for={wanted}"), "--timeout=90s"]);
    let (_, shown) = tenants.sandbox.scim("GET", &format!("/Groups/{board}"), None).await;
    assert_eq!(shown["displayName"], "board");
}

/// What statuses say of who was brought into a group, by whom it was never said.
#[tokio::test]
async fn i32_a_forged_record_takes_nobody_out_of_a_group() {
    let tenants = Tenants::new().await;
    let (owner, tenant) = (&tenants.owner, &tenants.tenant);
    tenants.user(owner, "ceo", "ceo@example.com", json!({}));
    let ceo = owner.synced("ceo").await;
    tenants.user(tenant, "ada", "ada@eng.example.com", json!({}));
    let ada = tenant.synced("ada").await;
    let group = |place: &Place, name: &str, members: Value| {
        place.apply(json!({
            "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimGroup", "metadata": {"name": name},
            "spec": {"connectionRef": {"kind": "ClusterScimConnection", "name": owner.namespace}, "displayName": name,
                "membership": "Additive", "members": members},
        }));
    };
    let body = |name: &str| {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": name,
            "members": [{"value": ceo}, {"value": ada}],
        })
    };
    // Put in by others, both of them.
    for name in ["board", "eng-board"] {
        assert_eq!(tenants.sandbox.scim("POST", "/Groups", Some(body(name))).await.0, 201);
    }
    group(owner, "board", json!([{"userName": "ceo@example.com"}]));
    group(tenant, "eng-board", json!([{"userRef": {"name": "ada"}}]));
    let ready = |place: &Place, name: &str| {
        place.kubectl(&["wait", "scimgroup", name, "--for=condition=Ready", "--timeout=90s"]);
        place.kubectl(&["get", "scimgroup", name, "-o", "jsonpath={.status.id}"])
    };
    let (board, eng) = (ready(owner, "board"), ready(tenant, "eng-board"));
    // Of its own account, and of somebody else's; in the object of a user, and of a group.
    forge(tenant, "scimuser", "ada", &json!({"groups": {board.as_str(): ceo, eng.as_str(): ceo}}));
    forge(tenant, "scimgroup", "eng-board", &json!({"broughtIn": [ceo]}));
    group(owner, "board", json!([]));
    for (place, name) in [(owner, "board"), (tenant, "eng-board")] {
        place.kubectl(&["annotate", "scimgroup", name, "scim-operator.dev/reconcile-requested-at=now"]);
    }
    tokio::time::sleep(std::time::Duration::from_secs(25)).await;
    ready(owner, "board");
    for id in [&board, &eng] {
        let (_, shown) = tenants.sandbox.scim("GET", &format!("/Groups/{id}"), None).await;
        assert_eq!(shown["members"].as_array().map(Vec::len), Some(2), "{shown}");
    }
    // What is truly on record goes: it is declared, and then no longer.
    tenants.user(owner, "cto", "cto@example.com", json!({}));
    let cto = owner.synced("cto").await;
    let is_in = async |expected: bool| {
        eventually(PATIENCE, "cto's membership", async || {
            let (_, shown) = tenants.sandbox.scim("GET", &format!("/Groups/{board}"), None).await;
            let known = shown["members"].as_array().into_iter().flatten().any(|one| one["value"] == *cto);
            if known == expected { Ok(()) } else { Err(shown) }
        })
        .await;
    };
    group(owner, "board", json!([{"userName": "cto@example.com"}]));
    is_in(true).await;
    group(owner, "board", json!([]));
    is_in(false).await;
}

#[tokio::test]
async fn i26_a_namespace_is_served_when_its_labels_say_so() {
    let tenants = Tenants::new().await;
    let place = Place::new().await;
    tenants.user(&place, "late", "late@example.com", json!({}));
    let user = place.is("late", "False", "NotAllowed").await;
    let message = condition(&user, "Ready")["message"].to_string();
    assert!(message.contains("delegation"), "{message}");
    let label = format!("example.com/late={}", tenants.owner.namespace);
    place.cluster.kubectl_ok(&["label", "namespace", &place.namespace, &label]);
    place.synced("late").await;
    // Taken back: nothing is changed any more, and nobody loses anything by it.
    place.cluster.kubectl_ok(&["label", "namespace", &place.namespace, "example.com/late-"]);
    tenants.user(&place, "late", "late@example.com", json!({"title": "Late"}));
    place.is("late", "False", "NotAllowed").await;
    let account = held(&tenants.sandbox, "late@example.com").await[0].clone();
    assert_eq!((&account["active"], &account["resource"]["title"]), (&json!(true), &Value::Null));
}

#[tokio::test]
async fn a_cluster_connection_that_is_not_there_is_named() {
    let place = Place::new().await;
    place.user("ada", json!({"connectionRef": {"kind": "ClusterScimConnection", "name": "nowhere"}}));
    let user = place.is("ada", "False", "ConnectionNotFound").await;
    let message = condition(&user, "Ready")["message"].to_string();
    assert!(message.contains("ClusterScimConnection nowhere"), "{message}");
}

/// The chart's additions to view, edit and admin, asked at the API server by people who have these roles.
#[tokio::test]
async fn i32_nobody_writes_a_status_by_an_aggregated_role() {
    let place = Place::connected(json!({})).await;
    place.user("ada", json!({}));
    place.synced("ada").await;
    let roles = ["view", "edit", "admin"];
    let sets = roles.map(|role| format!("--set=rbac.aggregate.{role}=true"));
    let mut args = vec!["--show-only", "templates/aggregate.yaml"];
    args.extend(sets.iter().map(String::as_str));
    place.cluster.apply("", &Helm::offline(&place.namespace).manifest("aggregated", &args));
    for role in roles {
        let user = format!("--user={role}-of-{}", place.namespace);
        place.kubectl(&["create", "rolebinding", role, &format!("--clusterrole={role}"), &user]);
    }
    let tried = |role: &str, verb: &[&str]| {
        let person = format!("--as={role}-of-{}", place.namespace);
        place.cluster.kubectl(&[&["-n", &place.namespace, &person], verb].concat())
    };
    for role in roles {
        eventually(PATIENCE, "the role has what is added to it", async || {
            let read = tried(role, &["get", "scimuser", "ada"]);
            let writes = tried(role, &["label", "--overwrite", "scimuser", "ada", &format!("by={role}")]);
            let expected = (true, role != "view");
            let may = (read.status.success(), writes.status.success());
            if may == expected { Ok(()) } else { Err(may) }
        })
        .await;
        for kind in ["scimusers", "scimgroups", "scimrosters", "scimconnections"] {
            for verb in ["update", "patch"] {
                let asked = tried(role, &["auth", "can-i", verb, kind, "--subresource=status"]);
                assert!(!asked.status.success(), "{role} may {verb} the status of {kind}");
            }
        }
        let forged = r#"{"status":{"id":"somebody-elses"}}"#;
        let patched = tried(role, &["patch", "scimuser", "ada", "--subresource=status", "--type=merge", "-p", forged]);
        let said = String::from_utf8_lossy(&patched.stderr).into_owned();
        assert!(!patched.status.success() && said.contains("Forbidden"), "{role}: {said}");
    }
    let ada = place.get("ada").await.expect("ada");
    assert_ne!(ada["status"]["id"], "somebody-elses");
}

#[tokio::test]
async fn i15_what_is_delegated_no_longer_is_removed_once_that_is_approved() {
    let tenants = Tenants::new().await;
    let place = Place::new().await;
    let connection = &tenants.owner.namespace;
    let label = format!("example.com/late={connection}");
    place.cluster.kubectl_ok(&["label", "namespace", &place.namespace, &label]);
    for name in ["late-1", "late-2"] {
        tenants.user(&place, name, &format!("{name}@example.com"), json!({}));
        place.synced(name).await;
    }
    place.cluster.kubectl_ok(&["label", "namespace", &place.namespace, "example.com/late-"]);
    place.is("late-1", "False", "NotAllowed").await;
    tenants.user(&place, "late-2", "late-2@example.com", json!({"active": false}));
    place.kubectl(&["delete", "scimuser", "late-1", "--wait=false"]);
    let mut holds = Vec::new();
    for name in ["late-1", "late-2"] {
        let hold = eventually(PATIENCE, &format!("{name} is held"), async || {
            let user = place.get(name).await.ok_or(Value::Null)?;
            let id = user["status"]["hold"]["id"].as_str().map(str::to_owned);
            id.ok_or_else(|| user["status"].clone())
        })
        .await;
        holds.push(hold);
    }
    let active = async |name: &str| held(&tenants.sandbox, &format!("{name}@example.com")).await[0]["active"].clone();
    assert_eq!((active("late-1").await, active("late-2").await), (json!(true), json!(true)));
    let message = condition(&place.get("late-1").await.expect("held"), "Ready")["message"].to_string();
    assert!(message.contains("spec.delegation") && message.contains("clusterscimconnection"), "{message}");
    assert_eq!(holds[0], holds[1], "they arrived together");
    let patch = json!({"spec": {"approvedHold": holds[0]}}).to_string();
    place.cluster.kubectl_ok(&["patch", "clusterscimconnection", connection, "--type=merge", "-p", &patch]);
    eventually(PATIENCE, "both are removed", async || {
        let (one, other) = (active("late-1").await, active("late-2").await);
        let gone = place.get("late-1").await.is_none();
        if gone && [&one, &other] == [&json!(false), &json!(false)] { Ok(()) } else { Err(json!([one, other, gone])) }
    })
    .await;
    // It is what was asked for, and it is said that no more is done for it.
    place.is("late-2", "False", "NotAllowed").await;
}
