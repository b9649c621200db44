//! RESTORE of untrusted payloads, and the load of untrusted files into a store: an error
//! or entries that can be written again, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ochre_rdb::{ChecksumPolicy, Compression, DumpPayload, Encoder, Validation, Version};
use ochre_server::persistence::image::{self, ValueImage};
use ochre_server::persistence::load::{ExpiredKeys, LoadOptions, LoadProgress, LoadSink, ThreadBegin, load};
use ochre_server::persistence::restore;
use ochre_store::load::Existing;
use ochre_store::{Settings, Store};

struct Deaf;

impl LoadSink for Deaf {
    fn function(&mut self, _code: &[u8]) -> Result<(), String> {
        Ok(())
    }
}

fn again(payload: &[u8], settings: &Settings) -> Option<Vec<u8>> {
    let dump = DumpPayload::open(payload, ChecksumPolicy::Ignore).ok()?;
    let value = dump.decode(Validation::Packed).ok()?;
    let entry = restore::entry(b"k", value, None, settings).ok()?;
    let mut encoder = Encoder::new(Version::V11, Compression::Off);
    Some(image::dump(&ValueImage::of(&entry), &mut encoder))
}

fuzz_target!(|data: &[u8]| {
    let settings = Settings::default();
    if let Some(payload) = again(data, &settings) {
        assert!(again(&payload, &settings).is_some(), "what is written can be read");
    }
    // A store costs a thread, and nothing else gets into it.
    if !data.starts_with(b"REDIS") {
        return;
    }
    let Ok((store, _)) = Store::start(4, 16) else {
        return;
    };
    let options = LoadOptions {
        threads: 1,
        begin: ThreadBegin::default(),
        expired: ExpiredKeys::Keep,
        existing: Existing::Replace,
        checksum: ChecksumPolicy::Ignore,
        validation: Validation::Packed,
        delay_us: 0,
        settings,
        now_ms: 0,
    };
    let _ = load(&store, data, &options, &mut Deaf, &LoadProgress::default());
});
