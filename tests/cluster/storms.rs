//! What a server under stress does to a connection, and what the connection does about it: in which order, not how
//! quickly.

use serde_json::{Value, json};

use crate::elsewhere::{fault, held, with};
use crate::kit::{PATIENCE, Place, condition, user};
use crate::support::{Front, Sandbox, eventually};

/// ScimUsers `prefix-000`, …
fn people(prefix: &str, many: usize, fields: &Value) -> Value {
    let items: Vec<Value> = (0..many).map(|n| user(&format!("{prefix}-{n:03}"), fields.clone())).collect();
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

async fn journal(sandbox: &Sandbox) -> Vec<Value> {
    sandbox.admin("GET", "/journal", None).await.as_array().cloned().unwrap_or_default()
}

/// How many requests were answered with this status, by any method and collection.
async fn answered(sandbox: &Sandbox, status: &str) -> u64 {
    let stats = sandbox.admin("GET", "/stats", None).await;
    let methods = stats["requests"].as_object().cloned().unwrap_or_default();
    let collections = methods.values().filter_map(Value::as_object).flat_map(|method| method.values());
    collections.filter_map(|collection| collection[status].as_u64()).sum()
}

async fn requests(sandbox: &Sandbox) -> Value {
    sandbox.admin("GET", "/stats", None).await["requests"].clone()
}

#[tokio::test]
async fn i12_where_everything_is_404_nobody_is_removed_or_made_anew() {
    let sandbox = Sandbox::start();
    let policy = json!({"deletionPolicy": {"users": "Delete"}, "driftPolicy": {"deleted": "Repair"}});
    let place = Place::at(&sandbox.base_url, &sandbox.token, policy).await;
    for name in ["ada", "grace", "alan"] {
        place.user(name, json!({}));
    }
    let ada = place.synced("ada").await;
    let grace = place.synced("grace").await;
    place.synced("alan").await;
    let before = journal(&sandbox).await;

    fault(&sandbox, json!({}), json!({"kind": "status", "code": 404})).await;
    place.delete("grace");
    place.user("ada", json!({"title": "Officer"}));
    place.user("kay", json!({}));
    place.connection_is("NotFound").await;
    // The deletion's own request, the changes', the sweeps' and the tests': it is no one answer that decides.
    eventually(PATIENCE, "it was asked again and again", async || match answered(&sandbox, "404").await {
        many if many >= 6 => Ok(()),
        few => Err(few),
    })
    .await;
    for name in ["ada", "kay", "grace"] {
        place.says(name, "ConnectionNotReady").await;
    }
    let alan = place.get("alan").await.expect("alan");
    assert_eq!(condition(&alan, "Ready")["reason"], "Synced", "who owes nothing is left as he is: {alan}");
    assert!(place.get("grace").await.is_some(), "a 404 to a DELETE was taken for done");
    assert_eq!(journal(&sandbox).await, before);

    sandbox.admin("DELETE", "/faults", None).await;
    place.connection_is("Connected").await;
    assert_eq!(place.synced("ada").await, ada);
    place.synced("kay").await;
    place.is_gone("grace").await;
    let since: Vec<Value> = journal(&sandbox).await.split_off(before.len());
    let mut outcomes: Vec<String> =
        since.iter().map(|write| format!("{} {}", write["outcome"], write["id"]).replace('"', "")).collect();
    outcomes.sort();
    assert_eq!(outcomes.len(), 3, "{outcomes:?}");
    assert!(outcomes[0].starts_with("created "), "{outcomes:?}");
    assert_eq!(outcomes[1..], [format!("deleted {grace}"), format!("updated {ada}")]);
}

#[tokio::test]
async fn i17_removals_overtake_a_backlog_of_creations() {
    // Minutes of work at that rate, however slowly all this is declared.
    const BACKLOG: usize = 400;
    const LEAVERS: usize = 5;
    let sandbox = Sandbox::start();
    let tight = json!({"rateLimits": [{"for": "All", "requests": 4, "burst": 1}], "resyncInterval": "1h"});
    let place = Place::at(&sandbox.base_url, &sandbox.token, tight).await;
    place.apply(people("leaver", LEAVERS, &json!({})));
    for n in 0..LEAVERS {
        place.synced(&format!("leaver-{n:03}")).await;
    }
    let before = journal(&sandbox).await.len();
    place.apply(people("newcomer", BACKLOG, &json!({})));
    eventually(PATIENCE, "the backlog is being worked off", async || {
        (journal(&sandbox).await.len() > before).then_some(())
    })
    .await;
    // Declared last, and in one go: the guard judges them together.
    place.apply(people("leaver", LEAVERS, &json!({"active": false})));
    for n in 0..LEAVERS {
        place.synced(&format!("leaver-{n:03}")).await;
    }
    let since = journal(&sandbox).await.split_off(before);
    let removals: Vec<usize> = (0..since.len()).filter(|at| since[*at]["outcome"] == "deactivated").collect();
    let (first, last) = (removals[0], removals[LEAVERS - 1]);
    assert_eq!(removals.len(), LEAVERS, "{since:?}");
    let created = since.len() - LEAVERS;
    assert!(created < BACKLOG, "the backlog was gone before the removals could overtake it");
    // Once the guard lets them go only those pass in between that had a slot already.
    assert!(last - first < LEAVERS + 4, "{} creations among the removals", last - first + 1 - LEAVERS);
}

#[tokio::test]
async fn i19_where_nothing_remains_nothing_is_asked_before_it_is_refused() {
    let sandbox = Sandbox::start();
    let front = Front::before(&sandbox.base_url, &sandbox.token).open();
    let place = Place::at(&front.base_url, "any", json!({})).await;
    place.user("ada", json!({}));
    place.synced("ada").await;
    front.spend();
    front.take();
    eventually(PATIENCE, "a sweep that is told so", async || if front.take().is_empty() { None } else { Some(()) })
        .await;
    place.user("grace", json!({}));
    place.says("grace", "RateLimited").await;
    // What was on its way with the one that was told.
    let late = front.take();
    assert!(late.len() <= 1 && late.iter().all(|request| request.method == "GET"), "{late:?}");
}

#[tokio::test]
async fn i19_a_server_that_asks_for_an_hour_is_sent_nothing_meanwhile() {
    let sandbox = Sandbox::start();
    let place = Place::at(&sandbox.base_url, &sandbox.token, json!({})).await;
    for name in ["ada", "grace"] {
        place.user(name, json!({}));
        place.synced(name).await;
    }
    let throttled = json!({"kind": "status", "code": 429, "retry_after": 3600});
    fault(&sandbox, json!({"method": "PATCH", "count": 1}), throttled).await;
    place.user("ada", json!({"title": "Officer"}));
    eventually(PATIENCE, "the server has asked for patience", async || {
        let asked = answered(&sandbox, "429").await == 1;
        let idle = sandbox.admin("GET", "/stats", None).await["in_flight"] == 0;
        (asked && idle).then_some(())
    })
    .await;
    let before = requests(&sandbox).await;

    // A change, a newcomer, a removal, a question by hand, a new key to test, and the sweeps every ten seconds.
    place.user("ada", json!({"title": "Admiral"}));
    place.user("alan", json!({}));
    place.delete("grace");
    place.secret(&sandbox.token);
    place.patch_connection(json!({"maxInFlight": 8}));
    // Said after a minute in the queue: each had its turn, had there been one.
    for name in ["alan", "ada"] {
        let message = place.says(name, "RateLimited").await;
        assert!(message.contains("fewer requests"), "{message}");
    }
    assert_eq!(requests(&sandbox).await, before, "asked during the pause");
    let ada = place.get("ada").await.expect("ada");
    assert_eq!(condition(&ada, "Stalled"), Value::Null, "a 429 is nobody's failure");
    assert!(place.get("grace").await.is_some());
}

#[tokio::test]
async fn i20_a_connection_that_hangs_delays_no_other() {
    let (hanging, sound) = (Sandbox::start(), Sandbox::start());
    let stuck = Place::at(&hanging.base_url, &hanging.token, json!({"maxInFlight": 32})).await;
    fault(&hanging, json!({}), json!({"kind": "hang", "ms": 600_000})).await;
    stuck.apply(people("person", 50, &json!({})));
    eventually(PATIENCE, "its workers hang", async || {
        let now = hanging.admin("GET", "/stats", None).await["in_flight"].clone();
        if now.as_u64() >= Some(1) { Ok(()) } else { Err(now) }
    })
    .await;

    let place = Place::at(&sound.base_url, &sound.token, json!({})).await;
    place.apply(people("person", 20, &json!({})));
    for n in 0..20 {
        place.synced(&format!("person-{n:03}")).await;
    }
    place.delete("person-000");
    place.is_gone("person-000").await;
    let done = |user: &Value| condition(user, "Ready")["status"] == "True";
    assert!(!stuck.users().await.iter().any(done), "the other connection hung all the while");
    assert_eq!(journal(&hanging).await, Vec::<Value>::new());
}

#[tokio::test]
async fn i25_hostile_answers_to_a_creation_lose_nobody_and_make_nobody_twice() {
    let sandbox = Sandbox::start();
    let quick = json!({"timeouts": {"connect": "1s", "request": "2s"}});
    let place = Place::at(&sandbox.base_url, &sandbox.token, quick).await;
    let lie = |code: u16, body: Value| json!({"kind": "status", "code": code, "body": body, "effect": true});
    let answers = [
        json!({"kind": "huge_body", "bytes": 20_000_000}),
        json!({"kind": "slow_body", "ms": 6000}),
        json!({"kind": "empty_object_200"}),
        lie(201, json!([])),
        lie(201, json!("created")),
        lie(201, json!({"id": 7, "userName": ["x"], "emails": {"value": 1}})),
        lie(200, json!({"id": null, "Resources": [[]], "totalResults": -1})),
        lie(500, json!({"detail": {"detail": {"detail": "x"}}})),
    ];
    for (number, answer) in answers.into_iter().enumerate() {
        let name = format!("person-{number}");
        fault(&sandbox, json!({"method": "POST", "count": 1}), answer.clone()).await;
        place.user(&name, json!({}));
        let id = place.synced(&name).await;
        let accounts = held(&sandbox, &format!("{name}@example.com")).await;
        assert_eq!(accounts.len(), 1, "{answer}: {accounts:?}");
        assert_eq!(accounts[0]["id"], json!(id), "{answer}");
        assert_eq!(accounts[0]["history"]["created"], 1, "{answer}");
    }
}

#[tokio::test]
async fn i25_hostile_lists_are_named_and_end_nobody() {
    let sandbox = Sandbox::start();
    let policy = json!({"driftPolicy": {"deleted": "Repair"}, "timeouts": {"connect": "1s", "request": "2s"}});
    let place = Place::at(&sandbox.base_url, &sandbox.token, policy).await;
    place.user("ada", json!({}));
    let id = place.synced("ada").await;
    let before = journal(&sandbox).await;
    let list = |body: Value| json!({"kind": "status", "code": 200, "body": body});
    let answers = [
        (json!({"kind": "huge_body", "bytes": 20_000_000}), "NotScim"),
        (json!({"kind": "truncated_body"}), "ServerError"),
        (json!({"kind": "slow_body", "ms": 6000}), "Unreachable"),
        (list(json!("nothing")), "NotScim"),
        (list(json!({"Resources": "none", "totalResults": "many"})), "NotScim"),
        (list(json!({"Resources": {"id": "1"}, "totalResults": 1})), "NotScim"),
    ];
    for (number, (answer, reason)) in answers.into_iter().enumerate() {
        fault(&sandbox, json!({"method": "GET"}), answer.clone()).await;
        // A changed connection is tested at once.
        place.patch_connection(json!({"maxInFlight": 3 + number}));
        let message = place.connection_is(reason).await;
        assert!(message.len() < 2000, "{answer}: {message}");
        assert_eq!(condition(&place.get("ada").await.expect("ada"), "Ready")["reason"], "Synced", "{answer}");
        sandbox.admin("DELETE", "/faults", None).await;
        place.connection_is("Connected").await;
    }
    // In the shape of a list, and nothing in it is an account: whoever wasn't seen is asked for singly.
    let junk = json!({"Resources": [1, "two", null, [], {"id": 5}, {"id": ""}, {"userName": "ada@example.com"}]});
    let junk = with(junk, json!({"totalResults": 7}));
    fault(&sandbox, json!({"method": "GET", "query_contains": "startIndex"}), list(junk)).await;
    eventually(PATIENCE, "the connection says that the list can't be read", async || {
        let connected = condition(&place.get_connection().await, "Connected");
        let said = connected["message"].as_str().unwrap_or_default().contains("without an id that can be read");
        if said && connected["status"] == "True" { Ok(()) } else { Err(connected) }
    })
    .await;
    sandbox.admin("DELETE", "/faults", None).await;
    place.sweeps(1).await;
    assert_eq!(place.synced("ada").await, id);
    place.connection_is("Connected").await;
    assert_eq!(journal(&sandbox).await, before);
}

#[tokio::test]
async fn i25_the_servers_words_are_stripped_and_bounded() {
    let sandbox = Sandbox::start();
    let place = Place::at(&sandbox.base_url, &sandbox.token, json!({})).await;
    let detail = format!("\u{1b}[31mno\u{7}\r\n\u{0}such{}", "\u{9b}x".repeat(100_000));
    let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": "400", "detail": detail});
    // In whatever form she is sent: one that is refused once is made in parts.
    fault(&sandbox, json!({"method": "POST"}), json!({"kind": "status", "code": 400, "body": body})).await;
    place.user("ada", json!({}));
    let ada = place.is("ada", "False", "Rejected").await;
    let mut texts = vec![condition(&ada, "Ready")["message"].clone(), condition(&ada, "Stalled")["message"].clone()];
    texts.extend(ada["status"]["lastOperation"].as_object().into_iter().flat_map(|last| last.values().cloned()));
    for text in texts.iter().filter_map(Value::as_str) {
        assert!(text.len() < 2000, "{} bytes", text.len());
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
    assert!(texts[0].as_str().is_some_and(|message| message.contains("[31mno such")), "{texts:?}");
}
