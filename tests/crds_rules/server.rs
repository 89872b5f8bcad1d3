//! The API server, asked what it makes of an object.

use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, PostParams};
use serde_json::Value;

use crate::support::ControlPlane;

/// What the API server makes of an object, or its refusal. Nothing is stored.
pub struct Server(Client, String);

impl Server {
    pub async fn start() -> Self {
        let cluster = ControlPlane::shared().await;
        cluster.install_crds().await;
        Self(cluster.client(), cluster.namespace().await)
    }

    pub fn api<K: kube::Resource<DynamicType = ()>>(&self) -> Api<DynamicObject> {
        Api::namespaced_with(self.0.clone(), &self.1, &ApiResource::erase::<K>(&()))
    }

    pub async fn takes<K: kube::Resource<DynamicType = ()>>(&self, object: &Value) -> Result<Value, String> {
        let object: DynamicObject = serde_json::from_value(object.clone()).expect("an object");
        let dry_run = PostParams { dry_run: true, ..PostParams::default() };
        match self.api::<K>().create(&dry_run, &object).await {
            Ok(taken) => Ok(taken.data["spec"].clone()),
            Err(kube::Error::Api(refusal)) => Err(refusal.message),
            Err(error) => panic!("{error}"),
        }
    }

    /// The base is taken, each change to it alone is not, and the refusal says so.
    pub async fn refuses<K: kube::Resource<DynamicType = ()>>(&self, base: &Value, cases: &[(Value, &str)]) {
        self.takes::<K>(base).await.expect("the base is good");
        let mut wrong = Vec::new();
        for (change, expected) in cases {
            match self.takes::<K>(&with_spec(base, change)).await {
                Ok(_) => wrong.push(format!("{change} was taken")),
                Err(message) if message.contains(expected) => {}
                Err(message) => wrong.push(format!("{change}: {message}")),
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// The base with each of the changes is taken.
    pub async fn allows<K: kube::Resource<DynamicType = ()>>(&self, base: &Value, cases: &[Value]) {
        let mut wrong = Vec::new();
        for change in cases {
            if let Err(message) = self.takes::<K>(&with_spec(base, change)).await {
                wrong.push(format!("{change}: {message}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

pub fn with_spec(base: &Value, change: &Value) -> Value {
    let mut object = base.clone();
    merge(&mut object["spec"], change);
    object
}

/// RFC 7396.
fn merge(target: &mut Value, change: &Value) {
    let (Value::Object(target), Value::Object(change)) = (&mut *target, change) else {
        *target = change.clone();
        return;
    };
    for (name, value) in change {
        if value.is_null() {
            target.remove(name);
        } else {
            merge(target.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}
