//! Histories recorded against a real server, which executes one command at a time, are
//! linearizable; doctored ones are not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ochre_testkit::linearizability::{Outcome, Verdict, Workload, check, record};
use ochre_testkit::proxy::Proxy;
use ochre_testkit::servers::ServerSpec;

fn workload(seed: u64) -> Workload {
    Workload {
        seed,
        clients: 4,
        operations: 60,
        keys: 4,
        multi_key_percent: 30,
        scripted_percent: 0,
    }
}

#[test]
fn a_real_server_is_linearizable() {
    let server = ServerSpec::redis()
        .unwrap_or_else(|error| panic!("{error}"))
        .start()
        .expect("a server");
    for seed in 0..10 {
        let history = record(server.address(), &workload(seed)).expect("recorded");
        assert_eq!(history.len(), 240);
        assert!(
            history
                .iter()
                .all(|event| event.outcome != Outcome::Unknown)
        );
        assert_eq!(check(&history), Ok(Verdict::Linearizable), "seed {seed}");
    }
}

#[test]
fn a_server_that_loses_one_update_is_caught() {
    let server = ServerSpec::redis()
        .unwrap_or_else(|error| panic!("{error}"))
        .start()
        .expect("a server");
    // Every fiftieth SET … is answered although its effect was undone by nobody knows whom.
    let count = Arc::new(AtomicUsize::new(0));
    let address = server.address().clone();
    let doctor = Arc::new(
        move |args: &[Vec<u8>], frame: &ochre_testkit::resp::Frame| {
            let is_write = args[0] == b"SET" && args.len() == 3 && frame.raw == b"+OK\r\n";
            if is_write && count.fetch_add(1, Ordering::Relaxed) % 5 == 4 {
                let mut connection = ochre_testkit::resp::Connection::open(&address).ok()?;
                connection
                    .command(&[b"DEL".to_vec(), args[1].clone()])
                    .ok()?;
            }
            None
        },
    );
    let proxy = Proxy::start(server.address().clone(), doctor).expect("a proxy");
    let caught = (0..20).any(|seed| {
        let history = record(proxy.address(), &workload(seed)).expect("recorded");
        matches!(check(&history), Ok(Verdict::Impossible { .. }))
    });
    assert!(caught);
}
