//! What people do: to objects, and at the server by hand.

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::events::{Event, NAMES, PLACES, Spec};
use super::setup::{CONNECTION, SECOND};
use super::site::is_active;
use super::world::World;
use crate::api::{Access, ConnectionRef, RECONCILE_REQUESTED_AT, RELEASE, ScimUser, ScimUserSpec, Uid};
use crate::directory::is_deleting;

impl World {
    fn spec(&self, spec: &Spec) -> ScimUserSpec {
        let name = NAMES[spec.name];
        let until = spec.until.map(|minutes| self.outside().time() + SignedDuration::from_mins(minutes));
        let mut json = json!({"connectionRef": {"name": CONNECTION}, "userName": name});
        if let Some(title) = spec.title {
            json["title"] = Value::from(title);
        }
        if let Some(email) = spec.email {
            json["emails"] = json!([{"type": "work", "value": email}]);
        }
        let read: ScimUserSpec = serde_json::from_value(json).expect("a spec");
        ScimUserSpec {
            connection_ref: ConnectionRef { name: CONNECTION.into(), ..ConnectionRef::default() },
            active: spec.active,
            external_id: spec.external_id.then(|| format!("e-{}", spec.name % 3)),
            access: until
                .map(|until| Access { not_before: None, not_after: Some(Time(crate::status::whole_seconds(until))) }),
            ..read
        }
    }

    pub fn placed(&self, slot: usize) -> Option<Uid> {
        let (namespace, name) = PLACES[slot];
        self.outside().cluster.named(namespace, name).and_then(|object| Uid::given(&object.metadata))
    }

    /// The object in a place, if a person may still edit it.
    fn edit(&mut self, slot: usize, change: impl FnOnce(&mut ScimUser)) {
        let Some(uid) = self.placed(slot) else { return };
        if self.outside().cluster.objects.get(&uid).is_some_and(|user| !is_deleting(user)) {
            self.outside().cluster.edit(&uid, change);
        }
    }

    pub fn account(&self, number: usize) -> Option<String> {
        let ids: Vec<String> = self.outside().site.server.accounts.keys().cloned().collect();
        ids.get(number % ids.len().max(1)).cloned()
    }

    /// One event happens.
    pub fn happen(&mut self, event: &Event) {
        self.say(|| format!("{event:?}"));
        match event {
            Event::Work(seed, steps) => self.work(*seed, *steps),
            Event::Time(millis) => self.pass_time(*millis),
            Event::Sweep(how) => self.sweep(*how),
            Event::Fault(fault) => self.outside().fault = Some(*fault),
            Event::Restart => self.restart(),
            Event::Remember => self.outside().site.remember(),
            Event::Save => self.save(),
            Event::Answer(hold, approve) => self.answer(*hold, *approve),
            Event::Plan(plan) => self.set_plan(*plan),
            Event::Lead(number) => self.lead_to(*number),
            Event::Renumber => self.renumber(),
            Event::Forge(slot, number) => self.forge(*slot, *number),
            Event::SwapIds => self.swap_ids(),
            Event::Group(event) => self.group_event(event),
            Event::Retitle(..)
            | Event::Remail(..)
            | Event::Deactivate(_)
            | Event::Reactivate(_)
            | Event::Erase(_)
            | Event::Accept(_)
            | Event::Invite(..) => self.by_hand(event),
            _ => self.by_people(event),
        }
    }

