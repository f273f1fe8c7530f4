//! What the kernel threw away before the server could read it.

use std::io;

/// How many datagrams for this local port found the receive buffer full. They reached the pod
/// and have no receipt, so absence cannot be told after one.
pub(super) fn dropped_datagrams(port: u16) -> io::Result<u64> {
    let mut dropped = 0;
    for table in ["/proc/self/net/udp", "/proc/self/net/udp6"] {
        match std::fs::read_to_string(table) {
            Ok(table) => dropped += dropped_in(&table, port),
            // A kernel without IPv6.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(dropped)
}

/// The second column ends in the local port in hexadecimal, the last one counts the drops.
fn dropped_in(table: &str, port: u16) -> u64 {
    let suffix = format!(":{port:04X}");
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut columns = line.split_whitespace();
            let is_ours = columns.nth(1)?.ends_with(&suffix);
            is_ours.then(|| columns.last()?.parse::<u64>().ok())?
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  127: 00000000:1F40 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4101 2 0000000000000000 3
  131: 0100007F:1F41 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4102 2 0000000000000000 9
";

    #[test]
    fn drops_are_read_by_port() {
        assert_eq!(dropped_in(TABLE, 8000), 3);
        assert_eq!(dropped_in(TABLE, 8001), 9);
        assert_eq!(dropped_in(TABLE, 8002), 0);
    }
}
