//! The program at a terminal of its own: narrow and wide, with and without colours, and Ctrl-C.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use serde_json::json;

use crate::by_file;
use crate::kit::Place;
use crate::planning::{Folder, account, user};
use crate::support::{ControlPlane, Sandbox, scratch, unique};

/// Until what is waited for is on the screen.
const PATIENCE: Duration = Duration::from_secs(60);
/// So often it is looked at whether it is time for the keys, where nothing more is shown.
const TICK: Duration = Duration::from_millis(10);

/// What a terminal showed, and how the program ended: its exit code, or the signal.
pub struct Screen {
    pub text: String,
    pub ended: String,
}

/// A command at a terminal so many columns wide. When the first text is there, the second is typed.
pub fn at_terminal(columns: u16, command: CommandBuilder, keys: Option<(&str, &str)>) -> Screen {
    let (seen, typed) = keys.unzip();
    at_terminal_once(columns, command, typed, |shown, _| seen.is_some_and(|seen| shown.contains(seen)))
}

/// The same, where the keys are typed once it is time for them, by what is shown and by the process of this id.
pub fn at_terminal_once(
    columns: u16,
    command: CommandBuilder,
    keys: Option<&str>,
    mut is_time: impl FnMut(&str, u32) -> bool,
) -> Screen {
    let size = PtySize { rows: 24, cols: columns, pixel_width: 0, pixel_height: 0 };
    let terminal = native_pty_system().openpty(size).expect("a terminal");
    let mut child = terminal.slave.spawn_command(command).expect("kubectl-scim");
    drop(terminal.slave);
    let mut reader = terminal.master.try_clone_reader().expect("its output");
    let mut writer = terminal.master.take_writer().expect("its input");
    let (sender, pieces) = mpsc::channel();
    std::thread::spawn(move || {
        let mut piece = [0; 4096];
        // A terminal whose program has ended gives an error instead of an end.
        while let Ok(size) = reader.read(&mut piece)
            && size > 0
            && sender.send(piece[..size].to_vec()).is_ok()
        {}
    });
    let id = child.process_id().expect("its id");
    let (mut shown, mut keys, deadline) = (Vec::new(), keys, Instant::now() + PATIENCE);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match pieces.recv_timeout(if keys.is_some() { left.min(TICK) } else { left }) {
            Ok(piece) => shown.extend(piece),
            Err(RecvTimeoutError::Timeout) if !left.is_zero() => {}
            Err(_) => break,
        }
        if let Some(typed) = keys
            && is_time(&String::from_utf8_lossy(&shown), id)
        {
            writer.write_all(typed.as_bytes()).expect("it reads keys");
            keys = None;
        }
    }
    let text = String::from_utf8_lossy(&shown).replace('\r', "");
    assert!(keys.is_none(), "it was never time for {keys:?}: {text}");
    if Instant::now() >= deadline {
        let _ = child.kill();
        panic!("it didn't end: {text}");
    }
    let status = child.wait().expect("it ended");
    let ended = status.signal().map_or_else(|| status.exit_code().to_string(), str::to_owned);
    assert!(!text.contains("panicked"), "{text}");
    Screen { text, ended }
}

pub fn command(kubeconfig: &Path, args: &[&str]) -> CommandBuilder {
    with_kubeconfig(CommandBuilder::new(env!("CARGO_BIN_EXE_kubectl-scim")), kubeconfig, args)
}

/// The same without its standard error, where sentences are.
pub fn command_without_notes(kubeconfig: &Path, args: &[&str]) -> CommandBuilder {
    let mut shell = CommandBuilder::new("sh");
    shell.args(["-c", "exec \"$0\" \"$@\" 2>/dev/null", env!("CARGO_BIN_EXE_kubectl-scim")]);
    with_kubeconfig(shell, kubeconfig, args)
}

fn with_kubeconfig(mut command: CommandBuilder, kubeconfig: &Path, args: &[&str]) -> CommandBuilder {
    command.args(args);
    command.env("KUBECONFIG", kubeconfig);
    command.env("TERM", "xterm-256color");
    command.env_remove("NO_COLOR");
    command
}

/// Every line fits, and no word is broken.
fn fits(screen: &str, columns: usize, words: &[&str]) {
    for line in screen.lines() {
        assert!(line.trim_end().chars().count() <= columns, "{columns}: {line:?}\n{screen}");
    }
    for word in words {
        assert!(
            screen.split_whitespace().any(|found| found == *word),
            "{columns}: {word} is broken or missing\n{screen}"
        );
    }
}

const REASON: &str = "the server refused the attribute preferredLanguage: invalidValue, urn:ietf:params:scim";

