//! The list commands.
//!
//! Every handler works on [`ListRef`](ochre_store::value::list::ListRef) or
//! [`ListMut`](ochre_store::value::list::ListMut) and knows no encodings.

mod block;
mod edit;
mod pop;
mod position;
mod push;
mod read;
mod shift;
mod value;

use super::spec::Command;

pub const COMMANDS: &[&Command] = &[
    &block::BLMOVE,
    &block::BLMPOP,
    &block::BLPOP,
    &block::BRPOP,
    &block::BRPOPLPUSH,
    &read::LINDEX,
    &edit::LINSERT,
    &read::LLEN,
    &shift::LMOVE,
    &pop::LMPOP,
    &pop::LPOP,
    &position::LPOS,
    &push::LPUSH,
    &push::LPUSHX,
    &read::LRANGE,
    &edit::LREM,
    &edit::LSET,
    &edit::LTRIM,
    &pop::RPOP,
    &shift::RPOPLPUSH,
    &push::RPUSH,
    &push::RPUSHX,
];
