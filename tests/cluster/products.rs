//! Servers as products have them, each with nothing but its URL and a key: what they can't do in one way is done in another.

use serde_json::{Value, json};

use crate::kit::{PATIENCE, Place, condition};
use crate::support::{Front, Library, Product, Tenant, eventually};

async fn shown(tenant: &Tenant, path: &str) -> Value {
    let (status, shown) = tenant.scim("GET", path, None).await;
    if status == 200 { shown } else { Value::Null }
}

/// What the server shows there, once it fits.
async fn shows(tenant: &Tenant, path: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    eventually(PATIENCE, what, async || {
        let now = shown(tenant, path).await;
        if fits(&now) { Ok(now) } else { Err(now) }
    })
    .await
}

/// Ready, with this account.
async fn ready(place: &Place, name: &str) -> String {
    let user = eventually(PATIENCE, &format!("{name} is ready"), async || {
        let user = place.get(name).await.ok_or(Value::Null)?;
        let (ready, current) = (condition(&user, "Ready"), &user["metadata"]["generation"]);
        let is = ready["status"] == "True" && user["status"]["observedGeneration"] == *current;
        if is { Ok(user) } else { Err(user["status"].clone()) }
    })
    .await;
    user["status"]["id"].as_str().unwrap_or_default().to_owned()
}

/// What a server wants to have otherwise.
#[derive(Default)]
struct Ways {
    /// The dialect without which nobody is taken out of a group: a list of values is never guessed, for some servers take
    /// everybody out for it.
    removal: Option<Value>,
    /// Who is deleted is inactive, and still shown.
    keeps_deleted: bool,
}

/// People and a group are made, changed, renamed, deactivated and deleted; nobody twice. What others change in the group is put
/// back.
async fn a_life(tenant: &Tenant, Ways { removal, keeps_deleted }: Ways) {
    let front = Front::before(&tenant.base_url, &tenant.token).open();
    let policy = json!({
        "provider": "Generic", "driftPolicy": {"attributes": "Repair"},
        "deletionPolicy": {"users": "Delete", "groups": "Delete"},
    });
    let place = Place::at(&front.base_url, "any", policy).await;
    let named = |given: &str| {
        let name = json!({"givenName": given, "familyName": "E."});
        json!({"externalId": format!("e-{given}"), "displayName": format!("{given} E."), "name": name})
    };
    for name in ["ada", "bea"] {
        place.user(name, named(name));
    }
    let (ada, bea) = (ready(&place, "ada").await, ready(&place, "bea").await);
    let members = |names: &[&str]| -> Value { names.iter().map(|name| json!({"userRef": {"name": name}})).collect() };
    place.group("Team", json!({"members": members(&["ada", "bea"])}));
    let team = place.group_synced("team", 2).await;
    let in_it = |group: &Value| group["members"].as_array().map_or(0, Vec::len);
    let team_path = format!("/Groups/{team}");
    shows(tenant, &team_path, "both are in", |group| in_it(group) == 2).await;

    // A change; and another address.
    let mut other = named("ada");
    (other["displayName"], other["name"]["familyName"]) = (json!("Ada L."), json!("L."));
    other["emails"] = json!([{"value": "ada@new.example.com", "type": "work", "primary": true}]);
    place.user("ada", other);
    let path = format!("/Users/{ada}");
    let changed = |account: &Value| {
        let emails = account["emails"].as_array().cloned().unwrap_or_default();
        account["name"]["familyName"] == "L." && emails.len() == 1 && emails[0]["value"] == "ada@new.example.com"
    };
    shows(tenant, &path, "ada is changed", changed).await;
    assert_eq!(ready(&place, "ada").await, ada);

    // Out of the group, which gets another name.
    place.group("Team", json!({"displayName": "Team One", "members": members(&["ada"])}));
    let renamed =
        |group: &Value| group["displayName"] == "Team One" && in_it(group) == 1 && group["members"][0]["value"] == *ada;
    if let Some(dialect) = removal {
        let told = place.group_is("team", "Rejected", None).await;
        let message = condition(&told, "Ready")["message"].to_string();
        assert!(message.contains("memberRemoval of the connection to Values"), "{message}");
        place.patch_connection(json!({"dialect": dialect}));
    }
    shows(tenant, &team_path, "ada alone is in, and the name is another", renamed).await;
    place.group_synced("team", 1).await;

    // Somebody else puts bea in.
    let add = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "add", "path": "members", "value": [{"value": bea}]}],
    });
    assert!(tenant.scim("PATCH", &team_path, Some(add)).await.0 < 300);
    shows(tenant, &team_path, "ada alone is in again", |group| in_it(group) == 1).await;

    // At rest nothing is written.
    place.sweeps(2).await;
    front.take_writes();
    place.sweeps(2).await;
    let writes = front.take_writes();
    assert!(writes.is_empty(), "{writes:?}");

    let mut inactive = named("bea");
    inactive["active"] = json!(false);
    place.user("bea", inactive);
    shows(tenant, &format!("/Users/{bea}"), "bea is inactive", |account| account["active"] == false).await;
    assert_eq!(ready(&place, "bea").await, bea);

    for (kind, name) in [("scimgroup", "team"), ("scimuser", "ada"), ("scimuser", "bea")] {
        place.kubectl(&["delete", kind, name, "--timeout=90s"]);
    }
    assert_eq!(shown(tenant, &team_path).await, Value::Null);
    for path in [path, format!("/Users/{bea}")] {
        let left = shown(tenant, &path).await;
        assert_eq!(left["active"], if keeps_deleted { json!(false) } else { Value::Null }, "{path}: {left}");
    }
    let all = shown(tenant, "/Users").await;
    assert_eq!(all["totalResults"], if keeps_deleted { 2 } else { 0 }, "{all}");
}

