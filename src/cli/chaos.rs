//! `chaos`

use std::collections::BTreeSet;

use clap::{
    Args,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};
use sandbox::chaos::ChaosFault;

/// `chaos`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Without --redis it starts a redis-server of its own, with append-only persistence, which it also restarts,
kills, fills up and empties. With --redis it works in a namespace of its own (chaos-SEED) on your server:
nothing else there is touched, no setting is changed, and the namespace is removed at the end. The vendors
are always simulated. Exit code 0: every promise held; 1: one was broken.

Examples:
  alumniq-relay chaos                                       20 000 changes, a seed drawn at random
  alumniq-relay chaos --seed 7 --changes 3000 --people 800  the same schedule every time
  alumniq-relay chaos --redis redis://127.0.0.1:6379/0      on your Redis
  alumniq-relay chaos --faults kill,stop                    only these faults")]
pub struct ChaosArgs {
    /// How many changes, a part of them from the start, the rest in waves
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = super::pipeline::at_least_one())]
    pub changes: usize,
    /// How many people they belong to
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = super::pipeline::at_least_one())]
    pub people: usize,
    /// How many processes share the work
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(2..=64))]
    pub workers: u16,
    /// The same seed draws the same schedule [default: drawn at random, and printed]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// A Redis of yours; its address with a password belongs in the variable
    #[arg(
        long,
        value_name = "URL",
        env = "ALUMNIQ_RELAY_CHAOS_REDIS",
        hide_env_values = true
    )]
    pub redis: Option<String>,
    /// Only these faults [default: all]
    #[arg(
        long,
        value_parser = fault(),
        value_name = "FAULT,…",
        value_delimiter = ',',
        conflicts_with = "without"
    )]
    pub faults: Option<Vec<ChaosFault>>,
    /// All faults but these
    #[arg(long, value_parser = fault(), value_name = "FAULT,…", value_delimiter = ',')]
    pub without: Vec<ChaosFault>,
    /// Where the processes write their logs [default: nowhere]
    #[arg(long, value_name = "DIRECTORY", value_hint = clap::ValueHint::DirPath)]
    pub logs: Option<std::path::PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

impl ChaosArgs {
    /// The faults that were asked for.
    pub fn wanted(&self) -> BTreeSet<ChaosFault> {
        match &self.faults {
            Some(faults) => faults.iter().copied().collect(),
            None => (ChaosFault::ALL.into_iter())
                .filter(|fault| !self.without.contains(fault))
                .collect(),
        }
    }
}

/// A word of `--faults`.
fn fault() -> impl TypedValueParser<Value = ChaosFault> {
    let named = |fault: ChaosFault| PossibleValue::new(fault.word()).help(fault.help());
    PossibleValuesParser::new(ChaosFault::ALL.map(named)).try_map(|word| {
        let mut all = ChaosFault::ALL.into_iter();
        all.find(|fault| fault.word() == word)
            .ok_or("no such fault")
    })
}
