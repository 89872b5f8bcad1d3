//! What becomes of a connection whose key goes or goes bad (promise I23).

use tracing::debug;

use super::defaults::server_of;
use super::refusal::Refusal;
use crate::api::{ConnectedReason, ScimConnection, ScimGroup, ScimUser, Uid};
use crate::directory::is_deleting;
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;
use crate::provisioner::schedule::limiter::{Priority, RequestKind};
use crate::provisioner::schedule::queue::Lane;
use crate::provisioner::users::{is_to_be_inactive, lane_of};

impl Provisioner {
    /// A new key was refused, or there is none any more, after the connection had been lost for another reason: the last good
    /// key serves again, if the server still takes it, and where the Secret is gone, for removals alone.
    pub(in crate::provisioner) async fn fall_back(&self, connection: &ScimConnection, refusal: &Refusal) {
        let refused = matches!(
            refusal.reason,
            ConnectedReason::CredentialsRejected | ConnectedReason::Forbidden | ConnectedReason::SecretKeyMissing
        );
        let gone = refusal.reason == ConnectedReason::SecretNotFound;
        let last = self.connection.sessions.last_good();
        let Some(last) = last.filter(|_| (refused || gone) && self.session().is_none()) else { return };
        if self.connection.state.tried(&last.fingerprint) || last.policy.server != server_of(connection) {
            return;
        }
        if gone {
            self.restrict_to_removals();
        }
        let Some(deadline) = self.effects.deadline() else { return };
        self.schedule.limiter().acquire(RequestKind::Read, Priority::Write).await;
        match last.client.probe(deadline).await {
            Ok(_) if gone => self.bring_into_force(connection, last.under(connection), false),
            Ok(_) => self.begin_session(connection, last.under(connection)),
            Err(error) => debug!("the last good key doesn't serve either: {error}"),
        }
    }
}

impl<E: Effects> Provisioner<E> {
    /// The Secret is gone: what is a removal now, or will be by an access window, may still be carried out, and nothing else.
    pub(in crate::provisioner) fn restrict_to_removals(&self) {
        self.connection.sessions.restrict(|| {
            let users = self.directory.users_of(&self.key);
            let now = self.effects.now();
            let ends = |user: &ScimUser| user.spec.access.as_ref().is_some_and(|access| access.not_after.is_some());
            let removals = users.iter().filter(|user| lane_of(user, now) == Lane::Removal || ends(user));
            let removals = removals.map(|user| &user.metadata);
            let groups = self.directory.groups_of(&self.key);
            let groups = groups.iter().filter(|group| is_deleting(&***group)).map(|group| &group.metadata);
            removals.chain(groups).filter_map(|of| Some((Uid::given(of)?, of.generation))).collect()
        });
    }

    /// Only removals are served: the Secret is gone.
    pub(in crate::provisioner) fn serves_removals_only(&self) -> bool {
        self.connection.sessions.is_restricted()
    }

    /// Whether the connection serves this object now.
    pub(in crate::provisioner) fn may_serve(&self, user: &ScimUser) -> bool {
        self.connection.sessions.serves(&Uid::of(&user.metadata), user.metadata.generation).is_none_or(|serves| {
            let ends = self.connection().metadata.deletion_timestamp.is_some();
            (serves || ends) && (is_deleting(user) || is_to_be_inactive(user, self.effects.now()))
        })
    }

    /// The same of a group: of one that isn't deleted itself, as far as people leave it whose own removal is served.
    pub(in crate::provisioner) fn may_serve_group(&self, group: &ScimGroup) -> bool {
        let uid = Uid::of(&group.metadata);
        self.connection.sessions.serves(&uid, group.metadata.generation).is_none_or(|serves| {
            serves
                || (self.connection().metadata.deletion_timestamp.is_some() && is_deleting(group))
                || !self.directory.departed(&uid).is_empty()
        })
    }

    /// A new key was refused, and nothing speaks against the old one: what the key is read from has changed since.
    pub(in crate::provisioner) fn old_key_serves(&self) -> bool {
        let Some(session) = self.session() else { return false };
        self.connection.state.old_key_serves(&session.fingerprint)
    }
}
