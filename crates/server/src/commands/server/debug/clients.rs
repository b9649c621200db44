//! DEBUG CLIENT-EVICTION: the clients by the memory they take.

use ochre_resp::Reply;

use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::config::numbers::MemoryShare;
use crate::error::Error;

/// The buckets are powers of two: below 2^15 the first, from 2^32 on the last.
const FIRST_LOG2: u32 = 15;
const LAST_LOG2: u32 = 32;
const BUCKETS: usize = (LAST_LOG2 - FIRST_LOG2 + 2) as usize;

/// What is in a bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Bucket {
    bytes: u64,
    clients: u64,
}

pub fn eviction(
    whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    _args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    if whole.call.live.config.clients.max_memory == MemoryShare::Bytes(0) {
        return Err(Error::text("ERR maxmemory-clients is disabled."));
    }
    let clients = whole.call.server.clients.all();
    let buckets = sorted(clients.iter().map(|client| client.memory_bytes()));
    out.verbatim("txt", describe(&buckets).as_bytes());
    Ok(Flow::Done)
}

fn sorted(sizes: impl Iterator<Item = u64>) -> [Bucket; BUCKETS] {
    let mut buckets = [Bucket::default(); BUCKETS];
    for bytes in sizes {
        let log2 = bytes.checked_ilog2().unwrap_or(0);
        let index = (log2 + 1).clamp(FIRST_LOG2, LAST_LOG2 + 1) - FIRST_LOG2;
        let bucket = &mut buckets[index as usize];
        bucket.bytes += bytes;
        bucket.clients += 1;
    }
    buckets
}

fn describe(buckets: &[Bucket; BUCKETS]) -> String {
    let mut text = String::new();
    for (log2, bucket) in (FIRST_LOG2..).zip(buckets) {
        let from = if log2 == FIRST_LOG2 {
            0
        } else {
            1_u64 << (log2 - 1)
        };
        let range = if log2 > LAST_LOG2 {
            format!("{from:>10}+            ")
        } else {
            format!("{from:>10} - {:>10}", (1_u64 << log2) - 1)
        };
        text.push_str(&format!(
            "bucket {range}: tot-mem: {:>10}, clients: {}\n",
            bucket.bytes, bucket.clients
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_sorted_by_powers_of_two() {
        let buckets = sorted(
            [
                0,
                32767,
                32768,
                1 << 31,
                (1 << 32) - 1,
                1 << 32,
                u64::MAX / 2,
            ]
            .into_iter(),
        );
        let counts: Vec<u64> = buckets.iter().map(|bucket| bucket.clients).collect();
        assert_eq!(counts[..2], [2, 1]);
        assert_eq!(counts[17..], [2, 2]);
        assert_eq!(counts.iter().sum::<u64>(), 7);
        let text = describe(&buckets);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "bucket          0 -      32767: tot-mem:      32767, clients: 2"
        );
        assert_eq!(
            lines[1],
            "bucket      32768 -      65535: tot-mem:      32768, clients: 1"
        );
        assert!(lines[17].starts_with("bucket 2147483648 - 4294967295: tot-mem: "));
        assert!(lines[18].starts_with("bucket 4294967296+            : tot-mem: "));
        assert_eq!(lines.len(), 19);
    }
}
