//! Users and groups as they are listed: what their status records, and no more of them than that.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use kube::api::ListParams;
use kube::core::ObjectMeta;
use scim_operator::api::{ConnectionKind, ConnectionRef, LastOperation, ScimGroup, ScimUser, UserHold};
use serde::Serialize;

use crate::cluster::{Cluster, each};
use crate::output::{Cell, Row, Tone};
use crate::time::{age, instant};

/// A user or a group.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Object {
    pub kind: &'static str,
    pub namespace: String,
    pub name: String,
    /// Its userName or displayName.
    pub called: String,
    /// The connection's name; that of a cluster connection begins with `cluster/`.
    pub connection: String,
    pub ready: Option<String>,
    pub reason: Option<String>,
    pub message: Option<String>,
    /// Since when Ready says so.
    pub since: Option<Timestamp>,
    /// It needs a person.
    pub stalled: bool,
    pub state: Option<String>,
    pub active: Option<bool>,
    /// The account or the group at the server.
    pub id: Option<String>,
    pub last_operation: Option<String>,
    pub last_change: Option<Timestamp>,
    /// What was changed at the server.
    pub drift: Vec<String>,
    /// What is not written, and why.
    pub ignored: Vec<String>,
    pub hold: Option<String>,
    /// What the hold keeps from being done.
    pub held_operation: Option<String>,
    /// Tells whether it is the same operation still.
    #[serde(skip)]
    pub held_digest: Option<String>,
    pub deleting: bool,
    pub created: Option<Timestamp>,
}

impl Object {
    fn of(kind: &'static str, metadata: &ObjectMeta, connection: &ConnectionRef) -> Self {
        Self {
            kind,
            namespace: metadata.namespace.clone().unwrap_or_default(),
            name: metadata.name.clone().unwrap_or_default(),
            connection: connection_name(connection),
            deleting: metadata.deletion_timestamp.is_some(),
            created: instant(metadata.creation_timestamp.as_ref()),
            ..Self::default()
        }
    }

    fn conditions(&mut self, conditions: Option<Vec<Condition>>) {
        for condition in conditions.unwrap_or_default() {
            match condition.type_.as_str() {
                "Ready" => {
                    self.ready = Some(condition.status);
                    self.reason = Some(condition.reason);
                    self.message = Some(condition.message);
                    self.since = Some(condition.last_transition_time.0);
                }
                "Stalled" => self.stalled = condition.status == "True",
                _ => {}
            }
        }
    }

    fn recorded(&mut self, last: Option<LastOperation>, hold: Option<UserHold>) {
        self.last_change = last.as_ref().map(|last| last.at.0);
        self.last_operation = last.map(|last| last.type_.as_str().to_owned());
        self.held_operation = hold.as_ref().map(|hold| hold.operation.as_str().to_owned());
        self.held_digest = hold.as_ref().map(|hold| hold.digest.clone());
        self.hold = hold.map(|hold| hold.id);
    }

    /// It needs a person: nothing goes on by itself, or its deletion waits.
    pub fn fails(&self) -> bool {
        self.stalled || (self.deleting && self.ready.as_deref() == Some("False"))
    }

    /// How good its state is.
    fn tone(&self) -> Tone {
        match self.ready.as_deref() {
            _ if self.stalled => Tone::Bad,
            Some("True") if self.drift.is_empty() => Tone::Good,
            _ => Tone::Warning,
        }
    }
}

impl From<ScimUser> for Object {
    fn from(user: ScimUser) -> Self {
        let mut object = Self::of("ScimUser", &user.metadata, &user.spec.connection_ref);
        object.called = user.spec.user_name;
        let status = user.status.unwrap_or_default();
        object.state = status.state.as_ref().map(word);
        object.active = status.active;
        object.id = status.id;
        object.drift = status.drift.into_iter().flatten().map(|drifted| drifted.path).collect();
        let ignored = status.ignored_attributes.into_iter().flatten();
        object.ignored = ignored.map(|ignored| format!("{} ({})", ignored.path, word(&ignored.reason))).collect();
        object.recorded(status.last_operation, status.hold);
        object.conditions(status.conditions);
        object
    }
}

impl From<ScimGroup> for Object {
    fn from(group: ScimGroup) -> Self {
        let mut object = Self::of("ScimGroup", &group.metadata, &group.spec.connection_ref);
        object.called = group.spec.display_name;
        let status = group.status.unwrap_or_default();
        object.state = status.state.as_ref().map(word);
        object.id = status.id;
        if let Some(drift) = status.drift {
            object.drift = drift.attributes;
            let members = [(drift.lost, "members lost"), (drift.foreign, "members added")];
            let members = members.into_iter().filter(|(count, _)| *count > 0);
            object.drift.extend(members.map(|(count, what)| format!("{count} {what}")));
        }
        object.recorded(status.last_operation, status.hold);
        object.conditions(status.conditions);
        object
    }
}

/// A word of the API as it is written there.
pub fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// How the connection of an object is shown.
pub fn connection_name(connection: &ConnectionRef) -> String {
    match connection.kind {
        ConnectionKind::ScimConnection => connection.name.clone(),
        ConnectionKind::ClusterScimConnection => format!("cluster/{}", connection.name),
    }
}

