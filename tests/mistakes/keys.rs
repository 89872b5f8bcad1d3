//! A connection whose Secret, or whose address, isn't as it should be.

use base64::Engine as _;
use serde_json::json;

use crate::kit::{PATIENCE, Place, condition, user};
use crate::support::{Front, Sandbox, eventually, scratch, unique};
use crate::table::told;

#[tokio::test]
async fn a_secret_is_brought_into_order_step_by_step() {
    let place = Place::new().await;
    place.apply(place.connection(json!({})));
    let elsewhere = place.cluster.namespace().await;
    place.cluster.kubectl_ok(&["-n", &elsewhere, "create", "secret", "generic", "key", "--from-literal=token=x"]);
    told("secret-elsewhere", &place.connection_tells("SecretNotFound").await);

    place.kubectl(&["create", "secret", "generic", "key", "--from-literal=apikey=x", "--from-literal=password=y"]);
    let unlabelled = place.connection_tells("SecretNotLabelled").await;
    told("secret-unlabelled", &unlabelled);
    place.kubectl(&["label", "secret", "key", "scim-operator.dev/credentials=yes"]);
    let another = eventually(PATIENCE, "another value is told", async || {
        let said = place.connection_tells("SecretNotLabelled").await;
        if said == unlabelled { Err(said) } else { Ok(said) }
    })
    .await;
    told("label-of-another-value", &another);
    place.follow(&another);

    let missing = place.connection_tells("SecretKeyMissing").await;
    told("wrong-key-name", &missing);
    let mut before = missing;
    for (name, text) in [("empty-key", ""), ("blank-key", " \n\t")] {
        place.secret(text);
        before = eventually(PATIENCE, name, async || {
            let said = place.connection_tells("SecretKeyMissing").await;
            if said == before { Err(said) } else { Ok(said) }
        })
        .await;
        told(name, &before);
    }
    place.secret("not-the-key");
    told("wrong-key", &place.connection_tells("CredentialsRejected").await);
    place.secret(&format!("\"{}\"", place.directory.token));
    let quoted = eventually(PATIENCE, "quotation marks are told", async || {
        let said = place.connection_tells("CredentialsRejected").await;
        if said.contains("quotation") { Ok(said) } else { Err(said) }
    })
    .await;
    told("quoted-key", &quoted);
    assert!(!quoted.contains(&place.directory.token), "{quoted}");
    place.secret(&base64::engine::general_purpose::STANDARD.encode("not-the-key-either"));
    let encoded = eventually(PATIENCE, "what was encoded twice is told", async || {
        let said = place.connection_tells("CredentialsRejected").await;
        if said.contains("base64") { Ok(said) } else { Err(said) }
    })
    .await;
    told("key-encoded-twice", &encoded);

    // What is pasted with a token does no harm.
    let token = &place.directory.token;
    for pasted in [format!("{token} \n"), format!("{token}\t"), format!("Bearer {token}\n"), token.clone()] {
        place.secret(&pasted);
        let version = place.kubectl(&["get", "secret", "key", "-o", "jsonpath={.metadata.resourceVersion}"]);
        place
            .status_is(&format!("the key of {pasted:?} is in use"), |status| {
                status["credentials"]["secretResourceVersion"] == version.as_str()
                    && condition(&json!({"status": status}), "Connected")["reason"] == "Connected"
            })
            .await;
    }
    told("pasted-key", &place.connection_tells("Connected").await);
    place.user("ada", json!({}));
    place.synced("ada").await;
}

/// The Secret as External Secrets makes it, whose template has no label of ours.
pub fn synced_by_external_secrets(place: &Place, writer: &str, token: &str) {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key", "labels": {"reconcile.external-secrets.io/managed": "true"}},
        "data": {"token": base64::engine::general_purpose::STANDARD.encode(token)},
    });
    let file = scratch().join(unique("secret"));
    std::fs::write(&file, secret.to_string()).expect("a file");
    let (manager, file) = (format!("--field-manager={writer}"), file.to_string_lossy().into_owned());
    place.kubectl(&["apply", "--server-side", "--force-conflicts", &manager, "-f", &file]);
}

