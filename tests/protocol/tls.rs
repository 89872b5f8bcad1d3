//! Mutual TLS, and names of certificates, against a server that insists on both.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use scim_operator::scim::{
    Class, Client, ClientCertificate, ClientConfig, ConfigError, Credentials, Error, Exchange, Profile, Trust,
};

use crate::soon;
use crate::support::{Authority, Front, Sandbox, eventually};

fn config(base_url: &str, credentials: Credentials, trust: Trust) -> ClientConfig {
    ClientConfig {
        base_url: base_url.parse().unwrap(),
        credentials,
        trust,
        proxy: None,
        connect_timeout: Duration::from_secs(5),
        request_timeout: Duration::from_secs(20),
        profile: Profile::generic(),
        user_agent: "scim-operator-test".into(),
    }
}

fn shown(chain: &str, key: &str) -> Credentials {
    Credentials::Certificate(ClientCertificate { chain: chain.into(), key: key.as_bytes().to_vec().into() })
}

fn trusting(authority: &Authority, name: Option<&str>) -> Trust {
    Trust { ca_bundle: Some(authority.pem.clone().into()), server_name: name.map(str::to_owned) }
}

fn front(sandbox: &Sandbox, server: rustls::ServerConfig) -> Front {
    Front::before(&sandbox.base_url, &sandbox.token).tls_as(server).open()
}

/// What a client is refused with. In TLS 1.3 the server hears of the certificate after the client has begun to talk,
/// and what it says of it can be lost with the connection.
async fn refused(client: &Client) -> Error {
    eventually(Duration::from_secs(30), "the server's word on the certificate", async || {
        let error = client.probe(soon()).await.unwrap_err();
        if error.class() == Class::Transient { Err(error) } else { Ok(error) }
    })
    .await
}

#[tokio::test]
async fn a_client_certificate_opens_what_asks_for_one() {
    let (sandbox, authority) = (Sandbox::start(), Authority::new());
    let front = front(&sandbox, authority.server(&["127.0.0.1"]));
    let (chain, key) = authority.certificate(&["scim-operator"]);
    let client = Client::new(config(&front.base_url, shown(&chain, &key), trusting(&authority, None))).unwrap();
    crate::a_life(&client, false).await;
    assert!(!format!("{:?}", shown(&chain, &key)).contains("PRIVATE"));

    let bearer = Credentials::Bearer("a token".to_owned().into());
    let client = Client::new(config(&front.base_url, bearer, trusting(&authority, None))).unwrap();
    let error = refused(&client).await;
    assert_eq!(error.class(), Class::Credential, "{error}");
    assert!(error.to_string().contains("spec.auth.clientCertificate"), "{error}");

    let (chain, key) = Authority::new().certificate(&["scim-operator"]);
    let client = Client::new(config(&front.base_url, shown(&chain, &key), trusting(&authority, None))).unwrap();
    let error = refused(&client).await;
    assert_eq!(error.class(), Class::Credential, "{error}");
    assert!(error.to_string().contains("client certificate"), "{error}");
}

#[test]
fn a_broken_client_certificate_is_named_and_not_quoted() {
    let authority = Authority::new();
    let (chain, key) = authority.certificate(&["scim-operator"]);
    let (_, other) = authority.certificate(&["scim-operator"]);
    let half = &key[..key.len() / 2];
    let url = "https://127.0.0.1/scim";
    for (chain, key, says) in [
        ("", key.as_str(), "tls.crt"),
        ("-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----\n", &key, "tls.crt"),
        (&chain, "", "tls.key"),
        (&chain, half, "tls.key"),
        (&chain, &other, "client certificate"),
    ] {
        let error = Client::new(config(url, shown(chain, key), Trust::default())).unwrap_err();
        assert!(matches!(error, ConfigError::ClientCertificate(_)) && error.is_of_the_key(), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(says) && !text.contains("PRIVATE"), "{text}");
    }
}

#[tokio::test]
async fn a_servers_certificate_may_have_another_name_that_is_named() {
    let (sandbox, authority) = (Sandbox::start(), Authority::new());
    let front = front(&sandbox, authority.server(&["scim.example.com"]));
    let (chain, key) = authority.certificate(&["scim-operator"]);
    let probe = async |name| {
        let config = config(&front.base_url, shown(&chain, &key), trusting(&authority, name));
        Client::new(config).unwrap().probe(soon()).await.map_err(|error| error.class())
    };
    assert_eq!(probe(None).await.err(), Some(Class::Tls));
    assert_eq!(probe(Some("other.example.com")).await.err(), Some(Class::Tls));
    assert!(probe(Some("scim.example.com")).await.is_ok());
    let nameless = config(&front.base_url, shown(&chain, &key), trusting(&authority, Some("-")));
    assert!(matches!(Client::new(nameless).unwrap_err(), ConfigError::ServerName));
}

#[tokio::test]
async fn i19_an_answer_to_a_read_may_say_that_nothing_remains() {
    let sandbox = Sandbox::start();
    let front = Front::before(&sandbox.base_url, &sandbox.token).open();
    let told = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&told);
    let observer = Arc::new(move |seen: Exchange| noted.lock().unwrap().push((seen.status, seen.pause)));
    let client = crate::client(&front.base_url, "any", Profile::generic()).observed(observer);
    client.probe(soon()).await.unwrap();
    front.spend();
    client.probe(soon()).await.unwrap();
    assert_eq!(*told.lock().unwrap(), [(Some(200), None), (Some(200), Some(Duration::from_secs(3600)))]);
}
