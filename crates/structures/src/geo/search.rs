//! Which scores can lie in a circle or a box, and which do.
//!
//! ```text
//!   +----+----+----+     The search area fits into nine cells: the one with its centre and the
//!   | NW | N  | NE |     neighbours of that. The cells are as small as the area allows, and those
//!   +----+----+----+     that cannot touch it are left out. Each is one range of scores.
//!   | W  | C  | E  |
//!   +----+----+----+     What is found in them still has to pass `Search::distance_within`.
//!   | SW | S  | SE |
//!   +----+----+----+
//! ```
//!
//! The cells come in the order in which Redis scans them, which is the order of an unsorted reply.

use std::ops::Range;

use super::cell::{Area, Cell, Move, STEP_MAX};
use super::distance::{Angle, EARTH_RADIUS_M, meridian_distance_m};
use super::{Position, distance_m};

/// Half of the globe's circumference in the Mercator projection, in metres.
const MERCATOR_MAX_M: f64 = 20_037_726.37;

/// The form and size of a search area, in metres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Extent {
    Circle {
        radius_m: f64,
    },
    /// Width goes from west to east.
    Box {
        width_m: f64,
        height_m: f64,
    },
}

/// A search area.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Search {
    pub centre: Position,
    pub extent: Extent,
}

/// The order of the cells: the centre, the sides, the corners.
const SCAN_ORDER: [(Move, Move); 9] = {
    use Move::{Ahead, Back, Stay};
    [
        (Stay, Stay),
        (Stay, Ahead),
        (Stay, Back),
        (Ahead, Stay),
        (Back, Stay),
        (Ahead, Ahead),
        (Back, Ahead),
        (Ahead, Back),
        (Back, Back),
    ]
};

impl Search {
    /// The ranges of scores to scan, at most nine, in order; the upper ends are excluded. O(1).
    pub fn score_ranges(&self) -> Vec<Range<u64>> {
        let bounds = self.bounds();
        let mut cell = Cell::around(self.centre, self.step());
        if cell.step > 1 && !neighbours_cover(cell, &bounds) {
            cell = Cell::around(self.centre, cell.step - 1);
        }
        let area = cell.area();
        let mut scanned: Option<Cell> = None;
        let mut ranges = Vec::with_capacity(SCAN_ORDER.len());
        for (east, north) in SCAN_ORDER {
            // With two cells an axis, the neighbour on one side is also that on the other.
            let useless = cell.step >= 2
                && match (east, north) {
                    _ if north == Move::Back && area.south < bounds.south => true,
                    _ if north == Move::Ahead && area.north > bounds.north => true,
                    _ if east == Move::Back && area.west < bounds.west => true,
                    _ => east == Move::Ahead && area.east > bounds.east,
                };
            let neighbour = cell.neighbour(east, north);
            // Large cells can be the same in two directions around the globe. Those follow each
            // other in this order.
            if !useless && scanned != Some(neighbour) {
                ranges.push(neighbour.scores());
                if (east, north) != (Move::Stay, Move::Stay) {
                    scanned = Some(neighbour);
                }
            }
        }
        ranges
    }

    /// The distance of a position from the centre, in metres, if it is in the area.
    pub fn distance_within(&self, position: Position) -> Option<f64> {
        match self.extent {
            Extent::Circle { radius_m } => {
                let distance = distance_m(self.centre, position);
                (distance <= radius_m).then_some(distance)
            }
            Extent::Box { width_m, height_m } => {
                let north_south = meridian_distance_m(position.latitude, self.centre.latitude);
                if north_south > height_m / 2.0 {
                    return None;
                }
                let same_latitude = Position {
                    longitude: self.centre.longitude,
                    latitude: position.latitude,
                };
                let east_west = distance_m(position, same_latitude);
                (east_west <= width_m / 2.0).then(|| distance_m(self.centre, position))
            }
        }
    }

    /// How often to halve the axes so that one cell is about as large as the area.
    fn step(&self) -> u32 {
        let mut radius_m = match self.extent {
            Extent::Circle { radius_m } => radius_m,
            Extent::Box { width_m, height_m } => {
                ((width_m / 2.0) * (width_m / 2.0) + (height_m / 2.0) * (height_m / 2.0)).sqrt()
            }
        };
        if radius_m <= 0.0 {
            return STEP_MAX;
        }
        let mut step = 1i32;
        while radius_m < MERCATOR_MAX_M {
            radius_m *= 2.0;
            step += 1;
        }
        // One less, so that the neighbours cover the area, and one less again for good measure.
        step -= 2;
        // Towards the poles a degree of longitude is shorter than the projection makes it.
        if self.centre.latitude.abs() > 66.0 {
            step -= 1;
            if self.centre.latitude.abs() > 80.0 {
                step -= 1;
            }
        }
        step.clamp(1, STEP_MAX as i32) as u32
    }

