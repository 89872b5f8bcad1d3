//! Where a key may go: to the servers that were there before a change, or that somebody has named, and to no other.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::{Result, bail};
use scim_operator::api::ScimConnection;
use scim_operator::directory::ConnectionKey;
use scim_operator::provisioner::{base_url, secret_names};
use url::Url;

/// Everybody who could read the key on its way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Way {
    server: String,
    /// Where the key is exchanged for a token.
    token: Option<String>,
    proxy: Option<String>,
    /// The name that the server's certificate must have: whoever has that name may stand at the end of a proxy.
    certificate: Option<String>,
}

impl Way {
    fn of(connection: &ScimConnection) -> Self {
        let spec = &connection.spec;
        let oauth = spec.auth.oauth2_client_credentials.as_ref();
        let url = base_url(spec);
        let server = origin(&url);
        let host = Url::parse(&url).ok().and_then(|url| url.host_str().map(str::to_owned));
        let certificate = spec.tls.as_ref().and_then(|tls| tls.server_name.as_deref()).map(str::to_lowercase);
        // What names the server itself leads nowhere else.
        Self {
            token: oauth.map(|oauth| origin(&oauth.token_url)).filter(|token| *token != server),
            proxy: spec.proxy.as_ref().map(|proxy| origin(&proxy.url)),
            certificate: certificate.filter(|name| Some(name) != host.as_ref()),
            server,
        }
    }

    /// What leads elsewhere than a way that is known, in words; nothing where all of it is on that way too.
    fn beside(&self, known: &Self) -> Option<String> {
        self.parts().into_iter().zip(known.parts()).find_map(|((what, part), (_, known))| {
            part.filter(|part| known != Some(*part)).map(|part| format!("{what} {part}"))
        })
    }

    fn parts(&self) -> [(&'static str, Option<&str>); 4] {
        [
            ("the server", Some(&self.server)),
            ("the token endpoint", self.token.as_deref()),
            ("the proxy", self.proxy.as_deref()),
            ("whoever has the certificate of", self.certificate.as_deref()),
        ]
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.server)?;
        for (what, part) in self.parts().into_iter().skip(1) {
            if let Some(part) = part {
                write!(f, ", {what} {part}")?;
            }
        }
        Ok(())
    }
}

/// Scheme, host and port, with any scheme.
fn origin(text: &str) -> String {
    let Ok(url) = Url::parse(text) else { return text.to_owned() };
    let origin = url.origin();
    if origin.is_tuple() {
        return origin.ascii_serialization();
    }
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
}

/// The ways of keys that were there before a change.
pub struct Known {
    /// Where they were, in words.
    place: &'static str,
    ways: BTreeMap<ConnectionKey, Way>,
    /// Namespaces whose connections nobody could look at; the cluster's have none.
    unseen: BTreeSet<String>,
    /// Which Secrets go to a server: the namespace of each, the server, and the name.
    secrets: BTreeSet<(String, String, String)>,
}

/// The Secrets of a connection, each with the server that it goes to.
fn secrets(key: &ConnectionKey, connection: &ScimConnection) -> impl Iterator<Item = (String, String, String)> {
    let (namespace, server) = (key.namespace.clone(), Way::of(connection).server);
    secret_names(&connection.spec).into_iter().map(move |name| (namespace.clone(), server.clone(), name))
}

impl Known {
    /// Those of these connections, which are in `place`.
    pub fn of(place: &'static str, connections: &BTreeMap<ConnectionKey, ScimConnection>) -> Self {
        let ways = connections.iter().map(|(key, connection)| (key.clone(), Way::of(connection)));
        let secrets = connections.iter().flat_map(|(key, connection)| secrets(key, connection)).collect();
        Self { place, ways: ways.collect(), unseen: BTreeSet::new(), secrets }
    }

    /// There may be more, in these namespaces.
    pub fn but_unseen(self, unseen: BTreeSet<String>) -> Self {
        Self { unseen, ..self }
    }

