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

use std::sync::Arc;

use ochre_resp::{Reply, Source};
use ochre_store::walk::Walk;
use ochre_store::{Entry, Store};

use super::filter::Filter;
use crate::commands::found::Found;

/// Keys looked at in one slice: about 0.2 ms when every one is a cache miss.
const SLICE_KEYS: usize = 1000;
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
                    found.add(|out| out.bulk(entry.key()));
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
    out.array(found.count());
}
