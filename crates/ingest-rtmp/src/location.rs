use std::fmt;

use crate::Error;

/// The port of RTMP where a URL names none, and that of RTMP in TLS.
const PORT: u16 = 1935;
const TLS_PORT: u16 = 443;

/// Where a stream is. The stream's name is often a key that lets publish, so `Display` and `Debug` show the application
/// alone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Location {
    /// The connection is encrypted: `rtmps://`.
    pub tls: bool,
    /// A name, an IPv4 address, or an IPv6 address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The application: all of the path but its last part.
    pub(crate) app: String,
    /// The stream's name, with its query; empty where the URL is of an application alone.
    pub(crate) name: String,
}

impl Location {
    /// Whether `url` is one of this kind.
    pub fn is_ours(url: &str) -> bool {
        scheme(url).is_some()
    }

    /// Takes `rtmp://host[:port]/application/stream` apart, `rtmps://` as well, or `rtmp://host[:port]/application`: some servers have one stream by
    /// application, without a name.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(url: &str) -> Result<Self, Error> {
        let (tls, rest) = scheme(url).ok_or(Error::Scheme)?;
        let (authority, path) = rest.split_once('/').ok_or(Error::NoStream)?;
        if authority.contains('@') {
            return Err(Error::Credentials);
        }
        let (host, port) = host_and_port(authority)?;
        let port = port.unwrap_or(if tls { TLS_PORT } else { PORT });
        if path.contains(char::is_control) {
            return Err(Error::Path);
        }
        // A query is the stream's, whatever slashes it has.
        let end = path.find('?').unwrap_or(path.len());
        let (before, query) = path.split_at(end);
        let (app, name) = match before.rsplit_once('/') {
            Some((app, name)) if !app.is_empty() && !name.is_empty() => (app, name),
            None if !before.is_empty() && query.is_empty() => (before, ""),
            _ => return Err(Error::NoStream),
        };
        Ok(Self {
            tls,
            host,
            port,
            app: app.to_owned(),
            name: format!("{name}{query}"),
        })
    }

    /// The URL of the application, which servers are told.
    pub(crate) fn application(&self) -> String {
        let (scheme, usual) = if self.tls {
            ("rtmps", TLS_PORT)
        } else {
            ("rtmp", PORT)
        };
        let port = if self.port == usual {
            String::new()
        } else {
            format!(":{}", self.port)
        };
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        format!("{scheme}://{host}{port}/{}", self.app)
    }
}

/// Whether TLS is wanted, and what follows the scheme.
fn scheme(url: &str) -> Option<(bool, &str)> {
    let (scheme, rest) = url.trim().split_once("://")?;
    let tls = scheme.eq_ignore_ascii_case("rtmps");
    (tls || scheme.eq_ignore_ascii_case("rtmp")).then_some((tls, rest))
}

fn host_and_port(authority: &str) -> Result<(String, Option<u16>), Error> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or(Error::Host)?;
            host.parse::<std::net::Ipv6Addr>()
                .map_err(|_| Error::Host)?;
            (host, after.strip_prefix(':'))
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if host.is_empty() || !host.chars().all(plain) {
        return Err(Error::Host);
    }
    let port = port
        .map(|port| {
            port.parse()
                .ok()
                .filter(|port| *port > 0)
                .ok_or(Error::Port)
        })
        .transpose()?;
    Ok((host.to_owned(), port))
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An application alone is as much of a key.
        let application = self.application();
        let shown = match application.strip_suffix(&self.app) {
            Some(server) if self.name.is_empty() => server,
            _ => &format!("{application}/"),
        };
        write!(f, "{shown}[redacted]")
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_an_application_and_a_stream() {
        for (url, host, port, app, name) in [
            ("rtmp://h/live/cam", "h", 1935, "live", "cam"),
            (
                " RTMP://10.0.0.1:1936/a/b/cam?key=x/y ",
                "10.0.0.1",
                1936,
                "a/b",
                "cam?key=x/y",
            ),
            ("rtmp://[::1]:1/live/cam", "::1", 1, "live", "cam"),
            ("rtmp://h/key", "h", 1935, "key", ""),
            ("rtmps://h/live/cam", "h", 443, "live", "cam"),
            ("rtmps://h:1935/live/cam", "h", 1935, "live", "cam"),
        ] {
            let location = Location::parse(url).unwrap();
            let parts = (
                location.host.as_str(),
                location.port,
                location.app.as_str(),
                location.name.as_str(),
            );
            assert_eq!(parts, (host, port, app, name), "{url}");
            let shown = format!("{location} {location:?}");
            assert!(!shown.contains("cam") && !shown.contains("key"), "{shown}");
        }
        for (url, application) in [
            ("rtmp://[::1]/live/cam", "rtmp://[::1]/live"),
            ("rtmps://h:443/live/cam", "rtmps://h/live"),
            ("rtmps://h:1935/live/cam", "rtmps://h:1935/live"),
        ] {
            let location = Location::parse(url).unwrap();
            assert_eq!(location.application(), application);
        }
    }

    #[test]
    fn what_is_wrong_is_told_in_words_without_the_key() {
        for (url, expected) in [
            ("rtsp://h/live/cam", Error::Scheme),
            ("rtmp:/h/live/cam", Error::Scheme),
            ("rtmp://h", Error::NoStream),
            ("rtmp://h/", Error::NoStream),
            ("rtmp://h/live?x=y", Error::NoStream),
            ("rtmp://h/live/", Error::NoStream),
            ("rtmp://h/?x=a/b", Error::NoStream),
            ("rtmp://u:s3cret@h/live/cam", Error::Credentials),
            ("rtmp:///live/cam", Error::Host),
            ("rtmp://[x]/live/cam", Error::Host),
            ("rtmp://h:0/live/cam", Error::Port),
            ("rtmp://h:x/live/cam", Error::Port),
            ("rtmp://h/live/c\nm", Error::Path),
        ] {
            let error = Location::parse(url).unwrap_err();
            assert!(!error.to_string().contains("s3cret"));
            assert_eq!(error, expected, "{url}");
        }
    }
}
