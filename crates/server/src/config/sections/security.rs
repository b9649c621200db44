//! Passwords, ACLs and protected commands.

use crate::config::choices::{ProtectedAction, PubsubDefault};
use crate::config::directive::Effect::{AtStart, Live};
use crate::config::section::section;

section! {
    /// Passwords, ACLs and protected commands.
    Security at security titled "SECURITY" {
        acl_pubsub_default: PubsubDefault = PubsubDefault::ResetChannels, choice, [], Live,
            "acl-pubsub-default" =>
            "Which channels a new user may use: all, or none until they are named.";
        acl_file: String = String::new(), text, [IMMUTABLE], AtStart,
            "aclfile" =>
            "A file of users, instead of user lines in this one.";
        acl_log_max_entries: u64 = 128, integer(0, i64::MAX), [], Live,
            "acllog-max-len" =>
            "The most entries of ACL LOG.";
        debug_command: ProtectedAction = ProtectedAction::No, choice, [IMMUTABLE], AtStart,
            "enable-debug-command" =>
            "Who may use DEBUG: nobody, everybody, or connections from this machine.";
        module_command: ProtectedAction = ProtectedAction::No, choice, [IMMUTABLE], AtStart,
            "enable-module-command" =>
            "Who may use MODULE: nobody, everybody, or connections from this machine.";
        protected_configs: ProtectedAction = ProtectedAction::No, choice, [IMMUTABLE], AtStart,
            "enable-protected-configs" =>
            "Who may set dir and dbfilename at run time: nobody, everybody, or connections from this machine.";
        password: Vec<u8> = Vec::new(), secret, [SENSITIVE], Live,
            "requirepass" =>
            "The password of the default user; none if empty.";
    }
}
