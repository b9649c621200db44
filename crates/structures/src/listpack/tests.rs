//! Listpacks against bytes made by a real Redis, against `Vec`, and against noise.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn of(elements: &[&[u8]]) -> Vec<u8> {
    let mut bytes = EMPTY.to_vec();
    append_all(&mut bytes, elements.iter().copied());
    bytes
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| (byte as char).to_digit(16).expect("a hex digit") as u8;
    text.as_bytes()
        .chunks(2)
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}

/// The node of a list that redis-server 7.0.15 gave to DUMP.
#[test]
fn every_short_encoding_is_what_redis_writes() {
    let longest_short = [b'x'; 63];
    let elements: [&[u8]; 28] = [
        b"0",
        b"127",
        b"128",
        b"-1",
        b"4095",
        b"4096",
        b"-4096",
        b"-4097",
        b"32767",
        b"32768",
        b"-32768",
        b"-32769",
        b"8388607",
        b"8388608",
        b"-8388608",
        b"-8388609",
        b"2147483647",
        b"2147483648",
        b"-2147483648",
        b"-2147483649",
        b"9223372036854775807",
        b"9223372036854775808",
        b"-9223372036854775808",
        b"-0",
        b"007",
        b"",
        b"a",
        &longest_short,
    ];
    let expected = unhex(concat!(
        "df0000001c0000017f01c08002dfff02cfff02f1001003d00002f1ffef03f1ff7f03f200800004",
        "f1008003f2ff7fff04f2ffff7f04f30000800005f200008004f3ffff7fff05f3ffffff7f05f400",
        "0000800000000009f30000008005f4ffffff7fffffffff09f4ffffffffffffff7f099339323233",
        "33373230333638353437373538303814f4000000000000008009822d3003833030370480018161",
        "02bf78787878787878787878787878787878787878787878787878787878787878787878787878",
        "787878787878787878787878787878787878787878787878787840ff",
    ));
    assert_eq!(of(&elements), expected);
    assert_eq!(validate(&expected, Shape::Members), Ok(28));
    let read: Vec<Vec<u8>> = Listpack(&expected).iter().map(|e| e.to_vec()).collect();
    assert_eq!(read, elements);
}

/// Length of the string, first bytes after the header, back length: from DUMP.
#[test]
fn long_strings_are_what_redis_writes() {
    for (len, front, back) in [
        (64, "e040", "42"),
        (125, "e07d", "7f"),
        (126, "e07e", "0180"),
        (4095, "efff", "2081"),
        (4096, "f000100000", "2085"),
        (16_375, "f0f73f0000", "7ffc"),
        (16_377, "f0f93f0000", "7ffe"),
        (16_378, "f0fa3f0000", "00ffff"),
        (16_379, "f0fb3f0000", "018080"),
        (16_400, "f010400000", "018095"),
    ] {
        let string = vec![b'y'; len];
        let bytes = of(&[&string, b"z"]);
        let expected = [unhex(front), string.clone(), unhex(back), unhex("817a02ff")].concat();
        assert_eq!(&bytes[HEADER_BYTES..], expected, "{len}");
        assert_eq!(encoded_len(&string), expected.len() - 4, "{len}");
        let backwards: Vec<_> = Listpack(&bytes).iter().rev().map(|e| e.len()).collect();
        assert_eq!(backwards, [1, len]);
    }
}

#[test]
fn a_count_past_the_header_is_found_by_counting() {
    let mut bytes = EMPTY.to_vec();
    append_all(&mut bytes, (0..65_534_i64).map(|i| i % 100));
    assert_eq!(bytes[4..6], [0xFE, 0xFF]);
    append(&mut bytes, 7_i64);
    assert_eq!(bytes[4..6], [0xFF, 0xFF]);
    append(&mut bytes, b"last");
    assert_eq!(Listpack(&bytes).len(), 65_536);
    assert_eq!(
        validate(&bytes, Shape::Pairs).err(),
        Some(Error::Duplicate { offset: 206 })
    );
    assert_eq!(validate(&bytes, Shape::Elements), Ok(65_536));
    assert!(
        Listpack(&bytes)
            .index(-1)
            .is_some_and(|e| e.eq_bytes(b"last"))
    );
    assert!(
        Listpack(&bytes)
            .index(65_535)
            .is_some_and(|e| e.eq_bytes(b"last"))
    );
    assert!(Listpack(&bytes).index(65_536).is_none());
    assert_eq!(delete_range(&mut bytes, 10, 65_000), 65_000);
    assert_eq!(bytes[4..6], 536_u16.to_le_bytes(), "countable again");
    assert_eq!(validate(&bytes, Shape::Elements), Ok(536));
}

