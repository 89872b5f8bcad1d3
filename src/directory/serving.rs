//! Whom a connection could have served: that tells whether an object was waited for long enough (promise I8).

use jiff::Timestamp;

use super::groups::connection_of_group;
use super::{ConnectionKey, Directory, Inner, connection_of};
use crate::api::Uid;

impl Directory {
    /// A connection serves its objects, as of this instant, or it doesn't, and why.
    pub fn set_serving(&self, connection: &ConnectionKey, serves: Result<Timestamp, &str>) {
        let inner = self.read();
        let known = (inner.serving.contains_key(connection), inner.unserving.get(connection).map(String::as_str));
        if known == (serves.is_ok(), serves.err()) {
            return;
        }
        drop(inner);
        let mut inner = self.write_groups();
        match serves {
            Ok(now) => {
                inner.serving.entry(connection.clone()).or_insert(now);
                inner.unserving.remove(connection);
            }
            Err(why) => {
                inner.serving.remove(connection);
                inner.unserving.insert(connection.clone(), why.to_owned());
            }
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
        let connection = inner.connection_of_any(uid);
        let since = connection.and_then(|connection| inner.serving.get(&connection).copied());
        (inner.turns.get(uid).copied(), since)
    }

    /// The connection of a user or a group.
    pub fn connection_of_any(&self, uid: &Uid) -> Option<ConnectionKey> {
        self.read().connection_of_any(uid)
    }
}

impl Inner {
    fn connection_of_any(&self, uid: &Uid) -> Option<ConnectionKey> {
        let of_group = || self.groups.get(uid).map(|group| connection_of_group(group));
        self.users.get(uid).map(|user| connection_of(user)).or_else(of_group)
    }

    /// That this connection serves nobody now, and why, for whoever waits for one of its objects.
    pub(super) fn unserved(&self, connection: &ConnectionKey) -> Option<String> {
        let why = self.unserving.get(connection)?;
        Some(format!("its connection {connection} serves nobody now ({why})"))
    }
}
