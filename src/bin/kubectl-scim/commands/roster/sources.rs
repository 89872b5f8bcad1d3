//! Where the rows come from: files with rows, ConfigMaps and Secrets in files, or those of a cluster.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::ListParams;
use kube::{Resource, ResourceExt};
use scim_operator::api::{
    ClusterScimConnection, ConnectionKind, ROSTER_SOURCE_LABEL, ScimConnection, ScimRoster, SourceFormat, SourceObjects,
};
use scim_operator::roster::{Content, Document, Holder, Refused, asked_for, chosen, documents};
use serde::de::DeserializeOwned;

use super::manifests_of;
use crate::cluster::Cluster;
use crate::manifests::{self, Manifest, Manifests};
use crate::objects::word;

/// Documents, and what a person should know of them.
pub type Found = Result<(Vec<Document>, Option<String>), Refused>;

/// What the files hold.
pub struct Sources {
    manifests: Manifests,
    rows: Vec<(String, Vec<u8>)>,
}

impl Sources {
    pub(super) fn read(files: &[PathBuf], recursive: bool, rows: &[PathBuf]) -> Result<Self> {
        let manifests = if files.is_empty() { Manifests::default() } else { manifests_of(files, recursive)? };
        let content = |file: &PathBuf| Ok((name_of(file), manifests::bytes(file)?));
        Ok(Self { manifests, rows: rows.iter().map(content).collect::<Result<_>>()? })
    }

    /// Of what was read already.
    pub fn of(manifests: Manifests) -> Self {
        Self { manifests, rows: Vec::new() }
    }

    pub(super) fn rosters(&self) -> Result<Vec<ScimRoster>> {
        let all = self.manifests.ours.iter().filter(|manifest| manifest.kind().1 == "ScimRoster");
        all.map(Manifest::read).collect()
    }

    /// The connection that a roster names, where the files hold it.
    pub(super) fn connection(&self, roster: &ScimRoster) -> Result<Option<ScimConnection>> {
        let wanted = &roster.spec.connection_ref;
        let kind = word(&wanted.kind);
        let named = |manifest: &&Manifest| {
            manifest.kind().1 == kind && manifest.object["metadata"]["name"].as_str() == Some(wanted.name.as_str())
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
        if let Some(cluster) = cluster {
            let there = in_cluster::<K>(cluster, namespace.as_deref(), objects).await?;
            let names: Vec<String> = found.iter().map(ResourceExt::name_any).collect();
            found.extend(there.into_iter().filter(|object| !names.contains(&object.name_any())));
        }
        let place = namespace.as_deref().unwrap_or("the files");
        Ok(chosen(found, &[], place, objects)
            .and_then(|(found, note)| Ok((documents(found, objects.key.as_deref(), format)?, note))))
    }
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
