//! The console, in a browser: the day on which everybody was deleted by mistake.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::kit::Place;
use crate::support::{ControlPlane, Process, guarded, part, repository, scratch};
use crate::{connected, operator};

/// A console, and its link.
fn console(name: &str, kubeconfig: &Path, namespace: &str, options: &[&str]) -> (Process, String) {
    let mut command = guarded(env!("CARGO_BIN_EXE_kubectl-scim"));
    command.env("KUBECONFIG", kubeconfig).args(["console", "-o", "json", "-n", namespace]).args(options);
    let (process, link) = Process::announcing(name, command);
    (process, link.as_str().expect("a link").to_owned())
}

/// The kubeconfig of somebody who may look at everything of ours in a place, and change nothing.
fn viewer(place: &Place) -> PathBuf {
    let namespace = place.namespace.as_str();
    let kubeconfig = place.cluster.kubeconfig_for_service_account(namespace, "viewer");
    let kinds = "--resource=scimusers.scim-operator.dev,scimgroups.scim-operator.dev,scimconnections.scim-operator.dev,\
                 scimrosters.scim-operator.dev";
    place.kubectl(&["create", "role", "viewer", "--verb=get,list,watch", kinds]);
    let account = format!("--serviceaccount={namespace}:viewer");
    place.kubectl(&["create", "rolebinding", "viewer", "--role=viewer", &account]);
    kubeconfig
}

