//! What writes tell: which forms of change the server takes, each sent as the operator sends it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use scim_operator::api::{DialectSpec, ScimUserSpec};
use scim_operator::plan::{Declared, Path, View, creation, differences, merged, patch};
use scim_operator::provisioner::dialect_of;
use scim_operator::provisioner::schedule::limiter::RequestKind;
use scim_operator::scim::{Class, Error, Kind, Op, Paging, PatchOperation, PatchPaths, Profile, Resource, WriteMethod};
use serde_json::{Value, json};

use super::Step;
use super::scratch::{Left, Scratch, find};
use crate::commands::interrupted::interrupted;
use crate::output;
use crate::server::Server;

/// Makes, changes and removes; what was made is removed, whatever happens. The second is the dialect where the `expected`
/// one, the preset with what the server says of itself, doesn't fit.
pub(super) async fn steps(server: &Server, expected: &Profile, domain: &str) -> (Vec<Step>, Option<Value>) {
    let scratch = Scratch::new(domain);
    let mut trial =
        Trial { server, scratch: &scratch, profile: expected.clone(), lost: BTreeSet::new(), steps: Vec::new() };
    let ended = tokio::select! {
        ended = trial.run() => ended,
        () = interrupted() => {
            output::note("interrupted; what was made is removed");
            Some(Step::bad("write", "interrupted", "run it again"))
        }
    };
    let (mut steps, learnt) = (std::mem::take(&mut trial.steps), trial.profile.clone());
    let whole = ended.is_none();
    steps.extend(ended);
    let left = tokio::select! {
        left = scratch.remove(server) => left,
        () = interrupted() => Left { failed: scratch.names(), ..Left::default() },
    };
    steps.push(if !left.failed.is_empty() {
        Step::bad("clean-up", format!("may be left: {}", left.failed.join("; ")), "remove them by hand")
    } else if !left.unanswered.is_empty() {
        let names = left.unanswered.join(", ");
        let found =
            format!("the creation of {names} was not answered, and it is not there; a slow server may still make it");
        Step::bad("clean-up", found, "look for it in a while, and remove it by hand")
    } else if left.inactive.is_empty() {
        Step::good("clean-up", "what was made is gone")
    } else {
        Step::note("clean-up", format!("the server keeps what is deleted: {} stay, inactive", left.inactive.join(", ")))
    });
    (steps, if whole { override_of(expected, &learnt) } else { None })
}

/// The fields in which the server's ways are others than the connection's dialect.
fn override_of(expected: &Profile, learnt: &Profile) -> Option<Value> {
    let fields = |profile| serde_json::to_value::<DialectSpec>(dialect_of(profile)).ok()?.as_object().cloned();
    let (expected, mut learnt) = (fields(expected)?, fields(learnt)?);
    learnt.retain(|name, value| expected.get(name) != Some(value));
    (!learnt.is_empty()).then_some(Value::Object(learnt))
}

/// One run, and what it has found so far.
pub(super) struct Trial<'a> {
    pub(super) server: &'a Server,
    pub(super) scratch: &'a Scratch,
    /// The dialect as it is found.
    pub(super) profile: Profile,
    /// What the server doesn't keep: no form of change is judged by it.
    lost: BTreeSet<Path>,
    pub(super) steps: Vec<Step>,
}

/// A change, tried in one form.
enum Tried {
    /// The server shows the result.
    Took,
    /// It answered that it was done, and doesn't show it.
    Nothing,
    Refused(Error),
}

