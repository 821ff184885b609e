//! The figures of the process, under the names that Prometheus' own libraries use, and those of the runtimes.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::Unit;
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::{Handle, RuntimeMetrics};

use super::super::encoding::{counters, gauges};

#[derive(Debug)]
pub(super) struct Process {
    /// In seconds since the Unix epoch.
    started: f64,
    /// Ours, and that of the cameras.
    runtimes: Vec<RuntimeMetrics>,
}

/// What the kernel tells of us. What it does not tell is left out.
#[derive(Debug, Default)]
struct Memory {
    virtual_bytes: Option<u64>,
    resident_bytes: Option<u64>,
    threads: Option<u64>,
}

impl Process {
    /// Figures of the runtime that this is called in, and of `others`. Needs a tokio runtime.
    pub(super) fn new(others: Option<&Handle>) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            started: now.unwrap_or_default().as_secs_f64(),
            runtimes: [Handle::current().metrics()]
                .into_iter()
                .chain(others.map(Handle::metrics))
                .collect(),
        }
    }

    /// Of all runtimes together.
    fn sum(&self, of: impl Fn(&RuntimeMetrics) -> usize) -> u64 {
        self.runtimes.iter().map(of).sum::<usize>() as u64
    }
}

impl Collector for Process {
    fn encode(&self, mut out: DescriptorEncoder<'_>) -> fmt::Result {
        let none: &[(&str, &str)] = &[];
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        let cpu = cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9;
        let help = "User and system CPU time";
        counters(&mut out, "process_cpu", Some(&Unit::Seconds), help)?.counter(&none, &cpu)?;
        let help = "When the process was started, since the Unix epoch";
        gauges(&mut out, "process_start_time", Some(&Unit::Seconds), help)?
            .gauge(&none, &self.started)?;
        let memory = Memory::read();
        let in_bytes = Some(&Unit::Bytes);
        for (name, unit, help, value) in [
            (
                "process_resident_memory",
                in_bytes,
                "Memory in use",
                memory.resident_bytes,
            ),
            (
                "process_virtual_memory",
                in_bytes,
                "Memory that was asked for",
                memory.virtual_bytes,
            ),
            ("process_threads", None, "Threads", memory.threads),
            (
                "process_open_fds",
                None,
                "Open files and sockets",
                open_files(),
            ),
            (
                "process_max_fds",
                None,
                "How many files and sockets may be open",
                getrlimit(Resource::Nofile).current,
            ),
            (
                "tokio_workers",
                None,
                "Threads that run tasks",
                Some(self.sum(RuntimeMetrics::num_workers)),
            ),
            (
                "tokio_tasks",
                None,
                "Tasks that have not ended",
                Some(self.sum(RuntimeMetrics::num_alive_tasks)),
            ),
            (
                "tokio_global_queue_depth",
                None,
                "Tasks that wait for a thread, beside those in a thread's own queue",
                Some(self.sum(RuntimeMetrics::global_queue_depth)),
            ),
        ] {
            if let Some(value) = value {
                gauges(&mut out, name, unit, help)?.gauge(&none, &value)?;
            }
        }
        Ok(())
    }
}

impl Memory {
    fn read() -> Self {
        let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        Self::parse(&text)
    }

    fn parse(status: &str) -> Self {
        let number = |key: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            line.split_whitespace().next()?.parse().ok()
        };
        let kib = |key| number(key).map(|kib| kib * 1024);
        Self {
            virtual_bytes: kib("VmSize:"),
            resident_bytes: kib("VmRSS:"),
            threads: number("Threads:"),
        }
    }
}

fn open_files() -> Option<u64> {
    let files = std::fs::read_dir("/proc/self/fd").ok()?;
    // One of them is the directory that is being read.
    (files.count() as u64).checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_understood_and_what_it_does_not_say_is_left_out() {
        let status = "Name:\tlunette\nVmSize:\t  1000 kB\nVmRSS:\t   12 kB\nThreads:\t7\n";
        let memory = Memory::parse(status);
        assert_eq!(memory.virtual_bytes, Some(1_024_000));
        assert_eq!(memory.resident_bytes, Some(12_288));
        assert_eq!(memory.threads, Some(7));
        assert_eq!(Memory::parse("VmRSS: many kB").resident_bytes, None);
    }
}
