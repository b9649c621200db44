//! HyperLogLog: how many distinct elements were added, within 0.81 %, in at most 12 KB.
//!
//! A HyperLogLog is an ordinary string value whose bytes mean something, so everything here works
//! on bytes, and the bytes are Redis's (4.0 to 7.2) to the last bit: `GET`, `DUMP` and a replica
//! see the same.
//!
//! ```text
//! +------+---+-----+----------+----------- - - -
//! | HYLL | E | N/U | Cardin.  | registers
//! +------+---+-----+----------+----------- - - -
//!   magic  |   3       8 bytes, little endian; the top bit of the last byte says "stale"
//!          encoding: 0 dense, 1 sparse
//! ```
//!
//! There are 16,384 registers. An element's hash chooses one (14 bits) and proposes a value for it
//! (the position of the first one in the other 50 bits: 1 to 51); a register keeps the largest.
//! [`dense`] packs registers in 6 bits each; [`sparse`] run-length encodes them while few are set.
//!
//! What is not here: keys, replies, and when to write the cached cardinality back.
//!
//! Invariant: any bytes may be given to any function; those that are no HyperLogLog, or a damaged
//! one, are an [`HllError`].

mod dense;
mod estimate;
mod murmur;
mod self_test;
mod sparse;

pub use self_test::{SelfTestFailure, self_test};

use dense::{DENSE_LEN, PACKED_LEN};
use sparse::Cursor;

/// The number of registers.
pub const REGISTERS: usize = 1 << INDEX_BITS;

const INDEX_BITS: u32 = 14;
const HEADER_LEN: usize = 16;
const MAGIC: &[u8; 4] = b"HYLL";
const ENCODING_AT: usize = 4;
const CARDINALITY_AT: usize = 8;
const STALE: u8 = 0x80;

/// Why bytes could not be used as a HyperLogLog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HllError {
    /// Redis's `WRONGTYPE`: the header is not one.
    #[error("not a HyperLogLog string value")]
    NotHyperLogLog,
    /// Redis's `INVALIDOBJ`: the header is right, the registers are not.
    #[error("corrupted HyperLogLog")]
    Corrupted,
    /// `PFDEBUG DECODE` of a dense value.
    #[error("HyperLogLog encoding is not sparse")]
    NotSparse,
}

/// How the registers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Dense,
    Sparse,
}

impl Encoding {
    /// The name that `PFDEBUG ENCODING` gives it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dense => "dense",
            Self::Sparse => "sparse",
        }
    }
}

/// A HyperLogLog with no element: 18 bytes, sparse.
pub fn empty() -> Vec<u8> {
    let mut value = vec![0; HEADER_LEN];
    value[..MAGIC.len()].copy_from_slice(MAGIC);
    value[ENCODING_AT] = 1;
    sparse::push_zeros(&mut value, REGISTERS);
    value
}

/// Checks the header, and the length if it is dense, as Redis does before every command. The
/// opcodes of a sparse value are checked by whoever reads them. O(1).
pub fn validate(value: &[u8]) -> Result<Encoding, HllError> {
    if value.len() < HEADER_LEN || !value.starts_with(MAGIC) {
        return Err(HllError::NotHyperLogLog);
    }
    match value[ENCODING_AT] {
        0 if value.len() == DENSE_LEN => Ok(Encoding::Dense),
        1 => Ok(Encoding::Sparse),
        _ => Err(HllError::NotHyperLogLog),
    }
}

/// Adds an element; says whether a register changed, in which case the cached cardinality is stale
/// from now on. A sparse value that would grow beyond `sparse_max_bytes`, or needs a register above
/// 32, becomes dense. O(1) if dense, O(size) if sparse. After an error the value is as it was.
pub fn add(value: &mut Vec<u8>, element: &[u8], sparse_max_bytes: usize) -> Result<bool, HllError> {
    let (index, count) = register_of(element);
    raise(value, index, count, sparse_max_bytes, &mut Cursor::start())
}

/// The cached cardinality, unless it is stale. O(1).
pub fn cached_cardinality(value: &[u8]) -> Result<Option<u64>, HllError> {
    validate(value)?;
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&value[CARDINALITY_AT..HEADER_LEN]);
    let stale = bytes[7] & STALE != 0;
    Ok((!stale).then_some(u64::from_le_bytes(bytes)))
}

/// Writes an estimate into the header, so that the next `PFCOUNT` finds it. O(1).
pub fn cache_cardinality(value: &mut [u8], cardinality: u64) -> Result<(), HllError> {
    validate(value)?;
    value[CARDINALITY_AT..HEADER_LEN].copy_from_slice(&cardinality.to_le_bytes());
    Ok(())
}

/// Declares the cached cardinality stale, as Redis does for a HyperLogLog just made. O(1).
pub fn forget_cardinality(value: &mut [u8]) -> Result<(), HllError> {
    validate(value)?;
    mark_stale(value);
    Ok(())
}

/// Estimates the cardinality from the registers, whatever is cached. O(size).
pub fn estimate(value: &[u8]) -> Result<u64, HllError> {
    let registers = &value[HEADER_LEN.min(value.len())..];
    let histogram = match validate(value)? {
        Encoding::Dense => dense::histogram(registers),
        Encoding::Sparse => sparse::histogram(registers)?,
    };
    Ok(estimate::cardinality(&histogram))
}

