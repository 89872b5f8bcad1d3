//! Users and groups.

use serde_json::{Value, json};

use crate::kit::{PATIENCE, Place, user};
use crate::support::{Front, Sandbox, eventually};
use crate::table::told;

#[tokio::test]
async fn a_connection_that_is_not_there() {
    let place = Place::new().await;
    place.apply(user("ada", json!({"connectionRef": {"name": "jacksen"}})));
    let missing = place.tells("scimuser/ada", "ConnectionNotFound").await;
    told("connection-missing", &missing);
    place.connect(json!({}));
    place.connection_is("Connected").await;
    // Told anew when the object changes: what was meant is there by now.
    place.apply(user("alan", json!({"connectionRef": {"name": "jacksen"}})));
    told("connection-misspelt", &place.tells("scimuser/alan", "ConnectionNotFound").await);
    told("connection-kind", &{
        place.apply(user("grace", json!({"connectionRef": {"name": "jackson", "kind": "ClusterScimConnection"}})));
        place.tells("scimuser/grace", "ConnectionNotFound").await
    });
    // It can't be corrected in place.
    told("immutable-field", &place.refused(&user("ada", json!({}))));
    // As it says: deleted, and applied with the right one.
    place.kubectl(&["delete", "scimuser", "ada", "--timeout=60s"]);
    place.user("ada", json!({}));
    place.synced("ada").await;
}

#[tokio::test]
async fn two_objects_of_one_name() {
    let place = Place::connected(json!({})).await;
    place.user("ada", json!({}));
    let id = place.synced("ada").await;
    place.apply(user("ada-lovelace", json!({"userName": "ada@example.com"})));
    told("two-objects", &place.tells("scimuser/ada-lovelace", "Conflict").await);
    // The advice is followed: nobody loses anything.
    place.kubectl(&["delete", "scimuser", "ada-lovelace", "--timeout=60s"]);
    assert_eq!(place.synced("ada").await, id);
    assert_eq!(place.account(&id).await.expect("the account")["active"], true);
    // Two people.
    place.apply(user("ada-lovelace", json!({"userName": "ada@example.com"})));
    place.tells("scimuser/ada-lovelace", "Conflict").await;
    place.apply(user("ada-lovelace", json!({"userName": "ada.lovelace@example.com"})));
    assert_ne!(place.synced("ada-lovelace").await, id);
    assert_eq!(place.synced("ada").await, id);
}

fn group(members: Value) -> Value {
    json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimGroup", "metadata": {"name": "platform"},
        "spec": {"connectionRef": {"name": "jackson"}, "displayName": "Platform", "membership": "Exact", "members": members},
    })
}

#[tokio::test]
async fn a_member_that_is_not_there_is_no_waiting() {
    let place = Place::connected(json!({})).await;
    place.user("ada", json!({}));
    place.synced("ada").await;
    place.apply(group(json!([{"userRef": {"name": "ada"}}, {"userRef": {"name": "gracie"}}])));
    // On its way, perhaps.
    let pending = place.tells("scimgroup/platform", "Pending").await;
    assert!(pending.contains("/gracie") && pending.contains("1 of 2 declared members are in the group"), "{pending}");
    told("member-missing", &place.tells("scimgroup/platform", "MemberNotFound").await);
    place.user("gracie", json!({}));
    place.tells("scimgroup/platform", "Synced").await;
    // One that comes to an older group and isn't there.
    place.apply(group(json!([{"userRef": {"name": "staff"}}, {"userRef": {"name": "ada"}}])));
    let missing = place.tells("scimgroup/platform", "MemberNotFound").await;
    assert!(missing.contains("/staff"), "{missing}");
}

