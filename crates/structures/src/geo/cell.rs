//! Geohashes: cells of a grid on the globe.
//!
//! ```text
//!   step 1, bits of a cell:        each step halves both axes and appends two bits:
//!   +----+----+ +85.05             longitude's (high), latitude's (low)
//!   | 01 | 11 |
//!   +----+----+                    a score is a cell of step 26:
//!   | 00 | 10 |                    bit 51 ................................ bit 0
//!   +----+----+ -85.05             lon lat lon lat ...             lon lat
//! -180       +180
//! ```
//!
//! The poles are cut off, as in the Mercator projection of web maps. A position on the upper edge
//! of a range falls into a column or row beyond the last one, and its score has more than 52 bits;
//! so it is in Redis.

/// The largest latitude, in degrees, north or south.
pub const LATITUDE_MAX: f64 = 85.05112878;

/// The largest longitude, in degrees, east or west.
pub const LONGITUDE_MAX: f64 = 180.0;

/// The precision of scores: 26 halvings of each axis.
pub(super) const STEP_MAX: u32 = 26;

const LATITUDE_BITS: u64 = 0x5555_5555_5555_5555;
const LONGITUDE_BITS: u64 = LATITUDE_BITS << 1;

/// A place, in degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Position {
    pub longitude: f64,
    pub latitude: f64,
}

impl Position {
    /// A position within the limits; `None` for one outside them, or NaN.
    pub fn new(longitude: f64, latitude: f64) -> Option<Self> {
        let within = longitude.abs() <= LONGITUDE_MAX && latitude.abs() <= LATITUDE_MAX;
        within.then_some(Self {
            longitude,
            latitude,
        })
    }
}

/// The score of a position.
pub fn encode(position: Position) -> u64 {
    Cell::around(position, STEP_MAX).bits
}

/// The centre of a score's cell. Any score has one: a member that was added with an arbitrary
/// score decodes to some place within the limits.
pub fn decode(score: f64) -> Position {
    let area = Cell {
        bits: as_unsigned(score),
        step: STEP_MAX,
    }
    .area();
    let middle = |low: f64, high: f64, limit: f64| ((low + high) / 2.0).clamp(-limit, limit);
    Position {
        longitude: middle(area.west, area.east, LONGITUDE_MAX),
        latitude: middle(area.south, area.north, LATITUDE_MAX),
    }
}

/// A double as an unsigned integer, without its fraction. For one out of range C leaves the result
/// open; this is what x86-64 servers give: the lowest bits of a negative number.
fn as_unsigned(score: f64) -> u64 {
    const HALF: f64 = 9_223_372_036_854_775_808.0;
    let truncated = |value: f64| {
        if (-HALF..HALF).contains(&value) {
            value as i64
        } else {
            i64::MIN
        }
    };
    if score >= HALF {
        truncated(score - HALF) as u64 ^ 1 << 63
    } else {
        truncated(score) as u64
    }
}

/// The standard geohash of a score's position, as `GEOHASH` replies it: 11 characters, computed
/// over latitudes of -90 to 90. Ten of them hold 50 bits; the last is always `0`.
pub fn geohash_text(score: f64) -> [u8; 11] {
    const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
    let Position {
        longitude,
        latitude,
    } = decode(score);
    let bits = interleave(
        fixed_point(latitude, 90.0, STEP_MAX),
        fixed_point(longitude, LONGITUDE_MAX, STEP_MAX),
    );
    let mut text = [b'0'; 11];
    for (place, character) in text.iter_mut().take(10).enumerate() {
        let shift = 52 - (place + 1) * 5;
        *character = ALPHABET[(bits >> shift) as usize & 31];
    }
    text
}

/// A cell of the grid of `2^step` by `2^step` cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell {
    pub bits: u64,
    pub step: u32,
}

/// The edges of a cell, in degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area {
    pub west: f64,
    pub east: f64,
    pub south: f64,
    pub north: f64,
}

