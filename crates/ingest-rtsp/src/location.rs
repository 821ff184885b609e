use std::fmt;

use percent_encoding::percent_decode_str;

use crate::{Credentials, Error, Secret};

/// Names of URL parameters whose values are secrets.
const SECRET_NAMES: &[&str] = &[
    "password", "passwd", "passwort", "pass", "pwd", "psw", "token", "auth", "secret", "key",
];

/// A camera's address without credentials. `Display` and `Debug` also hide what its parameters keep secret.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Location {
    /// `rtsps`: RTSP over TLS.
    pub tls: bool,
    /// A name, an IPv4 address, or an IPv6 address without brackets.
    pub host: String,
    /// The port; 554 for `rtsp`, 322 for `rtsps` where unsaid.
    pub port: u16,
    explicit_port: bool,
    /// Path and query as they were given, percent-encoded where they must be.
    rest: String,
}

impl Location {
    /// Takes a camera's URL apart into its address and the credentials in it.
    ///
    /// The user name and password may contain any character but `/`, `?` and `#`, which must be written as
    /// `%2F`, `%3F` and `%23`. What is percent-encoded is decoded. No error shows any part that may be secret.
    pub fn parse(url: &str) -> Result<(Self, Option<Credentials>), Error> {
        let url = url.trim();
        let (scheme, rest) = url.split_once("://").ok_or(Error::NoScheme)?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "rtsp" => false,
            "rtsps" => true,
            _ => return Err(Error::Scheme(scheme.chars().take(16).collect())),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let (host, port) = host_and_port(host)?;
        let location = Self {
            tls,
            host,
            port: port.unwrap_or(if tls { 322 } else { 554 }),
            explicit_port: port.is_some(),
            rest: encode(rest)?,
        };
        Ok((location, user.map(credentials).transpose()?))
    }

    /// The URL that requests carry: complete, without credentials.
    pub fn url(&self) -> String {
        format!("{}{}", self.origin(), self.rest)
    }

    /// Whether `other` is the same host, by name.
    pub(crate) fn same_host(&self, other: &Self) -> bool {
        self.host.eq_ignore_ascii_case(&other.host)
    }

    fn origin(&self) -> String {
        let scheme = if self.tls { "rtsps" } else { "rtsp" };
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        if self.explicit_port {
            format!("{scheme}://{host}:{}", self.port)
        } else {
            format!("{scheme}://{host}")
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin(), redact(&self.rest))
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Hides the values of parameters that are named like secrets, in a query or (XMEye cameras:
/// `/user=admin_password=x_channel=1`) in a path.
pub(crate) fn redact(rest: &str) -> String {
    let mut out = String::with_capacity(rest.len());
    for piece in rest.split_inclusive(['&', ';', '/', '?']) {
        let lower = piece.to_ascii_lowercase();
        let cut = SECRET_NAMES
            .iter()
            .filter_map(|name| {
                lower
                    .find(&format!("{name}="))
                    .map(|at| at + name.len() + 1)
            })
            .min();
        match cut {
            Some(cut) => {
                out.push_str(&piece[..cut]);
                out.push_str("[redacted]");
                if piece.ends_with(['&', ';', '/', '?']) {
                    out.push_str(&piece[piece.len() - 1..]);
                }
            }
            None => out.push_str(piece),
        }
    }
    out
}

fn host_and_port(text: &str) -> Result<(String, Option<u16>), Error> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or(Error::Host)?;
        let port = match rest {
            "" => None,
            _ => Some(rest.strip_prefix(':').ok_or(Error::Host)?),
        };
        (host, port)
    } else {
        match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        }
    };
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.:%".contains(&b) || b >= 0x80;
    if host.is_empty() || !host.bytes().all(allowed) {
        return Err(Error::Host);
    }
    let port = match port {
        None | Some("") => None,
        Some(port) => Some(port.parse().ok().filter(|&p| p > 0).ok_or(Error::Port)?),
    };
    Ok((host.to_owned(), port))
}

fn credentials(text: &str) -> Result<Credentials, Error> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    Ok(Credentials {
        username: decode(user)?,
        password: Secret::new(decode(password)?),
    })
}

/// Decodes `%40` and the like. A `%` that begins no escape stands for itself: people paste passwords.
fn decode(text: &str) -> Result<String, Error> {
    let text = percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| Error::CredentialBytes)?;
    if text.contains(char::is_control) {
        return Err(Error::CredentialBytes);
    }
    Ok(text.into_owned())
}

