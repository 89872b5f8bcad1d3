//! Lists that fail, and what goes on beside them.

use std::time::Duration;

use serde_json::{Value, json};

use super::world::World;

const MINUTE: Duration = Duration::from_secs(60);

/// More than are read singly before a list was tried.
const MEMBERS: usize = 27;

async fn members(world: &World) -> usize {
    let groups = world.admin("GET", "/groups", None).await;
    let team = groups.as_array().into_iter().flatten().find(|group| group["displayName"] == json!("Team"));
    team.and_then(|team| team["members"].as_array()).map_or(0, Vec::len)
}

/// The list fails at its second page for good, and patterns protect somebody: whoever is to leave is looked at singly.
#[tokio::test]
async fn i17_members_leave_beside_a_list_that_fails() {
    let guards = json!({
        "protected": ["boss*"],
        "memberships": {"maxPercent": 100, "minCount": 100, "maxCount": 100, "window": "1h"},
    });
    let mut world = World::start(&["second_page_500"], json!({"guards": guards, "dialect": {"pageSize": 5}})).await;
    let mut all = Vec::new();
    for number in 0..MEMBERS {
        let name = format!("user-{number:02}");
        world.user(&name, json!({"userName": format!("{name}@example.com"), "active": true}));
        all.push(json!({"userRef": {"name": name}}));
    }
    let team = |members: Value| json!({"displayName": "Team", "membership": "Exact", "members": members});
    world.group("team", team(json!(all)));
    world.pass(10 * MINUTE).await;
    assert_eq!(members(&world).await, MEMBERS);
    world.restart();
    world.pass(2 * MINUTE).await;
    world.group("team", team(json!([])));
    world.pass(10 * MINUTE).await;
    assert_eq!(members(&world).await, 0);
}

/// Each try is preceded by a look at the whole list, which resumes the object's wait and says nothing of its creation.
#[tokio::test]
async fn i04_a_creation_that_fails_is_tried_less_and_less_often_where_only_the_list_finds_anybody() {
    let mut world = World::start(&["breaks", "ignores_filters"], json!({})).await;
    world.user("ada", json!({"userName": "ada@example.com", "active": true, "title": "broken"}));
    world.pass(60 * MINUTE).await;
    let stats = world.admin("GET", "/stats", None).await;
    let posts = stats["requests"]["POST"]["Users"].as_object().into_iter().flat_map(|counts| counts.values());
    let posts: u64 = posts.filter_map(Value::as_u64).sum();
    assert!((5..25).contains(&posts), "{posts} creations were tried within an hour");
}
