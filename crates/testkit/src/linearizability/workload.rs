//! Threads, each on a connection of its own, that hammer a few keys and record what
//! they see.

use std::sync::Barrier;
use std::time::Instant;

use super::history::{History, Recorder};
use super::model::Operation;
use crate::resp::{Connection, WireError};
use crate::rng::Rng;
use crate::servers::Address;

/// What is recorded.
#[derive(Debug, Clone)]
pub struct Workload {
    /// Names the operations; their interleaving is the machine's.
    pub seed: u64,
    /// Threads, each with a connection.
    pub clients: usize,
    /// Operations of each.
    pub operations: usize,
    /// Keys that all share, below a name that no other history has used.
    pub keys: usize,
    /// Of a hundred operations, how many take several keys.
    pub multi_key_percent: usize,
    /// Of a hundred operations, how many are scripts of several calls.
    pub scripted_percent: usize,
}

/// Records a history against a server. Keys carry the seed, so that every history begins
/// with none of its keys there.
///
/// # Errors
/// [`WireError`] when a connection cannot be opened.
pub fn record(address: &Address, workload: &Workload) -> Result<History, WireError> {
    let connections: Vec<Connection> = (0..workload.clients)
        .map(|_| Connection::open(address))
        .collect::<Result<_, _>>()?;
    let start = Instant::now();
    let barrier = Barrier::new(workload.clients);
    let histories = std::thread::scope(|scope| {
        let threads: Vec<_> = connections
            .into_iter()
            .enumerate()
            .map(|(client, mut connection)| {
                let barrier = &barrier;
                scope.spawn(move || {
                    let mut rng = Rng::seeded(Rng::derived(workload.seed, client as u64).next());
                    let mut recorder = Recorder::new(client, start);
                    barrier.wait();
                    for number in 0..workload.operations {
                        let operation =
                            operation(&mut rng, workload, &format!("{client}.{number}"));
                        if !recorder.perform(&mut connection, operation) {
                            break;
                        }
                    }
                    recorder.finish()
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_default())
            .collect::<Vec<_>>()
    });
    Ok(histories.concat())
}

fn operation(rng: &mut Rng, workload: &Workload, unique: &str) -> Operation {
    let key = |rng: &mut Rng| format!("lin:{}:{}", workload.seed, rng.below(workload.keys));
    if rng.chance(workload.scripted_percent) {
        let (first, second) = (key(rng), key(rng));
        return match rng.below(2) {
            0 => Operation::ScriptedIncr(first, second),
            _ => Operation::ScriptedExchange(first, second),
        };
    }
    if rng.chance(workload.multi_key_percent) {
        let (first, second) = (key(rng), key(rng));
        return match rng.below(6) {
            0 | 1 => Operation::GetMany(vec![first, second, key(rng)]),
            2 | 3 => Operation::SetMany(vec![(first, unique.into()), (second, unique.into())]),
            4 => Operation::Rename(first, second),
            _ => Operation::Delete(vec![first, second]),
        };
    }
    let key = key(rng);
    match rng.below(12) {
        0 | 1 => Operation::Get(key),
        2 => Operation::Set(key, unique.into()),
        3 => Operation::SetGet(key, unique.into()),
        4 => Operation::GetSet(key, unique.into()),
        5 => Operation::SetIfAbsent(key, unique.into()),
        6 => Operation::Delete(vec![key]),
        7 | 8 => Operation::Incr(key),
        9 | 10 => Operation::Push(key, unique.into()),
        _ => Operation::Pop(key),
    }
}
