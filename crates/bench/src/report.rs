//! Rows of results: what was measured, on both sides, against which budget; as a table for
//! eyes and as JSON for keeping. It measures nothing.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::statistics::{median, ratio, spread};

/// What the subject has to keep.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Budget {
    /// subject / baseline ≤ this.
    RatioAtMost(f64),
    /// subject / baseline ≥ this.
    RatioAtLeast(f64),
    /// The subject's own value ≤ this.
    AtMost(f64),
    /// The subject's own value ≥ this.
    AtLeast(f64),
}

impl Budget {
    /// Whether the budget is kept; `None` when what it speaks of is not known.
    pub fn kept(self, subject: Option<f64>, ratio: Option<f64>) -> Option<bool> {
        match self {
            Self::RatioAtMost(limit) => ratio.map(|ratio| ratio <= limit),
            Self::RatioAtLeast(limit) => ratio.map(|ratio| ratio >= limit),
            Self::AtMost(limit) => subject.map(|value| value <= limit),
            Self::AtLeast(limit) => subject.map(|value| value >= limit),
        }
    }

    fn text(self) -> String {
        match self {
            Self::RatioAtMost(limit) => format!("≤ {limit} ×"),
            Self::RatioAtLeast(limit) => format!("≥ {limit} ×"),
            Self::AtMost(limit) => format!("≤ {limit}"),
            Self::AtLeast(limit) => format!("≥ {limit}"),
        }
    }

    fn to_json(self) -> Value {
        let (kind, limit) = match self {
            Self::RatioAtMost(limit) => ("ratio_at_most", limit),
            Self::RatioAtLeast(limit) => ("ratio_at_least", limit),
            Self::AtMost(limit) => ("at_most", limit),
            Self::AtLeast(limit) => ("at_least", limit),
        };
        json!({ "kind": kind, "limit": limit })
    }

    fn from_json(value: &Value) -> Option<Self> {
        let limit = value["limit"].as_f64()?;
        Some(match value["kind"].as_str()? {
            "ratio_at_most" => Self::RatioAtMost(limit),
            "ratio_at_least" => Self::RatioAtLeast(limit),
            "at_most" => Self::AtMost(limit),
            "at_least" => Self::AtLeast(limit),
            _ => return None,
        })
    }
}

/// One value that an experiment reads.
#[derive(Clone, Debug)]
pub struct Metric {
    /// The reading's key.
    pub key: &'static str,
    /// In words.
    pub what: String,
    /// Its unit.
    pub unit: &'static str,
    /// What the subject has to keep, if anything.
    pub budget: Option<Budget>,
}

/// A metric without a budget: it explains the others.
pub fn metric(key: &'static str, what: impl Into<String>, unit: &'static str) -> Metric {
    Metric {
        key,
        what: what.into(),
        unit,
        budget: None,
    }
}

impl Metric {
    /// The same with a budget.
    pub fn within(mut self, budget: Budget) -> Self {
        self.budget = Some(budget);
        self
    }
}

/// One side of a row: the value of each round, or why there is none.
#[derive(Clone, Debug, PartialEq)]
pub enum Side {
    /// One value per round.
    Rounds(Vec<f64>),
    /// The server's error, or ours.
    Failed(String),
}

impl Side {
    /// The median over the rounds.
    pub fn median(&self) -> Option<f64> {
        match self {
            Self::Rounds(rounds) => median(rounds),
            Self::Failed(_) => None,
        }
    }

    fn to_json(&self) -> Value {
        match self {
            Self::Rounds(rounds) => json!({
                "median": median(rounds), "spread": spread(rounds), "rounds": rounds,
            }),
            Self::Failed(error) => json!({ "error": error }),
        }
    }

    fn from_json(value: &Value) -> Self {
        match value["rounds"].as_array() {
            Some(rounds) => Self::Rounds(rounds.iter().filter_map(Value::as_f64).collect()),
            None => Self::Failed(value["error"].as_str().unwrap_or("unknown").to_owned()),
        }
    }
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The experiment's name, as `--only` takes it.
    pub experiment: String,
    /// The reading's key.
    pub key: String,
    /// In words.
    pub what: String,
    /// Of both values.
    pub unit: String,
    /// redis-server.
    pub baseline: Side,
    /// Ochre, or whatever was put in its place.
    pub subject: Side,
    /// What the subject has to keep.
    pub budget: Option<Budget>,
    /// The run it comes from: date and, when it was one, "quick".
    pub run: String,
}

