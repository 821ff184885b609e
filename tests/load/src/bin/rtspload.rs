//! Drives many RTSP viewers of one server and reports how they and the server fared.
//!
//!     rtspload rtsp://127.0.0.1:5541/cam --n 500 --secs 20 --ramp 100 --pid $(pidof lunette)
//!     rtspload rtsp://127.0.0.1:5541/cam --n 500 --udp --pid $(pidof lunette)
//!
//! Viewers are addresses from 127.1.0.1 on. The delay of forwarding is told where the camera is `stampcam`: from its write of a
//! picture to the receipt of the last packet, by the kernel over UDP and by this program over TCP.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use clap::Parser;
use lunette_load::crowd::{Crowd, Span, round};
use lunette_load::process::Usage;
use lunette_load::rtsp::{Carrier, Client, Target};
use lunette_load::stats::percentile;
use lunette_load::whep::media::{Header, Place, Track, find_stamp, is_keyframe};
use lunette_load::whep::net::Net;
use tokio::task::LocalSet;
use tokio::time::{interval, sleep, timeout};

/// Time for the last viewer to get what lies behind live.
const SETTLING: Duration = Duration::from_secs(3);
/// How long the first viewer waits for a picture.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often viewers over UDP say that they are there.
const KEEP_ALIVE: Duration = Duration::from_secs(25);
/// Payload types of reports (RFC 5761 section 4).
const REPORTS: std::ops::RangeInclusive<u8> = 72..=79;

#[derive(Debug, Parser)]
#[command(about = "Many RTSP viewers of one server")]
struct Args {
    /// `rtsp://ADDRESS:PORT/ID`, or that of any other server
    url: String,
    #[command(flatten)]
    crowd: Crowd,
    /// Media comes as datagrams.
    #[arg(long)]
    udp: bool,
}

/// What all viewers together saw.
#[derive(Debug, Default)]
struct Tally {
    joins_ms: Vec<f64>,
    delays_ms: Vec<f64>,
    packets: u64,
    bytes: u64,
    missing: u64,
    /// All viewers are there: now delays count.
    counts: bool,
}

/// One viewer's view of its picture.
#[derive(Debug)]
struct View {
    begun: Instant,
    joined: bool,
    /// Of the first source it hears, the picture.
    track: Track,
    ssrc: Option<u32>,
}

/// The counters at one moment.
struct Counted {
    packets: u64,
    bytes: u64,
    missing: u64,
}

struct Load {
    target: Target,
    net: Net,
    udp: bool,
    tally: RefCell<Tally>,
    views: RefCell<Vec<View>>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let args = Args::parse();
    let fresh = || View {
        begun: Instant::now(),
        joined: false,
        track: Track::default(),
        ssrc: None,
    };
    let load = Rc::new(Load {
        target: Target::parse(&args.url)?,
        net: Net::bind()?,
        udp: args.udp,
        tally: RefCell::default(),
        views: RefCell::new((0..=args.crowd.n).map(|_| fresh()).collect()),
    });
    let report = LocalSet::new().run_until(run(&args, load)).await?;
    args.crowd.print(&report);
    Ok(())
}

async fn run(args: &Args, load: Rc<Load>) -> Result<serde_json::Value> {
    let receiving = Rc::clone(&load);
    tokio::task::spawn_local(async move {
        let take = |arrived: lunette_load::whep::net::Arrived<'_>| {
            for datagram in arrived.bytes.chunks(arrived.stride) {
                receiving.packet(arrived.viewer, datagram, arrived.at);
            }
        };
        receiving.net.receive(take).await
    });
    // One more watches from the beginning to the end, so that a Channel that is watched is no viewer's cost.
    tokio::task::spawn_local(Rc::clone(&load).watch(args.crowd.n));
    let first = async {
        while load.tally.borrow().joins_ms.is_empty() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, first)
        .await
        .context("no picture came within 20 s")?;
    sleep(Duration::from_millis(500)).await;
    let alone = args.crowd.pid.map(Usage::of).transpose()?;
    let begin = async |n| Ok(Rc::clone(&load).watch(n));
    let count = || {
        let mut tally = load.tally.borrow_mut();
        tally.counts = !tally.counts;
        Counted {
            packets: tally.packets,
            bytes: tally.bytes,
            missing: tally.missing,
        }
    };
    let span = args.crowd.run(SETTLING, begin, count).await?;
    Ok(report(args, &mut load.tally.borrow_mut(), span, alone))
}