#[tokio::test]
async fn i33_better_auth_which_takes_no_filtered_path_and_rewords_names() {
    let product = Product::better_auth();
    a_life(&product.tenant, Ways::default()).await;
}

#[tokio::test]
async fn i33_django_scim2_whose_patch_knows_some_attributes_and_whose_groups_are_filtered_by_nothing() {
    let removal = Some(json!({"memberRemoval": "Values", "writeGroups": "Patch"}));
    let product = Product::django();
    a_life(&product.tenant, Ways { removal, ..Ways::default() }).await;
}

#[tokio::test]
async fn i33_django_scim2_server_whose_deleted_accounts_are_inactive_and_stay() {
    let product = Product::django_server();
    a_life(&product.tenant, Ways { keeps_deleted: true, ..Ways::default() }).await;
}

#[tokio::test]
async fn i33_scimmy_with_nothing_but_its_url_and_a_key() {
    a_life(&Library::scimmy().await.tenant(), Ways::default()).await;
}

#[tokio::test]
async fn i33_scim_sdk_with_nothing_but_its_url_and_a_key() {
    a_life(&Library::scim_sdk().await.tenant(), Ways::default()).await;
}

/// Jackson as a server of which nothing is known: it never shows who is in a group.
#[tokio::test]
async fn i33_jackson_which_shows_nobody_who_is_in_a_group() {
    let fields = json!({
        "provider": "Generic", "driftPolicy": {"attributes": "Repair"},
        "deletionPolicy": {"users": "Delete", "groups": "Delete"},
    });
    let place = Place::connected(fields).await;
    for name in ["ada", "bea", "cyd"] {
        place.user(name, json!({}));
        ready(&place, name).await;
    }
    let members = |names: &[&str]| -> Value { names.iter().map(|name| json!({"userRef": {"name": name}})).collect() };
    place.group("Team", json!({"members": members(&["ada", "bea"])}));
    // Nothing but what was sent tells who is in: it is said, and which setting makes it count.
    let group = place.group_is("team", "NotPersisted", None).await;
    let (team, told) =
        (group["status"]["id"].as_str().unwrap().to_owned(), condition(&group, "Ready")["message"].clone());
    assert!(told.as_str().unwrap().contains("membersReadable"), "{told}");
    assert_eq!(place.directory.members(&team).await.len(), 2);
    // Whoever is dropped is out all the same.
    place.group("Team", json!({"members": members(&["bea", "cyd"])}));
    eventually(PATIENCE, "ada is out, and cyd is in", async || {
        let (here, removed) = (place.directory.members(&team).await, place.told("group.user_removed").await);
        if here.len() == 2 && removed == 1 { Ok(()) } else { Err(json!({"here": here.len(), "removed": removed})) }
    })
    .await;
    place.patch_connection(json!({"dialect": {"membersReadable": "No"}}));
    place.group_synced("team", 2).await;
    place.sweeps(2).await;
    let writes = place.directory.writes().await.len();
    place.sweeps(2).await;
    assert_eq!(place.directory.writes().await.len(), writes, "at rest");
    for (kind, name) in [("scimgroup", "team"), ("scimuser", "ada"), ("scimuser", "bea"), ("scimuser", "cyd")] {
        place.kubectl(&["delete", kind, name, "--timeout=90s"]);
    }
    assert!(place.directory.groups().await.is_empty());
}
