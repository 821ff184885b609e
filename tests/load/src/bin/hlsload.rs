//! Drives many players of one LL-HLS stream and reports how they and the server fared.
//!
//!     hlsload http://127.0.0.1:8083/stream/demo/hlsll/live/index.m3u8 --n 10000 --secs 10 --pid $(pidof lunette)
//!
//! Every player waits for the next playlist (blocking reload), and with `--media` takes its newest part too. When the
//! same playlist came to the first and to the last of them is the spread: all are released within it. With `--held` all
//! wait for one and the same playlist that is yet to come, again and again.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Parser;
use lunette_load::crowd::{Crowd, Span, round};
use lunette_load::http::{Answer, Connection};
use lunette_load::m3u8::{self, End};
use lunette_load::process::Usage;
use lunette_load::stats::percentile;
use lunette_load::ws::Target;
use tokio::sync::watch;
use tokio::task::LocalSet;
use tokio::time::sleep;

/// How many parts ahead is what all wait for: less than three seconds, which is how far a server lets one ask.
const PARTS_AHEAD: u64 = 8;
/// Time for the last player to begin.
const SETTLING: Duration = Duration::from_secs(2);
/// Time for the last player to get what all have waited for.
const BETWEEN_MEETINGS: Duration = Duration::from_secs(1);

#[derive(Debug, Parser)]
#[command(about = "Many players of one LL-HLS stream")]
struct Args {
    /// `http://HOST:PORT/stream/ID/hlsll/live/index.m3u8`
    url: String,
    #[command(flatten)]
    crowd: Crowd,
    /// Take the parts too, over the same connections.
    #[arg(long)]
    media: bool,
    /// All wait for the same playlist, some parts ahead; when it has come, for another one.
    #[arg(long, conflicts_with = "media")]
    held: bool,
}

/// The arrivals of one playlist.
#[derive(Debug, Clone, Copy)]
struct Round {
    first: Instant,
    last: Instant,
    players: usize,
}

/// What all players together saw.
#[derive(Debug, Default)]
struct Tally {
    playing: usize,
    requests: u64,
    hits: u64,
    bytes: u64,
    /// By what was asked for.
    rounds: HashMap<String, Round>,
}

/// The counters at one moment.
struct Counted {
    requests: u64,
    hits: u64,
    bytes: u64,
    /// Of the time before.
    rounds: HashMap<String, Round>,
}

type Shared = Rc<RefCell<Tally>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let args = Args::parse();
    let report = LocalSet::new().run_until(run(&args)).await?;
    args.crowd.print(&report);
    Ok(())
}

async fn run(args: &Args) -> Result<serde_json::Value> {
    let (tally, target) = (Shared::default(), Target::parse(&args.url)?);
    let media = find(&target).await?;
    let idle = args.crowd.pid.map(Usage::of).transpose()?;
    let together = (args.held).then(|| meet(&target, &media, args.crowd.n, &tally));
    let parts = args.media;
    let begin = async |_| {
        let player = Player {
            connection: Connection::open(&target.authority).await?,
            media: media.clone(),
            tally: tally.clone(),
        };
        let together = together.clone();
        Ok(async move {
            match together {
                Some(together) => player.wait_together(together).await,
                None => player.play(parts).await,
            }
        })
    };
    let count = || tally.borrow_mut().so_far();
    let span = args.crowd.run(SETTLING, begin, count).await?;
    let playing = tally.borrow().playing;
    Ok(report(args, playing, idle, span))
}

impl Tally {
    fn so_far(&mut self) -> Counted {
        Counted {
            requests: self.requests,
            hits: self.hits,
            bytes: self.bytes,
            rounds: std::mem::take(&mut self.rounds),
        }
    }
}

/// The path of the media playlist.
async fn find(target: &Target) -> Result<String> {
    let mut connection = Connection::open(&target.authority).await?;
    let (answer, text) = connection
        .get(&target.path, |body| {
            String::from_utf8_lossy(body).into_owned()
        })
        .await?;
    ensure!(answer.status == 200, "{} {text}", answer.status);
    Ok(m3u8::resolve(&target.path, m3u8::variant(&text)?))
}

/// One player with its connection.
struct Player {
    connection: Connection,
    media: String,
    tally: Shared,
}

