//! Keyspace notifications.

use crate::config::directive::Effect::Live;
use crate::config::section::section;
use crate::config::values::KeyspaceEvents;

section! {
    /// Keyspace notifications.
    Notifications at notifications titled "KEYSPACE NOTIFICATIONS" {
        keyspace_events: KeyspaceEvents = KeyspaceEvents::default(), value, [], Live,
            "notify-keyspace-events" =>
            "Which changes of keys are published: K and E choose the channels, the other letters the kinds of change (A is g$lshzxetd).";
    }
}
