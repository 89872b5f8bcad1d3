//! The way to the API server: proxies, and kubeconfigs that are wrong.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{ControlPlane, scratch, unique};
use crate::{by_file, program, stderr};

/// A proxy for CONNECT and for SOCKS5, and where it was asked to lead to.
pub struct Proxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(lead(stream, Arc::clone(&log)));
            }
        });
        Self { address, asked }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().expect("the list"))
    }
}

async fn lead(mut stream: TcpStream, log: Arc<Mutex<Vec<String>>>) -> std::io::Result<()> {
    let mut first = [0; 1];
    stream.read_exact(&mut first).await?;
    let to = if first[0] == 5 {
        let mut methods = vec![0; stream.read_u8().await?.into()];
        stream.read_exact(&mut methods).await?;
        stream.write_all(&[5, 0]).await?;
        let mut head = [0; 4];
        stream.read_exact(&mut head).await?;
        let host = match head[3] {
            1 => std::net::Ipv4Addr::from(stream.read_u32().await?).to_string(),
            _ => {
                let mut name = vec![0; stream.read_u8().await?.into()];
                stream.read_exact(&mut name).await?;
                String::from_utf8_lossy(&name).into_owned()
            }
        };
        let to = format!("{host}:{}", stream.read_u16().await?);
        stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
        format!("socks5 {to}")
    } else {
        let mut head = vec![first[0]];
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
        let head = String::from_utf8_lossy(&head).into_owned();
        format!("http {}", head.split(' ').nth(1).unwrap_or_default())
    };
    let target = to.split(' ').nth(1).unwrap_or_default().to_owned();
    log.lock().expect("the list").push(to);
    let mut server = TcpStream::connect(target).await?;
    copy_bidirectional(&mut stream, &mut server).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_is_reached_by_a_proxy_unless_no_proxy_names_it() {
    let cluster = ControlPlane::shared().await;
    cluster.install_crds().await;
    let proxy = Proxy::start().await;
    let server = cluster.server().replace("https://", "");
    let named = scratch().join(unique("proxied"));
    let text = std::fs::read_to_string(cluster.admin_kubeconfig()).expect("a kubeconfig");
    let with_url = text.replace("\"server\":", &format!("\"proxy-url\":\"http://{}\",\"server\":", proxy.address));
    assert_ne!(with_url, text);
    std::fs::write(&named, with_url).expect("a file");
    let admin = cluster.admin_kubeconfig().to_owned();
    for (kubeconfig, variables, expected) in [
        (&admin, vec![("HTTPS_PROXY", format!("http://{}", proxy.address))], Some("http")),
        (&admin, vec![("https_proxy", proxy.address.to_string())], Some("http")),
        (&admin, vec![("ALL_PROXY", format!("socks5://{}", proxy.address))], Some("socks5")),
        (&admin, vec![("ALL_PROXY", format!("socks5h://{}", proxy.address))], Some("socks5")),
        (&admin, vec![("HTTPS_PROXY", format!("http://{}", proxy.address)), ("NO_PROXY", "127.0.0.0/8".into())], None),
        // As with kubectl: what the kubeconfig says holds, and NO_PROXY is about the environment's.
        (&named, vec![("NO_PROXY", "example.com".into())], Some("http")),
    ] {
        let mut command = program(kubeconfig);
        command.args(["get", "users", "-A"]).envs(variables.iter().cloned());
        let output =
            tokio::task::spawn_blocking(move || command.output().expect("kubectl-scim")).await.expect("it ran");
        assert!(output.status.success(), "{variables:?}: {}", stderr(&output));
        let asked = proxy.take();
        match expected {
            Some(by) => assert!(
                asked.iter().all(|to| *to == format!("{by} {server}")) && !asked.is_empty(),
                "{variables:?}: {asked:?}"
            ),
            None => assert!(asked.is_empty(), "{variables:?}: {asked:?}"),
        }
    }
}

/// A kubeconfig whose user logs in by a program.
fn logging_in(name: &str, user: &str) -> PathBuf {
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: a\nclusters: [{{name: c, cluster: {{server: 'https://127.0.0.1:1'}}}}]\n\
         contexts: [{{name: a, context: {{cluster: c, user: u}}}}, {{name: b, context: {{cluster: gone, user: u}}}}, \
         {{name: d, context: {{cluster: c, user: gone}}}}]\n\
         users: [{{name: u, user: {user}}}]\n"
    );
    let file = scratch().join(unique(name));
    std::fs::write(&file, text).expect("a file");
    file
}

