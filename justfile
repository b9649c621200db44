# The front door: `just` lists what people do here.

default:
    @just --list

# Start a server with the defaults of redis-server.
run *ARGS:
    cargo run --release -- {{ARGS}}

# All tests. Needs redis-server and python3 on the PATH; says so loudly where they are missing.
test:
    cargo test --workspace

# Formatting and lints, warnings denied.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# Compare with redis-server, side by side: see bench/README.md.
compare *ARGS:
    cargo xtask compare {{ARGS}}

# Run generated commands on redis-server and on Ochre and compare the replies.
differential *ARGS:
    cargo build -p ochre-server
    cargo run -p ochre-testkit --example differential -- --subject target/debug/ochre {{ARGS}}

# Kill a server under load again and again and look what it has kept: see README.md.
crash *ARGS:
    cargo build --release -p ochre-server
    cargo run --release -p ochre-testkit --example crash -- --subject target/release/ochre {{ARGS}}

# Fuzz a target (needs nightly and cargo-fuzz): request, packed, dump, restore or aof; as in
# `just fuzz restore -- -max_total_time=300`.
fuzz TARGET *ARGS:
    cargo +nightly fuzz run {{TARGET}} {{ARGS}}

# The unsafe code under valgrind: table, blobs, entries (small cases, a few minutes).
valgrind:
    #!/usr/bin/env bash
    set -euo pipefail
    for crate in ochre-structures ochre-store; do
        binary=$(cargo test -p $crate --lib --no-run --message-format=json 2>/dev/null \
            | grep -o '"executable":"[^"]*"' | tail -n 1 | cut -d '"' -f 4)
        for filter in table:: blob:: entry::; do
            PROPTEST_CASES=2 valgrind --quiet --error-exitcode=9 --leak-check=full \
                --errors-for-leak-kinds=definite "$binary" "$filter" --test-threads=1
        done
    done

# The unsafe code under Miri (needs a nightly toolchain with the miri component).
miri:
    MIRIFLAGS=-Zmiri-disable-isolation PROPTEST_CASES=4 cargo +nightly miri test -p ochre-structures -p ochre-store --lib table:: blob:: entry::

# Licences and advisories of the dependencies (needs cargo-deny).
deny:
    cargo deny check
