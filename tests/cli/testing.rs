//! `test`: what is found out about a server, and that nothing is left of it there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::kit::Place;
use crate::support::{Jackson, Sandbox, eventually, unique};
use crate::{alone, by_file, json_of, printed, program, scim, stderr};

/// The steps that failed.
fn failed(report: &Value) -> Vec<&Value> {
    report["steps"].as_array().into_iter().flatten().filter(|step| step["verdict"] == "bad").collect()
}

/// `test` by files with these switches, as JSON.
async fn tested(base_url: &str, key: &str, spec: Value, switches: &[&str]) -> (Option<i32>, Value) {
    let files = by_file(&unique("test"), base_url, key, spec);
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let output = alone(&[&["test", "-o", "json"], &files[..], switches].concat()).await;
    let all = format!("{}{}", printed(&output), stderr(&output));
    assert!(!all.contains(key) && !all.contains("panicked"), "{all}");
    let report = if output.stdout.is_empty() { json!({"error": stderr(&output)}) } else { json_of(&output) };
    (output.status.code(), report)
}

#[tokio::test]
async fn a_connection_is_tested_step_by_step() {
    let sandbox = Sandbox::start_with(&["--owner", "svc@example.com"]);
    let (code, report) = tested(&sandbox.base_url, &sandbox.token, json!({}), &[]).await;
    assert_eq!((code, failed(&report)), (Some(0), Vec::new()), "{report:#}");
    let step = |what: &str| {
        report["steps"].as_array().unwrap().iter().find(|step| step["what"] == what).cloned().unwrap_or_default()
    };
    assert!(step("key owner")["found"].as_str().unwrap().contains("svc@example.com"), "{report:#}");
    assert!(step("discovery")["found"].as_str().unwrap().contains("PATCH yes"), "{report:#}");

    let (code, report) = tested(&sandbox.base_url, &unique("wrong-key"), json!({}), &[]).await;
    assert_eq!(code, Some(2), "{report:#}");
    assert_eq!(failed(&report)[0]["what"], "credential", "{report:#}");
    let (code, report) = tested("http://127.0.0.1:1/scim", "0123456789", json!({}), &[]).await;
    assert_eq!((code, &failed(&report)[0]["what"]), (Some(2), &json!("connect")), "{report:#}");
    let (code, report) = tested(&format!("{}/nowhere", sandbox.base_url), &sandbox.token, json!({}), &[]).await;
    assert_eq!((code, &failed(&report)[0]["what"]), (Some(2), &json!("SCIM")), "{report:#}");
    let (code, report) = tested("https://no-such-host.invalid/scim", "0123456789", json!({}), &[]).await;
    assert_eq!((code, &failed(&report)[0]["what"]), (Some(2), &json!("resolve")), "{report:#}");
}

/// The endpoint that gives tokens is a host of its own, and is tried as one.
#[tokio::test]
async fn a_token_endpoint_that_is_not_there_is_named() {
    let sandbox = Sandbox::start();
    let secret = json!({"name": "key", "key": "token"});
    for (url, said) in [
        ("https://no-such-host.invalid/token", "no-such-host.invalid does not resolve"),
        ("http://127.0.0.1:1/token", "refused"),
    ] {
        let oauth = json!({"tokenUrl": url, "clientId": "a", "clientSecretKeyRef": secret});
        let spec = json!({"auth": {"oauth2ClientCredentials": oauth}});
        let (code, report) = tested(&sandbox.base_url, "0123456789", spec, &[]).await;
        let failed = failed(&report);
        assert_eq!((code, &failed[0]["what"]), (Some(2), &json!("token endpoint")), "{report:#}");
        assert!(failed[0]["found"].as_str().unwrap().contains(said), "{report:#}");
    }
}

#[tokio::test]
async fn a_connection_of_the_cluster_is_tested_with_its_secret() {
    let place = Place::without_operator().await;
    place.cluster.install_crds().await;
    place.connect(json!({}));
    let output = scim(&place.namespace, &["test", "jackson", "--allow-loopback-http"]).await;
    assert!(output.status.success() && !printed(&output).contains(&place.directory.token), "{}", printed(&output));
    place.kubectl(&["label", "secret", "key", "scim-operator.dev/credentials-"]);
    let output = scim(&place.namespace, &["test", "jackson", "--allow-loopback-http"]).await;
    assert!(output.status.code() == Some(1) && stderr(&output).contains("kubectl label secret"), "{}", stderr(&output));
}

