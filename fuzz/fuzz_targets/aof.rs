//! The append-only file's reader and manifest: any bytes, in any pieces, give the same
//! commands or the same error; what is said to be valid is; and never a panic.
#![no_main]

use std::io::{self, Read};

use libfuzzer_sys::fuzz_target;
use ochre_journal::aof::{AofReader, Manifest};

/// A source that gives at most so many bytes at a time.
struct Pieces<'a> {
    rest: &'a [u8],
    most: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.most.min(buffer.len()).min(self.rest.len());
        buffer[..count].copy_from_slice(&self.rest[..count]);
        self.rest = &self.rest[count..];
        Ok(count)
    }
}

/// The commands, the error, and up to where the bytes are valid.
type Outcome = (Vec<Vec<Vec<u8>>>, Option<String>, u64);

fn singly(bytes: &[u8], most: usize) -> Outcome {
    let mut reader = AofReader::new(Pieces { rest: bytes, most }, 0);
    let mut commands = Vec::new();
    let error = loop {
        match reader.next() {
            Ok(Some(command)) => commands.push(command.arguments().map(<[u8]>::to_vec).collect()),
            Ok(None) => break None,
            Err(error) => break Some(error.to_string()),
        }
    };
    (commands, error, reader.valid_up_to())
}

fn batches(bytes: &[u8], most: usize) -> Outcome {
    let mut reader = AofReader::new(Pieces { rest: bytes, most }, 0);
    let mut commands = Vec::new();
    let error = loop {
        match reader.next_batch(most) {
            Ok(Some(batch)) => {
                for command in batch.commands() {
                    commands.push(command.arguments().map(<[u8]>::to_vec).collect());
                }
                reader.recycle(batch);
            }
            Ok(None) => break None,
            Err(error) => break Some(error.to_string()),
        }
    };
    (commands, error, reader.valid_up_to())
}

fuzz_target!(|data: &[u8]| {
    if let Ok(manifest) = Manifest::parse(data) {
        let text = manifest.format();
        // Of names longer than those of files, lines can become too long to be read.
        let is_short = |line: &[u8]| line.len() <= 1024;
        if !text.is_empty() && text.split_inclusive(|&byte| byte == b'\n').all(is_short) {
            assert_eq!(Manifest::parse(&text), Ok(manifest));
        }
    }
    let Some((&first, bytes)) = data.split_first() else {
        return;
    };
    let most = 1 + usize::from(first);
    let whole = singly(bytes, usize::MAX);
    assert_eq!(singly(bytes, most), whole);
    let (commands, error, valid_up_to) = batches(bytes, most);
    assert!(whole.0.starts_with(&commands));
    assert_eq!((&error, valid_up_to), (&whole.1, whole.2));
    let valid = &bytes[..valid_up_to as usize];
    assert_eq!(singly(valid, most), (commands, None, valid_up_to));
});