/// Which users and groups are meant.
#[derive(Clone, Debug)]
pub struct Selection {
    pub users: bool,
    pub groups: bool,
    pub fields: Vec<String>,
    pub labels: Option<String>,
    /// The namespace, where it isn't that of the command line.
    pub namespace: Option<String>,
}

impl Selection {
    /// Users and groups with these fields.
    pub fn both(fields: Vec<String>) -> Self {
        Self { users: true, groups: true, fields, labels: None, namespace: None }
    }

    /// Each of them that fits, page by page.
    pub async fn each(&self, cluster: &Cluster, mut visit: impl FnMut(Object)) -> anyhow::Result<()> {
        let params = ListParams {
            field_selector: (!self.fields.is_empty()).then(|| self.fields.join(",")),
            label_selector: self.labels.clone(),
            ..ListParams::default()
        };
        if self.users {
            let api = self.namespace.as_ref().map_or_else(|| cluster.api(), |namespace| cluster.within(namespace));
            each(&api, &params, |user: ScimUser| visit(user.into())).await?;
        }
        if self.groups {
            let api = self.namespace.as_ref().map_or_else(|| cluster.api(), |namespace| cluster.within(namespace));
            each(&api, &params, |group: ScimGroup| visit(group.into())).await?;
        }
        Ok(())
    }
}

/// A state of users or groups, in whatever letter case it was written.
pub fn known_state(text: &str) -> anyhow::Result<&'static str> {
    let known = STATES.iter().find(|state| state.eq_ignore_ascii_case(text)).copied();
    known.ok_or_else(|| anyhow::anyhow!("there is no state {text:?}; there are {}", STATES.join(", ")))
}

/// The states of users and groups.
const STATES: [&str; 13] = [
    "Pending",
    "Active",
    "Inactive",
    "NotCreated",
    "Synced",
    "Drifted",
    "Held",
    "Planned",
    "Failed",
    "DeactivatedAtServer",
    "DeletedAtServer",
    "Deleting",
    "Suspended",
];

/// The states in which nothing needs a person.
const AT_EASE: [&str; 6] = ["Active", "Inactive", "NotCreated", "Synced", "Drifted", "Suspended"];

/// Users and groups that may need a person: the API server leaves out all those that certainly don't.
pub fn not_at_ease() -> Selection {
    Selection::both(AT_EASE.iter().map(|state| format!("status.state!={state}")).collect())
}

impl Row for Object {
    const COLUMNS: &'static [&'static str] = &[
        "NAMESPACE",
        "KIND",
        "NAME",
        "CALLED",
        "CONNECTION",
        "READY",
        "STATE",
        "ACTIVE",
        "LAST CHANGE",
        "+LAST OPERATION",
        "+ID",
        "+REASON",
        "+MESSAGE",
        "+AGE",
    ];

    fn cells(&self) -> Vec<Cell> {
        let text = |text: &Option<String>| Cell::from(text.clone().unwrap_or_default());
        vec![
            self.namespace.clone().into(),
            self.kind.into(),
            self.name.clone().into(),
            self.called.clone().into(),
            self.connection.clone().into(),
            Cell::toned(self.ready.clone().unwrap_or_default(), self.tone()),
            Cell::toned(self.state.clone().unwrap_or_default(), self.tone()),
            self.active.map(|active| active.to_string()).unwrap_or_default().into(),
            age(self.last_change).into(),
            text(&self.last_operation),
            text(&self.id),
            text(&self.reason),
            text(&self.message),
            age(self.created).into(),
        ]
    }
}

/// The name of whatever is listed, for sorting.
pub fn full_name(object: &impl ResourceExt) -> String {
    match object.namespace() {
        Some(namespace) => format!("{namespace}/{}", object.name_any()),
        None => object.name_any(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_user_is_listed_by_what_its_status_records() {
        let user: ScimUser = serde_json::from_value(json!({
            "metadata": {"name": "ada", "namespace": "identity", "deletionTimestamp": "2026-11-28T12:00:00Z"},
            "spec": {"connectionRef": {"kind": "ClusterScimConnection", "name": "datadog"}, "userName": "ada@example.com"},
            "status": {
                "state": "Held", "id": "7", "hold": {"id": "3f2a9c0d11b2e477", "operation": "Delete", "digest": "0"},
                "drift": [{"path": "title"}],
                "ignoredAttributes": [{"path": "nickName", "reason": "NotPersisted"}],
                "conditions": [
                    {"type": "Ready", "status": "False", "reason": "Held", "message": "held", "lastTransitionTime": "2026-11-28T12:00:00Z"},
                    {"type": "Stalled", "status": "True", "reason": "Held", "message": "", "lastTransitionTime": "2026-11-28T12:00:00Z"},
                ],
            },
        })).unwrap();
        let object = Object::from(user);
        assert_eq!((object.connection.as_str(), object.state.as_deref()), ("cluster/datadog", Some("Held")));
        assert_eq!(
            (object.held_operation.as_deref(), object.hold.as_deref()),
            (Some("Delete"), Some("3f2a9c0d11b2e477"))
        );
        assert_eq!((object.stalled, object.deleting, object.tone()), (true, true, Tone::Bad));
        assert_eq!(
            (object.drift, object.ignored),
            (vec!["title".to_owned()], vec!["nickName (NotPersisted)".to_owned()])
        );
        assert_eq!(Object::COLUMNS.len(), Object::default().cells().len());
    }
}