impl Player {
    /// Plays at live: each playlist as soon as it is there, and with `parts` its newest part.
    async fn play(mut self, parts: bool) -> Result<()> {
        let mut ask = String::new();
        loop {
            let end = self.playlist(&ask).await?;
            if ask.is_empty() {
                self.tally.borrow_mut().playing += 1;
            }
            ask = end.next();
            if let Some(newest) = end.newest.filter(|_| parts) {
                let path = m3u8::resolve(&self.media, &newest);
                let (answer, ()) = self.connection.get(&path, |_| ()).await?;
                ensure!(answer.status == 200, "status {} of a part", answer.status);
                note(&self.tally, &answer, None);
            }
        }
    }

    /// Waits for whatever playlist all wait for.
    async fn wait_together(mut self, mut asks: watch::Receiver<String>) -> Result<()> {
        self.tally.borrow_mut().playing += 1;
        loop {
            asks.changed().await?;
            let ask = asks.borrow_and_update().clone();
            let path = format!("{}{ask}", self.media);
            let (answer, ()) = self.connection.get(&path, |_| ()).await?;
            ensure!(answer.status == 200, "status {}", answer.status);
            note(&self.tally, &answer, Some(&ask));
        }
    }

    async fn playlist(&mut self, ask: &str) -> Result<End> {
        let path = format!("{}{ask}", self.media);
        let look = |body: &[u8]| End::of(&String::from_utf8_lossy(body));
        let (answer, end) = self.connection.get(&path, look).await?;
        ensure!(answer.status == 200, "status {}", answer.status);
        let end = end?;
        note(&self.tally, &answer, Some(ask));
        Ok(end)
    }
}

/// Says what to wait for, as soon as all players are there: a part that is not the next, so that all wait before it
/// comes.
fn meet(target: &Target, media: &str, n: usize, tally: &Shared) -> watch::Receiver<String> {
    let (say, asks) = watch::channel(String::new());
    let (authority, media, tally) = (target.authority.clone(), media.to_owned(), tally.clone());
    tokio::task::spawn_local(async move {
        let mut connection = Connection::open(&authority).await?;
        loop {
            let look = |body: &[u8]| End::of(&String::from_utf8_lossy(body));
            let (_, end) = connection.get(&media, look).await?;
            let ahead = end?.ahead(PARTS_AHEAD);
            if tally.borrow().playing == n {
                say.send(ahead.clone())?;
            }
            connection.get(&format!("{media}{ahead}"), |_| ()).await?;
            sleep(BETWEEN_MEETINGS).await;
        }
        #[expect(unreachable_code, reason = "tells the type of the errors")]
        anyhow::Ok(())
    });
    asks
}

fn note(tally: &Shared, answer: &Answer, ask: Option<&str>) {
    let mut tally = tally.borrow_mut();
    tally.requests += 1;
    tally.hits += u64::from(answer.hit);
    tally.bytes += answer.len as u64;
    let Some(ask) = ask else {
        return;
    };
    let now = Instant::now();
    let round = tally.rounds.entry(ask.to_owned()).or_insert(Round {
        first: now,
        last: now,
        players: 0,
    });
    (round.last, round.players) = (now, round.players + 1);
}

fn report(
    args: &Args,
    playing: usize,
    idle: Option<Usage>,
    mut span: Span<Counted>,
) -> serde_json::Value {
    let n = args.crowd.n;
    let (from, to) = (&span.from, &span.to);
    let requests = to.counted.requests - from.counted.requests;
    // The first and the last playlist of the time were not seen by all.
    let by_all = |round: &&Round| round.players * 10 >= n * 9;
    let rounds = to.counted.rounds.values().filter(by_all);
    let mut spreads: Vec<f64> = rounds
        .map(|round| round.last.duration_since(round.first).as_secs_f64() * 1000.0)
        .collect();
    let memory = idle
        .zip(from.server)
        .map(|(idle, before)| before.rss.saturating_sub(idle.rss) as f64 / 1024.0 / n as f64);
    let each = from.server.zip(to.server).map(|(from, to)| {
        to.cpu.saturating_sub(from.cpu).as_secs_f64() * 1e6 / requests.max(1) as f64
    });
    let mut report = serde_json::json!({
        "players": n,
        "playing": playing,
        "playlists_seen_by_all": spreads.len(),
        "spread_p50_ms": round(percentile(&mut spreads, 0.5)),
        "spread_max_ms": round(percentile(&mut spreads, 1.0)),
        "requests_per_s": span.per_second(requests),
        "cache_hits": to.counted.hits - from.counted.hits,
        "mbit_per_s": round(span.per_second(to.counted.bytes - from.counted.bytes) * 8e-6),
        "server_us_per_request": each.map(round),
        "server_kib_per_player": memory.map(round),
    });
    span.tell(&mut report);
    report
}
