//! The client against a sandbox.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::paging::Start;
use super::*;
use crate::sandbox::{Options, Sandbox};

async fn place(faults: Value) -> (Sandbox, Client) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let client = client(&sandbox);
    arm(&sandbox, faults).await;
    (sandbox, client)
}

fn client(sandbox: &Sandbox) -> Client {
    Client::new(ClientConfig {
        base_url: sandbox.base.parse().unwrap(),
        credentials: Credentials::Bearer("sandbox".to_owned().into()),
        trust: Trust::default(),
        proxy: None,
        connect_timeout: Duration::from_secs(5),
        request_timeout: Duration::from_secs(20),
        profile: Profile::generic(),
        user_agent: "test".into(),
    })
    .unwrap()
}

async fn arm(sandbox: &Sandbox, faults: Value) {
    let url = format!("{}/faults", sandbox.admin);
    let answer = reqwest::Client::new().post(url).body(faults.to_string()).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
}

/// How often a fault struck.
async fn struck(sandbox: &Sandbox, fault: &str) -> u64 {
    let log = reqwest::get(format!("{}/faults/log", sandbox.admin)).await.unwrap().bytes().await.unwrap();
    serde_json::from_slice::<Value>(&log).unwrap()[fault].as_u64().unwrap_or_default()
}

fn refuses(content_type: &str) -> Value {
    json!({"match": {"content_type": content_type}, "fault": {"kind": "status", "code": 415}})
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

fn person(number: usize) -> Attributes {
    json!({"userName": format!("person-{number}")}).as_object().cloned().unwrap()
}

async fn all_at_once(client: &Client, from: usize) -> Vec<Result<Written, Error>> {
    let made = (from..from + 8).map(|number| async move { client.create(Kind::Users, &person(number), soon()).await });
    futures::future::join_all(made).await
}

#[tokio::test]
async fn i21_the_other_content_type_is_learnt_however_many_are_refused_at_once() {
    let (sandbox, client) =
        place(json!([{"fault": {"kind": "latency", "ms": 100}}, refuses("application/scim+json")])).await;
    for answer in all_at_once(&client, 0).await {
        answer.unwrap();
    }
    let met = struck(&sandbox, "status").await;
    assert!((1..=8).contains(&met), "{met}");
    for answer in all_at_once(&client, 8).await {
        answer.unwrap();
    }
    let again = self::client(&sandbox).with_experience_of(&client);
    again.create(Kind::Users, &person(16), soon()).await.unwrap();
    assert_eq!(struck(&sandbox, "status").await, met, "what was learnt is kept, by the next session too");
}

#[tokio::test]
async fn i21_what_is_refused_in_both_content_types_is_refused_and_nothing_is_learnt() {
    let (sandbox, client) = place(json!([refuses("application/")])).await;
    for answer in all_at_once(&client, 0).await {
        assert_eq!(answer.unwrap_err().class(), Class::ContentType);
    }
    assert_eq!(struck(&sandbox, "status").await, 16, "each was sent as both, and not more often");
    assert!(!client.sends_plain_json());
}

/// A client of a sandbox with these quirks, and three people in it.
async fn quirky(quirks: &[&str]) -> (Sandbox, Client) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let admin = async |path: &str, body: Value| {
        let url = format!("{}/{path}", sandbox.admin);
        let answer = reqwest::Client::new().post(url).body(body.to_string()).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    };
    admin("seed", json!({"users": 30})).await;
    admin("quirks", json!(quirks)).await;
    let client = client(&sandbox);
    (sandbox, client)
}

/// Walks the list of users; how many it shows.
async fn walked(client: &Client) -> Result<u64, Error> {
    let (mut start, mut shown) = (1, 0);
    loop {
        let page = client.list(Kind::Users, start, 100, soon()).await?;
        shown += page.shown;
        start += page.shown;
        if page.shown == 0 || client.lessons().contains(&Lesson::NoPaging) {
            return Ok(shown);
        }
    }
}

#[tokio::test]
async fn i33_a_list_that_is_refused_is_asked_for_otherwise() {
    for (quirks, lesson) in [
        (["refuses_paging", "bom"], Lesson::NoPaging),
        (["paging_500", "errors_as_text"], Lesson::NoPaging),
        (["refuses_paging", "lower_case_lists"], Lesson::NoPaging),
    ] {
        let (_sandbox, client) = quirky(&quirks).await;
        client.probe(soon()).await.unwrap();
        assert_eq!(client.lessons(), [lesson], "{quirks:?}");
        assert_eq!(walked(&client).await.unwrap(), 30, "{quirks:?}");
        let hits = client.find(Kind::Users, "userName", "seed-00003@example.com", soon()).await.unwrap().hits;
        assert_eq!(hits.len(), 1, "{quirks:?}: a search is paged no more");
        client.list_groups(&Start::Index(1), 100, soon()).await.unwrap();
    }
}

