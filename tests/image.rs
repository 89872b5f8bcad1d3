//! The image, as far as it can be checked without a container engine: its binary runs from an empty root, as a user
//! without rights, and trusts the certificate authorities that lie there.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::pedantic)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use support::{ControlPlane, Process, eventually, guarded, repository, scratch};

const MOST_BYTES: u64 = 20_000_000;
const AUTHORITIES: &str = "etc/ssl/certs/ca-certificates.crt";

fn binary() -> PathBuf {
    let target = format!("target/{}-unknown-linux-musl/release/scim-operator", std::env::consts::ARCH);
    let file = repository().join(target);
    assert!(file.exists(), "{} is missing: run `make static`", file.display());
    file
}

/// What the last stage of the Dockerfile holds.
fn root(name: &str, authorities: &Path) -> PathBuf {
    let root = scratch().join("data").join(name);
    fs::create_dir_all(root.join(AUTHORITIES).parent().unwrap()).unwrap();
    fs::copy(binary(), root.join("scim-operator")).unwrap();
    fs::copy(authorities, root.join(AUTHORITIES)).unwrap();
    root
}

/// Nothing of this machine but the kernel, and the user of the chart. Whoever isn't root takes a user namespace.
fn jailed(root: &Path, args: &[&str]) -> Vec<String> {
    let root = root.to_string_lossy();
    let mut command: Vec<&str> = if is_root() {
        vec!["chroot", "--userspec=65532:65532", &root]
    } else {
        vec!["unshare", "--map-root-user", "chroot", &root]
    };
    command.push("/scim-operator");
    command.extend(args);
    command.into_iter().map(str::to_owned).collect()
}

/// Where chroot is; nothing else of our environment is passed on.
fn path() -> std::ffi::OsString {
    std::env::var_os("PATH").expect("PATH")
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id");
    id.stdout.trim_ascii() == b"0"
}

fn run(root: &Path, args: &[&str]) -> Output {
    let command = jailed(root, args);
    Command::new(&command[0]).args(&command[1..]).env_clear().env("PATH", path()).output().expect("chroot (coreutils)")
}

#[test]
fn the_binary_is_static_and_small() {
    let bytes = fs::read(binary()).unwrap();
    assert!((bytes.len() as u64) < MOST_BYTES, "{} bytes", bytes.len());
    let nothing = scratch().join("data/none.crt");
    fs::write(&nothing, "").unwrap();
    let root = root("image-alone", &nothing);
    let version = run(&root, &["--version"]);
    let said = String::from_utf8_lossy(&version.stdout).into_owned();
    assert_eq!(said.trim(), concat!("scim-operator ", env!("CARGO_PKG_VERSION")), "{version:?}");
    let crds = run(&root, &["crds"]);
    assert_eq!(crds.stdout, fs::read(repository().join("crds/crds.yaml")).unwrap(), "an old build: run `make static`");
}

#[tokio::test]
async fn it_trusts_the_authorities_of_its_root_and_no_others() {
    let cluster = ControlPlane::shared().await;
    let nothing = scratch().join("data/nobody.crt");
    fs::write(&nothing, "").unwrap();
    let (trusting, doubting) = (root("image-tls", &cluster.certificate().0), root("image-no-tls", &nothing));
    let url = format!("{}/livez", cluster.server());
    let trusted = run(&trusting, &["probe", &url]);
    assert!(trusted.status.success(), "{trusted:?}");
    let doubted = run(&doubting, &["probe", &url]);
    assert!(!doubted.status.success(), "{doubted:?}");
}

