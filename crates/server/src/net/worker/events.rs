//! What the reactor reports and what others write: bytes, ends, room to send, mail.

use ochre_resp::{Protocol, Reply};

use super::Desk;
use super::waits::WaitEnd;
use crate::blocking;
use crate::net::input;
use crate::net::mail::Mail;
use crate::net::output;
use crate::net::reactor::{Chunk, Close, Ended, Fill, Handler, Reactor, Token};
use crate::session::Session;

/// Writes an invalidation: a push message in RESP3; in RESP2 a message on the channel
/// that a client subscribes to in order to get the invalidations of another.
fn push_invalidation(
    session: &Session,
    keys: Option<&[Box<[u8]>]>,
    is_redirected: bool,
    out: &mut Reply,
) {
    const CHANNEL: &[u8] = b"__redis__:invalidate";
    if out.is_resp3() {
        out.push(2);
        out.bulk(b"invalidate");
    } else if is_redirected && session.is_subscriber() {
        out.push(3);
        out.bulk(b"message");
        out.bulk(CHANNEL);
    } else {
        return;
    }
    match keys {
        Some(keys) => {
            out.array(keys.len());
            keys.iter().for_each(|key| out.bulk(key));
        }
        None => out.null(),
    }
}

impl Handler for Desk {
    fn received(&mut self, reactor: &mut Reactor, token: Token, bytes: &[u8]) {
        self.local.stats.reads += 1;
        self.local.stats.input_bytes += bytes.len() as u64;
        self.with(reactor, token, |reader, engine, connection, out| {
            reader.read(engine, connection, bytes, out);
            let limit = engine.live.config.clients.query_buffer_limit_bytes;
            if connection.stash.len() as u64 > limit {
                connection.session.close = true;
                engine
                    .server
                    .query_limit_exceeded(&connection.session.client);
            }
        });
    }

    fn ended(&mut self, reactor: &mut Reactor, token: Token, _why: Ended) {
        if let Some(connection) = self.take(token) {
            // Output of a half-closed connection may still find its reader.
            self.close(reactor, connection, Close::AfterFlush);
        }
    }

    fn drained(&mut self, _reactor: &mut Reactor, token: Token) {
        let Some(slot) = self.connections.get_mut(token.slot() as usize) else {
            return;
        };
        if slot.generation != token.generation() {
            return;
        }
        let Some(connection) = slot.connection.as_mut() else {
            return;
        };
        connection.over_limit_since_ms = None;
        if connection.drawing.is_some() && !connection.is_working {
            connection.is_working = true;
            self.working.push_back(token);
        }
    }

    fn has_work(&self) -> bool {
        !self.working.is_empty()
    }

    fn woken(&mut self, reactor: &mut Reactor) {
        self.local.withholding = self.server.persistence.withholds();
        reactor.withhold(self.local.withholding);
        while let Some(new) = self.mailbox.take_arrival() {
            self.open(reactor, new);
        }
        while let Some(mail) = self.mailbox.take() {
            match mail {
                Mail::Close(token) => {
                    if let Some(connection) = self.take(token) {
                        self.close(reactor, connection, Close::AfterFlush);
                    }
                }
                Mail::Message { to, bytes } => {
                    if let Some(mut connection) = self.take(to) {
                        let chunk = Chunk::Shared(bytes);
                        self.local.stats.output_bytes +=
                            output::put(reactor, to, chunk, &mut connection.drawing);
                        self.deliver(reactor, connection, Reply::new(Protocol::Resp2));
                    }
                }
                Mail::Published { to, message } => self.deliver_published(reactor, &to, &message),
                Mail::Invalidate {
                    to,
                    keys,
                    is_redirected,
                } => {
                    self.push(reactor, to, |session, out| {
                        push_invalidation(session, keys.as_deref(), is_redirected, out);
                    });
                }
                Mail::RedirectBroken { to, redirect } => {
                    self.push(reactor, to, |_, out| {
                        if out.is_resp3() {
                            out.push(2);
                            out.bulk(b"tracking-redir-broken");
                            out.integer(redirect as i64);
                        }
                    });
                }
                Mail::Served {
                    to,
                    wait,
                    reply,
                    tells_of_change,
                } => {
                    // The change may have been made before the disk failed.
                    let withholds = self.server.persistence.withholds_changes();
                    reactor.withhold(tells_of_change && withholds);
                    self.unblock(reactor, to, wait, reply);
                    reactor.withhold(self.local.withholding);
                }
                Mail::Ready { to, ready } => self.with(reactor, to, |_, engine, connection, _| {
                    blocking::serve_key_again(&mut engine.call(&mut connection.session), ready);
                }),
                Mail::Unblock { to, wait, error } => {
                    self.end_wait(reactor, to, WaitEnd::Request { wait, error });
                }
                // The tick ends with a look at those who wait, and at what is withheld.
                Mail::PauseChanged | Mail::Durable => {}
                Mail::Pass(sender) => drop(sender),
                // The tick ends with that.
                Mail::ResumeDeferred(done) => self.deferred_done.extend(done),
                Mail::ConfigChanged => {
                    self.server.refresh(&mut self.generation, &mut self.live);
                }
                Mail::Stop => self.stop = true,
            }
        }
    }

    fn fill(&mut self, token: Token) -> Option<Fill<'_>> {
        let slot = self.connections.get_mut(token.slot() as usize)?;
        if slot.generation != token.generation() {
            return None;
        }
        let connection = slot.connection.as_mut()?;
        if connection.stalled.is_some() {
            return None;
        }
        input::fill(connection).map(|(buffer, want)| Fill { buffer, want })
    }

    fn filled(&mut self, reactor: &mut Reactor, token: Token, added: usize) {
        self.local.stats.reads += 1;
        self.local.stats.input_bytes += added as u64;
        self.with(reactor, token, |reader, engine, connection, out| {
            reader.filled(engine, connection, out);
        });
    }
}
