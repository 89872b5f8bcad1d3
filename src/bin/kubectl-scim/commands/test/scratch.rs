//! What is made for a test, and its removal, whatever happened meanwhile.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use scim_operator::provisioner::schedule::limiter::RequestKind;
use scim_operator::scim::{Class, Error, Kind, Op, PatchOperation, Start};
use serde_json::Value;

use crate::server::Server;

/// More pages are not searched for what a lost answer may have made.
const MOST_PAGES: usize = 200;
/// So often is looked for what an unanswered creation may make.
const LOOKS: u32 = 4;
/// And so long is waited between two looks.
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);

/// Names that nobody has, and what was made under them.
pub(super) struct Scratch {
    /// The userNames.
    pub users: [String; 2],
    /// The group's displayName.
    pub group: String,
    made: Mutex<Vec<Made>>,
}

/// One thing that may be at the server.
#[derive(Clone, Debug)]
struct Made {
    kind: Kind,
    name: String,
    /// None while the answer to its creation is missing.
    id: Option<String>,
}

impl Scratch {
    pub(super) fn new(domain: &str) -> Self {
        let one = rand::random::<u64>();
        let name = format!("scim-operator-test-{one:016x}");
        let user = |number: u8| format!("{name}-{number}@{domain}");
        Self { users: [user(1), user(2)], group: name, made: Mutex::default() }
    }

    /// It is about to be made.
    pub(super) fn begin(&self, kind: Kind, name: &str) {
        self.made().push(Made { kind, name: name.to_owned(), id: None });
    }

    /// It was made.
    pub(super) fn done(&self, name: &str, id: &str) {
        if let Some(made) = self.made().iter_mut().find(|made| made.name == name) {
            made.id = Some(id.to_owned());
        }
    }

    /// It was not made, or is gone already.
    pub(super) fn gone(&self, name: &str) {
        self.made().retain(|made| made.name != name);
    }

    /// What may still be there.
    pub(super) fn names(&self) -> Vec<String> {
        self.made().iter().map(|made| made.name.clone()).collect()
    }

    fn made(&self) -> std::sync::MutexGuard<'_, Vec<Made>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes all that is left, the newest first.
    pub(super) async fn remove(&self, server: &Server) -> Left {
        let made: Vec<Made> = self.made().iter().rev().cloned().collect();
        let mut left = Left::default();
        for made in made {
            let found = match made.id {
                Some(id) => Ok(Some(id)),
                None => find_late(server, made.kind, &made.name).await,
            };
            let outcome = match found {
                Ok(None) => {
                    left.unanswered.push(made.name);
                    continue;
                }
                Ok(Some(id)) => {
                    remove(server, made.kind, &id).await.map_err(|why| format!("{} ({id}): {why}", made.name))
                }
                Err(why) => Err(format!("{}: {why}", made.name)),
            };
            match outcome {
                Ok(false) => self.gone(&made.name),
                Ok(true) => left.inactive.push(made.name),
                Err(why) => left.failed.push(why),
            }
        }
        left
    }
}

/// What was made and is still at the server.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// The server took its removal, and shows it, inactive.
    pub inactive: Vec<String>,
    /// It could not be removed, and why.
    pub failed: Vec<String>,
    /// Its creation was not answered, and it isn't there so far.
    pub unanswered: Vec<String>,
}

/// Looks for what a server may make after whoever asked for it has gone.
async fn find_late(server: &Server, kind: Kind, name: &str) -> Result<Option<String>, String> {
    for look in 0..LOOKS {
        if look > 0 {
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        if let Some(id) = find(server, kind, name).await? {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// A server that deletes nothing deactivates at least.
async fn deactivate(server: &Server, id: &str, refused: &Error) -> Result<bool, String> {
    let operation = PatchOperation { op: Op::Replace, path: Some("active".into()), value: Some(Value::Bool(false)) };
    let deadline = server.turn(RequestKind::Write).await;
    let sent = server.client.patch(Kind::Users, id, &[operation], None, deadline).await;
    sent.map_err(|error| format!("{refused}; nor can it be deactivated: {error}"))?;
    stays_inactive(server, Kind::Users, id).await
}

/// Whether the server keeps it; an error where it keeps access.
async fn stays_inactive(server: &Server, kind: Kind, id: &str) -> Result<bool, String> {
    let deadline = server.read().await;
    match server.client.get(kind, id, deadline).await {
        Ok(after) if kind == Kind::Users && after.active() != Some(false) => {
            Err("the server answers as if it were done, and shows it active".to_owned())
        }
        Ok(_) => Ok(true),
        Err(error) if error.class() == Class::NotFound => Ok(false),
        Err(error) => Err(format!("whether it is gone can't be told: {error}")),
    }
}

/// Removes one; whether the server keeps it all the same.
async fn remove(server: &Server, kind: Kind, id: &str) -> Result<bool, String> {
    // A server that asks for patience gets it; what fails otherwise is told.
    for _ in 0..3 {
        let deadline = server.turn(RequestKind::Write).await;
        match server.client.delete(kind, id, deadline).await {
            Ok(_) => return stays_inactive(server, kind, id).await,
            Err(error) if error.class() == Class::NotFound => return Ok(false),
            Err(error) if matches!(error.class(), Class::Throttled | Class::Transient | Class::Timeout) => {
                server.pause(error.retry_after());
            }
            Err(error) if kind == Kind::Users => return deactivate(server, id, &error).await,
            Err(error) => return Err(error.to_string()),
        }
    }
    Err("the server did not answer in time".to_owned())
}

/// The id of what has this very name; none of another.
pub(super) async fn find(server: &Server, kind: Kind, name: &str) -> Result<Option<String>, String> {
    let attribute = if kind == Kind::Users { "userName" } else { "displayName" };
    let is_it = |found: &scim_operator::scim::Resource| {
        found.get(attribute).and_then(Value::as_str).is_some_and(|found| found.eq_ignore_ascii_case(name))
    };
    let deadline = server.read().await;
    if let Ok(found) = server.client.find(kind, attribute, name, deadline).await
        && let Some(id) = found.hits.iter().find(|found| is_it(found)).and_then(scim_operator::scim::Resource::id)
    {
        return Ok(Some(id.to_owned()));
    }
    let mut start = Start::first(server.profile.paging);
    let mut before = None;
    for _ in 0..MOST_PAGES {
        let deadline = server.read().await;
        let page = server.client.list_from(kind, &start, server.profile.page_size, deadline).await;
        let page = page.map_err(|error| error.to_string())?;
        if let Some(id) = page.resources.iter().find(|found| is_it(found)).and_then(scim_operator::scim::Resource::id) {
            return Ok(Some(id.to_owned()));
        }
        let first = page.resources.first().and_then(scim_operator::scim::Resource::id).map(str::to_owned);
        // The end, or a server that shows the same page again.
        if first.is_none() || first == before {
            return Ok(None);
        }
        before = first;
        match start.after(&page) {
            Some(next) => start = next,
            None => return Ok(None),
        }
    }
    Ok(None)
}
