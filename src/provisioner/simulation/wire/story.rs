//! A short story at a server with quirks: people and a group are made, changed, deactivated and deleted.

mod removal;

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde_json::{Value, json};

use super::world::World;
use super::{changes_nothing, is_unfindable};

/// Requests in two minutes in which nothing is declared otherwise: two or three looks at the whole, and what is tried again.
const MOST_AT_REST: u64 = 80;

const MINUTE: Duration = Duration::from_secs(60);
/// As long as a server's trouble is taken for one that passes.
const A_WHILE: Duration = Duration::from_secs(40 * 60);

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What must not be.
    pub broken: Vec<String>,
    pub requests: u64,
    /// The Ready conditions of each phase, for whoever looks into a failure.
    pub told: Vec<String>,
}

/// The same life at a server of which nothing else is known; what is told after each of its parts.
pub async fn look(base: &str, token: &str) -> Vec<String> {
    let policy = json!({"deletionPolicy": {"users": "Delete", "groups": "Delete"}});
    let mut story = Story {
        world: World::at(base, token, policy),
        name: base.to_owned(),
        stranger: false,
        breaks: false,
        hollow: false,
        keeps: false,
        ignores_deletes: false,
        changes_nothing: false,
        unfindable: false,
        hands: BTreeMap::new(),
        outcome: Outcome::default(),
    };
    story.begin().await;
    story.change().await;
    story.deactivate().await;
    story.delete().await;
    let mut told = story.outcome.told;
    told.extend(story.world.effects.look().events.iter().map(|(reason, note)| format!("event {reason}: {note}")));
    told.extend(story.outcome.broken);
    told
}

struct Story {
    world: World,
    name: String,
    /// A member that there isn't.
    stranger: bool,
    breaks: bool,
    /// What others change at the server is never shown.
    hollow: bool,
    /// No user is deleted there.
    keeps: bool,
    /// Nothing is, whatever is answered.
    ignores_deletes: bool,
    /// There is no way at all to make a user inactive.
    changes_nothing: bool,
    /// Neither a list nor a search finds anybody.
    unfindable: bool,
    /// Accounts made by hand, by userName.
    hands: BTreeMap<String, String>,
    outcome: Outcome,
}

/// Lives it through.
pub async fn live(quirks: &[&str]) -> Outcome {
    let policy = json!({
        "deletionPolicy": {"users": "Delete", "groups": "Delete"},
        "driftPolicy": {"attributes": "Repair"},
    });
    let mut story = Story {
        world: World::start(quirks, policy).await,
        name: quirks.join("+"),
        stranger: quirks.iter().any(|quirk| quirk.contains("unknown_member")),
        breaks: quirks.contains(&"breaks"),
        hollow: quirks.contains(&"hollow_lists"),
        keeps: quirks.contains(&"no_deletes"),
        ignores_deletes: quirks.contains(&"ignores_deletes"),
        changes_nothing: changes_nothing(quirks) || quirks.contains(&"refuses_inactive"),
        unfindable: is_unfindable(quirks),
        hands: BTreeMap::new(),
        outcome: Outcome::default(),
    };
    if quirks.contains(&"rate_403") {
        story.world.admin("POST", "/rate", Some(json!({"per_second": 40, "burst": 40}))).await;
    }
    story.hands().await;
    story.begin().await;
    story.rest().await;
    story.change().await;
    story.drift().await;
    story.deactivate().await;
    story.delete().await;
    story.end().await;
    story.outcome
}

impl Story {
    fn complain(&mut self, what: &str) {
        self.outcome.broken.push(format!("{}: {what}", self.name));
    }

    /// People who are there already, and whom nobody declares.
    async fn hands(&mut self) {
        for (name, email) in [("zoe", "office"), ("han", "han"), ("ivy", "ivy"), ("joe", "joe")] {
            let body = json!({
                "userName": format!("{name}@example.com"), "active": false,
                "emails": [{"value": format!("{email}@example.com"), "type": "work"}],
            });
            let made = self.world.admin("POST", "/users", Some(body)).await;
            let id = made["id"].as_str().expect("an id").to_owned();
            self.hands.insert(format!("{name}@example.com"), id);
        }
    }