#[test]
fn find_skips_values() {
    let bytes = of(&[b"a", b"b", b"b", b"1", b"1", b"c"]);
    let pack = Listpack(&bytes);
    assert_eq!(pack.find(b"b", 0), pack.position(1));
    assert_eq!(pack.find(b"b", 1), pack.position(2));
    assert_eq!(pack.find(b"1", 1), pack.position(4));
    assert_eq!(pack.find(b"01", 1), None);
    assert_eq!(pack.find(b"c", 1), None);
    let second = pack.position(2).expect("six elements");
    assert_eq!(pack.find_from(second, b"a", 0), None);
    assert_eq!(pack.pairs().count(), 3);
    assert!(pack.pairs().last() == Some((Element::Int(1), Element::Str(b"c"))));
}

#[test]
fn validation_says_what_is_wrong() {
    let good = of(&[b"f", b"1", b"g", b"2"]);
    assert_eq!(validate(&good, Shape::Pairs), Ok(4));
    assert_eq!(validate(&EMPTY, Shape::Pairs), Ok(0));

    let broken = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        validate(&bytes, Shape::Pairs)
    };
    assert_eq!(
        validate(&good[..6], Shape::Pairs),
        Err(Error::TooShort { bytes: 6 })
    );
    assert_eq!(
        broken(0, 9),
        Err(Error::Size {
            stated: 9,
            actual: 17
        })
    );
    assert_eq!(broken(16, 0), Err(Error::NoEnd));
    assert_eq!(
        broken(4, 3),
        Err(Error::Count {
            stated: 3,
            actual: 4
        })
    );
    assert_eq!(broken(6, 0xF7), Err(Error::Entry { offset: 6 }));
    assert_eq!(broken(6, END), Err(Error::Entry { offset: 6 }));
    assert_eq!(broken(11, 0xBF), Err(Error::Entry { offset: 11 }));
    assert_eq!(broken(8, 1), Err(Error::BackLength { offset: 6 }));
    assert_eq!(broken(8, 0x82), Err(Error::BackLength { offset: 6 }));
    assert_eq!(broken(12, b'f'), Err(Error::Duplicate { offset: 11 }));
    assert_eq!(
        validate(&of(&[b"a"]), Shape::Pairs),
        Err(Error::OddCount { count: 1 })
    );
    assert_eq!(
        validate(&of(&[b"a", b"1", b"1"]), Shape::Members),
        Err(Error::Duplicate { offset: 11 })
    );
}

#[test]
fn a_number_stored_as_a_string_equals_the_number() {
    let stored_as_string = [6 + 4 + 1, 0, 0, 0, 1, 0, 0x82, b'1', b'2', 3, END];
    assert_eq!(validate(&stored_as_string, Shape::Members), Ok(1));
    assert!(Listpack(&stored_as_string).find(b"12", 0).is_some());
    assert_eq!(Listpack(&stored_as_string).index(0), Some(Element::Int(12)));
}

fn element() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => any::<i64>().prop_map(|i| i.to_string().into_bytes()),
        3 => (-200_i64..200).prop_map(|i| i.to_string().into_bytes()),
        2 => (0..64_u32, any::<i64>()).prop_map(|(s, i)| (i >> s).to_string().into_bytes()),
        4 => vec(prop_oneof![Just(b'a'), Just(0xFF), any::<u8>()], 0..80),
        1 => (0..5000_usize).prop_map(|len| vec![b'n'; len]),
        1 => Just(vec![b'n'; 16_378]),
    ]
}

#[derive(Clone, Debug)]
enum Edit {
    Append(Vec<Vec<u8>>),
    Prepend(Vec<Vec<u8>>),
    Insert(usize, bool, Vec<u8>),
    Replace(usize, Vec<u8>),
    Delete(usize),
    DeleteRange(i64, usize),
    Retain(u8),
    Split(usize),
    Join(Vec<Vec<u8>>),
}

fn edit() -> impl Strategy<Value = Edit> {
    let some = || vec(element(), 0..4);
    prop_oneof![
        some().prop_map(Edit::Append),
        some().prop_map(Edit::Prepend),
        (any::<usize>(), any::<bool>(), element()).prop_map(|(i, b, e)| Edit::Insert(i, b, e)),
        (any::<usize>(), element()).prop_map(|(i, e)| Edit::Replace(i, e)),
        any::<usize>().prop_map(Edit::Delete),
        (-12..12_i64, 0..6_usize).prop_map(|(i, n)| Edit::DeleteRange(i, n)),
        any::<u8>().prop_map(Edit::Retain),
        any::<usize>().prop_map(Edit::Split),
        some().prop_map(Edit::Join),
    ]
}

