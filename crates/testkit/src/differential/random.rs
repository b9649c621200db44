//! Properties of random replies: what was chosen must have been there to choose.
//!
//! Pure: the runner fetches the members, this decides.

use std::collections::HashMap;

use super::rules::name_of;
use crate::resp::Reply;

/// The command that lists what a random command chooses from, if it chooses from one key.
pub fn members_query(args: &[Vec<u8>]) -> Option<Vec<Vec<u8>>> {
    let key = args.get(1)?.clone();
    let words: &[&str] = match name_of(args).as_str() {
        "SRANDMEMBER" | "SPOP" => &["SMEMBERS"],
        "HRANDFIELD" => &["HGETALL"],
        "ZRANDMEMBER" => &["ZRANGE", "0", "-1", "WITHSCORES"],
        _ => return None,
    };
    let mut query: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
    query.insert(1, key);
    Some(query)
}

/// Checks the subject's choice. `members` is the reply to [`members_query`], in RESP2.
///
/// # Errors
/// What is wrong with the choice.
pub fn check_choice(args: &[Vec<u8>], chosen: &Reply, members: &Reply) -> Result<(), String> {
    let paired = args
        .iter()
        .skip(3)
        .any(|arg| arg.to_ascii_uppercase().starts_with(b"WITH"));
    let has_values = name_of(args) != "SRANDMEMBER" && name_of(args) != "SPOP";
    let flat: Vec<&[u8]> = members
        .elements()
        .unwrap_or_default()
        .iter()
        .filter_map(Reply::text)
        .collect();
    let members: HashMap<&[u8], Option<&[u8]>> = if has_values {
        flat.chunks_exact(2)
            .map(|pair| (pair[0], Some(pair[1])))
            .collect()
    } else {
        flat.into_iter().map(|member| (member, None)).collect()
    };
    let mut elements = Vec::new();
    flatten(chosen, &mut elements);
    let stride = if paired { 2 } else { 1 };
    for entry in elements.chunks(stride) {
        let Some(value) = members.get(entry[0]) else {
            return Err(format!("\"{}\" is no member", entry[0].escape_ascii()));
        };
        if let (Some(value), Some(given)) = (value, entry.get(1))
            && value != given
            && !same_number(value, given)
        {
            return Err(format!(
                "\"{}\" does not belong to its member",
                given.escape_ascii()
            ));
        }
    }
    let repeats_allowed = args.get(2).is_some_and(|count| count.starts_with(b"-"));
    if !repeats_allowed {
        let mut names: Vec<&[u8]> = elements.chunks(stride).map(|entry| entry[0]).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err("a member was chosen twice".into());
        }
    }
    Ok(())
}

fn same_number(left: &[u8], right: &[u8]) -> bool {
    let number = |text: &[u8]| -> Option<f64> { std::str::from_utf8(text).ok()?.parse().ok() };
    number(left).is_some_and(|left| number(right) == Some(left))
}

fn flatten<'a>(reply: &'a Reply, into: &mut Vec<&'a [u8]>) {
    match reply {
        Reply::Map(pairs) => {
            for (name, value) in pairs {
                flatten(name, into);
                flatten(value, into);
            }
        }
        other => match other.elements() {
            Some(elements) => elements.iter().for_each(|element| flatten(element, into)),
            None => into.extend(other.text()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differential::step::parse_words;

    fn check(command: &str, chosen: &[&str], members: &[&str]) -> Result<(), String> {
        let array = |words: &[&str]| {
            Reply::Array(
                words
                    .iter()
                    .map(|word| Reply::Bulk(word.as_bytes().into()))
                    .collect(),
            )
        };
        check_choice(
            &parse_words(command).expect("words"),
            &array(chosen),
            &array(members),
        )
    }

    #[test]
    fn membership_values_and_repeats() {
        assert_eq!(
            check("SRANDMEMBER k 2", &["a", "b"], &["a", "b", "c"]),
            Ok(())
        );
        assert!(check("SRANDMEMBER k 2", &["a", "x"], &["a", "b"]).is_err());
        assert!(check("SRANDMEMBER k 2", &["a", "a"], &["a", "b"]).is_err());
        assert_eq!(check("SRANDMEMBER k -2", &["a", "a"], &["a", "b"]), Ok(()));
        assert_eq!(
            check("HRANDFIELD k 1 WITHVALUES", &["f", "1"], &["f", "1"]),
            Ok(())
        );
        assert!(check("HRANDFIELD k 1 WITHVALUES", &["f", "2"], &["f", "1"]).is_err());
        assert!(
            check("HRANDFIELD k 1", &["1"], &["f", "1"]).is_err(),
            "a value is no field"
        );
    }
}
