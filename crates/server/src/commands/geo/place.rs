//! Places in arguments and replies.

use ochre_resp::Reply;
use ochre_structures::geo::{self, Position, Unit};
use ochre_structures::number::{self, Extended};

use crate::error::Error;

/// A place given by two arguments.
///
/// # Errors
/// What is no number, and what lies beyond the limits.
pub fn position(longitude: &[u8], latitude: &[u8]) -> Result<Position, Error> {
    let longitude = number::parse_f64(longitude).ok_or(Error::NotFloat)?;
    let latitude = number::parse_f64(latitude).ok_or(Error::NotFloat)?;
    Position::new(longitude, latitude).ok_or_else(|| {
        Error::owned(format!(
            "ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}"
        ))
    })
}

/// A unit of length.
///
/// # Errors
/// `unsupported unit provided. please use M, KM, FT, MI`
pub fn unit(name: &[u8]) -> Result<Unit, Error> {
    Unit::parse(name).ok_or(Error::text(
        "ERR unsupported unit provided. please use M, KM, FT, MI",
    ))
}

/// Writes a distance in the unit asked for: text in either version of the protocol.
pub fn write_distance(out: &mut Reply, distance: f64) {
    let mut text = Vec::with_capacity(24);
    geo::push_distance(&mut text, distance);
    out.bulk(&text);
}

/// Writes longitude and latitude.
pub fn write_position(out: &mut Reply, position: Position) {
    out.array(2);
    out.double_text(&Extended::from_f64(position.longitude).format_human());
    out.double_text(&Extended::from_f64(position.latitude).format_human());
}
