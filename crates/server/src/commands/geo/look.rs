//! Looking at places: GEODIST, GEOHASH, GEOPOS.

use ochre_resp::Reply;
use ochre_store::ReadView;
use ochre_structures::geo::{self, Unit};

use super::place;
use crate::commands::args::Args;
use crate::commands::sorted_set;
use crate::commands::spec::*;
use crate::error::Error;

pub const GEODIST: Command = Command {
    summary: "Returns the distance between two members of a geospatial index.",
    since: "3.2.0",
    complexity: "O(log(N)).",
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[
        key("key"),
        string("member1"),
        string("member2"),
        one_of(
            "unit",
            &[
                token("m", "M"),
                token("km", "KM"),
                token("ft", "FT"),
                token("mi", "MI"),
            ],
        )
        .opt(),
    ],
    ..command("geodist", Group::Geo, -4, Run::Read(geodist))
};

pub const GEOHASH: Command = Command {
    summary: "Returns members of a geospatial index as standard geohash strings.",
    since: "3.2.0",
    complexity: "O(log(N)) for each member requested, where N is the number of elements in the sorted set.",
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[key("key"), string("member").many()],
    ..command("geohash", Group::Geo, -2, Run::Read(geohash))
};

pub const GEOPOS: Command = Command {
    summary: "Returns longitude and latitude of members of a geospatial index.",
    since: "3.2.0",
    complexity: "O(N) where N is the number of members requested.",
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[key("key"), string("member").many()],
    ..command("geopos", Group::Geo, -2, Run::Read(geopos))
};

fn geodist(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    let (from, to) = (args.next()?, args.next()?);
    let unit = match args.len() {
        0 => Unit::Metres,
        1 => place::unit(args.next()?)?,
        _ => return Err(Error::Syntax),
    };
    let set = sorted_set::find(view, key)?;
    match set.and_then(|set| set.score(from).zip(set.score(to))) {
        Some((from, to)) => {
            let distance_m = geo::distance_m(geo::decode(from), geo::decode(to));
            place::write_distance(out, distance_m / unit.metres());
        }
        None => out.null(),
    }
    Ok(Flow::Done)
}

fn geohash(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let set = sorted_set::find(view, args.next()?)?;
    out.array(args.len());
    for member in args.rest() {
        match set.and_then(|set| set.score(member)) {
            Some(score) => out.bulk(&geo::geohash_text(score)),
            None => out.null(),
        }
    }
    Ok(Flow::Done)
}

fn geopos(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let set = sorted_set::find(view, args.next()?)?;
    out.array(args.len());
    for member in args.rest() {
        match set.and_then(|set| set.score(member)) {
            Some(score) => place::write_position(out, geo::decode(score)),
            None => out.null_array(),
        }
    }
    Ok(Flow::Done)
}
