//! What came of each object, put together at the end.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use kube::ResourceExt;

use super::changes::MADE_UP;
use super::effects::ReadOnly;
use super::memory::{Collection, Departed, Entry, Memory, Proposed, Shown};
use super::planned::{Action, MemberChanges, Plan, PlannedGuard, PlannedHold, PlannedObject, Unmanaged};
use crate::api::{Also, OperationType, Reason, RemoteId, ScimGroup, ScimUser, Uid};
use crate::directory::{ConnectionKey, Directory};
use crate::provisioner::{Provisioner, base_url, server_of};
use crate::status::ready;

/// The objects as they were before: what is needed of them at the end.
pub struct Objects {
    users: Vec<Before>,
    groups: Vec<Before>,
}

struct Before {
    uid: Uid,
    /// How it is called, where the directory may know it no more at the end.
    object: Option<Box<PlannedObject>>,
    id: Option<String>,
    suspended: bool,
}

impl Objects {
    /// Those of a connection; `removed` are about to be deleted.
    pub fn of(directory: &Directory, key: &ConnectionKey, removed: &BTreeSet<Uid>) -> Self {
        let goes =
            |metadata: &ObjectMeta| metadata.deletion_timestamp.is_some() || removed.contains(&Uid::of(metadata));
        let users = directory.users_of(key).into_iter().map(|user| Before {
            uid: Uid::of(&user.metadata),
            object: goes(&user.metadata).then(|| Box::new(user_of(&user))),
            id: user.status.as_ref().and_then(|status| status.id.clone()),
            suspended: user.spec.suspend,
        });
        let groups = directory.groups_of(key).into_iter().map(|group| Before {
            uid: Uid::of(&group.metadata),
            object: goes(&group.metadata).then(|| Box::new(group_of(&group))),
            id: group.status.as_ref().and_then(|status| status.id.clone()),
            suspended: false,
        });
        Self { users: users.collect(), groups: groups.collect() }
    }

    /// Their uids.
    pub fn uids(&self) -> impl Iterator<Item = &Uid> {
        self.users.iter().chain(&self.groups).map(|before| &before.uid)
    }
}

/// An object's status before and after, as far as both kinds have it.
struct Course<'a> {
    before: Option<&'a str>,
    after: Option<&'a str>,
    conditions: &'a [Condition],
    suspended: bool,
}

/// The whole.
pub fn outline(provisioner: &Provisioner<ReadOnly>, memory: &mut Memory, objects: Objects) -> Plan {
    let mut entries = std::mem::take(&mut memory.objects);
    // Nothing is asked of them any more, and there may be thousands.
    memory.accounts = Collection::default();
    let memory = &*memory;
    let directory = &provisioner.directory;
    let connection = provisioner.connection();
    let names = Names { directory, key: &provisioner.key, server: &server_of(&connection), memory };
    let mut all = Vec::with_capacity(objects.users.len() + objects.groups.len());
    let mut tell = |before: Before, object: PlannedObject, id: Option<&str>, conditions: Option<&[Condition]>| {
        let course = Course {
            before: before.id.as_deref(),
            after: id,
            conditions: conditions.unwrap_or_default(),
            suspended: before.suspended || connection.spec.suspend,
        };
        let entry = *entries.remove(&before.uid).unwrap_or_default();
        all.push(planned(object, entry, &course, &names));
    };
    for mut before in objects.users {
        let now = directory.get(&before.uid);
        let object = before.object.take().map(|object| *object).or_else(|| now.as_deref().map(user_of));
        let Some(object) = object else { continue };
        let status = now.as_ref().and_then(|now| now.status.as_ref());
        tell(
            before,
            object,
            status.and_then(|now| now.id.as_deref()),
            status.and_then(|now| now.conditions.as_deref()),
        );
    }
    for mut before in objects.groups {
        let now = directory.group(&before.uid);
        let object = before.object.take().map(|object| *object).or_else(|| now.as_deref().map(group_of));
        let Some(object) = object else { continue };
        let status = now.as_ref().and_then(|now| now.status.as_ref());
        tell(
            before,
            object,
            status.and_then(|now| now.id.as_deref()),
            status.and_then(|now| now.conditions.as_deref()),
        );
    }
    all.sort_by(|one, other| {
        let key = |object: &PlannedObject| (object.kind == "ScimGroup", object.namespace.clone(), object.name.clone());
        key(one).cmp(&key(other))
    });
    let status = connection.status.clone().unwrap_or_default();
    let holds = status.holds.into_iter().flatten().map(|hold| PlannedHold {
        reason: hold.reason,
        creates: hold.creates,
        updates: hold.updates,
        deactivations: hold.deactivations,
        deletes: hold.deletes,
        memberships: hold.memberships,
        sample: hold.sample,
    });
    let guards = status.guards.into_iter().flatten().map(|guard| PlannedGuard {
        name: guard.name,
        base: guard.base,
        limit: guard.limit,
        used: guard.used,
    });
    let mut unmanaged = Vec::new();
    provisioner.each_unmanaged(&connection, |user_name, id| {
        unmanaged.push(Unmanaged { user_name: user_name.to_owned(), id: id.to_owned() });
    });
    unmanaged.sort();
    let mut plan = Plan {
        unmanaged,
        connection: provisioner.key.to_string(),
        server: base_url(&connection.spec),
        objects: all,
        holds: holds.collect(),
        guards: guards.collect(),
        notes: memory.notes.iter().cloned().collect(),
        ..Plan::default()
    };
    plan.recount();
    plan
}

