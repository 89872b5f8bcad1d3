//! Whom a connection could have served: that tells whether an object was waited for long enough (promise I8).

use jiff::Timestamp;

use super::groups::connection_of_group;
use super::{ConnectionKey, Directory, connection_of};
use crate::api::Uid;

impl Directory {
    /// A connection serves its objects, as of this instant, or, with `None`, it doesn't.
    pub fn set_serving(&self, connection: &ConnectionKey, now: Option<Timestamp>) {
        if self.read().serving.contains_key(connection) == now.is_some() {
            return;
        }
        let mut inner = self.write_groups();
        match now {
            Some(now) => _ = inner.serving.insert(connection.clone(), now),
            None => _ = inner.serving.remove(connection),
        }
    }

    /// An object that has no account or group had its turn; `bound`: it has one by now.
    pub fn had_turn(&self, uid: &Uid, bound: bool, now: Timestamp) {
        if bound && !self.read().turns.contains_key(uid) {
            return;
        }
        let mut inner = self.write_groups();
        if bound {
            inner.turns.remove(uid);
        } else {
            inner.turns.insert(uid.clone(), now);
        }
    }

    /// When the object had its turn last, if it had one; and since when its connection has been serving, if it is.
    pub fn served(&self, uid: &Uid) -> (Option<Timestamp>, Option<Timestamp>) {
        let inner = self.read();
        let of_group = || inner.groups.get(uid).map(|group| connection_of_group(group));
        let connection = inner.users.get(uid).map(|user| connection_of(user)).or_else(of_group);
        let since = connection.and_then(|connection| inner.serving.get(&connection).copied());
        (inner.turns.get(uid).copied(), since)
    }
}
