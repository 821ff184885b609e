//! Drives many MSE viewers of one server and reports how they and the server fared.
//!
//!     mseload ws://127.0.0.1:8083/stream/demo/mse --n 500 --secs 20 --ramp 100 --pid $(pidof lunette)

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Parser;
use lunette_load::crowd::{Crowd, Span, round};
use lunette_load::mp4;
use lunette_load::record::{self, Entry};
use lunette_load::stats::percentile;
use lunette_load::ws::{Client, Head, Kind, Target};
use tokio::task::LocalSet;

/// Time for the last viewer to begin.
const SETTLING: Duration = Duration::from_secs(1);

const HELLO: &[u8] =
    br#"{"type":"hello","codecs":["avc1.640033","hvc1.1.6.L153.B0","mp4a.40.2","opus","flac"]}"#;

#[derive(Debug, Parser)]
#[command(about = "Many MSE viewers of one server")]
struct Args {
    /// `ws://HOST:PORT/stream/ID/mse`
    url: String,
    #[command(flatten)]
    crowd: Crowd,
    /// Speak RTSPtoWeb's framing instead of `lunette.v1`.
    #[arg(long)]
    legacy: bool,
    /// Write when the first viewer got how much into this file.
    #[arg(long)]
    record: Option<PathBuf>,
}

/// What all viewers together saw.
#[derive(Debug, Default)]
struct Tally {
    joins_ms: Vec<f64>,
    messages: u64,
    bytes: u64,
    skipped: u64,
    /// Of the first viewer, which parses what it gets.
    fragments: u64,
    keyframes: u64,
    entries: Vec<Entry>,
}

type Shared = Rc<RefCell<Tally>>;

/// The counters at one moment.
struct Counted {
    messages: u64,
    bytes: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let args = Args::parse();
    let report = LocalSet::new().run_until(run(&args)).await?;
    args.crowd.print(&report);
    Ok(())
}

async fn run(args: &Args) -> Result<serde_json::Value> {
    let (tally, target) = (Shared::default(), Target::parse(&args.url)?);
    let begin = async |i| {
        let mut viewer = Viewer {
            first: i == 0,
            legacy: args.legacy,
            joined: false,
            video: None,
        };
        let (target, tally) = (target.clone(), tally.clone());
        Ok(async move { viewer.run(&target, &tally).await })
    };
    let count = || {
        let tally = tally.borrow();
        Counted {
            messages: tally.messages,
            bytes: tally.bytes,
        }
    };
    let span = args.crowd.run(SETTLING, begin, count).await?;
    if let Some(path) = &args.record {
        record::save(path, &tally.borrow().entries)?;
    }
    Ok(report(args, &mut tally.borrow_mut(), span))
}

fn report(args: &Args, tally: &mut Tally, mut span: Span<Counted>) -> serde_json::Value {
    let (from, to) = (&span.from.counted, &span.to.counted);
    let mut report = serde_json::json!({
        "viewers": args.crowd.n,
        "joined": tally.joins_ms.len(),
        "join_p50_ms": round(percentile(&mut tally.joins_ms, 0.5)),
        "join_p95_ms": round(percentile(&mut tally.joins_ms, 0.95)),
        "join_max_ms": round(percentile(&mut tally.joins_ms, 1.0)),
        "messages_per_s": span.per_second(to.messages - from.messages),
        "mbit_per_s": round(span.per_second(to.bytes - from.bytes) * 8e-6),
        "skipped": tally.skipped,
        "first_viewer": {"fragments": tally.fragments, "keyframes": tally.keyframes},
    });
    span.tell(&mut report);
    report
}

/// One viewer's view of itself.
struct Viewer {
    first: bool,
    legacy: bool,
    joined: bool,
    video: Option<u32>,
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