/// Applies the edit to both; the model is a `Vec` of the elements' bytes.
fn apply(bytes: &mut Vec<u8>, model: &mut Vec<Vec<u8>>, edit: Edit) {
    let position = |bytes: &[u8], index: usize| {
        Listpack(bytes)
            .position(index as i64)
            .expect("an index of the model")
    };
    match edit {
        Edit::Append(elements) => {
            append_all(bytes, &elements);
            model.extend(elements);
        }
        Edit::Prepend(elements) => {
            prepend_all(bytes, &elements);
            drop(model.splice(0..0, elements));
        }
        Edit::Join(elements) => {
            let mut other = EMPTY.to_vec();
            append_all(&mut other, &elements);
            append_listpack(bytes, Listpack(&other));
            model.extend(elements);
        }
        Edit::DeleteRange(start, count) => {
            let len = model.len() as i64;
            let from = if start < 0 { start + len } else { start };
            let expected = if (0..len).contains(&from) {
                let to = (from as usize + count).min(model.len());
                model.drain(from as usize..to).count()
            } else {
                0
            };
            assert_eq!(delete_range(bytes, start, count), expected);
        }
        Edit::Retain(odd) => {
            let keep = |e: &[u8]| (e.len() as u8 ^ odd) & 1 == 0;
            let before = model.len();
            model.retain(|e| keep(e));
            let removed = retain(bytes, |e| keep(&e.to_vec()));
            assert_eq!(removed, before - model.len());
        }
        _ if model.is_empty() => {}
        Edit::Insert(index, after, element) => {
            let index = index % model.len();
            let place = if after { Place::After } else { Place::Before };
            let at = position(bytes, index);
            let at = insert(bytes, at, place, &element).expect("a valid position");
            assert!(Listpack(bytes).at(at).is_some_and(|e| e.eq_bytes(&element)));
            model.insert(index + usize::from(after), element);
        }
        Edit::Replace(index, element) => {
            let index = index % model.len();
            let at = position(bytes, index);
            replace(bytes, at, &element);
            assert!(Listpack(bytes).at(at).is_some_and(|e| e.eq_bytes(&element)));
            model[index] = element;
        }
        Edit::Delete(index) => {
            let index = index % model.len();
            let at = position(bytes, index);
            model.remove(index);
            match delete(bytes, at) {
                Some(next) => assert_eq!(next, position(bytes, index)),
                None => assert_eq!(index, model.len()),
            }
        }
        Edit::Split(index) => {
            let index = index % model.len();
            let at = position(bytes, index);
            let rest = split_off(bytes, at);
            assert_eq!(validate(&rest, Shape::Elements), Ok(model.len() - index));
            assert_eq!(validate(bytes, Shape::Elements), Ok(index));
            append_listpack(bytes, Listpack(&rest));
        }
    }
}

fn check(bytes: &[u8], model: &[Vec<u8>]) {
    assert_eq!(validate(bytes, Shape::Elements), Ok(model.len()));
    let pack = Listpack(bytes);
    assert_eq!(pack.len(), model.len());
    assert_eq!(pack.is_empty(), model.is_empty());
    let forward: Vec<_> = pack.iter().map(|e| e.to_vec()).collect();
    assert_eq!(forward, model);
    let mut backward: Vec<_> = pack.iter().rev().map(|e| e.to_vec()).collect();
    backward.reverse();
    assert_eq!(backward, model);
    let sizes: usize = model.iter().map(encoded_len).sum();
    assert_eq!(bytes.len(), EMPTY.len() + sizes);
    for (index, element) in model.iter().enumerate() {
        let from_end = index as i64 - model.len() as i64;
        assert!(
            pack.index(index as i64)
                .is_some_and(|e| e.eq_bytes(element))
        );
        assert!(pack.index(from_end).is_some_and(|e| e.eq_bytes(element)));
        let first = model.iter().position(|e| e == element);
        assert_eq!(
            pack.find(element, 0),
            first.and_then(|i| pack.position(i as i64))
        );
    }
    assert!(pack.index(model.len() as i64).is_none());
    assert!(pack.index(-(model.len() as i64) - 1).is_none());
    assert!(pack.index(i64::MIN).is_none() && pack.index(i64::MAX).is_none());
    let mut position = pack.first();
    assert_eq!(pack.last(), pack.position(-1));
    for index in 0..model.len() {
        assert_eq!(position, pack.position(index as i64));
        position = position.and_then(|here| {
            let next = pack.next(here);
            if let Some(next) = next {
                assert_eq!(pack.previous(next), Some(here));
            }
            next
        });
    }
    assert_eq!(position, None);
}

