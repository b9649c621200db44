//! A whole file: the header, what belongs to no key, entries, the checksum.
//!
//! Entries come in either way: written here, or encoded elsewhere and passed through
//! [`Write`]. Small pieces are gathered, large ones go straight through.

use std::io::{self, Write};

use super::encoder::{Encoder, EntryHead};
use super::primitives;
use crate::Version;
use crate::crc64::Crc64;
use crate::opcode;
use crate::read::ChecksumPolicy;
use crate::value::PlainValue;

const BUFFER_BYTES: usize = 64 << 10;

/// What a file says of itself at its start.
#[derive(Clone, Debug, Default)]
pub struct Preamble<'a> {
    /// `redis-ver`.
    pub redis_version: &'a str,
    /// When it is written, in seconds since 1970.
    pub created_s: i64,
    /// How much memory the server uses, in bytes.
    pub used_memory: u64,
    /// The place in the replication stream that the file stands for.
    pub replication: Option<Replication<'a>>,
    /// Whether it is the base of an append-only file.
    pub aof_base: bool,
}

/// A place in the replication stream.
#[derive(Clone, Debug)]
pub struct Replication<'a> {
    /// The database that was selected last in the stream.
    pub database: i64,
    /// The stream's ID, 40 hexadecimal digits.
    pub id: &'a str,
    /// The offset in it.
    pub offset: i64,
}

/// Writes a file to `W`. The checksum covers all that is written through it.
#[derive(Debug)]
pub struct Writer<W> {
    out: Output<W>,
    encoder: Encoder,
}

#[derive(Debug)]
struct Output<W> {
    inner: W,
    buffer: Vec<u8>,
    checksum: Crc64,
    policy: ChecksumPolicy,
    /// Bytes that went to `inner`.
    passed: u64,
}

impl<W: Write> Writer<W> {
    /// Starts a file. With [`ChecksumPolicy::Ignore`] (`rdbchecksum no`) it gets the
    /// checksum 0, which no reader looks at.
    ///
    /// # Errors
    /// Those of `inner`; so for all functions.
    pub fn new(inner: W, encoder: Encoder, policy: ChecksumPolicy) -> io::Result<Self> {
        let mut out = Output {
            inner,
            buffer: Vec::with_capacity(BUFFER_BYTES),
            checksum: Crc64::new(),
            policy,
            passed: 0,
        };
        write!(out, "REDIS{:04}", encoder.version().number())?;
        Ok(Writer { out, encoder })
    }

    /// How many bytes the file has so far.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.out.passed + self.out.buffer.len() as u64
    }

    /// The version that is written.
    #[must_use]
    pub fn version(&self) -> Version {
        self.encoder.version()
    }

    /// The facts that Redis writes, in its order.
    pub fn preamble(&mut self, preamble: &Preamble<'_>) -> io::Result<()> {
        self.aux(b"redis-ver", preamble.redis_version.as_bytes())?;
        self.aux(b"redis-bits", b"64")?;
        self.aux_integer(b"ctime", preamble.created_s)?;
        let used_memory = i64::try_from(preamble.used_memory).unwrap_or(i64::MAX);
        self.aux_integer(b"used-mem", used_memory)?;
        if let Some(replication) = &preamble.replication {
            self.aux_integer(b"repl-stream-db", replication.database)?;
            self.aux(b"repl-id", replication.id.as_bytes())?;
            self.aux_integer(b"repl-offset", replication.offset)?;
        }
        self.aux_integer(b"aof-base", i64::from(preamble.aof_base))
    }

    /// A fact.
    pub fn aux(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        self.out.write_all(&[opcode::AUX])?;
        self.encoder.string(&mut self.out, key)?;
        self.encoder.string(&mut self.out, value)
    }

    fn aux_integer(&mut self, key: &[u8], value: i64) -> io::Result<()> {
        self.aux(key, itoa::Buffer::new().format(value).as_bytes())
    }

    /// The code of a function library.
    pub fn function(&mut self, code: &[u8]) -> io::Result<()> {
        self.out.write_all(&[opcode::FUNCTION])?;
        self.encoder.string(&mut self.out, code)
    }

    /// The database of the entries that follow.
    pub fn select_db(&mut self, database: u32) -> io::Result<()> {
        self.out.write_all(&[opcode::SELECT_DB])?;
        primitives::length(&mut self.out, u64::from(database))
    }

    /// How many keys follow in this database, about, and how many of them expire.
    pub fn resize_db(&mut self, keys: u64, expires: u64) -> io::Result<()> {
        self.out.write_all(&[opcode::RESIZE_DB])?;
        primitives::length(&mut self.out, keys)?;
        primitives::length(&mut self.out, expires)
    }

    /// A key and its value.
    pub fn entry(&mut self, head: &EntryHead<'_>, value: &PlainValue<'_>) -> io::Result<()> {
        self.encoder.entry(&mut self.out, head, value)
    }

    /// The encoder and where to write to: for an entry, or a part of one.
    pub fn parts(&mut self) -> (&mut Encoder, &mut impl Write) {
        (&mut self.encoder, &mut self.out)
    }

    /// Ends the file and gives back what it was written to, flushed.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[opcode::EOF])?;
        self.out.drain()?;
        let checksum = match self.out.policy {
            ChecksumPolicy::Verify => self.out.checksum.value(),
            ChecksumPolicy::Ignore => 0,
        };
        let mut inner = self.out.inner;
        inner.write_all(&checksum.to_le_bytes())?;
        inner.flush()?;
        Ok(inner)
    }
}

/// Takes entries that were encoded elsewhere.
impl<W: Write> Write for Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl<W: Write> Output<W> {
    fn pass(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.inner.write_all(bytes)?;
        if self.policy == ChecksumPolicy::Verify {
            self.checksum.update(bytes);
        }
        self.passed += bytes.len() as u64;
        Ok(())
    }

    fn drain(&mut self) -> io::Result<()> {
        let buffer = std::mem::take(&mut self.buffer);
        let result = self.pass(&buffer);
        self.buffer = buffer;
        // After an error the file is lost anyway.
        self.buffer.clear();
        result
    }
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() + bytes.len() > BUFFER_BYTES {
            self.drain()?;
        }
        if bytes.len() >= BUFFER_BYTES {
            self.pass(bytes)?;
        } else {
            self.buffer.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.drain()?;
        self.inner.flush()
    }
}
