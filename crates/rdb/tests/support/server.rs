//! A real redis-server, as the judge of what is written and the author of what is
//! read.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A reply of the server.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    Status(String),
    Error(String),
    Integer(i64),
    Bulk(Option<Vec<u8>>),
    Array(Vec<Reply>),
}

impl Reply {
    pub fn bulk(self) -> Vec<u8> {
        match self {
            Reply::Bulk(Some(bytes)) => bytes,
            Reply::Status(text) => text.into_bytes(),
            other => panic!("no string: {other:?}"),
        }
    }

    pub fn array(self) -> Vec<Reply> {
        match self {
            Reply::Array(replies) => replies,
            other => panic!("no array: {other:?}"),
        }
    }

    pub fn bulks(self) -> Vec<Vec<u8>> {
        self.array().into_iter().map(Reply::bulk).collect()
    }
}

/// A running server; it dies with this.
pub struct Server {
    process: Child,
    connection: BufReader<TcpStream>,
}

/// Says, past the capture of the test harness, that a test could not run.
pub fn is_installed(test: &str) -> bool {
    let version = Command::new("redis-server").arg("--version").output();
    if version.is_ok_and(|output| output.status.success()) {
        return true;
    }
    let banner = "#".repeat(72);
    let text = format!(
        "\n{banner}\n# NOT RUN: {test}\n# redis-server is not installed: nothing here was compared \
         with the real one\n{banner}\n"
    );
    std::io::stderr().write_all(text.as_bytes()).unwrap();
    false
}

impl Server {
    /// Starts a server in this folder.
    pub fn start(folder: &Path, arguments: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut process = Command::new("redis-server")
            .args([
                "--port",
                &port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
            ])
            .args([
                "--enable-debug-command",
                "yes",
                "--loglevel",
                "warning",
                "--dir",
            ])
            .arg(folder)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Ok(connection) = TcpStream::connect(("127.0.0.1", port)) {
                connection.set_nodelay(true).unwrap();
                let mut server = Server {
                    process,
                    connection: BufReader::new(connection),
                };
                while !matches!(server.try_command(&["PING"]), Reply::Status(_)) {
                    std::thread::sleep(Duration::from_millis(10));
                }
                return server;
            }
            if process.try_wait().unwrap().is_some() || Instant::now() > deadline {
                let _ = process.kill();
                let mut log = String::new();
                process
                    .stdout
                    .take()
                    .unwrap()
                    .read_to_string(&mut log)
                    .unwrap();
                panic!("redis-server did not start:\n{log}");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Sends a command; an error reply is a failure of the test.
    pub fn command<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> Reply {
        let reply = self.try_command(arguments);
        if let Reply::Error(error) = &reply {
            let name = String::from_utf8_lossy(arguments[0].as_ref());
            panic!("{name}: {error}");
        }
        reply
    }

    pub fn try_command<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> Reply {
        let mut request = format!("*{}\r\n", arguments.len()).into_bytes();
        for argument in arguments {
            let argument = argument.as_ref();
            request.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
            request.extend_from_slice(argument);
            request.extend_from_slice(b"\r\n");
        }
        self.connection.get_mut().write_all(&request).unwrap();
        self.reply()
    }

    fn reply(&mut self) -> Reply {
        let mut line = String::new();
        self.connection.read_line(&mut line).unwrap();
        let line = line.trim_end();
        let (kind, rest) = line.split_at(1);
        match kind {
            "+" => Reply::Status(rest.to_owned()),
            "-" => Reply::Error(rest.to_owned()),
            ":" => Reply::Integer(rest.parse().unwrap()),
            "$" if rest == "-1" => Reply::Bulk(None),
            "$" => {
                let mut bytes = vec![0; rest.parse::<usize>().unwrap() + 2];
                self.connection.read_exact(&mut bytes).unwrap();
                bytes.truncate(bytes.len() - 2);
                Reply::Bulk(Some(bytes))
            }
            "*" => {
                let count = rest.parse::<i64>().unwrap().max(0);
                Reply::Array((0..count).map(|_| self.reply()).collect())
            }
            other => panic!("not a reply: {other:?}"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
