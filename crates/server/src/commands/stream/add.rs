//! Adding entries: XADD.

use ochre_resp::Reply;
use ochre_store::{EventClass, Expiry, WriteView, recorded};
use ochre_structures::stream::{AppendError, NewId, Stream, StreamId};

use super::trim::{self, Options, Reached};
use super::value::{self, IdText};
use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;

pub const XADD: Command = Command {
    summary: "Appends a new message to a stream. Creates the key if it doesn't exist.",
    since: "5.0.0",
    complexity: "O(1) when adding a new entry, O(N) when trimming where N being the number of entries evicted.",
    flags: Flags::DENYOOM.or(Flags::FAST),
    keys: &[KeySpec::one(1, RW_UPDATE)
        .noted("UPDATE instead of INSERT because of the optional trimming feature")],
    args: &[
        key("key"),
        token("nomkstream", "NOMKSTREAM").opt().since("6.2.0"),
        trim::TRIM.opt(),
        one_of("id-selector", &[token("auto-id", "*"), string("id")]),
        block("data", &[string("field"), string("value")]).many(),
    ],
    history: &[
        (
            "6.2.0",
            "Added the `NOMKSTREAM` option, `MINID` trimming strategy and the `LIMIT` option.",
        ),
        ("7.0.0", "Added support for the `<ms>-*` explicit ID form."),
    ],
    tips: &["nondeterministic_output"],
    ..command("xadd", Group::Stream, -5, Run::Write(xadd))
};

fn xadd(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let argv = args.all();
    let key = argv[1];
    let options = Options::of_add(view, argv)?;
    let fields = argv.get(options.id_at + 1..).unwrap_or_default();
    if fields.is_empty() || fields.len() % 2 == 1 {
        return Err(Error::Arity("xadd".into()));
    }
    if options.id == NewId::Exact(StreamId::MIN) {
        return Err(refusal(AppendError::Zero));
    }
    let (limits, now_ms) = (value::node_limits(view.settings()), view.now_ms());
    let pairs = fields.chunks_exact(2).map(|pair| (pair[0], pair[1]));
    let mut gone = Vec::new();
    let add = |stream: &mut Stream| -> Result<Added, Error> {
        let id = stream
            .append(options.id, now_ms.max(0) as u64, pairs, limits)
            .map_err(refusal)?;
        let trimmed = options
            .trimming
            .map_or(0, |trim| trim.apply(stream, &mut gone));
        Ok(Added {
            id,
            trimmed,
            reached: options.trimming.and_then(|trim| trim.reached(stream)),
        })
    };
    let added = match value::stream_mut(view, key)? {
        Some(stream) => add(stream)?,
        None if options.creates => {
            let mut stream = Stream::new();
            let added = add(&mut stream)?;
            view.set(key, value::payload(stream), Expiry::Clear);
            added
        }
        None => {
            out.null();
            return Ok(Flow::Done);
        }
    };
    trim::free(view, gone);
    view.modified(key, EventClass::Stream, "xadd");
    if added.trimmed > 0 {
        view.notify(key, EventClass::Stream, "xtrim");
    }
    let id = IdText::new(added.id);
    out.bulk(id.as_bytes());
    if !matches!(options.id, NewId::Exact(_)) || added.reached.is_some() {
        view.effects.propagate_as(|| {
            let mut command = recorded(argv);
            command[options.id_at] = id.as_bytes().to_vec();
            if let Some(reached) = added.reached {
                reached.rewrite(&mut command);
            }
            vec![command]
        });
    }
    Ok(Flow::Done)
}

/// What XADD did.
struct Added {
    id: StreamId,
    /// How many entries a trim removed.
    trimmed: u64,
    reached: Option<Reached>,
}

#[cold]
fn refusal(error: AppendError) -> Error {
    Error::text(match error {
        AppendError::Zero => "ERR The ID specified in XADD must be greater than 0-0",
        AppendError::Exhausted => {
            "ERR The stream has exhausted the last possible ID, unable to add more items"
        }
        AppendError::NotGreater => {
            "ERR The ID specified in XADD is equal or smaller than the target stream top item"
        }
        AppendError::TooLarge => "ERR Elements are too large to be stored",
    })
}
