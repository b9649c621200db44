//! How large a node of a list may become: `list-max-listpack-size` of Redis 7.2.

/// What Redis adds to an element's length to estimate its entry's.
const ENTRY_OVERHEAD_BYTES: usize = 8;

/// The size that nodes limited by their count keep to nevertheless.
const SAFE_BYTES: u32 = 8192;

/// The bounds of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeLimit {
    max_bytes: u32,
    max_entries: u32,
    /// Elements of this many bytes and more get a plain node; 0 for those that are larger
    /// than a node.
    packed_threshold: u32,
}

impl NodeLimit {
    /// The limit that this value of `list-max-listpack-size` stands for: -1 to -5
    /// mean 4 to 64 KB, a positive one that many entries (and 8 KB at most). Values
    /// outside -5 to 32767 count as the nearest one inside, 0 as 1, as in Redis.
    #[must_use]
    pub fn from_config(list_max_listpack_size: i64) -> Self {
        match list_max_listpack_size {
            negative @ ..0 => NodeLimit {
                max_bytes: 2048 << negative.max(-5).unsigned_abs(),
                max_entries: u32::MAX,
                packed_threshold: 0,
            },
            entries => NodeLimit {
                max_bytes: SAFE_BYTES,
                max_entries: entries.clamp(1, 32_767) as u32,
                packed_threshold: 0,
            },
        }
    }

    /// A value of `list-max-listpack-size` that stands for the limit.
    #[must_use]
    pub fn to_config(self) -> i64 {
        match self.max_entries {
            u32::MAX => -i64::from((self.max_bytes / 2048).ilog2()),
            entries => i64::from(entries),
        }
    }

    /// The same limit, but with plain nodes for elements of `bytes` and more, whatever
    /// the size of a node: DEBUG QUICKLIST-PACKED-THRESHOLD. With 0, for those that are
    /// larger than a node.
    #[must_use]
    pub fn with_packed_threshold(self, bytes: u32) -> Self {
        NodeLimit {
            packed_threshold: bytes,
            ..self
        }
    }

    /// From how many bytes on an element gets a plain node; 0 if it must be larger than a
    /// node.
    #[inline]
    #[must_use]
    pub fn packed_threshold(&self) -> u32 {
        self.packed_threshold
    }

    /// The limit a node must keep to for a list to shrink to a single listpack:
    /// half, lest it go to and fro.
    #[must_use]
    pub fn halved(self) -> Self {
        if self.max_entries == u32::MAX {
            NodeLimit {
                max_bytes: self.max_bytes / 2,
                ..self
            }
        } else {
            NodeLimit {
                max_entries: self.max_entries / 2,
                ..self
            }
        }
    }

    /// How much room a new node at an end gets at once, in a list of so many others: an
    /// eighth of theirs, up to a whole node's, so that those of a long list need not grow
    /// step by step. 0 where the count bounds them and their size is not known.
    #[must_use]
    pub fn room_beside(&self, nodes: usize) -> usize {
        match self.max_entries {
            u32::MAX => (self.max_bytes as usize / 8).saturating_mul(nodes.min(8)),
            _ => 0,
        }
    }

    /// Whether a listpack of this size with so many elements is beyond the limit.
    #[inline]
    #[must_use]
    pub fn is_exceeded_by(&self, bytes: usize, entries: usize) -> bool {
        bytes > self.max_bytes as usize || entries > self.max_entries as usize
    }

    /// Whether a listpack of this size with so many elements may take one more of
    /// `element_bytes`.
    #[inline]
    #[must_use]
    pub fn admits(&self, bytes: usize, entries: usize, element_bytes: usize) -> bool {
        !self.is_large(element_bytes)
            && !self.is_exceeded_by(bytes + element_bytes + ENTRY_OVERHEAD_BYTES, entries + 1)
    }

    /// Whether an element of so many bytes gets a node of its own.
    #[inline]
    #[must_use]
    pub fn is_large(&self, element_bytes: usize) -> bool {
        match self.packed_threshold {
            0 => element_bytes > self.max_bytes as usize,
            bytes => element_bytes >= bytes as usize,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::NodeLimit;

    #[test]
    fn the_directive_reads_as_in_redis() {
        for (value, bytes, entries) in [
            (-1, 4096, usize::MAX >> 32),
            (-2, 8192, usize::MAX >> 32),
            (-5, 65_536, usize::MAX >> 32),
            (i64::MIN, 65_536, usize::MAX >> 32),
            (0, 8192, 1),
            (128, 8192, 128),
            (i64::MAX, 8192, 32_767),
        ] {
            let limit = NodeLimit::from_config(value);
            assert_eq!(NodeLimit::from_config(limit.to_config()), limit, "{value}");
            assert!(!limit.is_exceeded_by(bytes, entries), "{value}");
            assert!(limit.is_exceeded_by(bytes + 1, entries), "{value}");
            assert!(limit.is_exceeded_by(bytes, entries + 1), "{value}");
            assert!(!limit.is_large(bytes), "{value}");
            assert!(limit.is_large(bytes + 1), "{value}");
            assert!(limit.admits(bytes - 20, entries - 1, 12), "{value}");
            assert!(!limit.admits(bytes - 20, entries - 1, 13), "{value}");
        }
        let rooms = [0, 1, 8, 9].map(|nodes| NodeLimit::from_config(-2).room_beside(nodes));
        assert_eq!(rooms, [0, 1024, 8192, 8192]);
        assert_eq!(NodeLimit::from_config(8).room_beside(9), 0);
        assert!(NodeLimit::from_config(-2).halved().is_exceeded_by(4097, 1));
        assert!(!NodeLimit::from_config(8).halved().is_exceeded_by(8192, 4));
        assert!(NodeLimit::from_config(8).halved().is_exceeded_by(10, 5));
        let threshold = NodeLimit::from_config(-2).with_packed_threshold(5);
        assert!(threshold.is_large(5) && !threshold.is_large(4));
        let above = NodeLimit::from_config(-2).with_packed_threshold(10_000);
        assert!(above.is_large(10_000) && !above.is_large(9999));
        assert!(!above.admits(7, 0, 9999), "it fits no node that there is");
        assert_eq!(above.with_packed_threshold(0), NodeLimit::from_config(-2));
    }
}