/// What is printed is the truth: with it in the connection there is nothing more to say, and nothing is left.
#[tokio::test]
async fn the_ways_of_a_server_are_found_out_and_nothing_is_left_of_it() {
    for (dialect, expected) in [
        ("generic", json!(null)),
        ("aws", json!({"membersReadable": "Probe"})),
        ("datadog", json!({"patchRemove": false})),
    ] {
        let sandbox = Sandbox::start_with(&["--dialect", dialect]);
        let (code, report) = tested(&sandbox.base_url, &sandbox.token, json!({}), &["--write"]).await;
        assert_eq!((code, failed(&report)), (Some(0), Vec::new()), "{dialect}: {report:#}");
        for (field, value) in expected.as_object().into_iter().flatten() {
            assert_eq!(&report["dialect"][field], value, "{dialect}: {report:#}");
        }
        if expected.is_null() {
            assert_eq!(report["dialect"], Value::Null, "{report:#}");
        } else {
            let spec = json!({"dialect": report["dialect"]});
            let (_, again) = tested(&sandbox.base_url, &sandbox.token, spec, &["--write"]).await;
            assert_eq!(again["dialect"], Value::Null, "{dialect}: {again:#}");
        }
        let (_, users) = sandbox.scim("GET", "/Users", None).await;
        let users = users["Resources"].as_array().cloned().unwrap_or_default();
        // Datadog's DELETE only deactivates, and the report says so.
        assert_eq!(report.to_string().contains("stay, inactive"), !users.is_empty(), "{dialect}: {users:?}");
        assert!(users.iter().all(|user| dialect == "datadog" && user["active"] == false), "{dialect}: {users:?}");
        let (_, groups) = sandbox.scim("GET", "/Groups", None).await;
        assert!(!groups.to_string().contains("scim-operator-test"), "{dialect}: {groups}");
    }
    let directory = Jackson::shared().await.new_directory("generic-scim-v2").await;
    let preset = json!({"provider": "Jackson"});
    let (code, report) = tested(&directory.base_url, &directory.token, preset, &["--write"]).await;
    assert_eq!((code, failed(&report)), (Some(0), Vec::new()), "{report:#}");
    assert_eq!(report["dialect"], Value::Null, "its preset fits: {report:#}");
    assert!(directory.users().await.is_empty() && directory.groups().await.is_empty());
}

/// `test --write`, interrupted once something is so; its report.
async fn interrupted(base_url: &str, token: &str, until: impl AsyncFn() -> bool) -> std::process::Output {
    let files = by_file(&unique("interrupted"), base_url, token, json!({}));
    let mut command = program(std::path::Path::new("/there/is/none"));
    command.arg("test").args(&files).arg("--write").stdin(std::process::Stdio::null());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let child = command.spawn().expect("kubectl-scim");
    eventually(
        Duration::from_secs(30),
        "something was made",
        async || if until().await { Ok(()) } else { Err("not yet") },
    )
    .await;
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().expect("it ended"));
    output.await.expect("it ran")
}

async fn count(sandbox: &Sandbox) -> u64 {
    let (_, users) = sandbox.scim("GET", "/Users", None).await;
    users["totalResults"].as_u64().unwrap_or_default()
}

#[tokio::test]
async fn nothing_is_left_after_ctrl_c() {
    let sandbox = Sandbox::start_with(&["--latency", "150ms"]);
    let output = interrupted(&sandbox.base_url, &sandbox.token, async || count(&sandbox).await > 0).await;
    assert_eq!(output.status.code(), Some(2), "{}{}", printed(&output), stderr(&output));
    // The creation that was on its way may have come to nothing.
    let text = printed(&output);
    assert!(text.contains("what was made is gone") || text.contains("was not answered, and it is not there"), "{text}");
    assert_eq!(count(&sandbox).await, 0);
}

/// A server that makes an account a while after it was asked for, whether or not anybody still waits for the answer.
async fn late(sandbox: &Sandbox) -> (String, Arc<AtomicBool>) {
    let (origin, asked) = (sandbox.base_url.clone(), Arc::new(AtomicBool::new(false)));
    let client = reqwest::Client::new();
    let told = Arc::clone(&asked);
    let answer = move |request: axum::extract::Request| {
        let (client, origin, told) = (client.clone(), origin.clone(), Arc::clone(&told));
        async move {
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
            let place = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
            let creates = parts.method == "POST" && place.ends_with("/Users");
            let sent = tokio::spawn(async move {
                if creates {
                    told.store(true, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_secs(2)).await;
                }
                let mut request = client.request(parts.method, format!("{origin}{place}")).body(body);
                for name in ["authorization", "content-type", "accept"] {
                    request = parts
                        .headers
                        .get(name)
                        .map_or(request.try_clone().expect("it"), |value| request.header(name, value));
                }
                let response = request.send().await.expect("an answer");
                let (status, kind) = (response.status(), response.headers().get("content-type").cloned());
                let bytes = response.bytes().await.expect("its body");
                let mut answer = axum::response::Response::new(axum::body::Body::from(bytes));
                *answer.status_mut() = status;
                answer.headers_mut().extend(kind.map(|kind| (axum::http::header::CONTENT_TYPE, kind)));
                answer
            });
            sent.await.expect("it was sent")
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await });
    (format!("http://{address}"), asked)
}

#[tokio::test]
async fn what_appears_after_ctrl_c_is_removed_too() {
    let sandbox = Sandbox::start();
    let (base_url, asked) = late(&sandbox).await;
    let output = interrupted(&base_url, &sandbox.token, async || asked.load(Ordering::SeqCst)).await;
    assert_eq!(output.status.code(), Some(2), "{}{}", printed(&output), stderr(&output));
    assert!(printed(&output).contains("what was made is gone"), "{}", printed(&output));
    let made = sandbox.admin("GET", "/journal", None).await;
    assert!(made.to_string().contains("scim-operator-test"), "it was made: {made}");
    assert_eq!(count(&sandbox).await, 0);
}

/// The name of a server behind the connection's proxy is the proxy's to find.
#[tokio::test]
async fn the_way_by_the_proxy_of_a_connection_is_the_proxys() {
    let proxy = crate::reaching::Proxy::start().await;
    let spec = json!({"proxy": {"url": format!("http://{}", proxy.address())}});
    let (code, report) = tested("https://known-to-the-proxy.invalid/scim", "0123456789", spec, &[]).await;
    assert_eq!(code, Some(2), "{report:#}");
    assert!(report.to_string().contains("by the proxy of spec.proxy, 127.0.0.1"), "{report:#}");
    assert!(proxy.take().contains(&"http known-to-the-proxy.invalid:443".to_owned()), "{report:#}");
}
