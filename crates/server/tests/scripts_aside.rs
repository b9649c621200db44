//! A script that is not known to be short runs on a thread of its own. All of this is on
//! one worker and few stripes, so that everything shares both with the script.

use std::thread;
use std::time::Duration;

use ochre_testkit::resp::{Connection, Reply};
use ochre_testkit::servers::{Server, ServerSpec};

fn start(extra: &[&str]) -> Server {
    let mut arguments = vec!["--io-threads", "1", "--stripes", "64"];
    arguments.extend(extra);
    ServerSpec::ochre(env!("CARGO_BIN_EXE_ochre"))
        .with_args(arguments)
        .start()
        .unwrap_or_else(|error| panic!("{error}"))
}

fn connect(server: &Server) -> Connection {
    server.connect().expect("a connection")
}

fn ask(connection: &mut Connection, line: &str) -> Reply {
    let words: Vec<&str> = line.split(' ').collect();
    connection.command(&words).expect("a reply")
}

fn send(connection: &mut Connection, line: &str) {
    let words: Vec<&str> = line.split(' ').collect();
    connection.send(&words).expect("sent");
}

fn reply(connection: &mut Connection) -> Reply {
    connection.read_reply().expect("a reply").reply
}

fn text(reply: &Reply) -> String {
    let bytes = reply.text().or(reply.error());
    String::from_utf8_lossy(bytes.unwrap_or_else(|| panic!("{reply:?}"))).into_owned()
}

/// `slow` writes, takes some hundred milliseconds, and writes again; `endless` reads and
/// never ends; `turn` spins as long as it is told to.
const LIBRARY: &str = "#!lua name=aside
local function spin(rounds) local x = 0 for i = 1, rounds do x = x + i % 7 end return x end
redis.register_function('slow', function(keys, args)
  redis.call('SET', keys[1], 'half')
  spin(tonumber(args[1]))
  redis.call('SET', keys[1], 'whole')
  return redis.call('INCR', 'slow:runs')
end)
redis.register_function('endless', function(keys)
  for _, key in ipairs(keys) do redis.call('EXISTS', key) end
  while true do end
end)
redis.register_function('all', function()
  redis.call('DBSIZE')
  while true do end
end)
redis.register_function('turn', function(keys, args) spin(tonumber(args[1])) return args[1] end)";

const ROUNDS: &str = "20000000";

fn load(connection: &mut Connection) {
    let words = ["FUNCTION", "LOAD", LIBRARY];
    assert_eq!(text(&connection.command(&words).expect("a reply")), "aside");
}

/// Sends a call and waits until it runs.
fn run(server: &Server, admin: &mut Connection, line: &str) -> Connection {
    let mut caller = connect(server);
    send(&mut caller, line);
    for _ in 0..10_000 {
        let stats = ask(admin, "FUNCTION STATS");
        let running = stats.elements().map(|fields| fields[1].clone());
        if running.is_some_and(|running| !running.is_null()) {
            return caller;
        }
        thread::sleep(Duration::from_millis(1));
    }
    panic!("the function does not start");
}

fn kill(admin: &mut Connection, mut caller: Connection) {
    assert_eq!(text(&ask(admin, "FUNCTION KILL")), "OK");
    let error = text(&reply(&mut caller));
    assert!(error.contains("Script killed by user"), "{error}");
    assert_eq!(text(&ask(&mut caller, "PING")), "PONG");
}

#[test]
fn other_keys_of_the_same_stripes_are_served_meanwhile() {
    let server = start(&["--busy-reply-threshold", "0"]);
    let mut admin = connect(&server);
    load(&mut admin);
    let caller = run(&server, &mut admin, "FCALL endless 2 held:1 held:2");
    for round in 0..200 {
        let key = format!("free:{round}");
        assert_eq!(text(&ask(&mut admin, &format!("SET {key} {round}"))), "OK");
        assert_eq!(
            text(&ask(&mut admin, &format!("GET {key}"))),
            round.to_string()
        );
    }
    assert_eq!(
        text(&ask(&mut admin, "MSET free:a 1 free:b 2 free:c 3")),
        "OK"
    );
    let found = ask(&mut admin, "MGET free:a free:b free:c");
    assert_eq!(found.elements().map(<[Reply]>::len), Some(3));
    assert_eq!(ask(&mut admin, "DBSIZE").integer(), Some(203));
    // Some of these keys share a stripe with what the script has.
    for line in ["WATCH free:7", "MULTI", "MGET free:a free:b"] {
        assert!(ask(&mut admin, line).error().is_none());
    }
    for round in 0..200 {
        ask(&mut admin, &format!("INCR free:{round}"));
    }
    let counts = ask(&mut admin, "EXEC");
    assert_eq!(counts.elements().map(<[Reply]>::len), Some(201));
    assert_eq!(ask(&mut admin, "CLIENT UNBLOCK 2").integer(), Some(0));
    kill(&mut admin, caller);
}

