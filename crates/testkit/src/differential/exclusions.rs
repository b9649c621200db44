//! Commands and options that a 7.0 reference does not know, by name and with the reason.
//!
//! Generators drop them; a corpus that uses one fails to load, so that nothing is
//! skipped in silence. When the reference is 7.2 or newer, only what is newer than that
//! is excluded.

use super::rules::meant;

/// Something the reference cannot judge.
#[derive(Debug, Clone, Copy)]
pub struct Exclusion {
    /// The command, or `COMMAND|SUBCOMMAND`, in upper case.
    pub command: &'static str,
    /// An argument that makes the difference; `""` when it is the command itself.
    pub token: &'static str,
    /// The version that brought it.
    pub since: (u32, u32),
    /// Why it is not compared.
    pub reason: &'static str,
}

const fn newer(
    command: &'static str,
    token: &'static str,
    since: (u32, u32),
    reason: &'static str,
) -> Exclusion {
    Exclusion {
        command,
        token,
        since,
        reason,
    }
}

/// All exclusions.
pub const EXCLUSIONS: &[Exclusion] = &[
    newer("WAITAOF", "", (7, 2), "new command"),
    newer("CLIENT|NO-TOUCH", "", (7, 2), "new subcommand"),
    newer("CLIENT|SETINFO", "", (7, 2), "new subcommand"),
    newer("CLIENT|LIST", "LIB-NAME", (7, 2), "new fields"),
    newer("CLUSTER|MYSHARDID", "", (7, 2), "new subcommand"),
    newer("ZRANK", "WITHSCORE", (7, 2), "new option"),
    newer("ZREVRANK", "WITHSCORE", (7, 2), "new option"),
    newer("HEXPIRE", "", (7, 4), "field expiry"),
    newer("HPEXPIRE", "", (7, 4), "field expiry"),
    newer("HEXPIREAT", "", (7, 4), "field expiry"),
    newer("HPEXPIREAT", "", (7, 4), "field expiry"),
    newer("HTTL", "", (7, 4), "field expiry"),
    newer("HPTTL", "", (7, 4), "field expiry"),
    newer("HEXPIRETIME", "", (7, 4), "field expiry"),
    newer("HPEXPIRETIME", "", (7, 4), "field expiry"),
    newer("HPERSIST", "", (7, 4), "field expiry"),
    newer("HGETEX", "", (8, 0), "field expiry"),
    newer("HSETEX", "", (8, 0), "field expiry"),
    newer("HGETDEL", "", (8, 0), "new command"),
    newer("HSCAN", "NOVALUES", (7, 4), "new option"),
    newer("CLIENT|KILL", "MAXAGE", (7, 4), "new filter"),
    newer(
        "LPOS",
        "-9223372036854775808",
        (7, 2),
        "a rank without a positive counterpart is refused",
    ),
    newer(
        "LREM",
        "-9223372036854775808",
        (7, 2),
        "a count without a positive counterpart is refused",
    ),
    newer("XREAD", "+", (7, 4), "`+` as the last entry's id"),
];

/// Why a reference of version `reference` cannot judge this command, if it cannot.
pub fn exclusion(args: &[Vec<u8>], reference: (u32, u32)) -> Option<&'static Exclusion> {
    let args = meant(args);
    let name = args.first()?.to_ascii_uppercase();
    let full = args
        .get(1)
        .map(|sub| [&name, &b"|"[..], &sub.to_ascii_uppercase()].concat());
    EXCLUSIONS.iter().find(|exclusion| {
        exclusion.since > reference
            && (exclusion.command.as_bytes() == name
                || Some(exclusion.command.as_bytes()) == full.as_deref())
            && (exclusion.token.is_empty()
                || args[1..]
                    .iter()
                    .any(|arg| arg.eq_ignore_ascii_case(exclusion.token.as_bytes())))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excluded(line: &str, reference: (u32, u32)) -> bool {
        let args: Vec<Vec<u8>> = line
            .split(' ')
            .map(|word| word.as_bytes().to_vec())
            .collect();
        exclusion(&args, reference).is_some()
    }

    #[test]
    fn by_command_subcommand_and_option() {
        assert!(excluded("waitaof 0 0 0", (7, 0)));
        assert!(excluded("client no-touch on", (7, 0)));
        assert!(excluded("ZRANK k m withscore", (7, 0)));
        assert!(!excluded("ZRANK k m withscore", (7, 2)));
        assert!(!excluded("ZRANK k m", (7, 0)));
        assert!(!excluded("CLIENT ID", (7, 0)));
        assert!(excluded("HTTL k FIELDS 1 f", (7, 2)));
        let script = "EVAL|return redis.pcall(unpack(ARGV))|0|ZRANK|k|m|WITHSCORE";
        let args: Vec<Vec<u8>> = script.split('|').map(|word| word.into()).collect();
        assert!(exclusion(&args, (7, 0)).is_some());
    }
}
