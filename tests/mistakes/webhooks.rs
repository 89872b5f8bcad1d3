//! Admission webhooks of others for our kinds, as a cluster with policies has them: real ones, which the API server asks.

use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::routing::post;
use base64::Engine as _;
use serde_json::{Value, json};

use crate::elsewhere::held;
use crate::kit::{PATIENCE, Place, condition};
use crate::support::{Sandbox, Served, eventually, scratch};
use crate::table::told;

/// What it answers to a request for admission; a patch, where it permits and changes something.
type Verdict = fn(&Value) -> Result<Value, &'static str>;

struct Webhook {
    served: Served,
    authority: String,
    verdict: Arc<Mutex<Verdict>>,
}

impl Webhook {
    /// On loopback, with the API server's own certificate. It permits everything.
    fn serve(certificate: &Path, key: &Path) -> Webhook {
        let permits: Verdict = |_| Ok(json!([]));
        let verdict = Arc::new(Mutex::new(permits));
        let app = Router::new().route("/", post(answer)).with_state(Arc::clone(&verdict));
        let authority = std::fs::read(certificate).expect("the certificate");
        let authority = base64::engine::general_purpose::STANDARD.encode(authority);
        Webhook { served: Served::by_tls(certificate, key, app), authority, verdict }
    }

    fn answers(&self, verdict: Verdict) {
        *self.verdict.lock().expect("the verdict") = verdict;
    }

    /// The API server asks it about our kinds in this place, as one that mutates.
    fn register(&self, place: &Place) -> String {
        self.configure(place, &format!("https://{}/", self.served.address))
    }

    fn configure(&self, place: &Place, url: &str) -> String {
        let name = format!("house-rules-{}", place.namespace);
        let configuration = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": name},
            "webhooks": [{
                "name": "rules.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None",
                "failurePolicy": "Fail", "timeoutSeconds": 5, "clientConfig": {"url": url, "caBundle": self.authority},
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": place.namespace}},
                "rules": [{
                    "apiGroups": ["scim-operator.dev"], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"],
                    "resources": ["scimusers", "scimusers/status"],
                }],
            }],
        });
        place.cluster.apply("", &configuration.to_string());
        name
    }
}

async fn answer(
    State(verdict): State<Arc<Mutex<Verdict>>>,
    review: Bytes,
) -> ([(axum::http::HeaderName, &'static str); 1], String) {
    let review: Value = serde_json::from_slice(&review).expect("a review");
    let request = &review["request"];
    let verdict = *verdict.lock().expect("the verdict");
    let mut response = json!({"uid": request["uid"], "allowed": true});
    match verdict(request) {
        Ok(patch) if patch.as_array().is_some_and(Vec::is_empty) => {}
        Ok(patch) => {
            response["patchType"] = json!("JSONPatch");
            response["patch"] = json!(base64::engine::general_purpose::STANDARD.encode(patch.to_string()));
        }
        Err(why) => {
            response["allowed"] = json!(false);
            response["status"] = json!({"code": 403, "message": why});
        }
    }
    let answer = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response});
    ([(CONTENT_TYPE, "application/json")], answer.to_string())
}

fn has_finalizers(object: &Value) -> bool {
    object["metadata"]["finalizers"].as_array().is_some_and(|list| !list.is_empty())
}

fn is_status(request: &Value) -> bool {
    request["subResource"] == "status"
}

/// Once a webhook is registered, or gone, the API server heeds it a moment later: until a probe is treated so.
async fn in_force(place: &Place, refused: bool) {
    let probe = json!({
        "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimUser", "metadata": {"name": "probe"},
        "spec": {"connectionRef": {"name": "nobody"}, "userName": "probe"},
    });
    eventually(PATIENCE, "the webhook is in force, or gone", async || {
        let file = scratch().join(format!("data/{}.json", place.namespace));
        std::fs::write(&file, probe.to_string()).expect("a file");
        let tried = place.cluster.kubectl(&[
            "-n",
            &place.namespace,
            "create",
            "--dry-run=server",
            "-f",
            &file.to_string_lossy(),
        ]);
        if tried.status.success() == refused { Err(tried) } else { Ok(()) }
    })
    .await;
}