impl Row {
    /// subject / baseline of the medians.
    pub fn ratio(&self) -> Option<f64> {
        ratio(self.baseline.median()?, self.subject.median()?)
    }

    /// Whether the budget is kept.
    pub fn kept(&self) -> Option<bool> {
        self.budget?.kept(self.subject.median(), self.ratio())
    }

    fn verdict(&self) -> String {
        match (&self.subject, &self.baseline, self.kept()) {
            (Side::Failed(error), _, _) => format!("skipped: {}", shortened(error)),
            (_, Side::Failed(error), None) => format!("no baseline: {}", shortened(error)),
            (_, _, Some(true)) => "met".to_owned(),
            (_, _, Some(false)) => "MISSED".to_owned(),
            (_, _, None) => String::new(),
        }
    }

    fn cells(&self) -> [String; 7] {
        [
            format!("{} {}", self.experiment, self.what),
            self.unit.clone(),
            self.baseline.median().map_or_else(dash, number),
            self.subject.median().map_or_else(dash, number),
            self.ratio()
                .map_or_else(dash, |ratio| format!("{ratio:.2}")),
            self.budget.map_or_else(String::new, Budget::text),
            self.verdict(),
        ]
    }

    /// As it stands in a results file.
    pub fn to_json(&self) -> Value {
        json!({
            "experiment": self.experiment,
            "key": self.key,
            "what": self.what,
            "unit": self.unit,
            "baseline": self.baseline.to_json(),
            "subject": self.subject.to_json(),
            "ratio": self.ratio(),
            "budget": self.budget.map(Budget::to_json),
            "met": self.kept(),
        })
    }

    fn from_json(value: &Value, run: &str) -> Option<Self> {
        let text = |name: &str| Some(value[name].as_str()?.to_owned());
        Some(Self {
            experiment: text("experiment")?,
            key: text("key")?,
            what: text("what")?,
            unit: text("unit")?,
            baseline: Side::from_json(&value["baseline"]),
            subject: Side::from_json(&value["subject"]),
            budget: Budget::from_json(&value["budget"]),
            run: run.to_owned(),
        })
    }
}

fn dash() -> String {
    "-".to_owned()
}

/// The beginning of an error, as far as a table has room; the results file has it whole.
fn shortened(error: &str) -> String {
    const ROOM: usize = 100;
    if error.chars().count() <= ROOM {
        return error.to_owned();
    }
    error.chars().take(ROOM - 1).chain(['…']).collect()
}

/// Four significant digits, thousands in groups.
fn number(value: f64) -> String {
    let size = value.abs();
    if size >= 10_000.0 {
        let digits = format!("{:.0}", size);
        let mut grouped = String::new();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        return if value < 0.0 {
            format!("-{grouped}")
        } else {
            grouped
        };
    }
    let decimals = if size >= 100.0 {
        0
    } else if size >= 10.0 {
        1
    } else {
        2
    };
    if size > 0.0 && size < 0.1 {
        format!("{value:.4}")
    } else {
        format!("{value:.decimals$}")
    }
}

/// The heads of the table's columns.
const HEADS: [&str; 7] = [
    "what", "unit", "redis", "ochre", "ratio", "budget", "verdict",
];

/// The rows as a table of aligned columns for a terminal.
pub fn table(rows: &[Row]) -> String {
    let lines: Vec<[String; 7]> = rows.iter().map(Row::cells).collect();
    let mut widths = HEADS.map(|head| head.chars().count());
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    let heads = HEADS.map(str::to_owned);
    for line in std::iter::once(&heads).chain(&lines) {
        let mut out = String::new();
        for (column, (cell, width)) in line.iter().zip(widths).enumerate() {
            let _ = match column {
                2..=4 => write!(out, "{cell:>width$}  "),
                _ => write!(out, "{cell:<width$}  "),
            };
        }
        text.push_str(out.trim_end());
        text.push('\n');
    }
    text
}

