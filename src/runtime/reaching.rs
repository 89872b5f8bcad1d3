//! What keeps a process from the API server, for a person: the cause, the way there, and what to do next.

use std::error::Error;
use std::io::ErrorKind;
use std::sync::OnceLock;

use http::Uri;
use kube::client::AuthError;
use kube::config::Config;

/// The API server that this process uses, and how it gets there.
static WAY: OnceLock<Way> = OnceLock::new();

struct Way {
    server: String,
    /// Without what it may have before the host: a password.
    proxy: Option<String>,
    plugin: String,
}

impl Way {
    fn words(&self) -> String {
        match &self.proxy {
            Some(proxy) => format!("{} by the proxy {proxy}", self.server),
            None => self.server.clone(),
        }
    }
}

/// Remembers how the API server is reached.
pub(super) fn remember(config: &Config) {
    let exec = config.auth_info.exec.as_ref();
    let way = Way {
        server: without_login(&config.cluster_url),
        proxy: config.proxy_url.as_ref().map(without_login),
        plugin: exec.and_then(|exec| exec.command.clone()).unwrap_or_default(),
    };
    let _ = WAY.set(way);
}

fn without_login(url: &Uri) -> String {
    let host = url.host().unwrap_or_default();
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    format!("{}://{host}{port}", url.scheme_str().unwrap_or("https"))
}

/// An error of a request to the API server as one sentence, with what to do where that is known. Nothing that a login
/// plug-in printed for machines is in it.
pub fn api_error(error: &(dyn Error + 'static)) -> String {
    let chain = || causes(error);
    let answered = chain().find_map(|cause| match cause.downcast_ref() {
        Some(kube::Error::Api(status)) => Some(status),
        _ => None,
    });
    if let Some(status) = answered {
        let words = if status.message.is_empty() { &status.reason } else { &status.message };
        return advice(status.code, &status.message).map_or(words.clone(), |advice| format!("{words}: {advice}"));
    }
    let login = chain().find_map(|cause| match cause.downcast_ref() {
        Some(kube::Error::Auth(auth)) => Some(auth),
        _ => cause.downcast_ref::<AuthError>(),
    });
    if let Some(login) = login {
        return login_failed(login, WAY.get().map_or("", |way| way.plugin.as_str()));
    }
    let is_way = chain().any(|cause| {
        matches!(
            cause.downcast_ref(),
            Some(kube::Error::Service(_) | kube::Error::HyperError(_) | kube::Error::ReadEvents(_))
        )
    });
    let root = chain().last().map(ToString::to_string).unwrap_or_default();
    if !is_way {
        return root;
    }
    let way = WAY.get();
    let words = way.map_or_else(|| "the API server".to_owned(), |way| format!("the API server {}", way.words()));
    format!("{words} can't be reached: {root}; {}", next_step(&root, way.and_then(|way| way.proxy.as_deref())))
}

/// Why nobody is logged in, without what a plug-in printed for machines.
pub(super) fn login_failed(error: &AuthError, plugin: &str) -> String {
    match error {
        AuthError::AuthExecStart(error) if error.kind() == ErrorKind::NotFound => format!(
            "the kubeconfig logs in by the plug-in {plugin}, which is not installed here: install it, or use another context"
        ),
        AuthError::AuthExecStart(error) => format!("the kubeconfig's login plug-in {plugin} can't be run: {error}"),
        AuthError::AuthExecRun { out, .. } => {
            let words = String::from_utf8_lossy(&out.stderr);
            let words: String = words.trim().chars().filter(|letter| !letter.is_control()).take(300).collect();
            let words = if words.is_empty() { String::new() } else { format!(": {words}") };
            format!("the kubeconfig's login plug-in {plugin} failed ({}); log in again{words}", out.status)
        }
        AuthError::AuthExecParse(_) | AuthError::ExecPluginFailed => {
            format!("the kubeconfig's login plug-in {plugin} answered with no credentials; log in again")
        }
        AuthError::ReadTokenFile(error, file) => {
            format!("the kubeconfig's token file {} can't be read: {error}", file.display())
        }
        other => format!("the kubeconfig's login can't be used: {other}"),
    }
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

/// What to do about an answer.
fn advice(code: u16, message: &str) -> Option<&'static str> {
    match code {
        401 => Some("the API server doesn't take the credentials of the kubeconfig; log in again"),
        403 if message.contains("system:serviceaccount:") => Some(
            "ask for a Role with that verb; kubectl auth can-i --list shows what the ServiceAccount may do, and the chart's \
             templates/rbac.yaml what the operator needs",
        ),
        403 => Some("ask for a Role with that verb; kubectl auth can-i --list shows what you may do"),
        404 if message.contains("could not find the requested resource") || message.contains("404 page not found") => {
            Some(
                "the kinds of scim-operator.dev are not installed in this cluster; kubectl config current-context tells \
                 which one it is",
            )
        }
        410 => Some("the list has changed too much while it was read; run it again"),
        _ => None,
    }
}

/// What to do where nothing comes through.
fn next_step(root: &str, proxy: Option<&str>) -> String {
    let has = |words: &[&str]| words.iter().any(|word| root.contains(word));
    let step = if has(&["NotValidForName", "not valid for name"]) {
        "its certificate is for another name: correct server or tls-server-name of the kubeconfig"
    } else if has(&["UnknownIssuer", "BadSignature", "CaUsedAsEndEntity"]) {
        "its certificate is of another authority than certificate-authority of the kubeconfig: get the kubeconfig anew, or \
         see whether a proxy answers in its place"
    } else if has(&["Expired", "NotValidYet", "not valid yet"]) {
        "a certificate has expired or isn't valid yet: see the clock, and renew it"
    } else if has(&["received fatal alert"]) {
        "it refuses the kubeconfig's client certificate: log in again, or get the kubeconfig anew"
    } else if let Some(proxy) = proxy {
        return format!(
            "see whether the proxy {proxy} answers and lets this host through; it is that of the kubeconfig's proxy-url or of \
             HTTPS_PROXY or ALL_PROXY, and NO_PROXY excepts hosts from it"
        );
    } else {
        "see whether it runs, and kubectl cluster-info for where it is looked for; without a proxy there, set HTTPS_PROXY"
    };
    step.to_owned()
}