impl Load {
    /// Viewer `n`, for ever.
    async fn watch(self: Rc<Self>, n: usize) -> Result<()> {
        self.views.borrow_mut()[n].begun = Instant::now();
        let mut client = Client::connect(&self.target, Net::address(n)).await?;
        if self.udp {
            let carrier = Carrier::Udp(self.net.port()?);
            client.play(&self.target, carrier).await?;
            let mut ticks = interval(KEEP_ALIVE);
            loop {
                ticks.tick().await;
                client.keep_alive(&self.target).await?;
            }
        }
        client.play(&self.target, Carrier::Tcp).await?;
        loop {
            let (channel, packet) = client.frame().await?;
            if channel % 2 == 0 {
                let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
                self.packet(n, packet, now);
            }
        }
    }

    /// Viewer `n` got a packet `at`, since 1970.
    fn packet(&self, n: usize, packet: &[u8], at: Duration) {
        let (mut views, mut tally) = (self.views.borrow_mut(), self.tally.borrow_mut());
        let Some((view, header)) = views.get_mut(n).zip(Header::parse(packet)) else {
            return;
        };
        if REPORTS.contains(&header.payload_type) {
            return;
        }
        tally.packets += 1;
        tally.bytes += packet.len() as u64;
        if *view.ssrc.get_or_insert(header.ssrc) != header.ssrc {
            return;
        }
        if let Place::Next { missing, .. } = view.track.take(&header) {
            tally.missing += missing;
        }
        let payload = &packet[header.len..];
        let picture = &mut view.track.picture;
        picture.keyframe |= is_keyframe(payload);
        if picture.stamp.is_none() {
            picture.stamp = find_stamp(payload);
        }
        if !header.marker || !picture.whole {
            return;
        }
        if picture.keyframe && !std::mem::replace(&mut view.joined, true) {
            let after = view.begun.elapsed();
            tally.joins_ms.push(after.as_secs_f64() * 1000.0);
        }
        if let Some(stamp) = picture.stamp.filter(|_| tally.counts) {
            let delay = at.saturating_sub(stamp);
            tally.delays_ms.push(delay.as_secs_f64() * 1000.0);
        }
    }
}

fn report(
    args: &Args,
    tally: &mut Tally,
    mut span: Span<Counted>,
    alone: Option<Usage>,
) -> serde_json::Value {
    let (from, to) = (&span.from.counted, &span.to.counted);
    let packets = to.packets - from.packets;
    let used = span.from.server.zip(span.to.server);
    let us_per_packet = used.map(|(from, to)| {
        let cpu = to.cpu.saturating_sub(from.cpu);
        round(cpu.as_secs_f64() * 1e6 / packets.max(1) as f64)
    });
    let kib_per_viewer = alone.zip(span.to.server).map(|(from, to)| {
        let grown = to.rss.saturating_sub(from.rss) as f64 / 1024.0;
        round(grown / args.crowd.n.max(1) as f64)
    });
    let mut report = serde_json::json!({
        "viewers": args.crowd.n,
        "joined": tally.joins_ms.len() - 1,
        "join_p50_ms": round(percentile(&mut tally.joins_ms, 0.5)),
        "join_p95_ms": round(percentile(&mut tally.joins_ms, 0.95)),
        "packets_per_s": span.per_second(packets),
        "mbit_per_s": round(span.per_second(to.bytes - from.bytes) * 8e-6),
        "missing": to.missing - from.missing,
        "delay_p50_ms": round(percentile(&mut tally.delays_ms, 0.5)),
        "delay_p99_ms": round(percentile(&mut tally.delays_ms, 0.99)),
        "delay_max_ms": round(percentile(&mut tally.delays_ms, 1.0)),
        "server_us_per_packet": us_per_packet,
        "server_kib_per_viewer": kib_per_viewer,
    });
    span.tell(&mut report);
    report
}
