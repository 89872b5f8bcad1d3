//! What rosters read from and write to the API server.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, Preconditions};
use kube::runtime::events::{Event, EventType};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::time::{Instant, timeout_at};
use tracing::debug;

use super::{RosterKey, hashed};
use crate::api::{
    GENERATED, GROUP, ROSTER_KEY, ROSTER_LABEL, ROSTER_SOURCE_LABEL, RosterReason, ScimRoster, ScimRosterStatus,
    ScimUser, SourceFormat, SourceObjects, VERSION,
};
use crate::plan::Named;
use crate::provisioner::{Shared, bounded_note};
use crate::roster::{Body, Content, Document, Gone};

/// Our name in `managedFields` of generated ScimUsers; others may own further fields of them.
const FIELD_MANAGER: &str = "scim-operator-roster";
/// kube's client retries a busy API server for minutes.
const CALL: Duration = Duration::from_secs(30);
/// So much of a refusal is shown, in characters.
const LONGEST_REFUSAL: usize = 300;
/// So many objects a source has at most, and so many bytes.
const MOST_OBJECTS: usize = 100;
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// A source could not be read.
#[derive(Debug)]
pub struct Unread {
    pub reason: RosterReason,
    pub message: String,
}

/// What became of a write.
#[derive(Debug)]
pub enum Failed {
    /// This process may not write, now or any more.
    NotLeading,
    /// The object's own fault, in the API server's words.
    Refused(String),
    /// There is none of that name.
    NotThere,
    /// It is another one under its name.
    Another,
    /// It is tried again.
    Later(String),
}

/// An object that holds rows.
trait Holder:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + std::fmt::Debug
{
    /// Its texts by their keys.
    fn texts(self) -> BTreeMap<String, Vec<u8>>;
}

impl Holder for ConfigMap {
    fn texts(self) -> BTreeMap<String, Vec<u8>> {
        let texts = self.data.into_iter().flatten().map(|(key, text)| (key, text.into_bytes()));
        texts.chain(self.binary_data.into_iter().flatten().map(|(key, bytes)| (key, bytes.0))).collect()
    }
}

impl Holder for Secret {
    fn texts(self) -> BTreeMap<String, Vec<u8>> {
        self.data.into_iter().flatten().map(|(key, bytes)| (key, bytes.0)).collect()
    }
}

/// The documents of a roster's source, and what a person should know of them.
pub async fn documents(shared: &Shared, roster: &ScimRoster) -> Result<(Vec<Document>, Option<String>), Unread> {
    let source = &roster.spec.source;
    if let Some(rows) = &source.inline {
        return Ok((vec![Document { name: String::new(), content: Content::Rows(rows.clone()) }], None));
    }
    let namespace = roster.namespace().unwrap_or_default();
    match (&source.config_maps, &source.secrets) {
        (Some(objects), _) => read::<ConfigMap>(shared, &namespace, objects, source.format).await,
        (None, Some(objects)) => read::<Secret>(shared, &namespace, objects, source.format).await,
        (None, None) => Ok((Vec::new(), None)),
    }
}

async fn read<K: Holder>(
    shared: &Shared,
    namespace: &str,
    objects: &SourceObjects,
    format: SourceFormat,
) -> Result<(Vec<Document>, Option<String>), Unread> {
    let api: Api<K> = Api::namespaced(shared.kube.clone(), namespace);
    let (found, note) = match (&objects.names, &objects.name_prefix, &objects.selector) {
        (Some(names), _, _) => {
            let mut found = Vec::new();
            for name in names {
                found.push(named(&api, namespace, name).await?);
            }
            (found, None)
        }
        (None, Some(prefix), _) => {
            let mut found = listed(&api, None).await?;
            found.retain(|object| hashed::is_of(&object.name_any(), prefix));
            if found.is_empty() {
                return Err(not_found(&format!(
                    "no {} in {namespace} with the label {ROSTER_SOURCE_LABEL}=true is called {prefix} or {prefix}-HASH: \
                     create it, or correct spec.source",
                    K::kind(&())
                )));
            }
            hashed::newest(found, |_| String::new())
        }
        (None, None, selector) => {
            let labels = selector.iter().flat_map(|selector| &selector.match_labels);
            let asked: Vec<String> = labels.map(|(name, value)| format!("{name}={value}")).collect();
            let asked = asked.join(",");
            let found = listed(&api, Some(&asked)).await?;
            if found.is_empty() {
                return Err(not_found(&format!(
                    "no {} in {namespace} has the labels {ROSTER_SOURCE_LABEL}=true,{asked}: set them, or correct \
                     spec.source",
                    K::kind(&())
                )));
            }
            hashed::newest(found, hashed::without_hash)
        }
    };
    Ok((into_documents(found, objects.key.as_deref(), format)?, note))
}

