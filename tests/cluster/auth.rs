//! Keys of every kind, and whom the operator trusts with them.

use base64::Engine as _;
use serde_json::{Value, json};

use crate::kit::{Place, condition};
use crate::support::{Authority, Front, Scim2Server};

fn labelled(name: &str, data: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "stringData": data,
        "metadata": {"name": name, "labels": {"scim-operator.dev/credentials": "true"}},
    })
}

#[tokio::test]
async fn basic_authentication_is_sent_as_rfc_7617_has_it() {
    let tenant = Scim2Server::shared().await.tenant();
    let pair = base64::engine::general_purpose::STANDARD.encode("svc:p:ss wörd");
    let front =
        Front::before(&tenant.base_url, &tenant.token).asking_for("authorization", &format!("Basic {pair}")).open();
    let place = Place::new().await;
    place.apply(labelled("key", json!({"name": "svc", "password": "mistyped"})));
    let password = json!({"name": "key", "key": "password"});
    let auth = json!({"basic": {"username": "svc", "passwordSecretKeyRef": password}});
    place.apply(place.generic(&front.base_url, json!({"auth": auth})));
    place.connection_is("CredentialsRejected").await;
    // The newline that an editor leaves at the end is not part of a password.
    place.apply(labelled("key", json!({"name": "svc", "password": "p:ss wörd\n"})));
    place.connection_is("Connected").await;
    place.user("ada", json!({}));
    place.synced("ada").await;

    let name = json!({"name": "key", "key": "name"});
    let auth = json!({"basic": {"usernameSecretKeyRef": name, "passwordSecretKeyRef": password}});
    place.apply(place.generic(&front.base_url, json!({"auth": auth})));
    place.user("ada", json!({"title": "Officer"}));
    let id = place.synced("ada").await;
    assert_eq!(tenant.scim("GET", &format!("/Users/{id}"), None).await.1["title"], "Officer");
}

#[tokio::test]
async fn a_header_of_the_servers_own_carries_the_key() {
    let tenant = Scim2Server::shared().await.tenant();
    let front = Front::before(&tenant.base_url, &tenant.token).asking_for("x-api-key", "the-key").open();
    let place = Place::new().await;
    place.apply(labelled("key", json!({"api": "another", "customer": "acme"})));
    let headers = json!([
        {"name": "X-Api-Key", "secretKeyRef": {"name": "key", "key": "api"}},
        {"name": "X-Customer", "secretKeyRef": {"name": "key", "key": "customer"}},
    ]);
    place.apply(place.generic(&front.base_url, json!({"auth": {"headers": headers}})));
    place.connection_is("CredentialsRejected").await;
    place.apply(labelled("key", json!({"api": "the-key", "customer": "acme"})));
    place.connection_is("Connected").await;
    place.user("ada", json!({}));
    place.synced("ada").await;
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_when_named() {
    let tenant = Scim2Server::shared().await.tenant();
    let place = Place::new().await;
    let (certificate, key) = place.cluster.certificate();
    let front = Front::before(&tenant.base_url, &tenant.token)
        .asking_for("authorization", &format!("Bearer {}", tenant.token))
        .tls(&certificate, &key)
        .open();
    let pem = std::fs::read_to_string(certificate).expect("the certificate");
    place.secret(&tenant.token);
    place.apply(place.generic(&front.base_url, json!({})));
    let message = place.connection_is("TlsFailed").await;
    assert!(message.contains("spec.tls.caBundle"), "{message}");
    assert_eq!(condition(&place.get_connection().await, "Stalled")["status"], "True");
    assert_eq!(front.take(), [], "the key was sent to a server that is not trusted");

    let from_map = json!({"caBundle": {"configMapKeyRef": {"name": "ca", "key": "ca.crt"}}});
    place.apply(place.generic(&front.base_url, json!({"tls": from_map})));
    let message = place.connection_is("SecretKeyMissing").await;
    assert!(message.contains("the ConfigMap") && message.contains("ca.crt"), "{message}");
    let map = |data: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ca"}, "data": {"ca.crt": data}});
    place.apply(map("not a certificate"));
    let message = place.connection_is("TlsFailed").await;
    assert!(message.contains("PEM"), "{message}");
    place.apply(map(&pem));
    place.connection_is("Connected").await;
    place.user("ada", json!({}));
    place.synced("ada").await;

    // From a Secret, which like every other one must say that it is meant for this.
    let from_secret = json!({"caBundle": {"secretKeyRef": {"name": "ca", "key": "ca.crt"}}});
    place.apply(
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "ca"}, "stringData": {"ca.crt": pem}}),
    );
    place.apply(place.generic(&front.base_url, json!({"tls": from_secret})));
    place.connection_is("SecretNotLabelled").await;
    place.kubectl(&["label", "secret", "ca", "scim-operator.dev/credentials=true"]);
    place.connection_is("Connected").await;
    place.user("grace", json!({}));
    place.synced("grace").await;
}