/// How many budgets were kept, missed, and not measured.
pub fn summary(rows: &[Row]) -> String {
    let budgeted: Vec<&Row> = rows.iter().filter(|row| row.budget.is_some()).collect();
    let count = |kept| budgeted.iter().filter(|row| row.kept() == kept).count();
    format!(
        "{} budgets: {} met, {} missed, {} not measured",
        budgeted.len(),
        count(Some(true)),
        count(Some(false)),
        count(None)
    )
}

/// Writes `rows` and the machine to a new file in `folder`; returns its path.
///
/// # Errors
/// When the folder or the file cannot be written.
pub fn keep(folder: &Path, machine: &Value, rows: &[Row], quick: bool) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let date = machine["date"].as_str().unwrap_or("undated");
    let name: String = date
        .chars()
        .map(|c| if c.is_ascii_digit() { c } else { '-' })
        .collect();
    let path = folder.join(format!("{name}{}.json", if quick { "-quick" } else { "" }));
    let rows: Vec<Value> = rows.iter().map(Row::to_json).collect();
    let document = json!({ "machine": machine, "quick": quick, "rows": rows });
    fs::write(&path, format!("{document:#}\n"))?;
    Ok(path)
}

/// The newest row of every kind out of all results files in `folder`, in the order of
/// `experiments`. A quick run's row counts only where there is no full one. With them, the
/// machine of the newest run.
///
/// # Errors
/// When the folder cannot be read. Files that are not results are left out.
pub fn newest(folder: &Path, experiments: &[&str]) -> io::Result<(Value, Vec<Row>)> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)?
        .flatten()
        .map(|entry| entry.path())
        .collect();
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "json")
    });
    paths.sort();
    let mut machine = Value::Null;
    let mut rows: Vec<(Row, bool)> = Vec::new();
    for path in paths {
        let Ok(document) = serde_json::from_str::<Value>(&fs::read_to_string(&path)?) else {
            continue;
        };
        let quick = document["quick"].as_bool().unwrap_or(false);
        machine = document["machine"].clone();
        let date = machine["date"].as_str().unwrap_or("undated").to_owned();
        let run = if quick { format!("{date} quick") } else { date };
        let found = document["rows"].as_array().cloned().unwrap_or_default();
        for row in found.iter().filter_map(|row| Row::from_json(row, &run)) {
            let same =
                |kept: &(Row, bool)| kept.0.experiment == row.experiment && kept.0.key == row.key;
            match rows.iter_mut().find(|kept| same(kept)) {
                Some(kept) if quick && !kept.1 => {}
                Some(kept) => *kept = (row, quick),
                None => rows.push((row, quick)),
            }
        }
    }
    let mut rows: Vec<Row> = rows.into_iter().map(|(row, _)| row).collect();
    rows.retain(|row| experiments.contains(&row.experiment.as_str()));
    rows.sort_by_key(|row| experiments.iter().position(|name| *name == row.experiment));
    Ok((machine, rows))
}