#[tokio::test]
async fn i23_a_label_that_another_writer_takes_off_stops_nobody() {
    const WRITER: &str = "externalsecrets.external-secrets.io/key";
    let place = Place::new().await;
    synced_by_external_secrets(&place, WRITER, &place.directory.token);
    place.kubectl(&["label", "secret", "key", "scim-operator.dev/credentials=true"]);
    place.apply(place.connection(json!({})));
    place.connection_is("Connected").await;
    place.user("ada", json!({}));
    place.synced("ada").await;
    let since = condition(&place.get_connection().await, "Connected")["lastTransitionTime"].clone();
    for number in 0..3 {
        place.kubectl(&["label", "secret", "key", "scim-operator.dev/credentials-"]);
        synced_by_external_secrets(&place, WRITER, &place.directory.token);
        let removed = place.connection_tells("SecretLabelRemoved").await;
        told("label-removed", &removed);
        place.user("ada", json!({"title": format!("Officer {number}")}));
        let id = place.synced("ada").await;
        place.account_is(&id, "the title", |account| account["raw"]["title"] == format!("Officer {number}")).await;
        place.kubectl(&["label", "secret", "key", "scim-operator.dev/credentials=true"]);
    }
    // Told once, and never lost.
    let connected = condition(&place.get_connection().await, "Connected");
    assert_eq!((&connected["status"], &connected["lastTransitionTime"]), (&json!("True"), &since), "{connected}");
    assert_eq!(place.events("SecretLabelRemoved").len(), 1);

    // A Secret that goes is gone.
    place.kubectl(&["delete", "secret", "key"]);
    place.connection_is("SecretNotFound").await;
    // Of one that people write, the label counts at once.
    place.secret(&place.directory.token);
    place
        .status_is("connected again", |status| condition(&json!({"status": status}), "Connected")["status"] == "True")
        .await;
    place.kubectl(&["label", "secret", "key", "scim-operator.dev/credentials-"]);
    place.connection_is("SecretNotLabelled").await;
    place.user("grace", json!({}));
    place.is("grace", "False", "ConnectionNotReady").await;
}

#[tokio::test]
async fn an_address_that_is_not_quite_the_right_one() {
    let sandbox = Sandbox::start();
    let place = Place::new().await;
    place.secret(&sandbox.token);
    let at = |url: &str| place.generic(url, json!({}));
    let origin = sandbox.base_url.split("/scim").next().expect("an origin").to_owned();
    told("users-in-url", &place.refused(&at("https://scim.example.com/scim/v2/Users")));
    told("plain-http", &place.refused(&at("http://scim.example.com/scim/v2")));
    told("key-in-url", &place.refused(&at("https://me:secret@scim.example.com/scim/v2")));
    let mut misspelt = at(&sandbox.base_url);
    misspelt["spec"]["baseURL"] = misspelt["spec"]["baseUrl"].take();
    told("misspelt-field", &place.refused(&misspelt));

    place.apply(at(&format!("{origin}/scim")));
    told("no-version-in-url", &place.connection_tells("NotFound").await);
    place.apply(at(&origin.replace("http://", "https://")));
    told("https-to-http", &place.connection_tells("Unreachable").await);
    place.apply(at("https://scim.nobody.invalid/scim/v2"));
    told("unknown-host", &place.connection_tells("Unresolvable").await);
    // Nobody listens there any more.
    let gone = Sandbox::start();
    let closed = gone.base_url.clone();
    drop(gone);
    place.apply(at(&closed));
    told("nobody-listens", &place.connection_tells("Unreachable").await);

    // A certificate of nobody whom this machine knows.
    let (certificate, key) = place.cluster.certificate();
    let front = Front::before(&sandbox.base_url, &sandbox.token).tls(&certificate, &key).open();
    place.apply(at(&front.base_url));
    told("own-authority", &place.connection_tells("TlsFailed").await);

    place.apply(at(&sandbox.base_url));
    place.connection_is("Connected").await;
    place.apply(user("ada", json!({})));
    place.synced("ada").await;
}

#[tokio::test]
async fn a_server_that_has_nothing_but_ipv6() {
    let sandbox = Sandbox::start_with(&["--listen", "[::1]:0"]);
    assert!(sandbox.base_url.contains("[::1]"), "{}", sandbox.base_url);
    let place = Place::at(&sandbox.base_url, &sandbox.token, json!({})).await;
    told("ipv6-only", &place.connection_tells("Connected").await);
    place.user("ada", json!({}));
    place.synced("ada").await;
}
