//! OTLP as protobuf over HTTP/1.1.

use std::collections::BTreeMap;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request};
use prost::Message;
use tokio::net::TcpStream;

use super::emit::{Export, not_accepted};
use crate::http::{self, Place};
use crate::outcome::Ending;

pub(super) async fn export<E: Export>(
    stream: TcpStream,
    place: &Place,
    headers: &BTreeMap<String, String>,
    message: E,
) -> Result<(E::Answer, String), Ending> {
    let request = build(place, headers, message.encode_to_vec())?;
    let answer =
        http::exchange(stream, request).await.map_err(|error| not_accepted(&error.to_string()))?;
    if !(200..300).contains(&answer.status) {
        let detail = format!("HTTP {}: {}", answer.status, first_words(&answer.body));
        return Err(not_accepted(&detail));
    }
    // A collector may answer with an empty body or, against the specification, with JSON: the
    // status has said "yes" then.
    let parsed = E::Answer::decode(answer.body.as_slice()).unwrap_or_default();
    Ok((parsed, format!("HTTP {}", answer.status)))
}

/// Enough of an error's body for one line.
fn first_words(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let line = text.trim().lines().next().unwrap_or_default();
    line.chars().filter(|c| !c.is_control()).take(200).collect()
}

fn build(
    place: &Place,
    headers: &BTreeMap<String, String>,
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
        request.headers_mut().insert(name, value);
    }
    let protobuf = HeaderValue::from_static("application/x-protobuf");
    request.headers_mut().insert(CONTENT_TYPE, protobuf);
    Ok(request)
}
