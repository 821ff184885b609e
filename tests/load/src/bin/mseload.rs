//! Drives many MSE viewers of one server and reports how they and the server fared.
//!
//!     mseload ws://127.0.0.1:8083/stream/demo/mse --n 500 --secs 20 --ramp 100 --pid $(pidof lunette)

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Parser;
use lunette_load::mp4;
use lunette_load::process::Usage;
use lunette_load::record::{self, Entry};
use lunette_load::stats::percentile;
use lunette_load::ws::{Client, Head, Kind, Target};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{sleep_until, timeout_at};

const HELLO: &[u8] =
    br#"{"type":"hello","codecs":["avc1.640033","hvc1.1.6.L153.B0","mp4a.40.2","opus","flac"]}"#;

#[derive(Debug, Clone, Parser)]
#[command(about = "Many MSE viewers of one server")]
struct Args {
    /// `ws://HOST:PORT/stream/ID/mse`
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
    /// Speak RTSPtoWeb's framing instead of `lunette.v1`.
    #[arg(long)]
    legacy: bool,
    /// The server's process, for its CPU and memory.
    #[arg(long)]
    pid: Option<u32>,
    /// Write when the first viewer got how much into this file.
    #[arg(long)]
    record: Option<PathBuf>,
    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

/// What all viewers together saw.
#[derive(Debug, Default)]
struct Tally {
    joins_ms: Vec<f64>,
    messages: u64,
    bytes: u64,
    skipped: u64,
    failures: Vec<String>,
    /// Of the first viewer, which parses what it gets.
    fragments: u64,
    keyframes: u64,
    entries: Vec<Entry>,
}

type Shared = Rc<RefCell<Tally>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let args = Args::parse();
    let report = LocalSet::new().run_until(run(args.clone())).await?;
    if args.json {
        println!("{report}");
    } else {
        println!("{report:#}");
    }
    Ok(())
}

async fn run(args: Args) -> Result<serde_json::Value> {
    let (tally, target) = (Shared::default(), Target::parse(&args.url)?);
    let ramped =
        Duration::from_secs_f64(args.n as f64 / args.ramp.max(1) as f64) + Duration::from_secs(1);
    let (begin, steady) = (Instant::now(), Instant::now() + ramped);
    let end = steady + Duration::from_secs(args.secs);
    let mut viewers = JoinSet::new();
    for i in 0..args.n {
        sleep_until((begin + Duration::from_secs_f64(i as f64 / args.ramp as f64)).into()).await;
        let viewer = Viewer {
            first: i == 0,
            legacy: args.legacy,
            joined: false,
            video: None,
        };
        viewers.spawn_local(watch(viewer, target.clone(), tally.clone(), end));
    }
    sleep_until(steady.into()).await;
    let before = snapshot(&args, &tally)?;
    sleep_until(end.into()).await;
    let after = snapshot(&args, &tally)?;
    // Each ends by its own deadline, which is this one.
    while let Some(ended) = viewers.join_next().await {
        ended?;
    }
    if let Some(path) = &args.record {
        record::save(path, &tally.borrow().entries)?;
    }
    Ok(report(&args, &mut tally.borrow_mut(), &before, &after))
}

/// The counters at one moment.
struct Snapshot {
    messages: u64,
    bytes: u64,
    server: Option<Usage>,
    own: Usage,
}

fn snapshot(args: &Args, tally: &Shared) -> Result<Snapshot> {
    let tally = tally.borrow();
    Ok(Snapshot {
        messages: tally.messages,
        bytes: tally.bytes,
        server: args.pid.map(Usage::of).transpose()?,
        own: Usage::of(std::process::id())?,
    })
}

