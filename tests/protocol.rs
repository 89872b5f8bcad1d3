//! The SCIM client against the real servers: each says the same things in its own way.

#![allow(clippy::unwrap_used)]

#[path = "protocol/matrix.rs"]
mod matrix;
#[path = "protocol/schemas.rs"]
mod schemas;
mod support;
#[path = "protocol/tls.rs"]
mod tls;
#[path = "protocol/tokens.rs"]
mod tokens;

use std::time::Duration;

use scim_operator::plan::Request;
use scim_operator::scim::{Attributes, Class, Client, Error, Kind, Op, PatchOperation, Profile, Resource, Written};
use serde_json::{Value, json};
use support::{Jackson, Sandbox, Scim2Server, client, soon, unique};
use tokio::time::Instant;

fn person(name: &str) -> Attributes {
    let email = format!("{name}@example.com");
    let value = json!({
        "userName": email,
        "active": true,
        "title": "Engineer",
        "name": {"givenName": "Ada", "familyName": "Lovelace"},
        "emails": [{"value": email, "type": "work", "primary": true}],
    });
    value.as_object().cloned().unwrap()
}

/// A change in the form that the profile prescribes.
async fn change(client: &Client, shown: &Resource, request: &Request) -> Result<Written, Error> {
    let id = shown.id().unwrap();
    match request {
        Request::Patch { operations, .. } => client.patch(Kind::Users, id, operations, None, soon()).await,
        Request::Put { body, .. } => client.replace(Kind::Users, id, body, None, soon()).await,
        other => panic!("not a change: {other:?}"),
    }
}

/// Create, read, list, find, change, delete: what every server must do.
async fn a_life(client: &Client, by_put: bool) {
    client.probe(soon()).await.unwrap();
    let name = unique("ada");
    let email = format!("{name}@example.com");
    let made = client.create(Kind::Users, &person(&name), soon()).await.unwrap().resource.unwrap();
    let id = made.id().unwrap().to_owned();
    assert_eq!(made.user_name(), Some(email.as_str()));

    let twice = client.create(Kind::Users, &person(&name), soon()).await.unwrap_err();
    assert_eq!(twice.class(), Class::Conflict, "{twice}");
    let found = client.find(Kind::Users, "userName", &email, soon()).await.unwrap().hits;
    assert_eq!(found.iter().map(Resource::id).collect::<Vec<_>>(), [Some(id.as_str())]);
    let odd = r#"a "quoted" \ name eq x"#;
    assert_eq!(client.find(Kind::Users, "userName", odd, soon()).await.map_or(0, |found| found.hits.len()), 0);

    let request = if by_put {
        let mut body = client.get(Kind::Users, &id, soon()).await.unwrap().0;
        body.insert("title".into(), json!("Admiral"));
        body.insert("active".into(), json!(false));
        Request::Put { id: id.clone(), body, if_match: None }
    } else {
        let replace =
            |path: &str, value: Value| PatchOperation { op: Op::Replace, path: Some(path.into()), value: Some(value) };
        let operations = vec![replace("title", json!("Admiral")), replace("active", json!(false))];
        Request::Patch { id: id.clone(), operations }
    };
    change(client, &made, &request).await.unwrap();
    let shown = client.get(Kind::Users, &id, soon()).await.unwrap();
    assert_eq!((shown.get("title"), shown.active()), (Some(&json!("Admiral")), Some(false)));

    client.delete(Kind::Users, &id, soon()).await.unwrap();
    let gone = client.get(Kind::Users, &id, soon()).await.unwrap_err();
    assert_eq!(gone.class(), Class::NotFound, "{gone}");
}

#[tokio::test]
async fn jackson_takes_a_whole_life() {
    for kind in ["generic-scim-v2", "azure-scim-v2", "okta-scim-v2"] {
        let directory = Jackson::shared().await.new_directory(kind).await;
        a_life(&client(&directory.base_url, &directory.token, Profile::jackson()), true).await;
    }
}