#[tokio::test]
async fn i33_pages_that_are_too_long_are_shortened_only_where_the_server_pages() {
    let (sandbox, client) = place(json!([])).await;
    for number in 0..130 {
        client.create(Kind::Users, &person(number), soon()).await.unwrap();
    }
    arm(&sandbox, json!([{"match": {"query_contains": "count=1000"}, "fault": {"kind": "status", "code": 400}}])).await;
    // By itself it shows a hundred.
    let page = client.list(Kind::Users, 1, 1000, soon()).await.unwrap();
    assert_eq!((page.shown, client.lessons()), (100, vec![Lesson::PageSize(100)]));
    assert_eq!(client.list(Kind::Users, 101, 1000, soon()).await.unwrap().shown, 30);
}

#[tokio::test]
async fn i33_an_error_that_passes_teaches_nothing() {
    let once = json!([{"match": {"query_contains": "count", "count": 1}, "fault": {"kind": "status", "code": 500}}]);
    let (_sandbox, client) = place(once).await;
    client.create(Kind::Users, &person(0), soon()).await.unwrap();
    assert_eq!(client.probe(soon()).await.unwrap().shown, 1);
    assert_eq!(client.lessons(), []);

    // What breaks altogether is what it is, and isn't asked for again and again.
    let (sandbox, client) = place(json!([{"fault": {"kind": "status", "code": 500}}])).await;
    for _ in 0..20 {
        assert_eq!(client.probe(soon()).await.unwrap_err().class(), Class::Transient);
    }
    assert_eq!(client.lessons(), []);
    let met = struck(&sandbox, "status").await;
    assert!(met <= 20 + 5, "{met} requests");
}

#[tokio::test]
async fn i33_a_server_that_lists_nobody_without_a_filter_is_connected() {
    for (quirk, lessons) in [
        ("errors_as_problem", vec![Lesson::NoUserList]),
        ("refuses_paging", vec![Lesson::NoPaging, Lesson::NoUserList]),
        ("paging_500", vec![Lesson::NoPaging, Lesson::NoUserList]),
    ] {
        let (_sandbox, client) = quirky(&["needs_filter", quirk, "lower_case_lists"]).await;
        client.probe(soon()).await.unwrap();
        assert_eq!(client.lessons(), lessons, "{quirk}");
        let found = client.find(Kind::Users, "userName", "seed-00003@example.com", soon()).await.unwrap();
        assert!(found.all && found.hits.len() == 1, "{quirk}");
        client.probe(soon()).await.unwrap();
        assert!(client.list_groups(&Start::Index(1), 100, soon()).await.is_err());
        assert!(client.lessons().contains(&Lesson::NoGroupList), "{quirk}");
    }
}

/// It says `tooMany`, which is SCIM: whoever is known by an id is served, whatever becomes of a filter.
#[tokio::test]
async fn i33_a_server_that_wants_a_filter_and_answers_none_is_connected() {
    for quirk in ["refuses_filters", "filters_500", "ignores_filters"] {
        let (_sandbox, client) = quirky(&["needs_filter", quirk]).await;
        for _ in 0..2 {
            client.probe(soon()).await.unwrap();
            assert_eq!(client.lessons(), [Lesson::NoUserList], "{quirk}");
        }
    }
    // Where nothing tells it from any other server that refuses everything.
    let (_sandbox, client) = quirky(&["needs_filter", "refuses_filters", "errors_mute"]).await;
    assert!(client.probe(soon()).await.is_err() && client.lessons().is_empty());
}

