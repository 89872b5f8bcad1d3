//! What can't be meant is refused before it is stored, and says what to write instead.

use serde_json::json;

use crate::kit::{Place, user};

#[tokio::test]
async fn i29_bad_input_is_refused_with_a_way_out() {
    let place = Place::new().await;
    let key = json!({"name": "key", "key": "token"});
    let both = json!({"bearerToken": {"secretKeyRef": key}, "basic": {"username": "u", "passwordSecretKeyRef": key}});
    let address = |value: &str| {
        vec![json!({"value": value, "primary": true}), json!({"value": "b@example.com", "primary": true})]
    };
    for (object, told) in [
        (place.connection(json!({"auth": both})), "write exactly one of auth.bearerToken, auth.basic, auth.headers"),
        (place.connection(json!({"auth": {}})), "write exactly one of auth.bearerToken, auth.basic, auth.headers"),
        (
            place.connection(json!({"baseUrl": "http://scim.example.com/v2"})),
            "write https://; http:// only for localhost",
        ),
        (
            place.connection(json!({"baseUrl": "http://127.0.0.1.example.com/v2"})),
            "write https://; http:// only for localhost",
        ),
        (place.connection(json!({"baseUrl": "https://me:secret@scim.example.com"})), "out"),
        (place.connection(json!({"resyncInterval": "9s"})), "write at least 10s, such as 30m"),
        (place.connection(json!({"provider": "Nobody"})), "supported values"),
        (user("ada", json!({"emails": address("a@example.com")})), "write primary: true at most once in emails"),
        (user("ada", json!({"title": "Officer", "clear": ["title"]})), "declared in spec and named in clear"),
        (
            user("ada", json!({"access": {"notBefore": "2030-01-02T00:00:00Z", "notAfter": "2030-01-01T00:00:00Z"}})),
            "access.notBefore must lie before access.notAfter",
        ),
        (
            user("ada", json!({"enterprise": {"manager": {"userRef": {"name": "grace"}, "value": "1"}}})),
            "write either manager.userRef or manager.value",
        ),
        (user("ada", json!({"userNmae": "ada"})), "unknown field"),
        (user("ada", json!({"userName": ""})), "spec.userName"),
    ] {
        let said = place.refused(&object);
        assert!(said.contains(told), "{told:?} is not in: {said}");
    }
    place.user("ada", json!({}));
    let said = place.refused(&user("ada", json!({"connectionRef": {"name": "other"}})));
    assert!(said.contains("connectionRef can't be changed: create a second object"), "{said}");
}