#[tokio::test]
async fn i24_a_key_goes_only_where_it_is_meant_to() {
    let place = Place::new().await;
    place.secret(&place.directory.token);
    place.kubectl(&["annotate", "secret", "key", "scim-operator.dev/hosts=scim.example.com, *.example.org"]);
    place.apply(place.connection(json!({})));
    let message = place.connection_is("HostNotAllowed").await;
    assert!(message.contains("scim-operator.dev/hosts"), "{message}");
    assert_eq!(place.directory.requests().await, Vec::<Value>::new());
    place.kubectl(&["annotate", "--overwrite", "secret", "key", "scim-operator.dev/hosts=127.0.0.1"]);
    place.connection_is("Connected").await;
    let api_server = place.cluster.server();
    for target in [
        "https://169.254.169.254/scim/v2",
        "https://[fe80::1]/scim/v2",
        "https://kubernetes.default.svc/api",
        &format!("{api_server}/scim/v2"),
    ] {
        place.apply(place.connection(json!({"baseUrl": target})));
        place.connection_is("HostNotAllowed").await;
        place.apply(place.connection(json!({})));
        place.connection_is("Connected").await;
    }
    // By a name that leads there.
    place.kubectl(&["annotate", "secret", "key", "scim-operator.dev/hosts-"]);
    place.apply(place.connection(json!({"baseUrl": api_server.replace("127.0.0.1", "localhost")})));
    let message = place.connection_is("Unresolvable").await;
    assert!(message.contains("API server"), "{message}");
}

#[tokio::test]
async fn i23_a_client_certificate_is_renewed_without_a_restart() {
    let (tenant, place) = (Scim2Server::shared().await.tenant(), Place::new().await);
    let authority = Authority::new();
    let front = Front::before(&tenant.base_url, &tenant.token).tls_as(authority.server(&["scim.example.com"])).open();
    let secret = |(chain, key): (String, String)| {
        let mut secret = labelled("client", json!({"tls.crt": chain, "tls.key": key}));
        secret["type"] = json!("kubernetes.io/tls");
        secret
    };
    place.apply(secret((String::from("not PEM"), String::from("nor this"))));
    place.apply(labelled("ca", json!({"ca.crt": authority.pem})));
    let ca = json!({"secretKeyRef": {"name": "ca", "key": "ca.crt"}});
    let connection = |tls: Value| {
        place.generic(
            &front.base_url,
            json!({"auth": {"clientCertificate": {"secretRef": {"name": "client"}}}, "tls": tls}),
        )
    };
    place.apply(connection(json!({"caBundle": ca})));
    let message = place.connection_is("SecretKeyMissing").await;
    assert!(message.contains("tls.crt"), "{message}");
    place.apply(secret(authority.certificate(&["scim-operator"])));
    let message = place.connection_is("TlsFailed").await;
    assert!(message.contains("spec.tls.serverName"), "{message}");
    place.apply(connection(json!({"caBundle": ca, "serverName": "scim.example.com"})));
    place.connection_is("Connected").await;
    place.user("ada", json!({}));
    place.synced("ada").await;

    // A renewal that went wrong stops nothing, and a good one is taken at once.
    let (chain, _) = authority.certificate(&["scim-operator"]);
    let (_, key) = authority.certificate(&["scim-operator"]);
    place.apply(secret((chain, key)));
    let message = place.connection_is("NewKeyRejected").await;
    assert!(message.contains("client certificate"), "{message}");
    place.user("grace", json!({}));
    place.synced("grace").await;
    place.apply(secret(authority.certificate(&["scim-operator"])));
    place.connection_is("Connected").await;
    place.user("alan", json!({}));
    place.synced("alan").await;
}
