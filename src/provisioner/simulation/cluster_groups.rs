//! The ScimGroups of a history's API server, and whom they declare.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::cluster::{Cluster, is_of_second};
use crate::api::{CLAIMED_GROUP, FINALIZER, ScimGroup, ScimGroupSpec, ScimGroupStatus, ScimUser, Uid};
use crate::directory::{has_finalizer, is_deleting, same_plan};
use crate::provisioner::kubernetes::{WriteError, merge};
use crate::scim::fold;

/// What the watch of ScimGroups brings.
#[derive(Clone, Debug)]
pub enum GroupWatchEvent {
    Applied(Box<ScimGroup>),
    Deleted(Uid),
}

impl Cluster {
    /// Creates an object, unless one has the name.
    pub fn create_group(&mut self, name: &str, spec: ScimGroupSpec, now: Timestamp) -> Option<Uid> {
        if self.group_named(name).is_some() {
            return None;
        }
        let uid = self.next_uid();
        let mut group = ScimGroup::new(name, spec);
        group.metadata.namespace = Some("n".into());
        group.metadata.uid = Some(uid.to_string());
        group.metadata.generation = Some(1);
        group.metadata.creation_timestamp = Some(Time(crate::status::whole_seconds(now)));
        self.store_group(group);
        Some(uid)
    }

    pub fn group_named(&self, name: &str) -> Option<&ScimGroup> {
        self.groups.values().find(|group| group.name_any() == name)
    }

    /// A person edits an object; a changed spec is a new generation.
    pub fn edit_group(&mut self, uid: &Uid, change: impl FnOnce(&mut ScimGroup)) {
        let Some(mut group) = self.groups.get(uid).cloned() else { return };
        let before = group.spec.clone();
        change(&mut group);
        if group.spec != before {
            group.metadata.generation = group.metadata.generation.map(|generation| generation + 1);
        }
        self.store_group(group);
    }

    /// A person deletes an object: at once where no finalizer keeps it.
    pub fn delete_group(&mut self, uid: &Uid, now: Timestamp) {
        let Some(mut group) = self.groups.get(uid).cloned().filter(|group| !is_deleting(group)) else { return };
        if has_finalizer(&group) {
            group.metadata.deletion_timestamp = Some(Time(now));
            group.metadata.generation = group.metadata.generation.map(|generation| generation + 1);
            self.store_group(group);
        } else {
            self.purge_group(uid);
        }
    }

    /// The operator sets its finalizer and its claim, or takes off both: the same as of a user.
    pub fn claim_group(&mut self, known: &ScimGroup, claimed: Option<&str>) -> Result<ScimGroup, WriteError> {
        let uid = Uid::of(&known.metadata);
        let Some(mut group) = self.groups.get(&uid).cloned() else { return Err(WriteError::Gone) };
        let same = has_finalizer(&group) == claimed.is_some()
            && group.annotations().get(CLAIMED_GROUP).map(String::as_str) == claimed;
        if same || claimed.is_some() && !same_plan(&group, known) {
            return Ok(group);
        }
        self.count(&uid);
        group.annotations_mut().remove(CLAIMED_GROUP);
        if let Some(claimed) = claimed {
            group.annotations_mut().insert(CLAIMED_GROUP.into(), claimed.to_owned());
        }
        group.metadata.finalizers = claimed.map(|_| vec![FINALIZER.to_owned()]);
        let gone = claimed.is_none() && is_deleting(&group);
        self.store_group(group.clone());
        let last = self.groups.get(&uid).cloned();
        if gone {
            self.purge_group(&uid);
        }
        Ok(last.unwrap_or(group))
    }

    /// The operator writes a status, all but what is merged key by key.
    pub fn write_group(&mut self, uid: &Uid, status: Value) -> Option<ScimGroup> {
        let before = self.groups.get(uid)?.status.clone().unwrap_or_default();
        let mut status: ScimGroupStatus = serde_json::from_value(status).expect("a status");
        (status.leaving, status.member_names) = (before.leaving, before.member_names);
        self.put_group_status(uid, status)
    }

