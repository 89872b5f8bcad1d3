//! What happens to groups: declared by people, and changed at the server by hand.

use kube::ResourceExt;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::events::{NAMES, PLACES};
use super::setup::{CONNECTION, GroupSetup};
use super::site_groups::{Group, Strangers};
use super::world::World;
use crate::api::{
    AdoptionPolicy, GroupDeletionPolicy, MemberRemoval, MembersReadable, RECONCILE_REQUESTED_AT, RELEASE, ScimGroup,
    ScimGroupSpec, Uid,
};
use crate::directory::is_deleting;
use crate::scim::Attributes;

pub const GROUP_NAMES: [&str; 3] = ["eng", "ops", "Eng"];
pub const GROUP_PLACES: [&str; 3] = ["g", "h", "i"];

/// How a member is declared.
#[derive(Clone, Copy, Debug)]
pub enum Named {
    /// The ScimUser in this place.
    Place(usize),
    UserName(usize),
    /// The account of this number.
    Account(usize),
    /// The ScimGroup in this place.
    Group(usize),
}

/// What a person declares of a group.
#[derive(Clone, Debug)]
pub struct GroupSpec {
    pub name: usize,
    pub external_id: Option<&'static str>,
    pub additive: bool,
    pub members: Vec<Named>,
    pub selects: bool,
    pub retain: bool,
}

/// One event.
#[derive(Clone, Debug)]
pub enum GroupEvent {
    Declare(usize, GroupSpec),
    Change(usize, GroupSpec),
    Members(usize, Vec<Named>),
    Rename(usize, usize),
    Move(usize, usize, bool),
    Remove(usize),
    Release(usize),
    Request(usize),
    /// The ScimUser in this place is labelled, or not any more.
    Label(usize, bool),
    /// By hand: an account joins a group, or leaves it.
    Join(usize, usize),
    Leave(usize, usize),
    Retitle(usize, usize),
    Erase(usize),
    /// A group of this name, with an account in it or without.
    Invite(usize, Option<usize>),
}

fn members() -> impl Strategy<Value = Vec<Named>> {
    let one = prop_oneof![
        4 => (0..PLACES.len()).prop_map(Named::Place),
        2 => (0..NAMES.len()).prop_map(Named::UserName),
        1 => (0..4_usize).prop_map(Named::Account),
    ];
    vec(one, 0..4)
}

fn specs() -> impl Strategy<Value = GroupSpec> {
    let bools = (prop::bool::weighted(0.3), prop::bool::weighted(0.4), prop::bool::weighted(0.15));
    let external = option::weighted(0.2, select(vec!["x", "y"]));
    (0..GROUP_NAMES.len(), external, bools, members()).prop_map(
        |(name, external_id, (additive, selects, retain), members)| GroupSpec {
            name,
            external_id,
            additive,
            members,
            selects,
            retain,
        },
    )
}

/// What may happen to groups.
pub fn group_events() -> impl Strategy<Value = GroupEvent> {
    let slot = || 0..GROUP_PLACES.len();
    let name = || 0..GROUP_NAMES.len();
    let account = || 0..6_usize;
    prop_oneof![
        6 => (slot(), specs()).prop_map(|(slot, spec)| GroupEvent::Declare(slot, spec)),
        3 => (slot(), specs()).prop_map(|(slot, spec)| GroupEvent::Change(slot, spec)),
        4 => (slot(), members()).prop_map(|(slot, members)| GroupEvent::Members(slot, members)),
        1 => (slot(), name()).prop_map(|(slot, name)| GroupEvent::Rename(slot, name)),
        1 => (slot(), slot(), any::<bool>()).prop_map(|(from, to, first)| GroupEvent::Move(from, to, first)),
        2 => slot().prop_map(GroupEvent::Remove),
        1 => slot().prop_map(GroupEvent::Release),
        1 => slot().prop_map(GroupEvent::Request),
        3 => (0..PLACES.len(), prop::bool::weighted(0.7)).prop_map(|(slot, on)| GroupEvent::Label(slot, on)),
        2 => (slot(), account()).prop_map(|(group, account)| GroupEvent::Join(group, account)),
        2 => (slot(), account()).prop_map(|(group, account)| GroupEvent::Leave(group, account)),
        1 => (slot(), name()).prop_map(|(group, name)| GroupEvent::Retitle(group, name)),
        1 => slot().prop_map(GroupEvent::Erase),
        1 => (name(), option::of(account())).prop_map(|(name, account)| GroupEvent::Invite(name, account)),
    ]
}

