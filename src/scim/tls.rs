//! Whom a client trusts, and the certificate that it shows of itself.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;
use secrecy::{ExposeSecret, SecretSlice};
use url::Url;

/// Whom to trust, beside the public authorities.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Further certificate authorities, in PEM.
    pub ca_bundle: Option<Vec<u8>>,
    /// The name that the server's certificate must have; by default the host of its URL.
    pub server_name: Option<String>,
}

/// A certificate and its key, in PEM.
pub struct ClientCertificate {
    /// The certificate, and those between it and its authority.
    pub chain: Vec<u8>,
    /// Its key.
    pub key: SecretSlice<u8>,
}

/// Why a client can't be made.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The key has characters that no header may carry.
    #[error("the key has characters that can't be sent in a header; look for a newline or a space in it")]
    Key,
    /// The client certificate can't be used.
    #[error("the client certificate can't be used: {0}")]
    ClientCertificate(String),
    /// The CA bundle isn't PEM.
    #[error("spec.tls.caBundle is not a list of certificates in PEM: {0}")]
    CaBundle(String),
    /// The CA bundle holds no certificate.
    #[error("spec.tls.caBundle holds no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----")]
    EmptyCaBundle,
    /// No name that a certificate could have.
    #[error("spec.tls.serverName is neither a DNS name nor an IP address")]
    ServerName,
    /// The public authorities could not be read.
    #[error("the certificate authorities of this machine can't be used: {0}")]
    Authorities(Error),
    /// The client could not be made.
    #[error("the HTTP client could not be made: {0}")]
    Client(reqwest::Error),
}

impl ConfigError {
    /// What was read as the key is at fault, and not whom to trust.
    pub fn is_of_the_key(&self) -> bool {
        matches!(self, Self::Key | Self::ClientCertificate(_))
    }
}

/// TLS towards the server at `base`.
pub(super) fn configure(
    base: &Url,
    trust: &Trust,
    certificate: Option<&ClientCertificate>,
) -> Result<rustls::ClientConfig, ConfigError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = verifier(base, trust, &provider)?;
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(ConfigError::Authorities)?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match certificate {
        Some(certificate) => {
            let (chain, key) = certificate.read()?;
            builder.with_client_auth_cert(chain, key).map_err(|error| unusable(&error))?
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec!["h2".into(), "http/1.1".into()];
    Ok(config)
}

fn verifier(
    base: &Url,
    trust: &Trust,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, ConfigError> {
    let public = match &trust.ca_bundle {
        None => Verifier::new(Arc::clone(provider)).map_err(ConfigError::Authorities)?,
        Some(bundle) => {
            let further = CertificateDer::pem_slice_iter(bundle).collect::<Result<Vec<_>, _>>();
            let further = further.map_err(|error| ConfigError::CaBundle(error.to_string()))?;
            if further.is_empty() {
                return Err(ConfigError::EmptyCaBundle);
            }
            Verifier::new_with_extra_roots(further, Arc::clone(provider))
                .map_err(|error| ConfigError::CaBundle(error.to_string()))?
        }
    };
    let Some(name) = &trust.server_name else { return Ok(Arc::new(public)) };
    let parsed = |name: &str| ServerName::try_from(name.to_owned()).map_err(|_| ConfigError::ServerName);
    let host = parsed(base.host_str().unwrap_or_default().trim_matches(['[', ']']))?;
    Ok(Arc::new(Named { public, host, name: parsed(name)? }))
}

impl ClientCertificate {
    fn read(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), ConfigError> {
        let chain = CertificateDer::pem_slice_iter(&self.chain).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|error| unusable(&format!("tls.crt is not PEM: {error}")))?;
        if chain.is_empty() {
            return Err(unusable(&"tls.crt has no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----"));
        }
        let key = PrivateKeyDer::from_pem_slice(self.key.expose_secret());
        // The error is left out: it may quote what it read.
        let key =
            key.map_err(|_| unusable(&"tls.key has no private key in PEM; one with a passphrase can't be read"))?;
        Ok((chain, key))
    }
}

fn unusable(why: &dyn std::fmt::Display) -> ConfigError {
    ConfigError::ClientCertificate(why.to_string())
}

/// What a server says that wants a certificate of ours, or another: it is found in the text of the error alone.
pub(super) fn refused_certificate(text: &str) -> Option<&'static str> {
    let alert = text.split("received fatal alert: ").nth(1)?;
    let refused = [
        "CertificateRequired",
        "NoCertificate",
        "BadCertificate",
        "UnsupportedCertificate",
        "CertificateRevoked",
        "CertificateExpired",
        "CertificateUnknown",
        "UnknownCA",
        "AccessDenied",
    ];
    Some(match refused.iter().position(|known| alert.starts_with(known))? {
        0 | 1 => "the server asks for a client certificate (spec.auth.clientCertificate)",
        4 => "the server says that the client certificate was revoked",
        5 => "the server says that the client certificate has expired",
        7 => "the server doesn't know the authority of the client certificate",
        _ => "the server refuses the client certificate",
    })
}

/// Asks the certificate of one host for another name; of any other, as of a proxy's or a token endpoint's, for its own.
#[derive(Debug)]
struct Named {
    public: Verifier,
    host: ServerName<'static>,
    name: ServerName<'static>,
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let name = if *server_name == self.host { &self.name } else { server_name };
        self.public.verify_server_cert(end_entity, intermediates, name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.public.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.public.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.public.supported_verify_schemes()
    }
}
