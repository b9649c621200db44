//! Lua: conversions both ways, errors, libraries, functions; and every other family's
//! commands called through it.

use super::super::{Bundles, Generator};
use super::{Family, QUEUEABLE};
use crate::differential::{Command, Rule, Step, parse_words, rule_for};

pub(super) const FAMILY: Family = Family {
    common_percent: 20,
    bundles: Some(Bundles {
        percent: 80,
        make: script,
    }),
    ..super::of(
        "scripting",
        &[
            "2 SCRIPT EXISTS E0E1F9FABFC9D4800C877A703B823AC0578FF8DB (number|value)",
            "1 SCRIPT FLUSH [ASYNC|SYNC|NOW]",
            "1 SCRIPT KILL",
            "1 SCRIPT NOSUCH",
            "2 EVALSHA E0E1F9FABFC9D4800C877A703B823AC0578FF8DB (0|1 skey|count)",
            "1 EVALSHA value 0",
            "1 EVAL value count",
            "1 FUNCTION STATS",
            "1 FUNCTION LIST [LIBRARYNAME pattern] [WITHCODE]",
            "1 FUNCTION DELETE (LIB1|NOSUCH)",
            "1 FUNCTION FLUSH [ASYNC|SYNC|NOW]",
            "1 FUNCTION KILL",
            "1 FUNCTION RESTORE value [FLUSH|APPEND|REPLACE]",
            "2 FCALL NOSUCH 0",
        ],
    )
};

