//! SORT and SORT_RO.
//!
//! The elements are copied into one buffer ([`elements`]), weighed by themselves or by
//! other keys ([`pattern`]), ordered, and answered or stored. Weights and answers may
//! come from keys that the elements name, so the commands take exclusive access.
//!
//! Where many elements are answered by themselves, no other key being asked, that is only
//! begun under the locks, and goes on in [`slices`].

mod elements;
mod options;
mod pattern;
mod slices;
mod weights;

use std::ops::Range;

use ochre_resp::Reply;
use ochre_store::value::sorted_set::{Limits, SortedSetMut};
use ochre_store::{EventClass, Expiry, Kind, Object, Payload, ReadView, Settings, Type, WriteView};
use ochre_structures::list::{List, Side};

use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;
use elements::{Collection, Elements};
use options::{Options, Variant};

const PATTERN_NOTES: &str = "For the optional BY/GET keyword. It is marked 'unknown' because the \
                             key names derive from the content of the key we sort";
const STORE_NOTES: &str = "For the optional STORE keyword. It is marked 'unknown' because the \
                           keyword can appear anywhere in the argument array";

const fn unknown(flags: KeyFlags, notes: &'static str) -> KeySpec {
    KeySpec {
        flags,
        begin: Begin::Unknown,
        find: Find::Unknown,
        notes,
    }
}

const BY: Arg = pattern("by-pattern").after("BY").opt().spec(1);
const LIMIT: Arg = block("limit", &[integer("offset"), integer("count")])
    .after("LIMIT")
    .opt();
const GET: Arg = pattern("get-pattern")
    .after("GET")
    .opt()
    .many_tokens()
    .spec(1);
const ORDER: Arg = one_of("order", &[token("asc", "ASC"), token("desc", "DESC")]).opt();
const SORTING: Arg = token("sorting", "ALPHA").opt();

const CATEGORIES: Categories = Categories::SET
    .or(Categories::SORTEDSET)
    .or(Categories::LIST)
    .or(Categories::DANGEROUS);
const COMPLEXITY: &str = "O(N+M*log(M)) where N is the number of elements in the list or set to \
                          sort, and M the number of returned elements. When the elements are not \
                          sorted, complexity is O(N).";

pub const SORT: Command = Command {
    summary: "Sorts the elements in a list, a set, or a sorted set, optionally storing the result.",
    complexity: COMPLEXITY,
    flags: Flags::DENYOOM.or(Flags::TOUCHES_ARBITRARY_KEYS),
    categories: CATEGORIES,
    not_categories: Categories::KEYSPACE,
    keys: &[
        KeySpec::one(1, RO_ACCESS),
        unknown(RO_ACCESS, PATTERN_NOTES),
        unknown(OW_UPDATE, STORE_NOTES),
    ],
    find_keys: Some(find_keys),
    args: &[
        key("key"),
        BY,
        LIMIT,
        GET,
        ORDER,
        SORTING,
        key("destination").after("STORE").opt().spec(2),
    ],
    ..command("sort", Group::Generic, -2, Run::Write(sort))
};

pub const SORT_RO: Command = Command {
    summary: "Returns the sorted elements of a list, a set, or a sorted set.",
    since: "7.0.0",
    complexity: COMPLEXITY,
    flags: Flags::TOUCHES_ARBITRARY_KEYS.or(Flags::READONLY),
    categories: CATEGORIES,
    not_categories: Categories::KEYSPACE,
    keys: &[
        KeySpec::one(1, RO_ACCESS),
        unknown(RO_ACCESS, PATTERN_NOTES),
    ],
    find_keys: Some(find_source_key),
    args: &[key("key"), BY, LIMIT, GET, ORDER, SORTING],
    ..command("sort_ro", Group::Generic, -2, Run::Write(sort_ro))
};

fn find_source_key(_argv: &[&[u8]]) -> Option<Vec<(usize, KeyFlags)>> {
    Some(vec![(1, RO_ACCESS)])
}

fn find_keys(argv: &[&[u8]]) -> Option<Vec<(usize, KeyFlags)>> {
    let mut keys = vec![(1, RO_ACCESS)];
    let mut at = 2;
    while at < argv.len() {
        let word = argv[at].to_ascii_lowercase();
        at += match word.as_slice() {
            b"limit" => 3,
            b"get" | b"by" => 2,
            b"store" if at + 1 < argv.len() => {
                // The last one counts.
                keys.truncate(1);
                keys.push((at + 1, OW_UPDATE));
                2
            }
            _ => 1,
        };
    }
    Some(keys)
}

fn sort_ro(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let source = args.next()?;
    let options = Options::parse(args, Variant::ReadOnly)?;
    unpack_sorted_set(view, source)?;
    answer(&view.read(), source, &options, out)?;
    Ok(Flow::Done)
}

/// Redis gives a sorted set its full encoding before it sorts it, which
/// OBJECT ENCODING shows.
fn unpack_sorted_set(view: &mut WriteView<'_, '_>, source: &[u8]) -> Result<(), Error> {
    let limits = Limits::from(view.settings());
    if let Some(entry) = view.find_mut(source)
        && entry.kind() == Kind::PackedSortedSet
    {
        SortedSetMut::of(entry.into_inner(), limits)?.expect_members(usize::MAX);
    }
    Ok(())
}

