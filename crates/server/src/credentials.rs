//! `lunette hash-password` and `lunette token`: what the configuration needs, and what it is used for.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use auth::{KeyHash, MediaToken, PasswordHash, Signer, generate_key};

use crate::cli::TokenOptions;
use crate::config;

/// The longest password that is read, in bytes.
const MAX_PASSWORD: u64 = 1024;

/// Reads a password, and prints its hash.
pub(crate) fn hash_password() -> anyhow::Result<()> {
    let mut input = std::io::stdin();
    if input.is_terminal() {
        writeln!(
            std::io::stderr(),
            "Password (it is shown while you type; end with Enter and Ctrl-D):"
        )?;
    }
    let mut password = String::new();
    input
        .by_ref()
        .take(MAX_PASSWORD + 2)
        .read_to_string(&mut password)
        .context("can't read the password")?;
    let password = password.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        bail!(
            "there is no password; write it to the standard input: printf %s 'the password' | lunette hash-password"
        );
    }
    if password.len() as u64 > MAX_PASSWORD {
        bail!("a password has at most {MAX_PASSWORD} bytes");
    }
    let hash = PasswordHash::of(password).map_err(anyhow::Error::msg)?;
    writeln!(std::io::stdout(), "{hash}")?;
    Ok(())
}

/// Makes a token, and prints it.
pub(crate) fn token(wanted: &TokenOptions) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    let (Some(file), Some(stream)) = (&wanted.config, &wanted.stream) else {
        let key = generate_key();
        writeln!(out, "key:  {key}\nhash: {}", KeyHash::of(&key))?;
        return Ok(());
    };
    let loaded = config::load(file, &config::Environment::of_process())?;
    let key = loaded.config.auth.signing_key.as_ref().context(
        "the configuration has no `auth.signing_key`, without which tokens end with the server; `openssl rand -base64 32` makes one",
    )?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let token = Signer::new(key.secret().expose())?.sign(&MediaToken {
        streams: stream.clone(),
        expires: now + wanted.expires.as_secs(),
    });
    match &wanted.url {
        None => writeln!(out, "{token}")?,
        Some(url) => {
            let base = url.trim_end_matches('/');
            let id = stream.as_str();
            writeln!(
                out,
                "{base}/t/{token}/stream/{id}\n{base}/t/{token}/stream/{id}/hlsll/live/index.m3u8"
            )?;
        }
    }
    Ok(())
}
