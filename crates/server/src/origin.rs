//! Where the configuration comes from: a file, or the command line, which is made into what a file would say.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use demo_camera::DemoCamera;
use tokio_util::sync::CancellationToken;
use toml_edit::Value;

use crate::cli::Serve;
use crate::config::{self, Environment, Loaded, Report, Text, Transport, Url};

/// The configuration to begin with.
#[derive(Debug)]
pub(crate) struct Origin {
    /// The file; none where the command line says what to show.
    pub(crate) file: Option<PathBuf>,
    /// What the file says, or would say.
    pub(crate) text: Text,
    pub(crate) loaded: Loaded,
    pub(crate) environment: Environment,
}

impl Origin {
    /// The configuration that `wanted` asks for.
    pub(crate) fn of(wanted: &Serve, environment: Environment) -> Result<Self, Report> {
        let (text, loaded) = match (&wanted.config, &wanted.url) {
            (Some(file), _) => {
                let text = Text::read(file, None)?;
                let loaded = text.check(&file.display().to_string(), &environment)?;
                (text, loaded)
            }
            (None, Some(url)) => {
                without_file(one("camera", "Camera", url, wanted.transport), &environment)?
            }
            (None, None) => without_file(String::new(), &environment)?,
        };
        Ok(Self {
            file: wanted.config.clone(),
            text,
            loaded,
            environment,
        })
    }

    /// Says in the log what is odd about it.
    pub(crate) fn warn(&self) {
        self.text.warn();
        if self.file.is_some() && self.loaded.streams.is_empty() {
            tracing::warn!("the configuration names no streams");
        }
    }

    /// With a demo camera, which runs until `stop`, where nothing else is to be shown.
    pub(crate) async fn or_demo(self, stop: &CancellationToken) -> anyhow::Result<Self> {
        if self.file.is_some() || !self.loaded.streams.is_empty() {
            return Ok(self);
        }
        let camera = DemoCamera::bind(SocketAddr::from(([127, 0, 0, 1], 0)), None)
            .await
            .context("can't start the demo camera")?;
        let text = one("demo", "Demo camera", &Url::new(camera.url()), None);
        tokio::spawn(camera.serve(stop.clone()));
        let (text, loaded) = without_file(text, &self.environment)?;
        Ok(Self {
            text,
            loaded,
            ..self
        })
    }
}

fn without_file(text: String, environment: &Environment) -> Result<(Text, Loaded), Report> {
    match config::check("the command line", &text, environment) {
        Ok(loaded) => Ok((text.into(), loaded)),
        // Nobody has seen the lines of this text.
        Err(report) => Err(match report.issues() {
            [issue] if issue.variable.is_none() => Report::from(issue.message.clone()),
            _ => report,
        }),
    }
}

/// A stream of one channel.
fn one(id: &str, name: &str, url: &Url, transport: Option<Transport>) -> String {
    let url = Value::from(url.expose());
    let transport = match transport {
        None => "",
        Some(Transport::Auto) => "transport = \"auto\"\n",
        Some(Transport::Tcp) => "transport = \"tcp\"\n",
        Some(Transport::Udp) => "transport = \"udp\"\n",
    };
    format!("[streams.{id}]\nname = \"{name}\"\nurl = {url}\n{transport}")
}
