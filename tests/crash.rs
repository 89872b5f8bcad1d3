//! The operator killed in the middle of its work, and started again.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::pedantic)]

#[path = "cluster/kit.rs"]
#[allow(dead_code, reason = "the other binary uses the rest")]
mod kit;
mod support;

use std::time::Duration;

use serde_json::json;

use kit::{Place, start_operator, user};
use support::eventually;

const PEOPLE: usize = 30;

#[tokio::test]
async fn i07_i30_killed_in_the_middle_it_makes_nobody_twice() {
    let mut operator = start_operator().await;
    let place = Place::without_operator().await;
    // Slow enough that it is in the middle of it whenever it is killed.
    place.connect(json!({"rateLimits": [{"for": "All", "requests": 3, "burst": 1}]}));
    place.connection_is("Connected").await;
    let people: Vec<_> = (0..PEOPLE).map(|n| user(&format!("person-{n}"), json!({}))).collect();
    place.apply(json!({"apiVersion": "v1", "kind": "List", "items": people}));

    for made in [3, 12] {
        eventually(kit::PATIENCE, "some accounts", async || {
            let now = place.directory.users().await.len();
            if now >= made { Ok(()) } else { Err(now) }
        })
        .await;
        operator.kill9();
        let there = place.directory.users().await.len();
        assert!(there < PEOPLE, "killed too late to prove anything: {there}");
        operator = operator.again();
    }

    eventually(Duration::from_secs(120), "everybody is Ready", async || {
        let users = place.users().await;
        let ready = users.iter().filter(|user| kit::condition(user, "Ready")["status"] == "True").count();
        if ready == PEOPLE { Ok(()) } else { Err(ready) }
    })
    .await;
    let mut names: Vec<String> =
        place.directory.users().await.iter().map(|account| account["raw"]["userName"].to_string()).collect();
    assert_eq!(names.len(), PEOPLE);
    names.sort();
    names.dedup();
    assert_eq!(names.len(), PEOPLE, "{names:?}");
    // Each account is its own object's, and was sent once: a second creation would be a 409 here.
    let creations = place.directory.writes().await;
    let creations = creations.iter().filter(|request| request["method"] == "POST");
    let refused: Vec<_> = creations.filter(|request| request["status"] != 201).collect();
    assert!(refused.is_empty(), "{refused:?}");
    drop(operator);
}
