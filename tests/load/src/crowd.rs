//! The frame of a load tool: many begin one after another, then all of them go on for a while, in which it is measured.

use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout_at};

use crate::process::Usage;

/// How many, how long, and against whom.
#[derive(Debug, Clone, Args)]
pub struct Crowd {
    /// How many.
    #[arg(long, default_value_t = 100)]
    pub n: usize,
    /// How long all of them go on, after the last one has begun.
    #[arg(long, default_value_t = 20)]
    pub secs: u64,
    /// How many begin in a second.
    #[arg(long, default_value_t = 100)]
    pub ramp: usize,
    /// The server's process, for its CPU and memory.
    #[arg(long)]
    pub pid: Option<u32>,
    /// Print one line of JSON.
    #[arg(long)]
    pub json: bool,
}

/// What was counted, and used, up to one moment.
#[derive(Debug, Clone)]
pub struct Moment<C> {
    /// What the tool counts.
    pub counted: C,
    /// The server's process, if it is known.
    pub server: Option<Usage>,
    own: Usage,
}

/// The time in which all were there.
#[derive(Debug)]
pub struct Span<C> {
    /// Its beginning.
    pub from: Moment<C>,
    /// Its end.
    pub to: Moment<C>,
    /// Why some ended before.
    pub failures: Vec<String>,
}

impl Crowd {
    /// Runs what `join` makes of each number, and ends it when the time is over. `count` tells what was counted; it is asked when
    /// all have begun and had `settling` to find their pace, and at the end.
    ///
    /// # Errors
    /// Nobody can begin, or the server's process is not there.
    pub async fn run<C, F>(
        &self,
        settling: Duration,
        mut join: impl AsyncFnMut(usize) -> Result<F>,
        mut count: impl FnMut() -> C,
    ) -> Result<Span<C>>
    where
        F: Future<Output = Result<()>> + 'static,
    {
        let every = Duration::from_secs_f64(1.0 / self.ramp.max(1) as f64);
        let began = Instant::now();
        let steady = began + every * u32::try_from(self.n)? + settling;
        let end = steady + Duration::from_secs(self.secs);
        let mut all = JoinSet::new();
        for i in 0..self.n {
            sleep_until((began + every * i as u32).into()).await;
            // The end of the time is how every good one ends.
            all.spawn_local(timeout_at(end.into(), join(i).await?));
        }
        sleep_until(steady.into()).await;
        let from = self.moment(count())?;
        sleep_until(end.into()).await;
        let to = self.moment(count())?;
        let mut failures = Vec::new();
        while let Some(ended) = all.join_next().await {
            if let Ok(Err(error)) = ended? {
                failures.push(format!("{error:#}"));
            }
        }
        Ok(Span { from, to, failures })
    }

    /// Writes `report` down.
    pub fn print(&self, report: &Value) {
        if self.json {
            println!("{report}");
        } else {
            println!("{report:#}");
        }
    }

    fn moment<C>(&self, counted: C) -> Result<Moment<C>> {
        Ok(Moment {
            counted,
            server: self.pid.map(Usage::of).transpose()?,
            own: Usage::of(std::process::id())?,
        })
    }
}

impl<C> Span<C> {
    /// What a difference of counters is in a second.
    pub fn per_second(&self, difference: u64) -> f64 {
        let secs = self.to.own.at.duration_since(self.from.own.at);
        round(difference as f64 / secs.as_secs_f64())
    }

    /// Adds to `report`, an object, what all tools tell: failures, and what the server and the tool have used.
    pub fn tell(&mut self, report: &mut Value) {
        self.failures.sort();
        report["failed"] = self.failures.len().into();
        self.failures.dedup();
        report["failures"] = self.failures.clone().into();
        if let (Some(from), Some(to)) = (self.from.server, self.to.server) {
            report["server_cpu_percent"] = round(to.cpu_percent_since(&from)).into();
            report["server_rss_mib"] = round(to.rss as f64 / f64::from(1 << 20)).into();
        }
        let own = self.to.own.cpu_percent_since(&self.from.own);
        report["load_cpu_percent"] = round(own).into();
    }
}

/// `value` with two places.
#[must_use]
pub fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
