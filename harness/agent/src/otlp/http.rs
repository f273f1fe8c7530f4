//! OTLP as protobuf over HTTP/1.1.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request};
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::emit::{Export, not_accepted};
use crate::http::{self, Answer, Place};
use crate::outcome::Ending;

const PROTOBUF: &str = "application/x-protobuf";
const ANSWER_LENGTH_MAX: u64 = 64 * 1024;

pub(super) async fn export<E: Export>(
    stream: TcpStream,
    place: &Place,
    headers: &[(String, String)],
    message: E,
) -> Result<(E::Answer, String), Ending> {
    if headers.iter().any(|(name, _)| has_capitals(name)) {
        let body = message.encode_to_vec();
        return taken::<E>(&to_the_letter(stream, place, headers, &body).await?);
    }
    Open::new(stream).await?.export(place, headers, message).await
}

/// A connection that is kept.
pub(super) struct Open(http::Kept);

impl Open {
    pub(super) async fn new(stream: TcpStream) -> Result<Self, Ending> {
        let kept = http::Kept::new(stream).await;
        kept.map(Self).map_err(|error| not_accepted(&error.to_string()))
    }

    pub(super) async fn export<E: Export>(
        &mut self,
        place: &Place,
        headers: &[(String, String)],
        message: E,
    ) -> Result<(E::Answer, String), Ending> {
        let request = build(place, headers, message.encode_to_vec())?;
        let answered = self.0.exchange(request).await;
        taken::<E>(&answered.map_err(|error| not_accepted(&error.to_string()))?)
    }
}

/// What a collector's answer says.
fn taken<E: Export>(answer: &Answer) -> Result<(E::Answer, String), Ending> {
    if !(200..300).contains(&answer.status) {
        let detail = format!("HTTP {}: {}", answer.status, first_words(&answer.body));
        return Err(not_accepted(&detail));
    }
    // A collector may answer with an empty body or, against the specification, with JSON: the
    // status has said "yes" then.
    let parsed = E::Answer::decode(answer.body.as_slice()).unwrap_or_default();
    Ok((parsed, format!("HTTP {}", answer.status)))
}

fn has_capitals(name: &str) -> bool {
    name.contains(|letter: char| letter.is_ascii_uppercase())
}

/// One request with header names in the letters they are given in; hyper's client writes all of
/// them small.
async fn to_the_letter(
    mut stream: TcpStream,
    place: &Place,
    headers: &[(String, String)],
    body: &[u8],
) -> Result<Answer, Ending> {
    let mut head = format!("POST {} HTTP/1.1\r\nHost: {}\r\n", place.path, place.authority);
    for (name, value) in headers {
        // What is no header may not become two.
        http::header(name, value)?;
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let length = body.len();
    head.push_str(&format!(
        "Content-Type: {PROTOBUF}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    ));
    let failed = |error: std::io::Error| not_accepted(&error.to_string());
    stream.write_all(head.as_bytes()).await.map_err(failed)?;
    stream.write_all(body).await.map_err(failed)?;
    let mut answer = Vec::new();
    stream.take(ANSWER_LENGTH_MAX).read_to_end(&mut answer).await.map_err(failed)?;
    let text = String::from_utf8_lossy(&answer);
    let status = text.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
    let status = status.and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| not_accepted("the answer is no HTTP/1.1"))?;
    let body = text.split_once("\r\n\r\n").map_or(Vec::new(), |(_, body)| body.into());
    Ok(Answer { status, body })
}

/// Enough of an error's body for one line.
fn first_words(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let line = text.trim().lines().next().unwrap_or_default();
    line.chars().filter(|c| !c.is_control()).take(200).collect()
}

fn build(
    place: &Place,
    headers: &[(String, String)],
    body: Vec<u8>,
) -> Result<Request<Full<Bytes>>, Ending> {
    let mut request = Request::new(Full::new(Bytes::from(body)));
    *request.method_mut() = Method::POST;
    *request.uri_mut() =
        place.path.parse().map_err(|error| Ending::probe_error(format!("path: {error}")))?;
    let host = HeaderValue::from_str(&place.authority)
        .map_err(|error| Ending::probe_error(format!("host: {error}")))?;
    request.headers_mut().insert(HOST, host);
    for (name, value) in headers {
        let (name, value) = http::header(name, value)?;
        request.headers_mut().append(name, value);
    }
    let protobuf = HeaderValue::from_static(PROTOBUF);
    request.headers_mut().insert(CONTENT_TYPE, protobuf);
    Ok(request)
}
