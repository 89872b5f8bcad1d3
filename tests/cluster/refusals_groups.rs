//! What a server refuses about groups: it is found out, and each group is as declared. Nothing but a URL and a key is given.

use serde_json::{Value, json};

use crate::kit::PATIENCE;
use crate::refusals::with;
use crate::support::eventually;

#[tokio::test]
async fn i33_groups_are_replaced_whole_where_there_is_no_patch_and_nobody_is_lost() {
    for quirks in [vec!["no_patch"], vec!["no_patch_route"], vec!["no_patch", "unknown_member_400"]] {
        let (sandbox, front, place) = with(&quirks).await;
        for name in ["ada", "bob", "grace"] {
            place.user(name, json!({}));
            place.synced(name).await;
        }
        let person = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "mallory"});
        let mallory = sandbox.scim("POST", "/Users", Some(person)).await.1["id"].as_str().unwrap().to_owned();
        let referred = |names: &[&str]| names.iter().map(|name| json!({"userRef": {"name": name}})).collect::<Vec<_>>();
        place.group("Team", json!({"membership": "Additive", "members": referred(&["ada", "bob"])}));
        let team = place.group_is("team", "Synced", Some((2, 2, 0))).await;
        let id = team["status"]["id"].as_str().unwrap().to_owned();
        let shown = async || {
            let group = sandbox.scim("GET", &format!("/Groups/{id}"), None).await.1;
            let members = group["members"].as_array().cloned().unwrap_or_default();
            members
                .iter()
                .map(|one| one["value"].as_str().unwrap().to_owned())
                .collect::<std::collections::BTreeSet<_>>()
        };
        // Somebody else puts mallory in.
        let mut members: Vec<Value> = shown().await.iter().map(|id| json!({"value": id})).collect();
        members.push(json!({"value": mallory}));
        let body = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Team", "members": members});
        assert_eq!(sandbox.scim("PUT", &format!("/Groups/{id}"), Some(body)).await.0, 200);
        front.take_writes();
        let mut declared = referred(&["ada", "grace"]);
        if quirks.len() == 2 {
            declared.push(json!({"id": "999"}));
        }
        place.group("Team", json!({"membership": "Additive", "displayName": "Team One", "members": declared}));
        let ids = async |name: &str| place.get(name).await.unwrap()["status"]["id"].as_str().unwrap().to_owned();
        let expected = std::collections::BTreeSet::from([ids("ada").await, ids("grace").await, mallory.clone()]);
        eventually(PATIENCE, "ada, grace and mallory are in", async || {
            let shown = shown().await;
            if shown == expected { Ok(()) } else { Err(shown) }
        })
        .await;
        place.group_is("team", if quirks.len() == 2 { "Rejected" } else { "Synced" }, None).await;
        let name = sandbox.scim("GET", &format!("/Groups/{id}"), None).await.1["displayName"].clone();
        assert_eq!(name, "Team One");
        let writes = front.take_writes();
        assert!(writes.iter().all(|write| write.method == "PUT") && writes.len() <= 7, "{quirks:?}: {writes:?}");
        place.sweeps(2).await;
        assert_eq!(front.take_writes(), [], "{quirks:?}");
        place
            .status_is("what was learnt", |status| status["effective"]["learned"].to_string().contains("writeGroups"))
            .await;
    }
}

#[tokio::test]
async fn i33_groups_that_are_not_listed_are_asked_for_one_by_one() {
    let (sandbox, _front, place) = with(&["needs_filter"]).await;
    place.user("ada", json!({}));
    place.synced("ada").await;
    let made = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Team"});
    let id = sandbox.scim("POST", "/Groups", Some(made)).await.1["id"].clone();
    place.patch_connection(json!({"adoptionPolicy": {"groups": "Adopt"}}));
    place.group("Team", json!({"members": [{"userRef": {"name": "ada"}}]}));
    assert_eq!(json!(place.group_synced("team", 1).await), id);
    place.group("Other", json!({"members": [{"userRef": {"name": "ada"}}]}));
    place.group_synced("other", 1).await;
    place
        .status_is("what was learnt", |status| status["effective"]["learned"].to_string().contains("listGroups"))
        .await;
    assert_eq!(sandbox.admin("GET", "/stats", None).await["groups"], 2);
}
