//! Times to live: every way to set, read and remove one, and passing it.

use super::super::{Bundles, Generator};
use super::Family;
use crate::differential::{Command, Step, parse_words};

pub(super) const FAMILY: Family = Family {
    common_percent: 25,
    bundles: Some(Bundles {
        percent: 2,
        make: pass_a_deadline,
    }),
    ..super::of(
        "expiry",
        &[
            "8 EXPIRE anykey seconds [NX|XX|GT|LT]",
            "6 PEXPIRE anykey millis [NX|XX|GT|LT]",
            "6 EXPIREAT anykey unixtime [NX|XX|GT|LT]",
            "6 PEXPIREAT anykey unixmillis [NX|XX|GT|LT]",
            "2 EXPIRE anykey seconds {[NX] [XX] [GT] [LT]}",
            "5 TTL anykey",
            "5 PTTL anykey",
            "4 EXPIRETIME anykey",
            "4 PEXPIRETIME anykey",
            "5 PERSIST anykey",
            "4 SET skey value {[NX|XX] [GET] [EX seconds|PX millis|EXAT unixtime|PXAT unixmillis|KEEPTTL]}",
            "3 GETEX skey [EX seconds|PX millis|EXAT unixtime|PXAT unixmillis|PERSIST]",
            "2 SETEX skey seconds value",
            "2 PSETEX skey millis value",
            "2 APPEND skey value",
            "2 INCR skey",
            "2 RENAME anykey anykey",
            "2 COPY anykey anykey [REPLACE]",
            "2 GETSET skey value",
            "2 MSET (skey value)+",
            "2 SETBIT skey offset bit",
            "2 RESTORE newkey millis value [REPLACE|ABSTTL]",
            "2 EXISTS anykey+",
        ],
    )
};

/// Sets a short deadline, lets it pass, and looks at the key through some command. The
/// first look makes both servers notice, so that they agree from then on.
fn pass_a_deadline(generator: &mut Generator) -> Vec<Step> {
    let key = format!("short{}", generator.rng.below(3));
    let line =
        |text: &str| -> Command { parse_words(&text.replace("KEY", &key)).unwrap_or_default() };
    let create = *generator.rng.pick(&[
        "SET KEY 1",
        "RPUSH KEY a b",
        "SADD KEY a",
        "HSET KEY f 1",
        "ZADD KEY 1 a",
    ]);
    let expire = *generator
        .rng
        .pick(&["PEXPIRE KEY 4", "PEXPIRE KEY 1", "PEXPIRE KEY 9 NX"]);
    let look = *generator.rng.pick(&[
        "GET KEY",
        "EXISTS KEY KEY",
        "TTL KEY",
        "DEL KEY",
        "SET KEY 2 XX",
        "SET KEY 3 GET",
        "INCR KEY",
        "RPUSH KEY x",
        "RENAME KEY other",
        "COPY KEY other",
        "PERSIST KEY",
        "EXPIRE KEY 100",
        "SADD KEY x",
        "HGETALL KEY",
        "TYPE KEY",
        "ZADD KEY 1 x",
        "APPEND KEY x",
        "GETEX KEY PERSIST",
        "LPUSHX KEY x",
        "OBJECT ENCODING KEY",
        "XADD KEY 1-1 f v",
    ]);
    vec![
        Step::command(line(create)),
        Step::command(line(expire)),
        Step::sleep(16),
        Step::command(line(look)),
        Step::command(line("EXISTS KEY")),
    ]
}
