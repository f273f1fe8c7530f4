//! OTLP over gRPC: tonic's client over a connection of our own.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic_prost::ProstCodec;

use super::emit::{Export, not_accepted};
use crate::http::{self, Driver, Place};
use crate::outcome::Ending;

pub(super) async fn export<E: Export>(
    stream: TcpStream,
    place: &Place,
    headers: &[(String, String)],
    message: E,
) -> Result<(E::Answer, String), Ending> {
    let answer = Open::new(stream).await?.export(place, headers, message).await?;
    Ok((answer, "gRPC ok".to_owned()))
}

/// A connection that is kept.
pub(super) struct Open {
    sender: SendRequest<Body>,
    _driver: Driver,
}

impl Open {
    pub(super) async fn new(stream: TcpStream) -> Result<Self, Ending> {
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .map_err(|error| not_accepted(&format!("no HTTP/2: {error}")))?;
        let _driver = Driver(tokio::spawn(async move {
            // Its error is the sender's error as well, where it is reported.
            drop(connection.await);
        }));
        Ok(Self { sender, _driver })
    }

    pub(super) async fn export<E: Export>(
        &mut self,
        place: &Place,
        headers: &[(String, String)],
        message: E,
    ) -> Result<E::Answer, Ending> {
        let request = request(headers, message)?;
        let origin = format!("http://{}", place.authority)
            .parse()
            .map_err(|error| Ending::probe_error(format!("host: {error}")))?;
        let mut client = Grpc::with_origin(Sender(self.sender.clone()), origin);
        let method = PathAndQuery::from_static(E::METHOD);
        let codec = ProstCodec::<E, E::Answer>::new();
        match client.unary(request, method, codec).await {
            Ok(answer) => Ok(answer.into_inner()),
            Err(status) => {
                Err(not_accepted(&format!("gRPC {:?}: {}", status.code(), status.message())))
            }
        }
    }
}

fn request<E>(headers: &[(String, String)], message: E) -> Result<tonic::Request<E>, Ending> {
    let mut request = tonic::Request::new(message);
    let mut map = hyper::HeaderMap::new();
    for (name, value) in headers {
        let (name, value) = http::header(name, value)?;
        map.append(name, value);
    }
    *request.metadata_mut() = tonic::metadata::MetadataMap::from_headers(map);
    Ok(request)
}

/// One connection as the service that tonic's client sends over.
struct Sender(SendRequest<Body>);

impl tower_service::Service<Request<Body>> for Sender {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}