fn user_of(user: &ScimUser) -> PlannedObject {
    named("ScimUser", user, user.spec.user_name.clone())
}

fn group_of(group: &ScimGroup) -> PlannedObject {
    named("ScimGroup", group, group.spec.display_name.clone())
}

fn named(kind: &'static str, object: &impl ResourceExt, called: String) -> PlannedObject {
    PlannedObject {
        kind: kind.into(),
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
        called,
        ..PlannedObject::default()
    }
}

fn planned(mut object: PlannedObject, entry: Entry, course: &Course, names: &Names) -> PlannedObject {
    let ready = ready(Some(course.conditions));
    let reason = ready.and_then(|ready| Reason::ALL.iter().find(|known| known.as_str() == ready.reason)).copied();
    object.id = course.after.or(course.before).filter(|id| !id.starts_with(MADE_UP)).map(str::to_owned);
    object.reason = ready.map(|ready| ready.reason.clone());
    object.message = ready.map(|ready| ready.message.clone()).unwrap_or_default();
    object.changes = entry.changes;
    object.requests = entry.requests;
    object.members = MemberChanges { added: names.of(&entry.added), removed: names.of(&entry.removed) };
    let mut operations = entry.operations;
    if let Some((held, operation)) = &entry.held {
        operations.push(*operation);
        object.held = Some(held.clone());
        match &entry.proposed {
            Some(Proposed::User(change)) => object.changes.extend(change.changes.iter().cloned()),
            Some(Proposed::Group { changes, added, removed, .. }) => {
                object.changes.extend(changes.iter().cloned());
                object.members.added.extend(names.of(added));
                object.members.removed.extend(names.of(removed));
            }
            None => {}
        }
        // What to write into the connection can't be known before the operator has the hold.
        if let Some((why, _)) = object.message.split_once(". ").filter(|_| held.needs_answer) {
            object.message.truncate(why.len());
        }
    }
    let bound = course.before.is_none() && course.after.is_some();
    object.action = match (operation_of(&operations, bound), &entry.departed) {
        (None | Some(Action::Adopt), None) if entry.unread && object.requests.is_empty() && object.held.is_none() => {
            if reason != Some(Reason::Pending) {
                "the server puts off every request about it, as a rate limit does".clone_into(&mut object.message);
            }
            Action::Unknown
        }
        (Some(action), _) => action,
        (None, Some(Departed::Leaving(why))) => {
            object.message.clone_from(why);
            Action::Release
        }
        (None, Some(Departed::Whole)) => {
            "it goes, and the server has nothing of it".clone_into(&mut object.message);
            Action::Nothing
        }
        (None, None) if course.suspended => {
            object.reason = Some(Reason::Suspended.as_str().to_owned());
            "spec.suspend keeps everything as it is".clone_into(&mut object.message);
            Action::Nothing
        }
        (None, None) => match reason.map(Reason::also) {
            Some(Also::Stalled) => Action::Refused,
            Some(Also::Reconciling) => Action::Waits,
            _ => Action::Nothing,
        },
    };
    object
}

/// Of all that would be done, what says the most.
fn operation_of(operations: &[OperationType], bound: bool) -> Option<Action> {
    let has = |kind: OperationType| operations.contains(&kind);
    Some(match () {
        () if has(OperationType::Delete) => Action::Delete,
        () if has(OperationType::Create) => Action::Create,
        () if has(OperationType::Deactivate) => Action::Deactivate,
        () if has(OperationType::Adopt) || has(OperationType::Handover) || bound => Action::Adopt,
        () if has(OperationType::Reactivate) => Action::Reactivate,
        () if has(OperationType::Update) => Action::Update,
        () => return None,
    })
}

/// What members are called.
struct Names<'a> {
    directory: &'a Directory,
    key: &'a ConnectionKey,
    server: &'a str,
    memory: &'a Memory,
}

impl Names<'_> {
    fn of<'i>(&self, ids: impl IntoIterator<Item = &'i RemoteId>) -> Vec<String> {
        let group = |id: &RemoteId| {
            let seen = self.memory.group_list.shows(id.as_str()).and_then(Shown::resource);
            let seen = seen.or_else(|| self.memory.group_list.seen.get(id.as_str()).cloned())?;
            seen.display_name().map(str::to_owned)
        };
        let name = |id: &RemoteId| {
            let user = self.directory.bound_to(self.key, self.server, id);
            user.map(|user| user.name_any()).or_else(|| group(id)).unwrap_or_else(|| id.to_string())
        };
        let mut names: Vec<String> = ids.into_iter().map(name).collect();
        names.sort_unstable();
        names
    }
}
