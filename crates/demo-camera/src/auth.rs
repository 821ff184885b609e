use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use md5::{Digest as _, Md5};
use rtsp::Request;

use crate::User;

const REALM: &str = "Lunette demo camera";

/// Who asks: Digest (RFC 2617 §3, MD5 without `qop`, as most cameras have it) or Basic.
#[derive(Debug)]
pub(crate) struct Auth {
    user: User,
    nonce: String,
}

impl Auth {
    /// Asks for `user`, with `nonce`, which should be new for each connection.
    pub(crate) fn new(user: User, nonce: u128) -> Self {
        Self {
            user,
            nonce: format!("{nonce:032x}"),
        }
    }

    /// What `WWW-Authenticate` asks for, best first.
    pub(crate) fn challenges(&self) -> [String; 2] {
        let nonce = &self.nonce;
        [
            format!("Digest realm=\"{REALM}\", nonce=\"{nonce}\", algorithm=MD5"),
            format!("Basic realm=\"{REALM}\""),
        ]
    }

    /// Whether `request` proves to come from the user.
    pub(crate) fn allows(&self, request: &Request) -> bool {
        let Some(credentials) = request.headers.get("Authorization") else {
            return false;
        };
        match credentials.trim().split_once(' ') {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("Basic") => self.basic(rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("Digest") => {
                self.digest(request.method.name(), rest)
            }
            _ => false,
        }
    }

    fn basic(&self, credentials: &str) -> bool {
        let expected = format!("{}:{}", self.user.name, self.user.password);
        BASE64_STANDARD
            .decode(credentials.trim())
            .is_ok_and(|given| given == expected.as_bytes())
    }

    fn digest(&self, method: &str, parameters: &str) -> bool {
        let get = |name| parameter(parameters, name);
        let (Some(response), Some(uri)) = (get("response"), get("uri")) else {
            return false;
        };
        let User { name, password } = &self.user;
        let secret = md5(&format!("{name}:{REALM}:{password}"));
        let action = md5(&format!("{method}:{uri}"));
        let expected = md5(&format!("{secret}:{}:{action}", self.nonce));
        get("username") == Some(name)
            && get("nonce") == Some(&self.nonce)
            && response.eq_ignore_ascii_case(&expected)
    }
}

/// The value of the parameter called `name`. Commas between quotes belong to the value.
fn parameter<'a>(parameters: &'a str, name: &str) -> Option<&'a str> {
    let mut quoted = false;
    parameters
        .split(|c| {
            quoted ^= c == '"';
            c == ',' && !quoted
        })
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(key, _)| key.trim().eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim().trim_matches('"'))
}

fn md5(text: &str) -> String {
    let mut out = String::with_capacity(32);
    for byte in Md5::digest(text) {
        let _ = write!(out, "{byte:02x}");
    }
    out
}

#[cfg(test)]
mod tests {
    use rtsp::Method;

    use super::*;

    fn auth() -> Auth {
        let user = User {
            name: "admin".into(),
            password: "a:b,\"c".into(),
        };
        Auth::new(user, 7)
    }

    fn request(credentials: &str) -> Request {
        let mut request = Request::new(Method::Describe, "rtsp://h/demo");
        request.headers.push("Authorization", credentials);
        request
    }

    #[test]
    fn a_digest_is_checked_whole() {
        let auth = auth();
        let nonce = format!("{:032x}", 7);
        let secret = md5("admin:Lunette demo camera:a:b,\"c");
        let response = md5(&format!(
            "{secret}:{nonce}:{}",
            md5("DESCRIBE:rtsp://h/demo")
        ));
        let good = format!(
            "Digest username=\"admin\", realm=\"{REALM}\", nonce=\"{nonce}\", uri=\"rtsp://h/demo\", response=\"{response}\""
        );
        assert!(auth.allows(&request(&good)));
        for (from, to) in [
            ("admin", "root"),
            (nonce.as_str(), "0"),
            ("/demo", "/x"),
            (response.as_str(), ""),
        ] {
            assert!(!auth.allows(&request(&good.replace(from, to))), "{to}");
        }
    }

    #[test]
    fn basic_is_taken_and_nothing_is_not() {
        let good = format!("basic {}", BASE64_STANDARD.encode("admin:a:b,\"c"));
        assert!(auth().allows(&request(&good)));
        for bad in ["Basic", "Basic !!", "Basic YTpi", "Bearer x", "Digest", ""] {
            assert!(!auth().allows(&request(bad)), "{bad}");
        }
        assert!(!auth().allows(&Request::new(Method::Describe, "rtsp://h/demo")));
    }
}
