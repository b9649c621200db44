//! An extendible hash table that never pauses to grow.
