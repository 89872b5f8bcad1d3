//! Every command of docs/cli.md with everything that may go wrong on the way: it ends with a sentence that helps, never with a
//! panic, and no key is ever seen. What commands do when all is well, the other tests know.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};

use crate::kit::Place;
use crate::planning::{Folder, user};
use crate::support::{ControlPlane, Sandbox, repository, scratch, unique};
use crate::terminal::{Screen, at_terminal, at_terminal_once, command};
use crate::{by_file, printed, program, stderr};

/// In no output, no list of processes and no environment but that of whoever gives it so.
const KEY: &str = "hunter22-of-every-command";
const HOLD: &str = "3f2a9c0d11b2e477";
/// A way to a server that nobody is at.
const NOWHERE: &str = "http://127.0.0.1:1/scim/v2";

/// Each command with words that lead it to the API server.
const OF_CLUSTER: [(&str, &str); 20] = [
    ("status", ""),
    ("get", "users"),
    ("failures", ""),
    ("drift", ""),
    ("unmanaged", "--live"),
    ("holds", HOLD),
    ("approve", HOLD),
    ("reject", HOLD),
    ("sync", "user/ada"),
    ("suspend", "user/ada"),
    ("resume", "user/ada"),
    ("release", "user/ada"),
    ("plan", "jackson"),
    ("explain", "user/ada --live"),
    ("test", "jackson"),
    ("import", "jackson"),
    ("history", ""),
    ("console", ""),
    ("report access", ""),
    ("roster preview", "-f ROSTER --against=cluster"),
];

/// Each command that takes files instead of a cluster, with words that lead it to the SCIM server.
const OF_FILES: [(&str, &str); 4] = [
    ("plan", "-R -f FOLDER"),
    ("test", "-f CONNECTION"),
    ("import", "-f CONNECTION"),
    ("roster preview", "-R -f FOLDER --against=server"),
];

/// The commands of docs/cli.md, which is made of the command line itself, with what the page says of each.
fn documented() -> Vec<(String, String)> {
    let page = std::fs::read_to_string(repository().join("docs/cli.md")).expect("the page");
    let sections = page.split("\n## kubectl scim ").skip(1).map(|section| section.split_once('\n').expect("a heading"));
    // Those that only have commands below them do nothing by themselves.
    let does = sections.filter(|(_, text)| !text.contains("<COMMAND>"));
    does.map(|(name, text)| (name.to_owned(), text.to_owned())).collect()
}

/// The commands with this option.
fn with(option: &str) -> BTreeSet<String> {
    let named = format!("{option} ");
    documented().into_iter().filter(|(_, text)| text.contains(&named)).map(|(name, _)| name).collect()
}

fn names(rows: &[(&str, &str)]) -> BTreeSet<String> {
    rows.iter().map(|(name, _)| (*name).to_owned()).collect()
}

/// Files that lead to a SCIM server.
struct Files {
    folder: Folder,
    roster: String,
    connection: String,
    key: String,
}

impl Files {
    fn to(base_url: &str) -> Self {
        let roster = json!({
            "apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimRoster", "metadata": {"name": "people"},
            "spec": {"connectionRef": {"name": "c"}, "source": {"inline": [{"id": "1", "mail": "ada@example.com"}]},
                "key": "row.id", "mappings": [{"target": "userName", "value": "row.mail"}]},
        });
        let of_cluster = scratch().join(format!("{}.json", unique("roster")));
        let mut there = roster.clone();
        there["spec"]["connectionRef"]["name"] = json!("jackson");
        std::fs::write(&of_cluster, there.to_string()).expect("a roster");
        let [_, connection, _, key, _] = by_file(&unique("every"), base_url, KEY, json!({}));
        let folder = Folder::of(base_url, KEY, &json!({}), &[user("ada", "Countess"), roster]);
        Self { folder, roster: of_cluster.to_string_lossy().into_owned(), connection, key }
    }

    /// A row as arguments; the key is in a file wherever the command takes one.
    fn args(&self, (name, words): (&str, &str), more: &[&str]) -> Vec<String> {
        let of_files = words.contains("-f") && !words.contains("ROSTER");
        let words = words.replace("FOLDER", self.folder.path()).replace("ROSTER", &self.roster);
        let words = words.replace("CONNECTION", &self.connection);
        let mut args: Vec<String> = name.split(' ').chain(words.split_whitespace()).map(str::to_owned).collect();
        if of_files {
            args.extend(["--key-file", &self.key, "--allow-loopback-http"].map(str::to_owned));
        }
        args.extend(more.iter().map(|word| (*word).to_owned()));
        args
    }
}

/// A kubeconfig for this API server, with the key as its token.
fn kubeconfig(server: &str) -> PathBuf {
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "a", "users": [{"name": "a", "user": {"token": KEY}}],
        "clusters": [{"name": "a", "cluster": {"server": server}}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a", "namespace": "identity"}}],
    });
    let file = scratch().join(unique("every"));
    std::fs::write(&file, config.to_string()).expect("a kubeconfig");
    file
}