/// The readable results page.
pub fn page(machine: &Value, rows: &[Row]) -> String {
    let field = |name: &str| machine[name].as_str().unwrap_or("unknown").to_owned();
    let mut text = String::from(
        "# Results of the comparison\n\nMade by `cargo xtask compare`; do not edit. Each row is the newest \
         full measurement of its kind; see README.md for what the rows mean.\n\n",
    );
    let gigabytes = machine["memory_bytes"].as_f64().unwrap_or(0.0) / 1e9;
    let _ = writeln!(
        text,
        "- machine: {}, {} cores, {gigabytes:.0} GB, {}\n- redis: {}\n- ochre: {}\n- newest run: {} UTC\n- {}\n",
        field("processor"),
        machine["cores"],
        field("kernel"),
        field("baseline"),
        field("subject"),
        field("date"),
        summary(rows),
    );
    let _ = writeln!(
        text,
        "| {} | run |\n|{}",
        HEADS.join(" | "),
        " --- |".repeat(HEADS.len() + 1)
    );
    for row in rows {
        let cells = row.cells().map(|cell| cell.replace('|', "\\|"));
        let _ = writeln!(text, "| {} | {} |", cells.join(" | "), row.run);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(baseline: f64, subject: f64, budget: Option<Budget>) -> Row {
        Row {
            experiment: "get".into(),
            key: "cpu_us".into(),
            what: "server CPU".into(),
            unit: "µs".into(),
            baseline: Side::Rounds(vec![baseline]),
            subject: Side::Rounds(vec![subject]),
            budget,
            run: "2026-01-01 00:00:00".into(),
        }
    }

    #[test]
    fn budgets_are_judged() {
        assert_eq!(
            row(2.0, 0.9, Some(Budget::RatioAtMost(0.45))).kept(),
            Some(true)
        );
        assert_eq!(
            row(2.0, 1.0, Some(Budget::RatioAtMost(0.45))).kept(),
            Some(false)
        );
        assert_eq!(
            row(2.0, 5.0, Some(Budget::RatioAtLeast(2.0))).kept(),
            Some(true)
        );
        assert_eq!(row(0.0, 5.0, Some(Budget::RatioAtLeast(2.0))).kept(), None);
        assert_eq!(row(0.0, 1.9, Some(Budget::AtMost(2.0))).kept(), Some(true));
        assert_eq!(
            row(0.0, 0.6, Some(Budget::AtLeast(0.7))).kept(),
            Some(false)
        );
        assert_eq!(row(1.0, 1.0, None).kept(), None);
    }

    #[test]
    fn a_failed_side_says_why_and_meets_nothing() {
        let mut failed = row(1.0, 1.0, Some(Budget::AtMost(2.0)));
        failed.subject = Side::Failed("ERR unknown command".into());
        assert_eq!(failed.kept(), None);
        let text = table(std::slice::from_ref(&failed));
        assert!(text.contains("skipped: ERR unknown command"), "{text}");
        failed.subject = Side::Failed("é".repeat(500));
        assert!(
            table(std::slice::from_ref(&failed))
                .lines()
                .all(|line| line.chars().count() < 220)
        );
        assert!(summary(&[failed]).ends_with("1 not measured"));
    }

    #[test]
    fn rows_survive_json() {
        let mut full = row(2.0, 1.0, Some(Budget::RatioAtMost(0.5)));
        assert_eq!(
            Row::from_json(&full.to_json(), &full.run).as_ref(),
            Some(&full)
        );
        full.subject = Side::Failed("x".into());
        full.budget = None;
        assert_eq!(
            Row::from_json(&full.to_json(), &full.run).as_ref(),
            Some(&full)
        );
    }

    #[test]
    fn the_newest_full_row_wins() {
        let folder = tempfile::tempdir().unwrap();
        let machine = |date: &str| json!({ "date": date });
        keep(
            folder.path(),
            &machine("2026-01-01 00:00:00"),
            &[row(1.0, 1.0, None)],
            false,
        )
        .unwrap();
        keep(
            folder.path(),
            &machine("2026-01-02 00:00:00"),
            &[row(1.0, 2.0, None)],
            false,
        )
        .unwrap();
        keep(
            folder.path(),
            &machine("2026-01-03 00:00:00"),
            &[row(1.0, 3.0, None)],
            true,
        )
        .unwrap();
        fs::write(folder.path().join("other.json"), "not json").unwrap();
        let (machine, rows) = newest(folder.path(), &["get"]).unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].ratio(), Some(2.0));
        assert_eq!(rows[0].run, "2026-01-02 00:00:00");
        assert!(page(&machine, &rows).contains("| get server CPU | µs | 1.00 | 2.00 | 2.00 |"));
    }

    #[test]
    fn numbers_are_short() {
        let texts = [0.0, 0.0123, 1.234, 12.34, 123.4, 1234.5, 1_234_567.0].map(number);
        assert_eq!(
            texts,
            ["0.00", "0.0123", "1.23", "12.3", "123", "1234", "1,234,567"]
        );
    }
}
