//! What two strings have in common: LCS.

use ochre_resp::Reply;
use ochre_store::ReadView;
use ochre_structures::lcs::{self, LcsError, Match};

use super::value;
use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;

pub const LCS: Command = Command {
    summary: "Returns the longest common subsequence of two strings.",
    since: "7.0.0",
    complexity: "O(N*M) where N and M are the lengths of the strings.",
    keys: &[KeySpec::range(1, 1, 1, RO_ACCESS)],
    args: &[
        key("key1"),
        key("key2"),
        token("len", "LEN").opt(),
        token("idx", "IDX").opt(),
        integer("min-match-len").after("MINMATCHLEN").opt(),
        token("withmatchlen", "WITHMATCHLEN").opt(),
    ],
    ..command("lcs", Group::String, -3, Run::Read(lcs))
};

/// The options of LCS.
#[derive(Default)]
struct Options {
    len: bool,
    idx: bool,
    with_match_len: bool,
    min_match_len: usize,
}

impl Options {
    fn parse(args: &mut Args<'_>) -> Result<Self, Error> {
        let mut options = Self::default();
        while !args.is_empty() {
            if args.keyword("IDX") {
                options.idx = true;
            } else if args.keyword("LEN") {
                options.len = true;
            } else if args.keyword("WITHMATCHLEN") {
                options.with_match_len = true;
            } else if args.keyword("MINMATCHLEN") {
                // Without its number it is a word that makes no sense here.
                options.min_match_len = usize::try_from(args.integer()?).unwrap_or(0);
            } else {
                return Err(Error::Syntax);
            }
        }
        Ok(options)
    }
}

fn lcs(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let (a, b) = (view.find(args.next()?), view.find(args.next()?));
    let bytes = |entry| match entry {
        Some(entry) => value::bytes(entry)
            .map_err(|_| Error::text("ERR The specified keys must contain string values")),
        None => Ok((&[]).into()),
    };
    let (a, b) = (bytes(a)?, bytes(b)?);
    let options = Options::parse(args)?;
    if options.len && options.idx {
        return Err(Error::text(
            "ERR If you want both the length and indexes, please just use IDX.",
        ));
    }
    let limit_bytes = view.settings().proto_max_bulk_bytes;
    if options.idx {
        let (length, matches) =
            lcs::matches(&a, &b, options.min_match_len, limit_bytes).map_err(refusal)?;
        out.map(2);
        out.bulk(b"matches");
        out.array(matches.len());
        for found in matches {
            reply_match(found, options.with_match_len, out);
        }
        out.bulk(b"len");
        out.count(length);
    } else if options.len {
        out.count(lcs::length(&a, &b, limit_bytes).map_err(refusal)?);
    } else {
        out.bulk(&lcs::subsequence(&a, &b, limit_bytes).map_err(refusal)?);
    }
    Ok(Flow::Done)
}

fn reply_match(found: Match, with_length: bool, out: &mut Reply) {
    out.array(if with_length { 3 } else { 2 });
    for start in [found.a, found.b] {
        out.array(2);
        out.count(start);
        out.count(start + found.length - 1);
    }
    if with_length {
        out.count(found.length);
    }
}

fn refusal(error: LcsError) -> Error {
    Error::owned(format!("ERR {error}"))
}
