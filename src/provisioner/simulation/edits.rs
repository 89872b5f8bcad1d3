//! What people do to the connection and its server.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::cluster::is_of_second;
use super::operator::Flight;
use super::outside::Place;
use super::setup::{BASE_URLS, SERVERS};
use super::world::World;
use crate::api::{MembersReadable, Mode};
use crate::provisioner::connection::session::policy_for;

impl World {
    /// The server's database is built anew: between two requests, and where nobody declares a group.
    pub fn renumber(&mut self) {
        let mut outside = self.outside();
        let place = |flight: &Flight| outside.observed.places.get(&flight.ticket.uid);
        let answered = self.operator.flight.iter().any(|flight| place(flight) == Some(&Place::Answer));
        let told = outside.book.forged.is_empty() && outside.book.swapped.is_none();
        if !answered && told && outside.cluster.groups.is_empty() {
            outside.renumber();
        }
    }

    /// A person edits the connection, and it is tested again.
    pub fn configure(&mut self, change: impl FnOnce(&mut crate::api::ScimConnection)) {
        let connection = {
            let mut outside = self.outside();
            let edited = outside.cluster.set_connection(|connection| {
                change(connection);
                connection.metadata.generation = connection.metadata.generation.map(|generation| generation + 1);
            });
            outside.policy = policy_for(&edited, None);
            edited
        };
        self.operator.provisioner.update(Arc::new(connection));
        self.connect();
    }

    /// An edit leads the connection to another server, or back.
    pub fn lead_to(&mut self, number: usize) {
        {
            let mut outside = self.outside();
            let shared = outside.cluster.objects.values().any(is_of_second);
            if outside.server == number || outside.book.swapped.is_some() || shared {
                return;
            }
            outside.swap_servers();
            outside.cluster.lead_to(&SERVERS[number]);
        }
        self.configure(|connection| connection.spec.base_url = Some(BASE_URLS[number].to_owned()));
    }

    /// The server shows a group's members so from now on, and the connection's dialect says so.
    pub fn show_members(&mut self, readable: MembersReadable) {
        self.configure(|connection| {
            connection.spec.dialect.get_or_insert_default().members_readable = Some(readable);
        });
        let mut outside = self.outside();
        outside.site.groups.readable = outside.policy.profile.members_readable;
    }

    /// A person approves or rejects a hold.
    pub fn answer(&mut self, number: usize, approve: bool) {
        let holds: Vec<String> = self.holds().into_iter().filter_map(|hold| hold.id).collect();
        let Some(id) = holds.get(number % holds.len().max(1)).cloned() else { return };
        self.say(|| format!("{} {id}", if approve { "approve" } else { "reject" }));
        if approve {
            let members = self.held_by(&id);
            self.outside().observed.held.extend(members.into_iter().map(|uid| (uid, None)));
        }
        self.configure(|connection| {
            let spec = &mut connection.spec;
            let (given, other) = if approve {
                (&mut spec.approved_hold, &mut spec.rejected_hold)
            } else {
                (&mut spec.rejected_hold, &mut spec.approved_hold)
            };
            *given = Some(id.clone());
            other.take_if(|other| *other == id);
        });
    }

    /// A person takes all patterns out of `guards.protected`.
    pub fn protect_nobody(&mut self) {
        self.outside().setup.protected = false;
        self.configure(|connection| connection.spec.guards.protected = None);
    }

    /// A person thinks better of what they rejected.
    pub fn approve_after_all(&mut self) {
        self.configure(|connection| connection.spec.approved_hold = connection.spec.rejected_hold.take());
    }

    /// `suspend` changes.
    pub fn set_suspended(&mut self, suspended: bool) {
        self.configure(|connection| connection.spec.suspend = suspended);
    }

    /// `mode` changes.
    pub fn set_plan(&mut self, plan: bool) {
        let mode = if plan { Mode::Plan } else { Mode::Apply };
        if self.outside().cluster.connection.spec.mode == mode {
            return;
        }
        // What is held is asked for anew.
        self.outside().observed.held = BTreeMap::new();
        self.configure(|connection| connection.spec.mode = mode);
    }
}