    /// The smallest rectangle of degrees around the area.
    fn bounds(&self) -> Area {
        let (half_width, half_height) = match self.extent {
            Extent::Circle { radius_m } => (radius_m, radius_m),
            Extent::Box { width_m, height_m } => (width_m / 2.0, height_m / 2.0),
        };
        let Position {
            longitude,
            latitude,
        } = self.centre;
        let latitude_delta = (half_height / EARTH_RADIUS_M).degrees();
        // A box is widest, in degrees, on its side towards the pole.
        let widest = if latitude < 0.0 {
            latitude - latitude_delta
        } else {
            latitude + latitude_delta
        };
        let longitude_delta = (half_width / EARTH_RADIUS_M / widest.radians().cos()).degrees();
        Area {
            west: longitude - longitude_delta,
            east: longitude + longitude_delta,
            south: latitude - latitude_delta,
            north: latitude + latitude_delta,
        }
    }
}

/// Whether the cells beside this one reach to the bounds.
fn neighbours_cover(cell: Cell, bounds: &Area) -> bool {
    let beside = |east, north| cell.neighbour(east, north).area();
    beside(Move::Stay, Move::Ahead).north >= bounds.north
        && beside(Move::Stay, Move::Back).south <= bounds.south
        && beside(Move::Ahead, Move::Stay).east >= bounds.east
        && beside(Move::Back, Move::Stay).west <= bounds.west
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::{decode, encode};
    use proptest::prelude::*;

    fn position() -> impl Strategy<Value = Position> {
        (-180.0..180.0, -85.05..85.05)
            .prop_map(|(longitude, latitude)| Position::new(longitude, latitude).unwrap())
    }

    fn extent() -> impl Strategy<Value = Extent> {
        let size_m = || (0.0f64..7.0).prop_map(|digits| 10f64.powf(digits));
        prop_oneof![
            size_m().prop_map(|radius_m| Extent::Circle { radius_m }),
            (size_m(), size_m()).prop_map(|(width_m, height_m)| Extent::Box { width_m, height_m }),
        ]
    }

    /// Ranges of a server's cells for a search of 200 km around Palermo's sea.
    #[test]
    fn a_search_scans_cells_around_the_centre() {
        let search = Search {
            centre: Position::new(15.0, 37.0).unwrap(),
            extent: Extent::Circle {
                radius_m: 200_000.0,
            },
        };
        let ranges = search.score_ranges();
        assert!(ranges[0].contains(&encode(search.centre)));
        let found = |longitude, latitude| {
            let score = encode(Position::new(longitude, latitude).unwrap());
            let scanned = ranges.iter().any(|range| range.contains(&score));
            scanned.then(|| search.distance_within(decode(score as f64)))?
        };
        // GEOSEARCH of a server says 190.4424 and 56.4413 km.
        let palermo = found(13.361389, 38.115556).unwrap();
        assert_eq!((palermo / 1000.0 * 1e4).round(), 1_904_424.0);
        let catania = found(15.087269, 37.502669).unwrap();
        assert_eq!((catania / 1000.0 * 1e4).round(), 564_413.0);
        assert_eq!(found(12.0, 40.0), None);
    }

    #[test]
    fn a_box_is_measured_along_its_sides() {
        let search = Search {
            centre: Position::new(0.0, 0.0).unwrap(),
            extent: Extent::Box {
                width_m: 400_000.0,
                height_m: 40_000.0,
            },
        };
        let within = |longitude, latitude| {
            search.distance_within(Position::new(longitude, latitude).unwrap())
        };
        assert!(within(1.79, 0.17).is_some());
        assert!(within(1.8, 0.0).is_none());
        assert!(within(0.0, 0.181).is_none());
    }

    proptest! {
        /// What is in the area is in a scanned range, away from the poles and the date line.
        #[test]
        fn nothing_near_is_missed(
            (longitude, latitude) in (-150.0..150.0, -60.0..60.0),
            extent in extent(),
            (east, north) in (-1.0f64..1.0, -1.0f64..1.0),
        ) {
            let search = Search { centre: Position { longitude, latitude }, extent };
            let bounds = search.bounds();
            let near = Position::new(
                longitude + east * (bounds.east - longitude),
                latitude + north * (bounds.north - latitude),
            );
            prop_assume!(near.is_some());
            let score = encode(near.unwrap());
            if search.distance_within(decode(score as f64)).is_some() {
                prop_assert!(search.score_ranges().iter().any(|range| range.contains(&score)));
            }
        }

        #[test]
        fn ranges_do_not_overlap(centre in position(), extent in extent()) {
            let mut ranges = Search { centre, extent }.score_ranges();
            prop_assert!((1..=9).contains(&ranges.len()));
            ranges.sort_by_key(|range| range.start);
            for pair in ranges.windows(2) {
                prop_assert!(pair[0].end <= pair[1].start);
            }
        }

        #[test]
        fn any_size_is_safe(centre in position(), a: f64, b: f64) {
            for extent in [Extent::Circle { radius_m: a }, Extent::Box { width_m: a, height_m: b }] {
                let search = Search { centre, extent };
                prop_assert!(search.score_ranges().len() <= 9);
                let _ = search.distance_within(centre);
            }
        }
    }
}
