//! Rosters whose people leave or move: an answer stands, and nobody loses an account on the way.

use serde_json::{Value, json};

use crate::kit::{PATIENCE, Place};
use crate::rosters::{roster, source, unlimited};
use crate::support::eventually;

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
