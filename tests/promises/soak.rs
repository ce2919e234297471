//! An hour of steady load, by hand: does anything grow that should not? `tests/README.md` has the command and what
//! it printed.

use std::{fmt, time::Duration};

use harness::{
    redis::Redis,
    relay::Relay,
    service::Service,
    vendors::{acknowledged, every_promise_held, vendors_with},
};
use sandbox::{Faults, NewChanges, Sandbox, SandboxOptions};
use tokio::time::{Instant, interval};

/// How long a finished change is remembered here.
const KEEP_MINUTES: u64 = 5;

/// Changes that come every second.
const RATE: u64 = 20;

/// How often they come.
const WAVE: Duration = Duration::from_secs(5);

/// How often figures are taken.
const SAMPLE: Duration = Duration::from_secs(60);

/// What may not grow.
#[derive(Debug, Clone, Copy)]
struct Sample {
    minute: u64,
    acknowledged: usize,
    /// Of both processes, KiB.
    resident: [u64; 2],
    /// Of Redis, KiB.
    redis: u64,
    keys: u64,
}

/// One of the figures.
type Figure = fn(&Sample) -> u64;

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            minute,
            acknowledged,
            resident: [first, second],
            redis,
            keys,
        } = self;
        write!(
            f,
            "{minute:>6} {acknowledged:>12} {first:>10} {second:>10} {redis:>10} {keys:>8}"
        )
    }
}

fn resident(service: &Service) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let words = line.unwrap().split_whitespace();
    words
        .skip(1)
        .map(|kib| kib.parse().unwrap())
        .next()
        .unwrap()
}

async fn sample(minute: u64, sandbox: &Sandbox, redis: &Redis, fleet: &[Service; 2]) -> Sample {
    let mut connection = redis.connect().await;
    let info: String = redis::cmd("INFO")
        .arg("memory")
        .query_async(&mut connection)
        .await
        .unwrap();
    let used = info
        .lines()
        .find_map(|line| line.strip_prefix("used_memory:"));
    let keys = redis::cmd("DBSIZE")
        .query_async(&mut connection)
        .await
        .unwrap();
    Sample {
        minute,
        acknowledged: sandbox.report().acknowledged,
        resident: [resident(&fleet[0]), resident(&fleet[1])],
        redis: used.unwrap().trim().parse::<u64>().unwrap() >> 10,
        keys,
    }
}

#[tokio::test]
#[ignore = "takes an hour; ALUMNIQ_RELAY_SOAK_MINUTES changes that"]
async fn an_hour_of_steady_load_lets_nothing_grow() {
    let minutes = std::env::var("ALUMNIQ_RELAY_SOAK_MINUTES");
    let minutes: u64 = minutes.map_or(60, |minutes| minutes.parse().unwrap());
    assert!(minutes > 3 * KEEP_MINUTES, "too short to tell");
    let sandbox = vendors_with(SandboxOptions {
        changes: 400,
        people: 400,
        faults: Faults::demo(),
        ..SandboxOptions::default()
    })
    .await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis))
        .set("history.keep", &format!("{KEEP_MINUTES}m"))
        .set("alumniq.poll", "every 10s");
    let roles = "producer,crm,salsa,acknowledger,console";
    let fleet = [relay.start(roles).await, relay.start(roles).await];

    println!("minute acknowledged  rss 1 KiB  rss 2 KiB  redis KiB     keys");
    let started = Instant::now();
    let (mut waves, mut samples) = (interval(WAVE), interval(SAMPLE));
    let mut taken: Vec<Sample> = Vec::new();
    let mut wanted = 400;
    while started.elapsed() < Duration::from_secs(minutes * 60) {
        tokio::select! {
            _ = waves.tick() => {
                let count = (RATE * WAVE.as_secs()) as usize;
                wanted += sandbox.add_changes(&NewChanges { count, ..NewChanges::default() }).len();
            }
            _ = samples.tick() => {
                let sample = sample(started.elapsed().as_secs() / 60, &sandbox, &redis, &fleet).await;
                println!("{sample}");
                taken.push(sample);
            }
        }
    }
    acknowledged(&sandbox, wanted).await;
    every_promise_held(&sandbox.report(), &[], &relay.dead_ids().await);
    assert_eq!(relay.status().await["books"]["difference"], 0);

    // What fills up until the first changes are forgotten is over by then.
    let steady: Vec<&Sample> = taken
        .iter()
        .filter(|sample| sample.minute > 2 * KEEP_MINUTES)
        .collect();
    let (early, late) = steady.split_at(steady.len() / 2);
    let most = |samples: &[&Sample], of: Figure| samples.iter().map(|s| of(s)).max().unwrap();
    let figures: [(&str, Figure); 4] = [
        ("the first process", |sample| sample.resident[0]),
        ("the second process", |sample| sample.resident[1]),
        ("Redis", |sample| sample.redis),
        ("its keys", |sample| sample.keys),
    ];
    for (what, of) in figures {
        let (before, after) = (most(early, of), most(late, of));
        println!("{what}: at most {before} in the first half, {after} in the second");
        assert!(after <= before + before / 10, "{what} grows");
    }
    for service in fleet {
        service.stop().await;
    }
}
