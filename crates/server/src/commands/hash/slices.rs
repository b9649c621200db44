//! Replies drawn from large hashes in slices, while others go on changing the hash.

use ochre_resp::{Reply, Source};
use ochre_store::value::hash::{Field, HashRef};
use ochre_structures::field_map::{FieldMap, FieldRef, FrozenFieldMap};
use ochre_structures::listpack::Element;

use crate::commands::element::{self, LONG_REPLY};
use crate::commands::sampling::{self, Dice, Drawn, FewDistinct, Selection, Urn};

/// What of each field is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Names,
    Values,
    Both,
}

/// Writes what is wanted of one field.
#[inline]
pub fn write_field(field: &Field<'_>, part: Part, out: &mut Reply) {
    if part != Part::Values {
        element::write(field.name, out);
    }
    if part != Part::Names {
        element::write(field.value, out);
    }
}

/// The fields of a frozen hash that are live at a moment.
struct Fields {
    frozen: FrozenFieldMap,
    now_ms: u64,
    part: Part,
}

impl Source for Fields {
    fn draw(&mut self, out: &mut Reply, budget_bytes: usize) -> bool {
        let end = out.len().saturating_add(budget_bytes);
        let (now_ms, part) = (self.now_ms, self.part);
        while out.len() < end {
            let taken = self.frozen.take_slice(|field| {
                if field.is_due(now_ms) {
                    return;
                }
                if part != Part::Values {
                    out.bulk(field.field);
                }
                if part != Part::Names {
                    out.bulk(field.value);
                }
            });
            if !taken {
                return false;
            }
        }
        !self.frozen.is_empty()
    }
}

/// Writes all fields of `hash`, whose header is written already.
pub fn write_fields(hash: HashRef<'_>, now_ms: u64, part: Part, out: &mut Reply) {
    match hash.freeze() {
        Some(frozen) if frozen.len() > LONG_REPLY => out.source(Box::new(Fields {
            frozen,
            now_ms,
            part,
        })),
        _ => hash.visit(|field| write_field(&field, part, out)),
    }
}

/// Fields drawn at random, the same ones again and again.
struct Draws {
    map: FieldMap,
    part: Part,
    left: usize,
    dice: Dice,
}

impl Source for Draws {
    fn draw(&mut self, out: &mut Reply, budget_bytes: usize) -> bool {
        let end = out.len().saturating_add(budget_bytes);
        while self.left > 0 && out.len() < end {
            let Some(field) = self.map.random(&mut || self.dice.roll()) else {
                return false;
            };
            write_drawn(field, self.part, out);
            self.left -= 1;
        }
        self.left > 0
    }
}

/// The header of one field with its value, where the protocol has one.
pub fn pair_header(out: &mut Reply) {
    if out.is_resp3() {
        out.array(2);
    }
}

/// Writes `count` fields drawn at random from `map`, where none is past its deadline. The
/// header is written already.
pub fn write_draws(map: FieldMap, part: Part, count: usize, seed: u64, out: &mut Reply) {
    out.source(Box::new(Draws {
        map,
        part,
        left: count,
        dice: Dice::seeded(seed),
    }));
}

/// Writes what is wanted of one field that was drawn.
fn write_drawn(field: FieldRef<'_>, part: Part, out: &mut Reply) {
    if part == Part::Both {
        pair_header(out);
    }
    out.bulk(field.field);
    if part == Part::Both {
        out.bulk(field.value);
    }
}

/// The fields of a map, to be drawn from.
struct FieldUrn {
    map: FieldMap,
    part: Part,
}

impl Urn for FieldUrn {
    fn draw_new(&self, dice: &mut Dice, drawn: &mut Drawn, out: &mut Reply) -> Option<bool> {
        let field = self.map.random(&mut || dice.roll())?;
        let is_new = drawn.is_new(Element::Str(field.field));
        if is_new {
            write_drawn(field, self.part, out);
        }
        Some(is_new)
    }
}

/// Different fields drawn at random, many of all there are: each one is looked at.
struct ManyDistinct {
    left: FrozenFieldMap,
    part: Part,
    selection: Selection,
    dice: Dice,
}

impl Source for ManyDistinct {
    fn draw(&mut self, out: &mut Reply, budget_bytes: usize) -> bool {
        let end = out.len().saturating_add(budget_bytes);
        let (selection, dice) = (&mut self.selection, &mut self.dice);
        while out.len() < end {
            let taken = self.left.take_slice(|field| {
                if selection.chooses(dice.roll()) {
                    write_drawn(field, self.part, out);
                }
            });
            if !taken {
                return false;
            }
        }
        true
    }
}

/// Writes `count` different fields of `map`, where none is past its deadline, drawn at
/// random, all where there are no more. The header is written already.
pub fn write_distinct(map: FieldMap, part: Part, count: usize, seed: u64, out: &mut Reply) {
    let (size, dice) = (map.len(), Dice::seeded(seed));
    out.source(if sampling::are_few(count, size) {
        Box::new(FewDistinct::new(FieldUrn { map, part }, count, dice))
    } else {
        Box::new(ManyDistinct {
            left: map.freeze(),
            part,
            selection: Selection::new(count, size),
            dice,
        })
    });
}
