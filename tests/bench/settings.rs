//! What can be asked for.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// One question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// How much more the simulated vendors serve than the pipeline asks of them
    Capacity,
    /// Changes a second, beside the bare loop
    Throughput,
    /// What a change costs with more and more of them in line
    Growth,
    /// An idle pipeline: its cost, how soon a change is applied, and the start of a process
    Latency,
    /// Changes a second while some calls fail or hang
    Failing,
    /// How much of a limit of 300 calls a minute is used (ten minutes; only when named)
    Limited,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}

/// Measures the pipeline beside the same calls without a queue. Everything runs on this machine, on 127.0.0.1 and
/// with a Redis of its own, and nothing is judged: what is fast enough, people say.
#[derive(Debug, Parser)]
#[command(name = "cargo bench --")]
pub struct Settings {
    /// Which questions [default: all but limited]
    #[arg(long, value_delimiter = ',')]
    pub only: Vec<Part>,
    /// How often each is measured; what is shown is the median, the lowest and the highest
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub runs: u16,
    /// Changes a run of the throughput
    #[arg(long, default_value_t = 6_000)]
    pub changes: usize,
    /// How long the vendors take for each call, in milliseconds: one measurement each
    #[arg(long, value_delimiter = ',', default_values_t = [0, 20])]
    pub vendor_ms: Vec<u64>,
    /// How many changes wait in line, for the growth: one measurement each
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000, 100_000, 1_000_000])]
    pub queued: Vec<usize>,
    /// A folder in which tests/bench/rivals/install.sh has installed the other queues; without it they are left out
    #[arg(long, value_name = "FOLDER")]
    pub rivals: Option<PathBuf>,
    /// Where the JSON and the plots go
    #[arg(long, value_name = "FOLDER", default_value = "target/bench")]
    pub out: PathBuf,
    /// The bare loop, as a process of its own (its load, JSON)
    #[arg(long, hide = true)]
    pub bare: Option<String>,
    /// Cargo says so
    #[arg(long, hide = true)]
    bench: bool,
}

impl Settings {
    /// What is to be measured, in the order in which it is read best.
    pub fn parts(&self) -> Vec<Part> {
        let all = Part::value_variants().iter().copied();
        all.filter(|part| match self.only.is_empty() {
            true => *part != Part::Limited,
            false => self.only.contains(part),
        })
        .collect()
    }
}
