//! Bad input is refused at `kubectl apply`, with words that say what to write instead (promise I29): by a real API
//! server, with the CRDs that are shipped. That it takes them at all shows that no rule costs too much.

#![allow(missing_docs)]

#[path = "crds_rules/server.rs"]
mod server;
mod support;

use kube::api::{DynamicObject, PostParams};
use scim_operator::api::{ScimConnection, ScimUser};
use serde_json::{Value, json};
use server::{Server, with_spec};

fn connection() -> Value {
    json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimConnection", "metadata": {"name": "a"},
        "spec": {
            "baseUrl": "https://scim.example.com/scim/v2",
            "auth": {"bearerToken": {"secretKeyRef": {"name": "scim", "key": "token"}}},
        },
    })
}

fn user() -> Value {
    json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimUser", "metadata": {"name": "ada"},
        "spec": {"connectionRef": {"name": "a"}, "userName": "ada@example.com"},
    })
}

#[tokio::test]
async fn i29_bad_connections_are_refused() {
    let server = Server::start().await;
    let key = json!({"name": "scim", "key": "token"});
    let header = |name: &str| json!({"name": name, "secretKeyRef": {"name": "scim", "key": "token"}});
    let one_auth = "exactly one of auth.bearerToken, auth.basic, auth.headers, auth.oauth2ClientCredentials and \
                    auth.clientCertificate";
    let certificate = |name: &str| json!({"secretRef": {"name": name}});
    let https = "write https://; http:// only for localhost, 127.0.0.1 or [::1]";
    let limits = |limits: Value| json!({"rateLimits": limits});
    server
        .refuses::<ScimConnection>(
            &connection(),
            &[
                (json!({"baseUrl": null}), "exactly one of baseUrl and datadog"),
                (json!({"datadog": {"site": "datadoghq.eu"}}), "exactly one of baseUrl and datadog"),
                (json!({"baseUrl": null, "datadog": {"site": "datadoghq.eu"}}), "write provider: Datadog with it"),
                (
                    json!({"provider": "Datadog", "baseUrl": null, "datadog": {"site": "example.com"}}),
                    "Unsupported value",
                ),
                (json!({"baseUrl": "http://scim.example.com"}), https),
                (json!({"baseUrl": "http://localhost.example.com"}), https),
                (json!({"baseUrl": "http://127.0.0.1.example.com"}), https),
                (json!({"baseUrl": "ftp://scim.example.com"}), https),
                (json!({"baseUrl": "https://ada:secret@scim.example.com"}), "leave user, password and fragment out"),
                (json!({"baseUrl": "https://scim.example.com/#a"}), "leave user, password and fragment out"),
                (json!({"baseUrl": "https:///scim/v2"}), "write a whole URL"),
                (json!({"baseUrl": "https://scim.example.com/a b"}), "spec.baseUrl"),
                (json!({"auth": null}), "spec.auth: Required value"),
                (json!({"auth": {"bearerToken": null}}), one_auth),
                (json!({"auth": {"basic": {"username": "a", "passwordSecretKeyRef": key}}}), one_auth),
                (
                    json!({"auth": {"bearerToken": null, "basic": {"passwordSecretKeyRef": key}}}),
                    "either basic.username or basic.usernameSecretKeyRef",
                ),
                (json!({"auth": {"clientCertificate": certificate("client")}}), one_auth),
                (json!({"auth": {"bearerToken": null, "clientCertificate": {}}}), "secretRef: Required value"),
                (
                    json!({"auth": {"bearerToken": null, "clientCertificate": certificate("No Name")}}),
                    "spec.auth.clientCertificate.secretRef.name",
                ),
                (json!({"tls": {"serverName": ""}}), "spec.tls.serverName"),
                (json!({"tls": {"serverName": "https://scim.example.com"}}), "spec.tls.serverName"),
                (json!({"tls": {"serverName": "scim.example.com:443"}}), "spec.tls.serverName"),
                (json!({"auth": {"bearerToken": null, "headers": vec![header("A"); 6]}}), "at most 5"),
                (json!({"auth": {"bearerToken": null, "headers": []}}), "at least 1"),
                (
                    json!({"auth": {"bearerToken": null, "headers": [header("X-Key"), header("x-key")]}}),
                    "write each header once",
                ),
                (json!({"auth": {"bearerToken": null, "headers": [header("Host")]}}), "the operator sets this header"),
                (json!({"tls": {"caBundle": {}}}), "either caBundle.configMapKeyRef or caBundle.secretKeyRef"),
                (
                    json!({"tls": {"caBundle": {"configMapKeyRef": key, "secretKeyRef": key}}}),
                    "either caBundle.configMapKeyRef or caBundle.secretKeyRef",
                ),
                (json!({"resyncInterval": "9s"}), "write at least 10s"),
                (json!({"resyncInterval": "9999ms"}), "write at least 10s"),
                (json!({"resyncInterval": "1d"}), "spec.resyncInterval"),
                (json!({"resyncInterval": ""}), "spec.resyncInterval"),
                (json!({"maxInFlight": 1}), "greater than or equal to 2"),
                (json!({"maxInFlight": 33}), "less than or equal to 32"),
                (json!({"timeouts": {"request": "31s"}}), "write a time from 1s to 30s"),
                (json!({"timeouts": {"connect": "0s"}}), "write a time from 100ms to 30s"),
                (limits(json!([{"requests": 1}, {"requests": 2, "for": "All"}])), "one limit only for each"),
                (limits(json!([{"requests": 0}])), "greater than or equal to 1"),
                (limits(json!([{"requests": 1, "period": "0s"}])), "write a period from 100ms to 24h"),
                (json!({"provider": "Unknown"}), "Unsupported value"),
                (json!({"actions": ["Destroy"]}), "Unsupported value"),
                (json!({"dialect": {"filters": ["title"]}}), "spec.dialect.filters"),
            ],
        )
        .await;
}

