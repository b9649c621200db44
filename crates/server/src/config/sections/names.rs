//! What a file name, a host name, a list of processors or a title may be. The texts are Redis's.

use crate::config::cpu_list;

/// `dbfilename`.
pub(super) fn dump_file(name: &str) -> Result<(), &'static str> {
    if name.contains('/') {
        return Err("dbfilename can't be a path, just a filename");
    }
    Ok(())
}

/// `appendfilename`.
pub(super) fn append_file(name: &str) -> Result<(), &'static str> {
    match name {
        "" => Err("appendfilename can't be empty"),
        name if name.contains('/') => Err("appendfilename can't be a path, just a filename"),
        _ => Ok(()),
    }
}

/// `appenddirname`.
pub(super) fn folder(name: &str) -> Result<(), &'static str> {
    match name {
        "" => Err("appenddirname can't be empty"),
        name if name.contains('/') => Err("appenddirname can't be a path, just a dirname"),
        _ => Ok(()),
    }
}

/// `cluster-announce-hostname`.
pub(super) fn hostname(name: &str) -> Result<(), &'static str> {
    if name.len() >= 256 {
        return Err("Hostnames must be less than 256 characters");
    }
    if !name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
    {
        return Err("Hostnames may only contain alphanumeric characters, hyphens or dots");
    }
    Ok(())
}

/// `cluster-announce-human-nodename`.
pub(super) fn human_nodename(name: &str) -> Result<(), &'static str> {
    if name.len() >= 256 {
        return Err("Hostnames must be less than 256 characters");
    }
    if !name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
    {
        return Err("Announced human node name contained invalid character");
    }
    Ok(())
}

/// `server-cpulist` and its like.
pub(super) fn cpu_list(list: &str) -> Result<(), &'static str> {
    cpu_list::parse(list).map(drop)
}

/// `proc-title-template`: not empty, and every `{…}` a known variable.
pub(super) fn title_template(template: &str) -> Result<(), &'static str> {
    const KNOWN: [&str; 7] = [
        "title",
        "listen-addr",
        "server-mode",
        "port",
        "tls-port",
        "unixsocket",
        "config-file",
    ];
    const INVALID: &str = "template format is invalid or contains unknown variables";
    if template.is_empty() {
        return Err(INVALID);
    }
    let mut rest = template;
    while let Some((_, after)) = rest.split_once('{') {
        match after.split_once('}') {
            Some((name, after)) if KNOWN.contains(&name) => rest = after,
            _ => return Err(INVALID),
        }
    }
    Ok(())
}
