//! Drawing elements of a collection at random: SRANDMEMBER, HRANDFIELD, SPOP.

use ochre_resp::{Reply, Source};
use ochre_structures::member_set::MemberSet;

use super::args::Args;
use crate::error::Error;

/// Draws beyond this many are answered in slices.
pub const MANY_DRAWS: usize = 1000;

/// What a count asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Draw {
    /// As many different elements, or all where there are fewer.
    Distinct(usize),
    /// As many draws, each from all elements.
    Repeated(usize),
}

impl Draw {
    /// The next argument as a count; a negative one asks for repeated draws.
    ///
    /// # Errors
    /// No integer, or the one whose magnitude is out of range.
    pub fn parse(args: &mut Args<'_>) -> Result<Self, Error> {
        let count = args.integer()?;
        if count == i64::MIN {
            return Err(Error::text(
                "ERR value is out of range, value must between \
                 -9223372036854775807 and 9223372036854775807",
            ));
        }
        let magnitude = count.unsigned_abs() as usize;
        Ok(if count < 0 {
            Self::Repeated(magnitude)
        } else {
            Self::Distinct(magnitude)
        })
    }
}

/// Chooses `wanted` of `total` elements that are shown one by one, each subset being
/// equally likely.
#[derive(Debug)]
pub struct Selection {
    wanted: usize,
    left: usize,
}

impl Selection {
    pub fn new(wanted: usize, total: usize) -> Self {
        Self {
            wanted: wanted.min(total),
            left: total,
        }
    }

    /// Whether the next element is chosen.
    pub fn chooses(&mut self, random: u64) -> bool {
        let chosen = self.left > 0 && random % (self.left as u64) < self.wanted as u64;
        self.left = self.left.saturating_sub(1);
        self.wanted -= usize::from(chosen);
        chosen
    }
}

/// Draws in the making are worked at so many elements at a time: each is a cache miss or
/// two.
pub const DRAWN_PER_SLICE: usize = 512;

/// Whether `wanted` of `total` are so few that drawing until all differ is quicker than
/// looking at every element once.
pub fn are_few(wanted: usize, total: usize) -> bool {
    total > 128 && wanted.saturating_mul(4) < total
}

/// Elements drawn so far, to tell repetitions.
#[derive(Debug, Default)]
pub struct Drawn(MemberSet);

impl Drawn {
    /// Whether the element was not drawn before; it counts as drawn now.
    pub fn is_new(&mut self, element: ochre_structures::listpack::Element<'_>) -> bool {
        self.0.insert(element)
    }

    /// Forgets what was drawn, a part at a time; says whether anything is left.
    pub fn forget_some(&mut self) -> bool {
        self.0.drop_some()
    }

    /// How many different elements were drawn.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

/// A collection that elements are drawn from.
pub trait Urn: Send {
    /// Draws an element and writes it if it was not drawn before; says whether it was not.
    /// `None` where there is nothing to draw.
    fn draw_new(&self, dice: &mut Dice, drawn: &mut Drawn, out: &mut Reply) -> Option<bool>;
}

/// Different elements drawn at random, few of all there are: drawn until so many differ.
pub struct FewDistinct<U> {
    urn: U,
    left: usize,
    drawn: Drawn,
    dice: Dice,
}

impl<U> FewDistinct<U> {
    /// `wanted` elements, fewer than there are in `urn`.
    pub fn new(urn: U, wanted: usize, dice: Dice) -> Self {
        Self {
            urn,
            left: wanted,
            drawn: Drawn::default(),
            dice,
        }
    }
}

impl<U: Urn> Source for FewDistinct<U> {
    fn draw(&mut self, out: &mut Reply, budget_bytes: usize) -> bool {
        if self.left == 0 {
            return self.drawn.forget_some();
        }
        let end = out.len().saturating_add(budget_bytes);
        for _ in 0..DRAWN_PER_SLICE {
            if self.left == 0 || out.len() >= end {
                break;
            }
            match self.urn.draw_new(&mut self.dice, &mut self.drawn, out) {
                Some(is_new) => self.left -= usize::from(is_new),
                None => return false,
            }
        }
        true
    }
}

/// Random numbers of a reply that is made in slices (xorshift64*).
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn seeded(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_has_the_size_asked_for_and_favours_nobody() {
        let mut dice = Dice::seeded(5);
        let mut chosen = [0_u32; 10];
        for _ in 0..3000 {
            let mut selection = Selection::new(3, 10);
            let mut count = 0;
            for times in &mut chosen {
                let takes = selection.chooses(dice.roll());
                *times += u32::from(takes);
                count += u32::from(takes);
            }
            assert_eq!(count, 3);
        }
        assert!(
            chosen.iter().all(|times| (750..1050).contains(times)),
            "{chosen:?}"
        );
        let mut all = Selection::new(7, 4);
        assert!((0..4).all(|_| all.chooses(dice.roll())) && !all.chooses(0));
    }

    #[test]
    fn counts() {
        let parse = |word: &[u8]| Draw::parse(&mut Args::new(&[word], 0, &[]));
        assert_eq!(parse(b"3"), Ok(Draw::Distinct(3)));
        assert_eq!(parse(b"-3"), Ok(Draw::Repeated(3)));
        assert_eq!(parse(b"x"), Err(Error::NotInteger));
        assert!(matches!(
            parse(i64::MIN.to_string().as_bytes()),
            Err(Error::Text(_))
        ));
    }
}