#[tokio::test]
async fn tables_fit_every_terminal_and_break_no_word() {
    let place = Place::without_operator().await;
    place.cluster.install_crds().await;
    place.user("a-person-with-a-long-name", json!({"userName": "ada@example.com"}));
    let failed = json!({"status": {"state": "Failed", "conditions": [
        {"type": "Ready", "status": "False", "reason": "Rejected", "message": REASON, "lastTransitionTime": "2026-11-28T12:00:00Z"},
        {"type": "Stalled", "status": "True", "reason": "Rejected", "message": "", "lastTransitionTime": "2026-11-28T12:00:00Z"}]}});
    let name = "a-person-with-a-long-name";
    let patch = failed.to_string();
    place.kubectl(&["patch", "scimuser", name, "--subresource=status", "--type=merge", "-p", &patch]);
    let namespace = place.namespace.as_str();
    let admin = place.cluster.admin_kubeconfig();
    let words: Vec<&str> = REASON.split(' ').chain([name, "Rejected"]).collect();
    for columns in [60, 80, 100, 250] {
        let args = ["-n", namespace, "failures", "--no-color"];
        fits(&at_terminal(columns, command(admin, &args), None).text, columns.into(), &words);
        let args = ["-n", namespace, "status", "--no-color"];
        let screen = at_terminal(columns, command(admin, &args), None);
        assert_eq!(screen.ended, "2", "a person is needed: {}", screen.text);
        let table = screen.text.split("lists each\n").nth(1).unwrap_or_default().to_owned();
        fits(&table, columns.into(), &["COUNT", "ScimUser", "Rejected"]);
    }
    let coloured = at_terminal(60, command(admin, &["-n", namespace, "failures"]), None).text;
    assert!(coloured.contains("\u{1b}["), "{coloured:?}");
    let mut plain = command(admin, &["-n", namespace, "failures"]);
    plain.env("NO_COLOR", "1");
    assert!(!at_terminal(60, plain, None).text.contains('\u{1b}'));
}

#[tokio::test]
async fn ctrl_c_changes_nothing() {
    let place = Place::without_operator().await;
    place.cluster.install_crds().await;
    place.connect(json!({}));
    place.user("ada", json!({}));
    let status = |status: serde_json::Value| json!({"status": status}).to_string();
    let hold =
        status(json!({"holds": [{"id": "3f2a9c0d11b2e477", "reason": "removals", "since": "2026-11-28T12:00:00Z",
        "creates": 0, "updates": 0, "deactivations": 1, "deletes": 0, "memberships": 0, "sample": []}]}));
    place.kubectl(&["patch", "scimconnection", "jackson", "--subresource=status", "--type=merge", "-p", &hold]);
    let held = status(json!({"hold": {"id": "3f2a9c0d11b2e477", "operation": "Deactivate", "digest": "0"}}));
    place.kubectl(&["patch", "scimuser", "ada", "--subresource=status", "--type=merge", "-p", &held]);
    let args = ["-n", &place.namespace, "approve", "3f2a9c0d11b2e477"];
    let approve = command(place.cluster.admin_kubeconfig(), &args);
    let screen = at_terminal(80, approve.clone(), Some(("Type 1 to go on", "\u{3}")));
    assert!(screen.ended.contains("Interrupt") || screen.ended == "130", "{}: {}", screen.ended, screen.text);
    let screen = at_terminal(80, approve.clone(), Some(("Type 1 to go on", "no\n")));
    assert!(screen.ended == "1" && screen.text.contains("nothing was changed"), "{}: {}", screen.ended, screen.text);
    // While the person reads, somebody else comes into it.
    let put = |hold: &str| {
        place.kubectl(&["patch", "scimconnection", "jackson", "--subresource=status", "--type=merge", "-p", hold]);
    };
    let asked = |shown: &str, _| {
        shown.contains("Type 1 to go on") && {
            put(&hold.replace("\"deactivations\":1", "\"deactivations\":2"));
            true
        }
    };
    let screen = at_terminal_once(80, approve, Some("1\n"), asked);
    assert!(screen.ended == "1" && screen.text.contains("has changed meanwhile"), "{}: {}", screen.ended, screen.text);
    put(&hold);
    assert_eq!(place.get_connection().await["spec"]["approvedHold"], serde_json::Value::Null);
    let args = ["-n", &place.namespace, "approve", "3f2a9c0d11b2e477"];
    let approve = command(place.cluster.admin_kubeconfig(), &args);
    let screen = at_terminal(80, approve, Some(("Type 1 to go on", "1\n")));
    assert!(screen.ended == "0" && screen.text.contains("is approved"), "{}: {}", screen.ended, screen.text);
    assert_eq!(place.get_connection().await["spec"]["approvedHold"], "3f2a9c0d11b2e477");
}

