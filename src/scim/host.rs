//! Where a key may be sent.

use std::net::IpAddr;

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

/// Why a host never gets a key, if so: link-local addresses are where clouds keep their own credentials.
pub fn forbidden_host(url: &Url) -> Option<&'static str> {
    let address = match url.host()? {
        Host::Domain(name) => {
            let name = name.to_ascii_lowercase();
            let api_server = name == "kubernetes" || name.starts_with("kubernetes.default");
            return api_server.then_some("a key is never sent to the cluster's own API server");
        }
        Host::Ipv4(address) => IpAddr::V4(address),
        Host::Ipv6(address) => IpAddr::V6(address),
    };
    is_link_local(address).then_some("a key is never sent to a link-local or unspecified address")
}

/// Link-local (RFC 3927, RFC 4291 §2.5.6), mapped ones too, or unspecified.
pub(super) fn is_link_local(address: IpAddr) -> bool {
    let address = address.to_canonical();
    address.is_unspecified()
        || match address {
            IpAddr::V4(address) => address.is_link_local(),
            IpAddr::V6(address) => address.is_unicast_link_local(),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i24_link_local_addresses_never_get_a_key() {
        for url in [
            "https://169.254.169.254/scim",
            "https://[fe80::1]/",
            "https://[::ffff:169.254.169.254]/",
            "https://0.0.0.0/",
        ] {
            assert!(forbidden_host(&Url::parse(url).unwrap()).is_some(), "{url}");
        }
        assert!(forbidden_host(&Url::parse("https://example.com/").unwrap()).is_none());
        assert!(is_loopback_http(&Url::parse("http://127.0.0.1:80/").unwrap()));
        assert!(!is_loopback_http(&Url::parse("http://127.0.0.1.example.com/").unwrap()));
    }
}
