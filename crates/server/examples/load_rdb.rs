//! How fast an RDB is loaded: `load_rdb FILE [THREADS] [ROUNDS]`.
//!
//! Prints wall and CPU time, keys and bytes per second for each round. The store of a round is
//! dropped before the next.

use std::time::Instant;

use ochre_rdb::{ChecksumPolicy, Validation};
use ochre_server::persistence::load::{
    ExpiredKeys, LoadOptions, LoadProgress, LoadSink, ThreadBegin, load,
};
use ochre_store::load::Existing;
use ochre_store::{Settings, Store};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

struct Deaf;

impl LoadSink for Deaf {
    fn function(&mut self, _code: &[u8]) -> Result<(), String> {
        Ok(())
    }

    fn note(&mut self, line: String) {
        eprintln!("{line}");
    }
}

/// CPU time of this process so far, user's and system's.
fn cpu_seconds() -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks
        .filter_map(|text| text.parse::<f64>().ok())
        .sum::<f64>()
        / TICKS_PER_SECOND
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or("load_rdb FILE [THREADS] [ROUNDS]")?;
    let threads = args.next().map_or(Ok(2), |text| text.parse())?;
    let rounds: usize = args.next().map_or(Ok(3), |text| text.parse())?;
    for _ in 0..rounds {
        let (store, _) = Store::start(1024, 16)?;
        let options = LoadOptions {
            threads,
            begin: ThreadBegin::default(),
            expired: ExpiredKeys::Keep,
            existing: Existing::Refuse,
            checksum: ChecksumPolicy::Verify,
            validation: Validation::Structure,
            settings: Settings::default(),
            now_ms: 1_700_000_000_000,
            delay_us: 0,
        };
        let file = std::fs::File::open(&path)?;
        let progress = LoadProgress::default();
        let (start, cpu) = (Instant::now(), cpu_seconds());
        let loaded = load(&store, file, &options, &mut Deaf, &progress)?;
        let seconds = start.elapsed().as_secs_f64();
        let keys = loaded.counts.keys;
        println!(
            "{threads} threads: {keys} keys, {} bytes in {seconds:.3} s (CPU {:.2} s): {:.2} M keys/s, {:.0} MB/s",
            loaded.bytes,
            cpu_seconds() - cpu,
            keys as f64 / seconds / 1e6,
            loaded.bytes as f64 / seconds / 1e6,
        );
    }
    Ok(())
}