#[tokio::test]
async fn a_long_work_shows_how_far_it_is_and_ends_with_ctrl_c() {
    let sandbox = Sandbox::start_with(&["--latency", "200ms"]);
    sandbox.admin("POST", "/seed", Some(json!({"users": 3000}))).await;
    let files = by_file(&unique("long"), &sandbox.base_url, &sandbox.token, json!({}));
    let into = scratch().join(unique("long"));
    let into = into.to_string_lossy();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let args = [&["import"], &files[..], &["--into", &into, "--only", "users"]].concat();
    let screen = at_terminal(80, command(Path::new("/there/is/none"), &args), Some(("/3000", "\u{3}")));
    assert!(screen.ended.contains("Interrupt") || screen.ended == "130", "{}: {}", screen.ended, screen.text);
    assert!(!screen.text.contains(&sandbox.token), "{}", screen.text);
}

#[tokio::test]
async fn a_table_is_whole_in_a_pipe_and_a_reader_may_go_away() {
    let cluster = ControlPlane::shared().await;
    let place = Place::without_operator().await;
    cluster.install_crds().await;
    place.user("a-person-with-a-long-name", json!({}));
    let mut piped = crate::program(cluster.admin_kubeconfig());
    let piped = piped.args(["-n", &place.namespace, "get", "users", "-o", "wide"]).output().expect("an answer");
    let piped = crate::printed(&piped);
    assert!(piped.lines().count() == 2 && piped.lines().nth(1).is_some_and(|line| line.len() > 90), "{piped}");
    assert!(!piped.contains('\u{1b}'), "{piped:?}");
    // A reader that goes away is no error.
    let bin = env!("CARGO_BIN_EXE_kubectl-scim");
    let line = format!("{bin} -n {} get users -o json | true; echo ${{PIPESTATUS[0]}}", place.namespace);
    let mut closed = std::process::Command::new("bash");
    closed.args(["-c", &line]).env("KUBECONFIG", cluster.admin_kubeconfig());
    assert_eq!(crate::printed(&closed.output().expect("bash")).trim(), "0");
}

/// A plan for one who is changed, one who is new, and one whom a guard holds.
#[tokio::test]
async fn a_plan_fits_every_terminal_and_ends_with_ctrl_c() {
    let sandbox = Sandbox::start();
    account(&sandbox, "ada", "Engineer").await;
    let people = [user("ada", "Countess of the Analytical Engine"), user("a-person-with-a-long-name", "Apprentice")];
    let folder = Folder::of(&sandbox.base_url, &sandbox.token, &json!({}), &people);
    let key = folder.key.to_string_lossy().into_owned();
    let args = ["plan", "-R", "-f", folder.path(), "--key-file", &key, "--allow-loopback-http"];
    let nowhere = Path::new("/there/is/none");
    let words = ["adopt", "create", "Engineer", "Countess", "a-person-with-a-long-name@example.com", "requests."];
    for columns in [60, 80, 100, 250] {
        let screen = at_terminal(columns, command(nowhere, &[&args[..], &["--no-color"]].concat()), None);
        assert_eq!(screen.ended, "2", "{}", screen.text);
        // What shows how far it is takes its line back.
        let plan = screen.text.split("Plan for ").nth(1).unwrap_or_default();
        let plan = format!("Plan for {plan}");
        fits(&plan, columns.into(), &words);
        assert!(!plan.contains('\u{1b}') && !screen.text.contains(&sandbox.token), "{plan:?}");
    }
    assert!(at_terminal(60, command(nowhere, &args), None).text.contains("\u{1b}[38;5;"), "it has colours");
    let mut plain = command(nowhere, &args);
    plain.env("NO_COLOR", "1");
    assert!(!at_terminal(60, plain, None).text.contains("\u{1b}[38;5;"));

    let slow = Sandbox::start_with(&["--latency", "200ms"]);
    slow.admin("POST", "/seed", Some(json!({"users": 3000}))).await;
    let folder = Folder::of(&slow.base_url, &slow.token, &json!({}), &people);
    let key = folder.key.to_string_lossy().into_owned();
    let args = ["plan", "-R", "-f", folder.path(), "--key-file", &key, "--allow-loopback-http"];
    let screen = at_terminal(80, command(nowhere, &args), Some(("accounts listed", "\u{3}")));
    assert!(screen.ended.contains("Interrupt") || screen.ended == "130", "{}: {}", screen.ended, screen.text);
    assert!(!screen.text.contains(&slow.token), "{}", screen.text);
    assert_eq!(slow.admin("GET", "/journal", None).await, json!([]), "nothing was written");
}
