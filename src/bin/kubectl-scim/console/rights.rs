//! What whoever runs the console may do. The API server says so; what it refuses is refused whatever is shown here.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::Api;
use kube::api::PostParams;
use scim_operator::api::GROUP;

use crate::cluster::{Cluster, Kind};

/// An answer is asked for anew after this.
const GOOD_FOR: Duration = Duration::from_secs(60);

/// What may be done with an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// It may be changed.
    pub write: bool,
}

/// What was answered lately.
#[derive(Default)]
pub struct Answers(Mutex<HashMap<Asked, (Instant, Rights)>>);

/// A kind, and a namespace.
type Asked = (&'static str, String);

impl Answers {
    /// The rights on a kind within a namespace. What can't be told is none.
    pub async fn on(&self, cluster: &Cluster, kind: Kind, namespace: &str) -> Rights {
        let key = (kind.name(), namespace.to_owned());
        let known = self.0.lock().ok().and_then(|answers| answers.get(&key).copied());
        if let Some((at, rights)) = known
            && at.elapsed() < GOOD_FOR
        {
            return rights;
        }
        let question = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(ResourceAttributes {
                    group: Some(GROUP.into()),
                    resource: Some(format!("{}s", kind.name().to_lowercase())),
                    verb: Some("patch".into()),
                    namespace: (!namespace.is_empty()).then(|| namespace.to_owned()),
                    ..ResourceAttributes::default()
                }),
                ..SelfSubjectAccessReviewSpec::default()
            },
            ..SelfSubjectAccessReview::default()
        };
        let api = Api::<SelfSubjectAccessReview>::all(cluster.client.clone());
        let Ok(answer) = api.create(&PostParams::default(), &question).await else { return Rights::default() };
        let rights = Rights { write: answer.status.is_some_and(|status| status.allowed) };
        if let Ok(mut answers) = self.0.lock() {
            answers.insert(key, (Instant::now(), rights));
        }
        rights
    }

    /// They have changed: something was refused.
    pub fn forget(&self) {
        if let Ok(mut answers) = self.0.lock() {
            answers.clear();
        }
    }
}
