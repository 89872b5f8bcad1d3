//! Which hosts a key may be sent to, as its Secret and the operator say (promise I24).

use url::Url;

use super::refusal::Refusal;
use crate::api::{ConnectedReason, HOSTS};

/// A Secret that says which hosts its keys may be sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Its name.
    pub secret: String,
    /// These hosts.
    pub hosts: Vec<String>,
    /// Its keys are sent to the proxy, and not to the server.
    pub to_proxy: bool,
}

impl Bound {
    /// Why the key may not be sent to the server, with its token endpoint, or the proxy. `name` is the one that the server's
    /// certificate must have where that isn't its host: whoever has it may stand behind a proxy.
    pub fn check<'a>(
        &self,
        server: impl IntoIterator<Item = &'a Url>,
        proxy: Option<&'a Url>,
        name: Option<&str>,
    ) -> Result<(), Refusal> {
        let by = format!("the annotation {HOSTS} of the Secret {}", self.secret);
        if self.hosts.is_empty() {
            let message = format!("{by} is empty, so it allows no host");
            return Err(Refusal::new(ConnectedReason::HostNotAllowed, message));
        }
        let targets: Vec<&Url> = if self.to_proxy { proxy.into_iter().collect() } else { server.into_iter().collect() };
        targets.into_iter().try_for_each(|url| check_host(url, &self.hosts, &by))?;
        match name.filter(|name| !self.to_proxy && !is_among(name, &self.hosts)) {
            None => Ok(()),
            Some(name) => {
                let message = format!("{by} doesn't allow spec.tls.serverName, {name}");
                Err(Refusal::new(ConnectedReason::HostNotAllowed, message))
            }
        }
    }
}

/// Whether a key may be sent to this host, by a list that `by` names.
pub fn check_host(url: &Url, allowed: &[String], by: &str) -> Result<(), Refusal> {
    let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
    if allowed.is_empty() || is_among(&host, allowed) {
        return Ok(());
    }
    Err(Refusal::new(ConnectedReason::HostNotAllowed, format!("{by} doesn't allow the host {host}")))
}

/// Whether one of the patterns fits a host.
fn is_among(host: &str, allowed: &[String]) -> bool {
    let host = host.to_ascii_lowercase();
    allowed.iter().any(|pattern| match pattern.strip_prefix("*.") {
        Some(domain) => host.ends_with(&format!(".{}", domain.to_ascii_lowercase())),
        None => host == pattern.to_ascii_lowercase(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i24_a_key_goes_to_no_other_host_than_its_secret_names() {
        let url = |text: &str| Url::parse(text).expect("a URL");
        let bound = |hosts: &[&str]| Bound {
            secret: "key".to_owned(),
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            to_proxy: false,
        };
        let allows = |hosts: &[&str], text: &str| bound(hosts).check([&url(text)], None, None).is_ok();
        assert!(allows(&["scim.example.com"], "https://SCIM.example.com/v2"));
        assert!(allows(&["*.example.com"], "https://scim.example.com/v2"));
        assert!(!allows(&["example.com"], "https://evilexample.com/v2"));
        assert!(!allows(&["*.example.com"], "https://evilexample.com/v2"));
        assert!(!allows(&[], "https://scim.example.com/v2"), "it names none");
    }

    #[test]
    fn i24_no_other_certificate_than_those_of_the_hosts_is_trusted_with_a_key() {
        let url = Url::parse("https://scim.example.com").expect("a URL");
        let proxy = Url::parse("http://proxy.example.net:3128").expect("a URL");
        let hosts = vec!["*.example.com".to_owned()];
        let bound = Bound { secret: "key".to_owned(), hosts, to_proxy: false };
        let checked = |name| bound.check([&url], Some(&proxy), Some(name));
        assert!(checked("SCIM2.example.com").is_ok());
        let refused = checked("evil.example").expect_err("whoever runs the proxy would get the key");
        assert!(refused.message.contains("doesn't allow spec.tls.serverName, evil.example"), "{}", refused.message);
        let of_proxy = Bound { hosts: vec!["proxy.example.net".to_owned()], to_proxy: true, ..bound };
        assert!(
            of_proxy.check([&url], Some(&proxy), Some("evil.example")).is_ok(),
            "its password goes to the proxy alone"
        );
    }
}