/// A script in a real browser, with the links of somebody who may do everything and of somebody who may look.
async fn browse(script: &str, namespace: &str, [link, viewer_link]: [String; 2]) {
    let mut browser = guarded("node");
    browser.arg(repository().join(format!("tests/parts/browser/{script}.mjs")));
    browser.env("BROWSER", part("browser")).env("LINK", link).env("VIEWER_LINK", viewer_link);
    browser.env("NAMESPACE", namespace).env("KUBECTL", part("bin/kubectl"));
    browser.env("KUBECONFIG", ControlPlane::shared().await.admin_kubeconfig());
    if std::env::var_os("PICTURES").is_some() {
        browser.env("PICTURES", repository().join("docs/images"));
    }
    let told = tokio::task::spawn_blocking(move || browser.output().expect("node")).await.expect("it ran");
    assert!(
        told.status.success(),
        "{}{}",
        String::from_utf8_lossy(&told.stdout),
        String::from_utf8_lossy(&told.stderr)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn i13_everybody_deleted_by_mistake_is_seen_and_rejected_in_a_browser() {
    let guards = json!({"guards": {"removals": {"maxPercent": 0, "minCount": 0, "maxCount": 0}}});
    let place = connected(None, guards).await;
    let namespace = place.namespace.clone();
    let names: Vec<String> = (1..=24).map(|number| format!("user-{number}")).chain(["hostile".to_owned()]).collect();
    for name in &names {
        let title = if name == "hostile" { "</pre><script>alert(1)</script>\u{202e}👩‍🚀" } else { "Engineer" };
        place.user(name, json!({"title": title}));
    }
    let mut ids = Vec::new();
    for name in &names {
        ids.push(place.synced(name).await);
    }
    place.kubectl(&["delete", "scimusers", "--all", "--wait=false"]);
    place.hold_id().await;

    let cluster = ControlPlane::shared().await;
    let viewer = viewer(&place);
    let metrics = format!("http://{}/metrics", operator().await.address().await);
    // Until the browser's story takes it away.
    place.kubectl(&["create", "role", "writer", "--verb=patch", "--resource=scimconnections.scim-operator.dev"]);
    place.kubectl(&[
        "create",
        "rolebinding",
        "writer",
        "--role=writer",
        &format!("--serviceaccount={namespace}:viewer"),
    ]);
    let (_console, link) = console("console", cluster.admin_kubeconfig(), &namespace, &["--metrics", &metrics]);
    let (_of_viewer, viewer_link) = console("console-viewer", &viewer, &namespace, &[]);

    browse("console", &namespace, [link, viewer_link]).await;

    for (name, id) in names.iter().zip(&ids) {
        place.is_gone(name).await;
        let account = place.account(id).await.expect("its account");
        assert_eq!(account["raw"]["active"], Value::Bool(true), "{name} keeps access");
    }
}

/// People whose names are hard to show.
fn hard_names(place: &Place) {
    let note = |text: &str| json!({"urn:example:params:scim:schemas:note:2.0:User": {"note": text}});
    let names = [
        (
            "markup",
            "\"><img/src=x/onerror=alert(1)></bdi><b>@example.com",
            "</pre><script>alert(1)</script>".to_owned(),
        ),
        ("rtl", "\u{5d0}\u{5d3}\u{5d4}.RTL@example.com", "\u{202e}\u{5e9}\u{5dc}\u{5d5}\u{5dd}".to_owned()),
        ("emoji", "👩🚀.👨👩👧👦@example.com", "🏳️\u{200d}🌈".repeat(20)),
        ("long", &format!("{}@example.com", "x".repeat(300)), "W<".repeat(500)),
    ]
    .map(|(name, user_name, text)| (name, user_name.to_owned(), text));
    for (name, user_name, text) in names {
        place.user(name, json!({"userName": user_name, "displayName": user_name, "extensions": note(&text)}));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_groups_and_rosters_are_looked_at_in_a_browser() {
    let place = connected(None, json!({"resyncInterval": "1h"})).await;
    let namespace = place.namespace.clone();
    place.user("ada", json!({"userName": "ada.lovelace@example.com", "title": "Countess"}));
    place.user("grace", json!({"userName": "grace.hopper@example.com", "title": "Rear Admiral"}));
    for name in ["ada", "grace"] {
        place.synced(name).await;
    }
    hard_names(&place);
    let members = ["ada", "grace", "nobody"].map(|name| json!({"userRef": {"name": name}}));
    let group = json!({"connectionRef": {"name": "jackson"}, "displayName": "Platform", "membership": "Exact", "members": members});
    let kind = |kind: &str, name: &str, spec: Value| {
        place.apply(
            json!({"apiVersion": "scim-operator.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}),
        );
    };
    kind("ScimGroup", "platform", group);
    let mappings =
        [("userName", "row.mail"), ("title", "row.title")].map(|(to, from)| json!({"target": to, "value": from}));
    let rows = json!([{"id": "1", "mail": "<b>not a mail", "title": "x"}]);
    kind(
        "ScimRoster",
        "people",
        json!({"connectionRef": {"name": "jackson"}, "source": {"inline": rows}, "key": "row.id", "mappings": mappings}),
    );
    place.kubectl(&["wait", "scimgroup/platform", "--for=jsonpath={.status.members.present}=2", "--timeout=90s"]);
    // What is declared from now on is owed.
    place.kubectl(&[
        "patch",
        "scimuser",
        "ada",
        "--type=merge",
        "-p",
        r#"{"spec": {"suspend": true, "title": "Analyst"}}"#,
    ]);
    let metrics = format!("http://{}/metrics", operator().await.address().await);
    let audit = crate::audit_file().to_string_lossy().into_owned();
    let options = ["--allow-loopback-http", "--metrics", &metrics, "--audit", &audit];
    let admin = place.cluster.admin_kubeconfig();
    let (_console, link) = console("console-pages", admin, &namespace, &options);
    let (_of_viewer, viewer_link) = console("console-pages-viewer", &viewer(&place), &namespace, &options);
    browse("pages", &namespace, [link, viewer_link]).await;
}

/// By its own word, without a browser: nothing is shown before the link, and nothing at another name.
#[test]
fn the_console_answers_on_this_machine_alone() {
    let nowhere = scratch().join("console.kubeconfig");
    std::fs::write(&nowhere, "{apiVersion: v1, kind: Config, current-context: a, clusters: [{name: a, cluster: {server: 'https://127.0.0.1:1'}}], users: [{name: a, user: {}}], contexts: [{name: a, context: {cluster: a, user: a}}]}").expect("a file");
    let (_console, link) = console("console-alone", &nowhere, "identity", &[]);
    let authority =
        link.strip_prefix("http://").and_then(|rest| rest.split('/').next()).expect("an address").to_owned();
    let asked = |head: &str| {
        use std::io::{Read as _, Write as _};
        let mut stream = std::net::TcpStream::connect(&authority).expect("it listens");
        write!(stream, "{head}\r\nConnection: close\r\n\r\n").expect("sent");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("a response");
        text
    };
    let path = link.strip_prefix(&format!("http://{authority}")).expect("a path");
    let rebound = asked(&format!("GET {path} HTTP/1.1\r\nHost: evil.example.com"));
    assert!(rebound.starts_with("HTTP/1.1 421") && !rebound.contains("set-cookie"), "{rebound}");
    let unopened = asked(&format!("GET / HTTP/1.1\r\nHost: {authority}"));
    assert!(unopened.starts_with("HTTP/1.1 401") && unopened.contains("default-src 'none'"), "{unopened}");
    let opened = asked(&format!("GET {path} HTTP/1.1\r\nHost: {authority}"));
    let cookie = opened.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a cookie");
    let cookie = cookie.split(';').next().expect("its pair").to_owned();
    let shown = asked(&format!("GET / HTTP/1.1\r\nHost: {authority}\r\nCookie: {cookie}"));
    assert!(
        shown.starts_with("HTTP/1.1 200") && (shown.contains("can't be listed") || shown.contains("Still listing")),
        "{shown}"
    );
    let forged = asked(&format!(
        "POST /do HTTP/1.1\r\nHost: {authority}\r\nCookie: {cookie}\r\nOrigin: http://evil.example.com\r\nContent-Length: 0"
    ));
    assert!(forged.starts_with("HTTP/1.1 403"), "{forged}");
    let port = authority.rsplit(':').next().expect("a port");
    let outside = std::fs::read_to_string("/proc/net/tcp").expect("the sockets");
    let hex = format!(":{:04X}", port.parse::<u16>().expect("a number"));
    let listening = outside
        .lines()
        .filter(|line| line.split_whitespace().nth(1).is_some_and(|at| at.ends_with(&hex)) && line.contains(" 0A "));
    assert!(
        listening.clone().count() == 1 && listening.clone().all(|line| line.contains("0100007F:")),
        "loopback alone"
    );
}
