//! The allocator's size classes, as far as packed nodes need them.
//!
//! Not an allocator and not a promise about one: a wrong guess wastes a few bytes of
//! a node, nothing else. Invariant: the result is never smaller than the request.

/// Rounds a request of `bytes` up to the size that jemalloc hands out for it:
/// multiples of 16 up to 128, then four classes per doubling (160, 192, 224, 256,
/// 320 …). A node sized this way leaves no byte of its allocation unused.
pub(crate) fn size_class(bytes: usize) -> usize {
    if bytes <= 128 {
        return bytes.max(16).next_multiple_of(16);
    }
    // The step is an eighth of the power of two at or above the request.
    let step = bytes.checked_next_power_of_two().map_or(1, |top| top / 8);
    bytes.checked_next_multiple_of(step).unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::size_class;

    #[test]
    fn classes_are_those_of_jemalloc() {
        let expected = [
            (0, 16),
            (1, 16),
            (17, 32),
            (128, 128),
            (129, 160),
            (256, 256),
            (257, 320),
            (1025, 1280),
            (2049, 2560),
            (3585, 4096),
            (4096, 4096),
            (4097, 5120),
        ];
        for (request, class) in expected {
            assert_eq!(size_class(request), class, "request of {request}");
        }
        assert_eq!(size_class(usize::MAX), usize::MAX);
    }
}