/// Those that a roster may read, and with these labels.
async fn listed<K: Holder>(api: &Api<K>, labels: Option<&str>) -> Result<Vec<K>, Unread> {
    let own = format!("{ROSTER_SOURCE_LABEL}=true");
    let asked = labels.map_or(own.clone(), |labels| format!("{own},{labels}"));
    let most = u32::try_from(MOST_OBJECTS + 1).unwrap_or(u32::MAX);
    let mut items = called(api.list(&ListParams::default().labels(&asked).limit(most))).await?.items;
    items.sort_by_key(ResourceExt::name_any);
    Ok(items)
}

/// What there is of a name with a hash: Kustomize renames what it generates.
async fn similar<K: Holder>(api: &Api<K>, name: &str) -> String {
    let found = listed(api, None).await.unwrap_or_default();
    let names: Vec<String> =
        found.iter().map(ResourceExt::name_any).filter(|other| hashed::is_of(other, name)).collect();
    if names.is_empty() {
        return String::new();
    }
    format!(
        ". There is {}: for names that Kustomize generates write spec.source…namePrefix: {name} instead of names, or set \
         disableNameSuffixHash",
        names.iter().take(5).cloned().collect::<Vec<_>>().join(", ")
    )
}

async fn named<K: Holder>(api: &Api<K>, namespace: &str, name: &str) -> Result<K, Unread> {
    let kind = K::kind(&()).to_lowercase();
    let found = called(api.get_opt(name)).await?;
    let Some(object) = found else {
        let create = format!("create it with the label {ROSTER_SOURCE_LABEL}=true, or correct spec.source");
        let similar = similar(api, name).await;
        return Err(not_found(&format!("there is no {kind} {namespace}/{name}: {create}{similar}")));
    };
    if object.labels().get(ROSTER_SOURCE_LABEL).is_none_or(|value| value != "true") {
        let message = format!(
            "the {kind} {name} lacks the label that lets rosters read it: {}",
            Named::namespaced(&kind, namespace, name).label(&format!("{ROSTER_SOURCE_LABEL}=true"))
        );
        return Err(Unread { reason: RosterReason::SourceNotLabelled, message });
    }
    Ok(object)
}

fn into_documents<K: Holder>(found: Vec<K>, key: Option<&str>, format: SourceFormat) -> Result<Vec<Document>, Unread> {
    let invalid = |message: String| Unread { reason: RosterReason::SourceInvalid, message };
    if found.len() > MOST_OBJECTS {
        return Err(invalid(format!("the source is more than {MOST_OBJECTS} objects; make two rosters of them")));
    }
    let (mut documents, mut bytes) = (Vec::new(), 0);
    for object in found {
        let name = object.name_any();
        let mut texts = object.texts();
        if let Some(key) = key {
            let text = texts.remove(key).ok_or_else(|| {
                let there = texts.keys().take(10).map(String::as_str).collect::<Vec<_>>().join(", ");
                not_found(&format!("{name} has no key {key}: correct it or spec.source; its keys are {there}"))
            })?;
            texts = BTreeMap::from([(key.to_owned(), text)]);
        }
        if texts.is_empty() {
            let message = format!("{name} holds nothing; nobody is changed");
            return Err(Unread { reason: RosterReason::SourceEmpty, message });
        }
        for (key, text) in texts {
            bytes += text.len();
            documents.push(Document { name: format!("{name}/{key}"), content: Content::Text(format, text) });
        }
    }
    if bytes > MOST_BYTES {
        return Err(invalid(format!("the source has more than {MOST_BYTES} bytes; make two rosters of it")));
    }
    Ok(documents)
}

fn not_found(message: &str) -> Unread {
    Unread { reason: RosterReason::SourceNotFound, message: format!("{message}; nobody is changed") }
}