    fn by_people(&mut self, event: &Event) {
        let now = self.outside().time();
        match event {
            Event::Declare(slot, spec) => {
                let (namespace, name) = PLACES[*slot];
                let spec = self.spec(spec);
                self.outside().cluster.create(namespace, name, spec, now);
            }
            Event::Change(slot, spec) => {
                let spec = self.spec(spec);
                self.edit(*slot, |user| {
                    let (user_name, connection_ref) = (user.spec.user_name.clone(), user.spec.connection_ref.clone());
                    user.spec = ScimUserSpec { connection_ref, user_name, ..spec };
                });
            }
            Event::Activate(slot, active) => self.edit(*slot, |user| user.spec.active = *active),
            Event::Rename(slot, name) => self.rename(*slot, NAMES[*name]),
            Event::Swap(one, other) => {
                let name = |slot| {
                    let uid = self.placed(slot)?;
                    Some(self.outside().cluster.objects.get(&uid)?.spec.user_name.clone())
                };
                if let (Some(first), Some(second)) = (name(*one), name(*other)) {
                    self.rename(*one, &second);
                    self.rename(*other, &first);
                }
            }
            Event::Move(from, to, first) => self.relocate(*from, *to, *first, false),
            Event::MoveAway(from, to, first) => self.relocate(*from, *to, *first, true),
            Event::Remove(slot) => {
                if let Some(uid) = self.placed(*slot) {
                    self.outside().cluster.delete(&uid, now);
                }
            }
            Event::Release(slot) => {
                if let Some(uid) = self.placed(*slot) {
                    self.outside().cluster.edit(&uid, |user| {
                        user.annotations_mut().insert(RELEASE.into(), "true".into());
                    });
                }
            }
            Event::Request(slot) => {
                let asked = self.outside().now.to_string();
                self.edit(*slot, |user| {
                    user.annotations_mut().insert(RECONCILE_REQUESTED_AT.into(), asked);
                });
            }
            _ => {}
        }
    }

    fn rename(&mut self, slot: usize, name: &str) {
        self.edit(slot, |user| user.spec.user_name = name.to_owned());
    }

    fn relocate(&mut self, from: usize, to: usize, delete_first: bool, away: bool) {
        // The second connection always leads to the first server.
        if away && self.outside().server != 0 {
            return;
        }
        let now = self.outside().time();
        let Some(uid) = self.placed(from) else { return };
        let Some(mut spec) = self.outside().cluster.objects.get(&uid).map(|user| user.spec.clone()) else { return };
        if away {
            let other = if spec.connection_ref.name == SECOND { CONNECTION } else { SECOND };
            other.clone_into(&mut spec.connection_ref.name);
        }
        let (namespace, name) = PLACES[to];
        if delete_first {
            self.outside().cluster.delete(&uid, now);
        }
        if self.outside().cluster.create(namespace, name, spec, now).is_some() {
            self.outside().cluster.delete(&uid, now);
        }
    }

    fn by_hand(&mut self, event: &Event) {
        let chosen = match event {
            Event::Retitle(number, _)
            | Event::Remail(number, _)
            | Event::Deactivate(number)
            | Event::Reactivate(number)
            | Event::Erase(number)
            | Event::Accept(number) => self.account(*number),
            _ => None,
        };
        // Nobody touches what they take for somebody else's.
        let chosen = chosen.filter(|id| !self.outside().is_swapped(id));
        match (event, chosen) {
            (Event::Invite(name, active), _) => self.outside().site.invite(NAMES[*name], *active),
            (Event::Retitle(_, text), Some(id)) => {
                let site = &mut self.outside().site;
                site.meddle(&id, |account| {
                    account.insert("title".into(), Value::from(*text));
                });
                site.edited_by_hand.insert((id, "title"));
            }
            (Event::Remail(_, text), Some(id)) => {
                let site = &mut self.outside().site;
                site.meddle(&id, |account| {
                    account.insert("emails".into(), json!([{"type": "work", "value": text}]));
                });
                site.edited_by_hand.insert((id, "emails"));
            }
            (Event::Deactivate(_), Some(id)) => {
                self.outside().site.meddle(&id, |account| {
                    account.insert("active".into(), Value::Bool(false));
                });
                self.outside().site.deactivated_by_hand.insert(id);
            }
            (Event::Reactivate(_), Some(id)) => {
                let site = &mut self.outside().site;
                let was_active = site.get(&id).is_some_and(|account| is_active(&account.0));
                site.invited.remove(&id);
                site.meddle(&id, |account| {
                    account.insert("active".into(), Value::Bool(true));
                });
                site.deactivated_by_hand.remove(&id);
                if !was_active {
                    site.activated_by_hand.insert(id);
                }
            }
            (Event::Accept(_), Some(id)) => self.outside().site.accept(&id),
            (Event::Erase(_), Some(id)) => {
                self.outside().site.server.accounts.remove(&id);
                self.outside().site.groups.without_account(&id);
                self.outside().site.deleted_by_hand.insert(id);
            }
            _ => {}
        }
    }
}
