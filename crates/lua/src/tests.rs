//! Scripts on a bridge whose host is a table of canned replies.

use super::*;
use ochre_resp::Protocol;
use proptest::prelude::*;

/// Answers each call with the next reply, and keeps what was called.
#[derive(Default)]
struct Canned {
    replies: Vec<Vec<u8>>,
    called: Vec<Result<Vec<Vec<u8>>, BadWords>>,
    protocol: Protocol,
}

impl Host for Canned {
    fn call(&mut self, words: Result<&[&[u8]], BadWords>, reply: &mut Vec<u8>) {
        let words = words.map(|words| words.iter().map(|word| word.to_vec()).collect::<Vec<_>>());
        let panics = words.as_ref().is_ok_and(|words| words[0] == b"panic");
        self.called.push(words);
        assert!(!panics, "as asked");
        match self.replies.is_empty() {
            true => reply.extend_from_slice(b"+OK\r\n"),
            false => reply.extend_from_slice(&self.replies.remove(0)),
        }
    }

    fn speak(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    fn propagate_to(&mut self, _targets: u8) {}

    fn protocol(&self) -> Protocol {
        self.protocol
    }

    fn check(&self, _name: &[u8]) -> Result<(), Vec<u8>> {
        Ok(())
    }
}

struct World {
    lua: Lua,
    bridge: Bridge,
}

impl World {
    fn new() -> Self {
        let lua = Lua::new();
        let mut bridge = Bridge::new(&lua).unwrap();
        let (call, pcall) = bridge.commands().unwrap();
        lua.globals().set("call", call).unwrap();
        lua.globals().set("try", pcall).unwrap();
        let hosts = bridge.hosts();
        let speak = lua.create_function(move |_, version: i64| {
            let protocol = [Protocol::Resp2, Protocol::Resp3][usize::from(version == 3)];
            Ok(hosts.lend(|host| host.speak(protocol)).is_some())
        });
        lua.globals().set("speak", speak.unwrap()).unwrap();
        let handler = lua
            .load(
                "local e = ...
                 if type(e) == 'table' then e.source, e.line = '@x', 7 return e end
                 return { err = 'ERR ' .. tostring(e) }",
            )
            .into_function()
            .unwrap();
        bridge.bind(&handler, &lua.globals()).unwrap();
        Self { lua, bridge }
    }

