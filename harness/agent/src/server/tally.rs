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
    /// How many of the arrivals the last answer told.
    told: usize,
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

    /// What came of these paces and is not forgotten. Who says that it has the last answer lets
    /// that one be forgotten; an answer that was lost on its way is told again.
    pub fn read(&mut self, prefixes: &[String], has_last: bool) -> Vec<Tallied> {
        prefixes.iter().map(|prefix| self.read_one(prefix, has_last)).collect()
    }

    fn read_one(&mut self, prefix: &str, has_last: bool) -> Tallied {
        let mut tallied = Tallied { prefix: prefix.to_owned(), arrivals: Vec::new(), lost: 0 };
        if let Some(pace) = self.paces.get_mut(prefix) {
            if has_last {
                pace.arrivals.drain(..pace.told);
                self.arrivals -= pace.told;
            }
            pace.told = pace.arrivals.len();
            tallied.arrivals.clone_from(&pace.arrivals);
            tallied.lost = pace.lost;
        }
        tallied
    }

    /// The arrivals of the pace that was silent for longest go out: most likely nobody asks for it
    /// any more, and who does is told how many are lost.
    fn make_room(&mut self, keep: &str) {
        let others = self.paces.iter_mut().filter(|(prefix, _)| prefix.as_str() != keep);
        let others = others.map(|(_, pace)| pace).filter(|pace| !pace.arrivals.is_empty());
        if let Some(oldest) = others.min_by_key(|pace| pace.last_us) {
            self.arrivals -= oldest.arrivals.len();
            oldest.lost += oldest.arrivals.len() as u64;
            oldest.arrivals.clear();
            oldest.told = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tallies: &mut Tallies, prefix: &str, has_last: bool) -> (usize, u64) {
        let told = tallies.read(&[prefix.to_owned()], has_last);
        (told[0].arrivals.len(), told[0].lost)
    }

    #[test]
    fn what_somebody_has_is_forgotten_and_nothing_else() {
        let mut tallies = Tallies::with_capacity(3);
        tallies.write("a", 0, 1);
        tallies.write("a", 1, 2);
        assert_eq!(read(&mut tallies, "a", false), (2, 0));
        // That answer was lost.
        assert_eq!(read(&mut tallies, "a", false), (2, 0));
        tallies.write("a", 2, 3);
        // What came since the last answer is in no answer yet.
        assert_eq!(read(&mut tallies, "a", true), (1, 0));
        tallies.write("a", 3, 4);
        tallies.write("a", 4, 5);
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
        assert_eq!(read(&mut tallies, "old", false), (0, 1));
        tallies.write("new", 2, 4);
        assert_eq!(read(&mut tallies, "new", false), (2, 1));
    }
}