/// Whatever happened: in a few lines, and without the key.
fn is_told(args: &[String], text: &str) {
    assert!(!text.contains(KEY) && !text.contains("panicked"), "{args:?}: {text}");
    assert!(!text.trim().is_empty() && text.lines().count() <= 8, "{args:?}: {text}");
}

fn run(kubeconfig: &Path, args: &[String]) -> (Output, String) {
    let output = program(kubeconfig).args(args).stdin(std::process::Stdio::null()).output().expect("kubectl-scim");
    let text = printed(&output) + &stderr(&output);
    (output, text)
}

fn is_interrupted(screen: &Screen) -> bool {
    screen.ended.contains("Interrupt") || screen.ended == "130"
}

#[test]
fn no_command_is_left_out_and_none_takes_a_key_as_a_word() {
    let all: BTreeSet<String> = documented().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names(&OF_CLUSTER), all, "each command of docs/cli.md has a row");
    assert_eq!(names(&OF_FILES), with("--filename"), "each command that takes files has a row");
    let page = std::fs::read_to_string(repository().join("docs/cli.md")).expect("the page");
    let options = page.lines().filter_map(|line| line.strip_prefix("| `-")?.split('`').next());
    let secrets: BTreeSet<&str> = options
        .filter(|option| ["key", "token", "password", "secret"].iter().any(|word| option.contains(word)))
        .collect();
    assert_eq!(secrets, BTreeSet::from(["-key-file FILE"]), "everybody on a machine sees the words of a command");
}

/// An API server or a SCIM server takes the request and never answers.
#[test]
fn ctrl_c_ends_every_command_and_no_key_is_in_the_list_of_processes() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    silent.set_nonblocking(true).expect("a listener");
    let address = silent.local_addr().expect("its address");
    let files = Files::to(&format!("http://{address}/scim/v2"));
    let config = kubeconfig(&format!("http://{address}"));
    for row in OF_CLUSTER.into_iter().chain(OF_FILES) {
        let args = files.args(row, &[]);
        let kept = RefCell::new(Vec::new());
        let asked = |_: &str, process: u32| {
            let Ok((stream, _)) = silent.accept() else { return false };
            kept.borrow_mut().push(stream);
            for file in ["cmdline", "environ"] {
                let seen = std::fs::read(format!("/proc/{process}/{file}")).expect("it runs");
                let seen = String::from_utf8_lossy(&seen);
                assert!(seen.contains("KUBECONFIG") != (file == "cmdline"), "{args:?}: {file}");
                assert!(!seen.contains(KEY), "{args:?}: the key is in {file}");
            }
            true
        };
        let words: Vec<&str> = args.iter().map(String::as_str).collect();
        let screen = at_terminal_once(80, command(&config, &words), Some("\u{3}"), asked);
        let told = format!("{args:?}: {}: {}", screen.ended, screen.text);
        assert!(!screen.text.contains(KEY), "{told}");
        match row.0 {
            // It serves until then.
            "console" => assert_eq!(screen.ended, "0", "{told}"),
            // How far it went is told.
            "sync" | "suspend" | "resume" => {
                assert!(screen.ended == "1" && screen.text.contains("interrupted: 0 of 1 are written"), "{told}");
            }
            _ => assert!(is_interrupted(&screen), "{told}"),
        }
    }
}

#[test]
fn a_server_that_is_not_there_is_told_by_every_command() {
    let files = Files::to(NOWHERE);
    let config = kubeconfig("https://127.0.0.1:1");
    for (row, columns) in OF_CLUSTER.into_iter().chain(OF_FILES).flat_map(|row| [(row, 40), (row, 250)]) {
        let args = files.args(row, &[]);
        let words: Vec<&str> = args.iter().map(String::as_str).collect();
        let mut command = command(&config, &words);
        command.env("NO_COLOR", "1");
        if row.0 == "console" {
            // Its pages say so.
            let screen = at_terminal(columns, command, Some(("Open this link", "\u{3}")));
            assert!(screen.ended == "0" || is_interrupted(&screen), "{}", screen.text);
            continue;
        }
        let screen = at_terminal(columns, command, None);
        let tested = words[0] == "test" && words.contains(&"-f");
        let told = format!("{args:?}: {}: {}", screen.ended, screen.text);
        assert_eq!(screen.ended, if tested { "2" } else { "1" }, "{told}");
        assert!(screen.text.contains("127.0.0.1:1") || tested && screen.text.contains("FAILED"), "{told}");
        assert!(!screen.text.contains('\u{1b}'), "{told}");
        if !tested {
            is_told(&args, &screen.text);
        }
    }
}

