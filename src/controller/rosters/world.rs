//! What rosters read from and write to the API server.

use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Api, DeleteParams, ListParams, PartialObjectMeta, Patch, PatchParams, Preconditions};
use kube::runtime::events::{Event, EventType};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::time::{Instant, timeout_at};

use super::RosterKey;
use crate::api::{
    GENERATED, GROUP, ROSTER_KEY, ROSTER_LABEL, ROSTER_SOURCE_LABEL, RosterReason, ScimRoster, ScimRosterStatus,
    ScimUser, SourceFormat, SourceObjects, VERSION,
};
use crate::provisioner::{Shared, bounded_note};
use crate::roster::{
    self, Body, Content, Document, Gone, Holder, Neighbour, Refused, asked_for, check_count, chosen, is_labelled,
    is_missing,
};
use crate::runtime::api_error;

/// Our name in `managedFields` of generated ScimUsers; others may own further fields of them.
const FIELD_MANAGER: &str = "scim-operator-roster";
/// kube's client retries a busy API server for minutes.
const CALL: Duration = Duration::from_secs(30);
/// So often a deletion is tried at once.
const DELETION_TRIES: usize = 3;
/// Among so many objects one of a similar name is looked for.
const NEIGHBOURS: u32 = 500;
/// So many sources are listed at once.
const PAGE: u32 = 500;
/// So much of a refusal is shown, in characters.
const LONGEST_REFUSAL: usize = 300;

/// What became of a write.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// This process may not write, now or any more.
    #[error("this process may not write")]
    NotLeading,
    /// The object's own fault, in the API server's words.
    #[error("the API server refused it: {0}")]
    Refused(String),
    /// There is none of that name.
    #[error("it is not there")]
    NotThere,
    /// It is another one under its name.
    #[error("somebody else wrote it at the same time")]
    Another,
    /// It is tried again.
    #[error("{0}")]
    Later(String),
}

/// The documents of a roster's source, and what a person should know of them.
pub async fn documents(shared: &Shared, roster: &ScimRoster) -> Result<(Vec<Document>, Option<String>), Refused> {
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

async fn read<K>(
    shared: &Shared,
    namespace: &str,
    objects: &SourceObjects,
    format: SourceFormat,
) -> Result<(Vec<Document>, Option<String>), Refused>
where
    K: Holder + Resource<Scope = NamespaceResourceScope> + DeserializeOwned + std::fmt::Debug,
{
    let api: Api<K> = Api::namespaced(shared.kube.clone(), namespace);
    let (found, note) = if let Some(names) = &objects.names {
        let mut found = Vec::new();
        for name in names {
            found.extend(called(api.get_opt(name)).await?);
        }
        let neighbours = neighbours(&api, &found, objects).await;
        chosen(found, &neighbours, namespace, objects)?
    } else {
        let labels = asked_for(objects).map(|(name, value)| format!(",{name}={value}"));
        let found = listed(&api, &labels.collect::<String>()).await?;
        let neighbours = neighbours(&api, &found, objects).await;
        let (found, note) = chosen(found, &neighbours, namespace, objects)?;
        (fetched(&api, &found).await?, note)
    };
    Ok((roster::documents(found, objects.key.as_deref(), format)?, note))
}

/// What there is by a similar name, where something is missing. Which Secrets there are is nobody's business but of those
/// that are labelled.
async fn neighbours<K, F>(api: &Api<K>, found: &[F], objects: &SourceObjects) -> Vec<Neighbour>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
    F: Resource,
{
    if !is_missing(found, objects) {
        return Vec::new();
    }
    let asked = ListParams::default().limit(NEIGHBOURS);
    let is_secret = K::kind(&()) == "Secret";
    let asked = if is_secret { asked.labels(&format!("{ROSTER_SOURCE_LABEL}=true")) } else { asked };
    let all = called(api.list_metadata(&asked)).await;
    all.map(|all| all.items.iter().map(Neighbour::of).collect()).unwrap_or_default()
}

/// All that a roster may read, with further labels, each after a comma; their metadata, page by page: objects whose names
/// have a hash are left behind in numbers, and the newest may be the last of them.
async fn listed<K>(api: &Api<K>, labels: &str) -> Result<Vec<PartialObjectMeta<K>>, Refused>
where
    K: Clone + DeserializeOwned + std::fmt::Debug,
{
    let mut asked = ListParams::default().labels(&format!("{ROSTER_SOURCE_LABEL}=true{labels}")).limit(PAGE);
    let mut all = Vec::new();
    loop {
        let page = called(api.list_metadata(&asked)).await?;
        all.extend(page.items);
        match page.metadata.continue_.filter(|next| !next.is_empty()) {
            Some(next) => asked.continue_token = Some(next),
            None => return Ok(all),
        }
    }
}

/// The objects themselves, which may be others by now.
async fn fetched<K>(api: &Api<K>, chosen: &[PartialObjectMeta<K>]) -> Result<Vec<K>, Refused>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    check_count(chosen.len())?;
    let mut all = Vec::with_capacity(chosen.len());
    for name in chosen.iter().map(ResourceExt::name_any) {
        let object = called(api.get_opt(&name)).await?.filter(is_labelled);
        all.push(object.ok_or_else(|| unavailable(&format!("{name} was changed while it was read")))?);
    }
    Ok(all)
}

