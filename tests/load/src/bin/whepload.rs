//! Drives many WebRTC viewers of one WHEP server and reports how they and the server fared.
//!
//!     whepload http://127.0.0.1:8083/stream/demo/whep --n 500 --secs 20 --ramp 100 --pid $(pidof lunette)
//!     whepload http://127.0.0.1:8083/stream/demo/whep --cycles 10000 --together 20 --way mixed --pid $(pidof lunette)
//!
//! Viewers are addresses from 127.1.0.1 on: run it in a network namespace, beside the server. The delay of forwarding is
//! told where the camera is `stampcam`: from its write of a picture to the kernel's receipt of the last packet.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use lunette_load::http::Connection;
use lunette_load::process::Usage;
use lunette_load::record::{self, Entry};
use lunette_load::stats::percentile;
use lunette_load::whep::net::{Arrived, Net};
use lunette_load::whep::sdp::{self, Answer, Us};
use lunette_load::whep::viewer::{Common, Times, Viewer, Way, fingerprint, rand};
use lunette_load::ws::Target;
use tokio::sync::Notify;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

const TICK: Duration = Duration::from_millis(10);
/// How long a viewer waits for what it came for.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Parser)]
#[command(about = "Many WebRTC viewers of one server")]
struct Args {
    /// `http://HOST:PORT/stream/ID/whep`, or that of any other server
    url: String,
    /// How many viewers.
    #[arg(long, default_value_t = 100)]
    n: usize,
    /// How long all of them watch, after the last one has begun.
    #[arg(long, default_value_t = 20)]
    secs: u64,
    /// How many begin in a second.
    #[arg(long, default_value_t = 100)]
    ramp: usize,
    /// Instead: so many viewers who come and go.
    #[arg(long)]
    cycles: Option<usize>,
    /// How many of them at a time.
    #[arg(long, default_value_t = 20)]
    together: usize,
    /// How far each of them goes.
    #[arg(long, value_enum, default_value = "watches")]
    way: Way,
    /// The server's process, for its CPU and memory.
    #[arg(long)]
    pid: Option<u32>,
    /// Write when the first viewer got which packets into this file.
    #[arg(long)]
    record: Option<PathBuf>,
    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

/// A viewer in its place.
struct Seat {
    viewer: Viewer,
    begun: Instant,
}

#[derive(Debug, Default)]
struct Tally {
    delays_ms: Vec<f64>,
    failures: Vec<String>,
    /// Of the first viewer.
    entries: Vec<Entry>,
    picture: Option<(u32, Duration)>,
}

struct Load {
    args: Args,
    target: Target,
    net: Net,
    common: Common,
    fingerprint: String,
    seats: RefCell<Vec<Option<Seat>>>,
    tally: RefCell<Tally>,
    /// All viewers are there: now it counts.
    counts: Cell<bool>,
    /// A viewer got further.
    news: Notify,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let args = Args::parse();
    let (target, total) = (Target::parse(&args.url)?, args.cycles.unwrap_or(args.n));
    let certificate = dimpl::certificate::generate_self_signed_certificate()?;
    let config = dimpl::Config::builder().build()?;
    let load = Rc::new(Load {
        target,
        net: Net::bind()?,
        fingerprint: fingerprint(&certificate.certificate),
        common: Common {
            certificate,
            config: Arc::new(config),
        },
        seats: RefCell::new((0..total).map(|_| None).collect()),
        tally: RefCell::default(),
        counts: Cell::new(false),
        news: Notify::new(),
        args,
    });
    let report = LocalSet::new().run_until(Rc::clone(&load).run()).await?;
    if load.args.json {
        println!("{report}");
    } else {
        println!("{report:#}");
    }
    Ok(())
}

impl Load {
    async fn run(self: Rc<Self>) -> Result<serde_json::Value> {
        let drivers = async {
            tokio::select! {
                received = self.net.receive(|arrived| self.take(&arrived)) => received,
                never = self.keep() => never,
            }
        };
        let work = async {
            match self.args.cycles {
                Some(cycles) => Rc::clone(&self).cycle(cycles).await,
                None => Rc::clone(&self).crowd().await,
            }
        };
        tokio::select! {
            report = work => report,
            ended = drivers => ended.and_then(|()| bail!("the socket ended")),
        }
    }

