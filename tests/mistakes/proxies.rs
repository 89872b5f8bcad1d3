//! A connection whose requests alone go by a proxy.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::kit::{PATIENCE, Place};
use crate::support::{Front, Process, Sandbox, eventually, guarded, unique};
use crate::table::told;

/// A proxy of Node's own HTTP server: it asks for a password, and leads to whatever it is asked for. Each CONNECT is a line
/// of its log. By another port it speaks SOCKS5, and asks for the same password.
const PROXY: &str = r#"
const http = require('http'), net = require('net');
const wanted = 'Basic ' + Buffer.from('svc:hunter22').toString('base64');
const server = http.createServer((_, answer) => { console.log('plain'); answer.writeHead(405).end(); });
server.on('connect', (request, socket, head) => {
  const known = request.headers['proxy-authorization'] === wanted;
  console.log(`${known ? 'let' : 'refused'} ${request.url} ${Object.keys(request.headers).sort()}`);
  if (!known) return socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n');
  const [host, port] = [new URL(`http://${request.url}`).hostname, new URL(`http://${request.url}`).port || 80];
  const onward = net.connect(port, host, () => {
    socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
    onward.write(head); onward.pipe(socket); socket.pipe(onward);
  });
  onward.on('error', () => socket.destroy()); socket.on('error', () => onward.destroy());
});
const socks = net.createServer(socket => {
  socket.on('error', () => socket.destroy());
  socket.once('data', hello => {
    if (!hello.subarray(2).includes(2)) return socket.end(Buffer.from([5, 255]));
    socket.write(Buffer.from([5, 2]));
    socket.once('data', login => {
      const name = login.subarray(2, 2 + login[1]).toString(), password = login.subarray(3 + login[1]).toString();
      const known = name === 'svc' && password === 'hunter22';
      if (!known) return socket.end(Buffer.from([1, 1]));
      socket.write(Buffer.from([1, 0]));
      socket.once('data', asked => {
        const host = asked[3] === 3 ? asked.subarray(5, 5 + asked[4]).toString() : [...asked.subarray(4, 8)].join('.');
        const port = asked.readUInt16BE(asked.length - 2);
        console.log(`socks ${host}:${port}`);
        const onward = net.connect(port, '127.0.0.1', () => {
          socket.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]));
          onward.pipe(socket); socket.pipe(onward);
        });
        onward.on('error', () => socket.destroy());
      });
    });
  });
});
server.listen(0, '127.0.0.1', () => socks.listen(0, '127.0.0.1', () =>
  console.log(JSON.stringify({port: server.address().port, socks: socks.address().port}))));
"#;

struct Proxy {
    process: Process,
    url: String,
    /// By SOCKS5, without the scheme.
    socks: String,
}

impl Proxy {
    fn start() -> Proxy {
        let mut command = guarded("node");
        command.args(["-e", PROXY]).stdin(Stdio::null());
        let (process, hello) = Process::announcing(&unique("proxy"), command);
        let address = |port: &str| format!("127.0.0.1:{}", hello[port]);
        Proxy { process, url: format!("http://{}", address("port")), socks: address("socks") }
    }
}

