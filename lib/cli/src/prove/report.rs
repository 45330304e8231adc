//! The table that a person reads, and the JSON that a program reads.

use purser::cost::format_usd;
use serde::Serialize;
use serde_json::{Value, json};

use super::findings::Findings;

/// Everything that a run found.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) seed: u64,
    pub(super) seconds: u64,
    /// By scenario, in order; a soak adds its rounds up.
    pub(super) scenarios: Vec<Row>,
}

/// One scenario.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) rounds: usize,
    #[serde(flatten)]
    pub(super) findings: Findings,
}

type Cell = fn(&Findings) -> String;

/// Columns: heads in two lines, and whether the figure must be zero.
const COLUMNS: &[(&str, &str, bool, Cell)] = &[
    ("calls", "made", false, |found| found.calls.to_string()),
    ("calls", "billed", false, |found| found.billed.to_string()),
    ("bill", "USD", false, |found| format_usd(found.bill_nanousd)),
    ("over budget", "USD", true, |found| format_usd(found.over_budget_nanousd)),
    ("missing in", "ledger", true, |found| found.missing.to_string()),
    ("never", "made", true, |found| found.invented.to_string()),
    ("holds", "stuck", true, |found| found.stuck.to_string()),
    ("ledger off", "nanoUSD", true, |found| found.off_nanousd.to_string()),
    ("only", "guessed", true, |found| found.guessed.to_string()),
    ("answers", "lost", true, |found| found.answers_lost.to_string()),
    ("Redis drift", "nanoUSD", true, |found| found.drift_nanousd.to_string()),
    ("un-", "answered", true, |found| found.unanswered.to_string()),
    ("drift before", "repair nanoUSD", false, |found| found.repaired_nanousd.to_string()),
    ("charged over", "bill USD", false, |found| format_usd(found.over_recorded_nanousd)),
    ("longest", "wait ms", false, |found| found.longest_wait_ms.to_string()),
];

impl Report {
    /// All scenarios together.
    pub(super) fn sum(&self) -> Findings {
        let mut sum = Findings::default();
        for row in &self.scenarios {
            sum.add(&row.findings);
        }
        sum
    }

    pub(super) fn is_zero(&self) -> bool {
        // Where nothing was billed nothing was proved.
        let sum = self.sum();
        sum.is_zero() && sum.billed > 0
    }

    /// One JSON document.
    pub(super) fn json(&self) -> Value {
        let mut whole = json!(self);
        whole["sum"] = json!(self.sum());
        whole["is_zero"] = self.is_zero().into();
        whole
    }

    /// A table in Markdown, and below it what needs words.
    pub(super) fn table(&self) -> String {
        let mut lines = vec![Vec::new(), Vec::new()];
        lines[0].push(String::new());
        lines[1].push(String::new());
        for (first, second, _, _) in COLUMNS {
            lines[0].push((*first).to_owned());
            lines[1].push((*second).to_owned());
        }
        for row in self.scenarios.iter().filter(|row| row.findings.skipped.is_none()) {
            lines.push(cells(row.name, &row.findings));
        }
        lines.push(cells("all", &self.sum()));
        let mut text = markdown(&lines);
        text.push_str(&self.words());
        text
    }

    fn words(&self) -> String {
        let mut words = String::new();
        for row in &self.scenarios {
            for fault in &row.findings.faults {
                words.push_str(&format!("\n{}: {fault}", row.name));
            }
            if let Some(why) = &row.findings.skipped {
                words.push_str(&format!("\n{}: not run, {why}", row.name));
            }
        }
        let rounds = self.scenarios.iter().map(|row| row.rounds).sum::<usize>();
        let verdict = match self.is_zero() {
            true => "all zero that must be",
            false if self.sum().billed == 0 => "NOTHING PROVED: no call was billed",
            false => "NOT ZERO: figures with a ! must be 0",
        };
        words.push_str(&format!("\nseed {}, {rounds} scenarios in {} s: {verdict}\n", self.seed, self.seconds));
        words
    }
}

fn cells(name: &str, findings: &Findings) -> Vec<String> {
    let figures = COLUMNS.iter().map(|(_, _, must_be_zero, cell)| {
        let figure = cell(findings);
        let is_zero = figure.chars().all(|c| matches!(c, '0' | '.'));
        if *must_be_zero && !is_zero { format!("{figure} !") } else { figure }
    });
    std::iter::once(name.to_owned()).chain(figures).collect()
}

/// Numbers to the right, and columns as wide as their widest cell.
fn markdown(lines: &[Vec<String>]) -> String {
    let widths: Vec<usize> = (0..lines[0].len())
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default().max(4))
        .collect();
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        let cells = line.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        text.push_str(&format!("| {} |\n", cells.collect::<Vec<_>>().join(" | ")));
        if index == 0 {
            let rules = widths.iter().enumerate().map(|(column, width)| match column {
                0 => "-".repeat(*width),
                _ => format!("{}:", "-".repeat(width - 1)),
            });
            text.push_str(&format!("| {} |\n", rules.collect::<Vec<_>>().join(" | ")));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_that_must_be_zero_and_is_not_stands_out() {
        let row = |findings| Report { seed: 1, seconds: 2, scenarios: vec![Row { name: "one", rounds: 1, findings }] };
        let good =
            row(Findings { calls: 3, billed: 2, longest_wait_ms: 9, over_recorded_nanousd: 5, ..Findings::default() });
        assert!(good.is_zero() && !good.table().contains('!'), "{}", good.table());
        let bad = row(Findings { missing: 1, billed: 2, ..Findings::default() });
        assert!(!bad.is_zero() && bad.table().contains("1 !"), "{}", bad.table());
        let words = row(Findings { billed: 1, faults: vec!["it rained".to_owned()], ..Findings::default() });
        assert!(!words.is_zero() && words.table().contains("one: it rained"), "{}", words.table());
        assert!(!row(Findings::default()).is_zero(), "nothing was proved");
        assert_eq!(bad.json()["sum"]["missing"], 1);
        assert_eq!(bad.json()["is_zero"], false);
    }
}
