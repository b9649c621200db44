//! Looking inside: PFDEBUG, PFSELFTEST.

use ochre_resp::Reply;
use ochre_store::WriteView;
use ochre_structures::hyperloglog::{self, registers, to_dense};

use super::value;
use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::error::Error;
use crate::execute::Call;

pub const PFDEBUG: Command = Command {
    summary: "Shows the registers or the encoding of a HyperLogLog, or makes it dense.",
    since: "2.8.9",
    complexity: "N/A",
    flags: Flags::DENYOOM.or(Flags::ADMIN),
    keys: &[KeySpec::one(2, KeyFlags::RW.or(KeyFlags::ACCESS))],
    args: &[string("subcommand"), key("key")],
    ..command("pfdebug", Group::HyperLogLog, 3, Run::Write(pfdebug))
};

pub const PFSELFTEST: Command = Command {
    summary: "Tests the HyperLogLog implementation.",
    since: "2.8.9",
    complexity: "N/A",
    flags: Flags::ADMIN,
    ..command(
        "pfselftest",
        Group::HyperLogLog,
        1,
        Run::Session(pfselftest),
    )
};

fn pfdebug(view: &mut WriteView<'_, '_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let (subcommand, key) = (args.next()?, args.next()?);
    let is = |name: &str| subcommand.eq_ignore_ascii_case(name.as_bytes());
    let Some(entry) = view.find(key) else {
        return Err(Error::text("ERR The specified key does not exist"));
    };
    let bytes = value::bytes(entry)?;
    if is("GETREG") {
        let registers = registers(&bytes).map_err(value::refusal)?;
        make_dense(view, key)?;
        out.array(hyperloglog::REGISTERS);
        for &register in registers.as_slice() {
            out.integer(register.into());
        }
    } else if is("DECODE") {
        let text = hyperloglog::decode(&bytes).map_err(value::refusal)?;
        out.bulk(text.as_bytes());
    } else if is("ENCODING") {
        let encoding = hyperloglog::validate(&bytes).map_err(value::refusal)?;
        out.status(encoding.name());
    } else if is("TODENSE") {
        let was_sparse = make_dense(view, key)?;
        out.integer(was_sparse.into());
    } else {
        let mut text = b"ERR Unknown PFDEBUG subcommand '".to_vec();
        // Redis quotes it as C does: up to a zero byte.
        text.extend(subcommand.iter().take_while(|&&byte| byte != 0));
        text.push(b'\'');
        return Err(Error::Bytes(text));
    }
    Ok(Flow::Done)
}

/// Makes a HyperLogLog dense, silently, as Redis does; says whether it was not.
fn make_dense(view: &mut WriteView<'_, '_>, key: &[u8]) -> Result<bool, Error> {
    let Some(mut entry) = view.find_mut(key) else {
        return Ok(false);
    };
    let was_sparse = value::change(&mut entry, to_dense)?.map_err(value::refusal)?;
    if was_sparse {
        view.dirty(1);
    }
    Ok(was_sparse)
}

fn pfselftest(call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    hyperloglog::self_test(call.local.random())
        .map_err(|failure| Error::owned(failure.to_string()))?;
    out.ok();
    Ok(Flow::Done)
}
