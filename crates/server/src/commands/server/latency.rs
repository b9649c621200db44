//! LATENCY: the latency monitor's events, and the histograms of commands.

use std::fmt::Write;

use hdrhistogram::Histogram;
use ochre_resp::Reply;

use crate::commands::args::Args;
use crate::commands::help::help;
use crate::commands::spec::*;
use crate::commands::table::Known;
use crate::error::{Error, quoted};
use crate::execute::Call;
use crate::latency::{Sample, Series};

pub const LATENCY: Command = Command {
    summary: "A container for latency diagnostics commands.",
    since: "2.8.13",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    ..command("latency", Group::Server, -2, Run::Container)
};

/// Of every subcommand but HELP.
const FLAGS: Flags = Flags::ADMIN
    .or(Flags::NOSCRIPT)
    .or(Flags::LOADING)
    .or(Flags::STALE);

/// Of every subcommand that reports.
const TIPS: &[&str] = &[
    "nondeterministic_output",
    "request_policy:all_nodes",
    "response_policy:special",
];

const DOCTOR: Command = Command {
    summary: "Return a human readable latency analysis report.",
    since: "2.8.13",
    flags: FLAGS,
    tips: TIPS,
    ..command("doctor", Group::Server, 2, Run::Session(doctor))
};

const GRAPH: Command = Command {
    summary: "Return a latency graph for the event.",
    since: "2.8.13",
    flags: FLAGS,
    tips: TIPS,
    args: &[string("event")],
    ..command("graph", Group::Server, 3, Run::Session(graph))
};

const HELP: Command = help(Group::Server);

const HISTOGRAM: Command = Command {
    summary: "Return the cumulative distribution of latencies of a subset of commands or all.",
    since: "7.0.0",
    complexity: "O(N) where N is the number of commands with latency information being retrieved.",
    flags: FLAGS,
    tips: TIPS,
    args: &[string("command").opt().many()],
    ..command("histogram", Group::Server, -2, Run::Session(histogram))
};

const HISTORY: Command = Command {
    summary: "Return timestamp-latency samples for the event.",
    since: "2.8.13",
    flags: FLAGS,
    tips: TIPS,
    args: &[string("event")],
    ..command("history", Group::Server, 3, Run::Session(history))
};

const LATEST: Command = Command {
    summary: "Return the latest latency samples for all events.",
    since: "2.8.13",
    flags: FLAGS,
    tips: TIPS,
    ..command("latest", Group::Server, 2, Run::Session(latest))
};

const RESET: Command = Command {
    summary: "Reset latency data for one or more events.",
    since: "2.8.13",
    flags: FLAGS,
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    args: &[string("event").opt().many()],
    ..command("reset", Group::Server, -2, Run::Session(reset))
};

const SUBCOMMANDS: &[&Command] = &[
    &DOCTOR, &GRAPH, &HELP, &HISTOGRAM, &HISTORY, &LATEST, &RESET,
];

fn latest(call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let events = call.server.latency.all();
    out.array(events.len());
    for (name, series) in events {
        let latest = series.latest().unwrap_or(Sample {
            at_s: 0,
            latency_ms: 0,
        });
        out.array(4);
        out.bulk(name.as_bytes());
        out.integer(latest.at_s);
        out.integer(i64::from(latest.latency_ms));
        out.integer(i64::from(series.max_ms));
    }
    Ok(Flow::Done)
}

fn history(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let series = call.server.latency.series(args.next()?).unwrap_or_default();
    out.array(series.samples().count());
    for sample in series.samples() {
        out.array(2);
        out.integer(sample.at_s);
        out.integer(i64::from(sample.latency_ms));
    }
    Ok(Flow::Done)
}

fn reset(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let monitor = &call.server.latency;
    let forgotten = if args.is_empty() {
        monitor.forget_all()
    } else {
        let events = args.rest().iter();
        events.filter(|event| monitor.forget(event)).count()
    };
    out.count(forgotten);
    Ok(Flow::Done)
}

