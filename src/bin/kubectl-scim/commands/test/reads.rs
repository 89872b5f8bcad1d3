//! What reads tell: the way there, the key, the shape, and what the server says of itself.

use std::net::SocketAddr;
use std::time::Duration;

use scim_operator::api::ConnectedReason;
use scim_operator::provisioner::{overrides, refusal, token_url};
use scim_operator::scim::{Class, Error, ObservedQuirks, Page, Profile, environment_proxy, is_loopback_http, searches};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use url::Url;

use super::{Step, took};
use crate::server::Server;

/// One after the other, and the dialect with what the server says of itself; what can't be known after a failure is left
/// out.
pub(super) async fn steps(server: &Server) -> (Vec<Step>, Option<Profile>) {
    let mut steps = vec![Step::good("address", server.url.as_str())];
    let (of_server, of_token) = (
        Way { resolve: "resolve", connect: "connect", field: "spec.baseUrl" },
        Way {
            resolve: "token endpoint",
            connect: "token endpoint",
            field: "spec.auth.oauth2ClientCredentials.tokenUrl",
        },
    );
    let token = server.connection.spec.auth.oauth2_client_credentials.as_ref().and_then(|oauth| token_url(oauth).ok());
    let token = token.filter(|token| token.origin() != server.url.origin());
    for (url, way) in [(Some(&server.url), of_server), (token.as_ref(), of_token)] {
        let Some(url) = url else { continue };
        if let Some(proxy) = proxy_of(server, url) {
            steps.push(Step::note(way.resolve, format!("by {proxy}, which connects too")));
        } else if !is_reached(server, url, &way, &mut steps).await {
            return (steps, None);
        }
    }
    let began = Instant::now();
    let deadline = server.read().await;
    let page = match server.client.probe(deadline).await {
        Ok(page) => page,
        Err(error) => {
            steps.extend(failed(server, &error));
            return (steps, None);
        }
    };
    trusted(server, &mut steps);
    steps.push(Step::good("credential", "the server takes the key"));
    steps.push(Step::good("SCIM", format!("the answer is a SCIM list, after {}", took(began.elapsed()))));
    steps.push(permission(&page));
    steps.push(rate_limit(server).await);
    let (profile, more) = discovery(server, &page).await;
    steps.extend(more);
    steps.push(key_owner(server, &profile).await);
    (steps, Some(profile))
}

/// The proxy that requests to the server go by, as the client chooses it: the name is resolved there.
fn proxy_of(server: &Server, to: &Url) -> Option<String> {
    if is_loopback_http(to) {
        return None;
    }
    if let Some(proxy) = &server.connection.spec.proxy {
        let url = Url::parse(&proxy.url).ok()?;
        return Some(format!("the proxy of spec.proxy, {}", url.host_str().unwrap_or_default()));
    }
    Some(format!("the proxy of the environment, {}", environment_proxy(to)?))
}

/// How the steps to a host are called, and the field that names it.
struct Way {
    resolve: &'static str,
    connect: &'static str,
    field: &'static str,
}

/// Its name leads to addresses, and its port answers.
async fn is_reached(server: &Server, url: &Url, way: &Way, steps: &mut Vec<Step>) -> bool {
    let Some(addresses) = resolve(url, way, steps).await else { return false };
    connect(server, way, &addresses, steps).await
}

async fn resolve(url: &Url, way: &Way, steps: &mut Vec<Step>) -> Option<Vec<SocketAddr>> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = url.port_or_known_default().unwrap_or(443);
    match tokio::net::lookup_host((host, port)).await {
        Ok(found) => {
            let addresses: Vec<SocketAddr> = found.collect();
            let shown: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
            steps.push(Step::good(way.resolve, format!("{host} is {}", shown.join(", "))));
            Some(addresses)
        }
        Err(error) => {
            let todo = format!("correct {}, or the DNS of this machine (the operator asks the cluster's)", way.field);
            steps.push(Step::bad(way.resolve, format!("{host} does not resolve: {error}"), todo));
            None
        }
    }
}

async fn connect(server: &Server, way: &Way, addresses: &[SocketAddr], steps: &mut Vec<Step>) -> bool {
    let patience = server.connection.spec.timeouts.connect.std().max(Duration::from_secs(1));
    let began = Instant::now();
    let step = match timeout(patience, TcpStream::connect(addresses)).await {
        Ok(Ok(_)) => Step::good(way.connect, format!("the port answers after {}", took(began.elapsed()))),
        Ok(Err(error)) => Step::bad(way.connect, error.to_string(), "check the port, firewalls and network policies"),
        Err(_) => Step::bad(
            way.connect,
            format!("no answer within {}", took(patience)),
            "check firewalls and network policies",
        ),
    };
    let good = step.verdict == super::Verdict::Good;
    steps.push(step);
    good
}

fn trusted(server: &Server, steps: &mut Vec<Step>) {
    if server.url.scheme() == "https" {
        steps.push(Step::good("TLS", "the certificate is trusted"));
    } else {
        steps.push(Step::note("TLS", "none: plain HTTP on this machine"));
    }
}

