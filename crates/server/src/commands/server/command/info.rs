//! One entry of COMMAND INFO: name, arity, flags, the old three numbers for keys, ACL
//! categories, tips, key specifications, subcommands.

use ochre_resp::Reply;

use crate::commands::spec::*;
use crate::commands::table::{CommandTable, Known};

/// Flags that are not shown: one is ours, the other Redis hides as well.
const HIDDEN: Flags = Flags::TOUCHES_ARBITRARY_KEYS.or(Flags::MAY_REPLICATE);

/// Writes the description of a command and, nested, of its subcommands.
pub fn write(table: &CommandTable, known: &Known, out: &mut Reply) {
    let command = known.command;
    out.array(10);
    out.bulk(known.full_name.as_bytes());
    out.integer(i64::from(command.arity));
    statuses(known.flags.without(HIDDEN).names(), out);
    let (first, last, step) = first_last_step(command.keys);
    out.integer(first);
    out.integer(last);
    out.integer(step);
    let categories: Vec<String> = command
        .all_categories()
        .names()
        .map(|name| format!("@{name}"))
        .collect();
    statuses(categories.iter().map(String::as_str), out);
    out.set(command.tips.len());
    for tip in command.tips {
        out.bulk(tip.as_bytes());
    }
    out.set(command.keys.len());
    for spec in command.keys {
        write_spec(spec, out);
    }
    out.set(known.subcommands.len());
    for &id in &known.subcommands {
        write(table, table.get(id), out);
    }
}

/// A set of status lines.
pub fn statuses<'t>(texts: impl Iterator<Item = &'t str>, out: &mut Reply) {
    let texts: Vec<&str> = texts.collect();
    out.set(texts.len());
    for text in texts {
        out.status(text);
    }
}

/// Where the keys are, as clients asked before there were specifications: the first, the
/// last (from the end where negative), and the step; zeros where three numbers cannot say.
fn first_last_step(specs: &[KeySpec]) -> (i64, i64, i64) {
    if let [only] = specs
        && let (Begin::Index(first), Find::Range { last, step, .. }) = (only.begin, only.find)
    {
        let last = i64::from(last);
        let last = if last >= 0 { first as i64 + last } else { last };
        return (first as i64, last, step as i64);
    }
    let mut covered: Option<(i64, i64)> = None;
    for spec in specs {
        let (Begin::Index(first), Find::Range { last, step, .. }) = (spec.begin, spec.find) else {
            continue;
        };
        let first = first as i64;
        if step != 1 || covered.is_some_and(|(_, end)| end != first - 1) {
            return (0, 0, 0);
        }
        let last = i64::from(last);
        let last = if last >= 0 { first + last } else { last };
        covered = Some((covered.map_or(first, |(begin, _)| begin), last));
    }
    covered.map_or((0, 0, 0), |(first, last)| (first, last, 1))
}

fn write_spec(spec: &KeySpec, out: &mut Reply) {
    out.map(3 + usize::from(!spec.notes.is_empty()));
    if !spec.notes.is_empty() {
        out.bulk(b"notes");
        out.bulk(spec.notes.as_bytes());
    }
    out.bulk(b"flags");
    statuses(spec.flags.names(), out);
    out.bulk(b"begin_search");
    match spec.begin {
        Begin::Index(index) => {
            open("index", 1, out);
            number("index", index as i64, out);
        }
        Begin::Keyword(word, from) => {
            open("keyword", 2, out);
            out.bulk(b"keyword");
            out.bulk(word.as_bytes());
            number("startfrom", i64::from(from), out);
        }
        Begin::Unknown => open("unknown", 0, out),
    }
    out.bulk(b"find_keys");
    match spec.find {
        Find::Range { last, step, limit } => {
            open("range", 3, out);
            number("lastkey", i64::from(last), out);
            number("keystep", step as i64, out);
            number("limit", limit as i64, out);
        }
        Find::Count { count, first, step } => {
            open("keynum", 3, out);
            number("keynumidx", count as i64, out);
            number("firstkey", first as i64, out);
            number("keystep", step as i64, out);
        }
        Find::Unknown => open("unknown", 0, out),
    }
}

/// The start of half a specification: its type, and a map of `fields` to come.
fn open(kind: &str, fields: usize, out: &mut Reply) {
    out.map(2);
    out.bulk(b"type");
    out.bulk(kind.as_bytes());
    out.bulk(b"spec");
    out.map(fields);
}

fn number(name: &str, value: i64, out: &mut Reply) {
    out.bulk(name.as_bytes());
    out.integer(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(specs: &[KeySpec], expected: (i64, i64, i64)) {
        assert_eq!(first_last_step(specs), expected);
    }

    #[test]
    fn three_numbers_cover_adjacent_ranges_only() {
        check(&[], (0, 0, 0));
        check(&[KeySpec::one(1, RO)], (1, 1, 1));
        check(&[KeySpec::range(1, -1, 2, RO)], (1, -1, 2));
        check(&[KeySpec::one(1, RO), KeySpec::rest(2, RO)], (1, -1, 1));
        check(&[KeySpec::one(1, RO), KeySpec::one(3, RO)], (0, 0, 0));
        check(&[KeySpec::counted(1, RO)], (0, 0, 0));
        check(&[KeySpec::one(1, RO), KeySpec::counted(2, RO)], (1, 1, 1));
        check(&[KeySpec::behind("STREAMS", 1, RO)], (0, 0, 0));
    }
}