#[tokio::test]
async fn i33_a_body_that_is_not_read_is_sent_as_json() {
    for quirk in ["scim_json_415", "scim_json_unread", "accepts_json_only"] {
        let (_sandbox, client) = quirky(&[quirk, "errors_nested"]).await;
        client.create(Kind::Users, &person(0), soon()).await.unwrap();
        assert_eq!(client.lessons(), [Lesson::PlainJson], "{quirk}");
    }
    // A creation that may have taken effect isn't sent again at once.
    let (_sandbox, client) = quirky(&["scim_json_unread_500"]).await;
    let refused = client.create(Kind::Users, &person(0), soon()).await.unwrap_err();
    assert_eq!((refused.class(), client.lessons()), (Class::Transient, vec![]));
    client.create(Kind::Users, &person(0), soon()).await.unwrap();
    assert_eq!(client.lessons(), [Lesson::PlainJson]);

    // So it is where the server says nothing at all.
    for quirk in ["scim_json_unread", "scim_json_unread_500"] {
        let (_sandbox, client) = quirky(&[quirk, "errors_mute"]).await;
        let _ = client.create(Kind::Users, &person(0), soon()).await;
        let _ = client.create(Kind::Users, &person(0), soon()).await;
        assert_eq!(client.lessons(), [Lesson::PlainJson], "{quirk}");
    }

    // The write that tries it may be refused for something else.
    let (_sandbox, client) = quirky(&["scim_json_unread_500", "unknown_member_500"]).await;
    let group = json!({"displayName": "team", "members": [{"value": "nobody-there"}]}).as_object().cloned().unwrap();
    for _ in 0..3 {
        client.create(Kind::Groups, &group, soon()).await.unwrap_err();
    }
    client.create(Kind::Users, &person(0), soon()).await.unwrap();
    assert_eq!(client.lessons(), [Lesson::PlainJson]);

    // Something else is wrong: it stays as it was.
    let (_sandbox, client) = quirky(&["refuses_phones"]).await;
    let mut body = person(0);
    body.insert("phoneNumbers".into(), json!([{"value": "1"}]));
    let refused = client.create(Kind::Users, &body, soon()).await.unwrap_err();
    assert!(refused.to_string().contains("not a valid number"), "{refused}");
    assert_eq!(client.lessons(), []);
}

#[tokio::test]
async fn i25_the_forms_of_other_servers_are_read() {
    let (_sandbox, client) = quirky(&["bom", "lower_case_lists", "times_without_zone", "errors_as_message"]).await;
    let page = client.list(Kind::Users, 1, 100, soon()).await.unwrap();
    assert_eq!((page.shown, page.total), (30, Some(30)));
    assert!(page.resources.iter().all(|user| user.created().is_some()));
    let refused = client.get(Kind::Users, "nobody", soon()).await.unwrap_err();
    assert_eq!((refused.detail(), refused.is_scim()), (Some("Resource nobody not found"), false));
}

/// Whatever a deletion's body is refused for, the answer without one is what counts, and nothing is learnt of content types.
#[tokio::test]
async fn i33_a_body_that_does_not_help_a_deletion_hides_nothing() {
    let (sandbox, client) = place(json!([
        {"match": {"method": "DELETE", "content_type": "application/"}, "fault": {"kind": "status", "code": 400}},
        {"match": {"method": "DELETE"}, "fault": {"kind": "status", "code": 415}},
    ]))
    .await;
    let error = client.delete(Kind::Users, "7", soon()).await.unwrap_err();
    assert_eq!((error.class(), error.status()), (Class::ContentType, Some(415)));
    // It takes application/json alone, with a deletion.
    arm(
        &sandbox,
        json!([
            {"match": {"method": "DELETE", "content_type": "application/scim"}, "fault": {"kind": "status", "code": 415}},
        ]),
    )
    .await;
    let made = client.create(Kind::Users, &person(1), soon()).await.unwrap().resource.unwrap();
    assert!(client.delete(Kind::Users, made.id().unwrap(), soon()).await.is_err(), "no body is refused still");
    assert_eq!(client.lessons(), []);
}

/// RFC 7644 §3.12 has the status in the body, too, and some have it there alone.
#[tokio::test]
async fn i21_an_error_that_is_answered_200_is_an_error() {
    let error = |status: &str| json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": status, "detail": "no"});
    for (status, class) in [("404", Class::NotFound), ("409", Class::Conflict), ("400", Class::Rejected)] {
        let fault = json!({"kind": "status", "code": 200, "body": error(status)});
        let (_sandbox, client) = place(json!([{"match": {}, "fault": fault}])).await;
        assert_eq!(client.get(Kind::Users, "7", soon()).await.unwrap_err().class(), class);
        assert_eq!(client.create(Kind::Users, &person(1), soon()).await.unwrap_err().class(), class);
        assert_eq!(client.delete(Kind::Users, "7", soon()).await.unwrap_err().class(), class);
    }
}
