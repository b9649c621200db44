//! The users that the configuration defines, as far as this server has users.

use crate::config::load::{StartupError, UserDefinition};

/// Refuses users that this server would not treat as their lines say: it has one user,
/// `default`, who may do everything.
pub fn check_user(user: &UserDefinition) -> Result<(), StartupError> {
    const RULES: [&[u8]; 8] = [
        b"on",
        b"nopass",
        b"sanitize-payload",
        b"~*",
        b"allkeys",
        b"&*",
        b"allchannels",
        b"+@all",
    ];
    let is_plain = user.name == b"default"
        && user.rules.iter().all(|rule| {
            let rule = rule.to_ascii_lowercase();
            rule == b"allcommands" || RULES.contains(&rule.as_slice())
        });
    if is_plain {
        Ok(())
    } else {
        let reason = "Ochre has no ACL users yet besides an unrestricted default user; set its \
                      password with requirepass";
        Err(user.line.refuse(reason))
    }
}

/// A user as CONFIG REWRITE writes it behind the word `user`.
pub fn user_line(user: &UserDefinition) -> String {
    let rules = user.rules.iter().map(|rule| String::from_utf8_lossy(rule));
    std::iter::once(String::from_utf8_lossy(&user.name))
        .chain(rules)
        .collect::<Vec<_>>()
        .join(" ")
}
