//! Entries of every type, encoding and kind of deadline, for the tests of this folder.

use std::collections::BTreeMap;

use ochre_store::value::hash::{HashMut, empty_hash};
use ochre_store::value::set::{SetEncoding, SetMut, empty_set};
use ochre_store::value::sorted_set::{Limits, SortedSetMut, new_payload};
use ochre_store::{Entry, Kind, Object, Payload, Settings, encoding_name};
use ochre_structures::field_map::FieldDeadline;
use ochre_structures::list::{List, NodeLimit, Side};
use ochre_structures::listpack::{self, Element};
use ochre_structures::stream::{Acknowledgement, NewId, NodeLimits, Stream, StreamId};

use super::image::ValueImage;
use crate::commands::string::value as string;

/// Bytes without a pattern.
pub fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64 ^ len as u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

/// Every type and encoding, small and large, some with deadlines.
pub fn all() -> Vec<Entry> {
    let mut entries = Vec::new();
    strings(&mut entries);
    lists(&mut entries);
    sets(&mut entries);
    sorted_sets(&mut entries);
    hashes(&mut entries);
    entries.push(Entry::new(b"stream:empty", stream(Stream::new()), None));
    entries.push(Entry::new(b"stream:small", stream(log(5)), Some(77)));
    entries.push(Entry::new(b"stream:large", stream(with_groups()), None));
    entries
}

fn strings(entries: &mut Vec<Entry>) {
    for text in ["0", "-1", "128", "-32769", "2147483648", "007", "", "3.14"] {
        let key = format!("string:{text}");
        entries.push(Entry::new(
            key.as_bytes(),
            string::payload(text.as_bytes()),
            None,
        ));
    }
    for len in [20, 44, 45, 64, 4_097, 16_384, 70_000] {
        let key = format!("string:noise:{len}");
        let payload = string::payload;
        entries.push(Entry::new(key.as_bytes(), payload(&noise(len)), None));
        let key = format!("string:zeros:{len}");
        entries.push(Entry::new(
            key.as_bytes(),
            payload(&vec![0; len]),
            Some(4_102_444_800_123),
        ));
    }
    let long_key = b"long key ".repeat(3_000);
    entries.push(Entry::new(&long_key, string::payload(b"x"), Some(-5)));
    entries.push(Entry::new(
        b"12345",
        string::payload(b"an integer for a key"),
        None,
    ));
}

fn lists(entries: &mut Vec<Entry>) {
    let mut packed = listpack::EMPTY.to_vec();
    listpack::append_all(
        &mut packed,
        [&b"a"[..], b"1", b"-5", b"", b"99999999999", b"x y"],
    );
    entries.push(Entry::new(
        b"list:small",
        Payload::Inline(Kind::PackedList, &packed),
        Some(9),
    ));
    let mut list = List::new(NodeLimit::from_config(-2));
    for at in 0..3_000 {
        list.push(Side::Back, format!("element {at}").as_bytes());
    }
    list.push(Side::Back, &noise(20_000));
    list.push(Side::Front, b"17");
    entries.push(Entry::new(b"list:large", object(Object::List(list)), None));
    let mut list = List::new(NodeLimit::from_config(2));
    for at in 0..5_i32 {
        list.push(Side::Back, at.to_string().as_bytes());
    }
    entries.push(Entry::new(b"list:nodes", object(Object::List(list)), None));
}

fn sets(entries: &mut Vec<Entry>) {
    let settings = Settings::default();
    let mut add = |key: &[u8], members: &mut dyn Iterator<Item = Vec<u8>>| {
        let mut entry = Entry::new(key, empty_set(SetEncoding::IntSet), None);
        let mut set = SetMut::of(&mut entry, &settings).unwrap();
        for member in members {
            set.add(Element::Str(&member));
        }
        entries.push(entry);
    };
    let texts = |texts: &'static [&'static str]| texts.iter().map(|text| text.as_bytes().to_vec());
    add(b"set:16", &mut texts(&["1", "2", "-3", "32767"]));
    add(b"set:64", &mut texts(&["1", "-9223372036854775808"]));
    add(b"set:small", &mut texts(&["a", "1", "", "2147483648"]));
    add(
        b"set:middle",
        &mut (0..200).map(|at| format!("m:{at}").into()),
    );
    add(
        b"set:large",
        &mut (0..3_000).map(|at| format!("m:{at}").into()),
    );
    add(
        b"set:integers",
        &mut (0..3_000_i64).map(|at| (at * at * 1_000).to_string().into()),
    );
}

