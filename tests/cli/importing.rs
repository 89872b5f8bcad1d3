//! `import`: what it writes changes nothing at the server it was read from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::kit::{ENTERPRISE, PATIENCE, Place};
use crate::planning_many::peak;
use crate::support::{Sandbox, eventually, scratch, unique};
use crate::{alone, by_file, connected, printed, scim, stderr};

fn fast() -> Value {
    json!([{"requests": 10_000, "period": "1s", "burst": 10_000}])
}

/// Until every object is Ready.
pub async fn all_ready(place: &Place, kind: &str) {
    eventually(PATIENCE, "all are Ready", async || {
        let list = place.kubectl(&["get", kind, "-o", "json"]);
        let list: Value = serde_json::from_str(&list).expect("JSON");
        let ready = |object: &Value| {
            let conditions = object["status"]["conditions"].as_array();
            conditions.is_some_and(|all| all.iter().any(|known| known["type"] == "Ready" && known["status"] == "True"))
        };
        let items = list["items"].as_array().cloned().unwrap_or_default();
        match items.iter().find(|object| !ready(object)) {
            None if !items.is_empty() => Ok(()),
            other => Err(other.cloned()),
        }
    })
    .await;
}

/// Seeded accounts, one with all that an account can have, one that is inactive, and a group.
async fn filled() -> Sandbox {
    let sandbox = Sandbox::start();
    sandbox.admin("POST", "/seed", Some(json!({"users": 120}))).await;
    let of_users = json!(["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE]);
    let ada = json!({
        "schemas": of_users, "userName": "Ada@Example.com", "externalId": "7", "displayName": "Ada", "title": "Countess", "active": true,
        "name": {"givenName": "Ada", "familyName": "Lovelace"},
        "emails": [{"value": "ada@example.com", "type": "work", "primary": true}, {"value": "ada@home.example", "type": "home"}],
        "phoneNumbers": [{"value": "1", "type": "work"}, {"value": "2", "type": "work"}],
        "roles": [{"value": "admin", "display": "Admin"}],
        ENTERPRISE: {"department": "Engines", "employeeNumber": "7"},
    });
    let (status, ada) = sandbox.scim("POST", "/Users", Some(ada)).await;
    assert_eq!(status, 201, "{ada}");
    let gone = json!({"schemas": of_users, "userName": "gone@example.com", "active": false});
    let (status, gone) = sandbox.scim("POST", "/Users", Some(gone)).await;
    assert_eq!(status, 201, "{gone}");
    let bob = json!({
        "schemas": of_users, "userName": "bob@example.com", "active": true, "title": "12 Row\nLondon",
        "emails": [{"value": "bob@example.com", "type": "work", "primary": true}, {"value": "bob@home.example", "type": "home"}],
        "phoneNumbers": [{"value": "+44 20 7946 0000", "type": "work"}, {"value": "0171 1", "type": "mobile"}],
        "addresses": [{"type": "work", "streetAddress": "12 Row", "locality": "London", "country": "GB"}],
        "roles": [{"value": "editor"}, {"value": "viewer"}], "entitlements": [{"value": "gold"}],
    });
    let (status, bob) = sandbox.scim("POST", "/Users", Some(bob)).await;
    assert_eq!(status, 201, "{bob}");
    let of_groups = json!(["urn:ietf:params:scim:schemas:core:2.0:Group"]);
    let group = json!({"schemas": of_groups, "displayName": "Engines", "members": [{"value": ada["id"]}, {"value": gone["id"]}]});
    let (status, group) = sandbox.scim("POST", "/Groups", Some(group)).await;
    assert_eq!(status, 201, "{group}");
    sandbox.admin("DELETE", "/stats", None).await;
    sandbox
}

pub async fn at(sandbox: &Sandbox) -> Place {
    let fields = json!({"provider": "Generic", "baseUrl": sandbox.base_url, "rateLimits": fast()});
    connected(Some(&sandbox.token), fields).await
}

fn directory(name: &str) -> (PathBuf, String) {
    let directory = scratch().join(unique(name));
    let text = directory.to_string_lossy().into_owned();
    (directory, text)
}

#[tokio::test]
async fn what_is_imported_changes_nothing() {
    let sandbox = filled().await;
    let place = at(&sandbox).await;
    let (files, into) = directory("import");
    let import = ["import", "jackson", "--allow-loopback-http"];
    let output = scim(&place.namespace, &[&import[..], &["--into", &into]].concat()).await;
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(std::fs::read_dir(files.join("users")).expect("users").count(), 123);
    place.kubectl(&["apply", "--server-side", "-R", "-f", &into]);
    all_ready(&place, "scimuser").await;
    all_ready(&place, "scimgroup").await;
    place.sweeps(2).await;
    let journal = sandbox.admin("GET", "/journal", None).await;
    assert_eq!(journal, json!([]), "nothing was written");
    let users = place.users().await;
    let ada = users.iter().find(|user| user["spec"]["userName"] == "Ada@Example.com").expect("ada");
    assert_eq!(
        (&ada["spec"]["enterprise"]["department"], &ada["spec"]["title"]),
        (&json!("Engines"), &json!("Countess"))
    );
    let group = place.kubectl(&["get", "scimgroup", "-o", "jsonpath={.items[0].spec.members}"]);
    assert!(group.contains(ada["metadata"]["name"].as_str().unwrap()), "members are named by their objects: {group}");

    // Once more into the same folder, which keeps what is no longer there.
    let left = files.join("users/somebody-who-left.yaml");
    std::fs::write(&left, "").expect("a file");
    let again = scim(&place.namespace, &[&import[..], &["--into", &into]].concat()).await;
    assert!(again.status.code() == Some(2) && stderr(&again).contains("holds 1 other files"), "{}", stderr(&again));
    assert_eq!(std::fs::read_dir(files.join("users")).expect("users").count(), 124, "the names are the same");

    let rest = scim(&place.namespace, &[&import[..], &["--unmanaged", "--only", "users"]].concat()).await;
    assert!(printed(&rest).is_empty() && stderr(&rest).contains("123 accounts were left out"), "{}", stderr(&rest));
    let some = scim(&place.namespace, &[&import[..], &["--only", "users", "--where", "title=count*"]].concat()).await;
    assert_eq!(printed(&some).matches("kind: ScimUser").count(), 1, "{}", printed(&some));
}

/// A server that lists these users and these groups, in this order.
async fn listing(listed: &Arc<Mutex<[Vec<Value>; 2]>>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let listed = Arc::clone(listed);
    let answer = move |request: axum::extract::Request| {
        let path = request.uri().path().trim_start_matches("/scim/v2/").to_owned();
        let [users, groups] = listed.lock().expect("the lists").clone();
        let found = match path.split_once('/') {
            None if path == "Users" => Some(json!({"totalResults": users.len(), "Resources": users})),
            None if path == "Groups" => Some(json!({"totalResults": groups.len(), "Resources": groups})),
            Some(("Groups", id)) => groups.into_iter().find(|group| group["id"] == id),
            _ => None,
        };
        async move { found.map(axum::Json).ok_or(axum::http::StatusCode::NOT_FOUND) }
    };
    let router = axum::Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/scim/v2")
}

/// The text of each file below a directory.
fn texts(directory: &Path) -> BTreeMap<PathBuf, String> {
    let folders = ["users", "groups"].map(|folder| std::fs::read_dir(directory.join(folder)).expect("a folder"));
    let files = folders.into_iter().flatten().map(|file| file.expect("a file").path());
    files.map(|file| (file.clone(), std::fs::read_to_string(&file).expect("a text"))).collect()
}

/// Else the next import would give an object that is bound to one group the members of the other.
#[tokio::test]
async fn a_name_that_was_given_at_an_import_goes_to_no_other_group_and_no_other_account() {
    let account = |id: &str, name: &str| {
        let schemas = ["urn:ietf:params:scim:schemas:core:2.0:User"];
        json!({"schemas": schemas, "id": id, "userName": name, "title": format!("of {id}"), "active": true})
    };
    let group = |id: &str, name: &str, member: &str| {
        let schemas = ["urn:ietf:params:scim:schemas:core:2.0:Group"];
        json!({"schemas": schemas, "id": id, "displayName": name, "members": [{"value": member}]})
    };
    let users = vec![account("u1", "ada@example.com"), account("u2", "Ada@example.com"), account("u3", "grace")];
    let groups = vec![group("g1", "Engineering", "u1"), group("g2", "Engineering", "u3")];
    let listed = Arc::new(Mutex::new([users, groups]));
    let files = by_file(&unique("twins"), &listing(&listed).await, "a-key", json!({}));
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let (directory, into) = directory("twins");
    let import = [&["import"], &files[..], &["--into", &into]].concat();
    let output = alone(&import).await;
    assert!(stderr(&output).contains("the account u2 was left out"), "{}", stderr(&output));
    let first = texts(&directory);
    assert_eq!(first.len(), 4, "{first:#?}");
    assert!(first.keys().filter(|file| file.to_string_lossy().contains("engineering-")).count() == 2, "{first:#?}");

    listed.lock().expect("the lists").iter_mut().for_each(|list| list.reverse());
    let output = alone(&import).await;
    assert!(stderr(&output).contains("the account u2 was left out"), "{}", stderr(&output));
    assert_eq!(texts(&directory), first, "in another order");
    listed.lock().expect("the lists")[1].retain(|group| group["id"] != "g1");
    let output = alone(&import).await;
    assert!(stderr(&output).contains("holds 1 other files"), "{}", stderr(&output));
    assert_eq!(texts(&directory), first, "without the first of them");
}

/// Status records twenty; the server has all of them.
#[tokio::test]
async fn all_accounts_that_nobody_declares_are_listed_sorted_and_filtered() {
    let sandbox = filled().await;
    let place = at(&sandbox).await;
    let live = ["unmanaged", "--live", "--allow-loopback-http", "-o", "json"];
    let listed = async |more: &[&str]| {
        let output = scim(&place.namespace, &[&live[..], more].concat()).await;
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        crate::json_of(&output)
    };
    let all = listed(&[]).await;
    let names: Vec<String> =
        all.as_array().unwrap().iter().map(|account| account["userName"].as_str().unwrap().to_lowercase()).collect();
    assert!(names.len() == 123 && names.is_sorted(), "{names:?}");
    let ada = listed(&["--called", "ADA@", "--connection", "jackson", "--sort", "id"]).await;
    assert_eq!(ada.as_array().map(Vec::len), Some(1), "{ada}");
    assert_eq!(ada[0]["userName"].as_str().map(str::to_lowercase).as_deref(), Some("ada@example.com"));
}

#[tokio::test]
async fn a_roster_of_what_is_imported_changes_nothing() {
    let sandbox = filled().await;
    let place = at(&sandbox).await;
    let (_, into) = directory("roster");
    let args = ["import", "jackson", "--allow-loopback-http", "--roster", "people", "--into", &into];
    let output = scim(&place.namespace, &args).await;
    assert!(output.status.success(), "{}", stderr(&output));
    place.kubectl(&["apply", "--server-side", "-k", &into]);
    eventually(PATIENCE, "everybody has a ScimUser", async || {
        let users = place.users().await.len();
        if users == 123 { Ok(()) } else { Err((users, place.kubectl(&["get", "scimroster", "-o", "yaml"]))) }
    })
    .await;
    all_ready(&place, "scimuser").await;
    assert_eq!(sandbox.admin("GET", "/journal", None).await, json!([]), "nothing was written");
    // What a row has room for is declared; what it hasn't is told.
    let users = place.users().await;
    let of = |name: &str| users.iter().find(|user| user["spec"]["userName"] == name).expect("the user")["spec"].clone();
    let bob = of("bob@example.com");
    assert_eq!(bob["roles"], json!([{"value": "editor"}, {"value": "viewer"}]), "{bob}");
    assert_eq!(
        (bob["phoneNumbers"].as_array().map(Vec::len), bob["emails"].as_array().map(Vec::len)),
        (Some(2), Some(2))
    );
    assert_eq!(
        (&bob["addresses"][0]["locality"], &bob["entitlements"][0]["value"]),
        (&json!("London"), &json!("gold"))
    );
    let ada = of("Ada@Example.com");
    assert_eq!((&ada["roles"], &ada["phoneNumbers"]), (&json!([{"value": "admin"}]), &Value::Null), "{ada}");
    assert!(stderr(&output).contains("1 rows without phoneNumbers, which the table can't say"), "{}", stderr(&output));
    // And the plan of what is applied says so.
    let plan = scim(&place.namespace, &["plan", "jackson", "--allow-loopback-http"]).await;
    assert!(plan.status.success(), "{}{}", printed(&plan), stderr(&plan));
}

/// An account of which nothing is shown but its name comes last, and none is rejected; what a cell can't say is told.
#[tokio::test]
async fn i31_a_roster_takes_every_row_of_its_own_table() {
    let sandbox = Sandbox::start();
    sandbox.admin("POST", "/seed", Some(json!({"users": 20}))).await;
    let address = json!({"type": "work", "locality": "London", "country": "GB"});
    let ada = json!({
        "userName": "ada@example.com", "roles": [{"value": "admin"}, {"value": "billing"}], "addresses": [address],
        "emails": [{"value": "ada@example.com", "type": "work"}, {"value": "ada@home.example", "type": "home"}],
        "phoneNumbers": [{"value": "+44 1", "type": "mobile"}, {"value": "2", "type": "pager"}],
    });
    let schemas = json!(["urn:ietf:params:scim:schemas:core:2.0:User"]);
    for mut account in [ada, json!({"userName": "formula", "title": "=1+2"}), json!({"userName": "svc-scim"})] {
        account["schemas"] = schemas.clone();
        let (status, made) = sandbox.scim("POST", "/Users", Some(account)).await;
        assert_eq!(status, 201, "{made}");
        // A server need not show it.
        let path = format!("/users/{}/change", made["id"].as_str().expect("an id"));
        sandbox.admin("POST", &path, Some(json!({"active": null}))).await;
    }
    let files = by_file(&unique("rows"), &sandbox.base_url, &sandbox.token, json!({}));
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let (directory, into) = directory("rows");
    let output = alone(&[&["import"], &files[..], &["--into", &into, "--roster", "people"]].concat()).await;
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "a formula is no value: {told}");
    assert!(told.contains("1 rows without phoneNumbers, which the table can't say"), "{told}");
    assert!(told.contains("can't use 1 rows, such as that of formula: column title: it is a formula"), "{told}");
    assert_eq!(told.matches("warning: ").count(), 1, "{told}");

    let (roster, table) = (directory.join("roster.yaml"), directory.join("people-1.csv"));
    let args =
        ["roster", "preview", "-f", &roster.to_string_lossy(), "--source", &table.to_string_lossy(), "-o", "json"];
    let output = alone(&args).await;
    let report = &crate::json_of(&output)[0];
    assert_eq!(report["sums"], json!({"rows": 23, "mapped": 22, "outOfScope": 0, "rejected": 1}), "{report:#}");
    let row = |name: &str| {
        let rows = report["rows"].as_array().expect("rows").iter();
        rows.map(|row| &row["spec"]).find(|spec| spec["userName"] == name).expect(name).clone()
    };
    let ada = row("ada@example.com");
    assert_eq!(ada["roles"], json!([{"value": "admin"}, {"value": "billing"}]), "{ada:#}");
    assert_eq!(
        (ada["addresses"][0]["country"].as_str(), ada["phoneNumbers"][0]["value"].as_str()),
        (Some("GB"), Some("+44 1"))
    );
    assert_eq!((&row("svc-scim")["active"], &row("svc-scim")["roles"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn what_is_imported_of_a_real_jackson_changes_nothing() {
    let place = connected(None, json!({})).await;
    for name in ["ada", "grace", "alan"] {
        let account = json!({
            "userName": format!("{name}@example.com"), "active": name != "alan", "title": "Engineer",
            "name": {"givenName": name, "familyName": "Example"},
            "emails": [{"value": format!("{name}@example.com"), "type": "work", "primary": true}],
        });
        let (status, answer) = place.directory.scim("POST", "/Users", Some(account)).await;
        assert_eq!(status, 201, "{answer}");
    }
    let before = place.directory.writes().await.len();
    let output = scim(&place.namespace, &["import", "jackson", "--allow-loopback-http", "--only", "users"]).await;
    assert!(output.status.success(), "{}", stderr(&output));
    place.cluster.apply(&place.namespace, &printed(&output));
    all_ready(&place, "scimuser").await;
    place.sweeps(2).await;
    assert_eq!(place.directory.writes().await.len(), before, "nothing was written");
    assert_eq!(place.users().await.len(), 3);
}

#[tokio::test]
async fn ten_thousand_accounts_take_less_than_a_minute() {
    for form in [&[][..], &["--roster", "people"]] {
        let (one, _, _) = imported(1, form).await;
        let (many, took, told) = imported(10_000, form).await;
        assert!(took < Duration::from_secs(60), "{took:?}");
        assert!(told.contains("10000 users"), "{told}");
        // A page at a time, and the names and ids of all.
        let each = (many - one) / 10_000.0;
        println!("{form:?}: {one:.0} KiB with one account, {many:.0} KiB with 10,000: {each:.2} KiB each");
        assert!(each < MOST_KIB, "{form:?}: {one:.0} KiB with one account, {many:.0} KiB with 10,000");
    }
}

/// So much of each account may be kept: its names and its id, so that no two files have one name.
const MOST_KIB: f64 = 0.8;

/// The peak of memory in KiB, the time, and what is told.
async fn imported(users: usize, form: &[&str]) -> (f64, Duration, String) {
    let sandbox = Sandbox::start();
    sandbox.admin("POST", "/seed", Some(json!({"users": users}))).await;
    let files = by_file(&unique("many"), &sandbox.base_url, &sandbox.token, json!({}));
    let (_, into) = directory("many");
    let began = Instant::now();
    let mut command = crate::program(Path::new("/there/is/none"));
    command.arg("import").args(&files).args(["--into", &into]).args(form);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let ended = tokio::task::spawn_blocking(move || peak(command.spawn().expect("kubectl-scim")));
    let (peak, output) = ended.await.expect("it ran");
    assert!(output.status.success(), "{}", stderr(&output));
    (peak, began.elapsed(), stderr(&output))
}
