//! `bind` and `replicaof`: where to listen, and whom to follow.

use super::{Absent, Line, Origin, Value, texts, without_lone_empty};
use crate::config::numbers;

/// Most addresses that `bind` takes.
const MAX_BIND_ADDRESSES: usize = 16;

/// The addresses to listen on; a leading `-` marks one that may be missing. Empty means none:
/// no TCP at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindAddresses(pub Vec<String>);

impl Default for BindAddresses {
    fn default() -> Self {
        BindAddresses(vec!["*".into(), "-::*".into()])
    }
}

impl Value for BindAddresses {
    const FORM: &'static str =
        "<address> [<address> ...]; \"-\" before an address that may be missing";

    fn text(&self) -> String {
        self.0.join(" ")
    }

    fn assign(&mut self, words: &[&[u8]], _origin: Origin) -> Result<(), String> {
        if words.len() > MAX_BIND_ADDRESSES {
            return Err("Too many bind addresses specified.".into());
        }
        self.0 = texts(without_lone_empty(words))?;
        Ok(())
    }

    /// The default is written as no line at all, as Redis does.
    fn lines(&self, default: &Self) -> Vec<Line> {
        let text = match self {
            addresses if addresses == default => return Vec::new(),
            addresses if addresses.0.is_empty() => "\"\"".into(),
            addresses => addresses.text(),
        };
        vec![Line {
            text,
            absent: Absent::Append,
        }]
    }
}

/// The primary to replicate, if any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrimaryAddress(pub Option<(String, u16)>);

impl Value for PrimaryAddress {
    const FORM: &'static str = "<host> <port>, or \"no one\"";

    fn text(&self) -> String {
        self.0
            .as_ref()
            .map(|(host, port)| format!("{host} {port}"))
            .unwrap_or_default()
    }

    fn assign(&mut self, words: &[&[u8]], _origin: Origin) -> Result<(), String> {
        let &[host, port] = words else {
            return match words {
                [] | [b""] => {
                    self.0 = None;
                    Ok(())
                }
                _ => Err("wrong number of arguments".into()),
            };
        };
        if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
            self.0 = None;
            return Ok(());
        }
        let port = numbers::decimal(port)
            .and_then(|port| u16::try_from(port).ok())
            .ok_or("Invalid master port")?;
        let host = texts(&[host])?.remove(0);
        self.0 = Some((host, port));
        Ok(())
    }

    fn lines(&self, default: &Self) -> Vec<Line> {
        if self.0.is_none() {
            return Vec::new();
        }
        vec![Line::unless_default(self.text(), self == default)]
    }
}
