//! The bodies of scripts, by the SHA-1 of their text.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::RwLock;
use sha1::{Digest, Sha1};

use super::flags::ScriptFlags;
use crate::error::Error;

/// 40 lower-case hexadecimal digits.
pub type Sha = [u8; 40];

/// A script as it was loaded.
#[derive(Debug)]
pub struct Script {
    pub sha: Sha,
    /// What Lua compiles: the text without its shebang line.
    pub body: Vec<u8>,
    pub flags: ScriptFlags,
}

/// All scripts that were loaded or evaluated.
#[derive(Debug, Default)]
pub struct Scripts {
    by_sha: RwLock<HashMap<Sha, Arc<Script>>>,
    bytes: AtomicUsize,
    interpreters: AtomicUsize,
    /// Counts the flushes: interpreters drop what they compiled before.
    generation: AtomicU64,
}

impl Scripts {
    /// The script of this text, added if it is new.
    ///
    /// # Errors
    /// A shebang line that makes no sense.
    pub fn add(&self, text: &[u8]) -> Result<Arc<Script>, Error> {
        let sha = sha_of(text);
        if let Some(script) = self.find(&sha) {
            return Ok(script);
        }
        let (flags, body) = super::flags::parse(text)?;
        let script = Arc::new(Script {
            sha,
            body: body.to_vec(),
            flags,
        });
        if self.by_sha.write().insert(sha, script.clone()).is_none() {
            self.bytes.fetch_add(text.len(), Ordering::Relaxed);
        }
        Ok(script)
    }

    /// Forgets a script that turned out not to compile.
    pub fn remove(&self, sha: &Sha) {
        if let Some(script) = self.by_sha.write().remove(sha) {
            self.bytes.fetch_sub(script.body.len(), Ordering::Relaxed);
        }
    }

    pub fn find(&self, sha: &Sha) -> Option<Arc<Script>> {
        self.by_sha.read().get(sha).cloned()
    }

    /// SCRIPT FLUSH.
    pub fn flush(&self) {
        self.by_sha.write().clear();
        self.bytes.store(0, Ordering::Relaxed);
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Notes that an interpreter's memory went from `before` to `after` bytes.
    pub fn note_memory(&self, before: usize, after: usize) {
        self.interpreters
            .fetch_add(after.wrapping_sub(before), Ordering::Relaxed);
    }

    /// Bytes used by all interpreters (`used_memory_vm_eval`).
    pub fn interpreter_bytes(&self) -> usize {
        self.interpreters.load(Ordering::Relaxed)
    }

    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub fn len(&self) -> usize {
        self.by_sha.read().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of all texts (`used_memory_scripts`).
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// The SHA-1 of a text in hexadecimal.
pub fn sha_of(text: &[u8]) -> Sha {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut sha = [0; 40];
    for (place, byte) in sha.chunks_mut(2).zip(Sha1::digest(text)) {
        place[0] = DIGITS[usize::from(byte >> 4)];
        place[1] = DIGITS[usize::from(byte & 15)];
    }
    sha
}

/// A SHA-1 as a client writes it, in any case.
pub fn parse_sha(text: &[u8]) -> Option<Sha> {
    let sha: Sha = text.try_into().ok()?;
    Some(sha.map(|digit| digit.to_ascii_lowercase()))
}
/// Hashes a digest: its bytes are as good as random already.
#[derive(Default)]
pub struct ShaHasher(u64);

impl std::hash::Hasher for ShaHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            let mixed = (self.0 ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            self.0 = mixed ^ mixed >> 29;
        }
    }

    fn write_usize(&mut self, value: usize) {
        self.0 ^= value as u64;
    }
}
