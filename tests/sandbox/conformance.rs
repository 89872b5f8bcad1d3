//! Other people's conformance tools find nothing wrong.

use std::path::PathBuf;
use std::process::Command;

use super::harness::{Sandbox, TOKEN};

/// A tool from the Python part.
fn tool(name: &str) -> Command {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let cache = std::env::var_os("SCIM_OPERATOR_CACHE").map(PathBuf::from).or_else(|| {
        let xdg = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
        Some(xdg.or_else(home)?.join("scim-operator"))
    });
    let installed = cache.and_then(|cache| std::fs::read_dir(cache).ok());
    let installed = installed.into_iter().flatten().flatten().map(|entry| entry.path());
    let found = std::iter::once(root.join(".parts/python"))
        .chain(installed.filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.starts_with("python-")) && path.join("complete").exists()
        }))
        .map(|path| path.join("bin").join(name))
        .find(|path| path.exists());
    match found {
        Some(path) => Command::new(path),
        None => panic!("{name} is not installed: run `make test`, which installs it first"),
    }
}

fn must_pass(mut command: Command) {
    let output = command.output().expect("the tool runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{text}\n{errors}");
}

#[test]
fn scim2_tester_finds_nothing_wrong() {
    let sandbox = Sandbox::start(&[]);
    let mut command = tool("scim2");
    command.args(["-u", &sandbox.base, "test"]).env("SCIM_CLI_HEADERS", format!("Authorization: Bearer {TOKEN}"));
    must_pass(command);
}

#[test]
fn scim_sanity_finds_nothing_wrong() {
    let sandbox = Sandbox::start(&[]);
    let mut command = tool("scim-sanity");
    command.args(["probe", &sandbox.base, "--token", TOKEN, "--i-accept-side-effects"]);
    must_pass(command);
}