async fn called<T>(call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, Unread> {
    let answer = timeout_at(Instant::now() + CALL, call).await;
    let said = match answer {
        Ok(Ok(found)) => return Ok(found),
        Ok(Err(error)) => said(&error),
        Err(_) => "the API server doesn't answer in time".to_owned(),
    };
    Err(Unread { reason: RosterReason::SourceUnavailable, message: format!("the source can't be read: {said}") })
}

/// Writes a ScimUser, making it where it isn't there. `person` is what it records of its person's key.
pub async fn apply(shared: &Shared, key: &RosterKey, name: &str, person: &str, body: &Body) -> Result<(), Failed> {
    let mut labels = body.labels.clone();
    labels.insert(ROSTER_LABEL.to_owned(), json!(key.name));
    let object = json!({
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": "ScimUser",
        "metadata": {"name": name, "labels": labels, "annotations": {GENERATED: body.digest(), ROSTER_KEY: person}},
        "spec": body.spec,
    });
    let api: Api<ScimUser> = Api::namespaced(shared.kube.clone(), &key.namespace);
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let written = write(shared, api.patch(name, &params, &Patch::Apply(&object))).await?;
    // The answer is as good as a watch event. The receiver lives as long as the controller does.
    for uid in shared.directory.learn(written) {
        let _ = shared.reroute.send(uid);
    }
    Ok(())
}

/// Asks for the deletion of this very ScimUser; what its account comes to is its own policy's.
pub async fn delete(shared: &Shared, namespace: &str, gone: &Gone) -> Result<(), Failed> {
    let api: Api<ScimUser> = Api::namespaced(shared.kube.clone(), namespace);
    let only = Preconditions { uid: Some(gone.uid.clone()), resource_version: None };
    let params = DeleteParams { preconditions: Some(only), ..DeleteParams::default() };
    match write(shared, async { api.delete(&gone.name, &params).await.map(drop) }).await {
        // Gone already, or another one under its name.
        Err(Failed::NotThere | Failed::Another) | Ok(()) => Ok(()),
        Err(failed) => Err(failed),
    }
}

/// Writes the status by server-side apply; the uid keeps it from landing on a namesake.
pub async fn write_status(
    shared: &Shared,
    roster: &ScimRoster,
    status: &ScimRosterStatus,
) -> Result<ScimRoster, Failed> {
    let name = roster.name_any();
    let body = json!({
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": "ScimRoster",
        "metadata": {"name": name, "uid": roster.uid()},
        "status": status,
    });
    let api: Api<ScimRoster> = Api::namespaced(shared.kube.clone(), &roster.namespace().unwrap_or_default());
    let params = PatchParams::apply(FIELD_MANAGER).force();
    write(shared, api.patch_status(&name, &params, &Patch::Apply(&body))).await
}

/// Publishes an event about the roster. One that fails is nobody's error.
pub async fn tell(shared: &Shared, roster: &ScimRoster, type_: EventType, reason: &str, note: &str) {
    let event = Event {
        type_,
        reason: reason.to_owned(),
        note: Some(bounded_note(note)),
        action: "Generate".to_owned(),
        secondary: None,
    };
    if let Err(error) = shared.recorder.publish(&event, &roster.object_ref(&())).await {
        debug!("an event could not be published: {error}");
    }
}

/// A write ends before another process could take the Lease (promise I28).
async fn write<T>(shared: &Shared, call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, Failed> {
    let now = Instant::now();
    let deadline = shared.leadership.deadline().filter(|deadline| *deadline > now).ok_or(Failed::NotLeading)?;
    match timeout_at(deadline.min(now + CALL), call).await {
        Ok(Ok(written)) => Ok(written),
        Ok(Err(kube::Error::Api(status))) if status.code == 404 => Err(Failed::NotThere),
        Ok(Err(kube::Error::Api(status))) if [400, 403, 413, 422].contains(&status.code) => {
            Err(Failed::Refused(refusal(&status)))
        }
        Ok(Err(kube::Error::Api(status))) if status.code == 409 => Err(Failed::Another),
        Ok(Err(error)) => Err(Failed::Later(said(&error))),
        Err(_) => Err(Failed::Later("the API server doesn't answer in time".to_owned())),
    }
}

/// The fields that don't fit, without the message, which repeats their values; or, where no field is named, the words
/// of the quota, the policy or the webhook that refused.
fn refusal(status: &kube::core::Status) -> String {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let mut fields: Vec<String> = causes.map(|cause| cause.field.clone()).filter(|field| !field.is_empty()).collect();
    fields.sort_unstable();
    fields.dedup();
    let words = if fields.is_empty() { &status.message } else { &fields.join(", ") };
    words.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(LONGEST_REFUSAL).collect()
}

/// The API server's own words, without the whole answer around them.
fn said(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if !status.message.is_empty() => status.message.clone(),
        other => other.to_string(),
    }
}
