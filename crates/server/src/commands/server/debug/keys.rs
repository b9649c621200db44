//! The subcommands that look at keys, or make them.

use ochre_resp::Reply;
use ochre_store::{Expiry, Object};
use ochre_structures::number;

use super::digest::{self, Digest};
use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::commands::string::value;
use crate::error::Error;
use crate::persistence::image::{self, ValueImage};

/// The most bytes of a value that POPULATE makes.
const POPULATE_BYTES_MAX: i64 = 512 << 20;

pub fn digest_all(
    whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    _args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    // All at once: a digest of two moments would be of no data set.
    whole.view.make_exclusive();
    let mut databases: Vec<Vec<Digest>> = Vec::new();
    for index in 0..whole.view.stripes() {
        whole.view.with_stripe(index, |stripe| {
            for (db, database) in stripe.databases() {
                let db = usize::from(db);
                databases.resize_with(databases.len().max(db + 1), Vec::new);
                for entry in database.table().iter() {
                    let mut key = Digest::default();
                    key.mix(entry.key());
                    digest::add_entry(&mut key, entry)?;
                    databases[db].push(key);
                }
            }
            Ok::<(), Error>(())
        })?;
    }
    let mut all = Digest::default();
    for (db, keys) in (0_u32..)
        .zip(&databases)
        .filter(|(_, keys)| !keys.is_empty())
    {
        all.mix(&db.to_be_bytes());
        for key in keys {
            all.add_key(key);
        }
    }
    out.status(&all.hex());
    Ok(Flow::Done)
}

pub fn digest_values(
    whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    out.array(args.len());
    for key in args.rest() {
        let mut value = Digest::default();
        with_entry(whole, key, |entry| digest::add_entry(&mut value, entry)).transpose()?;
        out.status(&value.hex());
    }
    Ok(Flow::Done)
}

/// Runs `look` on the entry of `key`, if there is one.
pub(super) fn with_entry<R>(
    whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    key: &[u8],
    look: impl FnOnce(&ochre_store::Entry) -> R,
) -> Option<R> {
    let (index, db) = (whole.call.server.store.stripe_of(key), whole.view.db());
    whole
        .view
        .write_stripe(index, db, |view| view.read().peek(key).map(look))
}

pub fn object(
    whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    let key = args.next()?;
    let now_ms = whole.call.local.now_ms;
    let settings = &whole.call.live.settings;
    let policy = settings.access_policy;
    let line = with_entry(whole, key, |entry| {
        format!(
            "Value at:{:p} refcount:1 encoding:{} serializedlength:{} lru:{} lru_seconds_idle:{}{}",
            entry.key(),
            ochre_store::encoding_name(entry),
            serialized_len(entry, settings),
            entry.access(),
            policy.idle_seconds(entry.access(), now_ms),
            list_figures(entry),
        )
    });
    match line {
        Some(line) => out.status(&line),
        None => return Err(Error::NoSuchKey),
    }
    Ok(Flow::Done)
}

/// What DEBUG OBJECT says of a large list in particular; nothing of anything else.
/// Nodes are never compressed.
fn list_figures(entry: &ochre_store::Entry) -> String {
    let Some(Object::List(list)) = entry.object() else {
        return String::new();
    };
    let nodes = list.node_count();
    format!(
        " ql_nodes:{nodes} ql_avg_node:{:.2} ql_listpack_max:{} ql_compressed:0 \
         ql_uncompressed_size:{}",
        list.len() as f64 / nodes.max(1) as f64,
        list.limit().to_config(),
        list.content_bytes(),
    )
}

/// How many bytes the value takes in an RDB.
fn serialized_len(entry: &ochre_store::Entry, settings: &ochre_store::Settings) -> u64 {
    image::with_dump_encoder(settings, |encoder| {
        image::encoded_len(&ValueImage::of(entry), encoder)
    })
}

pub fn table_stats(
    whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    let databases = whole.call.server.store.databases();
    let db = number::parse_i64(args.next()?).ok_or(Error::NotInteger)?;
    let db = u16::try_from(db)
        .ok()
        .filter(|db| usize::from(*db) < databases)
        .ok_or(Error::text("ERR Out of range database"))?;
    let stripes = whole.view.stripes();
    let (mut keys, mut expiring, mut bytes, mut used, mut largest) = (0, 0, 0, 0, 0);
    for index in 0..stripes {
        whole.view.with_stripe(index, |stripe| {
            if let Some(database) = stripe.database(db) {
                keys += database.len();
                expiring += database.expiring();
                bytes += database.table().memory_bytes();
                used += usize::from(!database.is_empty());
                largest = largest.max(database.len());
            }
        });
    }
    let text = format!(
        "[Dictionary HT]\nTable stats (main):\n stripes: {stripes}\n stripes in use: {used}\n \
         number of elements: {keys}\n largest stripe: {largest}\n table bytes: {bytes}\n\
         [Expires HT]\n number of elements: {expiring}\n"
    );
    out.verbatim("txt", text.as_bytes());
    Ok(Flow::Done)
}

pub fn populate(
    whole: &mut KeyspaceCall<'_, '_, '_, '_>,
    args: &mut Args<'_>,
    out: &mut Reply,
) -> Outcome {
    let count = args.integer_in(0..=i64::MAX)?;
    let prefix = if args.is_empty() {
        &b"key"[..]
    } else {
        args.next()?
    };
    let size = if args.is_empty() {
        0
    } else {
        args.integer_in(0..=POPULATE_BYTES_MAX)? as usize
    };
    let db = whole.view.db();
    let mut key = Vec::new();
    let mut text = Vec::new();
    for index in 0..count {
        key.clear();
        key.extend_from_slice(prefix);
        key.push(b':');
        key.extend_from_slice(itoa::Buffer::new().format(index).as_bytes());
        text.clear();
        text.extend_from_slice(b"value:");
        text.extend_from_slice(itoa::Buffer::new().format(index).as_bytes());
        if size > 0 {
            // Cut or filled up with zero bytes.
            text.resize(size, 0);
        }
        let stripe = whole.call.server.store.stripe_of(&key);
        whole.view.write_stripe(stripe, db, |view| {
            if !view.contains(&key) {
                view.set(&key, value::payload(&text), Expiry::Clear);
                view.mark_changed(&key);
            }
        });
    }
    out.ok();
    Ok(Flow::Done)
}
