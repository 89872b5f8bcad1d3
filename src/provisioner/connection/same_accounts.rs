//! Whether a new key leads to the accounts that the one before led to. Where one URL serves all customers of a provider, a
//! key of another organization is answered well, shows none of the accounts that are bound, and with ids that are numbers
//! shows other people's under their ids: everybody would pass for deleted.

use super::refusal::Refusal;
use crate::api::{ConnectedReason, ScimConnection};
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;
use crate::provisioner::schedule::limiter::{Priority, RequestKind};
use crate::scim::{Class, Client, Kind, fold};

/// So many bound accounts are asked for, at most.
const SAMPLE: usize = 5;

/// What a key shows of an account.
#[derive(PartialEq)]
enum Shown {
    /// Nothing, or an account of somebody else.
    Another,
    /// The account.
    Same,
    /// That can't be told.
    Unknown,
}

impl<E: Effects> Provisioner<E> {
    /// Refuses a key that shows none of the accounts which the last good key shows. One request where the key was renewed;
    /// where the last key is no longer accepted, nothing can be told, and nothing is refused.
    pub(super) async fn check_same_accounts(
        &self,
        connection: &ScimConnection,
        client: &Client,
        fingerprint: &str,
    ) -> Result<(), Refusal> {
        let last = self.last_session(connection).filter(|last| last.fingerprint != fingerprint);
        let Some(last) = last else { return Ok(()) };
        let bound = self.bound_accounts(&last.policy.server);
        if self.first_known(client, &bound).await.is_some() {
            return Ok(());
        }
        let Some((user_name, Shown::Same)) = self.first_known(&last.client, &bound).await else { return Ok(()) };
        let message = format!(
            "it shows none of the accounts that the last good key shows (asked for: {}, among them {user_name}), so it is of \
             another organization; put a key of the same one into the Secret, or, if another is meant, give spec.tenant \
             another value",
            bound.len()
        );
        Err(Refusal::new(ConnectedReason::CredentialsRejected, message))
    }

    /// The first account that this key shows, or of which it can't be told whether it does.
    async fn first_known<'a>(&self, client: &Client, bound: &'a [(String, String)]) -> Option<(&'a str, Shown)> {
        for (id, user_name) in bound {
            let shown = self.shown_by(client, id, user_name).await;
            if shown != Shown::Another {
                return Some((user_name, shown));
            }
        }
        None
    }

    /// Some accounts that are bound at this server: their ids and names.
    fn bound_accounts(&self, server: &str) -> Vec<(String, String)> {
        let users = self.directory.users_of(&self.key).into_iter();
        let bound = users.filter_map(|user| {
            let status = user.status.as_ref().filter(|status| status.bound_to.as_deref() == Some(server))?;
            Some((status.id.clone()?, status.user_name.clone()?))
        });
        bound.take(SAMPLE).collect()
    }

    async fn shown_by(&self, client: &Client, id: &str, user_name: &str) -> Shown {
        let Some(deadline) = self.effects.deadline() else { return Shown::Unknown };
        self.schedule.limiter().acquire(RequestKind::Read, Priority::Write).await;
        match client.get(Kind::Users, id, deadline).await {
            Ok(account) => match account.user_name() {
                Some(shown) if fold(shown) != fold(user_name) => Shown::Another,
                _ => Shown::Same,
            },
            Err(error) if error.class() == Class::NotFound => Shown::Another,
            Err(_) => Shown::Unknown,
        }
    }
}