#[test]
fn what_a_script_has_touched_is_seen_when_it_has_ended() {
    let server = start(&[]);
    let mut admin = connect(&server);
    load(&mut admin);
    let lines = [
        "GET touched",
        "MGET free touched",
        "STRLEN touched",
        "SETNX touched no",
        "GETSET touched whole",
    ];
    let mut others: Vec<Connection> = lines.iter().map(|_| connect(&server)).collect();
    let mut transaction = connect(&server);
    ask(&mut transaction, "WATCH touched");
    let mut caller = run(
        &server,
        &mut admin,
        &format!("FCALL slow 1 touched {ROUNDS}"),
    );
    for (line, other) in lines.iter().zip(&mut others) {
        // What comes before and behind it keeps its place.
        for part in ["INCR free", *line, "PING"] {
            send(other, part);
        }
    }
    ask(&mut transaction, "MULTI");
    ask(&mut transaction, "GET touched");
    let aborted = ask(&mut transaction, "EXEC");
    assert!(
        aborted.is_null(),
        "the watched key was written: {aborted:?}"
    );
    let mut replies = others.iter_mut().map(|other| {
        assert!(reply(other).integer().is_some());
        let own = reply(other);
        assert_eq!(text(&reply(other)), "PONG");
        own
    });
    let mut next = || replies.next().expect("one for each");
    assert_eq!(text(&next()), "whole");
    let both = next();
    assert_eq!(text(&both.elements().expect("two")[1]), "whole");
    assert_eq!(next().integer(), Some(5));
    assert_eq!(next().integer(), Some(0));
    assert_eq!(text(&next()), "whole");
    assert_eq!(reply(&mut caller).integer(), Some(1));
    assert_eq!(text(&ask(&mut admin, "GET touched")), "whole");
}

#[test]
fn what_needs_the_whole_keyspace_waits_and_nobody_behind_it_does() {
    let server = start(&[]);
    let mut admin = connect(&server);
    load(&mut admin);
    let lines = [
        "FLUSHALL",
        "SWAPDB 0 1",
        "SORT_RO nothing BY free:*",
        "EVAL return{1} 0",
        "FCALL slow 1 touched 10",
    ];
    let mut others: Vec<Connection> = lines.iter().map(|_| connect(&server)).collect();
    let mut caller = run(
        &server,
        &mut admin,
        &format!("FCALL slow 1 touched {ROUNDS}"),
    );
    for (line, other) in lines.iter().zip(&mut others) {
        send(other, line);
        assert_eq!(text(&ask(&mut admin, "PING")), "PONG");
    }
    for (line, other) in lines.iter().zip(&mut others) {
        let reply = reply(other);
        assert!(reply.error().is_none(), "{line}: {reply:?}");
    }
    assert_eq!(reply(&mut caller).integer(), Some(1));
}

#[test]
fn who_waits_for_a_script_that_takes_too_long_is_told_busy() {
    let server = start(&["--busy-reply-threshold", "50"]);
    let mut admin = connect(&server);
    load(&mut admin);
    let lines = [
        "GET held",
        "FLUSHALL",
        "FCALL endless 1 other",
        "EVAL return{1} 0",
        "MSET held 1 free 2",
    ];
    let mut others: Vec<Connection> = lines.iter().map(|_| connect(&server)).collect();
    let caller = run(&server, &mut admin, "FCALL endless 1 held");
    for (line, other) in lines.iter().zip(&mut others) {
        send(other, line);
    }
    for (line, other) in lines.iter().zip(&mut others) {
        let error = text(&reply(other));
        assert!(error.starts_with("BUSY"), "{line}: {error}");
    }
    kill(&mut admin, caller);
    assert!(ask(&mut others[0], "GET held").is_null());
}

#[test]
fn a_script_that_looks_at_every_key_keeps_them_all() {
    let server = start(&["--busy-reply-threshold", "0"]);
    let mut admin = connect(&server);
    load(&mut admin);
    let caller = run(&server, &mut admin, "FCALL all 0");
    let mut others: Vec<Connection> = (0..3).map(|_| connect(&server)).collect();
    // It may have got to DBSIZE or not.
    for (other, line) in others.iter_mut().zip(["SET a 1", "MSET b 1 c 2", "DBSIZE"]) {
        send(other, line);
        assert_eq!(text(&ask(&mut admin, "PING")), "PONG");
    }
    kill(&mut admin, caller);
    for mut other in others {
        let reply = reply(&mut other);
        assert!(reply.error().is_none(), "{reply:?}");
    }
}

