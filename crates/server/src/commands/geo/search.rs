//! Searching for places: GEOSEARCH, GEOSEARCHSTORE, and the older GEORADIUS and
//! GEORADIUSBYMEMBER.
//!
//! A search that has many members to look at is only begun here, and goes on in slices
//! ([`super::slices`]), unless its result is stored.

use std::ops::Range;

use ochre_resp::Reply;
use ochre_store::value::sorted_set::{SLICED_MEMBERS_MIN, SortedSetRef};
use ochre_store::{ReadView, WriteView};
use ochre_structures::geo::{self, Position, Search};
use ochre_structures::listpack::Element;
use ochre_structures::sorted_set::ScoreBound;

use super::query::{Centre, Query, StoredScore, Target};
use super::slices;
use crate::commands::args::Args;
use crate::commands::sorted_set::{self, Counted, Name};
use crate::commands::spec::*;

const SEARCH_COMPLEXITY: &str = "O(N+log(M)) where N is the number of elements in the \
                                 grid-aligned bounding box area around the shape provided as the \
                                 filter and M is the number of items inside the shape.";
const RADIUS_COMPLEXITY: &str = "O(N+log(M)) where N is the number of elements inside the \
                                 bounding box of the circular area delimited by center and radius \
                                 and M is the number of items inside the index.";

const UNIT: Arg = one_of(
    "unit",
    &[
        token("m", "M"),
        token("km", "KM"),
        token("ft", "FT"),
        token("mi", "MI"),
    ],
);
const FROM: Arg = one_of(
    "from",
    &[
        string("member").after("FROMMEMBER"),
        block(
            "longitude_latitude",
            &[double("longitude"), double("latitude")],
        )
        .after("FROMLONLAT"),
    ],
);
const BY: Arg = one_of(
    "by",
    &[
        block("circle", &[double("radius").after("BYRADIUS"), UNIT]),
        block(
            "box",
            &[double("width").after("BYBOX"), double("height"), UNIT],
        ),
    ],
);
const ORDER: Arg = one_of("order", &[token("asc", "ASC"), token("desc", "DESC")]).opt();
const COUNT: Arg = block(
    "count",
    &[integer("count").after("COUNT"), token("any", "ANY").opt()],
)
.opt();
/// Of GEORADIUS, which is older than ANY.
const RADIUS_COUNT: Arg = block(
    "count",
    &[
        integer("count").after("COUNT"),
        token("any", "ANY").since("6.2.0").opt(),
    ],
)
.opt();
const WITHCOORD: Arg = token("withcoord", "WITHCOORD").opt();
const WITHDIST: Arg = token("withdist", "WITHDIST").opt();
const WITHHASH: Arg = token("withhash", "WITHHASH").opt();

pub const GEOSEARCH: Command = Command {
    summary: "Query a sorted set representing a geospatial index to fetch members inside an area of a box or a circle.",
    since: "6.2.0",
    complexity: SEARCH_COMPLEXITY,
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[
        key("key"),
        FROM,
        BY,
        ORDER,
        COUNT,
        WITHCOORD,
        WITHDIST,
        WITHHASH,
    ],
    history: &[("7.0.0", "Added support for uppercase unit names.")],
    ..command("geosearch", Group::Geo, -7, Run::Read(geosearch))
};

pub const GEOSEARCHSTORE: Command = Command {
    summary: "Query a sorted set representing a geospatial index to fetch members inside an area of a box or a circle, and store the result in another key.",
    since: "6.2.0",
    complexity: SEARCH_COMPLEXITY,
    flags: Flags::DENYOOM,
    keys: &[KeySpec::one(1, OW_UPDATE), KeySpec::one(2, RO_ACCESS)],
    args: &[
        key("destination"),
        key("source").spec(1),
        FROM,
        BY,
        ORDER,
        COUNT,
        token("storedist", "STOREDIST").opt(),
    ],
    history: &[("7.0.0", "Added support for uppercase unit names.")],
    ..command("geosearchstore", Group::Geo, -8, Run::Write(geosearchstore))
};

