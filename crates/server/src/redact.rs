//! Keeps secrets out of texts that people paste into bug reports: URLs and lines of the configuration.

/// What stands where a secret stood.
pub(crate) const HIDDEN: &str = "***";

/// `text` without what may be secret in the URLs in it: user names, passwords, and parameters.
///
/// Of each word, everything from `://` (or a quotation mark, or its start) to the last `@` goes, and of a URL
/// everything from a `?` or from what looks like a password on: a password may hold any character, so hiding
/// too much is the safe side.
pub(crate) fn urls(text: &str) -> String {
    text.split_inclusive(char::is_whitespace)
        .map(word)
        .collect()
}

fn word(word: &str) -> String {
    let scheme = word.find("://").map(|at| at + 3);
    let shown = scheme
        .or_else(|| word.find(['"', '\'', '`']).map(|at| at + 1))
        .unwrap_or(0);
    let (before, after) = word.split_at(shown);
    let text = credentials(after);
    let named = scheme.and_then(|_| parameters(&text));
    let key = stream_key(before, &text);
    match named.into_iter().chain(key).min() {
        Some(at) => {
            let space = word.trim_end().len();
            format!("{before}{}{HIDDEN}{}", &text[..at], &word[space..])
        }
        None => format!("{before}{text}"),
    }
}

/// `text` without what stands before the last `@`.
fn credentials(text: &str) -> String {
    match text.rfind('@') {
        Some(host) => format!("{HIDDEN}{}", &text[host..]),
        None => text.to_owned(),
    }
}

/// Where the part of a URL begins that may hold secrets: its query, or a path such as
/// `/user=admin_password=x_channel=1`.
fn parameters(url: &str) -> Option<usize> {
    let lower = url.to_ascii_lowercase();
    let query = lower.find('?').map(|at| at + 1);
    let named = ["pass", "pwd", "psw", "token"]
        .iter()
        .filter_map(|name| lower.find(name))
        .min();
    query.into_iter().chain(named).min()
}

/// Where the name of a stream begins in what follows `rtmp://` or `rtmps://`: who knows it may often publish under it.
fn stream_key(scheme: &str, url: &str) -> Option<usize> {
    let scheme = scheme.to_ascii_lowercase();
    if !["rtmp://", "rtmps://"]
        .iter()
        .any(|known| scheme.ends_with(known))
    {
        return None;
    }
    let path = url.split(['?', ' ', '"']).next()?;
    path.rfind('/')
        .map(|at| at + 1)
        .filter(|at| *at < path.trim_end().len())
}

/// What the names of keys hold whose values are secret.
const SECRET_KEYS: [&str; 5] = ["pass", "secret", "hash", "key", "token"];

/// A line of a TOML file as it may be shown: known values stay, secrets go.
pub(crate) fn line(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    let secret = SECRET_KEYS.iter().filter_map(|name| lower.find(name));
    if let Some(at) = secret.min().filter(|_| line.contains('=')) {
        let key_end = line[at..].find('=').map_or(line.len(), |n| at + n);
        return format!("{} = {HIDDEN}", urls(line[..key_end].trim_end()));
    }
    // A value may hold blanks, so it is taken whole.
    let value = line
        .find("://")
        .map(|at| at + 3)
        .or_else(|| line.find(['"', '\'']).map(|at| at + 1));
    let (before, after) = line.split_at(value.unwrap_or(0));
    urls(&format!("{before}{}", credentials(after)))
}

/// A line of a TOML file without its value: for lines that could not be understood, where anything may be
/// a secret. Nothing is left of a line that names no key and no table.
pub(crate) fn key_only(line: &str) -> Option<String> {
    let line = line.trim();
    match line.split_once('=') {
        Some((key, _)) if !key.contains("://") => Some(format!("{} = …", key.trim_end())),
        None if line.starts_with('[') => Some(urls(line)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_loses_its_user_and_password_whatever_they_are_made_of() {
        for url in [
            "rtsp://admin:hunter2@10.0.0.5/live",
            "rtsp://admin:hunter2'\"@10.0.0.5/live",
            "rtsp://hunter2@10.0.0.5/live",
            "rtsp://admin:hun@hunter2@10.0.0.5/live",
            "rtsp://admin:x/hunter2@10.0.0.5/live",
        ] {
            assert_eq!(urls(url), "rtsp://***@10.0.0.5/live");
        }
        assert_eq!(
            urls("rtsp://h/p and http://u:p@h/\nand `u:p@h`"),
            "rtsp://h/p and http://***@h/\nand `***@h`"
        );
        assert_eq!(
            urls("rtsp://h/s?user=a&token=b next"),
            "rtsp://h/s?*** next"
        );
        assert_eq!(
            urls("rtsp://h/user=a_password=b_x=1"),
            "rtsp://h/user=a_***"
        );
    }

    #[test]
    fn the_name_of_an_rtmp_stream_is_a_secret() {
        assert_eq!(urls("rtmp://h/live/cam?k=v x"), "rtmp://h/live/*** x");
        assert_eq!(urls("RTMP://h/a/b/hunter2"), "RTMP://h/a/b/***");
        assert_eq!(urls("rtmp://h/ and rtmp://h"), "rtmp://h/ and rtmp://h");
        assert_eq!(
            line("url = \"rtmp://h/live/hunter2\""),
            "url = \"rtmp://h/live/***"
        );
    }

    #[test]
    fn a_line_loses_the_value_of_a_password_key() {
        assert_eq!(line("password = 'hunter2'"), "password = ***");
        assert_eq!(
            line("x = { username = 'a', password = 'hunter2' }"),
            "x = { username = 'a', password = ***"
        );
        assert_eq!(line("linger = \"soon\""), "linger = \"soon\"");
        for secret in [
            "Passwort=hunter2",
            "signing_key = \"hunter2\"",
            "a = { hash = 'hunter2' }",
            "secret = 'hunter2'",
            "url = 'admin:hunter2@h'",
            "url = \"rtsp://a:hunter2 x@h/\"",
            "url = 'a b:hunter2 c@h'",
        ] {
            assert!(!line(secret).contains("hunter2"), "{secret}");
        }
    }

    #[test]
    fn a_line_that_was_not_understood_shows_its_key_alone() {
        assert_eq!(
            key_only("  pasword = 'hunter2'").as_deref(),
            Some("pasword = …")
        );
        assert_eq!(
            key_only("[streams.front").as_deref(),
            Some("[streams.front")
        );
        assert_eq!(key_only("hunter2"), None);
    }
}
