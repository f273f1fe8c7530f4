//! TLS without verification, then one HTTP request whose path carries the nonce.
//!
//! Nothing secret is sent, and the question is whether packets flow, not who answers.

use std::sync::Arc;

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::{HOST, HeaderValue, USER_AGENT};
use tokio::net::TcpStream;
use tokio::time::timeout_at;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

use super::probe::{Attempt, Finding};
use super::tcp;
use crate::{exchange, http};

/// The handshake of TCP alone is "reached"; the detail tells how far it went.
pub(super) async fn probe(attempt: &Attempt<'_>) -> Finding {
    let (stream, local_port) = match tcp::open(attempt).await {
        Ok(opened) => opened,
        Err(finding) => return finding,
    };
    let detail = match timeout_at(attempt.deadline, talk(stream, attempt)).await {
        Ok(Ok(status)) => format!("HTTP {status}"),
        Ok(Err(error)) => format!("connected, {error}"),
        Err(_) => "connected, no HTTP answer within the time-out".to_owned(),
    };
    Finding::complete(local_port, detail)
}

async fn talk(stream: TcpStream, attempt: &Attempt<'_>) -> Result<u16, String> {
    let config = config().map_err(|error| format!("no TLS here: {error}"))?;
    let name = ServerName::try_from(attempt.host.to_owned())
        .unwrap_or_else(|_| ServerName::IpAddress(attempt.address.ip().into()));
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .map_err(|error| format!("no TLS: {error}"))?;
    let mut request = Request::new(Full::new(Bytes::new()));
    *request.uri_mut() =
        exchange::path(attempt.nonce).parse().map_err(|error| format!("path: {error}"))?;
    let host = HeaderValue::from_str(attempt.host).map_err(|error| format!("host: {error}"))?;
    request.headers_mut().insert(HOST, host);
    request.headers_mut().insert(USER_AGENT, HeaderValue::from_static("partywall-agent"));
    let answer = http::exchange(stream, request)
        .await
        .map_err(|error| format!("TLS, but no HTTP: {error}"))?;
    Ok(answer.status)
}

fn config() -> Result<ClientConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(Anyone(Arc::clone(&provider)));
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}

/// Takes any certificate: see the module's words on why.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
