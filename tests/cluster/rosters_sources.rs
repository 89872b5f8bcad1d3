//! Where rosters read their rows, as it comes to be in a namespace that is used for long.

use serde_json::{Value, json};

use crate::kit::Place;
use crate::rosters::{roster, source, unlimited};

/// As Kustomize names it.
fn hashed(number: usize) -> String {
    const LETTERS: &[u8] = b"bcdfghkmt2456789";
    let letters = [0, 1, 2].map(|place: u32| char::from(LETTERS[number / 16_usize.pow(place) % 16]));
    format!("people-{}", letters.iter().rev().cycle().take(10).collect::<String>())
}

fn table(name: &str) -> String {
    format!(
        "userPrincipalName,jobTitle,mail,displayName,IsSoftDeleted\n{name}@example.com,,{name}@example.com,{name},False\n"
    )
}

/// Nobody prunes what `kubectl apply -k` leaves behind, and the names' order says nothing of their age.
#[tokio::test]
async fn i29_the_newest_of_hundreds_of_hashed_tables_is_in_force_whatever_it_is_called() {
    let place = Place::connected(json!({"rateLimits": unlimited()})).await;
    let mut names: Vec<String> = (0..600).map(hashed).collect();
    names.sort_unstable();
    let newest = names.pop().expect("a name");
    let old: Vec<Value> = names.iter().map(|name| source(name, &table("leaver"))).collect();
    place.apply(json!({"apiVersion": "v1", "kind": "List", "items": old}));
    place.apply(source(&newest, &table("ada")));
    place.apply(roster(json!({"source": {"configMaps": {"namePrefix": "people"}}})));
    let users = place.everybody(1).await;
    assert!(users.contains_key("\"ada@example.com\""), "{users:?}");
    let message = place.roster_says("Generated").await;
    assert!(message.contains(&format!("is older than {newest} and is not read")), "{message}");
}