fn sorted_sets(entries: &mut Vec<Entry>) {
    let limits = Limits::from(&Settings::default());
    for (key, members) in [
        (&b"zset:small"[..], 0),
        (b"zset:middle", 140),
        (b"zset:large", 3_000),
    ] {
        let mut entry = Entry::new(key, new_payload(limits, 1, 1), Some(5));
        let mut set = SortedSetMut::of(&mut entry, limits).unwrap();
        for (member, score) in [
            (&b"a"[..], 1.0),
            (b"b", 1.0),
            (b"zero", -0.0),
            (b"max", f64::INFINITY),
            (b"min", f64::NEG_INFINITY),
            (b"pi", std::f64::consts::PI),
            (b"huge", 1e300),
            (b"tiny", 5e-324),
            (b"17", 0.1),
            (b"odd", 9_007_199_254_740_993.0),
            (b"", -2.5),
        ] {
            set.insert_with(member, |_| Some(score));
        }
        for at in 0..members {
            set.insert_with(format!("m{at}").as_bytes(), |_| {
                Some(f64::from(at % 50) / 7.0)
            });
        }
        entries.push(entry);
    }
}

fn hashes(entries: &mut Vec<Entry>) {
    let settings = Settings::default();
    let dated = |at: u64| match at % 3 {
        0 => FieldDeadline::AtMs(4_102_444_800_000 + at),
        _ => FieldDeadline::Clear,
    };
    let plain = |_: u64| FieldDeadline::Clear;
    let mut add = |key: &[u8], count: u64, deadline: &dyn Fn(u64) -> FieldDeadline| {
        let mut entry = Entry::new(key, empty_hash(), None);
        let mut hash = HashMut::of(&mut entry, &settings).unwrap();
        for at in 0..count {
            let (name, value) = (format!("field:{at}"), (at * 3).to_string());
            hash.set(name.as_bytes(), value.as_bytes(), deadline(at));
        }
        hash.set(b"", b"empty", FieldDeadline::Clear);
        entries.push(entry);
    };
    add(b"hash:small", 7, &plain);
    add(b"hash:dated:small", 7, &dated);
    add(b"hash:middle", 150, &plain);
    add(b"hash:large", 3_000, &plain);
    add(b"hash:dated:middle", 150, &dated);
    add(b"hash:dated:large", 3_000, &dated);
}

fn object(object: Object) -> Payload<'static> {
    Payload::Object(Box::new(object))
}

fn stream(stream: Stream) -> Payload<'static> {
    object(Object::Stream(stream))
}

fn log(entries: u64) -> Stream {
    let mut stream = Stream::new();
    for at in 1..=entries {
        let id = NewId::Exact(StreamId::new(1_000 + at / 3, at));
        let value = at.to_string();
        let pairs = [(&b"temperature"[..], &b"21"[..]), (b"at", value.as_bytes())];
        let appended = stream.append(id, 0, pairs.into_iter(), NodeLimits::default());
        appended.unwrap();
    }
    stream
}

fn with_groups() -> Stream {
    let mut stream = log(2_000);
    for at in [5, 6, 100, 350] {
        stream.delete(StreamId::new(1_000 + at / 3, at));
    }
    stream
        .create_group(b"first", StreamId::MIN, Some(0))
        .unwrap();
    stream
        .create_group(b"last", StreamId::new(1_500, 1), None)
        .unwrap();
    for (consumer, count) in [(&b"alice"[..], 10), (b"bob", 700), (b"alice", 2)] {
        let (log, group) = stream.log_and_group_mut(b"first").unwrap();
        let (id, _) = group.ensure_consumer(consumer, 5_000);
        group.deliver_new(log, id, count, Acknowledgement::Expected, 5_000, |_, _| ());
    }
    let (_, group) = stream.log_and_group_mut(b"last").unwrap();
    group.ensure_consumer(b"idle", 6_000);
    stream
}

/// Key, deadline, encoding, parts of the value.
pub type Description = (
    Vec<u8>,
    Option<i64>,
    &'static str,
    BTreeMap<Vec<u8>, Vec<u8>>,
);

/// What an entry is: key, deadline, encoding, and the value in a form in which equal
/// values are equal.
pub fn describe(entry: &Entry) -> Description {
    let mut parts = BTreeMap::new();
    match ValueImage::of(entry) {
        ValueImage::Set(_) => {
            let set = ochre_store::value::set::SetRef::of(entry).unwrap();
            set.visit(|member| {
                parts.insert(member.to_vec(), Vec::new());
            });
        }
        ValueImage::Hash(_) | ValueImage::PackedHashEx(_) => {
            let hash = ochre_store::value::hash::HashRef::of(entry, 0).unwrap();
            hash.visit(|field| {
                let value = format!("{:?} {:?}", field.value.to_vec(), field.deadline_ms);
                parts.insert(field.name.to_vec(), value.into_bytes());
            });
        }
        value => {
            let mut encoder =
                ochre_rdb::Encoder::new(ochre_rdb::Version::V11, ochre_rdb::Compression::Off);
            parts.insert(b"dump".to_vec(), super::image::dump(&value, &mut encoder));
        }
    }
    (
        entry.key().to_vec(),
        entry.expiry_ms(),
        encoding_name(entry),
        parts,
    )
}