    fn run(&mut self, host: &mut Canned, body: &str) -> Result<Vec<u8>, Failure> {
        let function = self.lua.load(body).set_name("=s").into_function().unwrap();
        let program = self.bridge.keep(&function).unwrap();
        let mut out = Reply::new(Protocol::Resp3);
        let (keys, arguments): (&[&[u8]], &[&[u8]]) = (&[b"k1", b"k2"], &[b"a\0b"]);
        let input = Input::Globals(keys, arguments);
        let result = self.bridge.run(host, program, input, &mut out);
        self.bridge.forget(program);
        result.map(|_| out.into_bytes())
    }
}

fn check(replies: &[&str], body: &str, expected: &str) {
    let mut host = Canned {
        replies: replies
            .iter()
            .map(|reply| reply.as_bytes().to_vec())
            .collect(),
        ..Canned::default()
    };
    let reply = World::new().run(&mut host, body).unwrap();
    assert_eq!(String::from_utf8_lossy(&reply), expected, "{body}");
}

#[test]
fn values_of_every_type_come_and_go() {
    check(&["$3\r\na\r\n\r\n"], "return call('x')", "$3\r\na\r\n\r\n");
    check(&[":-7\r\n"], "return call('x')", ":-7\r\n");
    check(&["+PONG\r\n"], "return call('x').ok", "$4\r\nPONG\r\n");
    check(
        &["$-1\r\n"],
        "return tostring(call('x'))",
        "$5\r\nfalse\r\n",
    );
    check(
        &["*-1\r\n"],
        "return tostring(call('x'))",
        "$5\r\nfalse\r\n",
    );
    check(&["_\r\n"], "return tostring(call('x'))", "$3\r\nnil\r\n");
    check(&["#t\r\n"], "speak(3) return call('x')", "#t\r\n");
    check(&["#f\r\n"], "speak(3) return call('x')", "#f\r\n");
    check(&["#t\r\n"], "return call('x')", ":1\r\n");
    check(&["#f\r\n"], "return call('x')", "_\r\n");
    check(&[",1.5\r\n"], "return call('x')", ",1.5\r\n");
    check(&["(123\r\n"], "return call('x')", "(123\r\n");
    check(
        &["=7\r\ntxt:abc\r\n"],
        "return call('x')",
        "=7\r\ntxt:abc\r\n",
    );
    check(
        &["%1\r\n$1\r\na\r\n*1\r\n:1\r\n"],
        "return call('x')",
        "%1\r\n$1\r\na\r\n*1\r\n:1\r\n",
    );
    check(
        &["~1\r\n$1\r\na\r\n"],
        "return call('x')",
        "~1\r\n$1\r\na\r\n",
    );
    check(&[], "return {1, 'a', nil, 3}", "*2\r\n:1\r\n$1\r\na\r\n");
    check(&[], "return {ok = 'a\\r\\nb'}", "+a  b\r\n");
    check(&[], "return {err = 'ERR x'}", "-ERR x\r\n");
    check(
        &[],
        "return {KEYS[2], ARGV[1], #KEYS}",
        "*3\r\n$2\r\nk2\r\n$3\r\na\0b\r\n:2\r\n",
    );
    check(&[], "return print", "_\r\n");
}

#[test]
fn words_are_strings_and_numbers() {
    let mut host = Canned::default();
    let mut world = World::new();
    let body = "try('a', 1, 2.5, 'b\\0', -0.1, 1e20) try() try({}) try('a', nil) \
                try('a', true) try(unpack(KEYS))";
    world.run(&mut host, body).unwrap();
    let words = |words: &[&str]| Ok(words.iter().map(|word| word.as_bytes().to_vec()).collect());
    assert_eq!(
        host.called,
        [
            words(&["a", "1", "2.5", "b\0", "-0.10000000000000001", "1e+20"]),
            Err(BadWords::Missing),
            Err(BadWords::NotText),
            Err(BadWords::NotText),
            Err(BadWords::NotText),
            words(&["k1", "k2"]),
        ]
    );
}

#[test]
fn thousands_of_words() {
    let mut host = Canned::default();
    let body = "local t = {} for i = 1, 7000 do t[i] = i end return call(unpack(t)).ok";
    World::new().run(&mut host, body).unwrap();
    let words = host.called[0].as_ref().unwrap();
    assert_eq!((words.len(), words[6999].as_slice()), (7000, &b"7000"[..]));
}

#[test]
fn errors_are_raised_or_returned() {
    check(&["-ERR no\r\n"], "return try('x').err", "$6\r\nERR no\r\n");
    let body = "local ok, e = pcall(call, 'x') return {tostring(ok), e.err}";
    check(
        &["-ERR no\r\n"],
        body,
        "*2\r\n$5\r\nfalse\r\n$6\r\nERR no\r\n",
    );
    let mut world = World::new();
    let mut host = Canned {
        replies: vec![b"-ERR no\r\n".to_vec()],
        ..Canned::default()
    };
    let failure = world.run(&mut host, "call('x') return 1").unwrap_err();
    assert_eq!(failure.text, b"ERR no");
    assert_eq!(failure.origin, Some((b"@x".to_vec(), 7)));
    let failure = world.run(&mut host, "return nil + 1").unwrap_err();
    assert!(
        failure
            .text
            .starts_with(b"ERR s:1: attempt to perform arithmetic")
    );
    assert_eq!(failure.origin, None);
}

#[test]
fn calls_work_within_coroutines() {
    let body = "local co = coroutine.wrap(function() \
                  coroutine.yield(call('a')) error(call('b'), 0) end) \
                return {co(), select(2, pcall(co))}";
    check(&[":1\r\n", ":2\r\n"], body, "*2\r\n:1\r\n$1\r\n2\r\n");
}

#[test]
fn a_panic_of_the_host_goes_through_and_leaves_the_bridge_whole() {
    let mut world = World::new();
    let mut host = Canned::default();
    for body in [
        "call('panic')",
        "pcall(call, 'panic') return 1",
        "coroutine.wrap(function() call('panic') end)()",
    ] {
        let outcome = catch_unwind(AssertUnwindSafe(|| world.run(&mut host, body)));
        let panic = outcome.unwrap_err();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"as asked"), "{body}");
        assert_eq!(
            world.run(&mut host, "return call('a')").unwrap(),
            b"+OK\r\n"
        );
    }
}

#[test]
fn outside_of_a_run_there_is_no_host() {
    let mut world = World::new();
    let outcome = world.lua.load("return try('x').err").eval::<String>();
    assert!(outcome.is_err());
    assert!(!world.lua.load("return speak(3)").eval::<bool>().unwrap());
    let mut host = Canned::default();
    world.run(&mut host, "kept = call return 1").unwrap();
    assert!(world.lua.load("kept('x')").exec().is_err());
    assert!(host.called.is_empty());
}

