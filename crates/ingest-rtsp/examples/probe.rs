//! Prints what a camera sends: `cargo run -p ingest-rtsp --example probe -- rtsp://user:pass@host/path [seconds] [auto|tcp|udp] [ca.pem|insecure]`.
#![allow(clippy::print_stdout, reason = "it is what this program is for")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use hub::ring::Event;
use hub::{Channel, ChannelId, ChannelSpec, Policy, Registry, StreamId, StreamSpec};
use ingest_rtsp::{Camera, Config, TransportChoice};
use media::Frame;

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut words = std::env::args().skip(1);
    let mut config = Config::new(&words.next().ok_or("which camera? rtsp://…")?)?;
    let time: u64 = words.next().map_or(Ok(5), |s| s.parse())?;
    config.transport = match words.next().as_deref() {
        Some("tcp") => TransportChoice::Tcp,
        Some("udp") => TransportChoice::Udp,
        _ => TransportChoice::Auto,
    };
    match words.next() {
        Some(word) if word == "insecure" => config.tls.insecure_skip_verify = true,
        Some(file) => config.tls.ca_file = Some(file.into()),
        None => {}
    }
    let registry = Registry::new();
    let id = StreamId::new("probe")?;
    registry.apply(vec![StreamSpec {
        id: id.clone(),
        name: String::new(),
        channels: vec![ChannelSpec {
            id: ChannelId::new("0")?,
            source: Arc::new(Camera::new(config)?),
            policy: Policy::default(),
        }],
    }])?;
    let stream = registry.stream(&id).ok_or("the stream is there")?;
    let watched = watch(stream.first_channel());
    let _ = tokio::time::timeout(Duration::from_secs(time), watched).await;
    println!("{:#?}", stream.first_channel().status());
    registry.shutdown().await;
    Ok(())
}

async fn watch(channel: &Channel) {
    let start = Instant::now();
    let _viewer = channel.watch("probe");
    let mut frames = channel.frames();
    let mut state = channel.state();
    loop {
        tokio::select! {
            event = frames.next() => match event {
                Event::Item(item) => println!("{:7} ms {}", start.elapsed().as_millis(), line(&item)),
                other => println!("{:7} ms {other:?}", start.elapsed().as_millis()),
            },
            Ok(()) = state.changed() => println!("{:7} ms {:?}", start.elapsed().as_millis(), *state.borrow()),
        }
    }
}

fn line(frame: &Frame) -> String {
    format!(
        "track {} {} pts {} dts {} {} bytes{}{}",
        frame.track.0,
        frame.format.codec().name(),
        frame.pts,
        frame.dts,
        frame.data.len(),
        if frame.keyframe { " key" } else { "" },
        if frame.discontinuity {
            " discontinuity"
        } else {
            ""
        },
    )
}
