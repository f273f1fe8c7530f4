//! The words of the agent's own exchange, the same over TCP and UDP.
//!
//! A probe says `PARTYWALL <nonce>` and the server answers `PARTYWALL <nonce> <pod>`. Over HTTP
//! a nonce is the path `/partywall/<nonce>`.

use std::time::{SystemTime, UNIX_EPOCH};

const WORD: &str = "PARTYWALL";
const STAY: &str = "PARTYWALL-STAY";
const PATH: &str = "/partywall/";
const NONCE_LENGTH_MAX: usize = 64;

/// The longest line, or datagram, of the exchange.
pub const LINE_LENGTH_MAX: usize = 1024;

/// What a probe sends, with its line end.
pub fn request(nonce: &str) -> String {
    format!("{WORD} {nonce}\n")
}

/// What the server of `pod` answers, with its line end.
pub fn answer(nonce: &str, pod: &str) -> String {
    format!("{WORD} {nonce} {pod}\n")
}

/// The path that carries a nonce over HTTP.
pub fn path(nonce: &str) -> String {
    format!("{PATH}{nonce}")
}

/// The nonce of a request, if the line is one.
pub fn nonce_of_request(line: &[u8]) -> Option<String> {
    let line = std::str::from_utf8(line).ok()?.trim_end();
    let nonce = line.strip_prefix(WORD)?.strip_prefix(' ')?;
    is_nonce(nonce).then(|| nonce.to_owned())
}

/// The nonce of an HTTP path, if it carries one.
pub fn nonce_of_path(path: &str) -> Option<String> {
    let rest = path.strip_prefix(PATH)?;
    let nonce = rest.split(['?', '/']).next()?;
    is_nonce(nonce).then(|| nonce.to_owned())
}

/// The nonce and the pod of an answer, if the line is one.
pub fn parse_answer(line: &[u8]) -> Option<(String, Option<String>)> {
    let line = std::str::from_utf8(line).ok()?.trim_end();
    let rest = line.strip_prefix(WORD)?.strip_prefix(' ')?;
    let (nonce, pod) = rest.split_once(' ').unwrap_or((rest, ""));
    is_nonce(nonce).then(|| {
        let pod = (!pod.is_empty()).then(|| pod.to_owned());
        (nonce.to_owned(), pod)
    })
}

/// Microseconds since the Unix epoch.
pub fn now_us() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

/// The nonce of a pace's probe.
pub fn paced(prefix: &str, number: u64) -> String {
    format!("{prefix}n{number}")
}

/// A pace's prefix is `p` and sixteen hexadecimal digits.
pub fn is_pace_prefix(text: &str) -> bool {
    text.len() == 17
        && text.starts_with('p')
        && text.bytes().skip(1).all(|byte| byte.is_ascii_hexdigit())
}

/// The prefix and the number of a nonce, if it is one of a pace's.
pub fn parse_paced(nonce: &str) -> Option<(&str, u64)> {
    let (prefix, number) = nonce.rsplit_once('n')?;
    is_pace_prefix(prefix).then_some((prefix, number.parse().ok()?))
}

/// What opens a connection that stays for further requests, with its line end.
pub fn request_to_stay(nonce: &str) -> String {
    format!("{STAY} {nonce}\n")
}

/// The nonce of a request to stay, if the line is one.
pub fn nonce_of_request_to_stay(line: &[u8]) -> Option<String> {
    let line = std::str::from_utf8(line).ok()?.trim_end();
    let nonce = line.strip_prefix(STAY)?.strip_prefix(' ')?;
    is_nonce(nonce).then(|| nonce.to_owned())
}

/// A nonce is short and plain, so that it can stand in a path and in a log.
pub fn is_nonce(text: &str) -> bool {
    (1..=NONCE_LENGTH_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_understood() {
        assert_eq!(nonce_of_request(request("abc1").as_bytes()), Some("abc1".into()));
        assert_eq!(nonce_of_request(b"PARTYWALL abc1\r\n"), Some("abc1".into()));
        assert_eq!(nonce_of_request(b"PARTYWALL "), None);
        assert_eq!(nonce_of_request(b"PARTYWALL a b"), None);
        assert_eq!(nonce_of_request(b"GET / HTTP/1.1"), None);
    }

    #[test]
    fn a_nonce_of_a_pace_is_told_apart() {
        let prefix = "p0123456789abcdef";
        assert_eq!(parse_paced(&paced(prefix, 42)), Some((prefix, 42)));
        assert!(is_nonce(&paced(prefix, u64::MAX)));
        assert_eq!(parse_paced("00112233445566778899aabbccddeeff"), None);
        assert_eq!(parse_paced("p0123456789abcdefn"), None);
        assert_eq!(nonce_of_request_to_stay(request_to_stay("a1").as_bytes()), Some("a1".into()));
        assert_eq!(nonce_of_request(request_to_stay("a1").as_bytes()), None);
        assert_eq!(nonce_of_request_to_stay(request("a1").as_bytes()), None);
    }

    #[test]
    fn an_answer_is_understood() {
        let line = answer("abc1", "tenant/pod-0");
        let parsed = parse_answer(line.as_bytes());
        assert_eq!(parsed, Some(("abc1".into(), Some("tenant/pod-0".into()))));
        assert_eq!(parse_answer(b"PARTYWALL abc1\n"), Some(("abc1".into(), None)));
        assert_eq!(parse_answer(b"HTTP/1.1 400 Bad Request"), None);
    }

    #[test]
    fn a_path_may_carry_a_nonce() {
        assert_eq!(nonce_of_path(&path("abc1")), Some("abc1".into()));
        assert_eq!(nonce_of_path("/partywall/abc1?x=1"), Some("abc1".into()));
        assert_eq!(nonce_of_path("/partywall/"), None);
        assert_eq!(nonce_of_path("/extract"), None);
    }
}
