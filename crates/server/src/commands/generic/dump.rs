//! DUMP: a value in the form in which RDB files hold it, for RESTORE.
//!
//! A large value is frozen under the lock and encoded when the reply is drawn, so that
//! nobody waits for its key meanwhile.

use ochre_resp::{Reply, Source};
use ochre_store::{ReadView, Settings};

use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::persistence::image::{self, FrozenEntry, KeptAccess, ValueImage};

pub const DUMP: Command = Command {
    summary: "Returns a serialized representation of the value stored at a key.",
    since: "2.6.0",
    complexity: "O(1) to access the key and O(N*M) to serialize it, where N is the number of \
                 items of the value and M their average size.",
    keys: &[KeySpec::one(1, RO_ACCESS)],
    args: &[key("key")],
    tips: &["nondeterministic_output"],
    ..command("dump", Group::Generic, 2, Run::Read(dump))
};

fn dump(view: &ReadView<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let Some(entry) = view.find(args.next()?) else {
        out.null();
        return Ok(Flow::Done);
    };
    if image::is_small(entry) {
        let value = ValueImage::of(entry);
        let payload =
            image::with_dump_encoder(view.settings(), |encoder| image::dump(&value, encoder));
        out.bulk(&payload);
    } else {
        out.source(Box::new(Payload {
            frozen: Some(FrozenEntry::new(entry, KeptAccess::Nothing)),
            settings: view.settings().clone(),
        }));
    }
    Ok(Flow::Done)
}

/// The dump of a frozen value, made when it is asked for.
struct Payload {
    frozen: Option<FrozenEntry>,
    settings: Settings,
}

impl Source for Payload {
    fn draw(&mut self, out: &mut Reply, _budget_bytes: usize) -> bool {
        if let Some(frozen) = self.frozen.take() {
            let payload = image::with_dump_encoder(&self.settings, |encoder| {
                image::dump(&frozen.value(), encoder)
            });
            out.bulk(&payload);
        }
        false
    }
}
