//! What RESTORE changes, records and announces, and that no payload harms.

use ochre_rdb::{Compression, Encoder, Version};
use proptest::prelude::*;

use super::*;
use crate::commands::trial;
use crate::persistence::image::{self, ValueImage};
use crate::persistence::samples::{all, describe};

fn dump(entry: &Entry) -> Vec<u8> {
    let mut encoder = Encoder::new(Version::V11, Compression::Off);
    image::dump(&ValueImage::of(entry), &mut encoder)
}

/// The dump of the string `v`.
fn dump_of_v() -> Vec<u8> {
    dump(&Entry::new(
        b"k",
        crate::commands::string::value::payload(b"v"),
        None,
    ))
}

#[track_caller]
fn check(setup: &[&str], before: &str, after: &str, expected: &str) {
    let payload = dump_of_v();
    let mut words: Vec<&[u8]> = before.split(' ').map(str::as_bytes).collect();
    words.push(&payload);
    words.extend(
        after
            .split(' ')
            .filter(|word| !word.is_empty())
            .map(str::as_bytes),
    );
    let text = payload.escape_ascii().to_string();
    trial::check_words(setup, &words, &expected.replace("PAYLOAD", &text));
}

#[test]
fn a_relative_deadline_is_recorded_as_a_moment() {
    check(&[], "RESTORE k 0", "", "1 change; as sent; restore k");
    check(
        &[],
        "RESTORE k 500",
        "IDLETIME 7",
        "1 change; RESTORE k 1500 PAYLOAD IDLETIME 7 ABSTTL; restore k",
    );
    check(
        &["SET k 1"],
        "RESTORE k 500",
        "REPLACE FREQ 9",
        "1 change; RESTORE k 1500 PAYLOAD REPLACE FREQ 9 ABSTTL; restore k",
    );
    check(
        &[],
        "RESTORE k 5000",
        "ABSTTL",
        "1 change; as sent; restore k",
    );
}

#[test]
fn a_moment_in_the_past_deletes() {
    check(&[], "RESTORE k 500", "ABSTTL", "0 changes; nothing; ");
    check(
        &["SET k 1"],
        "RESTORE k 500",
        "ABSTTL REPLACE",
        "1 change; DEL k; del k",
    );
}

#[test]
fn a_key_that_is_there_stays() {
    check(&["SET k 1"], "RESTORE k 0", "", "0 changes; nothing; ");
}

/// The order in which redis-server finds fault, although here the payload is decoded
/// before anything is known of the key.
#[test]
fn a_key_that_is_there_is_told_before_its_time_to_live_and_that_before_its_payload() {
    const NOT_INTEGER: &str = "ERR value is not an integer or out of range";
    const NEGATIVE: &str = "ERR Invalid TTL value, must be >= 0";
    const BUSY: &str = "BUSYKEY Target key name already exists.";
    const FOOTER: &str = "ERR DUMP payload version or checksum are wrong";
    for (line, expected) in [
        ("RESTORE there 0 bad", BUSY),
        ("RESTORE there x bad", BUSY),
        ("RESTORE there -1 bad", BUSY),
        ("RESTORE there 0 bad WHAT", "ERR syntax error"),
        (
            "RESTORE there 0 bad IDLETIME -1",
            "ERR Invalid IDLETIME value, must be >= 0",
        ),
        ("RESTORE there 0 bad REPLACE", FOOTER),
        ("RESTORE new x bad", NOT_INTEGER),
        ("RESTORE new -1 bad", NEGATIVE),
        ("RESTORE new 0 bad", FOOTER),
    ] {
        assert_eq!(trial::refusal(&["SET there 1"], line), expected, "{line}");
    }
}

#[test]
fn every_value_comes_back() {
    let settings = Settings::default();
    for entry in all() {
        let payload = dump(&entry);
        let request = Request {
            key: entry.key(),
            ttl: b"0",
            payload: &payload,
            replace: false,
            absolute: false,
            access: None,
        };
        let mut restored = request.decode(&settings).unwrap();
        restored.set_expiry_ms(entry.expiry_ms());
        assert_eq!(describe(&restored), describe(&entry));
    }
}

/// Payloads of all samples with some bytes changed or left out, and a right footer.
fn corrupt() -> impl Strategy<Value = Vec<u8>> {
    let dumps: Vec<Vec<u8>> = all()
        .iter()
        .map(dump)
        .filter(|payload| payload.len() < 20_000)
        .collect();
    let edits = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6);
    let cut = prop_oneof![3 => Just(None), 1 => any::<prop::sample::Index>().prop_map(Some)];
    (prop::sample::select(dumps), edits, cut).prop_map(|(mut payload, edits, cut)| {
        payload.truncate(payload.len() - 10);
        for (place, byte) in edits {
            let place = place.index(payload.len());
            payload[place] = byte;
        }
        if let Some(cut) = cut {
            payload.truncate(cut.index(payload.len()));
        }
        ochre_rdb::seal_dump(&mut payload, Version::V11);
        payload
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn corrupt_payloads_are_refused_or_harmless(payload in corrupt()) {
        let request = Request {
            key: b"k",
            ttl: b"0",
            payload: &payload,
            replace: false,
            absolute: false,
            access: None,
        };
        // What is taken in spite of it can be read from end to end, and written again.
        if let Ok(entry) = request.decode(&Settings::default()) {
            describe(&entry);
            let again = dump(&entry);
            let request = Request { payload: &again, ..request };
            let decoded = request.decode(&Settings::default()).unwrap();
            prop_assert_eq!(describe(&decoded), describe(&entry));
        } else {
            prop_assert!(true);
        }
    }

    #[test]
    fn any_bytes_are_refused_or_harmless(mut payload in proptest::collection::vec(any::<u8>(), 0..60)) {
        ochre_rdb::seal_dump(&mut payload, Version::V11);
        let request = Request {
            key: b"k",
            ttl: b"0",
            payload: &payload,
            replace: false,
            absolute: false,
            access: None,
        };
        if let Ok(entry) = request.decode(&Settings::default()) {
            describe(&entry);
        }
    }
}