#[tokio::test]
async fn what_is_wrong_with_a_kubeconfig_is_told_in_a_sentence() {
    let exec = |command: &str, args: &str| {
        format!(
            "{{exec: {{apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: {command}, args: {args}}}}}"
        )
    };
    let missing = logging_in("missing", &exec("no-such-login", "[]"));
    let expired = logging_in(
        "expired",
        &exec("sh", "['-c', 'echo {\"token\": \"hunter22\"}; echo session expired >&2; exit 1']"),
    );
    let silent = logging_in("silent", &exec("sh", "['-c', 'echo hunter22']"));
    let contexts = logging_in("contexts", "{token: hunter22}");
    let no_scheme = scratch().join(unique("no-scheme"));
    let text = std::fs::read_to_string(&contexts).expect("a kubeconfig");
    std::fs::write(&no_scheme, text.replace("https://", "")).expect("a file");
    let several = PathBuf::from(format!("/there/is/none:{}", contexts.display()));
    let broken = scratch().join(unique("broken"));
    std::fs::write(&broken, "clusters: [").expect("a file");
    let empty = scratch().join(unique("none"));
    std::fs::write(&empty, "apiVersion: v1\nkind: Config\ncontexts: [{name: a, context: {cluster: c, user: u}}]\n")
        .expect("a file");
    let nowhere = PathBuf::from("/there/is/none");
    for (kubeconfig, args, expected) in [
        (&missing, &[][..], "plug-in no-such-login, which is not installed here"),
        (&expired, &[], "plug-in sh failed"),
        (&expired, &[], "session expired"),
        (&silent, &[], "answered with no credentials"),
        (&contexts, &["--context", "other"], "has no context other; it has a, b, d"),
        (&contexts, &["--context", "b"], "the cluster gone, which the kubeconfig doesn't have"),
        (&contexts, &["--context", "d"], "the user gone, which the kubeconfig doesn't have"),
        (&no_scheme, &[], "the kubeconfig's server 127.0.0.1:1 has no scheme: write https://127.0.0.1:1"),
        // As kubectl does: of several those that are there.
        (&several, &[], "can't be reached"),
        (&contexts, &[], "can't be reached"),
        (&broken, &[], "it is not YAML"),
        (&empty, &[], "no current context: choose one by kubectl config use-context; it has a"),
        (&nowhere, &[], "no way to a Kubernetes cluster"),
        (&nowhere, &["--kubeconfig", "/there/is/none"], "/there/is/none can't be read"),
    ] {
        let tried = program(kubeconfig).args(args).args(["get", "users"]).env("RUST_BACKTRACE", "1").output();
        let tried = tried.expect("kubectl-scim");
        let told = stderr(&tried);
        assert!(tried.status.code() == Some(1) && told.contains(expected), "{expected}: {told}");
        assert!(!told.contains("hunter22") && !told.contains("backtrace") && told.lines().count() <= 2, "{told}");
        // The operator says the same.
        if args.is_empty() && expected != "can't be reached" {
            let mut operator = std::process::Command::new(env!("CARGO_BIN_EXE_scim-operator"));
            let tried = operator.args(["run", "--listen", "127.0.0.1:0"]).env("KUBECONFIG", kubeconfig);
            let tried = tried.env("RUST_BACKTRACE", "1").output().expect("scim-operator");
            let told = stderr(&tried);
            assert!(tried.status.code() == Some(1) && told.contains(expected), "{expected}: {told}");
            assert!(!told.contains("hunter22") && !told.contains("backtrace"), "{told}");
        }
    }
}

