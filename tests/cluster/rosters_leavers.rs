//! Rosters whose people leave or move: an answer stands, and nobody loses an account on the way.

use serde_json::{Value, json};

use crate::elsewhere::held;
use crate::kit::{PATIENCE, Place, condition};
use crate::rosters::{roster, source, unlimited};
use crate::support::{Sandbox, eventually};

fn table(people: &[&str]) -> String {
    let row = |name: &&str| format!("{name}@example.com,,{name}@example.com,{name},False");
    let rows = people.iter().map(row).collect::<Vec<_>>().join("\n");
    format!("userPrincipalName,jobTitle,mail,displayName,IsSoftDeleted\n{rows}\n")
}

/// The same roster by another name, over a ConfigMap of that name.
fn called(name: &str) -> Value {
    let mut object = roster(json!({"source": {"configMaps": {"names": [name]}}}));
    object["metadata"]["name"] = json!(name);
    object
}

#[tokio::test]
async fn i13_whoever_was_in_a_rejected_hold_of_a_roster_stays_when_others_leave_or_return() {
    let place = Place::connected(json!({"rateLimits": unlimited()})).await;
    let names: Vec<String> = (0..20).map(|n| format!("p{n:02}")).collect();
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    place.apply(source("people", &table(&all)));
    place.apply(roster(json!({})));
    place.everybody(20).await;
    place.roster_is("Generated", |_| true).await;
    place.apply(source("people", &table(&all[6..])));
    let status = place.roster_is("Held", |status| status["hold"]["removals"] == 6).await;
    let id = status["hold"]["id"].as_str().expect("an id").to_owned();
    place.apply(roster(json!({"rejectedHold": id})));
    place.roster_is("Generated", |status| status["hold"]["rejected"] == true).await;

    // One row is back: what is gone would fit, and stays.
    place.apply(source("people", &table(&all[5..])));
    let status = place.roster_is("Generated", |status| status["hold"]["removals"] == 5).await;
    assert_eq!(status["hold"]["rejected"], true, "{status}");
    // A leaver goes, and nobody else; the operator forgets nothing while it is down.
    place.apply(source("people", &table(&all[5..19])));
    eventually(PATIENCE, "p19 is gone", async || match place.users().await.len() {
        19 => Ok(()),
        other => Err(other),
    })
    .await;
    let status = place.roster_is("Generated", |status| status["guard"]["used"] == 1).await;
    assert_eq!((&status["hold"]["removals"], &status["hold"]["rejected"]), (&json!(5), &json!(true)), "{status}");
    // After all they may go.
    let id = status["hold"]["id"].as_str().expect("an id").to_owned();
    place.apply(roster(json!({"approvedHold": id})));
    eventually(PATIENCE, "they are deleted", async || {
        let users = place.users().await;
        let going = users.iter().filter(|user| user["metadata"]["deletionTimestamp"].is_string()).count();
        if users.len() - going == 14 { Ok(()) } else { Err((users.len(), going)) }
    })
    .await;
}

/// People by a key that is their externalId too.
fn by_key(rows: &[(&str, &str)], policy: &str) -> Value {
    let rows: Vec<Value> =
        rows.iter().map(|(key, name)| json!({"id": key, "mail": format!("{name}@example.com")})).collect();
    let mut object = roster(json!({
        "source": {"inline": rows}, "key": "row.id", "userTemplate": {"deletionPolicy": policy},
        "mappings": [
            {"target": "userName", "value": "row.mail"}, {"target": "externalId", "value": "row.id"},
            {"target": "active", "value": "true"}, {"target": "emails[type eq \"work\"].value", "value": "row.mail"},
            {"target": "name.givenName", "value": "row.id"}, {"target": "name.familyName", "value": "\"Example\""},
        ],
    }));
    object["spec"].as_object_mut().expect("a spec").remove("preset");
    object
}

impl Place {
    /// The ScimUsers are these, and each is Ready or isn't.
    async fn people_are(&self, expected: &[(&str, bool)]) {
        eventually(PATIENCE, &format!("the people are {expected:?}"), async || {
            let users = self.users().await;
            let found = users.iter().filter(|user| user["metadata"]["deletionTimestamp"].is_null()).map(|user| {
                let ready = condition(user, "Ready")["status"] == "True";
                (user["spec"]["userName"].as_str().unwrap_or_default().to_owned(), ready)
            });
            let mut found: Vec<(String, bool)> = found.collect();
            found.sort();
            let expected: Vec<(String, bool)> =
                expected.iter().map(|(name, ready)| (format!("{name}@example.com"), *ready)).collect();
            if found == expected && users.len() == expected.len() { Ok(()) } else { Err(users) }
        })
        .await;
    }
}

/// The account of this name.
async fn account(sandbox: &Sandbox, name: &str) -> Option<Value> {
    let mut found = held(sandbox, &format!("{name}@example.com")).await;
    assert!(found.len() < 2, "{found:?}");
    found.pop().map(|account| account["resource"].clone())
}