impl Trial<'_> {
    /// All of it; a step that makes the rest impossible ends it.
    async fn run(&mut self) -> Option<Step> {
        let user = user(&self.scratch.users[0]);
        let id = match self.create(&user).await {
            Ok(id) => id,
            Err(step) => return Some(step),
        };
        let other = match self.create(&self::user(&self.scratch.users[1])).await {
            Ok(id) => id,
            Err(step) => return Some(step),
        };
        self.steps.push(Step::good("create", format!("two users: {id}, {other}")));
        self.search(&user, &id).await;
        let shown = match self.get(&id).await {
            Ok(shown) => shown,
            Err(error) => return Some(Step::bad("read", error.to_string(), "a user must be readable by its id")),
        };
        self.kept(&user, &shown);
        if let Some(step) = self.change(&id).await {
            return Some(step);
        }
        self.drop(&id).await;
        self.activity(&id).await;
        self.groups(&id, &other).await;
        self.paging().await;
        self.delete(&id).await;
        None
    }

    fn declared(&self, spec: &ScimUserSpec) -> Declared {
        Declared::new(spec, None, &self.profile, Timestamp::now())
    }

    async fn create(&mut self, spec: &ScimUserSpec) -> Result<String, Step> {
        let name = &spec.user_name;
        let body = creation(&self.declared(spec));
        self.scratch.begin(Kind::Users, name);
        let deadline = self.server.turn(RequestKind::Create).await;
        let written = self.server.client.create(Kind::Users, &body, deadline).await;
        let shown = written.as_ref().ok().and_then(|written| written.resource.as_ref()?.id().map(str::to_owned));
        let id = match (shown, &written) {
            (Some(id), _) => id,
            (None, Err(error)) if !error.class().may_have_applied() => {
                self.scratch.gone(name);
                let todo = "look at what the server says; --domain names a domain that it takes";
                return Err(Step::bad("create", error.to_string(), todo));
            }
            _ => match find(self.server, Kind::Users, name).await {
                Ok(Some(id)) => id,
                _ => return Err(Step::bad("create", "the server shows no user after its creation", "")),
            },
        };
        self.scratch.done(name, &id);
        Ok(id)
    }

    async fn get(&self, id: &str) -> Result<Resource, Error> {
        let deadline = self.server.read().await;
        self.server.client.get(Kind::Users, id, deadline).await
    }

    /// By which attributes a user is found.
    async fn search(&mut self, spec: &ScimUserSpec, id: &str) {
        let wanted = [("userName", Some(&spec.user_name)), ("externalId", spec.external_id.as_ref())];
        let mut found = Vec::new();
        for (attribute, value) in wanted {
            let Some(value) = value.filter(|_| attribute == "userName" || self.profile.external_id) else { continue };
            let deadline = self.server.read().await;
            let hits = self.server.client.find(Kind::Users, attribute, value, deadline).await;
            if hits.is_ok_and(|hits| hits.hits.iter().any(|hit| hit.id() == Some(id))) {
                found.push(attribute.to_owned());
            }
        }
        let message = if found.is_empty() {
            "none: users are found in the whole list".to_owned()
        } else {
            format!("by {}", found.join(", "))
        };
        self.steps.push(Step::good("filter", message));
        // A filter that the dialect doesn't use is none that must be.
        let useful = found.iter().filter(|name| self.profile.filters.contains(name) || self.profile.learns).cloned();
        self.profile.filters = useful.collect();
    }

    /// What the server doesn't show of what was sent.
    fn kept(&mut self, spec: &ScimUserSpec, shown: &Resource) {
        self.lost = differences(&self.declared(spec), shown, &BTreeSet::new()).into_keys().collect();
        let missing: Vec<String> = self.lost.iter().map(Path::to_string).collect();
        self.steps.push(if missing.is_empty() {
            Step::good("read", "the server keeps all that was sent")
        } else {
            Step::note("read", format!("the server does not keep {}", missing.join(", ")))
                .todo("these will be listed in ignoredAttributes; dialect.attributes leaves them out")
        });
    }

    /// Sends what leads from what is shown to the spec, in the form of a profile, and looks whether it took.
    async fn send(&self, id: &str, spec: &ScimUserSpec, owned: &BTreeSet<Path>, profile: &Profile) -> Tried {
        let attempt = async {
            let shown = self.get(id).await?;
            let declared = Declared::new(spec, None, profile, Timestamp::now());
            let mut wanted = differences(&declared, &shown, owned);
            wanted.retain(|path, _| !self.lost.contains(path));
            let deadline = self.server.turn(RequestKind::Write).await;
            if profile.write_users == WriteMethod::Put {
                let mut body = merged(&wanted, &shown);
                body.retain(|name, _| !name.eq_ignore_ascii_case("meta"));
                let version = shown.version();
                self.server.client.replace(Kind::Users, id, &body, version, deadline).await?;
            } else {
                let operations = patch(&wanted, &View::of(&shown), profile);
                self.server.client.patch(Kind::Users, id, &operations, None, deadline).await?;
            }
            let after = self.get(id).await?;
            let left = differences(&declared, &after, owned);
            Ok::<bool, Error>(!wanted.is_empty() && wanted.keys().all(|path| !left.contains_key(path)))
        };
        match attempt.await {
            Ok(true) => Tried::Took,
            Ok(false) => Tried::Nothing,
            Err(error) => {
                self.server.pause(error.retry_after());
                Tried::Refused(error)
            }
        }
    }

    /// PATCH by a filter in the path, PATCH of the whole list, PUT: the first that takes, that of the dialect before others.
    async fn change(&mut self, id: &str) -> Option<Step> {
        let forms = [
            (WriteMethod::Patch, PatchPaths::Filter, "PATCH, entries of lists by a filter"),
            (WriteMethod::Patch, PatchPaths::Whole, "PATCH, lists as a whole"),
            (WriteMethod::Put, self.profile.patch_paths, "PUT"),
        ];
        let own = (self.profile.write_users, self.profile.patch_paths);
        let mut forms = forms.to_vec();
        forms.sort_by_key(|(method, paths, _)| (*method, *paths) != own);
        let mut refused = Vec::new();
        for (number, (write_users, patch_paths, name)) in forms.into_iter().enumerate() {
            let profile = Profile { write_users, patch_paths, ..self.profile.clone() };
            // Another value each time: what took unseen isn't taken for this.
            let spec = changed(&self.scratch.users[0], &format!("Changed {number}"));
            match self.send(id, &spec, &BTreeSet::new(), &profile).await {
                Tried::Took => {
                    self.profile = profile;
                    self.steps.push(Step::good("change", name));
                    self.steps.extend(refused.into_iter().map(|told: String| Step::note("change", told)));
                    return None;
                }
                Tried::Nothing => refused.push(format!("{name}: answered as done, and not done")),
                Tried::Refused(error) => refused.push(format!("{name}: {error}")),
            }
        }
        Some(Step::bad("change", refused.join("; "), "the server takes no form of change that the operator knows"))
    }

    /// Whether an attribute can be removed, or only emptied.
    async fn drop(&mut self, id: &str) {
        let owned = BTreeSet::from([Path::core("title")]);
        let mut spec = changed(&self.scratch.users[0], "Dropped");
        spec.attributes.title = None;
        let title = Path::core("title");
        let has_none = self.lost.contains(&title) || self.declared(&user(&spec.user_name)).unsupported.contains(&title);
        if self.profile.write_users == WriteMethod::Put || has_none {
            return;
        }
        let own = self.profile.patch_remove;
        for patch_remove in [own, !own] {
            let profile = Profile { patch_remove, ..self.profile.clone() };
            if matches!(self.send(id, &spec, &owned, &profile).await, Tried::Took) {
                let how =
                    if patch_remove { "PATCH knows remove" } else { "by an empty value: PATCH does not know remove" };
                self.steps.push(Step::good("drop", how));
                self.profile = profile;
                return;
            }
        }
        self.steps.push(Step::note("drop", "an attribute can be changed, and not removed"));
    }

    /// Deactivates and re-activates, each seen.
    async fn activity(&mut self, id: &str) {
        for (active, what) in [(false, "deactivate"), (true, "re-activate")] {
            let outcome = self.activate(id, active).await;
            self.steps.push(match outcome {
                Ok(shown) if shown == Some(active) => Step::good(what, format!("the server shows active: {active}")),
                Ok(shown) => {
                    let shown = shown.map_or_else(|| "nothing".to_owned(), |shown| shown.to_string());
                    Step::bad(
                        what,
                        format!("the server answered as done and shows {shown} for active"),
                        "deprovisioning would not work",
                    )
                }
                Err(error) => Step::bad(what, error.to_string(), ""),
            });
        }
    }

    async fn activate(&self, id: &str, active: bool) -> Result<Option<bool>, Error> {
        let shown = self.get(id).await?;
        let deadline = self.server.turn(RequestKind::Write).await;
        if self.profile.write_users == WriteMethod::Put {
            let mut body = shown.0.clone();
            body.retain(|name, _| !["meta", "active"].iter().any(|own| name.eq_ignore_ascii_case(own)));
            body.insert("active".into(), Value::Bool(active));
            self.server.client.replace(Kind::Users, id, &body, shown.version(), deadline).await?;
        } else {
            let operation =
                PatchOperation { op: Op::Replace, path: Some("active".into()), value: Some(Value::Bool(active)) };
            self.server.client.patch(Kind::Users, id, &[operation], None, deadline).await?;
        }
        match self.get(id).await {
            Ok(after) => Ok(after.active()),
            // Some hide whoever is inactive.
            Err(error) if error.class() == Class::NotFound && !active => Ok(Some(false)),
            Err(error) => Err(error),
        }
    }

    /// Two pages of one user.
    async fn paging(&mut self) {
        let mut pages = Vec::new();
        for start in [1, 2] {
            let deadline = self.server.read().await;
            match self.server.client.list(Kind::Users, start, 1, deadline).await {
                Ok(page) => pages.push(page),
                Err(error) => {
                    self.steps.push(Step::note("paging", error.to_string()));
                    return;
                }
            }
        }
        let ids: Vec<Option<&str>> = pages.iter().map(|page| page.resources.first().and_then(Resource::id)).collect();
        let by_index = pages.iter().all(|page| page.resources.len() == 1) && ids[0] != ids[1];
        let shown = pages[0].resources.len();
        self.steps.push(match self.profile.paging {
            Paging::Index if by_index => Step::good("paging", "by index"),
            Paging::Index if shown > 1 => {
                self.profile.paging = Paging::None;
                Step::note(
                    "paging",
                    format!("{shown} users on a page where one was asked for: the server does not page"),
                )
            }
            Paging::Index => {
                Step::note("paging", "the second page shows the first again").todo("try dialect.paging: Cursor")
            }
            Paging::Cursor | Paging::None => Step::note("paging", "as the dialect says"),
        });
    }

    /// What DELETE does.
    async fn delete(&mut self, id: &str) {
        let deadline = self.server.turn(RequestKind::Write).await;
        if let Err(error) = self.server.client.delete(Kind::Users, id, deadline).await {
            self.steps.push(Step::note("delete", error.to_string()).todo("keep deletionPolicy.users at Deactivate"));
            return;
        }
        self.steps.push(match self.get(id).await {
            Err(error) if error.class() == Class::NotFound => {
                self.scratch.gone(&self.scratch.users[0]);
                Step::good("delete", "the account is gone")
            }
            Ok(after) if after.active() == Some(false) => Step::note("delete", "the account is deactivated, and stays"),
            Ok(_) => Step::note("delete", "the account is still there").todo("keep deletionPolicy.users at Deactivate"),
            Err(error) => Step::note("delete", error.to_string()),
        });
    }
}

/// A scratch user.
fn user(name: &str) -> ScimUserSpec {
    let spec = json!({
        "connectionRef": {"name": "test"},
        "userName": name,
        "externalId": name.split('@').next(),
        "active": true,
        "name": {"givenName": "Scratch", "familyName": "Test", "formatted": "Scratch Test"},
        "displayName": "Scratch Test",
        "title": "Test",
        "emails": [{"value": name, "type": "work", "primary": true}],
    });
    // It is written right above.
    serde_json::from_value(spec).unwrap_or_default()
}

/// The same, changed in an attribute and in the entry of a list.
fn changed(name: &str, text: &str) -> ScimUserSpec {
    let mut spec = user(name);
    spec.attributes.title = Some(text.to_owned());
    spec.attributes.display_name = Some(text.to_owned());
    for email in spec.attributes.emails.iter_mut().flatten() {
        email.value = format!("{}.{}", text.to_lowercase().replace(' ', "-"), email.value);
    }
    spec
}

#[cfg(test)]
#[path = "writes_tests.rs"]
mod tests;
