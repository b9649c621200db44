//! The request parser: any bytes, in any pieces, give the same requests or the same
//! error, and never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ochre_resp::{Limits, Missing, Parser, ProtocolError, Span, Status};

type Outcome = (Vec<Vec<Vec<u8>>>, Option<ProtocolError>);

/// Parses `input`, shown to the parser `step` bytes more at a time.
fn parse(input: &[u8], step: usize, limits: &Limits) -> Outcome {
    let mut parser = Parser::default();
    let mut spans: Vec<Span> = Vec::new();
    let mut requests = Vec::new();
    let mut end = 0;
    loop {
        let seen = &input[..end];
        loop {
            match parser.parse(seen, &mut spans, limits) {
                Ok(Status::Incomplete) => break,
                Ok(Status::Complete) => {
                    requests.push(spans.drain(..).map(|span| span.of(seen).to_vec()).collect());
                }
                Ok(Status::CompleteInline) => {
                    let words = parser.scratch();
                    requests.push(spans.drain(..).map(|span| span.of(words).to_vec()).collect());
                }
                Err(error) => return (requests, Some(error)),
            }
        }
        if let Missing::Bytes(bytes) = parser.missing(end) {
            assert!(bytes > 0, "waits for nothing");
        }
        if end == input.len() {
            return (requests, None);
        }
        end = (end + step).min(input.len());
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&first, input)) = data.split_first() else {
        return;
    };
    let limits = if first & 1 == 0 {
        Limits::authenticated(1 << 20)
    } else {
        Limits::unauthenticated()
    };
    let whole = parse(input, input.len().max(1), &limits);
    let pieces = parse(input, 1 + usize::from(first >> 1), &limits);
    assert_eq!(whole, pieces);
});
