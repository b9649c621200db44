//! `latency-tracking-info-percentiles`: which percentiles INFO latencystats shows.

use super::{Line, Origin, Value, without_lone_empty};

/// Percentiles from 0 to 100, in the order given.
#[derive(Clone, Debug, PartialEq)]
pub struct Percentiles(pub Vec<f64>);

impl Default for Percentiles {
    fn default() -> Self {
        Percentiles(vec![50.0, 99.0, 99.9])
    }
}

impl Value for Percentiles {
    const FORM: &'static str = "<percentile> [<percentile> ...], or \"\" for none";

    fn text(&self) -> String {
        self.0
            .iter()
            .map(f64::to_string)
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn assign(&mut self, words: &[&[u8]], _origin: Origin) -> Result<(), String> {
        let percentile = |word: &&[u8]| -> Result<f64, String> {
            let value: f64 = std::str::from_utf8(word)
                .ok()
                .and_then(|text| text.parse().ok())
                .filter(|value: &f64| value.is_finite())
                .ok_or("Invalid latency-tracking-info-percentiles parameters")?;
            if !(0.0..=100.0).contains(&value) {
                return Err(
                    "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"
                        .into(),
                );
            }
            Ok(value)
        };
        self.0 = without_lone_empty(words)
            .iter()
            .map(percentile)
            .collect::<Result<_, _>>()?;
        Ok(())
    }

    fn lines(&self, default: &Self) -> Vec<Line> {
        let text = if self.0.is_empty() {
            "\"\"".into()
        } else {
            self.text()
        };
        vec![Line::unless_default(text, self == default)]
    }
}