#[test]
fn a_waiter_that_needs_what_a_script_has_is_served_after_it() {
    let server = start(&[]);
    let mut admin = connect(&server);
    load(&mut admin);
    let mut waiters: Vec<Connection> = (0..2).map(|_| connect(&server)).collect();
    for (place, waiter) in waiters.iter_mut().enumerate() {
        send(waiter, "BLMOVE source target LEFT RIGHT 0");
        while !text(&ask(&mut admin, "INFO clients"))
            .contains(&format!("blocked_clients:{}", place + 1))
        {
            thread::sleep(Duration::from_millis(1));
        }
    }
    let caller = run(&server, &mut admin, "FCALL endless 1 target");
    assert_eq!(
        ask(&mut admin, "RPUSH source first second").integer(),
        Some(2)
    );
    assert_eq!(ask(&mut admin, "LLEN source").integer(), Some(2));
    kill(&mut admin, caller);
    for (waiter, element) in waiters.iter_mut().zip(["first", "second"]) {
        assert_eq!(text(&reply(waiter)), element);
    }
    let moved = ask(&mut admin, "LRANGE target 0 -1");
    let moved: Vec<String> = moved.elements().expect("a list").iter().map(text).collect();
    assert_eq!(moved, ["first", "second"]);
}

#[test]
fn a_waiter_whose_keys_only_share_stripes_with_a_script_is_served_at_once() {
    let server = start(&[]);
    let mut admin = connect(&server);
    load(&mut admin);
    // Of the 64 stripes, 100 keys leave some out, as a script that had all would keep them.
    // That none of the waiters shares one with them is as good as impossible.
    let held: Vec<String> = (0..100).map(|number| format!("held:{number}")).collect();
    let mut waiters: Vec<Connection> = (0..10).map(|_| connect(&server)).collect();
    for (place, waiter) in waiters.iter_mut().enumerate() {
        send(
            waiter,
            &format!("BLMOVE source:{place} target:{place} LEFT RIGHT 0"),
        );
        while !text(&ask(&mut admin, "INFO clients"))
            .contains(&format!("blocked_clients:{}", place + 1))
        {
            thread::sleep(Duration::from_millis(1));
        }
    }
    let call = format!("FCALL endless 100 {}", held.join(" "));
    let caller = run(&server, &mut admin, &call);
    for (place, waiter) in waiters.iter_mut().enumerate() {
        let pushed = ask(&mut admin, &format!("RPUSH source:{place} element"));
        assert_eq!(pushed, Reply::Integer(1));
        assert_eq!(text(&reply(waiter)), "element");
        let moved = ask(&mut admin, &format!("LLEN target:{place}"));
        assert_eq!(moved, Reply::Integer(1));
    }
    kill(&mut admin, caller);
}

