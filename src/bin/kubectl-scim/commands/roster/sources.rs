//! Where the rows come from: files with rows, ConfigMaps and Secrets in files, or those of a cluster.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::ListParams;
use kube::{Resource, ResourceExt};
use scim_operator::api::{
    ClusterScimConnection, ConnectionKind, ROSTER_SOURCE_LABEL, ScimConnection, ScimRoster, SourceFormat, SourceObjects,
};
use scim_operator::roster::{Content, Document, Holder, Refused, asked_for, chosen, documents};
use serde::de::DeserializeOwned;

use super::{PreviewArguments, manifests_of};
use crate::cluster::Cluster;
use crate::manifests::{self, Manifest, Manifests};
use crate::objects::word;

/// Documents, and what a person should know of them.
pub type Found = Result<(Vec<Document>, Option<String>), Refused>;

/// What the files hold.
pub struct Sources {
    manifests: Manifests,
    rows: Vec<(String, Vec<u8>)>,
    /// What the cluster has beside the files is about to go.
    prunes: bool,
}

impl Sources {
    pub(super) fn read(arguments: &PreviewArguments, namespace: Option<&str>) -> Result<Self> {
        let files = &arguments.files;
        let manifests = if files.is_empty() {
            Manifests::default()
        } else {
            manifests_of(files, arguments.recursive, namespace.unwrap_or_default())?
        };
        let content = |file: &PathBuf| Ok((name_of(file), manifests::bytes(file)?));
        let rows = arguments.sources.iter().map(content).collect::<Result<_>>()?;
        Ok(Self { manifests, rows, prunes: false })
    }

    /// Of what was read already.
    pub fn of(manifests: Manifests) -> Self {
        Self { manifests, rows: Vec::new(), prunes: false }
    }

    /// Whether an apply of the files prunes what is in the cluster beside them.
    pub fn pruning(self, prunes: bool) -> Self {
        Self { prunes, ..self }
    }

    pub(super) fn rosters(&self) -> Result<Vec<ScimRoster>> {
        let all = self.manifests.ours.iter().filter(|manifest| manifest.kind().1 == "ScimRoster");
        all.map(Manifest::read).collect()
    }

    /// The connection that a roster names, where the files hold it.
    pub(super) fn connection(&self, roster: &ScimRoster) -> Result<Option<ScimConnection>> {
        let wanted = &roster.spec.connection_ref;
        let kind = word(&wanted.kind);
        // kubectl apply -n and kustomize set what a file leaves open.
        let is_beside =
            |manifest: &Manifest| match (manifest.object["metadata"]["namespace"].as_str(), roster.namespace()) {
                (Some(its), Some(ours)) => its == ours || wanted.kind == ConnectionKind::ClusterScimConnection,
                _ => true,
            };
        let named = |manifest: &&Manifest| {
            let name = manifest.object["metadata"]["name"].as_str();
            manifest.kind().1 == kind && name == Some(wanted.name.as_str()) && is_beside(manifest)
        };
        let Some(manifest) = self.manifests.ours.iter().find(named) else { return Ok(None) };
        Ok(Some(match wanted.kind {
            ConnectionKind::ScimConnection => manifest.read()?,
            ConnectionKind::ClusterScimConnection => manifest.read::<ClusterScimConnection>()?.into_connection(),
        }))
    }

    /// The documents of a roster.
    pub async fn documents(
        &self,
        roster: &ScimRoster,
        namespace: Option<&str>,
        cluster: Option<&Cluster>,
    ) -> Result<Found> {
        let source = &roster.spec.source;
        if !self.rows.is_empty() {
            let read = self.rows.iter().map(|(name, bytes)| Document {
                name: name.clone(),
                content: Content::Text(source.format, bytes.clone()),
            });
            return Ok(Ok((read.collect(), None)));
        }
        if let Some(rows) = &source.inline {
            return Ok(Ok((vec![Document { name: String::new(), content: Content::Rows(rows.clone()) }], None)));
        }
        let namespace = roster.namespace().or_else(|| namespace.map(str::to_owned));
        match (&source.config_maps, &source.secrets) {
            (Some(objects), _) => self.held::<ConfigMap>(objects, source.format, namespace, cluster).await,
            (None, Some(objects)) => self.held::<Secret>(objects, source.format, namespace, cluster).await,
            (None, None) => bail!("the roster {} has no source", roster.name_any()),
        }
    }

