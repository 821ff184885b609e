//! The `lunette` binary: configuration, CLI, HTTP, wiring.
//!
//! Read in this order: `cli` (what can be asked for), `config` (what a file can say, and the one who keeps it),
//! `serve` (which parts run, and how they end), `live` (how what runs follows the configuration), `doors` (where it is reached), `origin` (where the configuration comes from), `api` and `events` (the
//! control plane), `http` (routes and listener), `tls` (certificates), `ops` (health, figures),
//! `compat` (what RTSPtoWeb's clients want), `logging`, `redact` (what must not be shown).
//!
//! It never contains media logic, and never shows a secret.

mod api;
mod cli;
mod compat;
mod config;
mod credentials;
mod doors;
mod events;
mod http;
mod latest;
mod live;
mod logging;
mod ops;
mod origin;
mod redact;
mod rtsp;
mod serve;
mod service;
mod time;
mod tls;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use cli::{Cli, Command};

/// The exit status for a wrong command line or configuration.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let cli = match Cli::try_parse_from(cli::arguments(std::env::args_os())) {
        Ok(cli) => cli,
        Err(answer) if !answer.use_stderr() => return answered(&answer),
        Err(error) => return failed(USAGE, redact::urls(&error.to_string()).trim_end()),
    };
    let outcome = match cli.command {
        Some(Command::Check { config }) => check(&config),
        Some(Command::Import { config }) => import(&config),
        Some(Command::Healthcheck { address }) => serve::healthcheck(address),
        Some(Command::HashPassword) => credentials::hash_password(),
        Some(Command::Token(wanted)) => credentials::token(&wanted),
        Some(Command::DemoCamera { listen, user, log }) => serve::demo_camera(listen, user, &log),
        None => serve::run(&cli.serve),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error)
            if error
                .chain()
                .any(<dyn std::error::Error>::is::<config::Report>) =>
        {
            failed(USAGE, &error.to_string())
        }
        Err(error) => failed(1, &redact::urls(&format!("error: {error:#}"))),
    }
}

fn check(path: &std::path::Path) -> anyhow::Result<()> {
    let text = config::Text::read(path, None)?;
    let loaded = text.check(
        &path.display().to_string(),
        &config::Environment::of_process(),
    )?;
    for warning in text.warnings() {
        writeln!(std::io::stdout(), "{}: {warning}", path.display())?;
    }
    let channels: usize = loaded
        .streams
        .iter()
        .map(|stream| stream.channels.len())
        .sum();
    writeln!(
        std::io::stdout(),
        "{}: good; streams: {}, channels: {channels}",
        path.display(),
        loaded.streams.len()
    )?;
    Ok(())
}

/// Tells what RTSPtoWeb's file at `path` says, in our form.
fn import(path: &std::path::Path) -> anyhow::Result<()> {
    std::io::stdout().write_all(config::import(path)?.as_bytes())?;
    Ok(())
}

/// `--help` and `--version`.
fn answered(answer: &clap::Error) -> ExitCode {
    match answer.print() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn failed(status: u8, why: &str) -> ExitCode {
    // There is nobody left to tell if this can't be written.
    let _ = writeln!(std::io::stderr(), "{why}");
    ExitCode::from(status)
}