    /// A change that nobody has looked at sends no key elsewhere than it went before.
    pub fn leads(&self, key: &ConnectionKey, connection: &ScimConnection) -> Result<()> {
        let way = Way::of(connection);
        // A connection of another name is at one of the servers that there were, on one of the ways to it.
        let of_its_server = || {
            let ways = self.ways.values().filter(|known| known.server == way.server);
            ways.map(|known| way.beside(known)).reduce(|one, other| one.and_then(|one| other.map(|_| one)))
        };
        let found = match self.ways.get(key) {
            Some(before) => way.beside(before),
            None => of_its_server().unwrap_or_else(|| Some(format!("the server {}", way.server))),
        };
        let Some(elsewhere) = found else { return Ok(()) };
        if self.unseen.contains(&key.namespace) && !self.ways.contains_key(key) {
            let of =
                if key.is_of_cluster() { "the ClusterScimConnections" } else { "the connections of its namespace" };
            bail!(
                "the connection {key} would send its key to {elsewhere}, and you may not list {of}, so it isn't known whether it does \
                 already: name by --server where the key may go"
            )
        }
        bail!(
            "the connection {key} would send its key to {elsewhere}, and in {} it doesn't: the key is not sent to a server that is new \
             with the change. Once somebody has looked at it, name by --server where the key may go",
            self.place
        )
    }
}

impl Known {
    /// Of the keys that a cluster keeps none goes to the server of another.
    pub fn is_its_secret(&self, key: &ConnectionKey, connection: &ScimConnection) -> Result<()> {
        let Some((_, server, name)) = secrets(key, connection).find(|secret| !self.secrets.contains(secret)) else {
            return Ok(());
        };
        bail!(
            "the connection {key} would send the key in the Secret {name} to the server {server}, and in {} it doesn't: give the key \
             by --key-file, or, once somebody has looked at it, name by --server where it may go",
            self.place
        )
    }
}

/// What somebody has named is all that a key may be sent to.
pub fn are_named(named: &[Url], key: &ConnectionKey, connection: &ScimConnection) -> Result<()> {
    if named.is_empty() {
        return Ok(());
    }
    let origins: Vec<String> = named.iter().map(|url| origin(url.as_str())).collect();
    let hosts: Vec<&str> = named.iter().filter_map(Url::host_str).collect();
    let way = Way::of(connection);
    let parts = way.parts();
    let elsewhere = parts.into_iter().enumerate().find_map(|(place, (what, part))| {
        let is_named =
            |part: &str| if place == 3 { hosts.contains(&part) } else { origins.iter().any(|known| known == part) };
        part.filter(|part| !is_named(part)).map(|part| format!("{what} {part}"))
    });
    match elsewhere {
        None => Ok(()),
        Some(elsewhere) => bail!(
            "the connection {key} would send its key to {elsewhere}, which no --server names; it may go to: {}",
            origins.join(", ")
        ),
    }
}

