//! ConfigMaps and Secrets that hold rows: which of them a source reads, and what is in them.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Resource, ResourceExt};

use super::hashed;
use super::prepared::Refused;
use super::source::{Content, Document};
use crate::api::{ROSTER_SOURCE_LABEL, RosterReason, SourceFormat, SourceObjects};
use crate::plan::Named;

/// So many objects a source has at most, and so many bytes.
const MOST_OBJECTS: usize = 100;
/// So alike are names of which one may be meant by the other.
const NEAR: f64 = 0.9;
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// An object that holds rows.
pub trait Holder: Resource<DynamicType = ()> + Clone {
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
        let texts = self.data.into_iter().flatten().map(|(key, bytes)| (key, bytes.0));
        texts.chain(self.string_data.into_iter().flatten().map(|(key, text)| (key, text.into_bytes()))).collect()
    }
}

/// What there is beside what a source reads, by its metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Its name.
    pub name: String,
    /// It has the label that lets rosters read it.
    pub is_labelled: bool,
}

impl Neighbour {
    /// By an object's metadata.
    pub fn of(object: &impl ResourceExt) -> Self {
        Self { name: object.name_any(), is_labelled: is_labelled(object) }
    }
}

/// Whether what a source names isn't among what was found.
pub fn is_missing<K: Resource>(found: &[K], objects: &SourceObjects) -> bool {
    match (&objects.names, &objects.name_prefix) {
        (Some(names), _) => found.len() < names.len(),
        (None, Some(prefix)) => !found.iter().any(|object| hashed::is_of(&object.name_any(), prefix)),
        (None, None) => false,
    }
}

/// Those of a namespace that a source reads, in their order, and what a person should know of them. Their metadata suffices.
pub fn chosen<K: Resource<DynamicType = ()> + Clone>(
    mut found: Vec<K>,
    neighbours: &[Neighbour],
    namespace: &str,
    objects: &SourceObjects,
) -> Result<(Vec<K>, Option<String>), Refused> {
    let kind = K::kind(&()).to_lowercase();
    if let Some(names) = &objects.names {
        let named = names.iter().map(|name| named(&found, neighbours, namespace, name));
        return Ok((named.collect::<Result<_, _>>()?, None));
    }
    found.retain(is_labelled);
    found.sort_by_key(ResourceExt::name_any);
    if let Some(prefix) = &objects.name_prefix {
        found.retain(|object| hashed::is_of(&object.name_any(), prefix));
        if found.is_empty() {
            return Err(not_found(&format!(
                "no {} in {namespace} with the label {ROSTER_SOURCE_LABEL}=true is called {prefix} or {prefix}-HASH: create \
                 it, or correct spec.source{}",
                K::kind(&()),
                similar(neighbours, prefix, true)
            )));
        }
        return Ok(hashed::newest(found, &kind, |_| String::new()));
    }
    found.retain(|object| {
        let mut labels = asked_for(objects);
        labels.all(|(name, value)| object.labels().get(name) == Some(value))
    });
    if found.is_empty() {
        let asked: Vec<String> = asked_for(objects).map(|(name, value)| format!("{name}={value}")).collect();
        return Err(not_found(&format!(
            "no {} in {namespace} has the labels {ROSTER_SOURCE_LABEL}=true,{}: set them, or correct spec.source",
            K::kind(&()),
            asked.join(",")
        )));
    }
    Ok(hashed::newest(found, &kind, hashed::without_hash))
}

/// The labels that a source selects by.
pub fn asked_for(objects: &SourceObjects) -> impl Iterator<Item = (&String, &String)> {
    objects.selector.iter().flat_map(|selector| &selector.match_labels)
}

fn named<K>(found: &[K], neighbours: &[Neighbour], namespace: &str, name: &str) -> Result<K, Refused>
where
    K: Resource<DynamicType = ()> + Clone,
{
    let kind = K::kind(&()).to_lowercase();
    let Some(object) = found.iter().find(|object| object.name_any() == name) else {
        let create = format!("create it with the label {ROSTER_SOURCE_LABEL}=true, or correct spec.source");
        let here: Vec<Neighbour> = found.iter().map(Neighbour::of).chain(neighbours.iter().cloned()).collect();
        let similar = similar(&here, name, false);
        return Err(not_found(&format!("there is no {kind} {namespace}/{name}: {create}{similar}")));
    };
    if is_labelled(object) {
        return Ok(object.clone());
    }
    let label = object.labels().get(ROSTER_SOURCE_LABEL).map(String::as_str);
    let what = if label.is_some() { "has another value than true for" } else { "lacks" };
    let message = format!(
        "the {kind} {name} {what} the label that lets rosters read it: {}",
        Named::namespaced(&kind, namespace, name).label(ROSTER_SOURCE_LABEL, "true", label)
    );
    Err(Refused { reason: RosterReason::SourceNotLabelled, message })
}

/// What there is of a similar name: Kustomize renames what it generates, and people mistype.
fn similar(there: &[Neighbour], name: &str, by_prefix: bool) -> String {
    let list = |names: Vec<&str>| names.into_iter().take(5).collect::<Vec<_>>().join(", ");
    let hashed: Vec<&Neighbour> = there.iter().filter(|other| hashed::is_of(&other.name, name)).collect();
    if hashed.is_empty() {
        let is_near = |other: &&Neighbour| strsim::jaro_winkler(&other.name, name) > NEAR;
        let near = list(there.iter().filter(is_near).map(|other| other.name.as_str()).collect());
        return if near.is_empty() { near } else { format!(". There is {near}: was that meant?") };
    }
    let names = list(hashed.iter().map(|other| other.name.as_str()).collect());
    let label = if hashed.iter().any(|other| other.is_labelled) {
        String::new()
    } else {
        format!(" without the label: set {ROSTER_SOURCE_LABEL}: \"true\" in Kustomize's generatorOptions.labels")
    };
    let prefix = if by_prefix {
        String::new()
    } else {
        let before = if label.is_empty() { ": for" } else { ". For" };
        format!(
            "{before} names that Kustomize generates write spec.source…namePrefix: {name} instead of names, or set \
             disableNameSuffixHash"
        )
    };
    format!(". There is {names}{label}{prefix}")
}

/// What they hold.
pub fn documents<K: Holder>(found: Vec<K>, key: Option<&str>, format: SourceFormat) -> Result<Vec<Document>, Refused> {
    check_count(found.len())?;
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
            return Err(Refused { reason: RosterReason::SourceEmpty, message });
        }
        for (key, text) in texts {
            bytes += text.len();
            documents.push(Document { name: format!("{name}/{key}"), content: Content::Text(format, text) });
        }
    }
    if bytes > MOST_BYTES {
        let message = format!("the source has more than {MOST_BYTES} bytes; make two rosters of it");
        return Err(Refused { reason: RosterReason::SourceInvalid, message });
    }
    Ok(documents)
}

/// Whether a source may be of so many objects.
pub fn check_count(objects: usize) -> Result<(), Refused> {
    if objects <= MOST_OBJECTS {
        return Ok(());
    }
    let message = format!("the source is more than {MOST_OBJECTS} objects; make two rosters of them");
    Err(Refused { reason: RosterReason::SourceInvalid, message })
}

/// Whether an object that was chosen is one still that rosters may read.
pub fn is_labelled(object: &impl ResourceExt) -> bool {
    object.labels().get(ROSTER_SOURCE_LABEL).is_some_and(|value| value == "true")
}

fn not_found(message: &str) -> Refused {
    Refused { reason: RosterReason::SourceNotFound, message: format!("{message}; nobody is changed") }
}
