//! How fast commands are read from and written to an append-only file's bytes in
//! memory: `cargo run --release -p ochre-journal --example aof_speed`.

use std::hint::black_box;
use std::time::Instant;

use ochre_journal::aof::{AofReader, append_command};

fn main() {
    for value_bytes in [4, 32, 1024] {
        let count = if value_bytes > 100 {
            300_000
        } else {
            3_000_000
        };
        measure(count, &vec![b'v'; value_bytes]);
    }
}

fn measure(count: usize, value: &[u8]) {
    let keys: Vec<String> = (0..1000).map(|key| format!("key:{key:012}")).collect();
    let mut file = Vec::new();
    report("write", value.len(), count, || {
        for index in 0..count {
            let key = keys[index % keys.len()].as_bytes();
            append_command(&mut file, &[b"SET", key, value]);
        }
        file.len()
    });
    report("write again", value.len(), count, || {
        file.clear();
        for index in 0..count {
            let key = keys[index % keys.len()].as_bytes();
            append_command(&mut file, &[b"SET", key, value]);
        }
        file.len()
    });
    report("read singly", value.len(), count, || {
        let mut reader = AofReader::new(file.as_slice(), 0);
        while let Ok(Some(command)) = reader.next() {
            black_box(command.argument(1));
        }
        file.len()
    });
    report("read batches", value.len(), count, || {
        let mut reader = AofReader::new(file.as_slice(), 0);
        while let Ok(Some(batch)) = reader.next_batch(256 << 10) {
            for command in batch.commands() {
                black_box(command.argument(1));
            }
            reader.recycle(batch);
        }
        file.len()
    });
}

fn report(what: &str, value_bytes: usize, count: usize, run: impl FnOnce() -> usize) {
    let start = Instant::now();
    let bytes = run();
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{what:14} value of {value_bytes:4} B: {:6.2} M commands/s {:7.0} MB/s",
        count as f64 / seconds / 1e6,
        bytes as f64 / seconds / 1e6
    );
}