pub const GEORADIUS: Command = Command {
    summary: "Query a sorted set representing a geospatial index to fetch members matching a given maximum distance from a point.",
    since: "3.2.0",
    complexity: RADIUS_COMPLEXITY,
    flags: Flags::DENYOOM,
    keys: &[
        KeySpec::one(1, RO_ACCESS),
        KeySpec::behind("STORE", 6, OW_UPDATE),
        KeySpec::behind("STOREDIST", 6, OW_UPDATE),
    ],
    find_keys: Some(find_keys_of_georadius),
    args: &[
        key("key"),
        double("longitude"),
        double("latitude"),
        double("radius"),
        UNIT,
        WITHCOORD,
        WITHDIST,
        WITHHASH,
        RADIUS_COUNT,
        ORDER,
        key("key").spec(1).after("STORE").opt(),
        key("key").spec(2).after("STOREDIST").opt(),
    ],
    history: &[
        ("6.2.0", "Added the `ANY` option for `COUNT`."),
        ("7.0.0", "Added support for uppercase unit names."),
    ],
    deprecated_since: Some("6.2.0"),
    replaced_by: Some("`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument"),
    ..command("georadius", Group::Geo, -6, Run::Write(georadius))
};

pub const GEORADIUS_RO: Command = Command {
    summary: "A read-only variant for GEORADIUS.",
    since: "3.2.10",
    complexity: RADIUS_COMPLEXITY,
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[
        key("key"),
        double("longitude"),
        double("latitude"),
        double("radius"),
        UNIT,
        WITHCOORD,
        WITHDIST,
        WITHHASH,
        RADIUS_COUNT,
        ORDER,
    ],
    history: &[("6.2.0", "Added the `ANY` option for `COUNT`.")],
    deprecated_since: Some("6.2.0"),
    replaced_by: Some("`GEOSEARCH` with the `BYRADIUS` argument"),
    ..command("georadius_ro", Group::Geo, -6, Run::Read(georadius_ro))
};

pub const GEORADIUSBYMEMBER: Command = Command {
    summary: "Query a sorted set representing a geospatial index to fetch members matching a given maximum distance from a member.",
    since: "3.2.0",
    complexity: RADIUS_COMPLEXITY,
    flags: Flags::DENYOOM,
    keys: &[
        KeySpec::one(1, RO_ACCESS),
        KeySpec::behind("STORE", 5, OW_UPDATE),
        KeySpec::behind("STOREDIST", 5, OW_UPDATE),
    ],
    find_keys: Some(find_keys_of_georadiusbymember),
    args: &[
        key("key"),
        string("member"),
        double("radius"),
        UNIT,
        WITHCOORD,
        WITHDIST,
        WITHHASH,
        COUNT,
        ORDER,
        key("key").spec(1).after("STORE").opt(),
        key("key").spec(2).after("STOREDIST").opt(),
    ],
    history: &[("7.0.0", "Added support for uppercase unit names.")],
    deprecated_since: Some("6.2.0"),
    replaced_by: Some(
        "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments",
    ),
    ..command(
        "georadiusbymember",
        Group::Geo,
        -5,
        Run::Write(georadiusbymember),
    )
};

pub const GEORADIUSBYMEMBER_RO: Command = Command {
    summary: "A read-only variant for GEORADIUSBYMEMBER.",
    since: "3.2.10",
    complexity: RADIUS_COMPLEXITY,
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[
        key("key"),
        string("member"),
        double("radius"),
        UNIT,
        WITHCOORD,
        WITHDIST,
        WITHHASH,
        COUNT,
        ORDER,
    ],
    deprecated_since: Some("6.2.0"),
    replaced_by: Some("`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments"),
    ..command(
        "georadiusbymember_ro",
        Group::Geo,
        -5,
        Run::Read(georadiusbymember_ro),
    )
};

/// The keys of GEORADIUS: where it searches, and every one that it may store in.
fn find_keys(argv: &[&[u8]], options: usize) -> Option<Vec<(usize, KeyFlags)>> {
    let mut keys = vec![(1, RO_ACCESS)];
    for at in options + 1..argv.len() {
        let word = argv[at - 1];
        if word.eq_ignore_ascii_case(b"STORE") || word.eq_ignore_ascii_case(b"STOREDIST") {
            keys.push((at, OW_UPDATE));
        }
    }
    Some(keys)
}

fn find_keys_of_georadius(argv: &[&[u8]]) -> Option<Vec<(usize, KeyFlags)>> {
    find_keys(argv, 6)
}

fn find_keys_of_georadiusbymember(argv: &[&[u8]]) -> Option<Vec<(usize, KeyFlags)>> {
    find_keys(argv, 5)
}

fn geosearch(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    answer(view, args, Centre::Option, out)
}

fn georadius_ro(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    answer(view, args, Centre::Coordinates, out)
}