    /// Datagrams came.
    fn take(&self, arrived: &Arrived<'_>) {
        let mut seats = self.seats.borrow_mut();
        let Some(Some(seat)) = seats.get_mut(arrived.viewer) else {
            return;
        };
        let now = Instant::now();
        let n = arrived.viewer;
        let mut tally = self.tally.borrow_mut();
        let before = (
            seat.viewer.times.media.is_some(),
            seat.viewer.times.picture.is_some(),
            seat.viewer.times.checked.is_some(),
        );
        for datagram in arrived.bytes.chunks(arrived.stride) {
            let mut send = |to, bytes: &[u8]| self.net.send(n, to, bytes);
            match seat
                .viewer
                .datagram(datagram, arrived.from, (now, arrived.at), &mut send)
            {
                Ok(Some(whole)) if self.counts.get() => {
                    tally
                        .delays_ms
                        .extend(whole.delay.map(|delay| delay.as_secs_f64() * 1000.0));
                }
                Ok(_) => {}
                Err(error) => tally.failures.push(format!("{error:#}")),
            }
            if n == 0 && self.counts.get() && self.args.record.is_some() {
                tally.record(datagram, arrived.at);
            }
        }
        let after = (
            seat.viewer.times.media.is_some(),
            seat.viewer.times.picture.is_some(),
            seat.viewer.times.checked.is_some(),
        );
        if before != after {
            self.news.notify_waiters();
        }
    }

    /// Lets time pass for all viewers, for ever.
    async fn keep(&self) -> Result<()> {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let now = Instant::now();
            let seats = self.seats.borrow().len();
            for n in 0..seats {
                self.time(n, now)?;
            }
        }
    }

    fn time(&self, n: usize, now: Instant) -> Result<()> {
        match &mut self.seats.borrow_mut()[n] {
            Some(seat) => seat
                .viewer
                .time(now, &mut |to, bytes: &[u8]| self.net.send(n, to, bytes)),
            None => Ok(()),
        }
    }

    /// Viewer `n` offers, and takes its seat. Answers with the path of its session.
    async fn join(&self, n: usize, http: &mut Connection, way: Way) -> Result<String> {
        let (ufrag, password) = (
            format!("{:08x}", rand() as u32),
            format!("{:016x}{:016x}", rand(), rand()),
        );
        let us = Us {
            ufrag: &ufrag,
            password: &password,
            fingerprint: &self.fingerprint,
        };
        let (begun, path) = (Instant::now(), &self.target.path);
        let (head, body) = http
            .post(path, "application/sdp", &sdp::offer(&us), <[u8]>::to_vec)
            .await?;
        let body = String::from_utf8_lossy(&body).into_owned();
        ensure!(head.status == 201, "{}: {body}", head.status);
        let answer = Answer::parse(&body)?;
        let now = Instant::now();
        let viewer = Viewer::new(&self.common, (&ufrag, &password), answer, way, now);
        self.seats.borrow_mut()[n] = Some(Seat { viewer, begun });
        self.time(n, now)?;
        Ok(resolve(path, &head.location.context("no Location")?))
    }

    /// Waits until viewer `n` has got somewhere.
    async fn until(&self, n: usize, there: impl Fn(&Times) -> bool) -> Result<()> {
        let arrived = async {
            loop {
                let news = self.news.notified();
                let seat = |seats: &[Option<Seat>]| seats[n].as_ref().map(|seat| seat.viewer.times);
                if seat(&self.seats.borrow()).is_some_and(|times| there(&times)) {
                    return;
                }
                news.await;
            }
        };
        timeout(PATIENCE, arrived)
            .await
            .context("it did not get that far within 20 s")
    }

    fn usage(&self) -> Result<Option<Usage>> {
        self.args.pid.map(Usage::of).transpose()
    }

    fn note<T>(&self, outcome: Result<T>) -> Option<T> {
        outcome
            .map_err(|error| self.tally.borrow_mut().failures.push(format!("{error:#}")))
            .ok()
    }

    /// Viewers who stay.
    async fn crowd(self: Rc<Self>) -> Result<serde_json::Value> {
        let mut http = Connection::open(&self.target.authority).await?;
        let mut sessions = vec![self.join(0, &mut http, Way::Watches).await?];
        self.until(0, |times| times.picture.is_some()).await?;
        sleep(Duration::from_millis(500)).await;
        let alone = self.usage()?;
        let begin = Instant::now();
        for n in 1..self.args.n {
            let due = begin + Duration::from_secs_f64(n as f64 / self.args.ramp.max(1) as f64);
            sleep(due.saturating_duration_since(Instant::now())).await;
            let joined = self.join(n, &mut http, Way::Watches).await;
            sessions.extend(self.note(joined));
        }
        for n in 1..self.args.n {
            if self.seats.borrow()[n].is_some() {
                let seen = self.until(n, |times| times.picture.is_some()).await;
                self.note(seen);
            }
        }
        sleep(Duration::from_secs(2)).await;
        self.counts.set(true);
        let before = self.snapshot()?;
        sleep(Duration::from_secs(self.args.secs)).await;
        let after = self.snapshot()?;
        self.counts.set(false);
        if let Some(path) = &self.args.record {
            record::save(path, &self.tally.borrow().entries)?;
        }
        let report = self.report(&before, &after, alone);
        for session in sessions {
            let left = http.delete(&session).await;
            self.note(left);
        }
        Ok(report)
    }