/// Scripts that need nothing; each is a whole program.
const PROGRAMS: &[&str] = &[
    "return 1",
    "return 500",
    "return 3.99",
    "return -3.99",
    "return 1e15",
    "return 'text'",
    "return ''",
    "return nil",
    "return true",
    "return false",
    "return {}",
    "return {1,2,3.7,'a'}",
    "return {1,nil,3}",
    "return {1,2,nil,4,{5,'six'},false,true}",
    "return {a=1}",
    "return {1,a=2}",
    "return {ok='fine'}",
    "return {ok=1}",
    "return {err='ERR mine'}",
    "return {err='mine'}",
    "return {err='My Err\\nline'}",
    "return {double=3.14}",
    "return {double=10}",
    "return {map={a=1}}",
    "return {set={a=true}}",
    "return {big_number='12345678901234567890'}",
    "return {verbatim_string={format='txt',string='hello'}}",
    "return redis.status_reply('YES')",
    "return redis.error_reply('NO way')",
    "return redis.error_reply('-NO way')",
    "return redis.status_reply()",
    "return redis.sha1hex('')",
    "return redis.sha1hex('abc')",
    "return redis.sha1hex()",
    "return tostring(0.1)",
    "return tostring(1e100)",
    "return tostring(10/3)",
    "return tostring(1/0)",
    "return tostring(-1/0)",
    "return tostring(2^53)",
    "return tostring(12345678901234567890)",
    "return tonumber('0x10')",
    "return tonumber('abc')",
    "return #'a\\0b'",
    "return string.format('%d %s %5.2f %q', 3, 'x', 1.5, 'q\"')",
    "return string.rep('ab', 3)",
    "return {string.byte('abc', 1, 3)}",
    "return string.gsub('hello', 'l', 'L')",
    "return {string.find('hello', 'l+')}",
    "local t = {3,1,2}; table.sort(t); return t",
    "return table.concat({1,2,3}, ',')",
    "return math.floor(3.7)",
    "return math.max(1,5,3)",
    "return unpack({1,2,3})",
    "return type(redis)",
    "return type(KEYS) .. type(ARGV)",
    "return select('#', 1, 2, 3)",
    "return pcall(function() error('x') end)",
    "return {pcall(error, 'text')}",
    "return {pcall(function() error({err='ERR t'}) end)}",
    "error('boom')",
    "error({err='ERR table'})",
    "error()",
    "return nosuchglobal",
    "x = 1",
    "return redis.nosuch",
    "redis.call()",
    "redis.call('nosuch')",
    "redis.call('get')",
    "redis.call('get', 's1', 'b')",
    "redis.call('get', {})",
    "redis.call('get', nil)",
    "return redis.call('get', 's1')",
    "return redis.pcall('incr', 'l1')",
    "return redis.pcall('nosuch').err",
    "return redis.call('incr', 'l1')",
    "redis.call('set', 's1', 1); error('after a write')",
    "return redis.call('set', 's1', 1.5)",
    "return redis.call('set', 's1', 1e20)",
    "return redis.call('set', 's1', true)",
    "return {redis.call('set', 's1', 'v'), redis.call('get', 's1')}",
    "return redis.call('ping')",
    "return redis.call('multi')",
    "return redis.call('subscribe', 'x')",
    "return redis.call('blpop', 'nolist', 0.01)",
    "return redis.call('select', 1)",
    "return redis.call('eval', 'return 1', 0)",
    "return redis.call('hgetall', 'nohash')",
    "redis.setresp(3); return redis.call('hgetall', 'nohash')",
    "redis.setresp(3); return redis.call('get', 'nokey')",
    "redis.setresp(3); return redis.call('zscore', 'z1', 'a')",
    "redis.setresp(3); redis.call('hset', 'hh', 'f', 'v'); return redis.call('hgetall', 'hh').map.f",
    "redis.setresp(4)",
    "redis.setresp()",
    "redis.setresp(2); return 1",
    "return redis.replicate_commands()",
    "redis.set_repl(redis.REPL_ALL); return redis.REPL_NONE",
    "redis.set_repl(99)",
    "return redis.LOG_WARNING",
    "redis.log(redis.LOG_DEBUG, 'x')",
    "redis.log('x')",
    "return redis.acl_check_cmd('get', 's1')",
    "return redis.acl_check_cmd('nosuch')",
    "return cjson.encode({1,2,3})",
    "return cjson.encode({a=1})",
    "return cjson.encode({})",
    "return cjson.encode({1.5,'x',true,false,cjson.null})",
    "return cjson.encode('a\"b\\0\\n\\200')",
    "return cjson.encode(0.1)",
    "return cjson.encode(1e300)",
    "return cjson.encode(1/0)",
    "return cjson.decode('[1,2,{\"a\":[]}]')[3].a",
    "return cjson.decode('{\"a\":1.5,\"b\":null}').a",
    "return cjson.decode('[1,')",
    "return cjson.decode('\"\\\\u00e9\"')",
    "return cjson.decode('nope')",
    "return cmsgpack.pack(1, 'a', {1,2})",
    "return cmsgpack.pack({a=1})",
    "return cmsgpack.pack(1.5, -1, 70000, 2^40, nil, true)",
    "return {cmsgpack.unpack(cmsgpack.pack({1,{2,'x'}},'z'))}",
    "return cmsgpack.unpack('\\193')",
    "return struct.pack('>I2i4s', 1, -2, 'abc')",
    "return {struct.unpack('<I2', 'ab')}",
    "return struct.size('>i4i8')",
    "return struct.unpack('>I4', 'ab')",
    "return bit.band(0xff, 0x0f)",
    "return {bit.bor(1,2), bit.bxor(5,3), bit.bnot(0), bit.lshift(1,31), bit.rshift(-1,28), bit.arshift(-8,1)}",
    "return bit.tohex(255)",
    "return {bit.rol(0x12345678,8), bit.ror(0x12345678,8), bit.bswap(1), bit.tobit(2^32)}",
    "return loadstring('return 1+1')()",
    "return load(function() return nil end)",
    "return dofile",
    "return print",
    "return os.time",
    "return type(os.clock())",
    "return io",
    "return require",
    "return getmetatable('')",
    "return setmetatable({}, {__index=function() return 1 end}).x",
    "return rawget(_G, 'redis') == redis",
    "_G.x = 1",
    "redis.call = nil",
    "local function f(n) return f(n + 1) end return f",
    "return (function(...) return {...} end)(1, 'b')",
    "return string.dump",
    "syntax error here",
    "return 'unclosed",
    "#!lua\nreturn 1",
    "#!lua flags=no-writes\nreturn redis.call('set', 's1', 1)",
    "#!lua flags=no-writes\nreturn redis.call('get', 's1')",
    "#!lua flags=allow-oom,allow-stale,no-cluster,allow-cross-slot-keys\nreturn 1",
    "#!lua flags=nosuch\nreturn 1",
    "#!lua name=x\nreturn 1",
    "#!python\nreturn 1",
    "#!lua",
    "return KEYS",
    "return ARGV",
    "return {KEYS[1], ARGV[1], #KEYS, #ARGV}",
    "return {KEYS[1], KEYS[2]}",
    "return redis.call('get', KEYS[1])",
    "return redis.call('set', KEYS[1], ARGV[1])",
    "for i = 1, 5 do redis.call('rpush', KEYS[1] or 'l1', i) end return redis.call('lrange', KEYS[1] or 'l1', 0, -1)",
    "return redis.call('zadd', 'z1', 1.1, 'a', 2, 'b')",
    "return redis.call('zrange', 'z1', 0, -1, 'withscores')",
];