#[test]
fn a_command_or_an_option_that_is_mistyped_is_named_with_what_may_be_meant() {
    let nowhere = Path::new("/there/is/none");
    for (name, _) in documented() {
        let short = name[..name.len() - 1].split(' ').map(str::to_owned).collect::<Vec<_>>();
        let option = name.split(' ').chain(["--ouput", "json"]).map(str::to_owned).collect::<Vec<_>>();
        let meant = name.split(' ').next_back().expect("a word").to_owned();
        for (args, meant) in [(short, meant), (option, "--output".to_owned())] {
            let (output, text) = run(nowhere, &args);
            assert!(output.status.code() == Some(1) && text.contains(&format!("'{meant}'")), "{args:?}: {text}");
            is_told(&args, &text);
        }
    }
}

#[test]
fn half_a_manifest_is_told_with_its_file_by_every_command_that_takes_one() {
    let half = scratch().join(format!("{}.yaml", unique("half")));
    std::fs::write(&half, format!("apiVersion: v1\nkind: Secret\nstringData: {{key: {KEY}, more: [")).expect("a file");
    let half = half.to_string_lossy().into_owned();
    for (name, _) in OF_FILES {
        let args: Vec<String> = name.split(' ').chain(["-f", &half]).map(str::to_owned).collect();
        let (output, text) = run(Path::new("/there/is/none"), &args);
        let says = text.contains("is not YAML") && text.contains(&half);
        assert!(output.status.code() == Some(1) && says, "{args:?}: {text}");
        is_told(&args, &text);
    }
}

#[tokio::test]
async fn whoever_may_do_nothing_is_told_what_they_may_not_by_every_command() {
    let cluster = ControlPlane::shared().await;
    cluster.install_crds().await;
    let namespace = cluster.namespace().await;
    let nobody = cluster.kubeconfig_for_service_account(&namespace, "nobody");
    let files = Files::to(NOWHERE);
    // The console's pages say so.
    for row in OF_CLUSTER.into_iter().filter(|(name, _)| *name != "console") {
        let args = files.args(row, &["-n", &namespace]);
        let (output, text) = run(&nobody, &args);
        let says = text.contains("cannot ") || text.contains("may do");
        assert!(output.status.code() == Some(1) && says, "{args:?}: {text}");
        is_told(&args, &text);
    }
}

#[tokio::test]
async fn a_wrong_key_is_told_by_every_command_that_takes_one() {
    let sandbox = Sandbox::start();
    let place = Place::without_operator().await;
    place.cluster.install_crds().await;
    place.secret(&sandbox.token);
    place.apply(place.connection(json!({"provider": "Generic", "baseUrl": sandbox.base_url})));
    place.user("ada", json!({}));
    let status = |kind: &str, name: &str, status: Value| {
        let patch = json!({"status": status}).to_string();
        place.kubectl(&["patch", kind, name, "--subresource=status", "--type=merge", "-p", &patch]);
    };
    let hold = json!({"id": HOLD, "reason": "rewrites", "since": "2026-11-28T12:00:00Z", "creates": 0, "updates": 1,
        "deactivations": 0, "deletes": 0, "memberships": 0, "sample": []});
    status("scimconnection", "jackson", json!({"holds": [hold]}));
    status("scimuser", "ada", json!({"hold": {"id": HOLD, "operation": "Update", "digest": "0"}}));
    let files = Files::to(&sandbox.base_url);
    let by_key = with("--key-file");
    let of_files = names(&OF_FILES);
    let of_cluster = OF_CLUSTER.into_iter().filter(|(name, _)| by_key.contains(*name) && !of_files.contains(*name));
    let more = ["-n", &place.namespace, "--key-file", &files.key, "--allow-loopback-http"];
    let of_cluster = of_cluster.chain([("plan", "jackson")]).map(|row| files.args(row, &more));
    let mut tried = BTreeSet::new();
    for args in of_cluster.chain(OF_FILES.into_iter().map(|row| files.args(row, &[]))) {
        let (output, text) = run(place.cluster.admin_kubeconfig(), &args);
        assert!(matches!(output.status.code(), Some(1 | 2)), "{args:?}: {:?}: {text}", output.status);
        assert!(text.contains("401") || text.contains("CredentialsRejected"), "{args:?}: {text}");
        assert!(!text.contains(KEY) && !text.contains("panicked"), "{args:?}: {text}");
        // Why it stands as it does is known from its status.
        assert!(args[0] != "explain" || printed(&output).contains("declares ada@example.com"), "{args:?}: {text}");
        tried.insert(
            args.iter().take_while(|word| !word.starts_with('-')).take(2).cloned().collect::<Vec<_>>().join(" "),
        );
    }
    let is_tried = |name: &String| tried.iter().any(|tried| tried.starts_with(name.as_str()));
    assert!(by_key.iter().all(is_tried), "{by_key:?}: {tried:?}");
}