    fn person(&self, name: &str, more: Value) {
        let mut spec = json!({
            "userName": format!("{name}@Example.com"),
            "externalId": format!("e-{name}"),
            "active": true,
            "displayName": format!("{name} of Example"),
            "name": {"givenName": name, "familyName": "Example"},
            "emails": [{"value": format!("{name}@example.com"), "type": "work", "primary": true}],
        });
        if let Value::Object(more) = more {
            more.into_iter().for_each(|(field, value)| spec[field] = value);
        }
        self.world.user(name, spec);
    }

    fn team(&self, display_name: &str, people: &[&str]) {
        let people = people.iter().map(|name| json!({"userRef": {"name": name}}));
        let hands = self.hands.values().map(|id| json!({"id": id}));
        let stranger = self.stranger.then(|| json!({"id": "nobody-there"}));
        let members: Vec<Value> = people.chain(hands).chain(stranger).collect();
        self.world.group("team", json!({"displayName": display_name, "membership": "Exact", "members": members}));
    }

    async fn begin(&mut self) {
        let phone = json!([{"value": "+1 (555) 010-01", "type": "work"}]);
        self.person("ada", json!({"title": "Engineer", "phoneNumbers": phone}));
        let led = json!({"manager": {"userRef": {"name": "ada"}}, "department": "Navy"});
        self.person("bea", json!({"title": "Admiral", "enterprise": led}));
        let shared = json!([{"value": "office@example.com", "type": "work", "primary": true}]);
        self.person("cyd", json!({"title": "Cook", "emails": shared}));
        self.team("Team", &["ada", "bea", "cyd"]);
        self.pass("made", 3).await;
        self.hands_are_in().await;
    }

    /// Whoever is declared by an id is in, where the group is said to be as declared.
    async fn hands_are_in(&mut self) {
        if self.ready("team").is_none_or(|ready| ready.reason != "Synced") {
            return;
        }
        let groups = self.world.admin("GET", "/groups", None).await;
        let members: Vec<&Value> =
            groups.as_array().into_iter().flatten().filter_map(|group| group["members"].as_array()).flatten().collect();
        let out = self.hands.values().filter(|id| !members.iter().any(|member| member["value"] == json!(id))).count();
        if out > 0 {
            let told = self.told("team");
            self.complain(&format!("{out} members aren't in the group, which says: {told}"));
        }
    }

    /// Nothing is declared otherwise: nothing is written.
    async fn rest(&mut self) {
        if self.unfindable {
            self.says_why_unfindable();
        }
        self.outcome.requests += self.world.requests().await;
        self.pass("at rest", 2).await;
        let writes = self.writes().await;
        let at_rest = self.world.requests().await;
        self.outcome.requests += at_rest;
        // What isn't kept is put back until a second writer is supposed.
        if writes > 0 && !self.name.contains("pretends_patches") {
            self.complain(&format!("{writes} writes took effect while nothing changed"));
        }
        // Whoever isn't connected is tested anew, more often here than elsewhere.
        if at_rest > MOST_AT_REST && self.connected().starts_with("True") {
            self.complain(&format!("{at_rest} requests while nothing changed"));
        }
    }

    /// Another process goes on, and finds everything declared otherwise.
    async fn change(&mut self) {
        self.world.restart();
        let phone = json!([{"value": "+1 (555) 010-02", "type": "work"}]);
        self.person("ada", json!({"title": "Countess", "phoneNumbers": phone}));
        let led = json!({"manager": {"userRef": {"name": "ada"}}, "department": "Fleet"});
        self.person("bea", json!({"enterprise": led}));
        self.person("cyd", json!({"title": if self.breaks { "broken" } else { "Captain" }}));
        self.team("Team One", &["ada", "cyd"]);
        // A name that is shown as it was is read again after a minute, before each other form.
        self.pass("changed", 9).await;
        self.left("bea").await;
        self.hands_are_in().await;
    }

    async fn drift(&mut self) {
        if self.account("ada").await.is_some() {
            self.world.admin("POST", "/users/ada@example.com/change", Some(json!({"title": "Nobody"}))).await;
        }
        self.pass("drifted", 2).await;
        if !self.hollow {
            self.has("ada", "title", &json!("Countess")).await;
        }
    }

