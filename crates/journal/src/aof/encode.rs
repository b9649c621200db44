//! Commands as the append-only file holds them.
//!
//! ```text
//! *2\r\n $3\r\n GET\r\n $3\r\n key\r\n        a command: count, and length and bytes of each
//! #TS:1700000000\r\n                          an annotation: seconds since 1970
//! ```

/// The command that begins a transaction.
pub const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";

/// The command that ends a transaction.
pub const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";

/// Appends a command with these arguments, the first of which is its name.
pub fn append_command<A: AsRef<[u8]>>(output: &mut Vec<u8>, arguments: &[A]) {
    // A head is seldom longer than eight bytes; two more end the argument.
    let bytes: usize = arguments.iter().map(|one| one.as_ref().len() + 10).sum();
    output.reserve(bytes + 8);
    append_number(output, b'*', arguments.len() as u64);
    for argument in arguments {
        let argument = argument.as_ref();
        append_number(output, b'$', argument.len() as u64);
        output.extend_from_slice(argument);
        output.extend_from_slice(b"\r\n");
    }
}

/// Appends the command that selects a database.
pub fn append_select(output: &mut Vec<u8>, database: u32) {
    let mut digits = itoa::Buffer::new();
    append_command(
        output,
        &[&b"SELECT"[..], digits.format(database).as_bytes()],
    );
}

/// Appends an annotation: what follows was done at this time or later.
pub fn append_timestamp(output: &mut Vec<u8>, unix_seconds: i64) {
    output.extend_from_slice(b"#TS:");
    output.extend_from_slice(itoa::Buffer::new().format(unix_seconds).as_bytes());
    output.extend_from_slice(b"\r\n");
}

fn append_number(output: &mut Vec<u8>, kind: u8, number: u64) {
    // Nearly all counts and lengths have one or two digits.
    match number {
        0..10 => output.extend_from_slice(&[kind, b'0' + number as u8, b'\r', b'\n']),
        10..100 => {
            let (tens, ones) = (number as u8 / 10, number as u8 % 10);
            output.extend_from_slice(&[kind, b'0' + tens, b'0' + ones, b'\r', b'\n']);
        }
        _ => {
            output.push(kind);
            output.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
            output.extend_from_slice(b"\r\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_what_redis_writes() {
        let mut output = Vec::new();
        append_select(&mut output, 13);
        append_timestamp(&mut output, 1_700_000_000);
        append_command(&mut output, &["SET", "", "b\r\n"]);
        let expected = "*2\r\n$6\r\nSELECT\r\n$2\r\n13\r\n#TS:1700000000\r\n\
                        *3\r\n$3\r\nSET\r\n$0\r\n\r\n$3\r\nb\r\n\r\n";
        assert_eq!(String::from_utf8(output).unwrap(), expected);
        for (text, constant) in [("MULTI", MULTI), ("EXEC", EXEC)] {
            let mut output = Vec::new();
            append_command(&mut output, &[text]);
            assert_eq!(output, constant);
        }
    }

    #[test]
    fn lengths_of_any_number_of_digits() {
        for length in [0, 9, 10, 99, 100, 101, 12_345] {
            let mut output = Vec::new();
            append_command(&mut output, &[vec![b'x'; length]]);
            let expected = format!("*1\r\n${length}\r\n{}\r\n", "x".repeat(length));
            assert_eq!(String::from_utf8(output).unwrap(), expected);
        }
    }
}
