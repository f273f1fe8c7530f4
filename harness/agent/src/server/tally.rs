//! Receipts of paces: many, and only of who came when. They are apart from the book, which a
//! few minutes of a meter would fill.

use std::collections::HashMap;

use crate::protocol::Tallied;

/// Sixteen bytes each.
const CAPACITY: usize = 500_000;

/// What reached a server, by the prefix of its pace.
#[derive(Debug)]
pub struct Tallies {
    paces: HashMap<String, Pace>,
    arrivals: usize,
    capacity: usize,
}

#[derive(Debug, Default)]
struct Pace {
    arrivals: Vec<(u64, u64)>,
    lost: u64,
    last_us: u64,
}

impl Default for Tallies {
    fn default() -> Self {
        Self::with_capacity(CAPACITY)
    }
}

impl Tallies {
    /// Room for so many arrivals.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { paces: HashMap::new(), arrivals: 0, capacity }
    }

    /// The probe of this number came at this time.
    pub fn write(&mut self, prefix: &str, number: u64, at_us: u64) {
        if self.arrivals >= self.capacity {
            self.make_room(prefix);
        }
        let is_full = self.arrivals >= self.capacity;
        let pace = self.paces.entry(prefix.to_owned()).or_default();
        pace.last_us = at_us;
        if is_full {
            pace.lost += 1;
        } else {
            pace.arrivals.push((number, at_us));
            self.arrivals += 1;
        }
    }

    /// What came of these paces.
    pub fn read(&mut self, prefixes: &[String], forget: bool) -> Vec<Tallied> {
        let told = prefixes.iter().map(|prefix| {
            let pace = self.paces.get(prefix);
            Tallied {
                prefix: prefix.clone(),
                arrivals: pace.map_or_else(Vec::new, |pace| pace.arrivals.clone()),
                lost: pace.map_or(0, |pace| pace.lost),
            }
        });
        let told = told.collect();
        if forget {
            prefixes.iter().for_each(|prefix| self.forget(prefix));
        }
        told
    }

    fn forget(&mut self, prefix: &str) {
        if let Some(pace) = self.paces.remove(prefix) {
            self.arrivals -= pace.arrivals.len();
        }
    }

    /// The pace that was silent for longest goes out whole: nobody asks for it any more.
    fn make_room(&mut self, keep: &str) {
        let others = self.paces.iter().filter(|(prefix, _)| prefix.as_str() != keep);
        let oldest = others.min_by_key(|(_, pace)| pace.last_us);
        if let Some(prefix) = oldest.map(|(prefix, _)| prefix.clone()) {
            self.forget(&prefix);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tallies: &mut Tallies, prefix: &str, forget: bool) -> (usize, u64) {
        let told = tallies.read(&[prefix.to_owned()], forget);
        (told[0].arrivals.len(), told[0].lost)
    }

    #[test]
    fn what_was_told_can_be_forgotten() {
        let mut tallies = Tallies::default();
        tallies.write("a", 0, 1);
        tallies.write("a", 1, 2);
        assert_eq!(read(&mut tallies, "a", false), (2, 0));
        assert_eq!(read(&mut tallies, "a", true), (2, 0));
        assert_eq!(read(&mut tallies, "a", true), (0, 0));
        assert_eq!(read(&mut tallies, "b", true), (0, 0));
    }

    #[test]
    fn a_full_tally_gives_up_the_oldest_pace_and_counts_what_it_cannot_hold() {
        let mut tallies = Tallies::with_capacity(2);
        tallies.write("old", 0, 1);
        tallies.write("new", 0, 2);
        tallies.write("new", 1, 3);
        assert_eq!(read(&mut tallies, "old", false), (0, 0));
        tallies.write("new", 2, 4);
        assert_eq!(read(&mut tallies, "new", false), (2, 1));
    }
}
