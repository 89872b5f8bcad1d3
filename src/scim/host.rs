//! Where a key may be sent.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use url::{Host, Url};

/// Plain HTTP to this very host.
pub fn is_loopback_http(url: &Url) -> bool {
    url.scheme() == "http"
        && match url.host() {
            Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
}

/// Where the cluster's own API server is: by the kubeconfig, and as each pod is told. A node may serve other things at
/// other ports, so that a port belongs to each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiServer {
    ends: Vec<(Host<String>, u16)>,
}

impl ApiServer {
    /// The server at `url`, and the one that the environment names.
    pub fn at(url: &str) -> Self {
        let host = std::env::var("KUBERNETES_SERVICE_HOST").unwrap_or_default();
        let port = std::env::var("KUBERNETES_SERVICE_PORT").unwrap_or_else(|_| "443".to_owned());
        let bracketed = if host.contains(':') { format!("[{host}]") } else { host };
        Self::of(&[url.to_owned(), format!("https://{bracketed}:{port}")])
    }

    fn of(urls: &[String]) -> Self {
        let end = |url: &String| {
            let url = Url::parse(url).ok()?;
            Some((url.host()?.to_owned(), url.port_or_known_default()?))
        };
        Self { ends: urls.iter().filter_map(end).collect() }
    }

    /// Whether the URL names it, as it is written.
    fn is_named_by(&self, url: &Url) -> bool {
        let port = url.port_or_known_default();
        self.ends.iter().any(|(host, own)| Some(*own) == port && url.host().is_some_and(|other| same(host, &other)))
    }

    /// What its names lead to now, and its addresses.
    async fn addresses(&self) -> Vec<SocketAddr> {
        let mut all = Vec::new();
        for (host, port) in &self.ends {
            match host {
                Host::Domain(name) => {
                    all.extend(tokio::net::lookup_host((name.as_str(), *port)).await.into_iter().flatten());
                }
                Host::Ipv4(address) => all.push(SocketAddr::new(IpAddr::V4(*address), *port)),
                Host::Ipv6(address) => all.push(SocketAddr::new(IpAddr::V6(*address), *port)),
            }
        }
        all
    }
}

fn same(one: &Host<String>, other: &Host<&str>) -> bool {
    let address = |host: &Host<String>| match host {
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some(IpAddr::V4(*address)),
        Host::Ipv6(address) => Some(IpAddr::V6(*address).to_canonical()),
    };
    let other = other.to_owned();
    match (one, &other) {
        (Host::Domain(one), Host::Domain(other)) => {
            one.trim_end_matches('.').eq_ignore_ascii_case(other.trim_end_matches('.'))
        }
        (one, other) => address(one).is_some() && address(one) == address(other),
    }
}

/// Why a host never gets a key, if so: link-local addresses are where clouds keep their own credentials.
pub fn forbidden_host(url: &Url, api_server: &ApiServer) -> Option<&'static str> {
    const API_SERVER: &str = "a key is never sent to the cluster's own API server";
    if api_server.is_named_by(url) {
        return Some(API_SERVER);
    }
    let address = match url.host()? {
        Host::Domain(name) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            return (name == "kubernetes" || name.starts_with("kubernetes.default")).then_some(API_SERVER);
        }
        Host::Ipv4(address) => IpAddr::V4(address),
        Host::Ipv6(address) => IpAddr::V6(address),
    };
    is_never_a_server(address).then_some("a key is never sent to a link-local, metadata or unspecified address")
}

/// Where clouds tell machines their credentials, beside the link-local ones: Alibaba, Azure, Oracle, AWS.
const METADATA: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

