//! Changes a second while some of the destinations' calls fail, beside none that does.

use sandbox::{Fault, Faults, VendorFaults};
use serde::Serialize;

use crate::{
    Outcome,
    figure::Figure,
    relay::{Concurrency, Relay},
    setting::{Setting, today},
    settings::Settings,
};

/// Latency is the limit, not the processor: what a failure costs shows beside it.
const CONCURRENCY: Concurrency = Concurrency { crm: 8, salsa: 2 };

/// How long every call takes.
const VENDOR_MS: u64 = 20;

/// How long the program waits for an answer, so that a call that hangs keeps one of the calls at a time so long.
const TIMEOUT: &str = "1s";

/// Of a hundred calls.
const FAULTS: [(Fault, f64); 9] = [
    (Fault::None, 0.0),
    (Fault::Unavailable, 0.1),
    (Fault::Unavailable, 0.3),
    (Fault::Unavailable, 1.0),
    (Fault::Unavailable, 3.0),
    (Fault::Unavailable, 10.0),
    (Fault::Hang, 0.1),
    (Fault::Hang, 0.3),
    (Fault::Hang, 1.0),
];

/// All runs with one share of one fault.
#[derive(Debug, Serialize)]
pub struct Failing {
    pub fault: Fault,
    pub percent: f64,
    pub changes_per_second: Vec<f64>,
    /// Beside the run without faults of the same round.
    pub ratio: Option<Figure>,
    /// How often a destination was paused, over all runs.
    pub pauses: usize,
}

pub async fn measure(settings: &Settings) -> Outcome<Vec<Failing>> {
    let mut all: Vec<Failing> = FAULTS
        .into_iter()
        .map(|(fault, percent)| Failing {
            fault,
            percent,
            changes_per_second: Vec::new(),
            ratio: None,
            pauses: 0,
        })
        .collect();
    // In turn, so that what else the machine does meets all of them.
    for _ in 0..settings.runs {
        for failing in &mut all {
            failing.once(settings).await?;
            eprintln!("{failing:?}");
        }
    }
    let faultless = all[0].changes_per_second.clone();
    for failing in &mut all {
        let rounds = failing.changes_per_second.iter().zip(&faultless);
        failing.ratio = Figure::of(rounds.map(|(pace, faultless)| pace / faultless));
    }
    Ok(all)
}

impl Failing {
    async fn once(&mut self, settings: &Settings) -> Outcome<()> {
        let mut setting = Setting::new(settings.changes, VENDOR_MS).await?;
        let slow = VendorFaults {
            latency_ms: VENDOR_MS,
            ..VendorFaults::default()
        };
        let failing = VendorFaults {
            rates: [(self.fault, self.percent / 100.0)].into(),
            hang_seconds: 60.0,
            operations: ["update", "search", "put"].map(str::to_owned).into(),
            ..slow.clone()
        };
        let faults = Faults {
            alumniq: slow,
            crm: failing.clone(),
            salsa: failing,
        };
        setting.vendors.put("faults", &faults).await?;
        let relay = Relay::new(&setting.vendors, &setting.redis, CONCURRENCY)
            .set("crm.timeout", TIMEOUT)
            .set("salsa.timeout", TIMEOUT);
        setting.begin().await?;
        let sync = relay.start(&["sync", "--wait", "--json", "--on", &today()])?;
        let run = setting.end(&[sync]).await?;
        self.changes_per_second.push(run.changes_per_second);
        self.pauses += relay.log().matches("\"paused\"").count();
        Ok(())
    }
}
