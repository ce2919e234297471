//! What processes cost, by the kernel's own account (`/proc`).

use std::{fs, process::ExitStatus};

use tokio::process::{Child, Command};

use crate::Outcome;

/// A process that ends with its owner.
pub struct Process {
    child: Child,
    pid: u32,
}

/// What a process has used so far.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Used {
    /// Seconds of processor time.
    pub cpu: f64,
    /// The most memory it ever had resident, in bytes; of several together.
    pub peak: u64,
}

impl Process {
    pub fn spawn(mut command: Command) -> Outcome<Self> {
        let child = command
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{command:?} cannot be started: {error}"))?;
        let pid = child.id().ok_or("it ended at once")?;
        Ok(Self { child, pid })
    }

    pub fn used(&self) -> Outcome<Used> {
        used_by(self.pid)
    }

    /// The child itself, for its pipes.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Waits until it ends by itself.
    pub async fn end(&mut self) -> Outcome<ExitStatus> {
        Ok(self.child.wait().await?)
    }

    /// Asks it to end, and waits.
    pub async fn stop(mut self) -> Outcome<()> {
        let _ = std::process::Command::new("kill")
            .arg(self.pid.to_string())
            .status()?;
        self.child.wait().await?;
        Ok(())
    }
}

/// With all its children, and theirs; those that have ended count with their time.
pub fn used_by(pid: u32) -> Outcome<Used> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, which may hold anything, ends with the last parenthesis. Fields 14 to 17 (proc(5)) are its time as user
    // and in the system, and that of its children that were waited for.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks = fields.split_whitespace().skip(14 - 3).take(4);
    let ticks: Vec<f64> = ticks.map(str::parse).collect::<Result<_, _>>()?;
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let peak = status.lines().find_map(|line| {
        let kibibytes = line.strip_prefix("VmHWM:")?.split_whitespace().next()?;
        kibibytes.parse::<u64>().ok()
    });
    // The kernel's clock ticks a hundred times a second on every Linux that people run.
    let mut used = Used {
        cpu: ticks.iter().sum::<f64>() / 100.0,
        peak: peak.unwrap_or_default() * 1024,
    };
    let threads = fs::read_dir(format!("/proc/{pid}/task"))?.flatten();
    for thread in threads {
        let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        for child in children
            .split_whitespace()
            .filter_map(|child| child.parse().ok())
        {
            // It may have ended meanwhile: then its parent has its time.
            used.add(used_by(child).unwrap_or_default());
        }
    }
    Ok(used)
}

impl Used {
    fn add(&mut self, other: Self) {
        self.cpu += other.cpu;
        self.peak += other.peak;
    }

    /// What is larger of each: a process that has ended does not say any more what it used.
    pub fn most(self, other: Self) -> Self {
        Self {
            cpu: self.cpu.max(other.cpu),
            peak: self.peak.max(other.peak),
        }
    }
}

/// What all of them have used together.
pub fn used_by_all<'a>(processes: impl IntoIterator<Item = &'a Process>) -> Outcome<Used> {
    let mut all = Used::default();
    for process in processes {
        all.add(process.used()?);
    }
    Ok(all)
}