/// A step to a neighbouring row or column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    Back,
    Stay,
    Ahead,
}

impl Cell {
    /// The cell of a position, at a step of 1 to 26.
    pub fn around(position: Position, step: u32) -> Self {
        Self {
            bits: interleave(
                fixed_point(position.latitude, LATITUDE_MAX, step),
                fixed_point(position.longitude, LONGITUDE_MAX, step),
            ),
            step,
        }
    }

    pub fn area(self) -> Area {
        let (row, column) = deinterleave(self.bits);
        let cells = (1u64 << self.step) as f64;
        let edge = |index: u32, limit: f64| -limit + (f64::from(index) / cells) * (limit + limit);
        Area {
            west: edge(column, LONGITUDE_MAX),
            east: edge(column.wrapping_add(1), LONGITUDE_MAX),
            south: edge(row, LATITUDE_MAX),
            north: edge(row.wrapping_add(1), LATITUDE_MAX),
        }
    }

    /// The neighbour in the given direction, around the globe at the edges.
    pub fn neighbour(self, east: Move, north: Move) -> Self {
        let used = u64::MAX >> (64 - self.step * 2);
        let column = moved(self.bits, LONGITUDE_BITS & used, LATITUDE_BITS & used, east);
        let row = moved(
            self.bits,
            LATITUDE_BITS & used,
            LONGITUDE_BITS & used,
            north,
        );
        // Standing still keeps an axis as it is, even a bit beyond the grid.
        let bits = match (east, north) {
            (Move::Stay, Move::Stay) => self.bits,
            (Move::Stay, _) => self.bits & LONGITUDE_BITS | row,
            (_, Move::Stay) => column | self.bits & LATITUDE_BITS,
            _ => column | row,
        };
        Self { bits, ..self }
    }

    /// The scores of positions inside: from the first, up to but without the second.
    pub fn scores(self) -> std::ops::Range<u64> {
        let shift = 52 - self.step * 2;
        self.bits << shift..(self.bits + 1) << shift
    }
}

/// Adds to the bits of one axis in place: filling the other axis's bits with ones lets the carry
/// pass over them, clearing them lets the borrow pass.
fn moved(bits: u64, axis: u64, other: u64, direction: Move) -> u64 {
    let unit = axis & axis.wrapping_neg();
    let kept = bits & axis;
    axis & match direction {
        Move::Stay => kept,
        Move::Ahead => (kept | other).wrapping_add(unit),
        Move::Back => kept.wrapping_sub(unit),
    }
}

/// A coordinate as its row or column number among `2^step`.
fn fixed_point(degrees: f64, limit: f64, step: u32) -> u32 {
    let offset = (degrees - -limit) / (limit - -limit);
    (offset * (1u64 << step) as f64) as u32
}

fn interleave(even: u32, odd: u32) -> u64 {
    spread(even) | spread(odd) << 1
}

fn deinterleave(bits: u64) -> (u32, u32) {
    (gather(bits), gather(bits >> 1))
}

/// Moves bit n to bit 2n, in halves, quarters and so on.
fn spread(value: u32) -> u64 {
    let mut bits = u64::from(value);
    for (shift, mask) in SPREAD_STEPS {
        bits = (bits | bits << shift) & mask;
    }
    bits
}

fn gather(bits: u64) -> u32 {
    let mut bits = bits & LATITUDE_BITS;
    for (position, (shift, _)) in SPREAD_STEPS.iter().enumerate().rev() {
        let mask = match position {
            0 => u64::from(u32::MAX),
            _ => SPREAD_STEPS[position - 1].1,
        };
        bits = (bits | bits >> shift) & mask;
    }
    bits as u32
}