#[tokio::test]
async fn good_connections_are_taken_and_filled_in() {
    let server = Server::start().await;
    let key = json!({"name": "scim", "key": "token"});
    server
        .allows::<ScimConnection>(
            &connection(),
            &[
                json!({"baseUrl": "http://localhost:5225/api/scim/v2.0/a?key=b"}),
                json!({"baseUrl": "http://localhost?key=b"}),
                json!({"baseUrl": "http://127.0.0.1:5225"}),
                json!({"baseUrl": "http://[::1]:5225/scim"}),
                json!({"baseUrl": "https://[2001:db8::1]/scim/@ada"}),
                json!({"auth": {"bearerToken": null, "basic": {"username": "a", "passwordSecretKeyRef": key}}}),
                json!({"auth": {"bearerToken": null, "headers": [{"name": "X-Api-Key", "secretKeyRef": key}]}}),
                json!({"auth": {"bearerToken": null, "oauth2ClientCredentials": {
                    "tokenUrl": "https://login.example.com/oauth2/token", "clientId": "a", "clientSecretKeyRef": key,
                }}}),
                json!({"auth": {"bearerToken": null, "clientCertificate": {"secretRef": {"name": "client"}}}}),
                json!({"tls": {"serverName": "scim.example.com"}}),
                json!({"resyncInterval": "10s"}),
                json!({"resyncInterval": "1h30m"}),
                json!({"resyncInterval": "90m10s"}),
                json!({"rateLimits": [{"requests": 10, "burst": 20}, {"for": "Creates", "requests": 1, "period": "10s"}]}),
                json!({"dialect": {"filters": []}}),
                json!({"provider": "Datadog", "baseUrl": null, "datadog": {"site": "us2.ddog-gov.com"}}),
                json!({"provider": "Datadog", "baseUrl": "https://app.datadoghq.com/api/v2/scim?aadOptscim062020"}),
                json!({"actions": []}),
            ],
        )
        .await;

    // What is left out has its default, and what is null counts as left out.
    let mut object = connection();
    object["spec"]["resyncInterval"] = Value::Null;
    object["spec"]["driftPolicy"] = json!({"deleted": "Repair"});
    object["spec"]["rateLimits"] = json!([{"requests": 5}]);
    let spec = server.takes::<ScimConnection>(&object).await.expect("a good connection");
    assert_eq!(spec["resyncInterval"], "30m");
    assert_eq!(spec["driftPolicy"], json!({"attributes": "Repair", "deactivated": "Report", "deleted": "Repair"}));
    assert_eq!(spec["actions"], json!(["Create", "Update", "Deprovision"]));
    // A list stays as it was written: what it leaves out is supplied by the operator.
    assert_eq!(spec["rateLimits"], json!([{"requests": 5}]));
    assert_eq!(spec["provider"], "Generic");
}