    /// The operator merges into a status.
    pub fn merge_group(&mut self, uid: &Uid, change: &Value) -> Option<ScimGroup> {
        let mut status = json!(self.groups.get(uid)?.status.clone().unwrap_or_default());
        merge(&mut status, change);
        self.put_group_status(uid, serde_json::from_value(status).expect("a status"))
    }

    /// The same of a user.
    pub fn merge_user(&mut self, uid: &Uid, change: &Value) -> Option<ScimUser> {
        let mut user = self.objects.get(uid).cloned()?;
        let mut status = json!(user.status.clone().unwrap_or_default());
        merge(&mut status, change);
        self.count(uid);
        let status = serde_json::from_value(status).expect("a status");
        if user.status.as_ref() != Some(&status) {
            user.status = Some(status);
            self.store(user);
        }
        self.objects.get(uid).cloned()
    }

    fn put_group_status(&mut self, uid: &Uid, status: ScimGroupStatus) -> Option<ScimGroup> {
        let mut group = self.groups.get(uid).cloned()?;
        self.count(uid);
        if group.status.as_ref() != Some(&status) {
            group.status = Some(status);
            self.store_group(group);
        }
        self.groups.get(uid).cloned()
    }

    fn store_group(&mut self, mut group: ScimGroup) {
        let version = self.next_version();
        group.metadata.resource_version = Some(version.to_string());
        self.group_events.push_back(GroupWatchEvent::Applied(Box::new(group.clone())));
        let uid = Uid::of(&group.metadata);
        if self.groups.get(&uid).is_none_or(|known| known.spec != group.spec) {
            self.respecified.insert(uid.clone(), version);
        }
        self.groups.insert(uid, group);
        self.note_wants();
    }

    fn purge_group(&mut self, uid: &Uid) {
        if self.groups.remove(uid).is_some() {
            self.group_events.push_back(GroupWatchEvent::Deleted(uid.clone()));
            self.note_wants();
        }
    }

    /// The accounts that a group declares, as far as objects and ids tell.
    pub fn wanted(&self, group: &ScimGroup) -> BTreeSet<String> {
        let spec = &group.spec;
        let members = || spec.members.iter().flatten();
        let refers = |user: &&ScimUser| {
            let name = user.name_any();
            members().any(|member| {
                member.user_ref.as_ref().is_some_and(|reference| reference.name == name)
                    || member.user_name.as_ref().is_some_and(|known| Some(fold(known)) == account_name(user))
            }) || spec.member_selector.as_ref().is_some_and(|selector| {
                selector.match_labels.iter().all(|(name, value)| user.labels().get(name) == Some(value))
            })
        };
        let users =
            self.objects.values().filter(|user| user.metadata.deletion_timestamp.is_none() && !is_of_second(user));
        let users = users.filter(refers);
        let bound = users.filter_map(|user| {
            let status = user.status.as_ref()?;
            status.id.clone().filter(|_| status.bound_to.as_ref() == Some(&self.server))
        });
        members().filter_map(|member| member.id.clone()).chain(bound).collect()
    }

    /// Since when each account has been declared for each group, or not.
    pub(super) fn note_wants(&mut self) {
        let version = self.version();
        let mut now: BTreeMap<(Uid, String), bool> = self.wants.keys().map(|pair| (pair.clone(), false)).collect();
        for (uid, group) in &self.groups {
            now.extend(self.wanted(group).into_iter().map(|id| ((uid.clone(), id), true)));
        }
        for (pair, wanted) in now {
            let known = self.wants.entry(pair).or_insert((wanted, version));
            if known.0 != wanted {
                *known = (wanted, version);
            }
        }
        for user in self.objects.values() {
            let Some(id) = user.status.as_ref().and_then(|status| status.id.clone()) else { continue };
            if user.metadata.deletion_timestamp.is_some() {
                self.leaving.insert(id);
            }
        }
    }
}

/// The userName of the account that an object is bound to, folded: what it declares may be refused, or not be done yet.
pub(super) fn account_name(user: &ScimUser) -> Option<String> {
    let status = user.status.as_ref().filter(|status| status.id.is_some())?;
    Some(fold(status.user_name.as_deref().unwrap_or(&user.spec.user_name)))
}
