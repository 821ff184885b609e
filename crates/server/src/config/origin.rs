//! `[server] allowed_origins`: whose pages may use the API.

use std::str::FromStr;

use axum::http::Uri;
use serde::de::{Deserialize, Deserializer, Error};
use serde::{Serialize, Serializer};

/// Where a page comes from, as browsers say it in `Origin` (RFC 6454 §7): `https://app.example.com`, `http://10.0.0.5:3000`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin(String);

impl Origin {
    /// Whether `header` is what a browser says on behalf of its pages.
    pub(crate) fn is(&self, header: &[u8]) -> bool {
        self.0.as_bytes() == header
    }
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.parse::<Uri>().ok();
        let whole = parsed.as_ref().and_then(|uri| {
            let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
            let web = matches!(scheme, "http" | "https") && !authority.as_str().contains('@');
            (web && uri.path() == "/" && uri.query().is_none()).then_some((scheme, authority))
        });
        let Some((scheme, authority)) = whole else {
            return Err(format!(
                "`{text}` is no origin of pages; write one such as \"https://app.example.com\" or \"http://10.0.0.5:3000\""
            ));
        };
        // A browser leaves out the port that its scheme has anyway, and has no capitals.
        let usual = if scheme == "https" { 443 } else { 80 };
        let host = authority.host().to_ascii_lowercase();
        let port = authority.port_u16().filter(|port| *port != usual);
        let port = port.map_or(String::new(), |port| format!(":{port}"));
        Ok(Self(format!("{scheme}://{host}{port}")))
    }
}

impl<'de> Deserialize<'de> for Origin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_say_it() {
        for (text, said) in [
            ("https://app.example.com", "https://app.example.com"),
            ("https://App.Example.com:443/", "https://app.example.com"),
            ("http://10.0.0.5:3000", "http://10.0.0.5:3000"),
            ("http://[::1]:80", "http://[::1]"),
        ] {
            assert!(
                text.parse::<Origin>().unwrap().is(said.as_bytes()),
                "{text}"
            );
        }
        for bad in [
            "",
            "*",
            "null",
            "app.example.com",
            "https://",
            "ftp://a",
            "https://a/b",
            "https://a/?b",
            "https://u@a",
        ] {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
    }
}
