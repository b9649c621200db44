//! Numbers as text, exactly as Redis reads and prints them.
//!
//! What is a number, and how it looks when it is printed, is visible to every client: `INCR`
//! refuses `+5`, `ZADD` accepts `0x1p3`, `INCRBYFLOAT` computes with 80 bits. Each file here holds
//! one kind of number:
//!
//! * [`integer`]: 64-bit integers in their one canonical form.
//! * [`float`]: doubles (scores), read as C's `strtod` reads them.
//! * [`extended`]: the 80-bit x87 `long double` of `INCRBYFLOAT` and `HINCRBYFLOAT`, in integer
//!   arithmetic, so that results are the same on every machine.
//!
//! Nothing here knows commands or error texts: a text that is no number is `None`.

mod big;
pub mod extended;
pub mod float;
mod hexadecimal;
pub mod integer;
mod rounding;
mod shortest;

pub use extended::Extended;
pub use float::{F64Text, format_f64, format_f64_17g, format_f64_fpconv, parse_f64, push_f64};
pub use integer::{I64Text, format_i64, parse_i64, parse_u64, parse_u64_lenient, push_i64};