fn report(
    args: &Args,
    tally: &mut Tally,
    before: &Snapshot,
    after: &Snapshot,
) -> serde_json::Value {
    let secs = after.own.at.duration_since(before.own.at).as_secs_f64();
    let server = before.server.zip(after.server);
    let round = |value: f64| (value * 100.0).round() / 100.0;
    tally.failures.sort();
    let failed = tally.failures.len();
    tally.failures.dedup();
    serde_json::json!({
        "viewers": args.n,
        "joined": tally.joins_ms.len(),
        "failed": failed,
        "failures": tally.failures,
        "join_p50_ms": round(percentile(&mut tally.joins_ms, 0.5)),
        "join_p95_ms": round(percentile(&mut tally.joins_ms, 0.95)),
        "join_max_ms": round(percentile(&mut tally.joins_ms, 1.0)),
        "messages_per_s": round((after.messages - before.messages) as f64 / secs),
        "mbit_per_s": round((after.bytes - before.bytes) as f64 * 8e-6 / secs),
        "skipped": tally.skipped,
        "first_viewer": {"fragments": tally.fragments, "keyframes": tally.keyframes},
        "server_cpu_percent": server.map(|(from, to)| round(to.cpu_percent_since(&from))),
        "server_rss_mib": server.map(|(_, to)| round(to.rss as f64 / f64::from(1 << 20))),
        "load_cpu_percent": round(after.own.cpu_percent_since(&before.own)),
    })
}

/// One viewer's view of itself.
struct Viewer {
    first: bool,
    legacy: bool,
    joined: bool,
    video: Option<u32>,
}

async fn watch(mut viewer: Viewer, target: Target, tally: Shared, end: Instant) {
    let outcome = timeout_at(end.into(), viewer.run(&target, &tally)).await;
    if let Ok(Err(error)) = outcome {
        tally.borrow_mut().failures.push(format!("{error:#}"));
    }
    // The end of the time is how every good viewer ends.
}

impl Viewer {
    async fn run(&mut self, target: &Target, tally: &Shared) -> Result<()> {
        let begun = Instant::now();
        let subprotocol = (!self.legacy).then_some("lunette.v1");
        let mut client = Client::connect(target, subprotocol).await?;
        if !self.legacy {
            client.send(Kind::Text, HELLO).await?;
        }
        let mut message = Vec::new();
        let mut first_at = None;
        loop {
            let head = client.head().await?;
            let parse = self.first || !self.joined || head.kind != Kind::Binary;
            if parse {
                client.read(head.len, &mut message).await?;
                self.look(head, &message, begun, &mut client, tally).await?;
            } else {
                client.skip(head.len).await?;
            }
            let mut tally = tally.borrow_mut();
            tally.messages += 1;
            tally.bytes += head.len as u64;
            if self.first && head.kind == Kind::Binary {
                let at = first_at.get_or_insert_with(Instant::now).elapsed();
                tally.entries.push(Entry {
                    at,
                    bytes: head.len,
                });
            }
        }
    }

    async fn look(
        &mut self,
        head: Head,
        message: &[u8],
        begun: Instant,
        client: &mut Client,
        tally: &Shared,
    ) -> Result<()> {
        match head.kind {
            Kind::Ping => client.send(Kind::Pong, message).await?,
            Kind::Close => bail!("closed: {}", close_reason(message)),
            Kind::Text => {
                let text: serde_json::Value = serde_json::from_slice(message)?;
                tally.borrow_mut().skipped += text["frames"].as_u64().unwrap_or(0);
            }
            Kind::Binary if mp4::is_init(message) => self.video = mp4::video_track(message),
            Kind::Binary => self.fragment(message, begun, &mut tally.borrow_mut()),
            Kind::Pong => {}
        }
        Ok(())
    }

    fn fragment(&mut self, message: &[u8], begun: Instant, tally: &mut Tally) {
        let Some(fragment) = mp4::fragment(message) else {
            return;
        };
        let key = Some(fragment.track) == self.video && fragment.sync;
        if key && !self.joined {
            self.joined = true;
            tally.joins_ms.push(begun.elapsed().as_secs_f64() * 1000.0);
        }
        if self.first {
            tally.fragments += 1;
            tally.keyframes += u64::from(key);
        }
    }
}

fn close_reason(message: &[u8]) -> String {
    let code = message
        .get(..2)
        .map_or(1005, |two| u16::from_be_bytes([two[0], two[1]]));
    let reason = String::from_utf8_lossy(message.get(2..).unwrap_or_default());
    format!("{code} {reason}")
}