#[tokio::test]
async fn it_serves_from_an_empty_root() {
    let cluster = ControlPlane::shared().await;
    cluster.install_crds().await;
    let namespace = cluster.namespace().await;
    let root = root("image-run", &cluster.certificate().0);
    // What a pod has by its service account.
    let admin = fs::read_to_string(cluster.admin_kubeconfig()).unwrap();
    let certificate = cluster.certificate().0.to_string_lossy().into_owned();
    fs::write(root.join("kubeconfig"), admin.replace(&certificate, &format!("/{AUTHORITIES}"))).unwrap();
    let command = jailed(&root, &["run", "--listen=127.0.0.1:0"]);
    let mut guarded = guarded(&command[0]);
    guarded.args(&command[1..]).env_clear().env("PATH", path());
    guarded.env("KUBECONFIG", "/kubeconfig").env("POD_NAMESPACE", &namespace);
    let operator = Process::spawn("operator-jailed", guarded);
    eventually(Duration::from_secs(60), "it works", async || {
        let log = operator.log();
        if log.contains("provisioning begins") { Ok(()) } else { Err(log) }
    })
    .await;
    assert_eq!(operator.terminate(Duration::from_secs(30)).code(), Some(0));
}

#[test]
fn the_dockerfile_makes_that_binary_and_runs_it_without_rights() {
    let text = fs::read_to_string(repository().join("Dockerfile")).unwrap();
    let last = text.rsplit("\nFROM ").next().unwrap();
    assert!(last.starts_with("scratch\n"), "{last}");
    for line in ["USER 65532:65532", "COPY --from=build /image /", r#"ENTRYPOINT ["/scim-operator"]"#] {
        assert!(last.lines().any(|known| known == line), "{line}");
    }
    assert!(text.contains("cargo build --release --locked --bin scim-operator"));
    assert!(text.contains(&format!("/image/{AUTHORITIES}")));
}

/// A tag may be moved to another image; a digest can't.
#[test]
fn what_the_image_is_built_on_is_pinned_by_digest() {
    let text = fs::read_to_string(repository().join("Dockerfile")).unwrap();
    for line in text.lines().filter(|line| line.starts_with("FROM ") && *line != "FROM scratch") {
        let digest = line.split("@sha256:").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_default();
        assert!(digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()), "{line}");
    }
}

/// Dependabot raises the Dockerfile's alone: the image and the binaries of one release are by one compiler.
#[test]
fn one_rust_compiles_the_image_the_release_and_what_ci_tests() {
    let read = |file: &str| fs::read_to_string(repository().join(file)).unwrap();
    let image = read("Dockerfile");
    let image = image.split("library/rust:").nth(1).unwrap().split('-').next().unwrap();
    for file in [".github/workflows/ci.yml", ".github/workflows/release.yml"] {
        let text = read(file);
        let named: Vec<&str> = ["rustup toolchain install ", "rustup default "]
            .iter()
            .flat_map(|command| text.split(command).skip(1))
            .map(|rest| rest.split_whitespace().next().unwrap())
            .filter(|version| version.starts_with(|first: char| first.is_ascii_digit()))
            .collect();
        assert!(!named.is_empty() && named.iter().all(|version| *version == image), "{file}: {named:?}, not {image}");
    }
    assert!(number(image) >= number(env!("CARGO_PKG_RUST_VERSION")), "{image} is older than Cargo.toml permits");
}

/// `make msrv` compiles with that Rust; this finds a package that says itself that it can't.
#[test]
fn no_package_asks_for_a_newer_rust_than_we_promise() {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--locked", "--format-version=1"]).current_dir(repository());
    let told = cargo.output().expect("cargo");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    let ours = number(env!("CARGO_PKG_RUST_VERSION"));
    let newer: Vec<&serde_json::Value> = told["packages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|package| package["rust_version"].as_str().is_some_and(|theirs| number(theirs) > ours))
        .map(|package| &package["id"])
        .collect();
    assert!(newer.is_empty(), "{newer:?}");
}

/// The parts of a version; 1.89 is 1.89.0.
fn number(version: &str) -> Vec<u32> {
    let mut parts: Vec<u32> = version.split('.').map(|part| part.parse().unwrap()).collect();
    parts.resize(3, 0);
    parts
}
