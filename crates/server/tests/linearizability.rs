//! Histories of single- and multi-key commands from several connections, executed by
//! several workers: some serial order that respects real time must explain each.

use ochre_testkit::linearizability::{Outcome, Verdict, Workload, check, record};
use ochre_testkit::servers::{Listen, ServerSpec};

fn ochre() -> ServerSpec {
    ServerSpec::ochre(env!("CARGO_BIN_EXE_ochre")).with_args(["--io-threads", "4"])
}

fn check_histories(spec: &ServerSpec, workloads: impl Iterator<Item = Workload>) {
    let server = spec.start().unwrap_or_else(|error| panic!("{error}"));
    for workload in workloads {
        let history = record(server.address(), &workload).expect("a recorded history");
        let unknown = history
            .iter()
            .filter(|event| event.outcome == Outcome::Unknown)
            .count();
        assert_eq!(
            unknown,
            0,
            "a connection was lost; the log:\n{}",
            server.log()
        );
        match check(&history) {
            Ok(Verdict::Linearizable) => {}
            Ok(Verdict::Impossible { events, explained }) => {
                let lines: Vec<String> = events.iter().map(|event| format!("{event:?}")).collect();
                panic!(
                    "{workload:?}: at most {explained} are explained of\n{}",
                    lines.join("\n")
                );
            }
            Err(error) => panic!("{workload:?}: {error}"),
        }
    }
}

fn workload(seed: u64) -> Workload {
    Workload {
        seed,
        clients: 6,
        operations: 60,
        keys: 5,
        multi_key_percent: 30,
        scripted_percent: 0,
    }
}

#[test]
fn mixed_operations() {
    check_histories(&ochre(), (0..40).map(workload));
}

#[test]
fn single_keys_under_the_greatest_contention() {
    check_histories(
        &ochre(),
        (100..130).map(|seed| Workload {
            keys: 1,
            clients: 8,
            operations: 40,
            multi_key_percent: 0,
            ..workload(seed)
        }),
    );
}

#[test]
fn mostly_several_keys() {
    check_histories(
        &ochre(),
        (200..230).map(|seed| Workload {
            multi_key_percent: 80,
            keys: 3,
            ..workload(seed)
        }),
    );
}

#[test]
fn scripts_and_plain_clients() {
    check_histories(
        &ochre(),
        (400..430).map(|seed| Workload {
            scripted_percent: 40,
            keys: 3,
            ..workload(seed)
        }),
    );
}

#[test]
fn over_epoll_and_a_unix_socket() {
    let spec = ochre()
        .with_args(["--reactor", "epoll"])
        .listening_on(Listen::Unix);
    check_histories(&spec, (300..315).map(workload));
}
