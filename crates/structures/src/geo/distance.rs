//! Distances on the globe, and their units.
//!
//! The earth is a sphere here, of the radius that Redis uses; distances are great circles by the
//! haversine formula. Within 0.5 % of the truth.

use super::Position;

/// In metres.
pub(super) const EARTH_RADIUS_M: f64 = 6_372_797.560_856;

/// A unit of length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Metres,
    Kilometres,
    Feet,
    Miles,
}

impl Unit {
    /// Reads `m`, `km`, `ft` or `mi`, in any case.
    pub fn parse(name: &[u8]) -> Option<Self> {
        [
            ("m", Self::Metres),
            ("km", Self::Kilometres),
            ("ft", Self::Feet),
            ("mi", Self::Miles),
        ]
        .into_iter()
        .find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()))
        .map(|(_, unit)| unit)
    }

    /// How many metres one of it is.
    pub fn metres(self) -> f64 {
        match self {
            Self::Metres => 1.0,
            Self::Kilometres => 1000.0,
            Self::Feet => 0.3048,
            Self::Miles => 1609.34,
        }
    }
}

/// The distance between two positions, in metres.
pub fn distance_m(from: Position, to: Position) -> f64 {
    let half_longitude = ((to.longitude.radians() - from.longitude.radians()) / 2.0).sin();
    if half_longitude == 0.0 {
        return meridian_distance_m(from.latitude, to.latitude);
    }
    let from_latitude = from.latitude.radians();
    let to_latitude = to.latitude.radians();
    let half_latitude = ((to_latitude - from_latitude) / 2.0).sin();
    let haversine = half_latitude * half_latitude
        + from_latitude.cos() * to_latitude.cos() * half_longitude * half_longitude;
    2.0 * EARTH_RADIUS_M * haversine.sqrt().asin()
}

/// The distance between two latitudes along a meridian, in metres.
pub(super) fn meridian_distance_m(from_latitude: f64, to_latitude: f64) -> f64 {
    EARTH_RADIUS_M * (to_latitude.radians() - from_latitude.radians()).abs()
}

/// Appends a distance as Redis 7.2 replies it: rounded to four digits after the point.
pub fn push_distance(out: &mut Vec<u8>, distance: f64) {
    let ten_thousandths = (distance * 10_000.0).round_ties_even() as i64;
    let sign = if ten_thousandths < 0 { "-" } else { "" };
    let magnitude = ten_thousandths.unsigned_abs();
    let text = format!("{sign}{}.{:04}", magnitude / 10_000, magnitude % 10_000);
    out.extend_from_slice(text.as_bytes());
}

/// Conversions with the rounding of C's `angle * (M_PI / 180)` and its inverse.
pub(super) trait Angle {
    fn radians(self) -> f64;
    fn degrees(self) -> f64;
}

const RADIANS_PER_DEGREE: f64 = std::f64::consts::PI / 180.0;

impl Angle for f64 {
    fn radians(self) -> f64 {
        self * RADIANS_PER_DEGREE
    }

    fn degrees(self) -> f64 {
        self / RADIANS_PER_DEGREE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::{decode, encode};
    use proptest::prelude::*;

    fn printed(distance: f64) -> String {
        let mut out = Vec::new();
        push_distance(&mut out, distance);
        String::from_utf8(out).unwrap()
    }

    /// Made by a server with `GEODIST`, in each unit.
    #[test]
    fn distances_are_those_of_a_server() {
        let place = |longitude, latitude| {
            decode(encode(Position::new(longitude, latitude).unwrap()) as f64)
        };
        let (palermo, catania) = (place(13.361389, 38.115556), place(15.087269, 37.502669));
        let metres = distance_m(palermo, catania);
        for (unit, expected) in [
            ("m", "166274.1516"),
            ("KM", "166.2742"),
            ("ft", "545518.8700"),
            ("Mi", "103.3182"),
        ] {
            let unit = Unit::parse(unit.as_bytes()).unwrap();
            assert_eq!(printed(metres / unit.metres()), expected);
        }
        assert_eq!(Unit::parse(b"yd"), None);
        let corner = place(180.0, 85.05112878);
        let opposite = place(-180.0, -85.05112878);
        assert_eq!(printed(distance_m(corner, opposite)), "18919844.5891");
    }

    #[test]
    fn prints_four_digits() {
        assert_eq!(printed(0.0), "0.0000");
        assert_eq!(printed(0.00004), "0.0000");
        assert_eq!(printed(12.34567), "12.3457");
        assert_eq!(printed(20_000_000.5), "20000000.5000");
    }

    proptest! {
        #[test]
        fn is_a_metric(a in -180.0..180.0, b in -85.0..85.0, c in -180.0..180.0, d in -85.0..85.0) {
            let (from, to) = (Position::new(a, b).unwrap(), Position::new(c, d).unwrap());
            let there = distance_m(from, to);
            prop_assert!((there - distance_m(to, from)).abs() < 1e-3);
            prop_assert!((0.0..=EARTH_RADIUS_M * std::f64::consts::PI).contains(&there));
            prop_assert_eq!(distance_m(from, from), 0.0);
        }
    }
}