#[tokio::test]
async fn i29_bad_users_are_refused() {
    let server = Server::start().await;
    let primaries = json!([{"value": "a@example.com", "primary": true}, {"value": "b@example.com", "primary": true}]);
    let department = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department";
    server
        .refuses::<ScimUser>(
            &user(),
            &[
                (json!({"userName": null}), "spec.userName: Required value"),
                (json!({"userName": ""}), "spec.userName"),
                (json!({"userName": " ada"}), "spec.userName"),
                (json!({"userName": "\u{200b}ada@example.com"}), "has a letter that nobody sees"),
                (json!({"userName": "ada@example.com\u{a0}"}), "has a letter that nobody sees"),
                (json!({"userName": "a\u{200d}da@example.com"}), "has a letter that nobody sees"),
                (json!({"connectionRef": {"name": "A B"}}), "spec.connectionRef.name"),
                (json!({"emails": primaries}), "primary: true at most once in emails"),
                (json!({"phoneNumbers": primaries}), "primary: true at most once in phoneNumbers"),
                (json!({"onCreate": {"roles": primaries}}), "primary: true at most once in roles"),
                (json!({"emails": [{"type": "work"}]}), "spec.emails[0].value: Required value"),
                (json!({"title": "Engineer", "clear": ["title"]}), "declared in spec and named in clear"),
                (json!({"externalId": "1", "clear": ["externalId"]}), "declared in spec and named in clear"),
                (json!({"name": {"givenName": "Ada"}, "clear": ["name"]}), "declared in spec and named in clear"),
                (
                    json!({"name": {"givenName": "Ada"}, "clear": ["name.givenName"]}),
                    "declared in spec and named in clear",
                ),
                (
                    json!({"enterprise": {"department": "A"}, "clear": [department]}),
                    "declared in spec and named in clear",
                ),
                (json!({"onCreate": {"title": "A"}, "clear": ["title"]}), "stand in onCreate and be named in clear"),
                (json!({"title": "A", "onCreate": {"title": "B"}}), "enforced by spec and sent by onCreate"),
                (
                    json!({"name": {"givenName": "A"}, "onCreate": {"name": {"givenName": "B"}}}),
                    "enforced by spec and sent by onCreate",
                ),
                (json!({"clear": ["userName"]}), "spec.clear"),
                (json!({"clear": ["tilte"]}), "spec.clear"),
                (json!({"clear": ["enterprise"]}), "spec.clear"),
                (json!({"access": {}}), "write access.notBefore, access.notAfter or both"),
                (
                    json!({"access": {"notBefore": "2026-02-01T00:00:00Z", "notAfter": "2026-01-01T00:00:00+01:00"}}),
                    "access.notBefore must lie before access.notAfter",
                ),
                (json!({"access": {"notBefore": "2026-02-01"}}), "spec.access.notBefore"),
                (json!({"access": {"notBefore": "2026-02-01T00:00:00"}}), "spec.access.notBefore"),
                (json!({"enterprise": {"manager": {}}}), "either manager.userRef or manager.value"),
                (
                    json!({"enterprise": {"manager": {"value": "1", "userRef": {"name": "grace"}}}}),
                    "either manager.userRef or manager.value",
                ),
                (
                    json!({"onCreate": {"enterprise": {"manager": {"userRef": {"name": "grace"}}}}}),
                    "onCreate can't follow a userRef",
                ),
                (json!({"extensions": {"badge": {}}}), "write the URN of a schema"),
                (
                    json!({"extensions": {"urn:ietf:params:scim:schemas:core:2.0:User": {"password": "a"}}}),
                    "beside userName",
                ),
                (json!({"extensions": {"urn:ietf:params:scim:schemas:core:2.0:user": {"active": false}}}), "beside userName"),
                (
                    json!({"extensions": {"urn:IETF:params:scim:schemas:core:2.0:User:active": {"value": false}}}),
                    "beside userName",
                ),
                (json!({"extensions": {"urn:ietf:params:scim:schemas:core:2.0:Group": {"a": 1}}}), "beside userName"),
                (
                    json!({"extensions": {"urn:ietf:params:scim:schemas:extension:enterprise:2.0:user": {"a": 1}}}),
                    "spec.enterprise",
                ),
                (
                    json!({"extensions": {"urn:ietf:params:scim:schemas:core:2.0:User:": {"active": false}}}),
                    "write the URN of a schema",
                ),
                (
                    json!({"extensions": {"urn:ietf:params:scim:schemas:core:2.0:User ": {"active": false}}}),
                    "write the URN of a schema",
                ),
                (
                    json!({"onCreate": {"extensions": {"urn:ietf:params:scim:schemas:core:2.0:user": {"active": false}}}}),
                    "beside userName",
                ),
                (json!({"clear": ["urn:ietf:params:scim:schemas:core:2.0:user:active"]}), "by their names alone"),
                (
                    json!({"clear": ["urn:ietf:params:scim:schemas:extension:enterprise:2.0:user:department"]}),
                    "by their names alone",
                ),
                (json!({"active": "true"}), "spec.active"),
                (json!({"deletionPolicy": "Keep"}), "Unsupported value"),
            ],
        )
        .await;
}