fn sort(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let source = args.next()?;
    let options = Options::parse(args, Variant::Storing)?;
    unpack_sorted_set(view, source)?;
    let Some(destination) = options.store else {
        answer(&view.read(), source, &options, out)?;
        return Ok(Flow::Done);
    };
    let sorted = {
        let read = view.read();
        Sorted::of(&read, &collection(&read, source)?, &options)?
    };
    let list = sorted.list(&view.read(), &options, view.settings());
    let len = list.len();
    if len > 0 {
        match list.as_listpack() {
            Some(bytes) => {
                let payload = Payload::Inline(Kind::PackedList, bytes);
                view.set(destination, payload, Expiry::Clear);
            }
            None => {
                let payload = Payload::Object(Box::new(Object::List(list)));
                view.set(destination, payload, Expiry::Clear);
            }
        }
        view.modified(destination, EventClass::List, "sortstore");
        view.dirty(len as u64 - 1);
    } else if view.remove(destination) {
        view.modified(destination, EventClass::Generic, "del");
    }
    out.count(len);
    Ok(Flow::Done)
}

/// Sorts and writes the result as an array.
fn answer(
    view: &ReadView<'_>,
    source: &[u8],
    options: &Options<'_>,
    out: &mut Reply,
) -> Result<(), Error> {
    let collection = collection(view, source)?;
    if slices::write(&collection, options, out) {
        return Ok(());
    }
    let sorted = Sorted::of(view, &collection, options)?;
    let columns = options.get.len().max(1);
    out.array(sorted.order.len() * columns);
    sorted.visit(view, options, |cell| out.bulk_or_null(cell));
    Ok(())
}

/// What `key` holds.
fn collection<'v>(view: &ReadView<'v>, key: &[u8]) -> Result<Collection<'v>, Error> {
    match view.find(key) {
        Some(entry) => Collection::of(entry).ok_or(Error::WrongType),
        None => Ok(Collection::EMPTY),
    }
}

/// Which elements an order that is the collection's own selects: BY a pattern without `*`.
/// And whether they are wanted from the last to the first.
fn unsorted_range(collection: &Collection<'_>, options: &Options<'_>) -> (Range<usize>, bool) {
    let (len, range) = (collection.len(), options.range(collection.len()));
    // Sets have no direction.
    let backwards = options.order.is_descending() && collection.value_type() != Some(Type::Set);
    if backwards {
        (len - range.end..len - range.start, true)
    } else {
        (range, false)
    }
}

/// The elements of a collection, and which of them in what order are the result.
struct Sorted {
    elements: Elements,
    order: Vec<u32>,
}

impl Sorted {
    fn of(
        view: &ReadView<'_>,
        collection: &Collection<'_>,
        options: &Options<'_>,
    ) -> Result<Self, Error> {
        // The order of a set means nothing, so what is stored is sorted nevertheless.
        let stores_unsorted_set = options.is_unsorted()
            && collection.value_type() == Some(Type::Set)
            && options.store.is_some();
        if options.is_unsorted() && !stores_unsorted_set {
            return Ok(Self::unsorted(collection, options));
        }
        let elements = collection.elements(0..collection.len());
        let order = if stores_unsorted_set {
            weights::by_bytes(&elements, options)
        } else {
            weights::order(view, &elements, options)?
        };
        let order = order[options.range(collection.len())].to_vec();
        Ok(Self { elements, order })
    }

    /// BY a pattern without `*`: the order is the collection's own.
    fn unsorted(collection: &Collection<'_>, options: &Options<'_>) -> Self {
        let (range, backwards) = unsorted_range(collection, options);
        let elements = collection.elements(range);
        let mut order: Vec<u32> = (0..elements.len() as u32).collect();
        if backwards {
            order.reverse();
        }
        Self { elements, order }
    }

    /// Shows the cells of the result, row by row: what GET asks for, or the element.
    fn visit(
        &self,
        view: &ReadView<'_>,
        options: &Options<'_>,
        mut visit: impl FnMut(Option<&[u8]>),
    ) {
        let mut key = Vec::new();
        for &index in &self.order {
            let element = self.elements.get(index);
            if options.get.is_empty() {
                visit(Some(element));
            }
            for pattern in &options.get {
                if pattern
                    .with_value(view, element, &mut key, |value| visit(Some(value)))
                    .is_none()
                {
                    visit(None);
                }
            }
        }
    }

    /// The result as a list, with empty strings for what is not there.
    fn list(&self, view: &ReadView<'_>, options: &Options<'_>, settings: &Settings) -> List {
        let mut list = List::new(settings.list_node_limit);
        self.visit(view, options, |cell| {
            list.push(Side::Back, cell.unwrap_or_default());
        });
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_store_names_the_key() {
        let argv: Vec<&[u8]> = b"SORT k BY store GET store LIMIT store 5 STORE a STORE b DESC"
            .split(|&byte| byte == b' ')
            .collect();
        let keys = find_keys(&argv).unwrap();
        assert_eq!(keys, [(1, RO_ACCESS), (12, OW_UPDATE)]);
    }
}