/// Makes a path and query fit for a request line. What is encoded already stays as it is.
fn encode(rest: &str) -> Result<String, Error> {
    if rest.contains(char::is_control) {
        return Err(Error::Path);
    }
    let mut out = String::with_capacity(rest.len());
    for piece in rest.split_inclusive([' ', '"', '<', '>']) {
        let plain = piece.trim_end_matches([' ', '"', '<', '>']);
        out.extend(percent_encoding::utf8_percent_encode(
            plain,
            percent_encoding::CONTROLS,
        ));
        for byte in piece[plain.len()..].bytes() {
            out.push_str(percent_encoding::percent_encode_byte(byte));
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> (Location, Option<(String, String)>) {
        let (location, credentials) = Location::parse(url).unwrap();
        let shown = credentials.map(|c| (c.username, c.password.expose().to_owned()));
        (location, shown)
    }

    fn user(name: &str, password: &str) -> (String, String) {
        (name.to_owned(), password.to_owned())
    }

    #[test]
    fn a_url_is_taken_apart() {
        let (location, credentials) = parse("rtsp://admin:p%40ss%2f@192.0.2.1:8554/a/b?c=d");
        assert_eq!(location.url(), "rtsp://192.0.2.1:8554/a/b?c=d");
        assert_eq!(credentials, Some(user("admin", "p@ss/")));
        let (location, credentials) = parse(" RTSPS://cam.example/x ");
        assert_eq!((location.tls, location.port), (true, 322));
        assert_eq!(location.url(), "rtsps://cam.example/x");
        assert_eq!(credentials, None);
    }

    #[test]
    fn pasted_passwords_may_hold_odd_characters() {
        assert_eq!(parse("rtsp://u:a@b:c%@h/").1, Some(user("u", "a@b:c%")));
        assert_eq!(parse("rtsp://u@h/").1, Some(user("u", "")));
        assert_eq!(parse("rtsp://:x@h/").1, Some(user("", "x")));
        assert_eq!(parse("rtsp://u:p%C3%A4@h").1, Some(user("u", "pä")));
    }

    #[test]
    fn an_ipv6_address_stands_in_brackets() {
        let (location, _) = parse("rtsp://u:p@[2001:db8::1]:555/x");
        assert_eq!(
            (location.host.as_str(), location.port),
            ("2001:db8::1", 555)
        );
        assert_eq!(location.url(), "rtsp://[2001:db8::1]:555/x");
    }

    #[test]
    fn a_path_is_made_fit_for_a_request_line() {
        assert_eq!(
            parse("rtsp://h/a b%20c/ü?x=\"1\"").0.url(),
            "rtsp://h/a%20b%20c/%C3%BC?x=%221%22"
        );
    }

    #[test]
    fn an_error_names_what_is_wrong_and_shows_no_secret() {
        for (url, error) in [
            ("192.0.2.1/live", Error::NoScheme),
            ("http://h/", Error::Scheme("http".into())),
            ("rtsp:///x", Error::Host),
            ("rtsp://u:p@/x", Error::Host),
            ("rtsp://h:99999/x", Error::Port),
            ("rtsp://admin:secret/x@h/", Error::Port),
            ("rtsp://[::1/x", Error::Host),
            ("rtsp://u:%00@h/", Error::CredentialBytes),
            ("rtsp://h/a\r\nX: y", Error::Path),
        ] {
            let got = Location::parse(url).unwrap_err();
            assert_eq!(got, error, "{url}");
            assert!(!got.to_string().contains("secret"));
        }
    }

    #[test]
    fn secrets_in_parameters_are_not_shown() {
        for (url, shown) in [
            (
                "rtsp://h/s?user=a&password=b&channel=1",
                "rtsp://h/s?user=a&password=[redacted]&channel=1",
            ),
            (
                "rtsp://h/user=a_PASSWORD=b_channel=1/x",
                "rtsp://h/user=a_PASSWORD=[redacted]/x",
            ),
            (
                "rtsp://u:p@h/s?access_token=b",
                "rtsp://h/s?access_token=[redacted]",
            ),
        ] {
            let (location, _) = parse(url);
            assert_eq!(location.to_string(), shown);
            assert_eq!(format!("{location:?}"), shown);
        }
    }
}