#[tokio::test]
async fn scim2_server_takes_a_whole_life() {
    let tenant = Scim2Server::shared().await.tenant();
    let client = client(&tenant.base_url, &tenant.token, Profile::generic());
    a_life(&client, false).await;
    a_life(&client, true).await;
}

#[tokio::test]
async fn the_sandbox_takes_a_whole_life() {
    let sandbox = Sandbox::start();
    let client = client(&sandbox.base_url, &sandbox.token, Profile::generic());
    a_life(&client, false).await;
    a_life(&client, true).await;
}

#[tokio::test]
async fn i11_jacksons_list_is_walked_past_its_totals() {
    for jackson in [Jackson::shared().await, Jackson::on_sql().await] {
        let directory = jackson.new_directory("generic-scim-v2").await;
        let client = client(&directory.base_url, &directory.token, Profile::jackson());
        for number in 0..60 {
            client.create(Kind::Users, &person(&format!("walk-{number}")), soon()).await.unwrap();
        }
        let first = client.list(Kind::Users, 1, 50, soon()).await.unwrap();
        let second = client.list(Kind::Users, 51, 50, soon()).await.unwrap();
        assert_eq!((first.resources.len(), first.total, second.resources.len()), (50, Some(50), 10));
    }
}

#[tokio::test]
async fn i21_jacksons_deactivated_directory_is_not_an_empty_one() {
    let directory = Jackson::shared().await.new_directory("generic-scim-v2").await;
    let client = client(&directory.base_url, &directory.token, Profile::jackson());
    directory.deactivate().await;
    assert_eq!(client.probe(soon()).await.unwrap_err().class(), Class::NotScim);
    let lost = client.create(Kind::Users, &person("nobody"), soon()).await.unwrap_err();
    assert_eq!(lost.class(), Class::Empty, "an answer without an id is no creation");
    directory.activate().await;
    assert_eq!(client.probe(soon()).await.unwrap().total, Some(0));
}

#[tokio::test]
async fn i21_a_wrong_key_and_a_wrong_path_are_told_apart() {
    let directory = Jackson::shared().await.new_directory("generic-scim-v2").await;
    let wrong_key = client(&directory.base_url, "wrong", Profile::jackson());
    assert_eq!(wrong_key.probe(soon()).await.unwrap_err().class(), Class::Credential);
    let wrong_path = client(&format!("{}x", directory.base_url.trim_end_matches('/')), "wrong", Profile::jackson());
    assert_eq!(wrong_path.probe(soon()).await.unwrap_err().class(), Class::NotFound);
}

#[tokio::test]
async fn i25_hostile_answers_have_a_class_and_lose_nothing() {
    let sandbox = Sandbox::start();
    let client = client(&sandbox.base_url, &sandbox.token, Profile::generic());
    let faults = [
        (json!({"kind": "html_200"}), Class::NotScim),
        (json!({"kind": "empty_object_200"}), Class::NotScim),
        (json!({"kind": "status", "code": 503}), Class::Transient),
        (json!({"kind": "status", "code": 429, "retry_after": 7}), Class::Throttled),
        (json!({"kind": "status", "code": 302}), Class::NotScim),
        (json!({"kind": "status", "code": 403}), Class::Forbidden),
    ];
    for (fault, class) in faults {
        sandbox.admin("POST", "/faults", Some(json!([{"match": {"method": "GET", "count": 1}, "fault": fault}]))).await;
        let error = client.probe(soon()).await.unwrap_err();
        assert_eq!(error.class(), class, "{fault}: {error}");
        if class == Class::Throttled {
            assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
        }
    }
    sandbox
        .admin(
            "POST",
            "/faults",
            Some(json!([{"match": {"method": "GET", "count": 1}, "fault": {"kind": "hang", "ms": 60000}}])),
        )
        .await;
    let late = client.probe(Instant::now() + Duration::from_millis(300)).await.unwrap_err();
    assert_eq!(late.class(), Class::Timeout, "no request outlives its deadline");
    client.probe(soon()).await.unwrap();
}
