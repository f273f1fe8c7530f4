//! The words of the exchange over DNS.

use std::str::FromStr;

use hickory_proto::op::{Edns, Message, MessageType, Query, ResponseCode};
use hickory_proto::rr::rdata::TXT;
use hickory_proto::rr::{Name, RData, Record, RecordType};

use crate::exchange;

/// The zone that agents answer for. `.test` is reserved: nobody else ever does.
pub const ZONE: &str = "partywall.test";

/// What an answer carries beside the nonce where the query carried something too: the longest
/// text that a string of a TXT record holds, twice.
const LOAD: &str = "partywallpartywallpartywallpartywallpartywallpartywallpartywall\
                    partywallpartywallpartywallpartywallpartywallpartywallpartywall\
                    partywallpartywallpartywallpartywallpartywallpartywallpartywall\
                    partywallpartywallpartywallpartywallpartywallpartywallpartywall";
const LOADS: usize = 2;
/// What passes through the networks of clusters without fragments.
const UDP_PAYLOAD_MAX: u16 = 1232;
/// So that no name server on the way keeps an answer.
const TIME_TO_LIVE: u32 = 0;

/// A query and its number.
pub fn query(name: &str, record: RecordType) -> Result<(u16, Vec<u8>), String> {
    let wrong = |error: &dyn std::fmt::Display| format!("failed to make a DNS query: {error}");
    let mut name = Name::from_str(name).map_err(|error| wrong(&error))?;
    name.set_fqdn(true);
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(name, record));
    let mut edns = Edns::new();
    edns.set_max_payload(UDP_PAYLOAD_MAX);
    message.set_edns(edns);
    let bytes = message.to_vec().map_err(|error| wrong(&error))?;
    Ok((message.metadata.id, bytes))
}

/// The nonce of a query for a name in the zone, and the answer of this pod. `None` where the
/// bytes are no such query.
pub fn answer(bytes: &[u8], pod: &str) -> Option<(String, Vec<u8>)> {
    let asked = Message::from_vec(bytes).ok()?;
    let is_query = asked.metadata.message_type == MessageType::Query;
    let question = asked.queries.first().filter(|_| is_query)?;
    let (load, nonce) = split(question.name())?;
    let mut message = Message::response(asked.metadata.id, asked.metadata.op_code);
    message.metadata.authoritative = true;
    message.metadata.response_code = ResponseCode::NoError;
    message.add_query(question.clone());
    if question.query_type() == RecordType::TXT {
        let mut texts = vec![exchange::answer(&nonce, pod).trim_end().to_owned()];
        texts.extend(std::iter::repeat_n(LOAD.to_owned(), if load { LOADS } else { 0 }));
        let text = RData::TXT(TXT::new(texts));
        message.add_answer(Record::from_rdata(question.name().clone(), TIME_TO_LIVE, text));
    }
    if asked.edns.is_some() {
        let mut edns = Edns::new();
        edns.set_max_payload(UDP_PAYLOAD_MAX);
        message.set_edns(edns);
    }
    Some((nonce, message.to_vec().ok()?))
}

/// Whether labels stand before the nonce, and the nonce: the last label before the zone.
fn split(name: &Name) -> Option<(bool, String)> {
    let zone = Name::from_str(ZONE).ok()?;
    let own = usize::from(name.num_labels().checked_sub(zone.num_labels())?);
    let labels: Vec<&[u8]> = name.iter().collect();
    let ends_in_zone =
        labels[own..].iter().zip(zone.iter()).all(|(one, other)| one.eq_ignore_ascii_case(other));
    let nonce = std::str::from_utf8(labels.get(own.checked_sub(1)?)?).ok()?;
    // Name servers on the way may change the case of letters; nonces are written small.
    let nonce = nonce.to_ascii_lowercase();
    (ends_in_zone && exchange::is_nonce(&nonce)).then_some((own > 1, nonce))
}

/// The nonce and the pod of an answer, if it carries them.
pub fn nonce_of_answer(bytes: &[u8]) -> Option<(String, Option<String>)> {
    let message = Message::from_vec(bytes).ok()?;
    let texts = message.answers.iter().filter_map(|record| match &record.data {
        RData::TXT(text) => text.txt_data.first(),
        _ => None,
    });
    texts.map(|text| exchange::parse_answer(text)).next()?
}

/// The first message of a TCP stream, whose length stands before it in two bytes; `None` while
/// it is not complete.
pub fn framed(buffer: &[u8]) -> Option<&[u8]> {
    let (length, rest) = buffer.split_first_chunk::<2>()?;
    rest.get(..usize::from(u16::from_be_bytes(*length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange_of(name: &str) -> Option<(String, Vec<u8>)> {
        let (_, query) = query(name, RecordType::TXT).unwrap();
        answer(&query, "tenant/server-0")
    }

    #[test]
    fn a_nonce_goes_there_and_back() {
        let (nonce, bytes) = exchange_of("0a1b2c.partywall.test").unwrap();
        assert_eq!(nonce, "0a1b2c");
        let expected = ("0a1b2c".to_owned(), Some("tenant/server-0".to_owned()));
        assert_eq!(nonce_of_answer(&bytes), Some(expected));
        assert!(bytes.len() < 200, "nothing but the nonce");
    }

    #[test]
    fn what_is_carried_stands_before_the_nonce() {
        let (nonce, bytes) = exchange_of("aGVsbG8.d29ybGQ.0a1b2c.PartyWall.test").unwrap();
        assert_eq!(nonce, "0a1b2c");
        assert!((500..usize::from(UDP_PAYLOAD_MAX)).contains(&bytes.len()), "{}", bytes.len());
    }

    #[test]
    fn foreign_names_are_not_answered() {
        for name in ["partywall.test", "kubernetes.default.svc.cluster.local", "a_b.partywall.test"]
        {
            assert_eq!(exchange_of(name), None, "{name}");
        }
        assert_eq!(answer(b"PARTYWALL abc\n", ""), None);
    }

    #[test]
    fn a_frame_is_whole_or_none() {
        assert_eq!(framed(b"\0"), None);
        assert_eq!(framed(b"\0\x02a"), None);
        assert_eq!(framed(b"\0\x02abc"), Some(b"ab".as_slice()));
    }
}
