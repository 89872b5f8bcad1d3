//! The operator under fire: a server that fails in every way, kills at any instant, an API server that restarts, a
//! Lease that is lost. In the end the server holds exactly who is declared.
//!
//! `SCIM_OPERATOR_CHAOS=2000` is the long form (`make chaos`); the short one runs with the other tests.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::pedantic)]

#[path = "cluster/kit.rs"]
#[allow(dead_code, reason = "another binary uses the rest")]
mod kit;
mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use kit::{Place, condition, install, user};
use support::{Operator, Sandbox, eventually};

/// How long the operator may take to set everything right once the faults have ended.
const TO_THE_END: Duration = Duration::from_secs(600);

struct Size {
    people: usize,
    kills: usize,
    restarts: usize,
}

impl Size {
    fn wanted() -> Size {
        match std::env::var("SCIM_OPERATOR_CHAOS") {
            Ok(people) => Size { people: people.parse().expect("SCIM_OPERATOR_CHAOS=2000"), kills: 20, restarts: 2 },
            Err(_) => Size { people: 150, kills: 5, restarts: 1 },
        }
    }
}

/// What is declared of a person at the moment.
#[derive(Clone, Debug)]
struct Person {
    user_name: String,
    title: String,
    active: bool,
    deleted: bool,
}

impl Person {
    fn manifest(&self, name: &str) -> Value {
        user(
            name,
            json!({
                "userName": self.user_name, "title": self.title, "active": self.active,
                "emails": [{"value": format!("{name}@example.com"), "type": "work", "primary": true}],
            }),
        )
    }
}

/// Every way in which a server fails that the sandbox knows, seeded: the same run meets the same faults.
fn faults() -> Value {
    let often = |probability: f64, method: &str, fault: Value| json!({"match": {"probability": probability, "method": method}, "fault": fault});
    let some = |count: u32, nth: u32, fault: Value| json!({"match": {"nth": nth, "count": count}, "fault": fault});
    let all = "GET,POST,PUT,PATCH,DELETE";
    json!([
        some(2, 15, json!({"kind": "status", "code": 429})),
        some(2, 25, json!({"kind": "hang", "ms": 5000})),
        some(2, 35, json!({"kind": "huge_body", "bytes": 20_000_000})),
        some(2, 45, json!({"kind": "html_200"})),
        some(3, 55, json!({"kind": "status", "code": 404})),
        often(0.3, all, json!({"kind": "latency", "ms": 15})),
        often(0.05, all, json!({"kind": "status", "code": 500})),
        often(0.05, "POST,PUT,PATCH,DELETE", json!({"kind": "status", "code": 503, "effect": true})),
        often(0.03, all, json!({"kind": "status", "code": 429, "retry_after": 1})),
        often(0.05, all, json!({"kind": "reset_before"})),
        often(0.08, "POST,PUT,PATCH,DELETE", json!({"kind": "reset_after"})),
        often(0.04, all, json!({"kind": "truncated_body"})),
        often(0.05, all, json!({"kind": "slow_body", "ms": 300})),
        often(0.04, "GET", json!({"kind": "empty_object_200"})),
        often(0.2, "GET", json!({"kind": "wrong_total", "delta": -7})),
        often(0.2, "GET", json!({"kind": "repeat_page"})),
        often(0.2, "GET", json!({"kind": "drop_page"})),
        often(0.1, "GET", json!({"kind": "stale_read", "ms": 2000})),
    ])
}

struct Run {
    place: Place,
    sandbox: Sandbox,
    operator: Operator,
    lease_namespace: String,
    people: BTreeMap<String, Person>,
    chance: StdRng,
    kills: usize,
    lost: usize,
}

impl Run {
    async fn start(size: &Size) -> Run {
        let sandbox = Sandbox::start_with(&["--seed", "7"]);
        let place = Place::without_operator().await;
        let (lease_namespace, builder) = install(&[]).await;
        let operator = builder.start();
        place.secret(&sandbox.token);
        place.apply(place.connection(json!({
            "provider": "Generic", "baseUrl": sandbox.base_url, "maxInFlight": 8,
            "rateLimits": [{"for": "All", "requests": 300, "burst": 300}],
            "timeouts": {"connect": "2s", "request": "2s"},
        })));
        place.connection_is("Connected").await;
        sandbox.admin("POST", "/faults", Some(faults())).await;
        let mut run = Run {
            place,
            sandbox,
            operator,
            lease_namespace,
            people: BTreeMap::new(),
            chance: StdRng::seed_from_u64(7),
            kills: 0,
            lost: 0,
        };
        let names: Vec<String> = (0..size.people).map(|n| format!("person-{n:04}")).collect();
        for name in &names {
            let person = Person {
                user_name: format!("{name}@example.com"),
                title: "Engineer".into(),
                active: true,
                deleted: false,
            };
            run.people.insert(name.clone(), person);
        }
        run.apply(&names);
        run
    }

