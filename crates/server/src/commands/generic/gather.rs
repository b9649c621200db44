//! Replies that list keys: gathered stripe by stripe in slices, because their header
//! needs the count, then written in slices.
//!
//! ```text
//!   gathering   a slice: some hundred keys looked at, nothing written; other
//!      |        connections have their turn between slices
//!   writing     header, then the gathered chunks as the connection drains
//! ```
//!
//! No lock is held between slices. A key that is there from the first slice to the last
//! is listed exactly once; what comes or goes meanwhile may be listed or not.

use std::collections::VecDeque;
use std::sync::Arc;

use ochre_resp::{Reply, Source};
use ochre_store::walk::Walk;
use ochre_store::{Entry, Store};

use super::filter::Filter;

/// Keys looked at in one slice: about 0.2 ms when every one is a cache miss.
const SLICE_KEYS: usize = 1000;
/// Gathered keys are kept in chunks of about this many bytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// Keys as they will be sent.
#[derive(Default)]
pub struct Found {
    full: VecDeque<Vec<u8>>,
    last: Reply,
    count: usize,
}

impl Found {
    pub fn push(&mut self, key: &[u8]) {
        self.last.bulk(key);
        self.count += 1;
        if self.last.len() >= CHUNK_BYTES {
            let (chunk, _) = self.last.take(Vec::new());
            self.full.push_back(chunk);
        }
    }

    /// Writes keys not written yet, about as many as the budget allows. Returns whether
    /// some are left.
    fn write(&mut self, out: &mut Reply, budget_bytes: usize) -> bool {
        let end = out.len().saturating_add(budget_bytes);
        while let Some(chunk) = self.full.pop_front() {
            out.raw(&chunk);
            if out.len() >= end {
                return true;
            }
        }
        let (chunk, _) = self.last.take(Vec::new());
        out.raw(&chunk);
        false
    }
}

/// What the list of keys is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// KEYS: the list alone.
    List,
    /// SCAN: a cursor and the list.
    Page,
}

/// A list of keys in the making.
pub struct Gather {
    store: Arc<Store>,
    walk: Walk,
    filter: Filter,
    form: Form,
    /// Keys that are still to be looked at.
    left: usize,
    found: Found,
    is_gathering: bool,
}

impl Gather {
    /// A list of the keys that `filter` admits, from where `walk` stands.
    pub fn new(store: Arc<Store>, walk: Walk, filter: Filter, form: Form) -> Self {
        Self {
            store,
            walk,
            left: filter.count,
            filter,
            form,
            found: Found::default(),
            is_gathering: true,
        }
    }

    /// Looks at a slice of keys; returns whether that was the last.
    fn gather_slice(&mut self) -> bool {
        let (filter, found) = (&self.filter, &mut self.found);
        let mut seen = 0;
        let more = self
            .walk
            .step(&self.store, SLICE_KEYS.min(self.left), |entry: &Entry| {
                seen += 1;
                if filter.admits(entry) {
                    found.push(entry.key());
                }
            });
        self.left = self.left.saturating_sub(seen);
        !more || self.left == 0
    }

    /// Looks at a slice of keys, and writes the reply if it is complete with that; else
    /// leaves it to be drawn.
    pub fn begin(mut self, out: &mut Reply) {
        if self.gather_slice() {
            self.is_gathering = false;
            self.write_header(out);
            self.found.write(out, usize::MAX);
        } else {
            out.source(Box::new(self));
        }
    }

    fn write_header(&self, out: &mut Reply) {
        write_header(self.form, self.walk.cursor(&self.store), &self.found, out);
    }
}

impl Source for Gather {
    fn draw(&mut self, out: &mut Reply, budget_bytes: usize) -> bool {
        if self.is_gathering {
            if !self.gather_slice() {
                return true;
            }
            self.is_gathering = false;
            self.write_header(out);
        }
        self.found.write(out, budget_bytes)
    }
}

/// Writes a list that was gathered at once.
pub fn write(form: Form, cursor: u64, mut found: Found, out: &mut Reply) {
    write_header(form, cursor, &found, out);
    found.write(out, usize::MAX);
}

fn write_header(form: Form, cursor: u64, found: &Found, out: &mut Reply) {
    if form == Form::Page {
        out.array(2);
        out.bulk(itoa::Buffer::new().format(cursor).as_bytes());
    }
    out.array(found.count);
}