const LIBRARIES: &[&str] = &[
    "#!lua name=LIB1\nredis.register_function('f1', function(keys, args) return {keys, args} end)",
    "#!lua name=LIB1\nredis.register_function{function_name='f1', callback=function(keys, args) return redis.call('get', 's1') end, flags={'no-writes'}}\nredis.register_function('f2', function() return redis.call('incr', 'counter') end)",
    "#!lua name=LIB2\nlocal n = 7\nredis.register_function('g1', function() return n end)",
    "#!lua name=LIB3\nredis.register_function('bad name', function() end)",
    "#!lua name=LIB4\nreturn 1",
    "#!lua name=LIB5\nredis.register_function('h', 'notafunction')",
    "#!lua name=bad-name\nredis.register_function('h', function() end)",
    "#!lua\nredis.register_function('h', function() end)",
    "#!nosuch name=LIB6\nx",
    "redis.register_function('h', function() end)",
    "#!lua name=LIB7\nredis.call('set', 's1', 1)",
    "#!lua name=LIB8\nsyntax error",
    "#!lua name=LIB9\nredis.register_function{function_name='k', callback=function() end, flags={'nosuch'}}",
];

fn script(generator: &mut Generator) -> Vec<Step> {
    let mut args: Command = Vec::new();
    let say = |args: &mut Command, words: &str| args.extend(parse_words(words).unwrap_or_default());
    let rng = &mut generator.rng;
    match rng.below(10) {
        0 => {
            say(
                &mut args,
                rng.pick::<&str>(&[
                    "FUNCTION LOAD",
                    "FUNCTION LOAD REPLACE",
                    "FUNCTION LOAD NOSUCH",
                ]),
            );
            args.push(rng.pick(LIBRARIES).as_bytes().to_vec());
        }
        1 => say(
            &mut args,
            rng.pick::<&str>(&[
                "FCALL f1 1 s1 x",
                "FCALL f2 0",
                "FCALL_RO f1 0 a",
                "FCALL_RO f2 0",
                "FCALL g1 0",
                "FCALL f1 abc",
                "FCALL f1 -1",
                "FCALL f1 9",
            ]),
        ),
        2 => {
            say(&mut args, "SCRIPT LOAD");
            args.push(rng.pick(PROGRAMS).as_bytes().to_vec());
        }
        3..=6 => {
            say(
                &mut args,
                rng.pick::<&str>(&["EVAL", "EVAL", "EVAL", "EVAL_RO"]),
            );
            args.push(rng.pick(PROGRAMS).as_bytes().to_vec());
            say(
                &mut args,
                rng.pick::<&str>(&[
                    "0",
                    "0",
                    "0",
                    "0 a b",
                    "1 s1 v",
                    "2 s1 l1 x y",
                    "1 l2 1",
                    "-1",
                    "abc",
                    "3 a",
                    "",
                    "1",
                ]),
            );
        }
        _ => {
            let call = *rng.pick(&[
                "return redis.call(unpack(ARGV))",
                "return redis.pcall(unpack(ARGV))",
                "redis.setresp(3) return redis.call(unpack(ARGV))",
            ]);
            say(&mut args, "EVAL");
            args.push(call.as_bytes().to_vec());
            args.push(b"0".to_vec());
            args.extend(called(generator));
        }
    }
    vec![Step::command(args)]
}

/// A command whose reply is the same on two right servers: order and chance would not
/// survive the way through Lua for the tester to see.
fn called(generator: &mut Generator) -> Command {
    loop {
        let family = *generator.rng.pick(QUEUEABLE);
        let command = generator.plain_command(family);
        if rule_for(&command) == Rule::Exact {
            return command;
        }
    }
}
