//! Adding places: GEOADD. A place is a member of a sorted set whose score is its cell.

use ochre_resp::Reply;
use ochre_store::WriteView;
use ochre_store::effects::recorded;
use ochre_structures::geo;

use super::place;
use crate::commands::args::Args;
use crate::commands::sorted_set::{self, Options};
use crate::commands::spec::*;
use crate::error::Error;

pub const GEOADD: Command = Command {
    summary: "Add one or more geospatial items in the geospatial index represented using a sorted set.",
    since: "3.2.0",
    complexity: "O(log(N)) for each item added, where N is the number of elements in the sorted set.",
    flags: Flags::DENYOOM,
    keys: &[KeySpec::one(1, RW_UPDATE)],
    args: &[
        key("key"),
        one_of("condition", &[token("nx", "NX"), token("xx", "XX")])
            .since("6.2.0")
            .opt(),
        token("change", "CH").since("6.2.0").opt(),
        block(
            "longitude_latitude_member",
            &[double("longitude"), double("latitude"), string("member")],
        )
        .many(),
    ],
    history: &[("6.2.0", "Added the `CH`, `NX` and `XX` options.")],
    ..command("geoadd", Group::Geo, -5, Run::Write(geoadd))
};

fn geoadd(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.next()?;
    let mut options = Options::default();
    let first_option = args.position();
    loop {
        if args.keyword("NX") {
            options.only_new = true;
        } else if args.keyword("XX") {
            options.only_present = true;
        } else if args.keyword("CH") {
            options.count_changed = true;
        } else {
            break;
        }
    }
    let words = &args.all()[first_option..args.position()];
    let contradicts = options.only_new && options.only_present;
    let (places, rest) = args.rest().as_chunks::<3>();
    if !rest.is_empty() || places.is_empty() || contradicts {
        return Err(Error::Syntax);
    }
    let mut members = Vec::with_capacity(places.len());
    for [longitude, latitude, member] in places {
        let position = place::position(longitude, latitude)?;
        members.push((*member, geo::encode(position) as f64));
    }
    let changes = view.effects.dirty;
    let flow = sorted_set::add(view, key, members.iter().copied(), options, out)?;
    if view.effects.dirty > changes {
        view.effects.propagate_as(|| {
            let mut command = recorded(&[b"ZADD", key]);
            command.extend(words.iter().map(|word| word.to_vec()));
            for (member, score) in &members {
                command.push((*score as u64).to_string().into_bytes());
                command.push(member.to_vec());
            }
            vec![command]
        });
    }
    Ok(flow)
}
