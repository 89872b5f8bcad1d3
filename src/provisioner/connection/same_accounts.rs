//! Whether a new key leads to the accounts that the one before led to. Where one URL serves all customers of a provider, a
//! key of another organization is answered well, shows none of the accounts that are bound, and with ids that are numbers
//! shows other people's under their ids: everybody would pass for deleted.

use std::collections::HashSet;

use super::defaults::server_of;
use super::refusal::Refusal;
use crate::api::{ConnectedReason, ScimConnection, ScimUser, UserState};
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;
use crate::provisioner::schedule::limiter::{Priority, RequestKind};
use crate::scim::{Class, Client, Kind, Resource, fold};

/// So many bound accounts are asked for, at most, where the last good key can be asked for the same.
const SAMPLE: usize = 5;

/// So many, each by its id and by its userName, where only the record can tell.
const LARGER_SAMPLE: usize = 20;

/// Fewer accounts than this may all have been deleted by others.
const FEWEST: usize = 3;

/// So many accounts of the list are looked at.
const FIRST_PAGE: u32 = 100;

/// What a key was read from.
#[derive(Clone, Debug, Default)]
pub struct KeySource {
    /// The versions of all that was read.
    pub fingerprint: String,
    /// The version of its Secret; none where that isn't known.
    pub secret_version: Option<String>,
}

/// An account that is bound, as status has it.
struct Bound {
    id: String,
    user_name: String,
}

/// What a key shows of an account.
#[derive(Clone, Copy, PartialEq)]
enum Shown {
    /// Nothing, or an account of somebody else.
    Another,
    /// The account.
    Same,
    /// That can't be told.
    Unknown,
    /// The same, and only for now: the server is busy, or can't be reached.
    Unanswered,
}

impl<E: Effects> Provisioner<E> {
    /// Refuses a key that shows none of the accounts which the last good key shows, or, where that one can't be asked any
    /// more (it was revoked, or the operator was started anew), none of those that were bound by it. One request where the
    /// key was renewed; none where it is the same. What can't be told refuses nothing; what isn't answered now, while the
    /// last good key is at hand, is asked again first (promise I31).
    pub(super) async fn check_same_accounts(
        &self,
        connection: &ScimConnection,
        client: &Client,
        key: &KeySource,
    ) -> Result<(), Refusal> {
        let last = self.last_session(connection);
        let same = match &last {
            Some(last) => last.fingerprint == key.fingerprint,
            None => key.secret_version.is_none() || key.secret_version == self.connection.state.secret_version(),
        };
        if same {
            return Ok(());
        }
        let bound = self.bound_accounts(&server_of(connection));
        let sample: Vec<&Bound> = spread(&bound, SAMPLE).collect();
        let (shown, _) = self.shows_any(client, &sample).await;
        if shown == Shown::Same {
            return Ok(());
        }
        let before = match &last {
            Some(last) => self.shows_any(&last.client, &sample).await,
            None => (Shown::Unknown, None),
        };
        if before.0 == Shown::Unanswered || (before.0 == Shown::Same && shown == Shown::Unanswered) {
            let message = "it has yet to show one of the accounts that are bound, so it may be of another organization: the \
                           server is busy or can't be reached; it is asked again by itself";
            return Err(Refusal::new(ConnectedReason::CredentialsRejected, message.to_owned()));
        }
        let message = match before {
            (Shown::Same, user_name) => Some(format!(
                "it shows none of the accounts that the last good key shows (asked for: {}, among them {}), so it is of another \
                 organization, or may not read them",
                sample.len(),
                user_name.unwrap_or_default()
            )),
            (Shown::Unknown, _) if shown == Shown::Another => self.told_by_record(client, &bound).await,
            _ => None,
        };
        message.map_or(Ok(()), |message| {
            let message = format!(
                "{message}; put a key of the same one into the Secret, or, if another is meant, give spec.tenant another value"
            );
            Err(Refusal::new(ConnectedReason::CredentialsRejected, message))
        })
    }