#[tokio::test]
async fn i27_i28_webhooks_that_refuse_or_change_our_objects_cost_nobody_anything() {
    let sandbox = Sandbox::start();
    let place = Place::at(&sandbox.base_url, &sandbox.token, json!({})).await;
    let (certificate, key) = place.cluster.certificate();
    let webhook = Webhook::serve(&certificate, &key);
    let once = async |name: &str| {
        let found = held(&sandbox, &format!("{name}@example.com")).await;
        assert_eq!(found.len(), 1, "{found:?}");
    };
    place.user("old", json!({}));
    place.synced("old").await;

    webhook.answers(|_| Err("not in this house"));
    let configuration = webhook.register(&place);
    in_force(&place, true).await;

    // Status is refused: what can't be recorded isn't carried out, and the connection says so.
    webhook.answers(|request| if is_status(request) { Err("no status in this house") } else { Ok(json!([])) });
    place.user("dan", json!({}));
    let said = eventually(PATIENCE, "the connection says so", async || {
        let said = place.connection_tells("Connected").await;
        if said.contains("no status in this house") { Ok(said) } else { Err(said) }
    })
    .await;
    told("webhook-refuses-status", &said);
    webhook.answers(|_| Ok(json!([])));
    place.synced("dan").await;
    once("dan").await;

    // Finalizers are refused.
    webhook.answers(|request| {
        if has_finalizers(&request["object"]) && !is_status(request) {
            Err("no finalizers in this house")
        } else {
            Ok(json!([]))
        }
    });
    place.user("ada", json!({}));
    told("policy-refuses", &place.tells("scimuser/ada", "WriteRefused").await);
    assert!(held(&sandbox, "ada@example.com").await.is_empty(), "nothing is sent before");
    webhook.answers(|_| Ok(json!([])));
    place.annotate("ada", "reconcile-requested-at=now");
    place.synced("ada").await;
    once("ada").await;

    // Finalizers are taken off as they are written.
    webhook.answers(|request| {
        let off = json!([{"op": "remove", "path": "/metadata/finalizers"}]);
        Ok(if has_finalizers(&request["object"]) && !is_status(request) { off } else { json!([]) })
    });
    place.user("bob", json!({}));
    told("policy-takes-finalizers-off", &place.tells("scimuser/bob", "WriteRefused").await);
    assert!(held(&sandbox, "bob@example.com").await.is_empty(), "nothing is sent before");

    // A label and a finalizer of the house are added: both are let be, and a deletion does our part.
    webhook.answers(|request| {
        let theirs = request["object"]["metadata"]["finalizers"]
            .as_array()
            .is_some_and(|list| list.contains(&json!("example.com/archive")));
        if is_status(request) || theirs || request["operation"] != "CREATE" {
            return Ok(json!([]));
        }
        Ok(json!([
            {"op": "add", "path": "/metadata/finalizers", "value": ["example.com/archive"]},
            {"op": "add", "path": "/metadata/labels", "value": {"cost-center": "7"}},
        ]))
    });
    place.annotate("bob", "reconcile-requested-at=now");
    place.synced("bob").await;
    once("bob").await;
    place.user("cyd", json!({}));
    place.synced("cyd").await;
    place.kubectl(&["delete", "scimuser", "cyd", "--wait=false"]);
    let left = eventually(PATIENCE, "our finalizer is gone", async || {
        let cyd = place.get("cyd").await.expect("theirs keeps it")["metadata"].clone();
        if cyd["finalizers"] == json!(["example.com/archive"]) { Ok(cyd) } else { Err(cyd) }
    })
    .await;
    assert_eq!(left["labels"]["cost-center"], "7");
    let account = held(&sandbox, "cyd@example.com").await[0]["resource"].clone();
    assert_eq!(account["active"], false, "{account}");
    place.kubectl(&["patch", "scimuser", "cyd", "--type=merge", "-p", r#"{"metadata":{"finalizers":null}}"#]);
    place.is_gone("cyd").await;

    // Nobody answers: the server that has the webhook is gone.
    webhook.configure(&place, "https://127.0.0.1:1/");
    in_force(&place, true).await;
    let title = json!({"spec": {"title": "Officer"}}).to_string();
    let tried =
        place.cluster.kubectl(&["-n", &place.namespace, "patch", "scimuser", "old", "--type=merge", "-p", &title]);
    assert!(!tried.status.success());
    told("webhook-down", &String::from_utf8_lossy(&tried.stderr));
    place.kubectl(&["delete", "mutatingwebhookconfiguration", &configuration]);
    in_force(&place, false).await;
    place.kubectl(&["patch", "scimuser", "old", "--type=merge", "-p", &title]);
    place.synced("old").await;
    for name in ["old", "ada", "bob", "dan"] {
        let user = place.get(name).await.expect("it is there");
        assert_eq!(condition(&user, "Ready")["status"], "True", "{user}");
        once(name).await;
    }
}
