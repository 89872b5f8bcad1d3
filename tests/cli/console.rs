//! The console, in a browser: the day on which everybody was deleted by mistake.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

use crate::kit::Place;
use crate::support::{ControlPlane, Process, eventually, guarded, part, repository, scratch};
use crate::{connected, operator};

/// A console, and its link.
pub fn console(name: &str, kubeconfig: &Path, namespace: &str, options: &[&str]) -> (Process, String) {
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
    browse_with(script, namespace, &[("LINK", link), ("VIEWER_LINK", viewer_link)]).await;
}

/// A script in a real browser, with what it needs.
pub async fn browse_with(script: &str, namespace: &str, given: &[(&str, String)]) {
    let mut browser = guarded("node");
    browser.arg(repository().join(format!("tests/parts/browser/{script}.mjs")));
    browser.env("BROWSER", part("browser")).envs(given.iter().map(|(name, value)| (name, value)));
    browser.env("NAMESPACE", namespace).env("KUBECTL", part("bin/kubectl"));
    browser.env("KUBECONFIG", ControlPlane::shared().await.admin_kubeconfig());
    // Those of the documentation are written by `make pictures`.
    let kept = std::env::var_os("PICTURES").is_some();
    browser.env("PICTURES", if kept { repository().join("docs/images") } else { scratch().to_owned() });
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

/// A roster of 25 people, of whom the rows of 23 go then, with two more that can't be used.
fn export(place: &Place, rows: &str) {
    let labels = json!({"scim-operator.dev/roster-source": "true"});
    place.apply(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "export", "labels": labels},
        "data": {"people.csv": format!("id,mail\n{rows}")}}));
}

/// It holds those 23.
async fn exported(place: &Place) {
    let row = |number: usize| format!("e{number},person-{number:02}@example.com\n");
    export(place, &(1..=25).map(row).collect::<String>());
    place.apply(
        json!({"apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimRoster", "metadata": {"name": "export"},
        "spec": {"connectionRef": {"name": "jackson"}, "source": {"configMaps": {"names": ["export"]}}, "key": "row.id",
            "mappings": [{"target": "userName", "value": "row.mail"}]}}),
    );
    let is = async |what: &str, fits: fn(&Value) -> bool| {
        eventually(Duration::from_secs(90), &format!("the roster has {what}"), async || {
            let roster = place.kubectl(&["get", "scimroster", "export", "-o", "json"]);
            let status = serde_json::from_str::<Value>(&roster).expect("JSON")["status"].clone();
            if fits(&status) { Ok(()) } else { Err(status) }
        })
        .await;
    };
    is("25 people", |status| status["generated"] == 25).await;
    export(place, &format!("{}e1,\ne2,\n", (24..=25).map(row).collect::<String>()));
    is("a hold", |status| status["hold"]["removals"] == 21).await;
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
    let rows = json!([{"id": "1", "mail": "<b>not a mail", "title": "x"}, {"id": "2", "mail": "", "title": "y"}]);
    kind(
        "ScimRoster",
        "people",
        json!({"connectionRef": {"name": "jackson"}, "source": {"inline": rows}, "key": "row.id", "mappings": mappings}),
    );
    exported(&place).await;
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
    let looking = viewer(&place);
    place.kubectl(&["create", "role", "reader", "--verb=get,list", "--resource=configmaps"]);
    let account = format!("--serviceaccount={namespace}:viewer");
    place.kubectl(&["create", "rolebinding", "reader", "--role=reader", &account]);
    let (_of_viewer, viewer_link) = console("console-pages-viewer", &looking, &namespace, &options);
    browse("pages", &namespace, [link, viewer_link]).await;
    let sources = place.cluster.requests_of(&namespace, "viewer");
    let sources = sources.iter().filter(|request| request["objectRef"]["resource"] == "configmaps").count();
    assert!((1..=2).contains(&sources), "the roster's source was read {sources} times for the pages of many people");
}

