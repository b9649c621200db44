//! What INFO counts. Each worker counts for itself, without sharing cache lines, and
//! merges into the common figures at the end of a tick.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use hdrhistogram::Histogram;
use parking_lot::Mutex;

use crate::rates::Rate;
use crate::server::Server;

/// The figures of one command.
#[derive(Debug, Default, Clone)]
pub struct CommandStats {
    pub calls: u64,
    pub microseconds: u64,
    pub rejected_calls: u64,
    pub failed_calls: u64,
    /// Nanoseconds per call, while `latency-tracking` is on.
    pub latency: Option<Box<Histogram<u64>>>,
}

/// Bounds and precision of the latency histograms, as Redis has them: 1 ns to 1 s, two
/// significant figures.
const LATENCY_MAX_NS: u64 = 1_000_000_000;
const LATENCY_FIGURES: u8 = 2;

/// Most errors by code that are told apart (`errorstats`); beyond, they are not counted
/// one by one, as texts of scripts could make any number.
const ERROR_CODES_MAX: usize = 128;

/// Latencies that a thread keeps before it merges them: microseconds of work.
const SAMPLES_MAX: usize = 1024;

/// The common figures.
#[derive(Debug)]
pub struct Stats {
    commands: Mutex<Vec<CommandStats>>,
    errors: Mutex<BTreeMap<Vec<u8>, u64>>,
    pub counters: Counters,
    pub rates: Rates,
    recent: Mutex<RecentTicks>,
}

/// The workers' ticks, as they were looked at last and in the time before that.
#[derive(Debug, Default)]
struct RecentTicks {
    seen_at_ms: i64,
    seen: (u64, u64),
    per_second: u64,
    mean_us: u64,
}

/// What happens just now, per second.
#[derive(Debug, Default)]
pub struct Rates {
    pub commands: Rate,
    pub input_bytes: Rate,
    pub output_bytes: Rate,
}

/// Declares plain counters.
macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// Plain counters, shared by all threads.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[$doc])* pub $name: AtomicU64,)*
        }

        impl Counters {
            /// CONFIG RESETSTAT.
            fn reset(&self) {
                $(self.$name.store(0, Ordering::Relaxed);)*
            }
        }
    };
}

counters! {
    commands,
    keyspace_hits,
    keyspace_misses,
    expired_keys,
    evicted_keys,
    evicted_clients,
    evicted_scripts,
    input_bytes,
    output_bytes,
    error_replies,
    output_limit_disconnections,
    query_limit_disconnections,
    total_connections,
    rejected_connections,
    acl_denied_auth,
    acl_denied_command,
    acl_denied_key,
    acl_denied_channel,
    expire_microseconds,
    ticks,
    tick_microseconds,
    command_microseconds,
    reads,
    writes,
    lazy_expired_keys,
    unexpected_errors,
}

/// Adds to a counter.
pub fn add(counter: &AtomicU64, amount: u64) {
    if amount > 0 {
        counter.fetch_add(amount, Ordering::Relaxed);
    }
}

impl Stats {
    pub fn new(commands: usize) -> Self {
        Self {
            commands: Mutex::new(vec![CommandStats::default(); commands]),
            errors: Mutex::new(BTreeMap::new()),
            counters: Counters::default(),
            rates: Rates::default(),
            recent: Mutex::default(),
        }
    }

    /// Notes how many ticks the workers made since this was called last, which is to be
    /// about a second ago.
    pub fn look_at_ticks(&self, now_ms: i64) {
        let count = self.counters.ticks.load(Ordering::Relaxed);
        let spent_us = self.counters.tick_microseconds.load(Ordering::Relaxed);
        let mut recent = self.recent.lock();
        // The counters may have been reset meanwhile.
        let ticks = count.saturating_sub(recent.seen.0);
        let passed_ms = (now_ms - recent.seen_at_ms).max(1) as u64;
        recent.per_second = ticks * 1000 / passed_ms;
        recent.mean_us = spent_us.saturating_sub(recent.seen.1) / ticks.max(1);
        recent.seen = (count, spent_us);
        recent.seen_at_ms = now_ms;
    }

    /// The workers' ticks per second just now, and how many microseconds one takes.
    pub fn recent_ticks(&self) -> (u64, u64) {
        let recent = self.recent.lock();
        (recent.per_second, recent.mean_us)
    }

    /// The figures of each command by id, as of the last merges.
    pub fn commands(&self) -> Vec<CommandStats> {
        self.commands.lock().clone()
    }

    /// Error replies by code.
    pub fn errors(&self) -> Vec<(Vec<u8>, u64)> {
        self.errors
            .lock()
            .iter()
            .map(|(code, n)| (code.clone(), *n))
            .collect()
    }

    /// Counts one error reply.
    pub fn count_error(&self, code: &[u8]) {
        self.counters.error_replies.fetch_add(1, Ordering::Relaxed);
        let mut errors = self.errors.lock();
        if let Some(count) = errors.get_mut(code) {
            *count += 1;
        } else if errors.len() < ERROR_CODES_MAX {
            errors.insert(code.to_vec(), 1);
        }
    }

