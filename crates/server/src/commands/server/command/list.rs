//! COMMAND LIST: the names, all or those that a filter lets through.

use ochre_resp::Reply;
use ochre_structures::glob::{self, Case};

use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::commands::table::Known;
use crate::error::Error;
use crate::execute::Call;

pub fn list(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let all = call.server.commands.iter();
    let names: Vec<&Known> = if args.is_empty() {
        all.collect()
    } else {
        if args.len() != 3 || !args.keyword("FILTERBY") {
            return Err(Error::Syntax);
        }
        if args.keyword("MODULE") {
            // There are no modules, so nothing is of one.
            Vec::new()
        } else if args.keyword("ACLCAT") {
            let name = args.next()?;
            let category = Categories::NAMED
                .iter()
                .find(|(_, known)| name.eq_ignore_ascii_case(known.as_bytes()));
            all.filter(|known| {
                category.is_some_and(|(category, _)| known.command.all_categories().has(*category))
            })
            .collect()
        } else if args.keyword("PATTERN") {
            let pattern = args.next()?;
            all.filter(|known| {
                glob::matches(pattern, known.full_name.as_bytes(), Case::Insensitive)
            })
            .collect()
        } else {
            return Err(Error::Syntax);
        }
    };
    out.array(names.len());
    for known in names {
        out.bulk(known.full_name.as_bytes());
    }
    Ok(Flow::Done)
}