/// Answers nothing, and remembers what it was asked.
async fn listening() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let (address, asked) = (listener.local_addr().expect("its address"), Arc::<Mutex<Vec<String>>>::default());
    let heard = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1024];
            let length = stream.read(&mut request).await.unwrap_or_default();
            heard.lock().expect("a lock").push(String::from_utf8_lossy(&request[..length]).into_owned());
        }
    });
    (format!("http://{address}/scim/v2"), asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_change_by_themselves_under_the_keyboard_and_ask_the_scim_server_nothing() {
    operator().await;
    let place = Place::without_operator().await;
    let (server, asked) = listening().await;
    place.secret("a key");
    place.apply(place.connection(json!({"baseUrl": server, "suspend": true})));
    for number in 1..=30 {
        place.user(&format!("user-{number}"), json!({}));
    }
    let admin = place.cluster.admin_kubeconfig();
    let (of_admin, link) = console("console-live", admin, &place.namespace, &["--allow-loopback-http"]);
    viewer(&place);
    let late = place.cluster.kubeconfig_for_service_account(&place.namespace, "late");
    let users = "--resource=scimusers.scim-operator.dev";
    place.kubectl(&["create", "role", "users", "--verb=get,list,watch", users]);
    place.kubectl(&[
        "create",
        "rolebinding",
        "users",
        "--role=users",
        &format!("--serviceaccount={}:late", place.namespace),
    ]);
    let (_of_late, late_link) = console("console-late", &late, &place.namespace, &[]);
    let given = [("LINK", link), ("LATE_LINK", late_link), ("CONSOLE", of_admin.id().to_string())];
    browse_with("live", &place.namespace, &given).await;
    let mut asked = asked.lock().expect("a lock").clone();
    // The operator's own test of the connection, which suspending it doesn't end.
    asked.retain(|request| !request.starts_with("GET /scim/v2/Users?startIndex=1&count=1 "));
    assert!(asked.is_empty(), "no page asks the SCIM server by itself: {asked:#?}");
}

/// Runs what `make demo` ends with, as if Ctrl-C came at once.
const DEMO: &str = r#"
import importlib.machinery, importlib.util, signal, sys
sys.dont_write_bytecode = True
loader = importlib.machinery.SourceFileLoader("demo", sys.argv[1])
demo = importlib.util.module_from_spec(importlib.util.spec_from_loader("demo", loader))
loader.exec_module(demo)
demo.KUBECONFIG, demo.METRICS_PORT, demo.JACKSON = sys.argv[2], 8080, dict.fromkeys(["base", "token", "origin", "id"], "x")
signal.sigwait = lambda signals: signal.SIGINT
demo.leave_running()
"#;

#[test]
fn the_line_that_the_demo_prints_opens_the_console() {
    let nowhere = nowhere("demo");
    let mut demo = guarded("python3");
    demo.args(["-c", DEMO]).arg(repository().join("examples/demo")).arg(&nowhere);
    let told = String::from_utf8(demo.output().expect("python3").stdout).expect("text");
    let line = told.lines().find(|line| line.contains(" console ")).unwrap_or_else(|| panic!("no such line: {told}"));
    let options = line.trim().strip_prefix("cargo run --bin kubectl-scim -- console -n scim-demo").expect("a command");
    let options: Vec<&str> = options.split_whitespace().collect();
    let (_console, link) = console("console-demo", &nowhere, "scim-demo", &options);
    assert!(link.starts_with("http://127.0.0.1:"), "{link}");
}

/// A kubeconfig that leads to nobody.
fn nowhere(name: &str) -> PathBuf {
    let file = scratch().join(format!("{name}.kubeconfig"));
    let config = json!({"apiVersion": "v1", "kind": "Config", "current-context": "a", "users": [{"name": "a", "user": {}}],
        "clusters": [{"name": "a", "cluster": {"server": "https://127.0.0.1:1"}}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}]});
    std::fs::write(&file, config.to_string()).expect("a file");
    file
}

/// By its own word, without a browser: nothing is shown before the link, and nothing at another name.
#[test]
fn the_console_answers_on_this_machine_alone() {
    let nowhere = nowhere("console");
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
