//! The answer to an ordinary HTTP request, so that the agent stands in for any HTTP service.

use std::io;

use tokio::net::TcpStream;

use super::wire::{receive, send};

const HEADERS_MAX: usize = 64;
const REQUEST_MAX: usize = 1024 * 1024;

/// Reads the rest of a request and answers 200 with who answered and what was asked for.
pub(super) async fn serve(
    stream: &TcpStream,
    mut request: Vec<u8>,
    pod: &str,
    path: &str,
) -> io::Result<()> {
    // To close with bytes unread would reset the connection and take the answer with it.
    while !is_complete(&request) && request.len() < REQUEST_MAX {
        if receive(stream, &mut request).await? == 0 {
            break;
        }
    }
    let body = serde_json::json!({"pod": pod, "path": path}).to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n",
        body.len()
    );
    let body = if request.starts_with(b"HEAD ") { "" } else { &body };
    finish(stream, format!("{head}{body}").as_bytes()).await
}

/// Sends the last words and waits for the peer to close, so that it surely has them.
pub(super) async fn finish(stream: &TcpStream, words: &[u8]) -> io::Result<()> {
    send(stream, words).await?;
    socket2::SockRef::from(stream).shutdown(std::net::Shutdown::Write)?;
    let mut rest = Vec::new();
    while receive(stream, &mut rest).await? > 0 && rest.len() < REQUEST_MAX {
        rest.clear();
    }
    Ok(())
}

/// Whether headers and the body that they announce are there. What cannot be read is not
/// waited for.
fn is_complete(request: &[u8]) -> bool {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    match parsed.parse(request) {
        Ok(httparse::Status::Complete(head)) => {
            let length = parsed
                .headers
                .iter()
                .find(|header| header.name.eq_ignore_ascii_case("content-length"))
                .and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok());
            request.len() - head >= length.unwrap_or(0)
        }
        Ok(httparse::Status::Partial) => false,
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_complete_with_its_body() {
        assert!(is_complete(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert!(!is_complete(b"GET / HTTP/1.1\r\nHost: x\r\n"));
        let head = b"POST /rerank HTTP/1.1\r\nContent-Length: 4\r\n\r\n";
        assert!(!is_complete(head));
        assert!(is_complete(&[head.as_slice(), b"body"].concat()));
    }
}