#[tokio::test]
async fn good_users_are_taken_as_they_stand() {
    let server = Server::start().await;
    server
        .allows::<ScimUser>(
            &user(),
            &[
                json!({"userName": "a"}),
                json!({"userName": "Ada King Lovelace"}),
                json!({"name": {"givenName": "Ada"}, "onCreate": {"name": {"middleName": "King"}}, "clear": ["name.formatted"]}),
                json!({"clear": ["title", "phoneNumbers[type eq \"fax\"]", "urn:example:2.0:User:badge"]}),
                json!({"access": {"notAfter": "2026-02-01T00:00:00.5+01:00"}}),
                json!({"enterprise": {"manager": {"userRef": {"name": "grace"}}}}),
                json!({"onCreate": {"enterprise": {"manager": {"value": "1"}}}}),
                json!({"title": null, "clear": ["title"]}),
            ],
        )
        .await;

    let extensions = json!({"urn:example:2.0:User": {"badge": {"number": 1, "sites": ["a", {"b": true}]}}});
    let spec =
        server.takes::<ScimUser>(&with_spec(&user(), &json!({"extensions": extensions}))).await.expect("a good user");
    assert_eq!(spec["extensions"], extensions, "nothing of an extension is lost, however deep");
}

#[tokio::test]
async fn a_user_stays_with_its_connection_and_begins_undone() {
    let server = Server::start().await;
    let users = server.api::<ScimUser>();
    let object: DynamicObject = serde_json::from_value(user()).expect("an object");
    let mut created = users.create(&PostParams::default(), &object).await.expect("a good user");
    assert_eq!(created.data["status"], json!({"observedGeneration": -1}));

    created.data["spec"]["connectionRef"]["name"] = json!("b");
    let refused = users.replace("ada", &PostParams::default(), &created).await.expect_err("it can't move");
    assert!(refused.to_string().contains("connectionRef can't be changed"), "{refused}");

    let listed = |selector: &str| {
        let params = kube::api::ListParams::default().fields(selector);
        let users = users.clone();
        async move { users.list(&params).await.map(|list| list.items.len()) }
    };
    assert_eq!(listed("spec.connectionRef.name=a").await.expect("a selectable field"), 1);
    assert_eq!(listed("spec.connectionRef.name=b").await.expect("a selectable field"), 0);
    assert_eq!(listed("status.state=Active").await.expect("a selectable field"), 0);
}

/// A string or list without a bound makes every rule above it too costly, and a status too large.
#[test]
fn everything_in_a_spec_has_a_bound() {
    fn unbounded(path: &str, schema: &Value, found: &mut Vec<String>) {
        match schema["type"].as_str() {
            Some("string") if schema["maxLength"].is_null() && schema["enum"].is_null() => found.push(path.into()),
            Some("array") if schema["maxItems"].is_null() => found.push(path.into()),
            _ => {}
        }
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            unbounded(&format!("{path}.{name}"), property, found);
        }
        if !schema["items"].is_null() {
            unbounded(&format!("{path}[]"), &schema["items"], found);
        }
    }
    let mut found = Vec::new();
    for crd in scim_operator::api::crds() {
        let schema = serde_json::to_value(&crd.spec.versions[0].schema).expect("JSON");
        unbounded(&crd.spec.names.kind, &schema["openAPIV3Schema"]["properties"]["spec"], &mut found);
    }
    assert!(found.is_empty(), "no bound on {}", found.join(", "));
}

/// The descriptions are what `kubectl explain` shows.
#[test]
fn everything_is_described() {
    fn silent(path: &str, schema: &Value, found: &mut Vec<String>) {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            if property["description"].as_str().is_none_or(str::is_empty) {
                found.push(path.clone());
            }
            silent(&path, property, found);
        }
        if !schema["items"].is_null() {
            silent(&format!("{path}[]"), &schema["items"], found);
        }
    }
    let mut found = Vec::new();
    for crd in scim_operator::api::crds() {
        let schema = serde_json::to_value(&crd.spec.versions[0].schema).expect("JSON");
        for part in ["spec", "status"] {
            silent(part, &schema["openAPIV3Schema"]["properties"][part], &mut found);
        }
    }
    assert!(found.is_empty(), "no description of {}", found.join(", "));
}