/// What a failed list says of the steps before it, and the one at which it failed.
fn failed(server: &Server, error: &Error) -> Vec<Step> {
    let mut steps = Vec::new();
    let refusal = refusal(error);
    let answered = error.status().is_some();
    if answered {
        trusted(server, &mut steps);
    }
    let what = match refusal.reason {
        ConnectedReason::TlsFailed => "TLS",
        ConnectedReason::CredentialsRejected => "credential",
        ConnectedReason::Forbidden => "permission",
        ConnectedReason::NotScim | ConnectedReason::NotFound => "SCIM",
        ConnectedReason::Throttled => "rate limit",
        ConnectedReason::Unresolvable => "resolve",
        ConnectedReason::Unreachable => "connect",
        _ => "list",
    };
    if what == "permission" {
        steps.push(Step::good("credential", "the server takes the key"));
    }
    let todo = match error.class() {
        Class::Transient => "the server failed; try again later",
        Class::Timeout => "the server is slow or unreachable; try again, or give spec.timeouts more",
        // The sentence has it.
        _ => "",
    };
    steps.push(Step::bad(what, refusal.message, todo));
    steps
}

fn permission(page: &Page) -> Step {
    let shown = page.total.map_or_else(
        || "users can be listed".to_owned(),
        |total| format!("users can be listed; the server says it has {total}"),
    );
    Step::good("permission", shown)
}

async fn rate_limit(server: &Server) -> Step {
    let deadline = server.read().await;
    match server.client.rate_headers(deadline).await {
        Ok(headers) if headers.is_empty() => Step::note("rate limit", "the server tells none in its answers"),
        Ok(headers) => {
            let told: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            Step::good("rate limit", told.join(", "))
        }
        Err(error) => {
            server.pause(error.retry_after());
            Step::note("rate limit", error.to_string())
        }
    }
}

/// What the server says of itself, the profile with it, and where the dialect expects something else.
async fn discovery(server: &Server, page: &Page) -> (Profile, Vec<Step>) {
    let mut steps = Vec::new();
    let mut config = scim_operator::scim::ServerConfig::default();
    if server.profile.discovery {
        let deadline = server.read().await;
        match server.client.server_config(deadline).await {
            Ok(told) => {
                config = told;
                let yes = |says: Option<bool>| says.map_or("unsaid", |says| if says { "yes" } else { "no" });
                let page = config.max_results.map_or_else(|| "unsaid".to_owned(), |most| most.to_string());
                steps.push(Step::good(
                    "discovery",
                    format!(
                        "PATCH {}, filters {}, ETags {}, most on a page {page}, pages by {}",
                        yes(config.patch),
                        yes(config.filter),
                        yes(config.etag),
                        config.pagination().unwrap_or_else(|| "unsaid".to_owned())
                    ),
                ));
            }
            Err(error) => {
                steps.push(Step::note("discovery", format!("the server does not say what it can do: {error}")));
            }
        }
        if server.profile.learns && server.profile.attributes.is_none() {
            let deadline = server.read().await;
            config.attributes = server.client.listed_attributes(deadline).await.unwrap_or_default();
            let found = config.attributes.as_ref().map_or_else(
                || "no attribute is missing".to_owned(),
                |places| format!("{} attributes have a place; the others are not sent", places.len()),
            );
            steps.push(Step::good("schemas", found));
        }
    } else {
        steps.push(Step::note("discovery", "not asked for: what this provider does is known"));
    }
    let profile = config.teach(&server.profile, overrides(&server.connection.spec));
    let mut seen = ObservedQuirks::default();
    let shown = page.resources.len() as u64;
    seen.page(1, shown, shown, page.total);
    if searches(&profile) {
        let deadline = server.read().await;
        let answer = server.client.find_nobody(deadline).await;
        server.pause(answer.as_ref().err().and_then(Error::retry_after));
        seen.search(&answer);
    }
    let mut differs = config.differs(&profile);
    differs.extend(seen.differs(&profile));
    steps.extend(differs.into_iter().map(|note| {
        let (found, todo) = note
            .split_once(": set ")
            .map_or((note.as_str(), String::new()), |(found, set)| (found, format!("set {set}")));
        Step::note("dialect", found).todo(todo)
    }));
    (profile, steps)
}

async fn key_owner(server: &Server, profile: &Profile) -> Step {
    let unknown = "name the key's owner in spec.guards.protected";
    if !profile.me {
        return Step::note("key owner", "this provider does not tell").todo(unknown);
    }
    let deadline = server.read().await;
    match server.client.me(deadline).await {
        Ok(me) => {
            let name = me.user_name().map(|name| format!(" ({name})")).unwrap_or_default();
            Step::good("key owner", format!("{}{name}, who is protected", me.id().unwrap_or_default()))
        }
        Err(_) => Step::note("key owner", "the server does not tell").todo(unknown),
    }
}
