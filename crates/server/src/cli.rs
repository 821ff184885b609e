//! The command line.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use auth::{Glob, Grant};
use clap::{Args, Parser, Subcommand};

use crate::config::{LISTEN, LogFormat, Transport, Url, parse_period};

/// Where the demo camera listens if nothing else is said.
const DEMO_LISTEN: &str = "127.0.0.1:8554";

/// Shows RTSP cameras in browsers.
///
/// Without a configuration and without a URL, a built-in demo camera is shown.
#[derive(Debug, Parser)]
#[command(
    name = "lunette",
    version = env!("LUNETTE_VERSION"),
    args_conflicts_with_subcommands = true,
    after_help = EXAMPLES
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) serve: Serve,
}

const EXAMPLES: &str = "\
Examples:
  lunette                                          show the demo camera
  lunette rtsp://user:password@192.168.1.10/live   show one camera
  lunette --config lunette.toml                    show the cameras of a file
  lunette --config config.json                     show those of RTSPtoWeb's
  lunette check --config lunette.toml              say what is wrong with a file
  lunette demo-camera --listen 127.0.0.1:8554      be an RTSP camera, to try other software with

A password on the command line is seen by all users of this machine; in a file it is not.
Exit status: 0 stopped as asked, 1 could not run, 2 wrong command line or configuration.";

/// What to show, and where.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The camera to show: rtsp://user:password@host/path, rtsps://…, rtmp://… or rtmps://…
    #[arg(value_name = "URL", value_parser = camera_url, conflicts_with = "config")]
    pub(crate) url: Option<Url>,
    /// The configuration file; config/lunette.toml explains every key
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The address and port to listen on [default: 127.0.0.1:8083]
    #[arg(short, long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// What those may do who say nothing of who they are: watch, watch:front*, …; more than once for more
    #[arg(long, value_name = "GRANT", value_parser = grant)]
    pub(crate) anonymous: Vec<Grant>,
    /// What carries the media from the camera at URL
    #[arg(long, value_enum, requires = "url")]
    pub(crate) transport: Option<Transport>,
    /// Serve the pages from this directory instead of from the binary
    #[arg(long, value_name = "DIR")]
    pub(crate) web_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) log: LogOptions,
}

/// What to log.
#[derive(Debug, Args)]
pub(crate) struct LogOptions {
    /// What to log: off, error, warn, info, debug, trace, or directives such as info,hub=debug
    #[arg(
        long = "log",
        value_name = "FILTER",
        env = "RUST_LOG",
        hide_env_values = true
    )]
    pub(crate) filter: Option<String>,
    /// How a line of the log looks
    #[arg(long = "log-format", value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<LogFormat>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say what is wrong with a configuration file, and where
    Check {
        /// The configuration file
        #[arg(short, long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Say in TOML what RTSPtoWeb's config.json says
    Import {
        /// The config.json
        #[arg(value_name = "FILE")]
        config: PathBuf,
    },
    /// Ask a running server whether it lives; status 0 if it does. For containers, which have no curl
    Healthcheck {
        /// Where the server listens
        #[arg(value_name = "ADDRESS", default_value_t = LISTEN)]
        address: SocketAddr,
    },
    /// Hash a password, which is read from the standard input, for `auth.users`
    HashPassword,
    /// Sign a media URL, or make an API key
    Token(TokenOptions),
    /// Be an RTSP camera that shows a clip with a clock, to try other software with
    DemoCamera {
        /// The address and port to listen on
        #[arg(short, long, value_name = "ADDRESS", default_value = DEMO_LISTEN)]
        listen: SocketAddr,
        /// Ask clients for this user name and password (Digest, or Basic)
        #[arg(long, value_name = "USER:PASSWORD")]
        user: Option<DemoUser>,
        #[command(flatten)]
        log: LogOptions,
    },
}

/// What token to make.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["stream", "api_key"]))]
pub(crate) struct TokenOptions {
    /// The configuration file, which holds `auth.signing_key`
    #[arg(short, long, value_name = "FILE", required_unless_present = "api_key")]
    pub(crate) config: Option<PathBuf>,
    /// The stream that it lets watch, or a pattern: front, front*
    #[arg(long, value_name = "ID", requires = "config")]
    pub(crate) stream: Option<Glob>,
    /// How long it lasts: 30m, 24h
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = lasting)]
    pub(crate) expires: Duration,
    /// Where the server is, to print whole URLs: `https://cameras.example.com`
    #[arg(long, value_name = "URL", requires = "stream")]
    pub(crate) url: Option<String>,
    /// Make an API key, and print it with its hash for `auth.keys`
    #[arg(long, conflicts_with = "stream")]
    pub(crate) api_key: bool,
}

/// `arguments`, with RTSPtoWeb's own as we write them: `-config=FILE` with two dashes, and no `-debug`, of which the file
/// says what counts there.
pub(crate) fn arguments(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let debug = |text: &str| text.trim_start_matches('-').split('=').next() == Some("debug");
    let own = |argument: OsString| match argument.to_str() {
        Some(text) if text.starts_with('-') && debug(text) => None,
        Some(text) if text == "-config" || text.starts_with("-config=") => {
            Some(format!("-{text}").into())
        }
        _ => Some(argument),
    };
    arguments.filter_map(own).collect()
}

fn grant(text: &str) -> Result<Grant, auth::Error> {
    text.parse()
}

/// A time that may be longer than those of the configuration.
fn lasting(text: &str) -> Result<Duration, String> {
    if let Some(days) = text
        .strip_suffix('d')
        .and_then(|days| days.parse::<u64>().ok())
    {
        return match days {
            1..=366 => Ok(Duration::from_secs(days * 24 * 3600)),
            _ => Err("write 1d to 366d".to_owned()),
        };
    }
    parse_period(text)
}

/// A user name and a password for the demo camera; not shown.
#[derive(Clone)]
pub(crate) struct DemoUser {
    pub(crate) name: String,
    pub(crate) password: String,
}

impl std::fmt::Debug for DemoUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl std::str::FromStr for DemoUser {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some((name, password)) if !name.is_empty() => Ok(Self {
                name: name.to_owned(),
                password: password.to_owned(),
            }),
            _ => Err("expected a user name and a password, with a colon between them"),
        }
    }
}

fn camera_url(text: &str) -> Result<Url, String> {
    if text.contains("://") {
        return Ok(Url::new(text));
    }
    Err(
        "neither a command nor the URL of a camera; a URL begins with rtsp://, rtsps://, rtmp:// or rtmps://"
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_starts_rtsptoweb_starts_this() -> Result<(), clap::Error> {
        for words in [
            ["x", "-config=/a.json", "-debug=false"].as_slice(),
            &["x", "--config=/a.json", "--debug"],
            &["x", "-debug", "-config", "/a.json"],
        ] {
            let cli = Cli::try_parse_from(arguments(words.iter().map(OsString::from)))?;
            assert_eq!(
                cli.serve.config,
                Some(PathBuf::from("/a.json")),
                "{words:?}"
            );
        }
        Ok(())
    }

    #[test]
    fn a_url_is_a_camera_and_never_shown_whole() -> Result<(), clap::Error> {
        let cli = Cli::try_parse_from(["lunette", "rtsp://admin:hunter2@h/x"])?;
        let shown = format!("{cli:?}");
        assert!(
            shown.contains("rtsp://***@h/x") && !shown.contains("hunter2"),
            "{shown}"
        );
        assert!(Cli::try_parse_from(["lunette", "chek"]).is_err());
        assert!(Cli::try_parse_from(["lunette", "rtsp://h", "--config", "f"]).is_err());
        Ok(())
    }
}
