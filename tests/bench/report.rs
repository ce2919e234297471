//! What came out: a table for people, JSON for programs, plots.

use std::{fmt, fs};

use comfy_table::{ContentArrangement, Table, presets::UTF8_FULL_CONDENSED};
use serde::Serialize;

use crate::{
    Outcome,
    capacity::Capacity,
    failing::Failing,
    figure::Figure,
    growth::{Grown, Growth},
    latency::Latency,
    limited::Limited,
    plot,
    setting::Run,
    settings::Settings,
    throughput::Throughput,
};

#[derive(Debug, Default, Serialize)]
pub struct Report {
    pub machine: Machine,
    pub capacity: Option<Capacity>,
    pub throughput: Vec<Throughput>,
    pub growth: Vec<Growth>,
    pub latency: Option<Latency>,
    pub failing: Vec<Failing>,
    pub limited: Vec<Limited>,
}

/// Where it was measured.
#[derive(Debug, Default, Serialize)]
pub struct Machine {
    pub processors: usize,
    pub model: String,
    pub kernel: String,
    pub redis: String,
    pub version: &'static str,
}

impl Report {
    pub fn begin(settings: &Settings) -> Outcome<Self> {
        fs::create_dir_all(&settings.out)?;
        let redis = std::process::Command::new("redis-server")
            .arg("--version")
            .output()?;
        let redis = String::from_utf8_lossy(&redis.stdout).into_owned();
        let processors = fs::read_to_string("/proc/cpuinfo")?;
        let model = processors.lines().find_map(|line| {
            line.strip_prefix("model name")
                .map(|rest| rest.trim_start_matches([' ', '\t', ':']))
        });
        Ok(Self {
            machine: Machine {
                processors: std::thread::available_parallelism()?.get(),
                model: model.unwrap_or("unknown").to_owned(),
                kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?
                    .trim()
                    .to_owned(),
                redis: redis
                    .split(' ')
                    .find_map(|word| word.strip_prefix("v="))
                    .unwrap_or("?")
                    .to_owned(),
                version: env!("CARGO_PKG_VERSION"),
            },
            ..Self::default()
        })
    }

    /// `figures.json` and the plots.
    pub fn write(&self, settings: &Settings) -> Outcome<()> {
        fs::write(
            settings.out.join("figures.json"),
            serde_json::to_string_pretty(self)?,
        )?;
        if !self.throughput.is_empty() {
            plot::throughput(&self.throughput, &settings.out.join("throughput.svg"))?;
        }
        if self.growth.len() > 1 {
            plot::growth(&self.growth, &settings.out.join("growth.svg"))?;
        }
        Ok(())
    }
}

fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(head);
    table
}

fn shown(figure: Option<Figure>) -> String {
    figure.map_or_else(|| "-".to_owned(), |figure| figure.to_string())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine {
            processors,
            model,
            kernel,
            redis,
            version,
        } = &self.machine;
        writeln!(
            f,
            "alumniq-relay {version}, {processors} processors ({model}), Linux {kernel}, Redis {redis}: median (lowest to highest)"
        )?;
        if let Some(Capacity {
            calls_per_second,
            vendors_cpu_ms,
        }) = &self.capacity
        {
            writeln!(
                f,
                "The vendors alone: {calls_per_second} calls/s at {vendors_cpu_ms} ms of processor a call"
            )?;
        }
        if !self.throughput.is_empty() {
            writeln!(f, "{}", self.throughput_table())?;
        }
        if !self.growth.is_empty() {
            writeln!(f, "{}", self.growth_table())?;
        }
        if let Some(latency) = &self.latency {
            writeln!(f, "{latency}")?;
        }
        if !self.failing.is_empty() {
            writeln!(f, "{}", self.failing_table())?;
        }
        for Limited {
            processes,
            used_percent,
            refused,
        } in &self.limited
        {
            writeln!(
                f,
                "A limit of calls a minute, {processes} process(es): {used_percent:.1} % used, {refused} refused"
            )?;
        }
        Ok(())
    }
}

impl Report {
    fn throughput_table(&self) -> Table {
        let mut table = table(&[
            "vendors",
            "",
            "changes/s",
            "of the limit",
            "CPU ms",
            "of it Redis",
            "vendors' CPU ms",
            "peak MiB",
            "Redis commands",
            "round trips",
            "Redis bytes",
            "HTTP calls",
            "half after s",
            "p99 s",
        ]);
        for measured in &self.throughput {
            let column = |figure: fn(&Run) -> f64| shown(measured.of(figure));
            table.add_row([
                format!("{} ms", measured.vendor_ms),
                measured.contender.to_string(),
                column(|run| run.changes_per_second),
                shown(measured.ratio),
                column(|run| run.cpu_ms),
                column(|run| run.redis_cpu_ms),
                column(|run| run.vendors_cpu_ms),
                column(|run| run.peak_mib),
                column(|run| run.redis_commands),
                column(|run| run.redis_round_trips),
                column(|run| run.redis_bytes),
                column(|run| run.http_calls),
                column(|run| run.half_seconds),
                column(|run| run.p99_seconds),
            ]);
        }
        table
    }

    fn failing_table(&self) -> Table {
        let mut table = table(&["calls that fail", "changes/s", "of none", "pauses"]);
        for failing in &self.failing {
            let paces = failing.changes_per_second.iter().copied();
            table.add_row([
                format!("{} % {}", failing.percent, failing.fault.as_str()),
                shown(Figure::of(paces)),
                shown(failing.ratio),
                failing.pauses.to_string(),
            ]);
        }
        table
    }

    fn growth_table(&self) -> Table {
        let mut table = table(&[
            "in line",
            "ms a change",
            "of the first",
            "CPU ms",
            "vendors' CPU ms",
            "enqueue ms",
            "Redis bytes",
            "worker MiB",
            "producer MiB",
        ]);
        for growth in &self.growth {
            let column = |figure: fn(&Grown) -> f64| shown(growth.of(figure));
            table.add_row([
                growth.queued.to_string(),
                column(|run| run.change_ms),
                shown(growth.ratio),
                column(|run| run.cpu_ms),
                column(|run| run.vendors_cpu_ms),
                column(|run| run.enqueue_ms),
                column(|run| run.redis_bytes),
                column(|run| run.worker_peak_mib),
                column(|run| run.producer_peak_mib),
            ]);
        }
        table
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            p50_ms,
            p99_ms,
            slowest_ms,
            idle,
            first_change_ms,
            binary_mib,
        } = self;
        writeln!(
            f,
            "Idle to applied: {p50_ms:.1} ms, p99 {p99_ms:.1} ms, slowest {slowest_ms:.1} ms"
        )?;
        writeln!(
            f,
            "Idle, a second: {:.2} round trips, {:.2} commands, {:.2} % of a processor",
            idle.round_trips, idle.commands, idle.cpu_percent
        )?;
        write!(
            f,
            "Start to first change: {first_change_ms} ms; binary {binary_mib:.1} MiB"
        )
    }
}
