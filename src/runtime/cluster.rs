//! The way to the API server: a kubeconfig or a pod's service account, and the proxy that leads there. What is wrong
//! with a kubeconfig is told in a sentence, never with what a login plug-in printed for machines.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use kube::config::{Config, KubeConfigOptions, Kubeconfig, KubeconfigError, NamedContext};

use super::reaching::{login_failed, remember};

/// There is no way to a cluster; the message says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoCluster(String);

/// How to reach the API server: by this kubeconfig and context, or as kubectl finds them; in a pod without a kubeconfig by its
/// service account.
pub async fn cluster_config(file: Option<&Path>, context: Option<&str>) -> Result<Config, NoCluster> {
    let asked = file.is_some() || context.is_some();
    let kubeconfig = match file.map_or_else(kubeconfig, Kubeconfig::read_from) {
        Ok(kubeconfig) => kubeconfig,
        Err(error) if !asked && is_absent(&error) => return in_pod(),
        Err(error) => return Err(NoCluster(unreadable(&error, &Kubeconfig::default()))),
    };
    if !asked && kubeconfig.contexts.is_empty() && kubeconfig.current_context.is_none() {
        return in_pod();
    }
    let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
    let config = Config::from_custom_kubeconfig(kubeconfig.clone(), &options).await;
    let mut config = config.map_err(|error| NoCluster(unreadable(&error, &kubeconfig)))?;
    check(&kubeconfig, context, &config.cluster_url)?;
    // kube asks NO_PROXY about the proxy's own host instead of the API server's.
    config.proxy_url = proxy(&kubeconfig, context, &config.cluster_url)?;
    Ok(config)
}

/// A client by such a configuration; a login plug-in is run by it.
pub fn cluster_client(config: Config) -> Result<kube::Client, NoCluster> {
    let exec = config.auth_info.exec.as_ref();
    let plugin = exec.and_then(|exec| exec.command.clone()).unwrap_or_default();
    remember(&config);
    kube::Client::try_from(config).map_err(|error| NoCluster(unusable(&error, &plugin)))
}

/// As kubectl finds it: of several files in `KUBECONFIG` those that are there.
fn kubeconfig() -> Result<Kubeconfig, KubeconfigError> {
    let listed = std::env::var_os("KUBECONFIG").unwrap_or_default();
    let listed: Vec<PathBuf> = std::env::split_paths(&listed).filter(|file| !file.as_os_str().is_empty()).collect();
    let there = listed.iter().filter(|file| file.exists());
    let merged = there.map(Kubeconfig::read_from).reduce(|one, other| one?.merge(other?));
    merged.filter(|_| listed.len() > 1).unwrap_or_else(Kubeconfig::read)
}

/// What kube takes as it stands, and fails by later.
fn check(kubeconfig: &Kubeconfig, context: Option<&str>, server: &Uri) -> Result<(), NoCluster> {
    if server.scheme().is_none() {
        return Err(NoCluster(format!("the kubeconfig's server {server} has no scheme: write https://{server}")));
    }
    let context = context_of(kubeconfig, context).and_then(|known| known.context.as_ref());
    let user = context.and_then(|context| context.user.as_deref()).filter(|user| !user.is_empty());
    match user.filter(|user| !kubeconfig.auth_infos.iter().any(|known| known.name == *user)) {
        Some(user) => Err(NoCluster(format!(
            "the kubeconfig's context refers to the user {user}, which the kubeconfig doesn't have"
        ))),
        None => Ok(()),
    }
}

fn context_of<'a>(kubeconfig: &'a Kubeconfig, context: Option<&str>) -> Option<&'a NamedContext> {
    let current = context.or(kubeconfig.current_context.as_deref());
    kubeconfig.contexts.iter().find(|known| Some(known.name.as_str()) == current)
}

fn in_pod() -> Result<Config, NoCluster> {
    Config::incluster().map_err(|_| {
        NoCluster(
            "no way to a Kubernetes cluster: neither a kubeconfig (KUBECONFIG, ~/.kube/config) nor a pod's service account; \
             kubectl config get-contexts shows what kubectl knows"
                .to_owned(),
        )
    })
}

fn is_absent(error: &KubeconfigError) -> bool {
    match error {
        KubeconfigError::FindPath => true,
        KubeconfigError::ReadConfig(error, _) => error.kind() == ErrorKind::NotFound,
        _ => false,
    }
}