/// The value of each register. `PFDEBUG GETREG` gives these (and makes the value dense).
pub fn registers(value: &[u8]) -> Result<Registers, HllError> {
    let mut registers = Registers::new();
    registers.merge(value)?;
    Ok(registers)
}

/// Makes a value dense; says whether it was sparse. The cached cardinality stays. O(registers).
pub fn to_dense(value: &mut Vec<u8>) -> Result<bool, HllError> {
    if validate(value)? == Encoding::Dense {
        return Ok(false);
    }
    let mut promoted = vec![0; DENSE_LEN];
    promoted[..HEADER_LEN].copy_from_slice(&value[..HEADER_LEN]);
    promoted[ENCODING_AT] = 0;
    let packed = &mut promoted[HEADER_LEN..];
    sparse::for_each_run(&value[HEADER_LEN..], |first, length, count| {
        if count != 0 {
            for index in first..first + length {
                dense::set(packed, index, count);
            }
        }
    })?;
    *value = promoted;
    Ok(true)
}

/// The opcodes of a sparse value as `PFDEBUG DECODE` writes them: `z:` and `Z:` for short and long
/// runs of zeros, `v:value,length` for the others. O(size).
pub fn decode(value: &[u8]) -> Result<String, HllError> {
    match validate(value)? {
        Encoding::Dense => Err(HllError::NotSparse),
        Encoding::Sparse => sparse::decode(&value[HEADER_LEN..]),
    }
}

/// Unpacked registers, the union of the HyperLogLogs merged into it: what `PFCOUNT` of several
/// keys counts, and what `PFMERGE` stores.
#[derive(Debug, Clone)]
pub struct Registers {
    values: Box<[u8; REGISTERS]>,
    any_dense: bool,
}

impl Registers {
    pub fn new() -> Self {
        Self {
            values: Box::new([0; REGISTERS]),
            any_dense: false,
        }
    }

    /// Raises each register to its value in `value`. After an error, registers that were read
    /// before the damage may have been raised.
    pub fn merge(&mut self, value: &[u8]) -> Result<(), HllError> {
        match validate(value)? {
            Encoding::Dense => {
                self.any_dense = true;
                dense::merge(&value[HEADER_LEN..], &mut self.values);
                Ok(())
            }
            Encoding::Sparse => {
                let values = &mut self.values;
                sparse::for_each_run(&value[HEADER_LEN..], |first, length, count| {
                    for register in &mut values[first..first + length] {
                        *register = count.max(*register);
                    }
                })
            }
        }
    }

    /// Estimates the cardinality of the union.
    pub fn estimate(&self) -> u64 {
        let mut histogram = [0; estimate::HISTOGRAM_LEN];
        for &value in self.values.iter() {
            histogram[usize::from(value) % estimate::HISTOGRAM_LEN] += 1;
        }
        estimate::cardinality(&histogram)
    }

    pub fn as_slice(&self) -> &[u8] {
        self.values.as_slice()
    }

    /// Writes the union into the target of `PFMERGE`, which must be one of the values merged, or
    /// [`empty`]: it becomes dense if any of them was, or if it outgrows `sparse_max_bytes`. The
    /// cached cardinality is stale afterwards. After an error the target is as it was, or holds
    /// some of the raised registers.
    pub fn store(&self, target: &mut Vec<u8>, sparse_max_bytes: usize) -> Result<(), HllError> {
        if self.any_dense {
            to_dense(target)?;
        }
        let mut cursor = Cursor::start();
        for (index, &count) in self.values.iter().enumerate() {
            if count != 0 {
                raise(target, index, count, sparse_max_bytes, &mut cursor)?;
            }
        }
        validate(target)?;
        mark_stale(target);
        Ok(())
    }
}

impl Default for Registers {
    fn default() -> Self {
        Self::new()
    }
}

/// The register that an element's hash chooses, and the value it proposes: 1 to 51.
fn register_of(element: &[u8]) -> (usize, u8) {
    const SEED: u64 = 0xadc8_3b19;
    let hash = murmur::hash(element, SEED);
    let index = hash as usize & (REGISTERS - 1);
    // The guard bit ends the run of zeros when all 50 bits are zero.
    let rest = hash >> INDEX_BITS | 1 << (u64::BITS - INDEX_BITS);
    (index, rest.trailing_zeros() as u8 + 1)
}

/// Raises one register to at least `count`; the cursor is for raising others in ascending order.
fn raise(
    value: &mut Vec<u8>,
    index: usize,
    count: u8,
    sparse_max_bytes: usize,
    cursor: &mut Cursor,
) -> Result<bool, HllError> {
    let changed = match validate(value)? {
        Encoding::Dense => dense::raise(&mut value[HEADER_LEN..], index, count),
        Encoding::Sparse => match sparse::raise(value, index, count, sparse_max_bytes, cursor)? {
            sparse::Raised::Unchanged => false,
            sparse::Raised::Changed => true,
            sparse::Raised::NeedsDense => {
                to_dense(value)?;
                dense::raise(&mut value[HEADER_LEN..], index, count)
            }
        },
    };
    if changed {
        mark_stale(value);
    }
    Ok(changed)
}

fn mark_stale(value: &mut [u8]) {
    value[HEADER_LEN - 1] |= STALE;
}

const _: () = assert!(DENSE_LEN == HEADER_LEN + PACKED_LEN);

#[cfg(test)]
mod tests;
