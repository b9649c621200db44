//! The order of elements by their weights: numbers or bytes, their own or other keys'.

use std::cmp::Ordering;

use ochre_store::ReadView;
use ochre_structures::number;

use super::elements::Elements;
use super::options::{By, Options, Order};
use crate::error::Error;

/// The error of a weight that is no number, where numbers are compared.
pub const NO_NUMBER: Error = Error::text("ERR One or more scores can't be converted into double");

/// The indices of the elements in the order that the options ask for.
///
/// # Errors
/// A weight that is no number, where numbers are compared.
pub fn order(
    view: &ReadView<'_>,
    elements: &Elements,
    options: &Options<'_>,
) -> Result<Vec<u32>, Error> {
    match (&options.by, options.alpha) {
        (By::Key(_), true) => Ok(by_values(view, elements, options)),
        (_, true) => Ok(by_bytes(elements, options)),
        (_, false) => by_numbers(view, elements, options),
    }
}

/// Orders by the bytes of the elements.
pub fn by_bytes(elements: &Elements, options: &Options<'_>) -> Vec<u32> {
    let compared = compared(options);
    ordered(elements, options.order, |a, b| {
        compared(elements.get(a)).cmp(compared(elements.get(b)))
    })
}

/// What ALPHA compares of a string: all of it for a result that is stored. For an answer
/// Redis asks C's `strcoll`, to which a NUL is the end.
fn compared(options: &Options<'_>) -> fn(&[u8]) -> &[u8] {
    match options.store {
        Some(_) => |bytes| bytes,
        None => until_nul,
    }
}

/// The bytes as C sees them.
pub fn until_nul(bytes: &[u8]) -> &[u8] {
    &bytes[..memchr::memchr(0, bytes).unwrap_or(bytes.len())]
}

/// Orders by the bytes of other keys; what is not there comes first.
fn by_values(view: &ReadView<'_>, elements: &Elements, options: &Options<'_>) -> Vec<u32> {
    let mut values = Elements::default();
    let mut is_there = Vec::with_capacity(elements.len());
    let mut key = Vec::new();
    for index in 0..elements.len() as u32 {
        let found = match &options.by {
            By::Key(pattern) => pattern.with_value(view, elements.get(index), &mut key, |value| {
                values.push(value);
            }),
            By::Element | By::Nothing => None,
        };
        if found.is_none() {
            values.push(b"");
        }
        is_there.push(found.is_some());
    }
    let compared = compared(options);
    ordered(elements, options.order, |a, b| {
        let present = |index: u32| is_there[index as usize];
        present(a)
            .cmp(&present(b))
            .then_with(|| compared(values.get(a)).cmp(compared(values.get(b))))
    })
}

/// Orders by numbers, equal ones by the bytes of the elements; what is not there weighs
/// nothing.
fn by_numbers(
    view: &ReadView<'_>,
    elements: &Elements,
    options: &Options<'_>,
) -> Result<Vec<u32>, Error> {
    let mut numbers = Vec::with_capacity(elements.len());
    let mut key = Vec::new();
    let mut all_numbers = true;
    for index in 0..elements.len() as u32 {
        let element = elements.get(index);
        let number = match &options.by {
            By::Key(pattern) => pattern.with_value(view, element, &mut key, weight),
            By::Element | By::Nothing => Some(weight(element)),
        };
        let number = number.unwrap_or(Some(0.0));
        all_numbers &= number.is_some();
        numbers.push(number.unwrap_or(0.0));
    }
    if !all_numbers {
        return Err(NO_NUMBER);
    }
    Ok(ordered(elements, options.order, |a, b| {
        numbers[a as usize]
            .partial_cmp(&numbers[b as usize])
            .unwrap_or(Ordering::Equal)
            .then_with(|| elements.get(a).cmp(elements.get(b)))
    }))
}

/// Sorts the indices of the elements. Equals keep their order, in either direction.
fn ordered(
    elements: &Elements,
    direction: Order,
    compare: impl Fn(u32, u32) -> Ordering,
) -> Vec<u32> {
    let mut order: Vec<u32> = (0..elements.len() as u32).collect();
    match direction {
        Order::Ascending => order.sort_by(|&a, &b| compare(a, b)),
        Order::Descending => order.sort_by(|&a, &b| compare(b, a)),
    }
    order
}

/// A weight as Redis reads it with C's `strtod`: white space before it is skipped, a NUL
/// ends it, nothing at all is 0.
pub fn weight(text: &[u8]) -> Option<f64> {
    let text = until_nul(text);
    if text.is_empty() {
        return Some(0.0);
    }
    let blank = text
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r'))
        .count();
    number::parse_f64(&text[blank..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nul_ends_what_an_answer_is_ordered_by_but_not_what_is_stored() {
        let mut elements = Elements::default();
        for element in [&b"b"[..], b"a\0b", b"a\0a", b"a", b""] {
            elements.push(element);
        }
        let mut options = Options::default();
        options.alpha = true;
        assert_eq!(by_bytes(&elements, &options), [4, 1, 2, 3, 0]);
        options.order = Order::Descending;
        assert_eq!(by_bytes(&elements, &options), [0, 1, 2, 3, 4]);
        options.store = Some(b"destination");
        assert_eq!(by_bytes(&elements, &options), [0, 1, 2, 3, 4]);
        options.order = Order::Ascending;
        assert_eq!(by_bytes(&elements, &options), [4, 3, 2, 1, 0]);
    }

    #[test]
    fn weights_are_what_strtod_reads() {
        assert_eq!(weight(b"1.5"), Some(1.5));
        assert_eq!(weight(b" \t-2"), Some(-2.0));
        assert_eq!(weight(b""), Some(0.0));
        assert_eq!(weight(b"3\0x"), Some(3.0));
        assert_eq!(weight(b"inf"), Some(f64::INFINITY));
        for wrong in [&b"1x"[..], b"nan", b" ", b"1 ", b"abc", b"1e400"] {
            assert_eq!(weight(wrong), None);
        }
    }
}
