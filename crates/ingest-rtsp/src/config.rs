use std::time::Duration;

use camera_tls::Tls;

use crate::{Credentials, Error, Location, Secret};

/// What carries the media from the camera.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum TransportChoice {
    /// TCP; UDP where the camera refuses TCP or sends nothing over it, and is not encrypted. What worked is
    /// remembered.
    #[default]
    Auto,
    /// TCP only.
    Tcp,
    /// UDP; TCP where the camera refuses UDP or nothing arrives.
    Udp,
}

/// How long to wait for what.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Timeouts {
    /// For the connection, TLS included.
    pub connect: Duration,
    /// For the response to a request.
    pub request: Duration,
    /// For the first packet after PLAY.
    pub play: Duration,
    /// For the next packet after a packet.
    pub silence: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            request: Duration::from_secs(10),
            play: Duration::from_secs(5),
            silence: Duration::from_secs(10),
        }
    }
}

/// A camera as it is wished for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Config {
    /// Where the camera is, without credentials.
    pub location: Location,
    /// Who we are to it.
    pub credentials: Option<Credentials>,
    /// TCP or UDP.
    pub transport: TransportChoice,
    /// Whether sound is taken, too.
    pub audio: bool,
    /// How TLS is trusted.
    pub tls: Tls,
    /// How long to wait.
    pub timeouts: Timeouts,
}

impl Config {
    /// The camera at `url`, which may hold a user name and password (`rtsp://user:p%40ss@host/path`), with
    /// the default of everything else.
    pub fn new(url: &str) -> Result<Self, Error> {
        let (location, credentials) = Location::parse(url)?;
        Ok(Self {
            location,
            credentials,
            transport: TransportChoice::default(),
            audio: true,
            tls: Tls::default(),
            timeouts: Timeouts::default(),
        })
    }

    /// Takes a user name and password that stand beside the URL, as they are (not percent-encoded).
    pub fn with_credentials(
        mut self,
        username: Option<&str>,
        password: Option<Secret>,
    ) -> Result<Self, Error> {
        let (username, password) = match (username, password) {
            (None, None) => return Ok(self),
            (Some(name), password) => (name.to_owned(), password),
            (None, password) => match &self.credentials {
                // The name in the URL, the password beside it.
                Some(c) if c.password.expose().is_empty() => (c.username.clone(), password),
                Some(_) => return Err(Error::TwoUsernames),
                None => return Err(Error::NoUsername),
            },
        };
        if self
            .credentials
            .as_ref()
            .is_some_and(|c| c.username != username)
        {
            return Err(Error::TwoUsernames);
        }
        self.credentials = Some(Credentials {
            username,
            password: password.unwrap_or_else(|| Secret::new("")),
        });
        Ok(self)
    }

    /// Checks what belongs together.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let t = &self.timeouts;
        for (name, timeout) in [
            ("connect", t.connect),
            ("request", t.request),
            ("play", t.play),
            ("silence", t.silence),
        ] {
            if timeout.is_zero() {
                return Err(Error::ZeroTimeout(name));
            }
        }
        if !self.location.tls && self.tls != Tls::default() {
            return Err(Error::TlsUnused);
        }
        if self.location.tls && self.transport == TransportChoice::Udp {
            return Err(Error::UdpInTheOpen);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_may_stand_beside_the_url() -> Result<(), Error> {
        let config = Config::new("rtsp://h/x")?
            .with_credentials(Some("admin"), Some(Secret::new("p/w?#%41")))?;
        let credentials = config.credentials.as_ref();
        assert_eq!(credentials.map(|c| c.password.expose()), Some("p/w?#%41"));
        assert!(!format!("{config:?}").contains("p/w"));
        let config =
            Config::new("rtsp://admin@h/x")?.with_credentials(None, Some(Secret::new("s")))?;
        assert_eq!(config.credentials.map(|c| c.username), Some("admin".into()));
        Ok(())
    }

    #[test]
    fn contradictions_are_named() -> Result<(), Error> {
        let config = Config::new("rtsp://a:b@h/x")?;
        assert_eq!(
            config.clone().with_credentials(Some("c"), None),
            Err(Error::TwoUsernames)
        );
        assert_eq!(
            Config::new("rtsp://h/x")?.with_credentials(None, Some(Secret::new("s"))),
            Err(Error::NoUsername)
        );
        let mut tls = config.clone();
        tls.tls.insecure_skip_verify = true;
        assert_eq!(tls.check(), Err(Error::TlsUnused));
        let mut zero = config;
        zero.timeouts.play = Duration::ZERO;
        assert_eq!(zero.check(), Err(Error::ZeroTimeout("play")));
        Ok(())
    }
}