fn histogram(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let server = call.server;
    call.local.stats.merge_into(server, call.local.now_ms);
    let figures = server.stats.commands();
    let table = &server.commands;
    let wanted: Vec<&Known> = if args.is_empty() {
        table.iter().collect()
    } else {
        let named = args.rest().iter().filter_map(|name| table.find_full(name));
        named
            .flat_map(|known| {
                let subcommands = known.subcommands.iter().map(|&id| table.get(id));
                std::iter::once(known).chain(subcommands)
            })
            .collect()
    };
    let shown: Vec<(&Known, &Histogram<u64>)> = wanted
        .into_iter()
        .filter_map(|known| {
            let latency = figures[usize::from(known.id)].latency.as_deref()?;
            Some((known, latency))
        })
        .collect();
    out.map(shown.len());
    for (known, latency) in shown {
        let steps = cumulative(latency);
        out.bulk(known.full_name.as_bytes());
        out.map(2);
        out.bulk(b"calls");
        out.integer(latency.len() as i64);
        out.bulk(b"histogram_usec");
        out.map(steps.len());
        for (microseconds, count) in steps {
            out.integer(microseconds as i64);
            out.integer(count as i64);
        }
    }
    Ok(Flow::Done)
}

/// How many calls took at most so many microseconds, at powers of two times 1,024 ns;
/// steps at which nothing is added are left out.
fn cumulative(latency: &Histogram<u64>) -> Vec<(u64, u64)> {
    let mut steps = Vec::new();
    let mut counted = 0;
    let mut level_ns = 1024;
    while counted < latency.len() {
        let top_ns = latency.highest_equivalent(level_ns);
        let count = latency.count_between(0, top_ns);
        if count > counted {
            steps.push((top_ns / 1000, count));
            counted = count;
        }
        if level_ns > latency.max() {
            break;
        }
        level_ns *= 2;
    }
    steps
}

fn graph(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let event = args.next()?;
    let Some(series) = call.server.latency.series(event) else {
        let mut text = b"ERR No samples available for event '".to_vec();
        text.extend_from_slice(quoted(event, usize::MAX));
        text.push(b'\'');
        return Err(Error::Bytes(text));
    };
    let name = String::from_utf8_lossy(event);
    out.verbatim(
        "txt",
        draw(&name, &series, call.local.now_ms / 1000).as_bytes(),
    );
    Ok(Flow::Done)
}

/// Rows of a graph.
const GRAPH_ROWS: u32 = 4;
/// The fill of a row's cell, from hardly to whole.
const FILLS: [char; 3] = ['_', 'o', '#'];