fn georadiusbymember_ro(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    answer(view, args, Centre::Member, out)
}

fn geosearchstore(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    answer_or_store(view, args, Centre::Option, Target::First, out)
}

fn georadius(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    answer_or_store(view, args, Centre::Coordinates, Target::Option, out)
}

fn georadiusbymember(
    view: &mut WriteView<'_, '_>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    answer_or_store(view, args, Centre::Member, Target::Option, out)
}

fn answer(view: &ReadView<'_>, args: &mut Args<'_>, centre: Centre, out: &mut Reply) -> Outcome {
    let (set, query) = Query::parse(view, args, centre, Target::Never)?;
    respond(set, &query, out);
    Ok(Flow::Done)
}

fn answer_or_store(
    view: &mut WriteView<'_, '_>,
    args: &mut Args<'_>,
    centre: Centre,
    target: Target,
    out: &mut Reply,
) -> Outcome {
    let read = view.read();
    let (set, query) = Query::parse(&read, args, centre, target)?;
    let Some(to) = query.store else {
        respond(set, &query, out);
        return Ok(Flow::Done);
    };
    let found = search(set, &query);
    let score = |place: &Found<'_>| match query.stored_score {
        StoredScore::Cell => place.score,
        StoredScore::Distance => place.distance_m / query.form.unit.metres(),
    };
    let members = found
        .iter()
        .map(|place| (Name::from(place.member), score(place)));
    let new = sorted_set::assemble(view, members.collect());
    let event = match target {
        Target::First => "geosearchstore",
        _ => "georadiusstore",
    };
    sorted_set::store(view, to, new, event, Counted::PerMember, out);
    Ok(Flow::Done)
}

/// A place that was found.
struct Found<'a> {
    member: Element<'a>,
    score: f64,
    position: Position,
    distance_m: f64,
}

/// The ranks of the members that may be in the area, in the order in which they are looked
/// at.
fn candidates(set: SortedSetRef<'_>, area: &Search) -> Vec<Range<usize>> {
    let ranks = |cell: Range<u64>| {
        let min = ScoreBound::Inclusive(cell.start as f64);
        let max = ScoreBound::Exclusive(cell.end as f64);
        set.score_ranks(min, max)
    };
    area.score_ranges().into_iter().map(ranks).collect()
}

/// The places that a search asks for, in its order.
fn search<'a>(set: Option<SortedSetRef<'a>>, query: &Query<'_>) -> Vec<Found<'a>> {
    let (Some(set), Some(area)) = (set, query.area()) else {
        return Vec::new();
    };
    let mut found = look(set, &area, &candidates(set, &area), query, usize::MAX);
    let order = query.order;
    found.sort_by(|a, b| order.compare(a.distance_m, b.distance_m));
    if query.count > 0 {
        found.truncate(query.count);
    }
    found
}

/// The candidates that are in the area, as many as are wanted, of the first `max`.
fn look<'a>(
    set: SortedSetRef<'a>,
    area: &Search,
    candidates: &[Range<usize>],
    query: &Query<'_>,
    max: usize,
) -> Vec<Found<'a>> {
    let within = |(member, score)| {
        let position = geo::decode(score);
        let distance_m = area.distance_within(position)?;
        Some(Found {
            member,
            score,
            position,
            distance_m,
        })
    };
    (candidates.iter().cloned())
        .flat_map(|ranks| set.by_rank(ranks))
        .take(max)
        .filter_map(within)
        .take(query.enough())
        .collect()
}

/// Answers a search: at once where few members have to be looked at, else in slices.
fn respond(set: Option<SortedSetRef<'_>>, query: &Query<'_>, out: &mut Reply) {
    if let (Some(set), Some(area)) = (set, query.area())
        && set.len() > SLICED_MEMBERS_MIN
    {
        let candidates = candidates(set, &area);
        let total: usize = candidates.iter().map(Range::len).sum();
        // A search for any few places ends soon most times.
        let ends_soon = || {
            query.any
                && look(set, &area, &candidates, query, SLICED_MEMBERS_MIN).len() >= query.enough()
        };
        if total > SLICED_MEMBERS_MIN && !ends_soon() {
            return slices::write(set, area, candidates, query, out);
        }
    }
    let found = search(set, query);
    out.array(found.len());
    for place in found {
        let Found {
            member, position, ..
        } = place;
        (query.form).write(member, place.score, position, place.distance_m, out);
    }
}
