//! One suite for every server: what the planner makes of a person is sent by the client, and the server shows it. What
//! each does in its own way becomes a row of the table in docs/servers/README.md, which this test keeps true.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use scim_operator::plan::{Declared, Differences, Path, View, creation, differences, merged, patch};
use scim_operator::scim::{
    Class, Client, Kind, ObservedQuirks, Op, Overrides, Paging, PatchOperation, Profile, Resource, Start, WriteMethod,
};
use serde_json::{Value, json};

use crate::support::{Jackson, Library, Sandbox, Scim2Server, repository, scratch, unique};
use crate::{client, soon};

/// A server, and how one gets there.
struct Server {
    name: String,
    profile: Profile,
    base_url: String,
    token: String,
}

impl Server {
    fn new(name: &str, profile: Profile, base_url: &str, token: &str) -> Server {
        Server { name: name.to_owned(), profile, base_url: base_url.to_owned(), token: token.to_owned() }
    }
}

/// A person as a ScimUser declares them.
fn declared(user_name: &str, further: &Value, profile: &Profile) -> Declared {
    let mut spec = json!({
        "connectionRef": {"name": "any"}, "userName": user_name, "active": true,
        "name": {"givenName": "Ada", "familyName": "Lovelace"}, "displayName": "Ada Lovelace",
        "emails": [{"value": user_name, "type": "work", "primary": true}],
    });
    for (name, value) in further.as_object().unwrap() {
        spec[name] = value.clone();
    }
    Declared::new(&serde_json::from_value(spec).unwrap(), None, profile, jiff::Timestamp::now())
}

/// Sends the differences, and `active`, in the form that the profile prescribes.
async fn write(client: &Client, profile: &Profile, shown: &Resource, differences: &Differences, active: Option<bool>) {
    let id = shown.id().unwrap();
    let result = match profile.write_users {
        WriteMethod::Patch => {
            let mut operations = patch(differences, &View::of(shown), profile);
            operations.extend(active.map(|active| PatchOperation {
                op: Op::Replace,
                path: Some("active".into()),
                value: Some(Value::Bool(active)),
            }));
            client.patch(Kind::Users, id, &operations, None, soon()).await
        }
        WriteMethod::Put => {
            let mut body = merged(differences, shown);
            body.remove("meta");
            let active = active.or(shown.active()).unwrap_or(true);
            body.insert("active".into(), Value::Bool(active));
            client.replace(Kind::Users, id, &body, shown.version(), soon()).await
        }
    };
    result.unwrap_or_else(|error| panic!("{error}"));
}

/// Every id in the whole list, page by page, as a sweep walks it.
async fn walk(client: &Client, profile: &Profile) -> BTreeSet<String> {
    let (mut start, mut seen) = (Start::first(profile.paging), BTreeSet::new());
    loop {
        let page = client.list_from(Kind::Users, &start, profile.page_size, soon()).await.unwrap();
        let new = page.resources.iter().filter(|one| seen.insert(one.id().unwrap().to_owned())).count();
        match start.after(&page) {
            Some(next) if new > 0 && profile.paging != Paging::None => start = next,
            _ => return seen,
        }
    }
}

