//! Streams against Redis's own answers and bytes, and against simple models.

mod model;
mod sharing;
mod validation;
mod vectors;

use super::*;

/// Names and values, as `append` takes them.
fn pairs<'a>(
    fields: &'a [(&'a str, &'a str)],
) -> impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])> + Clone {
    fields
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
}

fn append(stream: &mut Stream, id: StreamId, fields: &[(&str, &str)]) -> StreamId {
    stream
        .append(NewId::Exact(id), 0, pairs(fields), NodeLimits::default())
        .expect("a greater ID")
}

/// Puts a stream together again from its parts, as a file would.
fn rebuild(stream: &Stream) -> Result<Stream, BuildError> {
    let mut builder = Builder::new();
    for (master, bytes) in stream.nodes() {
        builder.push_node(master, bytes.to_vec())?;
    }
    builder.set_figures(Figures {
        length: stream.len(),
        last_id: stream.last_id(),
        max_deleted_id: stream.max_deleted_id(),
        entries_added: Some(stream.entries_added()),
    })?;
    for (name, group) in stream.groups() {
        let read = EntriesRead::from_file(group.entries_read().unwrap_or(u64::MAX));
        builder.begin_group(name, group.last_id(), read)?;
        for pending in group.pending() {
            let (time, count) = (pending.delivery_time_ms, pending.delivery_count);
            builder.push_pending(pending.id, time, count)?;
        }
        for consumer in group.consumers() {
            let (seen, active) = (consumer.seen_time_ms(), consumer.active_time_ms());
            let number = builder.push_consumer(consumer.name(), seen, active)?;
            for id in consumer.pending_ids() {
                builder.push_consumer_pending(number, id)?;
            }
        }
    }
    builder.finish()
}

/// Everything that can be seen of a stream.
fn describe(stream: &Stream) -> String {
    use std::fmt::Write;
    let mut text = format!(
        "{} {} {} {} {}\n",
        stream.len(),
        stream.first_id(),
        stream.last_id(),
        stream.max_deleted_id(),
        stream.entries_added(),
    );
    for node in stream.nodes() {
        writeln!(text, "{node:?}").expect("a string");
    }
    for (name, group) in stream.groups() {
        let read = (group.last_id(), group.entries_read());
        writeln!(text, "{name:?} {read:?}").expect("a string");
        for pending in group.pending() {
            writeln!(text, "{pending:?}").expect("a string");
        }
        for consumer in group.consumers() {
            let times = (consumer.seen_time_ms(), consumer.active_time_ms());
            let ids = consumer.pending_ids().collect::<Vec<_>>();
            assert_eq!(ids.len(), consumer.pending_len());
            writeln!(text, "{:?} {times:?} {ids:?}", consumer.name()).expect("a string");
        }
    }
    text
}
