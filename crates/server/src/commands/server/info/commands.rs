//! The sections Commandstats, Errorstats and Latencystats, live from what the workers
//! have merged.

use super::{Facts, Page};

pub fn commandstats(facts: &Facts<'_>, page: &mut Page) {
    let figures = facts.server.stats.commands();
    for (known, stats) in facts.server.commands.iter().zip(figures) {
        if stats.calls + stats.rejected_calls + stats.failed_calls == 0 {
            continue;
        }
        let per_call = stats.microseconds as f64 / stats.calls.max(1) as f64;
        page.line(
            &format!("cmdstat_{}", known.full_name),
            format_args!(
                "calls={},usec={},usec_per_call={per_call:.2},rejected_calls={},failed_calls={}",
                stats.calls, stats.microseconds, stats.rejected_calls, stats.failed_calls
            ),
        );
    }
}

pub fn errorstats(facts: &Facts<'_>, page: &mut Page) {
    for (code, count) in facts.server.stats.errors() {
        let code = String::from_utf8_lossy(&code);
        page.line(&format!("errorstat_{code}"), format_args!("count={count}"));
    }
}

pub fn latencystats(facts: &Facts<'_>, page: &mut Page) {
    let percentiles = &facts.config.latency.info_percentiles.0;
    let figures = facts.server.stats.commands();
    for (known, stats) in facts.server.commands.iter().zip(figures) {
        let Some(histogram) = stats.latency else {
            continue;
        };
        let shown: Vec<String> = percentiles
            .iter()
            .map(|percentile| {
                let nanoseconds = histogram.value_at_percentile(*percentile);
                format!("p{percentile}={:.3}", nanoseconds as f64 / 1000.0)
            })
            .collect();
        page.line(
            &format!("latency_percentiles_usec_{}", known.full_name),
            shown.join(","),
        );
    }
}