#[tokio::test]
async fn i16_whoever_returns_has_the_account_of_before_and_a_namesake_never_gets_it() {
    let sandbox = Sandbox::start();
    // An object's own policy can only be milder than this one.
    let fields = json!({"provider": "Generic", "rateLimits": unlimited(), "deletionPolicy": {"users": "Delete"}});
    let place = Place::at(&sandbox.base_url, &sandbox.token, fields).await;
    let others = [("2", "bob"), ("3", "cyd")];
    let with = |first: (&'static str, &'static str)| [&[first], &others[..]].concat();
    place.apply(by_key(&with(("1", "ada")), "Deactivate"));
    place.people_are(&[("ada", true), ("bob", true), ("cyd", true)]).await;
    let before = account(&sandbox, "ada").await.expect("her account");
    // She leaves, and is hired again.
    place.apply(by_key(&others, "Deactivate"));
    place.people_are(&[("bob", true), ("cyd", true)]).await;
    assert_eq!(account(&sandbox, "ada").await.expect("her account")["active"], false);
    place.apply(by_key(&with(("1", "ada")), "Deactivate"));
    place.people_are(&[("ada", true), ("bob", true), ("cyd", true)]).await;
    let after = account(&sandbox, "ada").await.expect("her account");
    assert_eq!((&after["id"], &after["active"]), (&before["id"], &json!(true)));
    // In one and the same commit she leaves and a namesake begins, who gets nothing of hers.
    place.apply(by_key(&with(("7", "ada")), "Deactivate"));
    place.people_are(&[("ada", false), ("bob", true), ("cyd", true)]).await;
    let users = place.users().await;
    let namesake = users.iter().find(|user| user["spec"]["externalId"] == "7").expect("the namesake");
    assert_eq!(condition(namesake, "Ready")["reason"], "Conflict", "{namesake}");
    assert_eq!(account(&sandbox, "ada").await.expect("her account")["active"], false);
    // It was she after all: the key is written as it was.
    place.apply(by_key(&with(("1", "ada")), "Deactivate"));
    place.people_are(&[("ada", true), ("bob", true), ("cyd", true)]).await;
    assert_eq!(account(&sandbox, "ada").await.expect("her account")["active"], true);

    // Whose account was deleted has a new one, whoever they are.
    place.apply(by_key(&with(("1", "ada")), "Delete"));
    place.roster_is("Generated", |_| true).await;
    place.people_are(&[("ada", true), ("bob", true), ("cyd", true)]).await;
    place.apply(by_key(&others, "Delete"));
    place.people_are(&[("bob", true), ("cyd", true)]).await;
    assert_eq!(account(&sandbox, "ada").await, None);
    place.apply(by_key(&with(("7", "ada")), "Delete"));
    place.people_are(&[("ada", true), ("bob", true), ("cyd", true)]).await;
    assert_ne!(account(&sandbox, "ada").await.expect("an account")["id"], before["id"]);
}

#[tokio::test]
async fn i13_a_roster_that_is_applied_again_asks_about_those_whose_rows_are_gone() {
    let place = Place::connected(json!({"rateLimits": unlimited()})).await;
    let people = ["ada", "bob", "cyd", "dan", "eve", "fay"];
    place.apply(source("people", &table(&people)));
    place.apply(roster(json!({})));
    place.everybody(6).await;
    place.kubectl(&["delete", "scimroster", "people"]);
    place.apply(source("people", &table(&people[2..])));
    place.apply(roster(json!({})));
    let status = place.roster_is("Held", |status| status["hold"]["removals"] == 2).await;
    let message = place.roster_says("Held").await;
    assert!(message.contains("2 ScimUsers whose rows are gone had none when this roster was first read"), "{message}");
    assert_eq!(place.users().await.len(), 6);
    // Whoever leaves from now on is the guard's.
    place.apply(source("people", &table(&people[3..])));
    eventually(PATIENCE, "cyd is gone", async || match place.users().await.len() {
        5 => Ok(()),
        other => Err(other),
    })
    .await;
    let now = place.roster_is("Held", |status| status["hold"]["removals"] == 2).await;
    assert_eq!(now["hold"]["id"], status["hold"]["id"], "{now}");
    let id = status["hold"]["id"].as_str().expect("an id").to_owned();
    place.apply(roster(json!({"approvedHold": id})));
    place.people_are(&[("dan", true), ("eve", true), ("fay", true)]).await;
}

