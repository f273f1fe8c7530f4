//! One HTTP request over a connection that is already made, and over plain TCP from a URL.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::connect;
use crate::outcome::Ending;
use crate::protocol::{HttpReply, HttpRequest, Outcome};
use crate::resolve::Resolver;

const BODY_LENGTH_MAX: usize = 256 * 1024;

/// A status and as much of the body as is kept.
pub struct Answer {
    /// The status line's number.
    pub status: u16,
    /// The body, cut at 256 KiB.
    pub body: Vec<u8>,
}

/// Where an `http://` URL points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Name or address.
    pub host: String,
    /// Port, 80 unless given.
    pub port: u16,
    /// `host` or `host:port`, as it was written.
    pub authority: String,
    /// Path and query, at least `/`.
    pub path: String,
}

impl Place {
    /// Reads a URL. Only plain HTTP is spoken.
    pub fn parse(url: &str) -> Result<Self, Ending> {
        let wrong = |reason: &str| Ending::probe_error(format!("not usable: {url}: {reason}"));
        let uri: Uri =
            url.parse().map_err(|error: http::uri::InvalidUri| wrong(&error.to_string()))?;
        if uri.scheme_str() != Some("http") {
            return Err(wrong("only http:// is spoken"));
        }
        let authority = uri.authority().ok_or_else(|| wrong("no host"))?;
        Ok(Self {
            host: authority.host().to_owned(),
            port: authority.port_u16().unwrap_or(80),
            authority: authority.as_str().to_owned(),
            path: uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
        })
    }
}

/// Answers [`crate::protocol::Ask::Http`].
pub async fn ask(resolver: &Resolver, question: &HttpRequest) -> HttpReply {
    match try_ask(resolver, question).await {
        Ok(answer) => HttpReply {
            outcome: Outcome::Reached,
            status: Some(answer.status),
            body: String::from_utf8_lossy(&answer.body).into_owned(),
            detail: String::new(),
        },
        Err(ending) => HttpReply {
            outcome: ending.outcome,
            status: None,
            body: String::new(),
            detail: ending.detail,
        },
    }
}

async fn try_ask(resolver: &Resolver, question: &HttpRequest) -> Result<Answer, Ending> {
    let place = Place::parse(&question.url)?;
    let request = build(question, &place)?;
    let ip = resolver.resolve(&place.host).await?.ip();
    let deadline = Instant::now() + Duration::from_millis(question.timeout_ms);
    let stream = connect::tcp(SocketAddr::new(ip, place.port), deadline).await?;
    match timeout_at(deadline, exchange(stream, request)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(after_contact(&error.to_string())),
        Err(_) => Err(after_contact("no HTTP answer within the time-out")),
    }
}

/// The connection stood, so the target was reached.
fn after_contact(reason: &str) -> Ending {
    Ending::new(Outcome::Reached, format!("connected, {reason}"))
}

fn build(question: &HttpRequest, place: &Place) -> Result<Request<Full<Bytes>>, Ending> {
    let method = Method::from_bytes(question.method.as_bytes())
        .map_err(|error| Ending::probe_error(format!("method: {error}")))?;
    let body = question.body.clone().unwrap_or_default();
    let mut request = Request::new(Full::new(Bytes::from(body)));
    *request.method_mut() = method;
    *request.uri_mut() =
        place.path.parse().map_err(|error| Ending::probe_error(format!("path: {error}")))?;
    let host = HeaderValue::from_str(&place.authority)
        .map_err(|error| Ending::probe_error(format!("host: {error}")))?;
    request.headers_mut().insert(HOST, host);
    for (name, value) in &question.headers {
        let (name, value) = header(name, value)?;
        request.headers_mut().insert(name, value);
    }
    Ok(request)
}

/// A header of a request. The error names the header and never its value.
pub fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Ending> {
    let wrong = |part: &str| Ending::probe_error(format!("header {name:?}: not a valid {part}"));
    let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong("name"))?;
    let mut value = HeaderValue::from_str(value).map_err(|_| wrong("value"))?;
    value.set_sensitive(true);
    Ok((key, value))
}

/// Sends one request and reads the answer.
pub async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Answer, hyper::Error>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    Kept::new(stream).await?.exchange(request).await
}

/// A connection for requests one after the other.
pub struct Kept {
    sender: http1::SendRequest<Full<Bytes>>,
    _driver: Driver,
}

impl Kept {
    /// Speaks HTTP/1.1 over a connection that stands.
    pub async fn new<S>(stream: S) -> Result<Self, hyper::Error>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let _driver = Driver(tokio::spawn(async move {
            // Its error is the sender's error as well, where it is reported.
            drop(connection.await);
        }));
        Ok(Self { sender, _driver })
    }

    /// Sends one request and reads the answer.
    pub async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Answer, hyper::Error> {
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let status = response.status().as_u16();
        let body = read_body(response).await?;
        Ok(Answer { status, body })
    }
}

async fn read_body(mut response: Response<Incoming>) -> Result<Vec<u8>, hyper::Error> {
    let mut body = Vec::new();
    while let Some(frame) = response.frame().await {
        if let Ok(data) = frame?.into_data() {
            body.extend_from_slice(&data);
        }
        if body.len() >= BODY_LENGTH_MAX {
            body.truncate(BODY_LENGTH_MAX);
            break;
        }
    }
    Ok(body)
}

/// The task that drives a connection; it ends with the exchange, whatever the other end does.
pub struct Driver(pub JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let place = Place::parse("http://loki.observability:3100/loki/api?x=1").unwrap();
        assert_eq!((place.host.as_str(), place.port), ("loki.observability", 3100));
        assert_eq!(place.path, "/loki/api?x=1");
        let bare = Place::parse("http://gateway").unwrap();
        assert_eq!((bare.port, bare.path.as_str()), (80, "/"));
    }

    #[test]
    fn other_schemes_are_refused() {
        for url in ["https://gateway", "gateway:8000", "ftp://x/"] {
            let ending = Place::parse(url).unwrap_err();
            assert_eq!(ending.outcome, Outcome::ProbeError, "{url}");
        }
    }

    #[test]
    fn a_bad_header_is_named_without_its_value() {
        let ending = header("x-key", "secret\n").unwrap_err();
        assert_eq!(ending.detail, "header \"x-key\": not a valid value");
        assert!(header("bad name", "x").is_err());
    }
}
