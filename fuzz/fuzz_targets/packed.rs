//! Listpacks and intsets of untrusted bytes: what passes validation can be read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ochre_structures::intset::{self, Intset};
use ochre_structures::listpack::{self, Listpack, Shape};

fuzz_target!(|data: &[u8]| {
    for shape in [Shape::Elements, Shape::Members, Shape::Pairs] {
        if let Ok(count) = listpack::validate(data, shape) {
            assert_eq!(Listpack(data).iter().count(), count);
            assert_eq!(Listpack(data).iter().rev().count(), count);
        }
    }
    if intset::validate(data).is_ok() {
        let set = Intset::new(data);
        assert_eq!(set.iter().count(), set.len());
    }
});