const SPREAD_STEPS: [(u32, u64); 5] = [
    (16, 0x0000_ffff_0000_ffff),
    (8, 0x00ff_00ff_00ff_00ff),
    (4, 0x0f0f_0f0f_0f0f_0f0f),
    (2, 0x3333_3333_3333_3333),
    (1, LATITUDE_BITS),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::Extended;
    use proptest::prelude::*;

    fn printed(degrees: f64) -> String {
        String::from_utf8(Extended::from_f64(degrees).format_human()).unwrap()
    }

    /// Made by a server: `GEOADD`, `ZSCORE`, `GEOPOS` and `GEOHASH`.
    #[test]
    fn encodes_as_a_server_does() {
        for (longitude, latitude, score, position, geohash) in [
            (
                13.361389,
                38.115556,
                3479099956230698,
                ("13.36138933897018433", "38.11555639549629859"),
                "sqc8b49rny0",
            ),
            (
                15.087269,
                37.502669,
                3479447370796909,
                ("15.08726745843887329", "37.50266842333162032"),
                "sqdtr74hyu0",
            ),
            (
                0.0,
                0.0,
                3377699720527872,
                ("0.00000268220901489", "0.00000126736058093"),
                "s0000000000",
            ),
            (
                180.0,
                LATITUDE_MAX,
                13510798882111488,
                ("180", "85.0511287799999991"),
                "bp05b5048p0",
            ),
            (
                -180.0,
                -LATITUDE_MAX,
                0,
                ("-179.99999731779098511", "-85.05112751263942528"),
                "00bh0hbj200",
            ),
        ] {
            assert_eq!(encode(Position::new(longitude, latitude).unwrap()), score);
            let decoded = decode(score as f64);
            assert_eq!(printed(decoded.longitude), position.0);
            assert_eq!(printed(decoded.latitude), position.1);
            assert_eq!(&geohash_text(score as f64), geohash.as_bytes());
        }
    }

    #[test]
    fn positions_have_limits() {
        assert!(Position::new(180.0, LATITUDE_MAX).is_some());
        for (longitude, latitude) in [(180.1, 0.0), (0.0, 85.1), (f64::NAN, 0.0), (0.0, f64::NAN)] {
            assert!(Position::new(longitude, latitude).is_none());
        }
    }

    fn position() -> impl Strategy<Value = Position> {
        (-180.0..180.0, -85.05..85.05)
            .prop_map(|(longitude, latitude)| Position::new(longitude, latitude).unwrap())
    }

    proptest! {
        #[test]
        fn interleaving_is_bit_by_bit(even: u32, odd: u32) {
            let model = (0..32).fold(0u64, |bits, place| {
                bits | u64::from(even >> place & 1) << (2 * place) | u64::from(odd >> place & 1) << (2 * place + 1)
            });
            prop_assert_eq!(interleave(even, odd), model);
            prop_assert_eq!(deinterleave(model), (even, odd));
        }

        #[test]
        fn a_cell_contains_its_position(position in position(), step in 1u32..=26) {
            let cell = Cell::around(position, step);
            let area = cell.area();
            prop_assert!(area.west <= position.longitude && position.longitude <= area.east);
            prop_assert!(area.south <= position.latitude && position.latitude <= area.north);
            prop_assert!(cell.scores().contains(&encode(position)));
        }

        #[test]
        fn neighbours_are_next_to_each_other(position in position(), step in 2u32..=26) {
            let cell = Cell::around(position, step);
            let (row, column) = deinterleave(cell.bits);
            let mask = (1u32 << step) - 1;
            for (move_east, columns) in [(Move::Back, u32::MAX), (Move::Stay, 0), (Move::Ahead, 1)] {
                for (move_north, rows) in [(Move::Back, u32::MAX), (Move::Stay, 0), (Move::Ahead, 1)] {
                    let found = deinterleave(cell.neighbour(move_east, move_north).bits);
                    let expected = (row.wrapping_add(rows) & mask, column.wrapping_add(columns) & mask);
                    prop_assert_eq!(found, expected);
                }
            }
        }

        #[test]
        fn any_score_is_somewhere(score: f64) {
            let Position { longitude, latitude } = decode(score);
            prop_assert!(Position::new(longitude, latitude).is_some());
            prop_assert!(geohash_text(score).is_ascii());
        }
    }
}
