//! What a process uses, from Linux's `/proc`.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Linux reports CPU time in ticks of this many a second, on every architecture (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU time and memory of a process at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// CPU time of all its threads, user and system.
    pub cpu: Duration,
    /// Resident memory in bytes.
    pub rss: u64,
    /// Open files, sockets among them.
    pub files: usize,
    /// Threads.
    pub threads: u64,
    /// When this was read.
    pub at: Instant,
}

impl Usage {
    /// Reads the usage of process `pid`.
    pub fn of(pid: u32) -> Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))
            .with_context(|| format!("no process {pid}"))?;
        // The name, in brackets, may hold blanks: count from its end.
        let after = stat.rsplit_once(')').context("odd /proc/PID/stat")?.1;
        let ticks: f64 = after
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|field| field.parse::<f64>().ok())
            .sum();
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let number = |name: &str| {
            let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
            rest.split_whitespace().next()?.parse::<u64>().ok()
        };
        Ok(Self {
            cpu: Duration::from_secs_f64(ticks / TICKS_PER_SECOND),
            rss: number("VmRSS:").unwrap_or(0) * 1024,
            files: fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count),
            threads: number("Threads:").unwrap_or(0),
            at: Instant::now(),
        })
    }

    /// The share of one core used since `earlier`, in percent.
    #[must_use]
    pub fn cpu_percent_since(&self, earlier: &Self) -> f64 {
        let wall = self.at.duration_since(earlier.at).as_secs_f64();
        100.0 * (self.cpu.saturating_sub(earlier.cpu)).as_secs_f64() / wall.max(1e-9)
    }
}