fn unreadable(error: &KubeconfigError, kubeconfig: &Kubeconfig) -> String {
    let names = || {
        let names: Vec<&str> = kubeconfig.contexts.iter().map(|context| context.name.as_str()).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    };
    match error {
        KubeconfigError::CurrentContextNotSet => format!(
            "the kubeconfig has no current context: choose one by kubectl config use-context; it has {}",
            names()
        ),
        KubeconfigError::LoadContext(name) => {
            format!("the kubeconfig has no context {name}; it has {}", names())
        }
        KubeconfigError::LoadClusterOfContext(name) => {
            format!("the kubeconfig's context refers to the cluster {name}, which the kubeconfig doesn't have")
        }
        KubeconfigError::ReadConfig(error, file) => {
            format!("the kubeconfig {} can't be read: {error}", file.display())
        }
        KubeconfigError::Parse(error) => {
            let line = error.location().map(|at| format!(" (line {})", at.line())).unwrap_or_default();
            format!("the kubeconfig can't be read: it is not YAML, or not a kubeconfig{line}")
        }
        KubeconfigError::ParseProxyUrl(_) => NOT_A_PROXY.to_owned(),
        KubeconfigError::ParseNoProxy(_) => {
            "NO_PROXY can't be read: write names, addresses and networks with one comma between them".to_owned()
        }
        other => format!("the kubeconfig can't be used: {other}"),
    }
}

/// Without the value: it may hold a password.
const NOT_A_PROXY: &str = "the proxy is not a valid URL: correct proxy-url of the kubeconfig, or HTTPS_PROXY, as http://host:port or \
     socks5://host:port";

/// What keeps a client from being made: the login.
fn unusable(error: &kube::Error, plugin: &str) -> String {
    match error {
        kube::Error::Auth(auth) => login_failed(auth, plugin),
        error => format!("the kubeconfig can't be used: {error}"),
    }
}

/// The proxy that the kubeconfig names, as for kubectl whatever `NO_PROXY` says; else that of the environment.
fn proxy(kubeconfig: &Kubeconfig, context: Option<&str>, to: &Uri) -> Result<Option<Uri>, NoCluster> {
    let cluster = context_of(kubeconfig, context)
        .and_then(|known| known.context.as_ref())
        .map(|context| context.cluster.as_str());
    let cluster = kubeconfig.clusters.iter().find(|known| Some(known.name.as_str()) == cluster);
    let named = cluster.and_then(|known| known.cluster.as_ref()).and_then(|cluster| cluster.proxy_url.clone());
    let of_environment =
        |names: &[&str]| names.iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    let chosen = named.filter(|url| !url.is_empty()).or_else(|| {
        let all = of_environment(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]);
        let except = of_environment(&["NO_PROXY", "no_proxy"]).unwrap_or_default();
        all.filter(|_| !is_excepted(to, &except))
    });
    let Some(url) = chosen else { return Ok(None) };
    let url = if url.contains("://") { url } else { format!("http://{url}") };
    // The names are resolved here; that is all that tells them apart.
    let url = url.strip_prefix("socks5h://").map_or(url.clone(), |rest| format!("socks5://{rest}"));
    let url = url.parse::<Uri>().ok().filter(|url| url.host().is_some());
    let url = url.ok_or_else(|| NoCluster(NOT_A_PROXY.to_owned()))?;
    match url.scheme_str() {
        Some("http" | "https" | "socks5") => Ok(Some(url)),
        scheme => Err(NoCluster(format!(
            "a proxy of the scheme {} can't be used, only http, https, socks5 and socks5h: correct proxy-url of the \
             kubeconfig, or HTTPS_PROXY or ALL_PROXY",
            scheme.unwrap_or_default()
        ))),
    }
}

/// Whether a list as `NO_PROXY` has it names the host.
fn is_excepted(to: &Uri, list: &str) -> bool {
    // Any proxy will do: what is asked is whether it would be used.
    let matcher = Matcher::builder().all("http://proxy.invalid").no(list).build();
    matcher.intercept(to).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::client::AuthError;

    #[test]
    fn no_proxy_is_asked_about_the_api_server() {
        let server: Uri = "https://10.1.2.3:6443".parse().expect("a URL");
        let named: Uri = "https://api.prod.example.com:6443".parse().expect("a URL");
        for (list, to, expected) in [
            ("", &server, false),
            ("10.0.0.0/8,localhost", &server, true),
            ("10.1.2.3", &server, true),
            ("10.2.0.0/16", &server, false),
            (".example.com", &named, true),
            ("example.com", &named, true),
            ("example.org", &named, false),
            ("*", &named, true),
        ] {
            assert_eq!(is_excepted(to, list), expected, "{list}");
        }
    }

    #[test]
    fn what_a_login_plug_in_printed_is_not_told() {
        use std::os::unix::process::ExitStatusExt as _;
        let out = std::process::Output {
            status: std::process::ExitStatus::from_raw(256),
            stdout: b"{\"status\": {\"token\": \"hunter22\"}}".to_vec(),
            stderr: b"session expired\n".to_vec(),
        };
        let failed = kube::Error::Auth(AuthError::AuthExecRun { cmd: "aws".into(), out: Box::new(out) });
        let told = unusable(&failed, "aws");
        assert!(told.contains("aws failed") && told.contains("session expired"), "{told}");
        assert!(!told.contains("hunter22"), "{told}");
    }
}