#[test]
fn keys_that_a_script_has_do_not_expire_before_it_ends() {
    let server = start(&[]);
    let mut admin = connect(&server);
    load(&mut admin);
    ask(&mut admin, "SET held 1 PX 30");
    let caller = run(&server, &mut admin, "FCALL endless 1 held");
    ask(&mut admin, "SET free 1 PX 30");
    thread::sleep(Duration::from_millis(100));
    assert!(ask(&mut admin, "GET free").is_null());
    kill(&mut admin, caller);
    for _ in 0..1000 {
        if ask(&mut admin, "DBSIZE").integer() == Some(0) {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("the key stays");
}

#[test]
fn clients_that_go_or_are_mute_leave_nothing_behind() {
    let server = start(&[]);
    let mut admin = connect(&server);
    load(&mut admin);
    let caller = run(
        &server,
        &mut admin,
        &format!("FCALL slow 1 touched {ROUNDS}"),
    );
    let mut deferred = connect(&server);
    send(&mut deferred, "GET touched");
    drop(caller);
    drop(deferred);
    let mut mute = connect(&server);
    send(&mut mute, "CLIENT REPLY OFF");
    // Not known to be short yet, by its text.
    send(&mut mute, "EVAL return{2} 0");
    send(&mut mute, "CLIENT REPLY ON");
    assert_eq!(text(&reply(&mut mute)), "OK");
    assert_eq!(text(&ask(&mut admin, "GET touched")), "whole");
    assert_eq!(text(&ask(&mut admin, "GET slow:runs")), "1");
}

#[test]
fn a_script_is_counted_once_and_shown_once() {
    let server = start(&[]);
    let mut admin = connect(&server);
    let mut monitor = connect(&server);
    load(&mut admin);
    assert_eq!(text(&ask(&mut monitor, "MONITOR")), "OK");
    let mut caller = run(
        &server,
        &mut admin,
        &format!("FCALL slow 1 touched {ROUNDS}"),
    );
    assert_eq!(text(&ask(&mut admin, "GET touched")), "whole");
    reply(&mut caller);
    assert_eq!(text(&ask(&mut admin, "ECHO end")), "end");
    let mut seen = Vec::new();
    while !seen
        .last()
        .is_some_and(|line: &String| line.contains("\"end\""))
    {
        seen.push(text(&reply(&mut monitor)));
    }
    let count = |what: &str| seen.iter().filter(|line| line.contains(what)).count();
    assert_eq!(count("\"FCALL\""), 1, "{seen:?}");
    assert_eq!(count("\"GET\""), 1, "{seen:?}");
    let figures = text(&ask(&mut admin, "INFO commandstats"));
    for wanted in [
        "cmdstat_fcall:calls=1,",
        "cmdstat_get:calls=1,",
        "cmdstat_set:calls=2,",
    ] {
        assert!(figures.contains(wanted), "{wanted} {figures}");
    }
}

#[test]
fn a_script_that_was_short_and_turns_long_is_still_killed() {
    let server = start(&["--busy-reply-threshold", "0"]);
    let mut admin = connect(&server);
    load(&mut admin);
    let mut caller = connect(&server);
    for _ in 0..3 {
        assert_eq!(text(&ask(&mut caller, "FCALL turn 0 1")), "1");
    }
    send(&mut caller, "FCALL turn 0 1e15");
    thread::sleep(Duration::from_millis(50));
    // The only worker runs it: the one that stands by serves new clients.
    let mut second = connect(&server);
    kill(&mut second, caller);
    assert_eq!(text(&ask(&mut admin, "PING")), "PONG");
}

#[test]
fn what_a_script_wants_unrecorded_is_not_in_the_append_only_file() {
    let server = start(&["--appendonly", "yes", "--enable-debug-command", "yes"]);
    let mut admin = connect(&server);
    let script = "redis.call('SET', 'a', 1) redis.set_repl(redis.REPL_NONE) \
                  redis.call('SET', 'b', 1) redis.set_repl(redis.REPL_REPLICA) \
                  redis.call('SET', 'c', 1) redis.set_repl(redis.REPL_AOF) \
                  redis.call('SET', 'd', 1) redis.set_repl(redis.REPL_NONE)";
    for words in [
        vec!["MULTI"],
        vec!["EVAL", script, "0"],
        vec!["SET", "e", "1"],
        vec!["EXEC"],
    ] {
        let reply = admin.command(&words).expect("a reply");
        assert!(reply.error().is_none(), "{reply:?}");
    }
    assert_eq!(ask(&mut admin, "EXISTS a b c d e").integer(), Some(5));
    assert_eq!(text(&ask(&mut admin, "DEBUG LOADAOF")), "OK");
    assert_eq!(ask(&mut admin, "EXISTS a d e").integer(), Some(3));
    assert_eq!(ask(&mut admin, "EXISTS b c").integer(), Some(0));
}

#[test]
fn what_a_script_does_is_counted_while_it_runs() {
    let server = start(&["--busy-reply-threshold", "0"]);
    let mut admin = connect(&server);
    let mut caller = connect(&server);
    // A list of what it has done, kept to its end, would keep others waiting then.
    let script = "while true do redis.call('EXISTS', KEYS[1]) end";
    caller.send(&["EVAL", script, "1", "held"]).expect("sent");
    for _ in 0..10_000 {
        let figures = text(&ask(&mut admin, "INFO commandstats"));
        if figures.contains("cmdstat_exists:") {
            assert_eq!(text(&ask(&mut admin, "SCRIPT KILL")), "OK");
            assert!(reply(&mut caller).error().is_some());
            return;
        }
        thread::sleep(Duration::from_millis(1));
    }
    panic!("nothing is counted");
}

#[test]
fn the_server_ends_whatever_its_script_does() {
    for line in [
        "FCALL endless 1 held",
        "EVAL redis.call('SET','a',1)while(true)do(nil)end 0",
    ] {
        let line = line.replace("do(nil)end", "do\tend");
        let mut server = start(&["--busy-reply-threshold", "0", "--save", ""]);
        let mut admin = connect(&server);
        load(&mut admin);
        let mut caller = connect(&server);
        send(&mut caller, &line);
        thread::sleep(Duration::from_millis(50));
        send(&mut admin, "SHUTDOWN NOSAVE");
        let status = server.wait().and_then(|status| status.code());
        assert_eq!(status, Some(0), "{line}");
    }
}

#[test]
fn a_password_holds_for_whoever_comes_after_it() {
    let server = start(&["--io-threads", "4"]);
    let mut admin = connect(&server);
    for _ in 0..50 {
        ask(&mut admin, "CONFIG SET requirepass secret");
        for _ in 0..4 {
            let refused = text(&ask(&mut connect(&server), "GET a"));
            assert!(refused.starts_with("NOAUTH"), "{refused}");
        }
        let mut known = connect(&server);
        ask(&mut known, "AUTH secret");
        ask(&mut known, "CONFIG SET requirepass ");
    }
}