    /// None of those who were bound is there, under their ids or their userNames: a server that has given out new ids, or
    /// lost or hides some of them, still shows others.
    async fn told_by_record(&self, client: &Client, bound: &[Bound]) -> Option<String> {
        let sample: Vec<&Bound> = spread(bound, LARGER_SAMPLE).collect();
        if sample.len() < FEWEST || self.shows_any(client, &sample).await.0 != Shown::Another {
            return None;
        }
        let listed = self.lists_any(client, bound).await;
        let found = if listed == Some(true) { None } else { self.finds_any(client, &sample).await };
        if [listed, found].contains(&Some(true)) || (listed, found) == (None, None) {
            return None;
        }
        let named: Vec<&str> = sample.iter().take(FEWEST).map(|account| account.user_name.as_str()).collect();
        Some(format!(
            "it shows none of the accounts that are bound to objects (asked for by id and by userName: {}, among them {}), so \
             it is of another organization, or the server has lost them all",
            sample.len(),
            named.join(", ")
        ))
    }

    /// What this key shows of these accounts: the first one that it shows; else whether of some that can't be told.
    async fn shows_any<'a>(&self, client: &Client, bound: &[&'a Bound]) -> (Shown, Option<&'a str>) {
        let mut any = Shown::Another;
        for account in bound {
            match self.shown_by(client, account).await {
                Shown::Same => return (Shown::Same, Some(&account.user_name)),
                Shown::Unanswered => any = Shown::Unanswered,
                Shown::Unknown if any == Shown::Another => any = Shown::Unknown,
                Shown::Unknown | Shown::Another => {}
            }
        }
        (any, None)
    }

    /// Whether one of these is among the accounts that are listed first; none where others may be listed after them.
    async fn lists_any(&self, client: &Client, bound: &[Bound]) -> Option<bool> {
        let deadline = self.effects.deadline()?;
        self.schedule.limiter().acquire(RequestKind::Read, Priority::Write).await;
        let page = client.list(Kind::Users, 1, FIRST_PAGE, deadline).await.ok()?;
        let names: HashSet<String> = bound.iter().map(|account| fold(&account.user_name)).collect();
        let known = |account: &Resource| account.user_name().is_some_and(|name| names.contains(&fold(name)));
        let whole = page.shown > 0 && page.unreadable == 0 && page.total.is_some_and(|total| total <= page.shown);
        if page.resources.iter().any(known) { Some(true) } else { whole.then_some(false) }
    }

    /// Whether a search by userName finds one of these; none where the server can't be searched so.
    async fn finds_any(&self, client: &Client, bound: &[&Bound]) -> Option<bool> {
        for account in bound {
            let deadline = self.effects.deadline()?;
            self.schedule.limiter().acquire(RequestKind::Read, Priority::Write).await;
            let found = client.find(Kind::Users, "userName", &account.user_name, deadline).await.ok()?;
            if !found.hits.is_empty() {
                return Some(true);
            }
            if !found.all {
                return None;
            }
        }
        Some(false)
    }

    /// The accounts that are bound at this server and were there when they were seen last.
    fn bound_accounts(&self, server: &str) -> Vec<Bound> {
        let bound = |user: &ScimUser| {
            let status = user.status.as_ref().filter(|status| status.bound_to.as_deref() == Some(server))?;
            let there = status.state != Some(UserState::DeletedAtServer) && status.active != Some(false);
            Some(Bound { id: status.id.clone()?, user_name: status.user_name.clone()? }).filter(|_| there)
        };
        self.directory.users_of(&self.key).iter().filter_map(|user| bound(user)).collect()
    }

    async fn shown_by(&self, client: &Client, bound: &Bound) -> Shown {
        let Some(deadline) = self.effects.deadline() else { return Shown::Unknown };
        self.schedule.limiter().acquire(RequestKind::Read, Priority::Write).await;
        match client.get(Kind::Users, &bound.id, deadline).await {
            Ok(account) => match account.user_name() {
                Some(shown) if fold(shown) != fold(&bound.user_name) => Shown::Another,
                _ => Shown::Same,
            },
            Err(error) => match error.class() {
                Class::NotFound => Shown::Another,
                Class::Throttled | Class::Transient | Class::Timeout | Class::Unreachable | Class::Empty => {
                    Shown::Unanswered
                }
                _ => Shown::Unknown,
            },
        }
    }
}

/// So many of them, from all over the list.
fn spread(bound: &[Bound], most: usize) -> impl Iterator<Item = &Bound> {
    let step = bound.len().div_ceil(most).max(1);
    bound.iter().step_by(step)
}
