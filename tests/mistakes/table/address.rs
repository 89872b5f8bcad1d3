//! Rows of the table: the address.

use super::{Mistake, row};

pub const ADDRESS: &[Mistake] = &[
    row(
        "users-in-url",
        "`baseUrl` ends with `/Users`",
        "…leave /Users and /Groups out of the URL: write what stands before them, such as https://scim.example.com/scim/v2",
        "Write what stands before it.",
    ),
    row(
        "no-version-in-url",
        "`baseUrl` lacks `/v2`",
        "NotFound: GET /Users: the server answered 404…; most SCIM addresses end with a version, such as /scim/v2, and this one has \
         none",
        "Look the address up at the service.",
    ),
    row(
        "plain-http",
        "`http` in place of `https`",
        "…write https://; http:// only for localhost, 127.0.0.1 or [::1]",
        "Write `https`: the key would be readable on the network.",
    ),
    row(
        "https-to-http",
        "`https`, where the server has plain HTTP",
        "Unreachable: GET /Users: the server doesn't speak TLS at this port; check the host, the port and the network policy",
        "Find the port that has TLS. For a server on the same host see `--allow-loopback-http`.",
    ),
    row(
        "key-in-url",
        "The key stands in `baseUrl`",
        "…leave user, password and fragment out of the URL; the key belongs into a Secret that spec.auth refers to",
        "Put it into a Secret.",
    ),
    row(
        "misspelt-field",
        "A field is misspelt",
        "…unknown field \"spec.baseURL\"…",
        "Look it up: `kubectl explain scimconnection.spec`.",
    ),
    row(
        "unknown-host",
        "The host's name is misspelt",
        "Unresolvable: GET /Users: …dns error…; check the host, the port and the network policy",
        "Correct `baseUrl`, or the cluster's DNS.",
    ),
    row(
        "nobody-listens",
        "The port is wrong, or a firewall or network policy is in the way",
        "Unreachable: GET /Users: …; check the host, the port and the network policy",
        "Allow egress from the operator's namespace to that host.",
    ),
    row(
        "own-authority",
        "The server's certificate is of a private authority",
        "TlsFailed: GET /Users: …certificate…; check the server's certificate; spec.tls.caBundle names a CA of your own, \
         spec.tls.serverName another name",
        "Give the authority by `tls.caBundle`.",
    ),
    row(
        "password-in-proxy-url",
        "The proxy's password stands in its URL",
        "…write scheme, host and port alone, such as http://proxy.example.com:3128; the credentials belong into a Secret that \
         proxy.basic refers to",
        "Put it into a Secret.",
    ),
    row(
        "proxy-password",
        "The proxy of `spec.proxy` refuses its password",
        "Unreachable: GET /Users: …; requests go by the proxy http://127.0.0.1:… (spec.proxy)",
        "Put the right one into the Secret of `proxy.basic`; it is used at once.",
    ),
    row(
        "environment-proxy",
        "The proxy that `HTTPS_PROXY` names doesn't answer, or doesn't lead to the server",
        "Unreachable: GET /Users: …; requests go by the proxy http://127.0.0.1:1 (HTTPS_PROXY or ALL_PROXY of the environment, from \
         which NO_PROXY excepts hosts); check the host, the port and the network policy",
        "Correct it in the chart's `extraEnv`, or add the server's host to `NO_PROXY` there.",
    ),
    row(
        "proxy-host",
        "The Secret of the proxy's password is bound to other hosts",
        "HostNotAllowed: the annotation scim-operator.dev/hosts of the Secret proxy doesn't allow the host 127.0.0.1",
        "Add the proxy's host there, and not the server's.",
    ),
    row("ipv6-only", "The server has an IPv6 address alone", "Connected: the server answered as SCIM", "Nothing."),
];
