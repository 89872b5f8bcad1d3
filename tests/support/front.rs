//! A door in front of a SCIM server: it asks for a key of its own kind, speaks
//! TLS if it is to, and remembers who came through.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::serve::Listener;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{crypto, http, is_first_at};

/// One request that came through, and how it was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub query: String,
    pub status: u16,
}

pub struct Front {
    pub base_url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    spent: Arc<AtomicBool>,
    _stop: oneshot::Sender<()>,
}

/// How to open one.
pub struct FrontBuilder {
    base_url: String,
    token: String,
    keys: Vec<(String, String)>,
    tls: Option<TlsAcceptor>,
}

struct Door {
    origin: String,
    token: String,
    keys: Vec<(String, String)>,
    client: reqwest::Client,
    seen: Arc<Mutex<Vec<Seen>>>,
    spent: Arc<AtomicBool>,
}

impl Front {
    /// In front of this server, which is given its own bearer token.
    pub fn before(base_url: &str, token: &str) -> FrontBuilder {
        FrontBuilder { base_url: base_url.to_owned(), token: token.to_owned(), keys: Vec::new(), tls: None }
    }

    /// Everything since the last time that this was asked.
    pub fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }

    /// From now on every answer says that none is left for an hour; none is refused.
    pub fn spend(&self) {
        self.spent.store(true, Ordering::SeqCst);
    }

    /// Only those that could change something.
    pub fn take_writes(&self) -> Vec<Seen> {
        let mut seen = self.take();
        seen.retain(|request| request.method != "GET");
        seen
    }
}

impl FrontBuilder {
    /// Whoever comes must bring this header, and every other one that is named so.
    #[must_use]
    pub fn asking_for(mut self, header: &str, value: &str) -> Self {
        self.keys.push((header.to_owned(), value.to_owned()));
        self
    }

    /// With this certificate and key, in PEM.
    #[must_use]
    pub fn tls(mut self, certificate: &Path, key: &Path) -> Self {
        self.tls = Some(acceptor(certificate, key));
        self
    }

    /// Speaking TLS like this.
    #[must_use]
    pub fn tls_as(mut self, config: rustls::ServerConfig) -> Self {
        self.tls = Some(TlsAcceptor::from(Arc::new(config)));
        self
    }

    pub fn open(self) -> Front {
        let url: url::Url = self.base_url.parse().expect("a URL");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let spent = Arc::new(AtomicBool::new(false));
        let door = Door {
            origin: url.origin().ascii_serialization(),
            token: self.token,
            keys: self.keys,
            client: http(),
            seen: Arc::clone(&seen),
            spent: Arc::clone(&spent),
        };
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let app = Router::new().fallback(pass).with_state(Arc::new(door));
        let (address, stop) = in_a_thread(self.tls, app);
        let base_url = format!("{scheme}://{address}{}", url.path());
        Front { base_url, seen, spent, _stop: stop }
    }
}

fn acceptor(certificate: &Path, key: &Path) -> TlsAcceptor {
    crypto();
    let chain = CertificateDer::pem_file_iter(certificate).expect("a certificate");
    let chain = chain.collect::<Result<Vec<_>, _>>().expect("certificates in PEM");
    let key = PrivateKeyDer::from_pem_file(key).expect("a key in PEM");
    let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key);
    TlsAcceptor::from(Arc::new(config.expect("a TLS configuration")))
}

/// Something that answers by TLS on loopback, until this is dropped.
#[allow(dead_code, reason = "one binary serves something")]
pub struct Served {
    pub address: SocketAddr,
    _stop: oneshot::Sender<()>,
}

impl Served {
    /// With this certificate and key, in PEM.
    #[allow(dead_code, reason = "one binary serves something")]
    pub fn by_tls(certificate: &Path, key: &Path, app: Router) -> Served {
        let (address, stop) = in_a_thread(Some(acceptor(certificate, key)), app);
        Served { address, _stop: stop }
    }
}

/// Tests block their own thread while kubectl waits.
fn in_a_thread(tls: Option<TlsAcceptor>, app: Router) -> (SocketAddr, oneshot::Sender<()>) {
    let (opened, address) = std::sync::mpsc::channel();
    let (stop, stopped) = oneshot::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let (inner, address) = loop {
                let inner = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                let address = inner.local_addr().expect("its address");
                if is_first_at(address.port()) {
                    break (inner, address);
                }
            };
            opened.send(address).expect("whoever opens it waits");
            let served = async {
                match tls {
                    Some(tls) => axum::serve(Tls { inner, tls }, app).await,
                    None => axum::serve(inner, app).await,
                }
            };
            tokio::select! {
                _ = served => {}
                _ = stopped => {}
            }
        });
    });
    (address.recv().expect("the thread of the door"), stop)
}

async fn pass(State(door): State<Arc<Door>>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let brings = |(name, value): &(String, String)| head.headers.get(name).is_some_and(|given| given == value.as_str());
    let (status, kind, body) = if door.keys.iter().all(brings) {
        let url = format!("{}{}", door.origin, head.uri);
        let mut onward = door.client.request(head.method.clone(), url).bearer_auth(&door.token).body(body);
        for name in ["content-type", "accept", "if-match", "user-agent"] {
            if let Some(value) = head.headers.get(name) {
                onward = onward.header(name, value);
            }
        }
        let answer = onward.send().await.expect("an answer of the server behind the door");
        let kind = answer.headers().get("content-type").cloned();
        (answer.status(), kind, answer.bytes().await.unwrap_or_default())
    } else {
        (StatusCode::UNAUTHORIZED, None, r#"{"detail":"who are you?"}"#.into())
    };
    door.seen.lock().unwrap().push(Seen {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        status: status.as_u16(),
    });
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    if let Some(kind) = kind {
        response.headers_mut().insert("content-type", kind);
    }
    if door.spent.load(Ordering::SeqCst) {
        response.headers_mut().insert("x-ratelimit-remaining", HeaderValue::from_static("0"));
        response.headers_mut().insert("x-ratelimit-reset", HeaderValue::from_static("3600"));
    }
    response
}

struct Tls {
    inner: TcpListener,
    tls: TlsAcceptor,
}

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            let (stream, address) = Listener::accept(&mut self.inner).await;
            // Whoever doesn't trust the certificate hangs up.
            if let Ok(stream) = self.tls.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}