#[tokio::test]
async fn what_an_object_alone_shows_is_refused_at_once() {
    let place = Place::new().await;
    told("misspelt-attribute", &place.refused(&user("ada", json!({"jobTitle": "Officer"}))));
    told(
        "no-user-name",
        &place.refused(&{
            let mut ada = user("ada", json!({}));
            ada["spec"].as_object_mut().expect("a spec").remove("userName");
            ada
        }),
    );
    told("unseen-letter", &place.refused(&user("ada", json!({"userName": "\u{200b}ada@example.com"}))));
    let two = json!([{"value": "a@example.com", "primary": true}, {"value": "b@example.com", "primary": true}]);
    told("two-primaries", &place.refused(&user("ada", json!({"emails": two}))));
}

/// What the server is asked for of somebody who has an account by this name already; the query and its filter.
async fn looked_for(declared: &str, held: &str) -> Vec<(String, String)> {
    let sandbox = Sandbox::start();
    let front = Front::before(&sandbox.base_url, &sandbox.token).open();
    let place = Place::at(&front.base_url, "the-front-asks-for-none", json!({"resyncInterval": "1h"})).await;
    place.status_is("the first list", |status| status["sweep"]["lastCompleted"].is_string()).await;
    // After the list: it has to be looked for.
    let schemas = ["urn:ietf:params:scim:schemas:core:2.0:User"];
    let (status, made) =
        sandbox.scim("POST", "/Users", Some(json!({"schemas": schemas, "userName": held, "active": true}))).await;
    assert_eq!(status, 201, "{made}");
    front.take();
    place.user("eve", json!({"userName": declared}));
    assert_eq!(json!(place.synced("eve").await), made["id"]);
    let seen = front.take();
    assert!(seen.iter().all(|request| request.status != 201), "a second account was made: {seen:?}");
    let filters = seen.iter().filter_map(|request| {
        let mut pairs = url::form_urlencoded::parse(request.query.as_bytes());
        let (_, filter) = pairs.find(|(name, _)| name == "filter")?;
        Some((request.query.clone(), filter.into_owned()))
    });
    let filters: Vec<_> = filters.collect();
    assert!(!filters.is_empty(), "{seen:?}");
    filters
}

/// Guests of Entra ID have `#EXT#` in their names: it must not end the request line.
#[tokio::test]
async fn a_guest_with_a_hash_in_the_name_is_looked_for_by_the_whole_of_it() {
    const GUEST: &str = "eve_partner.example#EXT#@example.onmicrosoft.com";
    for (query, filter) in looked_for(GUEST, GUEST).await {
        assert!(query.contains("%23EXT%23") && filter.contains(GUEST), "{query}");
    }
}

/// As a Mac writes it, `e` and an accent; servers compare letter by letter.
#[tokio::test]
async fn i08_a_name_in_two_parts_is_looked_for_with_composed_letters() {
    for (_, filter) in looked_for("zoe\u{301}@example.com", "zo\u{e9}@example.com").await {
        assert!(filter.contains("zo\u{e9}@example.com") && !filter.contains('\u{301}'), "{filter}");
    }
}

#[tokio::test]
async fn a_namespace_deleted_as_a_whole() {
    let place = Place::connected(json!({"resyncInterval": "1h"})).await;
    for name in ["ada", "bob", "cyd", "dan", "eve", "fay"] {
        place.user(name, json!({}));
    }
    for name in ["ada", "bob", "cyd", "dan", "eve", "fay"] {
        place.synced(name).await;
    }
    // More than the guard lets go.
    place.cluster.kubectl_ok(&["delete", "namespace", &place.namespace, "--wait=false"]);
    let id = place.hold_id().await;
    told("namespace-deleted", &place.tells("scimuser/ada", "Held").await);
    assert!(place.directory.users().await.iter().all(|account| account["active"] == true), "nobody lost anything");
    // The Secret may go first: the last good key carries out what is decided.
    place.answer("rejectedHold", &id);
    eventually(PATIENCE, "the namespace is gone", async || {
        let left = place.cluster.kubectl(&["get", "namespace", &place.namespace]);
        if left.status.success() { Err(place.users().await.len()) } else { Ok(()) }
    })
    .await;
    assert!(place.directory.users().await.iter().all(|account| account["active"] == true));
}
