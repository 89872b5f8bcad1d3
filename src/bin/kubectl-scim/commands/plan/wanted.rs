//! What a plan is asked for.

use std::collections::BTreeSet;

use anyhow::{Result, anyhow, bail};
use scim_operator::directory::ConnectionKey;
use scim_operator::provisioner::dry_run::Plan;

use super::declared::{Declared, World};
use crate::cluster::{Kind, Target};
use crate::global::Global;

/// What is planned for.
pub enum Wanted {
    All,
    Connection { of_cluster: bool, name: String },
    Object(Target),
}

impl Wanted {
    /// What a person named: a connection, a user or a group; without a word everything.
    pub fn parse(text: Option<&str>) -> Result<Self> {
        let Some(text) = text else { return Ok(Self::All) };
        if let Some(name) = text.strip_prefix("cluster/") {
            return Ok(Self::Connection { of_cluster: true, name: name.to_owned() });
        }
        if !text.contains('/') {
            return Ok(Self::Connection { of_cluster: false, name: text.to_owned() });
        }
        let target: Target = text.parse().map_err(|why: String| anyhow!(why))?;
        Ok(match target.kind {
            Kind::Connection => Self::Connection { of_cluster: false, name: target.name },
            Kind::ClusterConnection => Self::Connection { of_cluster: true, name: target.name },
            Kind::User | Kind::Group => Self::Object(target),
            Kind::Roster => {
                bail!("a roster has no plan of its own: plan for its connection, or kubectl scim roster preview")
            }
        })
    }

    /// The connections that are planned for.
    pub fn connections(&self, global: &Global, world: &World, declared: &Declared) -> Result<Vec<ConnectionKey>> {
        let all = || declared.connections.keys().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match self {
            Self::All if declared.connections.is_empty() && declared.users.is_empty() && declared.groups.is_empty() => {
                bail!(
                    "there is no connection: give its manifest by -f, or the namespace of one by -n; helm template renders those of \
                     a chart's values with --set whenKindMissing=render alone"
                )
            }
            Self::All => {
                Ok(declared.connections.keys().filter(|key| world.means(global, declared, key)).cloned().collect())
            }
            Self::Connection { of_cluster, name } => {
                let fits = |key: &&ConnectionKey| key.name == *name && key.is_of_cluster() == *of_cluster;
                let found: Vec<_> = declared.connections.keys().filter(fits).cloned().collect();
                match found.len() {
                    0 => bail!("there is no connection {name}; there are: {}", all()),
                    1 => Ok(found),
                    _ => bail!("there are several connections {name}: say which by -n NAMESPACE"),
                }
            }
            Self::Object(target) => {
                let found = declared.connections_of(target.kind == Kind::User, &target.name);
                let found: Vec<_> = found.into_iter().collect();
                match found.as_slice() {
                    [] => bail!("there is no {} {}", target.kind.name(), target.name),
                    [key] if !declared.connections.contains_key(key) => {
                        bail!(
                            "{} {} refers to the connection {key}, which isn't there",
                            target.kind.name(),
                            target.name
                        )
                    }
                    [_] => Ok(found),
                    _ => bail!("there are several of that name: say which by -n NAMESPACE"),
                }
            }
        }
    }

    /// The namespaces that have the object, before those of other tenants are read.
    pub fn namespaces(&self, declared: &Declared) -> BTreeSet<String> {
        let Self::Object(Target { kind, name }) = self else { return BTreeSet::new() };
        declared.namespaces_of(*kind == Kind::User, name)
    }

    /// What is shown of a plan; others may have an object of that name.
    pub fn narrowed(&self, mut plan: Plan, namespaces: &BTreeSet<String>) -> Plan {
        if let Self::Object(target) = self {
            plan.objects.retain(|object| {
                object.kind == target.kind.name()
                    && object.name == target.name
                    && namespaces.contains(&object.namespace)
            });
            plan.recount();
        }
        plan
    }
}