/// One key is sent to one server.
pub fn are_of_one_server<'c>(connections: impl Iterator<Item = (&'c ConnectionKey, &'c ScimConnection)>) -> Result<()> {
    let all: Vec<_> = connections.map(|(key, connection)| (key, Way::of(connection))).collect();
    let ways: BTreeSet<&Way> = all.iter().map(|(_, way)| way).collect();
    if ways.len() > 1 {
        let named: Vec<String> = all.iter().map(|(key, way)| format!("{key} at {way}")).collect();
        bail!(
            "the key would be sent to {} servers ({}), and it is the key of one: name that connection, and plan for each with its \
             own key",
            ways.len(),
            named.join(", ")
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn connection(spec: &Value) -> ScimConnection {
        let mut whole = json!({"baseUrl": "https://scim.example.com/v2", "auth": {}});
        whole.as_object_mut().unwrap().extend(spec.as_object().cloned().unwrap());
        serde_json::from_value(json!({"metadata": {"name": "c"}, "spec": whole})).unwrap()
    }

    fn oauth(url: &str) -> Value {
        let secret = json!({"name": "key", "key": "secret"});
        json!({"auth": {"oauth2ClientCredentials": {"tokenUrl": url, "clientId": "a", "clientSecretKeyRef": secret}}})
    }

    fn key(name: &str) -> ConnectionKey {
        ConnectionKey { namespace: "default".to_owned(), name: name.to_owned() }
    }

    fn known(all: &[(&str, Value)]) -> Known {
        let all = all.iter().map(|(name, spec)| (key(name), connection(spec)));
        Known::of("--before", &all.collect())
    }

    #[test]
    fn i24_no_part_of_the_way_of_a_key_is_new_with_a_change() {
        let before = known(&[
            ("c", oauth("https://login.example.com/token")),
            ("d", json!({"baseUrl": "https://two.example.com"})),
        ]);
        let refused = |name: &str, spec: Value| match before.leads(&key(name), &connection(&spec)) {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        };
        assert_eq!(refused("c", oauth("https://LOGIN.example.com:443/other")), "", "the same endpoint");
        assert_eq!(refused("c", json!({})), "", "no endpoint is none that is new");
        assert_eq!(refused("renamed", json!({"baseUrl": "https://two.example.com/v2"})), "");
        let evil = |field: &str, value: Value| {
            let mut spec = oauth("https://login.example.com/token");
            spec[field] = value;
            spec
        };
        for (spec, said) in [
            (oauth("https://evil.example/token"), "the token endpoint https://evil.example"),
            (evil("baseUrl", json!("https://evil.example")), "the server https://evil.example"),
            (evil("baseUrl", json!("https://two.example.com")), "the server https://two.example.com"),
            (evil("proxy", json!({"url": "socks5://evil.example:1080"})), "the proxy socks5://evil.example:1080"),
            (evil("tls", json!({"serverName": "evil.example"})), "whoever has the certificate of evil.example"),
        ] {
            let text = refused("c", spec.clone());
            assert!(text.contains(said) && text.contains("--server"), "{spec}: {text}");
            assert!(!refused("renamed", spec.clone()).is_empty() || said.contains("two."), "{spec}");
        }
        let two = known(&[("a", json!({})), ("b", json!({"proxy": {"url": "http://proxy.example.com:3128"}}))]);
        let copy =
            json!({"proxy": {"url": "http://proxy.example.com:3128"}, "tls": {"serverName": "scim.example.com"}});
        assert!(two.leads(&key("copy"), &connection(&copy)).is_ok(), "as one of those at its server");
        let bearer = |name: &str| json!({"auth": {"bearerToken": {"secretKeyRef": {"name": name, "key": "token"}}}});
        let with_key = known(&[("a", bearer("one")), ("b", bearer("two"))]);
        let its = |name: &str| with_key.is_its_secret(&key("new"), &connection(&bearer(name)));
        assert!(its("one").is_ok() && its("two").is_ok(), "keys of that server");
        let text = its("another-servers").unwrap_err().to_string();
        assert!(
            text.contains("the key in the Secret another-servers to the server https://scim.example.com"),
            "{text}"
        );
        let unseen = known(&[]).but_unseen(BTreeSet::from(["default".to_owned()]));
        let text = unseen.leads(&key("c"), &connection(&json!({}))).unwrap_err().to_string();
        assert!(text.contains("you may not list the connections of its namespace"), "{text}");
        assert!(known(&[]).leads(&key("c"), &connection(&json!({}))).is_err(), "nothing is known of any");
    }

    #[test]
    fn i24_what_is_named_is_all_that_a_key_goes_to() {
        let named = ["https://scim.example.com", "https://login.example.com", "http://proxy.example.com:3128"];
        let named: Vec<Url> = named.iter().map(|url| url.parse().unwrap()).collect();
        let goes = |spec: Value| are_named(&named, &key("c"), &connection(&spec)).is_ok();
        assert!(goes(oauth("https://login.example.com/token")) && goes(json!({})));
        assert!(goes(
            json!({"proxy": {"url": "http://proxy.example.com:3128"}, "tls": {"serverName": "Scim.example.com"}})
        ));
        assert!(!goes(oauth("https://evil.example/token")) && !goes(json!({"baseUrl": "https://evil.example"})));
        assert!(!goes(json!({"baseUrl": "http://scim.example.com"})), "another scheme");
        assert!(!goes(json!({"proxy": {"url": "http://evil.example:3128"}})));
        assert!(!goes(json!({"tls": {"serverName": "evil.example"}})));
        assert!(are_named(&[], &key("c"), &connection(&json!({}))).is_ok(), "nothing is named");
    }

    #[test]
    fn i24_one_server_with_two_token_endpoints_is_two() {
        let (a, b) =
            (connection(&oauth("https://login.example.com/token")), connection(&oauth("https://evil.example")));
        let (one, two) = (key("a"), key("b"));
        let text = are_of_one_server([(&one, &a), (&two, &b)].into_iter()).unwrap_err().to_string();
        assert!(text.contains("2 servers") && text.contains("the token endpoint https://evil.example"), "{text}");
        assert!(are_of_one_server([(&one, &a), (&two, &a)].into_iter()).is_ok());
    }
}