/// What the operator logs while it waits.
fn operator_says(kubeconfig: &std::path::Path, variables: &[(&str, &str)]) -> String {
    let log = scratch().join(unique("waiting"));
    let file = std::fs::File::create(&log).expect("a file");
    let mut operator = std::process::Command::new(env!("CARGO_BIN_EXE_scim-operator"));
    operator.args(["run", "--listen", "127.0.0.1:0"]).env("KUBECONFIG", kubeconfig).envs(variables.iter().copied());
    operator.stdout(file.try_clone().expect("a file")).stderr(file);
    let mut operator = operator.spawn().expect("scim-operator");
    let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let mut told = String::new();
    while !told.contains("waiting for the API server") && std::time::Instant::now() < end {
        std::thread::sleep(std::time::Duration::from_millis(200));
        told = std::fs::read_to_string(&log).expect("its log");
        if operator.try_wait().expect("its state").is_some() {
            break;
        }
    }
    let _ = operator.kill();
    let _ = operator.wait();
    told
}

/// A proxy that isn't there, a wrong authority, a login that is over: the cause, the way and the next step.
#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_from_the_api_server_is_told_with_the_way_and_the_next_step() {
    let cluster = ControlPlane::shared().await;
    let admin: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(cluster.admin_kubeconfig()).expect("a kubeconfig"))
            .expect("JSON");
    let write = |name: &str, change: &dyn Fn(&mut serde_json::Value)| {
        let mut config = admin.clone();
        change(&mut config);
        let file = scratch().join(unique(name));
        std::fs::write(&file, config.to_string()).expect("a file");
        file
    };
    let right = write("right", &|_| {});
    let refused = write("refused", &|config| config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1".into());
    let stranger = write("stranger", &|config| {
        let cluster = config["clusters"][0]["cluster"].as_object_mut().expect("a cluster");
        cluster.retain(|name, _| !name.starts_with("certificate-authority"));
    });
    let over = write("over", &|config| config["users"][0]["user"] = serde_json::json!({"token": "hunter22"}));
    let server = cluster.server();
    let dead = [("HTTPS_PROXY", "http://svc:hunter22@127.0.0.1:1")];
    for (kubeconfig, variables, expected) in [
        (
            &refused,
            &[][..],
            vec!["the API server https://127.0.0.1:1 can't be reached", "refused", "see whether it runs"],
        ),
        (&right, &dead, vec![server.as_str(), "by the proxy http://127.0.0.1:1", "refused", "NO_PROXY"]),
        (&stranger, &[], vec![server.as_str(), "another authority", "get the kubeconfig anew"]),
        (&over, &[], vec!["Unauthorized", "log in again"]),
    ] {
        let (path, given) = (kubeconfig.clone(), variables.to_vec());
        let (operator, line) = tokio::task::spawn_blocking(move || {
            let mut command = program(&path);
            let output = command.args(["get", "users"]).envs(given.iter().copied()).output().expect("kubectl-scim");
            (operator_says(&path, &given), stderr(&output))
        })
        .await
        .expect("they ran");
        for told in [&operator, &line] {
            assert!(expected.iter().all(|part| told.contains(part)), "{expected:?}: {told}");
            assert!(!told.contains("hunter22") && !told.contains("Status {"), "{told}");
        }
    }
    let odd = [("ALL_PROXY", "ftp://svc:hunter22@127.0.0.1:1")];
    let told = tokio::task::spawn_blocking(move || operator_says(&right, &odd)).await.expect("it ran");
    assert!(told.contains("a proxy of the scheme ftp can't be used") && !told.contains("hunter22"), "{told}");
}

/// The server's side: of what goes by a proxy of the environment nothing else is seen.
#[tokio::test]
async fn a_request_that_a_proxy_of_the_environment_loses_names_the_proxy() {
    let https = by_file(&unique("proxied"), "https://scim.example.com/scim/v2", "a-key", serde_json::json!({}));
    for (name, except, named) in
        [("HTTPS_PROXY", "", true), ("all_proxy", "", true), ("HTTPS_PROXY", "example.com", false)]
    {
        let mut command = program(std::path::Path::new("/there/is/none"));
        command.arg("import").args(&https).stdin(std::process::Stdio::null());
        command.env(name, "http://svc:hunter22@127.0.0.1:1").env("NO_PROXY", except);
        let output =
            tokio::task::spawn_blocking(move || command.output().expect("kubectl-scim")).await.expect("it ran");
        let told = stderr(&output);
        assert!(!output.status.success() && !told.contains("hunter22"), "{told}");
        let by = "requests go by the proxy http://127.0.0.1:1 (HTTPS_PROXY or ALL_PROXY of the environment";
        assert_eq!(told.contains(by), named, "{name} {except}: {told}");
    }
}