/// What the server's groups may be like.
pub fn group_setups() -> impl Strategy<Value = GroupSetup> {
    let readable = select(vec![
        MembersReadable::Inline,
        MembersReadable::Inline,
        MembersReadable::Inline,
        MembersReadable::OnRequest,
        MembersReadable::Probe,
        MembersReadable::No,
    ]);
    let bools = (
        prop::bool::weighted(0.7),
        any::<bool>(),
        prop::bool::weighted(0.3),
        prop::bool::weighted(0.7),
        prop::bool::weighted(0.7),
        prop::bool::weighted(0.8),
    );
    let strangers = prop_oneof![
        8 => Just(Strangers::Taken),
        3 => Just(Strangers::NotFound),
        3 => Just(Strangers::Rejected),
        1 => Just(Strangers::LeftOut),
        1 => Just(Strangers::Broken),
    ];
    (readable, bools, strangers, (0..4_u32, 0..3_u32), select(vec![1_u32, 2, 100])).prop_map(
        |(readable, (unique, filter, silent, versions, deletes, adopts), strangers, limits, most)| GroupSetup {
            unique,
            readable,
            removal: if filter { MemberRemoval::Filter } else { MemberRemoval::Values },
            strangers,
            silent,
            versions,
            deletion: if deletes { GroupDeletionPolicy::Delete } else { GroupDeletionPolicy::Retain },
            adoption: if adopts { AdoptionPolicy::Adopt } else { AdoptionPolicy::Refuse },
            limits,
            most,
        },
    )
}

impl World {
    fn members(&self, members: &[Named]) -> Value {
        let one = |named: &Named| match named {
            Named::Place(slot) => Some(json!({"userRef": {"name": PLACES[*slot].1}})),
            Named::UserName(name) => Some(json!({"userName": NAMES[*name]})),
            Named::Account(number) => self.account(*number).map(|id| json!({"id": id})),
            Named::Group(slot) => Some(json!({"groupRef": {"name": GROUP_PLACES[*slot]}})),
        };
        members.iter().filter_map(one).collect()
    }

    fn group_spec(&self, spec: &GroupSpec) -> ScimGroupSpec {
        let body = json!({
            "connectionRef": {"name": CONNECTION},
            "displayName": GROUP_NAMES[spec.name],
            "externalId": spec.external_id,
            "membership": if spec.additive { "Additive" } else { "Exact" },
            "members": self.members(&spec.members),
            "memberSelector": spec.selects.then(|| json!({"matchLabels": {"team": "t"}})),
            "deletionPolicy": spec.retain.then_some("Retain"),
        });
        serde_json::from_value(body).expect("a group's spec")
    }

    fn group_placed(&self, slot: usize) -> Option<Uid> {
        self.outside().cluster.group_named(GROUP_PLACES[slot]).and_then(|object| Uid::given(&object.metadata))
    }

    fn edit_group(&mut self, slot: usize, change: impl FnOnce(&mut ScimGroup)) {
        let Some(uid) = self.group_placed(slot) else { return };
        if self.outside().cluster.groups.get(&uid).is_some_and(|group| !is_deleting(group)) {
            self.outside().cluster.edit_group(&uid, change);
        }
    }

