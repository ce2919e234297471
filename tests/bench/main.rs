//! What the pipeline costs, measured beside the same calls without a queue. `README.md` beside this file says how and
//! shows what came out.
//!
//! # Layout
//!
//! - `settings`: what can be asked for; `setting`: where it is measured, with `redis` and `vendors` as processes of
//!   their own, and `process`: what those cost
//! - `bare`: the same calls and no queue; `relay`: the program under test; `rivals`: other queues
//! - a file a question: `throughput`, `capacity`, `growth`, `latency`, `limited`, `failing`
//! - `figure`: medians and spreads; `report`: table and JSON; `plot`: SVG

mod bare;
mod capacity;
mod failing;
mod figure;
mod growth;
mod latency;
mod limited;
mod plot;
mod process;
mod redis;
mod relay;
mod report;
mod rivals;
mod setting;
mod settings;
mod throughput;
mod vendors;

use clap::Parser;

use self::{
    report::Report,
    settings::{Part, Settings},
};

/// The program's, so that the bare loop is measured with it, too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Whatever went wrong ends the benchmark, with its words.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    // reqwest wants one, although everything here is plain HTTP.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let settings = Settings::parse();
    if let Some(load) = &settings.bare {
        return bare::run(load).await;
    }
    let mut report = Report::begin(&settings)?;
    for part in settings.parts() {
        eprintln!("# {part}");
        match part {
            Part::Capacity => report.capacity = Some(capacity::measure(&settings).await?),
            Part::Throughput => report.throughput = throughput::measure(&settings).await?,
            Part::Growth => report.growth = growth::measure(&settings).await?,
            Part::Latency => report.latency = Some(latency::measure(&settings).await?),
            Part::Failing => report.failing = failing::measure(&settings).await?,
            Part::Limited => report.limited = limited::measure().await?,
        }
        report.write(&settings)?;
    }
    print!("{report}");
    Ok(())
}
