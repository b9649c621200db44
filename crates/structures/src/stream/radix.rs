//! What XINFO STREAM tells about the radix tree in which Redis keeps nodes. There is
//! none here; its size follows from the keys.

use super::{Log, StreamId};

/// The length of a key in bytes.
const KEY_BYTES: u32 = 16;

impl Log {
    /// The number of nodes that Redis's radix tree of the same keys has:
    /// `radix-tree-nodes`. O(nodes of the log).
    #[must_use]
    pub fn radix_node_count(&self) -> u64 {
        let mut keys = self.nodes.iter().map(|(id, _)| id);
        let Some(mut previous) = keys.next() else {
            // The root is always there.
            return 1;
        };
        // The depths of the branchings on the way to the last key, from the root on.
        let mut path = Vec::<u32>::new();
        let mut count = 0;
        for key in keys {
            let depth = common_bytes(previous, key);
            count += close(&mut path, depth);
            previous = key;
        }
        count + close_all(&mut path)
    }
}

/// How many bytes two different keys have in common at their start.
fn common_bytes(a: StreamId, b: StreamId) -> u32 {
    let a = u128::from_be_bytes(a.to_bytes());
    let b = u128::from_be_bytes(b.to_bytes());
    ((a ^ b).leading_zeros() / 8).min(KEY_BYTES - 1)
}

/// The bytes between a branching and what comes below it are one node more, if there
/// are any; the branching itself has taken one of them.
fn run(parent: u32, child: u32) -> u64 {
    u64::from(child > parent + 1)
}

/// Ends the last key, of which the next one shares `depth` bytes: counts its leaf, and
/// the branchings that no further key goes through.
fn close(path: &mut Vec<u32>, depth: u32) -> u64 {
    // What hangs below: at first the leaf.
    let mut child = KEY_BYTES;
    let mut count = 1;
    while let Some(&branching) = path.last()
        && branching > depth
    {
        count += run(branching, child) + 1;
        child = branching;
        path.pop();
    }
    if path.last() != Some(&depth) {
        path.push(depth);
    }
    count + run(depth, child)
}

/// Ends the last key of all.
fn close_all(path: &mut Vec<u32>) -> u64 {
    let mut child = KEY_BYTES;
    let mut count = 1;
    while let Some(branching) = path.pop() {
        count += run(branching, child) + 1;
        child = branching;
    }
    // The root is the node of the bytes that all keys have in common; without any,
    // it is the first branching itself.
    count + u64::from(child > 0)
}
