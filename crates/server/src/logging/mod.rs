//! What is logged, and how it looks.

mod form;
mod json;

use std::any::Any;
use std::io::IsTerminal as _;
use std::panic;

use anyhow::Context;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

use self::form::Form;
use crate::config::{Level, LogFormat};

/// Our own crates, whose events the level is about. The dependencies' are warnings and worse at every level.
const OURS: [&str; 18] = [
    "lunette",
    "audio",
    "auth",
    "camera_tls",
    "demo_camera",
    "egress_hls",
    "egress_mp4",
    "egress_mse",
    "egress_rtsp",
    "egress_webrtc",
    "fanout",
    "fmp4",
    "hub",
    "ingest_rtmp",
    "ingest_rtsp",
    "listen",
    "media",
    "rtsp",
];

/// Begins to log. `wanted` is a level or tracing's directives, from the command line or the environment;
/// without it, `level` from the configuration counts.
pub(crate) fn start(
    wanted: Option<&str>,
    level: Level,
    format: LogFormat,
) -> anyhow::Result<LogControl> {
    let given = wanted.is_some_and(|text| !text.trim().is_empty());
    let filter = filter(wanted, level)?;
    let (filter, reload) = reload::Layer::new(filter);
    let form = Form::new(format);
    let text = fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .event_format(form.of(LogFormat::Text, fmt::format()));
    let json = fmt::layer()
        .fmt_fields(JsonFields::new())
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .event_format(form.of(LogFormat::Json, json::Flat));
    tracing_subscriber::registry()
        .with(filter)
        .with(text)
        .with(json)
        .try_init()
        .context("can't start the log")?;
    log_panics();
    Ok(LogControl {
        reload,
        level: (!given).then_some(level),
        form,
    })
}

/// Changes how much is logged, and how.
#[derive(Debug)]
pub(crate) struct LogControl {
    reload: reload::Handle<EnvFilter, Registry>,
    /// None where the command line or the environment said it, which counts more.
    level: Option<Level>,
    form: Form,
}

impl LogControl {
    /// From now on lines look so.
    pub(crate) fn look(&self, format: LogFormat) {
        self.form.set(format);
    }

    /// From now on `level` counts.
    pub(crate) fn set(&mut self, level: Level) {
        if self.level.is_none_or(|now| now == level) {
            return;
        }
        match filter(None, level).map(|filter| self.reload.reload(filter)) {
            Ok(Ok(())) => tracing::info!(level = level.name(), "the log's level has changed"),
            Ok(Err(error)) => tracing::error!(%error, "the log's level can't be changed"),
            Err(error) => tracing::error!(%error, "the log's level can't be changed"),
        }
        self.level = Some(level);
    }
}

fn filter(wanted: Option<&str>, level: Level) -> anyhow::Result<EnvFilter> {
    let directives = match wanted.map(str::trim).filter(|text| !text.is_empty()) {
        None => at(level.name()),
        Some(text) => match Level::ALL
            .iter()
            .find(|level| level.name().eq_ignore_ascii_case(text))
        {
            Some(level) => at(level.name()),
            None => text.to_owned(),
        },
    };
    EnvFilter::try_new(&directives).with_context(|| {
        format!("`{directives}` says nothing about the log; write a level such as `debug`, or directives such as `info,hub=debug`")
    })
}

/// Directives that set our own crates to `level`.
fn at(level: &str) -> String {
    let others = if level == "off" || level == "error" {
        level
    } else {
        "warn"
    };
    // It warns of what a stranger's packets say.
    let others = format!("{others},sctp_proto=off");
    let ours: Vec<String> = OURS.iter().map(|name| format!("{name}={level}")).collect();
    format!("{others},{}", ours.join(","))
}

impl Level {
    const ALL: [Self; 6] = [
        Self::Off,
        Self::Error,
        Self::Warn,
        Self::Info,
        Self::Debug,
        Self::Trace,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// Panics go where all else goes. The task in which one happens ends; the process does not.
fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        let message = words(panic.payload()).unwrap_or("no message");
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        tracing::error!(message, place, "a task panicked");
    }));
}

/// What a panic says, where it says it in words.
fn words(payload: &(dyn Any + Send)) -> Option<&str> {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_about_our_own_crates() -> anyhow::Result<()> {
        let text = filter(Some("Debug"), Level::Info)?.to_string();
        assert!(
            text.contains("hub=debug") && text.contains("warn"),
            "{text}"
        );
        Ok(())
    }

    #[test]
    fn no_crate_of_ours_is_forgotten() -> anyhow::Result<()> {
        let crates = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        let mut found = Vec::new();
        for one in std::fs::read_dir(crates)? {
            let name = one?.file_name().to_string_lossy().replace('-', "_");
            match name.as_str() {
                "server" => found.push("lunette".to_owned()),
                "testing" => {}
                _ => found.push(name),
            }
        }
        found.sort();
        let mut ours = OURS.map(str::to_owned);
        ours.sort();
        assert_eq!(found, ours);
        Ok(())
    }

    #[test]
    fn directives_are_taken_as_they_are() -> anyhow::Result<()> {
        assert_eq!(
            filter(Some("hub=trace"), Level::Info)?.to_string(),
            "hub=trace"
        );
        assert!(filter(Some("hub=loud"), Level::Info).is_err());
        Ok(())
    }
}