/// Every reader, on bytes that may be anything.
fn read_all(bytes: &[u8]) {
    let pack = Listpack(bytes);
    let forward = pack.iter().count();
    assert!(forward <= bytes.len() && pack.iter().rev().count() <= bytes.len());
    let _ = (pack.len(), pack.is_empty(), pack.first(), pack.last());
    for index in [0, 1, 5, -1, -3, i64::MAX, i64::MIN] {
        let _ = (pack.index(index), pack.position(index));
    }
    for entry in pack.entries() {
        let _ = (pack.next(entry.position), pack.previous(entry.position));
        let _ = (entry.element.len(), pack.at(entry.position));
    }
    let _ = (pack.find(b"1", 0), pack.find(b"a", 1), pack.find(b"", 3));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn edits_match_a_vec(edits in vec(edit(), 1..40)) {
        let (mut bytes, mut model) = (EMPTY.to_vec(), Vec::new());
        for edit in edits {
            apply(&mut bytes, &mut model, edit);
            check(&bytes, &model);
        }
    }

    #[test]
    fn pairs_are_found_by_field(
        pairs in proptest::collection::btree_map(element(), element(), 0..12),
        absent in element(),
    ) {
        let mut bytes = EMPTY.to_vec();
        for (field, value) in &pairs {
            append_all(&mut bytes, [field, value]);
        }
        prop_assert_eq!(validate(&bytes, Shape::Pairs), Ok(2 * pairs.len()));
        for (field, value) in &pairs {
            let at = Listpack(&bytes).find(field, 1).expect("a field of the map");
            let next = Listpack(&bytes).next(at).expect("its value");
            prop_assert!(Listpack(&bytes).at(next).is_some_and(|e| e.eq_bytes(value)));
        }
        let found = Listpack(&bytes).find(&absent, 1).is_some();
        prop_assert_eq!(found, pairs.contains_key(&absent));
        for field in pairs.keys() {
            let at = Listpack(&bytes).find(field, 1).expect("not deleted yet");
            prop_assert_eq!(delete_at(&mut bytes, at, 2), 2);
        }
        prop_assert_eq!(bytes, EMPTY);
    }

    #[test]
    fn an_element_is_stored_once_and_for_all_as_it_is(element in element()) {
        let bytes = of(&[&element]);
        let read = Listpack(&bytes).index(0).expect("one element");
        prop_assert_eq!(read.len(), element.len());
        prop_assert_eq!(matches!(read, Element::Int(_)), parse_integer(&element).is_some());
        prop_assert_eq!(of(&[&read.to_vec()]), bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn noise_is_refused_or_read_without_a_panic(body in vec(any::<u8>(), 0..60), stated: u16) {
        read_all(&body);
        let _ = validate(&body, Shape::Members);
        // With a header and an end that hold, more of the checks are reached.
        let mut bytes = (body.len() as u32 + 7).to_le_bytes().to_vec();
        bytes.extend_from_slice(&(stated % 8).to_le_bytes());
        bytes.extend_from_slice(&body);
        bytes.push(END);
        read_all(&bytes);
        if let Ok(count) = validate(&bytes, Shape::Elements) {
            prop_assert_eq!(Listpack(&bytes).iter().count(), count);
            prop_assert_eq!(Listpack(&bytes).iter().rev().count(), count);
        }
    }

    #[test]
    fn a_damaged_listpack_is_refused_or_still_sound(
        elements in vec(element(), 1..6),
        damage in vec((any::<usize>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = EMPTY.to_vec();
        append_all(&mut bytes, elements.iter().filter(|e| e.len() < 200));
        let len = bytes.len();
        for (at, byte) in damage {
            bytes[at % len] = byte;
        }
        read_all(&bytes);
        if let Ok(count) = validate(&bytes, Shape::Elements) {
            let model: Vec<_> = Listpack(&bytes).iter().map(|e| e.to_vec()).collect();
            prop_assert_eq!(model.len(), count);
            append(&mut bytes, b"more");
            prop_assert_eq!(validate(&bytes, Shape::Elements), Ok(count + 1));
        }
    }
}