    /// Something happens to a group.
    pub fn group_event(&mut self, event: &GroupEvent) {
        let now = self.outside().time();
        match event {
            GroupEvent::Declare(slot, spec) => {
                let spec = self.group_spec(spec);
                self.outside().cluster.create_group(GROUP_PLACES[*slot], spec, now);
            }
            GroupEvent::Change(slot, spec) => {
                let spec = self.group_spec(spec);
                self.edit_group(*slot, |group| {
                    let display_name = group.spec.display_name.clone();
                    group.spec = ScimGroupSpec { display_name, ..spec };
                });
            }
            GroupEvent::Members(slot, members) => {
                let members = serde_json::from_value(self.members(members)).expect("members");
                self.edit_group(*slot, |group| group.spec.members = Some(members));
            }
            GroupEvent::Rename(slot, name) => {
                self.edit_group(*slot, |group| group.spec.display_name = GROUP_NAMES[*name].to_owned());
            }
            GroupEvent::Move(from, to, first) => {
                let Some(uid) = self.group_placed(*from) else { return };
                let mut outside = self.outside();
                let Some(spec) = outside.cluster.groups.get(&uid).map(|group| group.spec.clone()) else { return };
                if *first {
                    outside.cluster.delete_group(&uid, now);
                }
                if outside.cluster.create_group(GROUP_PLACES[*to], spec, now).is_some() {
                    outside.cluster.delete_group(&uid, now);
                }
            }
            GroupEvent::Remove(slot) => {
                if let Some(uid) = self.group_placed(*slot) {
                    self.outside().cluster.delete_group(&uid, now);
                }
            }
            GroupEvent::Release(slot) => {
                if let Some(uid) = self.group_placed(*slot) {
                    self.outside().cluster.edit_group(&uid, |group| {
                        group.annotations_mut().insert(RELEASE.into(), "true".into());
                    });
                }
            }
            GroupEvent::Request(slot) => {
                let asked = self.outside().now.to_string();
                self.edit_group(*slot, |group| {
                    group.annotations_mut().insert(RECONCILE_REQUESTED_AT.into(), asked);
                });
            }
            GroupEvent::Label(slot, on) => {
                let Some(uid) = self.placed(*slot) else { return };
                self.outside().cluster.edit(&uid, |user| {
                    if *on {
                        user.labels_mut().insert("team".into(), "t".into());
                    } else {
                        user.labels_mut().remove("team");
                    }
                });
            }
            _ => self.group_by_hand(event),
        }
    }

    fn group_by_hand(&mut self, event: &GroupEvent) {
        let chosen = |number: usize| {
            let ids: Vec<String> = self.outside().site.groups.all.keys().cloned().collect();
            ids.get(number % ids.len().max(1)).cloned()
        };
        match event {
            GroupEvent::Join(group, account) | GroupEvent::Leave(group, account) => {
                let (Some(group), Some(account)) = (chosen(*group), self.account(*account)) else { return };
                let groups = &mut self.outside().site.groups;
                let mut changed = groups.all.get(&group).cloned().unwrap_or_default();
                if matches!(event, GroupEvent::Join(..)) {
                    changed.members.insert(account.clone());
                } else {
                    changed.members.remove(&account);
                }
                groups.change(&group, changed);
                groups.by_hand.insert((group, account));
            }
            GroupEvent::Retitle(group, name) => {
                let Some(group) = chosen(*group) else { return };
                let groups = &mut self.outside().site.groups;
                let mut changed: Group = groups.all.get(&group).cloned().unwrap_or_default();
                changed.attributes.insert("displayName".into(), Value::from(GROUP_NAMES[*name]));
                groups.change(&group, changed);
                groups.renamed_by_hand.insert(group);
            }
            GroupEvent::Erase(group) => {
                let Some(group) = chosen(*group) else { return };
                let groups = &mut self.outside().site.groups;
                groups.all.remove(&group);
                groups.deleted_by_hand.insert(group);
            }
            GroupEvent::Invite(name, account) => {
                let account = account.and_then(|account| self.account(account));
                let body = json!({
                    "displayName": GROUP_NAMES[*name],
                    "members": account.iter().map(|id| json!({"value": id})).collect::<Value>(),
                });
                let body: Attributes = serde_json::from_value(body).expect("a group");
                let groups = &mut self.outside().site.groups;
                if let (Some(id), Some(account)) = (groups.make(&body), account) {
                    groups.by_hand.insert((id, account));
                }
            }
            _ => {}
        }
    }
}
