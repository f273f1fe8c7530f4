//! A connection to a collector, for one request or for many.

use tokio::net::TcpStream;

use super::emit::Export;
use super::settings::Encoding;
use super::{grpc, http};
use crate::http::Place;
use crate::outcome::Ending;

/// A connection that speaks one of OTLP's protocols.
pub(super) enum Connection {
    Grpc(grpc::Open),
    Http(http::Open),
}

impl Connection {
    pub(super) async fn open(stream: TcpStream, encoding: Encoding) -> Result<Self, Ending> {
        Ok(match encoding {
            Encoding::Grpc => Self::Grpc(grpc::Open::new(stream).await?),
            Encoding::Http => Self::Http(http::Open::new(stream).await?),
        })
    }

    pub(super) async fn export<E: Export>(
        &mut self,
        place: &Place,
        headers: &[(String, String)],
        message: E,
    ) -> Result<E::Answer, Ending> {
        match self {
            Self::Grpc(open) => open.export(place, headers, message).await,
            Self::Http(open) => {
                let (answer, _) = open.export(place, headers, message).await?;
                Ok(answer)
            }
        }
    }
}
