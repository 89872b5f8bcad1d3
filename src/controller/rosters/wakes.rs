//! What else wakes rosters: their ScimUsers, and their connections.

use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt};

use super::super::watch::Read;
use super::{RosterKey, Rosters};
use crate::api::{ROSTER_LABEL, RosterReason, ScimConnection, ScimRoster, ScimUser, Uid};
use crate::directory::{ConnectionKey, Directory, is_deleting};

impl Rosters {
    /// A ScimUser came, changed or went; told before the directory takes it in.
    pub fn user_seen(&self, event: &Event<Read<ScimUser>>, directory: &Directory) {
        let (user, gone) = match event {
            Event::Apply(Ok(user)) => (user, false),
            Event::Delete(Ok(user)) => (user, true),
            // What came or went while nobody watched.
            Event::InitDone => return self.wake_of(|_, _| true),
            Event::Init | Event::InitApply(_) | Event::Apply(Err(_)) | Event::Delete(Err(_)) => return,
        };
        let known = directory.get(&Uid::of(&user.metadata));
        let same = known.as_ref().is_some_and(|known| {
            known.metadata.generation == user.metadata.generation
                && known.labels() == user.labels()
                && known.annotations() == user.annotations()
                && is_deleting(known) == is_deleting(user)
        });
        if same && !gone {
            return;
        }
        let namespace = user.namespace().unwrap_or_default();
        let was = known.as_ref().and_then(|known| known.labels().get(ROSTER_LABEL));
        let labels = [user.labels().get(ROSTER_LABEL), was];
        self.wake_of(|key, roster| {
            let rejects = roster.status.as_ref().is_some_and(|status| status.rejected_rows > Some(0));
            // One of its own, or one that may have stood in the way of somebody.
            key.namespace == namespace && (rejects || labels.iter().flatten().any(|label| **label == roster.name_any()))
        });
    }

    /// A connection came or went, of a namespace or of the cluster; told before the directory takes it in. Whoever misses
    /// another one may have meant it.
    pub fn connection_seen(&self, event: &Event<Read<ScimConnection>>) {
        let (connection, gone) = match event {
            Event::Apply(connection) | Event::InitApply(connection) => (connection, false),
            Event::Delete(connection) => (connection, true),
            Event::InitDone => return self.wake_of(|_, _| true),
            Event::Init => return,
        };
        let metadata = match connection {
            Ok(connection) => connection.meta(),
            Err(invalid) => &invalid.metadata,
        };
        let key = ConnectionKey {
            namespace: metadata.namespace.clone().unwrap_or_default(),
            name: metadata.name.clone().unwrap_or_default(),
        };
        if gone || !self.shared.directory.has_connection(&key) {
            self.wake_of(|roster_key, roster| {
                let own = ConnectionKey::of(&roster.spec.connection_ref, Some(roster_key.namespace.clone()));
                own == key || misses_its_own(roster)
            });
        }
    }

    fn wake_of(&self, concerns: impl Fn(&RosterKey, &ScimRoster) -> bool) {
        let concerned = self.known.iter().filter(|(key, roster)| concerns(key, roster));
        concerned.for_each(|(key, _)| self.wake(key));
    }
}

/// As it was told last.
fn misses_its_own(roster: &ScimRoster) -> bool {
    let conditions = roster.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|known| known.reason == RosterReason::ConnectionNotFound.as_str())
}