    /// Viewers who come and go.
    async fn cycle(self: Rc<Self>, cycles: usize) -> Result<serde_json::Value> {
        let next = Rc::new(Cell::new(0));
        let begin = self.usage()?;
        let mut workers = JoinSet::new();
        for _ in 0..self.args.together {
            let (load, next) = (Rc::clone(&self), Rc::clone(&next));
            workers.spawn_local(async move {
                let mut http = Connection::open(&load.target.authority).await?;
                while next.get() < cycles {
                    let n = next.replace(next.get() + 1);
                    let outcome = load.once(n, &mut http).await;
                    load.note(outcome);
                }
                anyhow::Ok(())
            });
        }
        let mut samples = Vec::new();
        let step = (cycles / 10).max(1);
        loop {
            if let Some(usage) = self.usage()?.filter(|_| next.get() >= step * samples.len()) {
                samples.push(serde_json::json!({
                    "cycles": next.get(), "rss_mib": mib(usage.rss), "files": usage.files, "threads": usage.threads,
                }));
            }
            tokio::select! {
                worker = workers.join_next() => match worker {
                    Some(ended) => ended??,
                    None => break,
                },
                () = sleep(Duration::from_millis(50)) => {}
            }
        }
        let end = self.usage()?;
        let used = begin.zip(end);
        let (stages, done) = self.stages();
        Ok(serde_json::json!({
            "cycles": cycles,
            "got_media": done,
            "failures": self.failures(),
            "stages": stages,
            "server_cpu_ms_per_cycle": used.map(|(from, to)| round(to.cpu.saturating_sub(from.cpu).as_secs_f64() * 1000.0 / cycles as f64)),
            "samples": samples,
            "seconds": used.map(|(from, to)| round(to.at.duration_since(from.at).as_secs_f64())),
        }))
    }

    async fn once(&self, n: usize, http: &mut Connection) -> Result<()> {
        let ways = [Way::Watches, Way::Offers, Way::Checks, Way::Vanishes];
        let way = match self.args.way {
            Way::Mixed => ways[n % ways.len()],
            way => way,
        };
        let session = self.join(n, http, way).await?;
        let got = match way {
            Way::Checks => self.until(n, |times| times.checked.is_some()).await,
            Way::Offers => Ok(()),
            _ => self.until(n, |times| times.media.is_some()).await,
        };
        if way == Way::Watches {
            let left = http.delete(&session).await?;
            ensure!(left.status == 200, "DELETE: {}", left.status);
        }
        // It keeps its times, and hears nothing more.
        if let Some(seat) = &mut self.seats.borrow_mut()[n] {
            seat.viewer.over = true;
        }
        got
    }

    fn snapshot(&self) -> Result<Snapshot> {
        let seats = self.seats.borrow();
        let tracks = || seats.iter().flatten().map(|seat| &seat.viewer.track);
        Ok(Snapshot {
            packets: tracks().map(|track| track.received).sum(),
            missing: tracks().map(|track| track.missing).sum(),
            recovered: tracks().map(|track| track.recovered).sum(),
            bytes: seats.iter().flatten().map(|seat| seat.viewer.bytes).sum(),
            server: self.usage()?,
            own: Usage::of(std::process::id())?,
        })
    }

    /// How long viewers took from step to step, and how many got media.
    fn stages(&self) -> (serde_json::Value, usize) {
        let seats = self.seats.borrow();
        let all = || seats.iter().flatten();
        let span = |from: &dyn Fn(&Seat) -> Option<Instant>,
                    to: &dyn Fn(&Seat) -> Option<Instant>| {
            let mut spans: Vec<f64> = all()
                .filter_map(|seat| {
                    Some(to(seat)?.duration_since(from(seat)?).as_secs_f64() * 1000.0)
                })
                .collect();
            let mut at = |share| round(percentile(&mut spans, share));
            serde_json::json!({"p50_ms": at(0.5), "p95_ms": at(0.95), "max_ms": at(1.0)})
        };
        let begun = |seat: &Seat| Some(seat.begun);
        let stages = serde_json::json!({
            "post_to_answer": span(&begun, &|seat| seat.viewer.times.answered),
            "answer_to_ice": span(&|seat| seat.viewer.times.answered, &|seat| seat.viewer.times.checked),
            "answer_to_connected": span(&|seat| seat.viewer.times.answered, &|seat| seat.viewer.times.connected),
            "connected_to_media": span(&|seat| seat.viewer.times.connected, &|seat| seat.viewer.times.media),
            "post_to_picture": span(&begun, &|seat| seat.viewer.times.picture),
        });
        (
            stages,
            all()
                .filter(|seat| seat.viewer.times.media.is_some())
                .count(),
        )
    }