/// Link-local (RFC 3927, RFC 4291 §2.5.6), metadata or unspecified, mapped ones and those behind NAT64 (RFC 6052) too.
fn is_never_a_server(address: IpAddr) -> bool {
    let address = match address.to_canonical() {
        IpAddr::V6(six) if six.segments()[..6] == [0x64, 0xff9b, 0, 0, 0, 0] => {
            let [.., a, b, c, d] = six.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        other => other,
    };
    address.is_unspecified()
        || METADATA.contains(&address)
        || match address {
            IpAddr::V4(address) => address.is_link_local(),
            IpAddr::V6(address) => address.is_unicast_link_local(),
        }
}

/// Whether the URL's name is known here to lead to addresses that never get a key alone.
pub async fn leads_to_forbidden(url: &Url, api_server: &ApiServer) -> bool {
    let Some(Host::Domain(name)) = url.host() else { return false };
    Resolver::new(api_server.clone(), [url]).allowed(name).await.is_err_and(|why| why == FORBIDDEN)
}

const FORBIDDEN: &str =
    "dns error: the name leads to the cluster's own API server, or to link-local or metadata addresses";

/// The system's resolver, less the addresses that never get a key: asked right before each connection, so that a name
/// which leads elsewhere by then doesn't pass.
pub(super) struct Resolver {
    api_server: ApiServer,
    /// What the client connects to: the port isn't told with a name.
    ports: Vec<u16>,
}

impl Resolver {
    pub(super) fn new<'a>(api_server: ApiServer, urls: impl IntoIterator<Item = &'a Url>) -> Self {
        Self { api_server, ports: urls.into_iter().filter_map(Url::port_or_known_default).collect() }
    }

    async fn allowed(&self, name: &str) -> Result<Vec<SocketAddr>, String> {
        let found = tokio::net::lookup_host((name, 0)).await.map_err(|error| format!("dns error: {error}"))?;
        let own = self.api_server.addresses().await;
        let refused = |address: IpAddr| {
            let address = address.to_canonical();
            is_never_a_server(address)
                || own.iter().any(|own| own.ip().to_canonical() == address && self.ports.contains(&own.port()))
        };
        let allowed: Vec<_> = found.filter(|address| !refused(address.ip())).collect();
        if allowed.is_empty() {
            return Err(FORBIDDEN.into());
        }
        Ok(allowed)
    }
}

impl reqwest::dns::Resolve for Resolver {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let own = Self { api_server: self.api_server.clone(), ports: self.ports.clone() };
        Box::pin(async move {
            let addresses: reqwest::dns::Addrs = Box::new(own.allowed(name.as_str()).await?.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn api_server(ends: &[&str]) -> ApiServer {
        ApiServer::of(&ends.iter().map(|end| (*end).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn i24_link_local_addresses_never_get_a_key() {
        for target in [
            "https://169.254.169.254/scim",
            "https://[fe80::1]/",
            "https://[::ffff:169.254.169.254]/",
            "https://[64:ff9b::169.254.169.254]/",
            "https://0xA9FEA9FE/",
            "https://[fd00:ec2::254]/",
            "https://100.100.100.200/",
            "https://0.0.0.0/",
        ] {
            assert!(forbidden_host(&url(target), &ApiServer::default()).is_some(), "{target}");
        }
        assert!(forbidden_host(&url("https://example.com/"), &ApiServer::default()).is_none());
        assert!(is_loopback_http(&url("http://127.0.0.1:80/")));
        assert!(!is_loopback_http(&url("http://127.0.0.1.example.com/")));
    }

    #[test]
    fn i24_the_api_server_never_gets_a_key_by_name_or_address() {
        let own = api_server(&["https://api.example.com:6443", "https://10.96.0.1:443", "https://[fd12::1]:443"]);
        for target in [
            "https://10.96.0.1/scim",
            "https://[::ffff:10.96.0.1]:443/",
            "https://167772160.0.0.1/",
            "https://[fd12:0::1]/",
            "https://API.example.com.:6443/",
            "https://kubernetes/",
            "https://kubernetes.default.svc./",
        ] {
            let Ok(target) = Url::parse(target) else { continue };
            assert!(forbidden_host(&target, &own).is_some(), "{target}");
        }
        // What else is served there is somebody else's.
        assert!(forbidden_host(&url("https://api.example.com/scim"), &own).is_none());
    }

    #[tokio::test]
    async fn i24_a_name_that_leads_to_the_api_server_is_refused_when_it_is_connected_to() {
        let target = url("https://localhost:6443/");
        for own in ["https://127.0.0.1:6443", "https://localhost:6443"] {
            let own = api_server(&[own, "https://[::1]:6443"]);
            let refused = Resolver::new(own.clone(), [&target]).allowed("localhost").await;
            assert!(refused.is_err_and(|why| why.contains("API server")));
            assert!(Resolver::new(own, [&url("https://localhost:443/")]).allowed("localhost").await.is_ok());
        }
    }
}
