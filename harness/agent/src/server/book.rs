//! The book of receipts: bounded, oldest out first, and honest about what went out.

use std::collections::{HashSet, VecDeque};
use std::net::SocketAddr;

use crate::exchange;
use crate::protocol::{Receipt, Transport};

/// A few hundred bytes each, so some tens of MiB at most.
const CAPACITY: usize = 200_000;

/// Where a receipt stands in the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Number(u64);

/// All receipts of a server.
#[derive(Debug)]
pub struct Book {
    /// `None` where a receipt was taken back.
    entries: VecDeque<Option<Entry>>,
    /// The number of the first entry.
    first: u64,
    lost: u64,
    capacity: usize,
}

#[derive(Debug)]
struct Entry {
    nonce: Option<String>,
    transport: Transport,
    port: u16,
    peer: SocketAddr,
    at_us: u64,
}

impl Default for Book {
    fn default() -> Self {
        Self::with_capacity(CAPACITY)
    }
}

impl Book {
    /// A book of another size.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { entries: VecDeque::new(), first: 0, lost: 0, capacity }
    }

    /// Writes a receipt.
    pub fn write(
        &mut self,
        transport: Transport,
        port: u16,
        peer: SocketAddr,
        nonce: Option<String>,
    ) -> Number {
        while self.entries.len() >= self.capacity {
            if let Some(Some(_)) = self.entries.pop_front() {
                self.lost += 1;
            }
            self.first += 1;
        }
        // A dual-stack socket shows an IPv4 peer as a mapped IPv6 address.
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        self.entries.push_back(Some(Entry {
            nonce,
            transport,
            port,
            peer,
            at_us: exchange::now_us(),
        }));
        Number(self.first + self.entries.len() as u64 - 1)
    }

    /// Writes into a receipt the nonce that has come since. What went out meanwhile was
    /// counted as lost.
    pub fn name(&mut self, number: Number, nonce: &str) {
        if let Some(Some(entry)) = self.slot(number) {
            entry.nonce = Some(nonce.to_owned());
        }
    }

    /// Takes back the receipt of a health check, which says of itself that it is no probe.
    pub fn take_back(&mut self, number: Number) {
        if let Some(slot) = self.slot(number) {
            *slot = None;
        }
    }

    /// How many receipts went out to make room.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// The receipts of these nonces (of all, if none is named) and those without a nonce.
    pub fn read(&self, nonces: &[String]) -> Vec<Receipt> {
        let wanted: HashSet<&str> = nonces.iter().map(String::as_str).collect();
        let is_wanted = |entry: &&Entry| match &entry.nonce {
            Some(nonce) => wanted.is_empty() || wanted.contains(nonce.as_str()),
            None => true,
        };
        let entries = self.entries.iter().flatten();
        entries.filter(is_wanted).map(Entry::receipt).collect()
    }

    fn slot(&mut self, number: Number) -> Option<&mut Option<Entry>> {
        let index = number.0.checked_sub(self.first)?;
        self.entries.get_mut(usize::try_from(index).ok()?)
    }
}

impl Entry {
    fn receipt(&self) -> Receipt {
        Receipt {
            nonce: self.nonce.clone(),
            transport: self.transport,
            port: self.port,
            peer: self.peer.to_string(),
            at_us: self.at_us,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(book: &mut Book, nonce: Option<&str>) -> Number {
        let peer = "[::ffff:10.1.2.3]:4000".parse().unwrap();
        book.write(Transport::Tcp, 8000, peer, nonce.map(str::to_owned))
    }

    #[test]
    fn an_accept_is_named_by_the_nonce_that_comes_later() {
        let mut book = Book::default();
        let number = write(&mut book, None);
        assert_eq!(book.read(&[])[0].nonce, None);
        book.name(number, "n1");
        let receipts = book.read(&["n1".to_owned()]);
        assert_eq!(receipts.len(), 1);
        assert_eq!(receipts[0].nonce.as_deref(), Some("n1"));
        assert_eq!(receipts[0].peer, "10.1.2.3:4000");
    }

    #[test]
    fn other_nonces_are_left_out_and_nameless_accepts_are_not() {
        let mut book = Book::default();
        write(&mut book, Some("n1"));
        write(&mut book, Some("n2"));
        write(&mut book, None);
        let nonces: Vec<_> = book.read(&["n2".to_owned()]).into_iter().map(|r| r.nonce).collect();
        assert_eq!(nonces, [Some("n2".to_owned()), None]);
    }

    #[test]
    fn what_goes_out_is_counted() {
        let mut book = Book::with_capacity(2);
        let first = write(&mut book, Some("n1"));
        write(&mut book, Some("n2"));
        assert_eq!(book.lost(), 0);
        write(&mut book, Some("n3"));
        assert_eq!(book.lost(), 1);
        book.name(first, "late");
        assert!(book.read(&["late".to_owned()]).is_empty());
    }

    #[test]
    fn health_checks_do_not_push_receipts_out() {
        let mut book = Book::with_capacity(2);
        for _ in 0..10 {
            let check = write(&mut book, None);
            book.take_back(check);
        }
        assert_eq!((book.lost(), book.read(&[]).len()), (0, 0));
    }
}