    /// Whoever can't be found says why, and what to do.
    fn says_why_unfindable(&mut self) {
        let why = ["scim-operator.dev/remote-id", "nobody can be found", "?filter=…"];
        for name in ["ada", "bea", "team"] {
            let told = self.told(name);
            if !self.is_bound(name) && !why.iter().any(|why| told.contains(why)) {
                self.complain(&format!("{name} can't be found, and says: {}", self.told(name)));
            }
        }
    }

    /// Lets minutes go by; then each object is Ready, or says why it isn't.
    async fn pass(&mut self, phase: &str, minutes: u32) {
        self.world.pass(MINUTE * minutes).await;
        // What is answered 500 is tried more and more slowly before it is said.
        let waits = |name: &&str| self.ready(name).is_some_and(|ready| ready.reason == "Pending");
        if ["ada", "bea", "cyd", "team"].iter().any(&waits) {
            self.world.pass(A_WHILE).await;
        }
        for name in ["ada", "bea", "cyd", "team"] {
            let told = self.told(name);
            self.outcome.told.push(format!("{phase}: {name} {told}"));
            let Some(ready) = self.ready(name) else {
                if self.world.get(name).is_some() || self.world.get_group(name).is_some() {
                    self.complain(&format!("{phase}: nothing is said of {name}"));
                }
                continue;
            };
            let says = ready.status == "True" || (ready.reason != "Pending" && !ready.message.is_empty());
            if !says {
                self.complain(&format!("{phase}: {name} {told}"));
            }
        }
        let connected = self.connected();
        let is_told = self.unfindable && connected.contains("nobody can be found");
        if !connected.starts_with("True") && !is_told {
            self.complain(&format!("{phase}: the connection is {connected}"));
        }
        self.outcome.told.push(format!("{phase}: learned {:?}, {connected}", self.world.learned()));
    }

    fn connected(&self) -> String {
        let conditions = self.world.connection().status.and_then(|status| status.conditions).unwrap_or_default();
        let connected = conditions.iter().find(|known| known.type_ == "Connected");
        connected.map(|known| format!("{} {} {}", known.status, known.reason, known.message)).unwrap_or_default()
    }

    fn conditions(&self, name: &str) -> Vec<Condition> {
        let user = self.world.get(name).and_then(|user| user.status?.conditions);
        let group = || self.world.get_group(name).and_then(|group| group.status?.conditions);
        user.or_else(group).unwrap_or_default()
    }

    fn ready(&self, name: &str) -> Option<Condition> {
        self.conditions(name).into_iter().find(|known| known.type_ == "Ready")
    }

    fn is_bound(&self, name: &str) -> bool {
        let user = self.world.get(name).and_then(|user| user.status?.id);
        user.or_else(|| self.world.get_group(name).and_then(|group| group.status?.id)).is_some()
    }

    fn told(&self, name: &str) -> String {
        let told = self.ready(name).map(|known| format!("{} {}: {}", known.status, known.reason, known.message));
        told.unwrap_or_else(|| "-".to_owned())
    }

    /// The account that is there.
    async fn account(&self, name: &str) -> Option<Value> {
        let all = self.world.accounts(&format!("{name}@example.com")).await;
        all.into_iter().find(|account| account["exists"] == json!(true))
    }

    /// Whoever is said to be synced has what is declared.
    async fn has(&mut self, name: &str, attribute: &str, value: &Value) {
        if self.ready(name).is_none_or(|ready| ready.reason != "Synced") {
            return;
        }
        let shown = self.account(name).await.map(|account| account["resource"][attribute].clone());
        if shown.as_ref() != Some(value) {
            let told = self.told(name);
            self.complain(&format!("{name} has {shown:?} for {attribute}, and is {told}"));
        }
    }

    /// Whoever isn't declared a member is none, or the group says so.
    async fn left(&mut self, name: &str) {
        let id = self.account(name).await.map(|account| account["id"].clone());
        let groups = self.world.admin("GET", "/groups", None).await;
        let mut members =
            groups.as_array().into_iter().flatten().filter_map(|group| group["members"].as_array()).flatten();
        let is_in = id.is_some() && members.any(|member| Some(&member["value"]) == id.as_ref());
        if is_in && self.ready("team").is_none_or(|ready| ready.status == "True") {
            let told = self.told("team");
            self.complain(&format!("{name} is still in the group, which says: {told}"));
        }
    }

    async fn writes(&self) -> u64 {
        self.world.admin("GET", "/stats", None).await["writes"].as_u64().unwrap_or_default()
    }
}
