//! Room made ahead: nothing is lost, and what is inserted into it moves nothing.

use proptest::prelude::*;

use super::super::Table;
use super::{Census, Item};

fn mixed(key: u64) -> u64 {
    key.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
        ^ key.wrapping_mul(0xd6e8_feb8_6659_fd93)
}

fn fill(table: &mut Table<Box<Item>>, keys: std::ops::Range<u64>, census: &Census) {
    for key in keys {
        let hash = mixed(key);
        table.insert(hash, Box::new(Item::new(key, key, hash, census)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_table_with_room_holds_what_it_is_given(
        steps in proptest::collection::vec((0_usize..6_000, 0_u64..3_000), 1..5),
    ) {
        let census = Census::default();
        let mut table = Table::new();
        let (mut end, mut asked) = (0, 0);
        for (room, keys) in steps {
            table.reserve(room);
            // Segments of several are whole pages, which a few elements may fill badly.
            // Room that nobody took is kept.
            asked = asked.max(table.len() + room);
            prop_assert!(table.memory_bytes() <= 16_384 + asked * 40);
            fill(&mut table, end..end + keys, &census);
            end += keys;
            prop_assert_eq!(table.len() as u64, end);
            for key in 0..end {
                let found = table.find(mixed(key), |item| item.key == key);
                prop_assert_eq!(found.map(|item| item.value), Some(key));
            }
            prop_assert_eq!(census.alive() as u64, end);
        }
        prop_assert_eq!(table.iter().count() as u64, end);
        drop(table);
        prop_assert_eq!(census.alive(), 0);
    }
}

#[test]
fn elements_that_have_room_move_hardly_anything() {
    let census = Census::default();
    let mut table = Table::new();
    table.reserve(20_000);
    let before = table.memory_bytes();
    fill(&mut table, 0..20_000, &census);
    assert!(
        table.memory_bytes() <= before + before / 20,
        "few segments had to grow"
    );
}
