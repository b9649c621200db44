//! Messages over the wire, on four workers: whoever is subscribed gets every message
//! once, in the order in which its publisher sent it.

use std::collections::HashMap;
use std::thread;
use std::time::Duration;

use ochre_testkit::resp::{Connection, Protocol, Reply};
use ochre_testkit::servers::{Server, ServerSpec};

const PUBLISHERS: usize = 4;
const MESSAGES: usize = 400;
const CHANNELS: [&str; 3] = ["news:a", "news:b", "other"];
const PATIENCE: Duration = Duration::from_secs(20);

fn start() -> Server {
    ServerSpec::ochre(env!("CARGO_BIN_EXE_ochre"))
        .with_args(["--io-threads", "4"])
        .start()
        .unwrap_or_else(|error| panic!("{error}"))
}

/// How many copies of a message a channel brings.
type Copies = fn(&str) -> usize;

/// What somebody subscribes to.
struct Listener {
    connection: Connection,
    copies: Copies,
}

fn subscribe(server: &Server, protocol: Protocol, lines: &[&str]) -> Connection {
    let mut connection = server.connect_with(protocol).expect("a connection");
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        connection.send(&words).expect("sent");
        for _ in 1..words.len() {
            connection.read_any(PATIENCE).expect("a confirmation");
        }
    }
    connection
}

fn listeners(server: &Server) -> Vec<Listener> {
    let mut all = Vec::new();
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let kinds: [(&[&str], Copies); 4] = [
            (&["SUBSCRIBE news:a news:b other"], |_| 1),
            (&["PSUBSCRIBE news:*"], |channel| {
                usize::from(channel.starts_with("news:"))
            }),
            (
                &["SUBSCRIBE news:a", "PSUBSCRIBE * news:?"],
                |channel| match channel {
                    "news:a" => 3,
                    "news:b" => 2,
                    _ => 1,
                },
            ),
            (&["SUBSCRIBE other"], |channel| {
                usize::from(channel == "other")
            }),
        ];
        for (lines, copies) in kinds {
            all.push(Listener {
                connection: subscribe(server, protocol, lines),
                copies,
            });
        }
    }
    all
}

/// Channel and text of a message.
fn message(reply: &Reply) -> (String, String) {
    let parts = match reply {
        Reply::Array(parts) | Reply::Push(parts) => parts,
        other => panic!("no message: {other:?}"),
    };
    let text = |at: usize| {
        let bytes = parts[at].text().unwrap_or_else(|| panic!("{reply:?}"));
        String::from_utf8_lossy(bytes).into_owned()
    };
    match text(0).as_str() {
        "message" | "smessage" => (text(1), text(2)),
        "pmessage" => (text(2), text(3)),
        other => panic!("no message: {other}"),
    }
}

fn channel_of(publisher: usize, number: usize) -> &'static str {
    CHANNELS[(publisher + number) % CHANNELS.len()]
}

/// Reads everything that is due and checks count and order.
fn listen(mut listener: Listener) {
    let due: usize = (0..PUBLISHERS)
        .flat_map(|publisher| (0..MESSAGES).map(move |number| channel_of(publisher, number)))
        .map(listener.copies)
        .sum();
    // By publisher: the number of its last message, and how often that came.
    let mut last: HashMap<String, (usize, usize)> = HashMap::new();
    for _ in 0..due {
        let frame = listener.connection.read_any(PATIENCE).expect("a message");
        let (channel, text) = message(&frame.reply);
        let (publisher, number) = text.split_once(':').expect("as published");
        let number: usize = number.parse().expect("as published");
        let seen = last.entry(publisher.to_owned()).or_insert((number, 0));
        if seen.0 != number {
            assert!(seen.0 < number, "{text} after {seen:?}");
            let complete = (listener.copies)(channel_of(publisher.parse().unwrap(), seen.0));
            assert_eq!(seen.1, complete, "copies of {publisher}:{}", seen.0);
            *seen = (number, 0);
        }
        seen.1 += 1;
        assert_eq!(channel, channel_of(publisher.parse().unwrap(), number));
    }
    // Nothing comes beyond what was due: the next frame answers this.
    listener.connection.send(&["PING", "end"]).expect("sent");
    let frame = listener.connection.read_any(PATIENCE).expect("a reply");
    let end = match &frame.reply {
        Reply::Array(parts) => parts[1].text().map(<[u8]>::to_vec),
        reply => reply.text().map(<[u8]>::to_vec),
    };
    assert_eq!(end.as_deref(), Some(&b"end"[..]), "{:?}", frame.reply);
}

#[test]
fn every_subscriber_gets_every_message_once_and_in_order() {
    let server = start();
    let listeners = listeners(&server);
    let reach: HashMap<&str, i64> = CHANNELS
        .iter()
        .map(|channel| {
            let copies = listeners.iter().map(|listener| (listener.copies)(channel));
            (*channel, copies.sum::<usize>() as i64)
        })
        .collect();
    thread::scope(|scope| {
        for listener in listeners {
            scope.spawn(move || listen(listener));
        }
        for publisher in 0..PUBLISHERS {
            let (mut connection, reach) = (server.connect().expect("a connection"), &reach);
            scope.spawn(move || {
                let numbers: Vec<usize> = (0..MESSAGES).collect();
                // One by one, in pipelines, and from scripts and transactions.
                for batch in numbers.chunks(10) {
                    publish(&mut connection, publisher, batch, reach);
                }
            });
        }
    });
}

fn publish(
    connection: &mut Connection,
    publisher: usize,
    numbers: &[usize],
    reach: &HashMap<&str, i64>,
) {
    const BODY: &str = "return redis.call('PUBLISH', ARGV[1], ARGV[2])";
    let line = |number: usize| {
        let (channel, text) = (
            channel_of(publisher, number),
            format!("{publisher}:{number}"),
        );
        match number / 10 % 2 {
            0 => vec!["PUBLISH".to_owned(), channel.to_owned(), text],
            _ => ["EVAL", BODY, "0", channel, &text]
                .map(str::to_owned)
                .to_vec(),
        }
    };
    let mut commands: Vec<Vec<String>> = numbers.iter().map(|&number| line(number)).collect();
    let is_transaction = numbers[0] / 10 % 3 == 2;
    if is_transaction {
        commands.insert(0, vec!["MULTI".to_owned()]);
        commands.push(vec!["EXEC".to_owned()]);
    }
    let mut replies = connection.pipeline(&commands).expect("replies");
    if is_transaction {
        let executed = replies.pop().expect("one of EXEC");
        replies = executed.elements().expect("an array").to_vec();
    }
    for (&number, reply) in numbers.iter().zip(&replies) {
        let expected = reach[channel_of(publisher, number)];
        assert_eq!(*reply, Reply::Integer(expected), "{publisher}:{number}");
    }
}

#[test]
fn sharded_channels_reach_every_worker_in_order() {
    let server = start();
    let mut listeners: Vec<Connection> = (0..6)
        .map(|_| subscribe(&server, Protocol::Resp2, &["SSUBSCRIBE shard"]))
        .collect();
    let mut publisher = server.connect().expect("a connection");
    for number in 0..200 {
        let reply = publisher.command(&["SPUBLISH", "shard", &number.to_string()]);
        assert_eq!(reply.expect("a reply"), Reply::Integer(6));
    }
    for listener in &mut listeners {
        for number in 0..200 {
            let frame = listener.read_any(PATIENCE).expect("a message");
            let expected = ("shard".to_owned(), number.to_string());
            assert_eq!(message(&frame.reply), expected);
        }
    }
}
