//! Namespaces: their labels say what cluster connections delegate to them.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{PartialObjectMeta, ResourceExt};
use kube::runtime::watcher::Event;

use super::connections::Connections;
use super::users::Users;
use super::watch::Read;

/// Follows the labels of namespaces.
#[derive(Default)]
pub struct Namespaces {
    listing: BTreeSet<String>,
    known: BTreeSet<String>,
}

impl Namespaces {
    /// Takes in one event; true when the list is complete.
    pub fn observe(
        &mut self,
        event: Event<Read<PartialObjectMeta<Namespace>>>,
        users: &Users,
        connections: &Connections,
    ) -> bool {
        match event {
            Event::Init => self.listing.clear(),
            Event::InitApply(Ok(namespace)) => {
                self.listing.insert(namespace.name_any());
                self.changed(&namespace, users, connections);
            }
            Event::Apply(Ok(namespace)) => self.changed(&namespace, users, connections),
            Event::Delete(Ok(namespace)) => self.gone(&namespace.name_any(), users, connections),
            // Metadata can always be read.
            Event::InitApply(Err(_)) | Event::Apply(Err(_)) | Event::Delete(Err(_)) => {}
            Event::InitDone => {
                let gone: Vec<_> = self.known.difference(&self.listing).cloned().collect();
                for name in gone {
                    self.gone(&name, users, connections);
                }
                return true;
            }
        }
        false
    }

    fn changed(&mut self, namespace: &PartialObjectMeta<Namespace>, users: &Users, connections: &Connections) {
        let name = namespace.name_any();
        self.known.insert(name.clone());
        if users.directory().set_namespace(&name, Some(namespace.labels().clone())) {
            route(&name, users, connections);
        }
    }

    fn gone(&mut self, name: &str, users: &Users, connections: &Connections) {
        self.known.remove(name);
        if users.directory().set_namespace(name, None) {
            route(name, users, connections);
        }
    }
}

/// Whoever uses cluster connections there may be allowed other things now.
fn route(namespace: &str, users: &Users, connections: &Connections) {
    for uid in users.directory().tenants_of(namespace) {
        users.route_again(&uid, connections);
    }
}
