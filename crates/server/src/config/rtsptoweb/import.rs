use std::fmt::Write as _;
use std::path::Path;

use toml_edit::{DocumentMut, Item};

use super::super::{Environment, Report, Text};

/// What is said of each section, above it.
const ABOUT: [(&str, &str); 10] = [
    ("server", "Where pages, media and the API are served."),
    ("rtsp", "The same streams over RTSP (docs/rtsp.md)."),
    ("tls", "The same over TLS; plain HTTP stays where it is."),
    (
        "auth",
        "Who may do what (docs/auth.md). RTSPtoWeb lets everybody watch who knows a stream's id.",
    ),
    (
        "users",
        "The one user of RTSPtoWeb, of whose password the hash is enough.",
    ),
    ("token_backend", "Who is asked about tokens."),
    (
        "compat",
        "RTSPtoWeb's API and paths; without clients that need them, leave this out (docs/moving-from-rtsptoweb.md).",
    ),
    (
        "webrtc",
        "How viewers reach the server over WebRTC (docs/webrtc.md).",
    ),
    ("log", "What is logged."),
    (
        "defaults",
        "What holds for channels that don't say otherwise: `channel_defaults`, or what RTSPtoWeb takes for granted.",
    ),
];

/// The TOML that says what RTSPtoWeb's file at `path` does, with comments on what is another.
///
/// # Errors
/// What is wrong with the file.
pub(crate) fn import(path: &Path) -> Result<String, Report> {
    let text = Text::read(path, None)?;
    let name = path.display().to_string();
    if !text.is_foreign() {
        return Err(format!("{name} is no config.json of RTSPtoWeb's: it is TOML already").into());
    }
    text.check(&name, &Environment::default())?;
    let mut out = format!(
        "# Lunette's configuration, made by `lunette import` from {name}. It holds secrets: chmod 600.\n"
    );
    for warning in text.warnings() {
        let _ = writeln!(out, "#\n# {warning}.");
    }
    let mut document = text.document();
    comment(&mut document);
    let _ = write!(out, "{document}");
    Ok(out)
}

fn comment(document: &mut DocumentMut) {
    let above = |table: &mut toml_edit::Table, key: &str| {
        let about = ABOUT.iter().find(|(name, _)| *name == key);
        if let Some((_, about)) = about {
            table.decor_mut().set_prefix(format!("\n# {about}\n"));
        }
    };
    for (key, item) in document.iter_mut() {
        let Item::Table(section) = item else {
            continue;
        };
        above(section, key.get());
        for inner in ["users", "token_backend"] {
            let Some(Item::Table(table)) = section.get_mut(inner) else {
                continue;
            };
            let user = table.iter_mut().next().map(|(_, item)| item);
            match user {
                Some(Item::Table(user)) => above(user, inner),
                _ => above(table, inner),
            }
        }
    }
}