#[tokio::test]
async fn i24_a_connection_by_a_proxy_of_its_own_gives_neither_key_to_the_other() {
    let (sandbox, proxy) = (Sandbox::start(), Proxy::start());
    let place = Place::new().await;
    let (certificate, key) = place.cluster.certificate();
    let front = Front::before(&sandbox.base_url, &sandbox.token).tls(&certificate, &key).open();
    let authority = std::fs::read_to_string(&certificate).expect("the certificate");
    place.apply(
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ca"}, "data": {"ca.crt": authority}}),
    );
    place.secret("only-the-front-asks-for-none");
    let password = |password: &str, hosts: &str| {
        place.apply(json!({
            "apiVersion": "v1", "kind": "Secret", "stringData": {"password": password},
            "metadata": {"name": "proxy", "labels": {"scim-operator.dev/credentials": "true"},
                "annotations": {"scim-operator.dev/hosts": hosts}},
        }));
    };
    password("wrong", "127.0.0.1");
    let by = |url: &str| {
        json!({
            "tls": {"caBundle": {"configMapKeyRef": {"name": "ca", "key": "ca.crt"}}},
            "proxy": {"url": url, "basic": {"username": "svc", "passwordSecretKeyRef": {"name": "proxy", "key": "password"}}},
        })
    };
    let refused = place.refused(&place.generic(&front.base_url, by("http://svc:hunter22@127.0.0.1:1")));
    told("password-in-proxy-url", &refused);
    place.apply(place.generic(&front.base_url, by(&proxy.url)));
    let said = place.connection_tells("Unreachable").await;
    told("proxy-password", &said);
    assert!(!said.contains("hunter22"), "{said}");

    // A good one is used at once; everything goes by the proxy, which sees the server's name alone.
    password("hunter22", "127.0.0.1");
    place.connection_is("Connected").await;
    place.user("ada", json!({}));
    place.synced("ada").await;
    let target = front.base_url.trim_start_matches("https://").split('/').next().expect("its host").to_owned();
    let log = proxy.process.log();
    assert!(log.contains(&format!("let {target}")) && !log.contains("plain"), "{log}");
    assert!(!log.lines().any(
        |line| line.contains("authorization") && line.replace("proxy-authorization", "").contains("authorization")
    ));

    // By SOCKS5 with the same password; by `socks5h` the proxy resolves the name, which nobody here knows.
    let port = target.rsplit(':').next().expect("a port");
    let resolved_there = format!("https://scim.example.com:{port}/scim/v2");
    for (scheme, base_url, asked) in [
        ("socks5", front.base_url.as_str(), format!("socks {target}")),
        ("socks5h", resolved_there.as_str(), format!("socks scim.example.com:{port}")),
    ] {
        let mut fields = by(&format!("{scheme}://{}", proxy.socks));
        fields["tls"]["serverName"] = json!("kubernetes.default.svc");
        place.apply(place.generic(base_url, fields));
        eventually(PATIENCE, &asked, async || {
            let log = proxy.process.log();
            if log.contains(&asked) { Ok(()) } else { Err((place.get_connection().await["status"].clone(), log)) }
        })
        .await;
        place.connection_is("Connected").await;
    }

    // The environment's NO_PROXY names localhost: no proxy leads there.
    let before = proxy.process.log();
    let excepted = format!("https://localhost:{port}/scim/v2");
    let mut fields = by(&proxy.url);
    fields["tls"]["serverName"] = json!("kubernetes.default.svc");
    front.take();
    place.apply(place.generic(&excepted, fields));
    place
        .status_is("the connection at its newest generation", |status| {
            status["conditions"].as_array().into_iter().flatten().any(|known| {
                known["type"] == "Connected" && known["status"] == "True" && known["observedGeneration"] != Value::Null
            })
        })
        .await;
    eventually(PATIENCE, "the front is asked", async || {
        let seen = front.take();
        if seen.is_empty() { Err(seen) } else { Ok(()) }
    })
    .await;
    assert!(!proxy.process.log()[before.len()..].contains("localhost"), "{}", proxy.process.log());
    place.apply(place.generic(&front.base_url, by(&proxy.url)));

    // Its Secret says which hosts its password may be sent to.
    password("hunter22", "proxy.example.com");
    told("proxy-host", &place.connection_tells("HostNotAllowed").await);
    password("hunter22", "127.0.0.1");
    place.connection_is("Connected").await;

    // Nobody gets around what is refused without a proxy.
    for target in ["https://169.254.169.254/scim/v2", "https://kubernetes.default.svc/scim/v2"] {
        place.apply(place.generic(target, by(&proxy.url)));
        eventually(PATIENCE, target, async || {
            let said = place.connection_tells("HostNotAllowed").await;
            if said.contains("a key is never sent") { Ok(()) } else { Err(said) }
        })
        .await;
    }
    let log = proxy.process.log();
    assert!(!log.contains("169.254") && !log.contains("kubernetes"), "{log}");
}