/// What the directory calls deleted users is no name: nobody is renamed to it, so that nothing is held for their names.
#[tokio::test]
async fn i06_thirty_deleted_users_of_a_directory_are_deactivated_and_not_renamed() {
    let place = Place::connected(json!({"rateLimits": unlimited(), "guards": {"removals": {"minCount": 40}}})).await;
    let row = |n: usize, deleted: bool| {
        let tombstone = if deleted { format!("{n:032x}") } else { String::new() };
        let state = if deleted { "True" } else { "False" };
        format!(
            "{n:08x}-0000-4000-8000-000000000000,{tombstone}p{n:02}@example.com,P{n:02},p{n:02}@example.com,{state}\n"
        )
    };
    let export = |deleted: std::ops::Range<usize>| {
        let rows = (0..40).map(|n| row(n, deleted.contains(&n))).collect::<String>();
        format!("objectId,userPrincipalName,displayName,mail,isSoftDeleted\n{rows}")
    };
    place.apply(source("people", &export(0..0)));
    place.apply(roster(json!({"preset": "EntraGeneric", "key": "row.objectId"})));
    place.everybody(40).await;
    let active = async || place.directory.users().await.iter().filter(|one| one["raw"]["active"] == true).count();
    for (deleted, left) in [(0..30, 10), (0..0, 40)] {
        place.apply(source("people", &export(deleted)));
        eventually(PATIENCE, &format!("{left} are active"), async || match active().await {
            found if found == left => Ok(()),
            found => Err((found, place.get_connection().await["status"].clone())),
        })
        .await;
        place.everybody(40).await;
        let accounts = place.directory.users().await;
        assert_eq!(accounts.len(), 40, "restored, they are the same accounts");
        let mut names: Vec<&str> = accounts.iter().filter_map(|one| one["raw"]["userName"].as_str()).collect();
        names.sort_unstable();
        assert!(names.iter().enumerate().all(|(n, name)| *name == format!("p{n:02}@example.com")), "{names:?}");
        assert!(place.events("Held").is_empty(), "{:?}", place.events("Held"));
    }
}

/// The server deactivates nobody, so that the policy is to delete: nothing is waited for that never comes.
#[tokio::test]
async fn i06_whoever_was_made_anew_has_an_account_once_that_of_the_deleted_one_is_deleted() {
    let sandbox = Sandbox::start_with(&["--quirk", "refuses_inactive"]);
    let fields = json!({"provider": "Generic", "rateLimits": unlimited(), "deletionPolicy": {"users": "Delete"}});
    let place = Place::at(&sandbox.base_url, &sandbox.token, fields).await;
    let export = |rows: &str| {
        format!(
            "objectId,userPrincipalName,displayName,mail,isSoftDeleted\n{rows}\n2,bob@example.com,Bob,bob@example.com,False\n"
        )
    };
    place.apply(source("people", &export("1,ada@example.com,Ada,ada@example.com,False")));
    place.apply(roster(json!({"preset": "EntraGeneric", "key": "row.objectId"})));
    place.people_are(&[("ada", true), ("bob", true)]).await;
    let before = account(&sandbox, "ada").await.expect("her account");
    let tombstone = "1,283405f50000000000000000000000c2ada@example.com,Ada,ada@example.com,True";
    let anew = "3,ada@example.com,Ada,ada@example.com,False";
    place.apply(source("people", &export(&format!("{tombstone}\n{anew}"))));
    eventually(PATIENCE, "the new one has an account of their own", async || match account(&sandbox, "ada").await {
        Some(after) if after["id"] != before["id"] => Ok(()),
        found => Err((found, place.users().await)),
    })
    .await;
    place.people_are(&[("ada", true), ("bob", true)]).await;
}

#[tokio::test]
async fn i08_whoever_moves_from_one_roster_to_another_keeps_the_account() {
    let place = Place::connected(json!({"rateLimits": unlimited()})).await;
    place.apply(source("contractors", &table(&["ada", "bob"])));
    place.apply(source("employees", &table(&["eve", "alan"])));
    place.apply(called("contractors"));
    place.apply(called("employees"));
    let before = place.everybody(4).await["\"ada@example.com\""].clone();
    place.apply(source("employees", &table(&["eve", "alan", "ada"])));
    place.apply(source("contractors", &table(&["bob"])));
    eventually(PATIENCE, "she is among the employees", async || {
        let users = place.users().await;
        let hers: Vec<&Value> = users.iter().filter(|user| user["spec"]["userName"] == "ada@example.com").collect();
        let id = before["status"]["id"].as_str().unwrap_or_default();
        // Whoever is deactivated meanwhile has lost the access.
        let account = place.account(id).await.expect("her account");
        assert_eq!(account["raw"]["active"], true, "{hers:?}");
        match hers.as_slice() {
            [one]
                if one["metadata"]["labels"]["scim-operator.dev/roster"] == "employees"
                    && one["status"]["id"] == id =>
            {
                Ok(())
            }
            _ => Err(format!("{hers:?}")),
        }
    })
    .await;
    place.everybody(4).await;

    // A roster by another name over the same table, and the old one's objects deleted.
    place.kubectl(&["delete", "scimroster", "employees"]);
    let mut staff = called("employees");
    staff["metadata"]["name"] = json!("staff");
    place.apply(staff);
    eventually(PATIENCE, "each has a second object", async || match place.users().await.len() {
        7 => Ok(()),
        other => Err(other),
    })
    .await;
    place.kubectl(&["delete", "scimuser", "-l", "scim-operator.dev/roster=employees", "--timeout=90s"]);
    let users = place.everybody(4).await;
    let ada = &users["\"ada@example.com\""];
    assert_eq!(
        (&ada["status"]["id"], &ada["metadata"]["labels"]["scim-operator.dev/roster"]),
        (&before["status"]["id"], &json!("staff"))
    );
    assert_eq!(place.directory.users().await.iter().filter(|one| one["raw"]["active"] == true).count(), 4);
}