async fn called<T>(call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, Refused> {
    let answer = timeout_at(Instant::now() + CALL, call).await;
    let cause = match answer {
        Ok(Ok(found)) => return Ok(found),
        Ok(Err(error)) => api_error(&error),
        Err(_) => "the API server doesn't answer in time".to_owned(),
    };
    Err(unavailable(&cause))
}

fn unavailable(cause: &str) -> Refused {
    Refused { reason: RosterReason::SourceUnavailable, message: format!("the source can't be read: {cause}") }
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
    if written.labels().get(ROSTER_LABEL) != Some(&key.name) {
        return Err(Failed::Refused(format!(
            "the label {ROSTER_LABEL} is taken off as it is written, by an admission webhook or policy: except ScimUsers from it, \
             and label {name} with {ROSTER_LABEL}={}",
            key.name
        )));
    }
    // The answer is as good as a watch event. The receiver lives as long as the controller does.
    for uid in shared.directory.apply_written(written) {
        let _ = shared.reroute.send(uid);
    }
    Ok(())
}

/// Asks for the deletion of this very ScimUser, if it is the roster's still; what its account comes to is its own
/// policy's.
pub async fn delete(shared: &Shared, key: &RosterKey, gone: &Gone) -> Result<(), Failed> {
    let mut tries = 1;
    loop {
        match try_delete(shared, key, gone).await {
            // Its status was written at the same time.
            Err(Failed::Another) if tries < DELETION_TRIES => tries += 1,
            result => return result,
        }
    }
}

async fn try_delete(shared: &Shared, key: &RosterKey, gone: &Gone) -> Result<(), Failed> {
    let api: Api<ScimUser> = Api::namespaced(shared.kube.clone(), &key.namespace);
    let Some(user) = write(shared, api.get_opt(&gone.name)).await? else { return Ok(()) };
    let is_same = user.uid().is_some_and(|uid| uid == gone.uid);
    if !is_same || user.labels().get(ROSTER_LABEL) != Some(&key.name) {
        return Ok(());
    }
    // Whoever takes the label off at this instant keeps it.
    let only = Preconditions { uid: user.uid(), resource_version: user.resource_version() };
    let params = DeleteParams { preconditions: Some(only), ..DeleteParams::default() };
    match write(shared, async { api.delete(&gone.name, &params).await.map(drop) }).await {
        Err(Failed::NotThere) | Ok(()) => Ok(()),
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

/// Publishes an event about the roster.
pub async fn tell(shared: &Shared, roster: &ScimRoster, type_: EventType, reason: &str, note: &str) {
    let event = Event {
        type_,
        reason: reason.to_owned(),
        note: Some(bounded_note(note)),
        action: "Generate".to_owned(),
        secondary: None,
    };
    shared.events.publish(&event, &roster.object_ref(&())).await;
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
        Ok(Err(error)) => Err(Failed::Later(api_error(&error))),
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