/// Draws the samples as columns, each with its age below it, the newest on the right.
fn draw(name: &str, series: &Series, now_s: i64) -> String {
    let samples: Vec<Sample> = series.samples().collect();
    let low = samples.iter().map(|s| s.latency_ms).min().unwrap_or(0);
    let high = samples.iter().map(|s| s.latency_ms).max().unwrap_or(0);
    let mut text = format!(
        "{name} - high {high} ms, low {low} ms (all time high {} ms)\n{}\n",
        series.max_ms,
        "-".repeat(80)
    );
    let levels = GRAPH_ROWS * FILLS.len() as u32;
    let level = |sample: &Sample| {
        let span = u64::from((high - low).max(1));
        let above = u64::from(sample.latency_ms - low);
        (above * u64::from(levels - 1) / span) as u32
    };
    for row in (0..GRAPH_ROWS).rev() {
        let line: String = samples
            .iter()
            .map(|sample| {
                let level = level(sample);
                let base = row * FILLS.len() as u32;
                match level.checked_sub(base) {
                    None => ' ',
                    Some(within) if within < FILLS.len() as u32 => FILLS[within as usize],
                    Some(_) => '|',
                }
            })
            .collect();
        text.push_str(&line);
        text.push('\n');
    }
    text.extend(std::iter::repeat_n(' ', samples.len()));
    text.push('\n');
    let ages: Vec<Vec<char>> = samples
        .iter()
        .map(|sample| age(now_s - sample.at_s).chars().collect())
        .collect();
    let longest = ages.iter().map(Vec::len).max().unwrap_or(0);
    for row in 0..longest {
        let line: String = ages
            .iter()
            .map(|age| age.get(row).copied().unwrap_or(' '))
            .collect();
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// An age in its largest whole unit.
fn age(seconds: i64) -> String {
    match seconds.max(0) {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds @ 60..3600 => format!("{}m", seconds / 60),
        seconds @ 3600..86_400 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

fn doctor(call: &mut Call<'_>, _args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let threshold_ms = call.live.config.latency.monitor_threshold_ms;
    let events = call.server.latency.all();
    let slowlog_us = call.live.config.latency.slowlog_threshold_us;
    let now_s = call.local.now_ms / 1000;
    let text = diagnosis(threshold_ms, slowlog_us, &events, now_s);
    out.verbatim("txt", text.as_bytes());
    Ok(Flow::Done)
}

/// What was seen, and what to do about it. Redis also advises to split large values, as it
/// frees them in line; here a thread of its own does.
fn diagnosis(
    threshold_ms: u64,
    slowlog_us: i64,
    events: &[(&'static str, Series)],
    now_s: i64,
) -> String {
    if threshold_ms == 0 && events.is_empty() {
        return "I'm sorry, Dave, I can't do that. Latency monitoring is disabled in this Redis \
                instance. You may use \"CONFIG SET latency-monitor-threshold <milliseconds>.\" in \
                order to enable it. If we weren't in a deep space mission I'd suggest to take a \
                look at https://redis.io/topics/latency-monitor.\n"
            .into();
    }
    if events.is_empty() {
        return "Dave, no latency spike was observed during the lifetime of this Redis instance, \
                not in the slightest bit. I honestly think you ought to sit down calmly, take a \
                stress pill, and think things over.\n"
            .into();
    }
    let mut text = String::from(
        "Dave, I have observed latency spikes in this Redis instance. You don't mind talking \
         about it, do you Dave?\n\n",
    );
    for (number, (name, series)) in events.iter().enumerate() {
        let samples: Vec<Sample> = series.samples().collect();
        let count = samples.len().max(1) as i64;
        let total: i64 = samples.iter().map(|s| i64::from(s.latency_ms)).sum();
        let mean = total / count;
        let deviation: i64 = samples
            .iter()
            .map(|sample| (i64::from(sample.latency_ms) - mean).abs())
            .sum();
        let oldest_s = samples.first().map_or(now_s, |sample| sample.at_s);
        let period_s = (now_s - oldest_s).max(1) as f64 / count as f64;
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{}. {name}: {count} latency spikes (average {mean}ms, mean deviation {}ms, period \
             {period_s:.2} sec). Worst all time event {}ms.",
            number + 1,
            deviation / count,
            series.max_ms
        );
    }
    text.push_str("\nI have a few advices for you:\n\n");
    if slowlog_us < 0 {
        let _ = writeln!(
            text,
            "- There are latency issues with potentially slow commands you are using. Try to \
             enable the Slow Log Redis feature using the command 'CONFIG SET \
             slowlog-log-slower-than {}'. If the Slow log is disabled Redis is not able to log \
             slow commands execution for you.",
            threshold_ms * 1000
        );
    } else if slowlog_us as u64 / 1000 > threshold_ms {
        let _ = writeln!(
            text,
            "- Your current Slow Log configuration only logs events that are slower than your \
             configured latency monitor threshold. Please use 'CONFIG SET \
             slowlog-log-slower-than {}'.",
            threshold_ms * 1000
        );
    }
    text.push_str(
        "- Check your Slow Log to understand what are the commands you are running which are too \
         slow to execute. Please check https://redis.io/commands/slowlog for more information.\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_grow_by_powers_of_two() {
        let mut latency = Histogram::new_with_bounds(1, 1_000_000_000, 2).unwrap();
        for nanoseconds in [500, 900, 1_500, 7_000, 33_000] {
            latency.record(nanoseconds).unwrap();
        }
        assert_eq!(cumulative(&latency), [(1, 2), (2, 3), (8, 4), (33, 5)]);
    }

    #[test]
    fn ages_have_one_unit() {
        assert_eq!(
            [age(0), age(61), age(7200), age(90_000)],
            ["0s", "1m", "2h", "1d"]
        );
    }

    #[test]
    fn graphs_show_high_low_and_ages() {
        let monitor = crate::latency::LatencyMonitor::default();
        monitor.add("command", 100, 10);
        monitor.add("command", 101, 100);
        let text = draw("command", &monitor.series(b"command").unwrap(), 110);
        assert!(text.starts_with("command - high 100 ms, low 10 ms (all time high 100 ms)\n---"));
        assert!(text.ends_with("\n  \n19\n0s\ns \n"), "{text}");
        assert!(diagnosis(10, 0, &[], 110).contains("no latency spike"));
        let text = diagnosis(10, 10_000, &monitor.all(), 110);
        assert!(text.contains("1. command: 2 latency spikes"));
        assert!(text.contains("period 5.00 sec"), "{text}");
        assert!(!text.contains("CONFIG SET"), "{text}");
        let text = diagnosis(1, 10_000, &monitor.all(), 110);
        assert!(text.contains("Please use 'CONFIG SET slowlog-log-slower-than 1000'"));
        let text = diagnosis(1, -1, &monitor.all(), 110);
        assert!(text.contains("Try to enable the Slow Log"));
    }
}