    fn apply(&self, names: &[String]) {
        for some in names.chunks(200) {
            let items: Vec<Value> = some.iter().map(|name| self.people[name].manifest(name)).collect();
            self.place.apply(json!({"apiVersion": "v1", "kind": "List", "items": items}));
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.chance.random_range(0..bound)
    }

    async fn writes(&self) -> u64 {
        self.sandbox.admin("GET", "/stats", None).await["writes"].as_u64().unwrap()
    }

    /// Until the server has taken so many more writes, or long enough that there is nothing left to take.
    async fn some_writes(&mut self, most: usize) {
        let wanted = self.writes().await + 1 + self.below(most) as u64;
        let patience = tokio::time::Instant::now() + Duration::from_secs(8);
        while self.writes().await < wanted && tokio::time::Instant::now() < patience {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Some people of whom nothing was declared but that they are there.
    fn pick(&mut self, many: usize) -> Vec<String> {
        let mut left: Vec<String> = self
            .people
            .iter()
            .filter(|(_, person)| person.active && !person.deleted)
            .map(|(name, _)| name.clone())
            .collect();
        (0..many)
            .map(|_| {
                let n = self.below(left.len());
                left.swap_remove(n)
            })
            .collect()
    }

    /// What people do with their manifests meanwhile; the removals stay within what the guard lets go.
    async fn change(&mut self, share: usize) {
        for name in self.pick(share * 4) {
            self.people.get_mut(&name).unwrap().title = format!("Title {}", self.chance.random::<u32>());
        }
        for name in self.pick(share * 4) {
            self.people.get_mut(&name).unwrap().user_name = format!("renamed-{name}@example.com");
        }
        for name in self.pick(share / 2 + 1) {
            self.people.get_mut(&name).unwrap().active = false;
        }
        let alive: Vec<String> =
            self.people.iter().filter(|(_, person)| !person.deleted).map(|(name, _)| name.clone()).collect();
        self.apply(&alive);
        for name in self.pick(share / 2 + 1) {
            self.people.get_mut(&name).unwrap().deleted = true;
            self.place.kubectl(&["delete", "scimuser", &name, "--wait=false"]);
        }
    }

    async fn kill(&mut self) {
        self.operator.kill9();
        self.kills += 1;
        self.operator = self.operator.again();
    }

    /// Another holds the Lease: the process must end, and say so by its exit code.
    async fn lose_the_lease(&mut self) {
        // It may be waiting for the end of its killed predecessor's.
        let waiting = &self.operator;
        eventually(kit::PATIENCE, "it has the Lease", async || {
            waiting.log().contains("the Lease is ours").then_some(())
        })
        .await;
        let stolen = json!({"spec": {"holderIdentity": "somebody-else"}}).to_string();
        let lease = ["-n", &self.lease_namespace, "patch", "lease", "scim-operator", "--type=merge", "-p", &stolen];
        self.place.cluster.kubectl_ok(&lease);
        let operator = &self.operator;
        let ended = eventually(kit::PATIENCE, "the operator ends", async || operator.process().ended()).await;
        assert!(!ended.success(), "{ended}");
        self.lost += 1;
        self.operator = self.operator.again();
    }

    /// Everybody as declared, and nothing under deletion.
    async fn converged(&self) {
        let expected = self.people.values().filter(|person| !person.deleted).count();
        eventually(TO_THE_END, "everybody is as declared", async || {
            let users = self.place.users().await;
            let unlike: Vec<String> = users
                .iter()
                .filter(|user| {
                    let current = user["status"]["observedGeneration"] == user["metadata"]["generation"];
                    !current || condition(user, "Ready")["status"] != "True"
                })
                .map(|user| format!("{}: {}", user["metadata"]["name"], condition(user, "Ready")["message"]))
                .collect();
            if users.len() == expected && unlike.is_empty() {
                Ok(())
            } else {
                Err((users.len(), unlike.len(), unlike.into_iter().take(5).collect::<Vec<_>>()))
            }
        })
        .await;
    }

    /// What the server holds, and everything that was ever done to it.
    async fn check(&self) {
        let accounts = self.sandbox.admin("GET", "/users", None).await;
        let accounts = accounts.as_array().unwrap();
        let mut by_mail: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
        for account in accounts {
            let mail = account["resource"]["emails"][0]["value"].as_str().unwrap_or_default().to_owned();
            by_mail.entry(mail).or_default().push(account);
        }
        assert_eq!(by_mail.len(), accounts.len(), "nobody has two accounts");
        let ids: BTreeMap<String, Value> = self
            .place
            .users()
            .await
            .iter()
            .map(|user| (user["metadata"]["name"].as_str().unwrap().to_owned(), user["status"]["id"].clone()))
            .collect();
        for (name, person) in &self.people {
            let account = by_mail.remove(&format!("{name}@example.com"));
            if person.deleted {
                // One who was removed before there was an account never needs one.
                let Some(account) = account else { continue };
                assert_eq!(account[0]["active"], false, "{name}: {account:?}");
                assert_eq!(account[0]["history"]["deleted"], 0, "the policy is to deactivate: {account:?}");
                continue;
            }
            if account.is_none() && !person.active {
                // Declared inactive before there was an account: none is made before it is to be active.
                assert!(ids[name].is_null(), "{name} is bound to nothing");
                continue;
            }
            let account = account.unwrap_or_else(|| panic!("{name} has no account"))[0];
            assert_eq!(account["exists"], true, "{name}");
            assert_eq!(account["active"], person.active, "{name}");
            assert_eq!(account["userName"], person.user_name, "{name}");
            assert_eq!(account["resource"]["title"], person.title, "{name}");
            assert_eq!(account["id"], ids[name], "{name} is bound to its account");
            let history = &account["history"];
            assert_eq!(history["created"], 1, "{name}: {history}");
            assert_eq!(history["deleted"], 0, "{name}: {history}");
            assert_eq!(history["reactivated"], 0, "{name} was let in again: {history}");
            if person.active {
                assert_eq!(history["deactivated"], 0, "{name} lost access for a while: {history}");
            }
        }
        assert!(by_mail.is_empty(), "accounts that nobody declared: {by_mail:?}");
    }

    async fn table(&self, size: &Size) {
        let log = self.sandbox.admin("GET", "/faults/log", None).await;
        let mut rows: Vec<(String, u64)> =
            log.as_object().unwrap().iter().map(|(fault, count)| (fault.clone(), count.as_u64().unwrap())).collect();
        rows.push(("operator killed (-9)".into(), self.kills as u64));
        rows.push(("API server restarted".into(), size.restarts as u64));
        rows.push(("Lease lost".into(), self.lost as u64));
        println!("\n{:<24} {:>9}\n{}", "fault", "survived", "-".repeat(34));
        for (fault, count) in &rows {
            println!("{fault:<24} {count:>9}");
        }
        println!("{:<24} {:>9}\n", "people", self.people.len());
        assert!(rows.iter().filter(|(_, count)| *count > 0).count() >= 12, "too few kinds of faults struck: {rows:?}");
    }
}

#[tokio::test]
async fn i07_i10_i28_chaos_ends_with_exactly_who_is_declared() {
    let size = Size::wanted();
    let mut run = Run::start(&size).await;
    let share = size.people / 100;
    for round in 0..size.kills {
        run.some_writes(size.people / 3).await;
        run.kill().await;
        if round == size.kills / 2 || round + 1 == size.kills {
            run.change(share).await;
        }
        if round < size.restarts {
            run.some_writes(size.people / 5).await;
            run.place.cluster.restart_apiserver().await;
        }
        if round == 1 {
            run.some_writes(size.people / 5).await;
            run.lose_the_lease().await;
        }
    }
    run.sandbox.admin("DELETE", "/faults", None).await;
    run.converged().await;
    run.check().await;
    run.table(&size).await;
    // What stands is left alone.
    let before = run.writes().await;
    run.place.sweeps(2).await;
    assert_eq!(run.writes().await, before);
}