    async fn held<K>(
        &self,
        objects: &SourceObjects,
        format: SourceFormat,
        namespace: Option<String>,
        cluster: Option<&Cluster>,
    ) -> Result<Found>
    where
        K: Holder + Resource<Scope = NamespaceResourceScope> + DeserializeOwned + std::fmt::Debug,
    {
        let kind = K::kind(&());
        let of_kind = self.manifests.core.iter().filter(|manifest| manifest.kind().1 == kind);
        let mut found: Vec<K> = of_kind.map(Manifest::read).collect::<Result<_>>()?;
        // kubectl apply -n and kustomize set what a file leaves open.
        found.retain(|object| object.namespace().is_none() || namespace.is_none() || object.namespace() == namespace);
        let mut given = Vec::new();
        if let Some(cluster) = cluster {
            given = found.iter().map(ResourceExt::name_any).collect();
            let there = in_cluster::<K>(cluster, namespace.as_deref(), objects).await?;
            found = applied(found, there, self.prunes);
        }
        let place = namespace.as_deref().unwrap_or("the files");
        Ok(chosen(found, &[], place, objects).and_then(|(read, note)| {
            // That files replace what the cluster has is what they are for.
            let is_read = |name: &String| read.iter().any(|object| object.name_any() == *name);
            let note = note.filter(|_| given.is_empty() || !given.iter().all(is_read));
            Ok((documents(read, objects.key.as_deref(), format)?, note))
        }))
    }
}

/// What is there once the files are applied: what they add is the newest, what was there keeps its age.
fn applied<K: Holder>(mut files: Vec<K>, there: Vec<K>, prunes: bool) -> Vec<K> {
    for object in &mut files {
        let known = there.iter().find(|known| known.name_any() == object.name_any()).filter(|_| !prunes);
        let made = known.map_or(Some(Time(Timestamp::MAX)), ResourceExt::creation_timestamp);
        let version = known.and_then(ResourceExt::resource_version);
        let metadata = object.meta_mut();
        (metadata.creation_timestamp, metadata.resource_version) = (made, version);
    }
    let names: Vec<String> = files.iter().map(ResourceExt::name_any).collect();
    files.extend(there.into_iter().filter(|object| !names.contains(&object.name_any())));
    files
}

/// Those of a cluster that a source may mean.
async fn in_cluster<K>(cluster: &Cluster, namespace: Option<&str>, objects: &SourceObjects) -> Result<Vec<K>>
where
    K: Holder + Resource<Scope = NamespaceResourceScope> + DeserializeOwned + std::fmt::Debug,
{
    let api = cluster.within::<K>(namespace.unwrap_or(&cluster.namespace));
    let mut found = Vec::new();
    if let Some(names) = &objects.names {
        for name in names {
            found.extend(api.get_opt(name).await?);
        }
        return Ok(found);
    }
    let labels = asked_for(objects).map(|(name, value)| format!(",{name}={value}"));
    let asked = format!("{ROSTER_SOURCE_LABEL}=true{}", labels.collect::<String>());
    crate::cluster::each(&api, &ListParams::default().labels(&asked), |object| found.push(object)).await?;
    Ok(found)
}

/// The format is told by how a name ends.
fn name_of(file: &Path) -> String {
    file.file_name().map_or_else(|| "standard input".to_owned(), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(name: &str, second: Option<u32>) -> ConfigMap {
        let at = second.map(|second| format!("2026-11-28T00:00:{second:02}Z"));
        let labels = json!({ROSTER_SOURCE_LABEL: "true"});
        serde_json::from_value(json!({"metadata": {"name": name, "labels": labels, "creationTimestamp": at}})).unwrap()
    }

    #[test]
    fn i10_what_files_add_is_the_newest_and_what_was_there_keeps_its_age() {
        let objects = SourceObjects { name_prefix: Some("people".to_owned()), ..SourceObjects::default() };
        let (old, new) = ("people-7h2k9mf4dt", "people-2bc4567dfg");
        for (file, there, prunes, expected) in [
            (new, &[old][..], false, new),
            // A revert without a prune, and with one.
            (old, &[old, new], false, new),
            (old, &[old, new], true, old),
            ("people", &[old, new], false, "people"),
        ] {
            let there = there.iter().zip(1..).map(|(name, second)| map(name, Some(second))).collect();
            let all = applied(vec![map(file, None)], there, prunes);
            let Ok((read, _)) = chosen(all, &[], "identity", &objects) else { panic!("{file}: nothing is read") };
            let names: Vec<String> = read.iter().map(ResourceExt::name_any).collect();
            assert_eq!(names, [expected], "{file}, {prunes}");
        }
    }
}