/// A whole life; returns what the server did in its own way.
async fn row(server: &Server) -> Vec<String> {
    let client = client(&server.base_url, &server.token, server.profile.clone());
    client.probe(soon()).await.unwrap();
    let mut config = if server.profile.discovery { client.server_config(soon()).await.ok() } else { None };
    if let Some(config) = config.as_mut().filter(|_| server.profile.learns) {
        config.attributes = client.listed_attributes(soon()).await.unwrap_or_default();
        println!("its schemas: {:?}", config.attributes);
    }
    let profile =
        config.as_ref().map_or(server.profile.clone(), |says| says.teach(&server.profile, Overrides::default()));
    let discovery = if config.is_some() { "yes" } else { "none" };
    let name = format!("{}@example.com", unique("ada"));

    // Created, shown, and refused a second time.
    let first = declared(&name, &json!({"title": "Engineer", "nickName": "Countess"}), &profile);
    let made = client.create(Kind::Users, &creation(&first), soon()).await.unwrap().resource.unwrap();
    let id = made.id().unwrap().to_owned();
    let shown = client.get(Kind::Users, &id, soon()).await.unwrap();
    let owned: BTreeSet<Path> = first.attributes.keys().cloned().collect();
    assert_eq!(differences(&first, &shown, &owned), Differences::new(), "{shown:?}");
    let twice = client.create(Kind::Users, &creation(&first), soon()).await.unwrap_err();
    assert_eq!(twice.class(), Class::Conflict, "{twice}");

    // Found by what identifies them, and by nothing else.
    let found = client.find(Kind::Users, "userName", &name, soon()).await.unwrap().hits;
    assert_eq!(found.iter().map(Resource::id).collect::<Vec<_>>(), [Some(id.as_str())]);
    let other_case = client.find(Kind::Users, "userName", &name.to_uppercase(), soon()).await.unwrap().hits;
    let case = if other_case.is_empty() { "told apart" } else { "folded" };
    let nobody = client.find(Kind::Users, "userName", "nobody@example.com", soon()).await.unwrap().hits;
    assert!(nobody.is_empty(), "{nobody:?}");

    // Changed, with an attribute dropped, in one write.
    let second = declared(&name, &json!({"title": "Officer", "displayName": "Ada King"}), &profile);
    let changes = differences(&second, &shown, &owned);
    assert!(!changes.is_empty());
    write(&client, &profile, &shown, &changes, None).await;
    let shown = client.get(Kind::Users, &id, soon()).await.unwrap();
    assert_eq!(differences(&second, &shown, &owned), Differences::new(), "{shown:?}");
    assert_eq!(shown.active(), Some(true), "{shown:?}");
    let named = [shown.get("displayName"), shown.get("name").and_then(|name| name.get("formatted"))];
    assert!(named.contains(&Some(&json!("Ada King"))), "{shown:?}");
    let change = match profile.write_users {
        WriteMethod::Patch => "PATCH",
        WriteMethod::Put => "PUT",
    };

    // Deactivated and re-activated, the same account.
    for active in [false, true] {
        let shown = client.get(Kind::Users, &id, soon()).await.unwrap();
        write(&client, &profile, &shown, &Differences::new(), Some(active)).await;
        assert_eq!(client.get(Kind::Users, &id, soon()).await.unwrap().active(), Some(active));
    }

    // More people than a page holds are all seen.
    let mut everybody = BTreeSet::from([id.clone()]);
    for _ in 0..4 {
        let one = declared(&format!("{}@example.com", unique("more")), &json!({}), &profile);
        let made = client.create(Kind::Users, &creation(&one), soon()).await.unwrap().resource.unwrap();
        everybody.insert(made.id().unwrap().to_owned());
    }
    assert_eq!(walk(&client, &Profile { page_size: 2, ..profile.clone() }).await, everybody);

    // Each does what its profile says of it, but for filters, which some ignore.
    let mut seen = ObservedQuirks::default();
    let page = client.probe(soon()).await.unwrap();
    let shown = page.resources.len() as u64;
    seen.page(1, shown, shown, page.total);
    seen.search(&client.find_nobody(soon()).await);
    let differs = seen.differs(&profile);
    let searches = if differs.is_empty() { "heeded" } else { "ignored" };
    assert!(differs.iter().all(|note| note.contains("ignores filters")), "{differs:?}");

    client.delete(Kind::Users, &id, soon()).await.unwrap();
    let deletion = match client.get(Kind::Users, &id, soon()).await {
        Ok(left) => {
            assert_eq!(left.active(), Some(false), "{left:?}");
            "disables"
        }
        Err(error) => {
            assert_eq!(error.class(), Class::NotFound, "{error}");
            "removes"
        }
    };
    let paging = match profile.paging {
        Paging::Index => "index",
        Paging::Cursor => "cursor",
        Paging::None => "none",
    };
    let cells = [server.name.as_str(), discovery, change, paging, searches, case, deletion];
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

async fn servers() -> (Vec<Server>, Vec<Sandbox>) {
    let mut servers = Vec::new();
    for (store, jackson) in [("in memory", Jackson::shared().await), ("PostgreSQL", Jackson::on_sql().await)] {
        for kind in ["generic-scim-v2", "azure-scim-v2", "okta-scim-v2"] {
            let directory = jackson.new_directory(kind).await;
            let name = format!("SAML Jackson, {store}, {kind}");
            servers.push(Server::new(&name, Profile::jackson(), &directory.base_url, &directory.token));
        }
    }
    let file = scratch().join("data/matrix-two-on-a-page.json");
    std::fs::write(&file, TWO_ON_A_PAGE).unwrap();
    let plain = Scim2Server::shared().await.tenant();
    let bound = Scim2Server::start(&["--service-provider-config", file.to_str().unwrap()]).await;
    let without_patch = bound.tenant();
    // It serves until the end of this process.
    std::mem::forget(bound);
    let tenants = [
        ("scim2-server", plain),
        ("scim2-server, without PATCH, two a page", without_patch),
        ("SCIM-SDK (Java)", Library::scim_sdk().await.tenant()),
        ("SCIMMY (Node)", Library::scimmy().await.tenant()),
    ];
    for (name, tenant) in tenants {
        servers.push(Server::new(name, Profile::generic(), &tenant.base_url, &tenant.token));
    }
    let dialects = BTreeMap::from([
        ("generic", Profile::generic()),
        ("datadog", Profile::datadog()),
        ("jackson", Profile::jackson()),
        ("aws", Profile::aws_identity_center()),
        ("github", Profile::github()),
        ("slack", Profile::slack()),
    ]);
    let mut sandboxes = Vec::new();
    for (dialect, profile) in dialects {
        let sandbox = Sandbox::start_with(&["--dialect", dialect]);
        servers.push(Server::new(&format!("sandbox, {dialect}"), profile, &sandbox.base_url, &sandbox.token));
        sandboxes.push(sandbox);
    }
    (servers, sandboxes)
}

const TWO_ON_A_PAGE: &str = r#"{
    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
    "patch": {"supported": false}, "bulk": {"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
    "filter": {"supported": true, "maxResults": 2}, "changePassword": {"supported": false},
    "sort": {"supported": true}, "etag": {"supported": true},
    "authenticationSchemes": [
        {"type": "oauthbearertoken", "name": "Bearer", "description": "A bearer token", "primary": true}
    ]
}"#;

#[tokio::test]
async fn every_server_takes_the_same_life_and_the_table_says_how() {
    let (servers, _sandboxes) = servers().await;
    let mut table = String::from(
        "| server | says what it can do | changed by | pages by | filters | letter case in a search | DELETE |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for server in &servers {
        println!("{} at {}", server.name, server.base_url);
        writeln!(table, "| {} |", row(server).await.join(" | ")).unwrap();
    }
    println!("{table}");
    let page = std::fs::read_to_string(repository().join("docs/servers/README.md")).unwrap();
    assert!(page.contains(&table), "the table of docs/servers/README.md is not what was seen; it is:\n{table}");
}
