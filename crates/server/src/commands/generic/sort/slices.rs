//! SORT of many elements by themselves, outside locks: the collection as it was is copied
//! and weighed in slices, each of which is sorted; what is answered is merged from them
//! as it is sent ([`crate::commands::merging`]).
//!
//! ```text
//!   gathering   a slice: some hundred elements copied, weighed, sorted; nothing written
//!      |
//!   writing     the header, or the error of an element that is no number; then elements,
//!               as the connection drains
//! ```
//!
//! Not for patterns that ask other keys: those must be locked while they are looked at.

use std::cmp::Ordering;
use std::ops::Range;

use ochre_resp::{Reply, Source};

use super::elements::{Collection, Elements, FrozenCollection};
use super::options::{By, Options};
use super::pattern::Pattern;
use super::{unsorted_range, weights};
use crate::commands::element::LONG_REPLY;
use crate::commands::merging::Runs;

/// Elements copied, weighed and sorted in a slice: about 0.2 ms.
const SLICE_ELEMENTS: usize = 1024;

/// The most elements merged in a slice, written or passed over.
const SLICE_MERGED: usize = 512;

/// What orders the elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Number,
    Bytes,
    /// Their order in the collection.
    Place,
}

/// What is written for each element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Element,
    Null,
}

/// An element, and what it weighs.
struct Weighed {
    number: f64,
    /// Which of the copied slices it is in, and where.
    slice: u32,
    index: u32,
}

/// The elements that have been copied, and how they are ordered.
struct Copied {
    slices: Vec<Elements>,
    key: Key,
    is_descending: bool,
}

impl Copied {
    fn element(&self, weighed: &Weighed) -> &[u8] {
        self.slices[weighed.slice as usize].get(weighed.index)
    }

    fn compare(&self, a: &Weighed, b: &Weighed) -> Ordering {
        let (a, b) = if self.is_descending { (b, a) } else { (a, b) };
        match self.key {
            Key::Number => a
                .number
                .partial_cmp(&b.number)
                .unwrap_or(Ordering::Equal)
                .then_with(|| self.element(a).cmp(self.element(b))),
            Key::Bytes => {
                weights::until_nul(self.element(a)).cmp(weights::until_nul(self.element(b)))
            }
            Key::Place => (a.slice, a.index).cmp(&(b.slice, b.index)),
        }
    }
}

/// A SORT under way.
struct Sorting {
    left: FrozenCollection,
    copied: Copied,
    runs: Runs<Weighed>,
    /// Which of the sorted elements are sent.
    range: Range<usize>,
    columns: Vec<Column>,
    is_gathering: bool,
}

impl Sorting {
    /// Copies and weighs a slice of elements.
    ///
    /// # Errors
    /// One that is no number, where numbers are compared.
    fn gather(&mut self) -> Result<(), crate::error::Error> {
        let elements = self.left.copy_some(SLICE_ELEMENTS);
        let slice = self.copied.slices.len() as u32;
        self.copied.slices.push(elements);
        let copied = &self.copied;
        let elements = &copied.slices[slice as usize];
        let compare = |a: &Weighed, b: &Weighed| copied.compare(a, b);
        for index in 0..elements.len() as u32 {
            let number = match copied.key {
                Key::Number => weights::weight(elements.get(index)).ok_or(weights::NO_NUMBER)?,
                Key::Bytes | Key::Place => 0.0,
            };
            let weighed = Weighed {
                number,
                slice,
                index,
            };
            self.runs.push(weighed, &compare);
        }
        Ok(())
    }

    fn next(&mut self) -> Option<&[u8]> {
        let copied = &self.copied;
        let next = self
            .runs
            .pop(&|a: &Weighed, b: &Weighed| copied.compare(a, b))?;
        Some(copied.element(&next))
    }
}

impl Source for Sorting {
    fn draw(&mut self, out: &mut Reply, budget_bytes: usize) -> bool {
        if self.is_gathering {
            if let Err(error) = self.gather() {
                out.error_bytes(&error.line());
                return false;
            }
            if self.left.is_empty() {
                self.is_gathering = false;
                out.array(self.range.len() * self.columns.len());
            }
            return true;
        }
        let full = out.len().saturating_add(budget_bytes);
        for _ in 0..SLICE_MERGED {
            if self.range.end == 0 || out.len() >= full {
                break;
            }
            let is_sent = self.range.start == 0;
            self.range.start = self.range.start.saturating_sub(1);
            self.range.end -= 1;
            let columns = std::mem::take(&mut self.columns);
            if let Some(element) = self.next()
                && is_sent
            {
                for column in &columns {
                    match column {
                        Column::Element => out.bulk(element),
                        Column::Null => out.null(),
                    }
                }
            }
            self.columns = columns;
        }
        self.range.end > 0
    }
}

/// Answers in slices, where that is due and can be done; says whether it is.
pub fn write(collection: &Collection<'_>, options: &Options<'_>, out: &mut Reply) -> bool {
    let (gathered, range, is_descending) = if options.is_unsorted() {
        let (gathered, backwards) = unsorted_range(collection, options);
        let sent = 0..gathered.len();
        (gathered, sent, backwards)
    } else {
        let len = collection.len();
        (0..len, options.range(len), options.order.is_descending())
    };
    if collection.effort(&gathered) <= LONG_REPLY {
        return false;
    }
    let key = match (&options.by, options.alpha) {
        (By::Key(_), _) => return false,
        (By::Nothing, _) => Key::Place,
        (By::Element, true) => Key::Bytes,
        (By::Element, false) => Key::Number,
    };
    let column = |pattern: &Pattern<'_>| match pattern {
        Pattern::Element => Some(Column::Element),
        Pattern::Nothing => Some(Column::Null),
        Pattern::Key { .. } => None,
    };
    let columns: Option<Vec<Column>> = match options.get.is_empty() {
        true => Some(vec![Column::Element]),
        false => options.get.iter().map(column).collect(),
    };
    let Some(columns) = columns else {
        return false;
    };
    let Some(left) = collection.freeze(gathered) else {
        return false;
    };
    let range = if range.is_empty() { 0..0 } else { range };
    out.source(Box::new(Sorting {
        left,
        copied: Copied {
            slices: Vec::new(),
            key,
            is_descending,
        },
        runs: Runs::default(),
        range,
        columns,
        is_gathering: true,
    }));
    true
}
