//! What whoever runs the console may do. The API server says so; what it refuses is refused whatever is shown here.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::Api;
use kube::api::PostParams;
use scim_operator::api::{GROUP, RosterSource};

use crate::cluster::{Cluster, Kind};

/// An answer is asked for anew after this.
const GOOD_FOR: Duration = Duration::from_secs(60);

/// What may be done with an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// It may be changed.
    pub write: bool,
    /// The key of its connection may be read, so that the server can be asked.
    pub read_key: bool,
}

/// What was answered lately.
#[derive(Default)]
pub struct Answers(Mutex<HashMap<Asked, (Instant, bool)>>);

/// A verb, a resource, a namespace, and the name of one object; empty for any.
type Asked = (&'static str, String, String, String);

impl Answers {
    /// Whether an object may be changed: all of its kind in the namespace, or this one by its name.
    pub async fn write(&self, cluster: &Cluster, kind: Kind, namespace: &str, name: &str) -> bool {
        let resource = format!("{}s", kind.name().to_lowercase());
        let asked = |name: &str| ("patch", resource.clone(), namespace.to_owned(), name.to_owned());
        // Of the many only the kind is asked, once.
        self.allowed(cluster, GROUP, asked("")).await || self.allowed(cluster, GROUP, asked(name)).await
    }

    /// Whether all of these Secrets may be read.
    pub async fn secrets(&self, cluster: &Cluster, namespace: &str, names: &[String]) -> bool {
        for name in names {
            let asked = ("get", "secrets".to_owned(), namespace.to_owned(), name.clone());
            if !self.allowed(cluster, "", asked).await {
                return false;
            }
        }
        true
    }

    /// Whether the rows of a roster may be read.
    pub async fn source(&self, cluster: &Cluster, namespace: &str, source: &RosterSource) -> bool {
        let held = [("configmaps", &source.config_maps), ("secrets", &source.secrets)];
        for (resource, objects) in
            held.into_iter().filter_map(|(resource, objects)| Some((resource, objects.as_ref()?)))
        {
            let names = objects.names.iter().flatten().map(|name| ("get", name.clone()));
            let listed = objects.names.is_none().then(|| ("list", String::new()));
            for (verb, name) in names.chain(listed) {
                if !self.allowed(cluster, "", (verb, resource.to_owned(), namespace.to_owned(), name)).await {
                    return false;
                }
            }
        }
        true
    }

    /// What can't be told isn't allowed.
    async fn allowed(&self, cluster: &Cluster, group: &str, asked: Asked) -> bool {
        let known = self.0.lock().ok().and_then(|answers| answers.get(&asked).copied());
        if let Some((at, allowed)) = known
            && at.elapsed() < GOOD_FOR
        {
            return allowed;
        }
        let (verb, resource, namespace, name) = &asked;
        let given = |text: &String| (!text.is_empty()).then(|| text.clone());
        let question = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(ResourceAttributes {
                    group: Some(group.into()),
                    resource: Some(resource.clone()),
                    verb: Some((*verb).into()),
                    namespace: given(namespace),
                    name: given(name),
                    ..ResourceAttributes::default()
                }),
                ..SelfSubjectAccessReviewSpec::default()
            },
            ..SelfSubjectAccessReview::default()
        };
        let api = Api::<SelfSubjectAccessReview>::all(cluster.client.clone());
        let Ok(answer) = api.create(&PostParams::default(), &question).await else { return false };
        let allowed = answer.status.is_some_and(|status| status.allowed);
        if let Ok(mut answers) = self.0.lock() {
            answers.insert(asked, (Instant::now(), allowed));
        }
        allowed
    }

    /// They have changed: something was refused.
    pub fn forget(&self) {
        if let Ok(mut answers) = self.0.lock() {
            answers.clear();
        }
    }
}
