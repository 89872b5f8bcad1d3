//! The end of a story: whoever goes, and what is left.

use serde_json::{Value, json};

use super::Story;

/// Requests of a whole story; how many one takes at a server without quirks is far below.
const MOST_REQUESTS: u64 = 1_200;
impl Story {
    pub(super) async fn deactivate(&mut self) {
        let led = json!({"manager": {"userRef": {"name": "ada"}}, "department": "Fleet"});
        self.person("bea", json!({"enterprise": led, "active": false}));
        self.pass("deactivated", 2).await;
        let (bea, told) = (self.account("bea").await, self.told("bea"));
        let goes = bea.is_none_or(|bea| bea["active"] == json!(false));
        if goes && told.contains("active: false and still") {
            self.complain(&format!("bea is inactive, and told: {told}"));
        } else if !goes && told.starts_with("True") && !told.contains("nobody can tell") {
            self.complain(&format!("bea is still active, and told: {told}"));
        }
    }

    pub(super) async fn delete(&mut self) {
        self.world.delete("cyd");
        self.world.delete("team");
        self.pass("deleted", 3).await;
        // Who was made without an answer can't be found there, and the way out is told.
        if self.hollow && self.told("cyd").contains("scim-operator.dev/release") {
            return;
        }
        // It is inactive, and says what to set.
        let left = self.account("cyd").await;
        if self.keeps && self.changes_nothing && self.told("cyd").contains("scim-operator.dev/release") {
            return;
        }
        if self.keeps && self.told("cyd").contains("deletionPolicy") && left.is_none_or(|cyd| cyd["active"] == false) {
            return;
        }
        for name in ["cyd", "team"] {
            if self.ignores_deletes && self.told(name).contains("still shows it") {
                continue;
            }
            if self.world.get(name).is_some() || self.world.get_group(name).is_some() {
                let told = self.told(name);
                self.complain(&format!("{name} stays: {told}"));
            }
        }
        let left = self.account("cyd").await;
        if let Some(cyd) = left
            .filter(|cyd| !self.ignores_deletes || (cyd["active"] == json!(true) && self.world.get("cyd").is_none()))
        {
            self.complain(&format!("the account of cyd stays: {cyd}"));
        }
    }

    /// No second account, nobody gone, requests bounded, nothing done to anybody else.
    pub(super) async fn end(&mut self) {
        self.outcome.requests += self.world.requests().await;
        let all = self.world.admin("GET", "/users", None).await;
        for name in ["ada", "bea", "cyd"] {
            let named = |user: &&Value| {
                user["userName"]
                    .as_str()
                    .is_some_and(|known| known.eq_ignore_ascii_case(&format!("{name}@example.com")))
            };
            let made = all.as_array().into_iter().flatten().filter(named).count();
            if made > 1 {
                self.complain(&format!("{made} accounts were made for {name}"));
            }
        }
        for (name, id) in self.hands.clone() {
            let now = all.as_array().into_iter().flatten().find(|user| user["id"] == json!(id));
            if now.is_none_or(|now| now["exists"] != json!(true) || now["history"]["deleted"] != json!(0)) {
                self.complain(&format!("{name}, who is nobody's, is gone: {now:?}"));
            } else if now.is_some_and(|now| now["writes"] != json!(0)) {
                self.complain(&format!("{name}, who is nobody's, was written: {now:?}"));
            }
        }
        let ada = all.as_array().into_iter().flatten().any(|user| {
            let named = user["userName"].as_str().is_some_and(|known| known.eq_ignore_ascii_case("ada@example.com"));
            named && user["exists"] == json!(true)
        });
        let waits = self.ready("ada").is_none_or(|ready| ready.status != "True");
        if !ada && !waits {
            self.complain("ada has no account, and is said to be synced");
        }
        if self.outcome.requests > MOST_REQUESTS {
            self.complain(&format!("{} requests", self.outcome.requests));
        }
        let diverged = self.world.effects.look().diverged.clone();
        if !diverged.is_empty() {
            self.complain(&format!("plans that don't converge: {diverged:?}"));
        }
    }
}