    fn failures(&self) -> serde_json::Value {
        let mut failures = self.tally.borrow().failures.clone();
        let count = failures.len();
        failures.sort();
        failures.dedup();
        serde_json::json!({"count": count, "kinds": failures})
    }

    fn report(
        &self,
        before: &Snapshot,
        after: &Snapshot,
        alone: Option<Usage>,
    ) -> serde_json::Value {
        let secs = after.own.at.duration_since(before.own.at).as_secs_f64();
        let server = before.server.zip(after.server);
        let packets = after.packets - before.packets;
        let (stages, joined) = self.stages();
        let seats = self.seats.borrow();
        let bits = seats
            .iter()
            .flatten()
            .map(|seat| seat.viewer.key_bits())
            .max();
        let gone = seats
            .iter()
            .flatten()
            .filter(|seat| seat.viewer.over)
            .count();
        drop(seats);
        let others = self.args.n.saturating_sub(1).max(1) as f64;
        let grown = alone
            .zip(after.server)
            .map(|(from, to)| to.rss.saturating_sub(from.rss) as f64 / 1024.0 / others);
        let failures = self.failures();
        let delays = &mut self.tally.borrow_mut().delays_ms;
        serde_json::json!({
            "viewers": self.args.n,
            "joined": joined,
            "sent_away": gone,
            "failures": failures,
            "stages": stages,
            "packets_per_s": round(packets as f64 / secs),
            "mbit_per_s": round((after.bytes - before.bytes) as f64 * 8e-6 / secs),
            "missing": after.missing.saturating_sub(before.missing),
            "recovered": after.recovered - before.recovered,
            "key_bits": bits,
            "delay_p50_ms": round(percentile(delays, 0.5)),
            "delay_p99_ms": round(percentile(delays, 0.99)),
            "delay_max_ms": round(percentile(delays, 1.0)),
            "delays": delays.len(),
            "server_cpu_percent": server.map(|(from, to)| round(to.cpu_percent_since(&from))),
            "server_us_per_packet": server.map(|(from, to)| to.cpu.saturating_sub(from.cpu).as_secs_f64() * 1e6 / packets.max(1) as f64).map(round),
            "server_rss_mib": after.server.map(|usage| mib(usage.rss)),
            "server_kib_per_viewer": grown.map(round),
            "load_cpu_percent": round(after.own.cpu_percent_since(&before.own)),
        })
    }
}

/// The counters at one moment.
struct Snapshot {
    packets: u64,
    missing: u64,
    recovered: u64,
    bytes: u64,
    server: Option<Usage>,
    own: Usage,
}

impl Tally {
    /// Packets of one picture stand at the time of its first.
    fn record(&mut self, packet: &[u8], at: Duration) {
        use lunette_load::whep::media::Header;
        let rtp = packet.first().is_some_and(|byte| byte >> 6 == 2);
        let Some(header) = Header::parse(packet)
            .filter(|header| rtp && header.payload_type >= 96 && header.payload_type < 127)
        else {
            return;
        };
        let at = match self.picture {
            Some((timestamp, at)) if timestamp == header.timestamp => at,
            _ => at,
        };
        self.picture = Some((header.timestamp, at));
        self.entries.push(Entry {
            at,
            bytes: packet.len(),
        });
    }
}

/// `Location` may be a URL or a path, or relative to what was asked for (RFC 3986 section 5.2).
fn resolve(asked: &str, location: &str) -> String {
    if location.starts_with('/') {
        return location.to_owned();
    }
    if let Some((_, rest)) = location.split_once("://") {
        return rest
            .split_once('/')
            .map_or_else(|| "/".to_owned(), |(_, path)| format!("/{path}"));
    }
    let folder = asked.rsplit_once('/').map_or("", |(folder, _)| folder);
    format!("{folder}/{location}")
}

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

fn mib(bytes: u64) -> f64 {
    round(bytes as f64 / f64::from(1 << 20))
}
