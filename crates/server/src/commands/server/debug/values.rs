//! The subcommands that look into the structures of values, and of the server.

use std::io::Write;

use ochre_resp::Reply;
use ochre_store::{Entry, Object, Value};
use ochre_structures::listpack::{Element, Listpack};

use super::keys::with_entry;
use crate::clients::Client;
use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;
use crate::session::Session;

pub fn structure_sizes(
    _whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    _args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    out.status(&format!(
        "bits:{} entry:{} object:{} client:{} session:{} ",
        usize::BITS,
        size_of::<Entry>(),
        size_of::<Object>(),
        size_of::<Client>(),
        size_of::<Session>()
    ));
    Ok(Flow::Done)
}

pub fn table_stats(
    whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    let key = args.next()?;
    if !args.is_empty() && !args.keyword("FULL") {
        return Err(Error::Syntax);
    }
    let size = with_entry(whole, key, |entry| match entry.value() {
        Value::Object(Object::Hash(map)) => Some((map.len(), map.memory_bytes())),
        Value::Object(Object::Set(set)) => Some((set.len(), set.memory_bytes())),
        Value::Object(Object::SortedSet(set)) => Some((set.len(), set.memory_bytes())),
        _ => None,
    });
    let Some((elements, bytes)) = size.ok_or(Error::NoSuchKey)? else {
        return Err(Error::text(
            "ERR The value stored at the specified key is not represented using an hash table",
        ));
    };
    // Tables grow by splitting segments: there is one, and no chains.
    let text = format!(
        "Hash table 0 stats (main hash table):\n number of elements: {elements}\n \
         table bytes: {bytes}\n bytes per element: {:.2}\n",
        bytes as f64 / elements.max(1) as f64
    );
    out.verbatim("txt", text.as_bytes());
    Ok(Flow::Done)
}

pub fn listpack(
    whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    let key = args.next()?;
    let described = with_entry(whole, key, |entry| match entry.value() {
        Value::PackedList(bytes)
        | Value::PackedHash(bytes)
        | Value::PackedHashEx(bytes)
        | Value::PackedSet(bytes)
        | Value::PackedSortedSet(bytes) => Some(describe(Listpack(bytes))),
        Value::Int(_) | Value::Str(_) | Value::IntSet(_) | Value::Object(_) => None,
    });
    let Some(text) = described.ok_or(Error::NoSuchKey)? else {
        return Err(Error::text("ERR Not a listpack encoded object."));
    };
    // Nobody may be reading the standard output.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    out.status("Listpack structure printed on stdout");
    Ok(Flow::Done)
}

/// The facts about a listpack, and a line for each element. O(bytes).
fn describe(list: Listpack<'_>) -> String {
    let mut text = format!(
        "{{total bytes {}}} {{num entries {}}}\n",
        list.byte_len(),
        list.len()
    );
    for (index, element) in list.iter().enumerate() {
        text.push_str(&match element {
            Element::Int(value) => format!("{{index {index}}} {{int {value}}}\n"),
            Element::Str(bytes) => format!(
                "{{index {index}}} {{str {} bytes}} {}\n",
                bytes.len(),
                bytes.escape_ascii()
            ),
        });
    }
    text.push_str("{end}\n\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use ochre_structures::listpack;

    #[test]
    fn listpacks_are_described() {
        let mut bytes = listpack::EMPTY.to_vec();
        listpack::append_all(&mut bytes, [Element::Int(7), Element::Str(b"a\nb")]);
        let text = describe(Listpack(&bytes));
        let expected = format!(
            "{{total bytes {}}} {{num entries 2}}\n{{index 0}} {{int 7}}\n\
             {{index 1}} {{str 3 bytes}} a\\nb\n{{end}}\n\n",
            bytes.len()
        );
        assert_eq!(text, expected);
    }
}
