//! One entry of COMMAND DOCS: what a command is for, and its arguments.

use ochre_resp::Reply;

use super::info::statuses;
use crate::commands::spec::*;
use crate::commands::table::{CommandTable, Known};

/// Writes the documentation of a command and, nested, of its subcommands.
pub fn write(table: &CommandTable, known: &Known, out: &mut Reply) {
    let command = known.command;
    let texts = [
        ("summary", Some(command.summary)),
        ("since", Some(command.since)),
        ("group", Some(command.group.name())),
        ("complexity", Some(command.complexity)),
    ];
    let deprecations = [
        ("deprecated_since", command.deprecated_since),
        ("replaced_by", command.replaced_by),
    ];
    let texts = present(&texts);
    let deprecations = present(&deprecations);
    let is_deprecated = command.deprecated_since.is_some();
    out.map(
        texts.len()
            + usize::from(is_deprecated)
            + deprecations.len()
            + usize::from(!command.history.is_empty())
            + usize::from(!command.args.is_empty())
            + usize::from(!known.subcommands.is_empty()),
    );
    for (name, text) in texts {
        pair(name, text, out);
    }
    if is_deprecated {
        out.bulk(b"doc_flags");
        statuses(std::iter::once("deprecated"), out);
    }
    for (name, text) in deprecations {
        pair(name, text, out);
    }
    if !command.history.is_empty() {
        out.bulk(b"history");
        out.set(command.history.len());
        for (version, change) in command.history {
            out.array(2);
            out.bulk(version.as_bytes());
            out.bulk(change.as_bytes());
        }
    }
    if !command.args.is_empty() {
        out.bulk(b"arguments");
        write_args(command.args, out);
    }
    if !known.subcommands.is_empty() {
        out.bulk(b"subcommands");
        out.map(known.subcommands.len());
        for &id in &known.subcommands {
            let sub = table.get(id);
            out.bulk(sub.full_name.as_bytes());
            write(table, sub, out);
        }
    }
}

/// The texts that are there.
fn present<'t>(texts: &[(&'t str, Option<&'t str>)]) -> Vec<(&'t str, &'t str)> {
    texts
        .iter()
        .filter_map(|(name, text)| Some((*name, (*text)?)))
        .filter(|(_, text)| !text.is_empty())
        .collect()
}

fn pair(name: &str, text: &str, out: &mut Reply) {
    out.bulk(name.as_bytes());
    out.bulk(text.as_bytes());
}

fn write_args(args: &[Arg], out: &mut Reply) {
    out.array(args.len());
    for arg in args {
        let flags: Vec<&str> = [
            (arg.optional, "optional"),
            (arg.multiple, "multiple"),
            (arg.multiple_token, "multiple_token"),
        ]
        .iter()
        .filter_map(|(set, name)| set.then_some(*name))
        .collect();
        let texts = [
            ("token", arg.token),
            ("since", arg.since),
            ("deprecated_since", arg.deprecated_since),
        ];
        let texts: Vec<(&str, &str)> = texts
            .iter()
            .filter_map(|(name, text)| Some((*name, (*text)?)))
            .collect();
        out.map(
            2 + usize::from(arg.key_spec.is_some())
                + texts.len()
                + usize::from(!flags.is_empty())
                + usize::from(!arg.parts.is_empty()),
        );
        pair("name", arg.name, out);
        pair("type", type_name(arg.kind), out);
        if let Some(index) = arg.key_spec {
            out.bulk(b"key_spec_index");
            out.integer(index as i64);
        }
        for (name, text) in texts {
            pair(name, text, out);
        }
        if !flags.is_empty() {
            out.bulk(b"flags");
            statuses(flags.iter().copied(), out);
        }
        if !arg.parts.is_empty() {
            out.bulk(b"arguments");
            write_args(arg.parts, out);
        }
    }
}

fn type_name(kind: ArgType) -> &'static str {
    match kind {
        ArgType::String => "string",
        ArgType::Integer => "integer",
        ArgType::Double => "double",
        ArgType::Key => "key",
        ArgType::Pattern => "pattern",
        ArgType::UnixTime => "unix-time",
        ArgType::PureToken => "pure-token",
        ArgType::OneOf => "oneof",
        ArgType::Block => "block",
    }
}