#[test]
fn programs_that_are_forgotten_are_gone_and_their_places_used_again() {
    let mut world = World::new();
    let make = |world: &World, value: i32| {
        let text = format!("return {value}");
        world.lua.load(text).into_function().unwrap()
    };
    let one = make(&world, 1);
    let first = world.bridge.keep(&one).unwrap();
    let two = make(&world, 2);
    let second = world.bridge.keep(&two).unwrap();
    world.bridge.forget(first);
    let mut host = Canned::default();
    let input = Input::Passed(&[], &[]);
    let mut out = Reply::new(Protocol::Resp2);
    assert!(world.bridge.run(&mut host, first, input, &mut out).is_err());
    assert_eq!(world.bridge.keep(&one).unwrap(), first);
    for program in [first, second] {
        world
            .bridge
            .run(&mut host, program, input, &mut out)
            .unwrap();
    }
    assert_eq!(out.into_bytes(), b":1\r\n:2\r\n");
}

#[test]
fn the_deepest_nesting_is_that_of_redis_and_the_stack_is_left_as_it_was() {
    let mut world = World::new();
    let mut host = Canned::default();
    for (depth, expected) in [
        (7994, &b":1\r\n"[..]),
        (7995, b"-ERR reached lua stack limit\r\n"),
        (20_000, b"-ERR reached lua stack limit\r\n"),
        (7994, b":1\r\n"),
    ] {
        let body = format!("local t = 1 for _ = 1, {depth} do t = {{t}} end return t");
        let reply = world.run(&mut host, &body).unwrap();
        let levels = reply.strip_suffix(expected).expect("the end");
        assert_eq!(levels.len(), 4 * depth.min(7995));
        assert!(levels.chunks(4).all(|level| level == b"*1\r\n"));
    }
}

#[test]
fn errors_that_no_command_has_counted_are_told() {
    let mut world = World::new();
    let mut host = Canned {
        replies: vec![b"-ERR a\r\n".to_vec(); 3],
        ..Canned::default()
    };
    let body = "return {{err = 'MY b'}, {try('x'), {err = 'MY c'}}}";
    let function = world.lua.load(body).into_function().unwrap();
    let program = world.bridge.keep(&function).unwrap();
    let mut out = Reply::new(Protocol::Resp2);
    let input = Input::Globals(&[], &[]);
    let told = world
        .bridge
        .run(&mut host, program, input, &mut out)
        .unwrap();
    assert_eq!(told, [b"MY b".to_vec(), b"MY c".to_vec()]);
    assert!(world.run(&mut host, "call('x')").unwrap_err().is_counted);
    let body = "error(try('x'))";
    assert!(world.run(&mut host, body).unwrap_err().is_counted);
    let body = "error({err = 'MY d'})";
    assert!(!world.run(&mut host, body).unwrap_err().is_counted);
}

#[test]
fn endless_recursion_is_an_error() {
    let mut world = World::new();
    let mut host = Canned::default();
    for body in [
        "local function f() return 1 + f() end return f()",
        "local function f() call('x') return 1 + select(2, pcall(f)) end return f()",
    ] {
        let failure = world.run(&mut host, body).unwrap_err();
        assert!(failure.text.starts_with(b"ERR "), "{failure:?}");
    }
    assert_eq!(world.run(&mut host, "return 1").unwrap(), b":1\r\n");
}

/// Replies that come back as they went in.
fn reply(depth: u32) -> BoxedStrategy<Vec<u8>> {
    let leaf = prop_oneof![
        (-(1_i64 << 53)..1 << 53).prop_map(|value| format!(":{value}\r\n").into_bytes()),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| {
            let mut reply = format!("${}\r\n", bytes.len()).into_bytes();
            reply.extend_from_slice(&bytes);
            reply.extend_from_slice(b"\r\n");
            reply
        }),
        "[ -~]{0,20}".prop_map(|text| format!("+{text}\r\n").into_bytes()),
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    let nested = prop::collection::vec(reply(depth - 1), 0..6).prop_map(|elements| {
        let mut reply = format!("*{}\r\n", elements.len()).into_bytes();
        reply.extend(elements.concat());
        reply
    });
    prop_oneof![leaf, nested].boxed()
}

proptest! {
    #[test]
    fn replies_come_back_as_they_went_in(reply in reply(3)) {
        let mut host = Canned { replies: vec![reply.clone()], ..Canned::default() };
        let result = World::new().run(&mut host, "return call('x')").unwrap();
        prop_assert_eq!(result, reply);
    }

    #[test]
    fn whatever_comes_for_a_reply_is_survived(reply: Vec<u8>) {
        let mut host = Canned { replies: vec![reply], ..Canned::default() };
        // What it makes of it is open; a key that is no key is an error.
        let _ = World::new().run(&mut host, "return {try('x'), 1}");
    }
}
