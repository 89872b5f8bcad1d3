//! What the server was seen to hold, of every collection: one walker of pages, one rule of what a listing or a 404 proves.

pub(super) mod grants;
pub(super) mod groups;
pub(super) mod listing;
pub(super) mod observed;
pub mod settled;
pub mod sightings;
mod sweep;
mod testimony;
pub mod users;
mod words;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use self::grants::GrantNames;
use self::groups::GroupMirror;
use self::observed::Observed;
use self::sightings::Sightings;
use self::users::UserMirror;
use crate::scim::Resource;

/// A second look at a resource that answered 404 counts only this much later (promise I11).
const SECOND_LOOK: SignedDuration = SignedDuration::from_secs(60);

/// What answered 404, or can't be looked for yet, is looked at again after this: a second more, so that the second look
/// counts.
pub const LOOK_AGAIN: Duration = Duration::from_secs(SECOND_LOOK.as_secs().unsigned_abs() + 1);

/// What one server was seen to hold.
#[derive(Debug, Default)]
pub(super) struct ServerMirror {
    /// Its accounts.
    pub(super) users: Observed<UserMirror>,
    /// Its groups.
    pub(super) groups: Observed<GroupMirror>,
    /// What it calls its roles and entitlements.
    pub(super) grants: GrantNames,
    /// A sweep is asked for.
    sweep: Notify,
}

impl ServerMirror {
    /// The connection leads to this server from now on, after a time in which it was not known to. Returns the new epoch,
    /// of users and groups alike, and whether it is another server than before.
    pub(super) fn lead_to(&self, server: &str) -> (u64, bool) {
        self.grants.forget();
        let (epoch, other) = self.users.lead_to(|users| users.lead_to(server));
        self.groups.lead_to(|groups| groups.lead_to(server, epoch));
        (epoch, other)
    }

    /// The next sweep begins as soon as may be.
    pub(super) fn ask_for_sweep(&self) {
        self.sweep.notify_one();
    }

    /// Until a sweep is asked for.
    pub(super) async fn sweep_asked(&self) {
        self.sweep.notified().await;
    }
}

/// What the server was seen to hold of one collection.
pub trait Mirror: Send + 'static {
    /// When it was seen, and what that proves.
    fn sightings(&self) -> &Sightings;
    /// The same, to be changed.
    fn sightings_mut(&mut self) -> &mut Sightings;
    /// Applies what the server answered to a read or a write of one of it.
    fn apply(&mut self, resource: &Resource);
    /// It is there, as far as is known.
    fn shows(&self, id: &str) -> bool;
    /// It is gone.
    fn forget(&mut self, id: &str);
    /// This moment, for [`Self::knew`].
    fn moment(&self) -> u64;
    /// It had been seen at that moment.
    fn knew(&self, id: &str, moment: u64) -> bool;
    /// The ids of those that have this value.
    fn having(&self, attribute: &str, value: &str) -> Vec<String>;
    /// A value of this attribute that somebody has, as the server spells it; of whoever was seen first whose name is `fit`.
    fn sample(&self, attribute: &str, fit: &dyn Fn(&str) -> bool) -> Option<String>;

    /// Whether what is of that epoch still counts.
    fn is_of(&self, epoch: u64) -> bool {
        self.sightings().epoch() == epoch
    }

    /// A read of one of it was answered with 404, and the collection is there; true where that has been so for a minute, with
    /// nothing that showed it meanwhile (promise I11).
    fn missing(&mut self, id: &str, now: Timestamp) -> bool {
        self.sightings_mut().missing(id, now)
    }

    /// Whoever isn't listed may be gone, whatever a read by id says: a list was complete, and no read ever showed more.
    fn lists_all(&self) -> bool {
        self.is_complete() && !self.sightings().lists_lack_some()
    }

    /// What isn't known isn't there.
    fn is_complete(&self) -> bool {
        self.sightings().proves_absence()
    }
}
