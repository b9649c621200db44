//! Commands tried on a store of their own: what a write records for the journal and
//! announces, which no reply shows. Tests only.
//!
//! An expectation is one line: the changes counted, the commands recorded (`as sent`
//! where that is the command itself) and the keyspace events, as in
//! `1 change; SET k v PXAT 11000; set k, expire k`.

use ochre_resp::{Protocol, Reply};
use ochre_store::effects::Propagation;
use ochre_store::view::Observed;
use ochre_store::{Effects, Scope, Settings, Store, WriteView};

use super::FAMILIES;
use super::args::Args;
use super::spec::{Command, Outcome, Run};

/// The time at which every trial takes place.
pub const NOW_MS: i64 = 1_000;

fn find(name: &str) -> &'static Command {
    let mut all = FAMILIES.iter().copied().flatten();
    all.find(|command| command.name.eq_ignore_ascii_case(name))
        .expect("a command of this name")
}

/// Runs the commands of `setup` and then `line`; checks the effects of the last.
#[track_caller]
pub fn check(setup: &[&str], line: &str, expected: &str) {
    let (store, _) = Store::start(4, 16).expect("a thread can be started");
    let settings = Settings::default();
    for line in setup {
        run(&store, &settings, line);
    }
    assert_eq!(describe(&run(&store, &settings, line)), expected, "{line}");
}

/// As [`check`], for a command whose words may hold any bytes.
#[track_caller]
pub fn check_words(setup: &[&str], words: &[&[u8]], expected: &str) {
    let (store, _) = Store::start(4, 16).expect("a thread can be started");
    let settings = Settings::default();
    for line in setup {
        run(&store, &settings, line);
    }
    assert_eq!(describe(&run_words(&store, &settings, words)), expected);
}

/// Runs the commands of `setup` and then `line`; the text of the last one's error.
#[track_caller]
pub fn refusal(setup: &[&str], line: &str) -> String {
    let (store, _) = Store::start(4, 16).expect("a thread can be started");
    let settings = Settings::default();
    for line in setup {
        run(&store, &settings, line);
    }
    let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    match attempt(&store, &settings, &words) {
        (_, Ok(_)) => panic!("{line}: not refused"),
        (_, Err(error)) => String::from_utf8_lossy(&error.line()).into_owned(),
    }
}

fn run(store: &Store, settings: &Settings, line: &str) -> Effects {
    let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    run_words(store, settings, &words)
}

/// The effects, whatever the outcome: an error may follow effects; what it says is for
/// other tests.
fn run_words(store: &Store, settings: &Settings, words: &[&[u8]]) -> Effects {
    attempt(store, settings, words).0
}

fn attempt(store: &Store, settings: &Settings, words: &[&[u8]]) -> (Effects, Outcome) {
    let scope = Scope {
        store,
        settings,
        now_ms: NOW_MS,
        touch: true,
        expire: true,
        observed: Observed::default(),
        named: None,
    };
    let mut effects = Effects {
        recording: true,
        wanted_events: u32::MAX,
        ..Effects::default()
    };
    let mut held = store.stripes.exclusive();
    let mut view = WriteView::new(&scope, &mut held, 0, &mut effects);
    let mut args = Args::new(words, 1, &[]);
    let mut reply = Reply::new(Protocol::Resp2);
    let name = str::from_utf8(words[0]).expect("a name of letters");
    let outcome = match find(name).run {
        Run::Write(handler) => handler(&mut view, &mut args, &mut reply),
        Run::Prepared(prepare) => {
            prepare(settings, &mut args).and_then(|prepared| prepared(&mut view, &mut reply))
        }
        _ => panic!("{name}: only writes have effects"),
    };
    (effects, outcome)
}

fn describe(effects: &Effects) -> String {
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    let recorded = match &effects.propagation {
        _ if effects.dirty == 0 => "nothing".to_owned(),
        Propagation::AsSent => "as sent".to_owned(),
        Propagation::Nothing => "nothing".to_owned(),
        Propagation::As(commands) => {
            let command = |words: &Vec<Vec<u8>>| {
                let words: Vec<String> = words.iter().map(|word| text(word)).collect();
                words.join(" ")
            };
            commands.iter().map(command).collect::<Vec<_>>().join(" | ")
        }
    };
    let events = effects.events.iter().filter(|event| event.name != "new");
    let events: Vec<String> = events
        .map(|event| format!("{} {}", event.name, text(&event.key)))
        .collect();
    let plural = if effects.dirty == 1 { "" } else { "s" };
    format!(
        "{} change{plural}; {recorded}; {}",
        effects.dirty,
        events.join(", ")
    )
}
