//! Entries: looking up and then inserting, changing or removing, with one search.

use super::Slot;
use super::geometry::{position_of, tag_of};
use super::ownership::Ownership;
use super::probe::{self, Place};
use super::table::ExtendibleTable;

/// What [`entry`](ExtendibleTable::entry) found.
pub enum Entry<'a, S, O> {
    Occupied(OccupiedSlot<'a, S, O>),
    Vacant(VacantSlot<'a, S, O>),
}

/// An element in its table.
pub struct OccupiedSlot<'a, S, O> {
    table: &'a mut ExtendibleTable<S, O>,
    position: u32,
    place: Place,
}

/// The absence of an element.
pub struct VacantSlot<'a, S, O> {
    table: &'a mut ExtendibleTable<S, O>,
    hash: u64,
}

impl<S: Slot, O: Ownership<S>> ExtendibleTable<S, O> {
    /// Looks for the element with this hash for which `equal` holds, and remembers
    /// where it stands.
    #[inline]
    pub fn entry(&mut self, hash: u64, equal: impl FnMut(&S) -> bool) -> Entry<'_, S, O> {
        let position = position_of(hash);
        let segment = self.directory.at(position);
        match probe::find(segment, position, tag_of(hash), equal) {
            Some((place, _)) => Entry::Occupied(OccupiedSlot {
                table: self,
                position,
                place,
            }),
            None => Entry::Vacant(VacantSlot { table: self, hash }),
        }
    }

    /// The element with this hash for which `equal` holds; if there is none, adds the
    /// one that `make` returns.
    #[inline]
    pub fn find_or_insert_with(
        &mut self,
        hash: u64,
        equal: impl FnMut(&S) -> bool,
        make: impl FnOnce() -> S,
    ) -> &mut S {
        match self.entry(hash, equal) {
            Entry::Occupied(occupied) => occupied.into_mut(),
            Entry::Vacant(vacant) => vacant.insert(make()),
        }
    }

    #[inline]
    fn element_mut(&mut self, position: u32, place: Place) -> &mut S {
        let buckets = self.directory.at_mut(position).into_buckets();
        match buckets[place.bucket].get_mut(place.slot) {
            Some(element) => element,
            None => unreachable!("an entry borrows the table, so its element stays"),
        }
    }
}

impl<'a, S: Slot, O: Ownership<S>> OccupiedSlot<'a, S, O> {
    #[inline]
    pub fn get(&self) -> &S {
        let buckets = self.table.directory.at(self.position).buckets();
        match buckets[self.place.bucket].get(self.place.slot) {
            Some(element) => element,
            None => unreachable!("an entry borrows the table, so its element stays"),
        }
    }

    /// The element, for changing it; not its position.
    #[inline]
    pub fn get_mut(&mut self) -> &mut S {
        self.table.element_mut(self.position, self.place)
    }

    /// As [`get_mut`](Self::get_mut), for as long as the table is borrowed.
    #[inline]
    pub fn into_mut(self) -> &'a mut S {
        self.table.element_mut(self.position, self.place)
    }

    /// Puts `element`, which has the same hash, in place of the present one.
    #[inline]
    pub fn replace(&mut self, element: S) -> S {
        std::mem::replace(self.get_mut(), element)
    }

    /// Takes the element out of the table.
    #[inline]
    pub fn remove(self) -> S {
        match self.table.remove_at(self.position, self.place) {
            Some(element) => element,
            None => unreachable!("an entry borrows the table, so its element stays"),
        }
    }
}

impl<'a, S: Slot, O: Ownership<S>> VacantSlot<'a, S, O> {
    /// Adds the element, which has the hash that was looked for.
    #[inline]
    pub fn insert(self, element: S) -> &'a mut S {
        let place = self.table.place(self.hash, element);
        self.table.element_mut(position_of(self.hash), place)
    }
}