    /// CONFIG RESETSTAT.
    pub fn reset(&self) {
        self.commands.lock().fill(CommandStats::default());
        self.errors.lock().clear();
        self.counters.reset();
        for rate in [
            &self.rates.commands,
            &self.rates.input_bytes,
            &self.rates.output_bytes,
        ] {
            rate.reset();
        }
    }

    /// LATENCY RESET-like clearing of nothing but the latency histograms of commands.
    pub fn reset_latency(&self) {
        for stats in self.commands.lock().iter_mut() {
            stats.latency = None;
        }
    }
}

/// One worker's figures since the last merge.
#[derive(Debug)]
pub struct LocalStats {
    commands: Vec<LocalCommand>,
    /// Ids with figures to merge.
    dirty: Vec<u16>,
    samples: Vec<(u16, u32)>,
    pub hits: u64,
    pub misses: u64,
    pub expired: u64,
    /// Changes of the dataset.
    pub changes: u64,
    pub calls: u64,
    /// Bytes received and sent, and how often.
    pub input_bytes: u64,
    pub output_bytes: u64,
    pub reads: u64,
    pub writes: u64,
}

#[derive(Debug, Default, Clone, Copy)]
struct LocalCommand {
    calls: u64,
    nanoseconds: u64,
    rejected: u32,
    failed: u32,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Ok,
    Failed,
}

impl LocalStats {
    pub fn new(commands: usize) -> Self {
        Self {
            commands: vec![LocalCommand::default(); commands],
            dirty: Vec::new(),
            samples: Vec::new(),
            hits: 0,
            misses: 0,
            expired: 0,
            changes: 0,
            calls: 0,
            input_bytes: 0,
            output_bytes: 0,
            reads: 0,
            writes: 0,
        }
    }

    /// Counts one call.
    #[inline]
    pub fn called(&mut self, id: u16, nanoseconds: u64, ending: Ending, track_latency: bool) {
        let command = self.touch(id);
        command.calls += 1;
        command.nanoseconds += nanoseconds;
        command.failed += u32::from(ending == Ending::Failed);
        self.calls += 1;
        if track_latency {
            self.samples
                .push((id, u32::try_from(nanoseconds).unwrap_or(u32::MAX)));
        }
    }

    /// Whether there is so much to merge that it should be done before the tick ends: a
    /// script may call any number of commands, and merging keeps others from theirs.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.samples.len() >= SAMPLES_MAX
    }

    /// Counts a call that was refused before it ran.
    pub fn rejected(&mut self, id: u16) {
        self.touch(id).rejected += 1;
    }

    #[inline]
    fn touch(&mut self, id: u16) -> &mut LocalCommand {
        let command = &mut self.commands[usize::from(id)];
        if command.calls == 0 && command.rejected == 0 {
            self.dirty.push(id);
        }
        command
    }

    /// Adds everything to the common figures.
    pub fn merge_into(&mut self, server: &Server, now_ms: i64) {
        let stats = &server.stats;
        let counters = &stats.counters;
        if self.changes > 0 {
            server.count_changes(std::mem::take(&mut self.changes));
        }
        if self.reads + self.output_bytes > 0 {
            stats.rates.input_bytes.add(self.input_bytes, now_ms);
            stats.rates.output_bytes.add(self.output_bytes, now_ms);
            add(&counters.input_bytes, std::mem::take(&mut self.input_bytes));
            add(
                &counters.output_bytes,
                std::mem::take(&mut self.output_bytes),
            );
            add(&counters.reads, std::mem::take(&mut self.reads));
            add(&counters.writes, std::mem::take(&mut self.writes));
        }
        if self.dirty.is_empty() && self.hits + self.misses + self.expired == 0 {
            return;
        }
        stats.rates.commands.add(self.calls, now_ms);
        let mut commands = stats.commands.lock();
        let mut nanoseconds = 0;
        for id in self.dirty.drain(..) {
            let local = std::mem::take(&mut self.commands[usize::from(id)]);
            let common = &mut commands[usize::from(id)];
            common.calls += local.calls;
            common.microseconds += local.nanoseconds / 1000;
            common.rejected_calls += u64::from(local.rejected);
            common.failed_calls += u64::from(local.failed);
            nanoseconds += local.nanoseconds;
        }
        for (id, nanoseconds) in self.samples.drain(..) {
            let latency = &mut commands[usize::from(id)].latency;
            if latency.is_none() {
                *latency = Histogram::new_with_bounds(1, LATENCY_MAX_NS, LATENCY_FIGURES)
                    .ok()
                    .map(Box::new);
            }
            if let Some(histogram) = latency {
                histogram.saturating_record(u64::from(nanoseconds).clamp(1, LATENCY_MAX_NS));
            }
        }
        drop(commands);
        add(&counters.command_microseconds, nanoseconds / 1000);
        add(&counters.commands, std::mem::take(&mut self.calls));
        add(&counters.keyspace_hits, std::mem::take(&mut self.hits));
        add(&counters.keyspace_misses, std::mem::take(&mut self.misses));
        add(&counters.expired_keys, std::mem::take(&mut self.expired));
    }
}
