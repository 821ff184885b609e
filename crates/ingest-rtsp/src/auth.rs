//! Answers to `WWW-Authenticate` (RFC 2326 §14, RFC 7616, RFC 7617), for one connection: some cameras bind
//! a nonce to the connection that it was given on.

use http_auth::{ChallengeRef, DigestClient, ParamValue, PasswordParams};
use rtsp::Headers;

use crate::Credentials;

/// How many times in a row a nonce may be refused as too old before the password is what is wrong.
const MAX_STALE: u32 = 3;
/// How many challenges of a response are looked at.
const MAX_OFFERS: usize = 16;

/// Why a camera's challenge can't be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It wants credentials, and there are none.
    NoCredentials,
    /// It did not take those there are.
    WrongCredentials,
    /// It wants something else than Digest and Basic.
    UnknownScheme(String),
}

/// Keeps the challenge in force and answers it request by request.
#[derive(Debug)]
pub(crate) struct Authenticator {
    credentials: Option<Credentials>,
    /// Whether Basic may be answered, which tells the peer the password.
    basic: bool,
    current: Option<Current>,
    /// The current challenge was answered well at least once.
    accepted: bool,
    stale: u32,
}

#[derive(Debug)]
struct Current {
    offer: Offer,
    /// None for Basic.
    digest: Option<DigestClient>,
}

/// One challenge, parameters still escaped.
#[derive(Debug, Clone)]
struct Offer {
    strength: Strength,
    params: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Strength {
    Basic,
    Md5,
    Sha256,
    Sha512,
}

impl Authenticator {
    pub(crate) fn new(credentials: Option<Credentials>, basic: bool) -> Self {
        Self {
            credentials,
            basic,
            current: None,
            accepted: false,
            stale: 0,
        }
    }

    /// The `Authorization` of a request, once the camera has asked for one.
    pub(crate) fn authorize(&mut self, method: &str, url: &str) -> Option<String> {
        let credentials = self.credentials.as_ref()?;
        let current = self.current.as_mut()?;
        let (username, password) = (&credentials.username, credentials.password.expose());
        let Some(digest) = &mut current.digest else {
            return Some(http_auth::basic::encode_credentials(username, password));
        };
        let only_int = !(digest.qop() & http_auth::digest::Qop::Auth);
        let mut value = digest
            .respond(&PasswordParams {
                username,
                password,
                uri: url,
                method,
                body: only_int.then_some(&[]),
            })
            .ok()?;
        if digest.rfc2069_compat() && current.offer.strength != Strength::Md5 {
            // Without it the camera would compare with an MD5 digest.
            if let Some(algorithm) = current.offer.get("algorithm") {
                value.push_str(", algorithm=");
                value.push_str(algorithm);
            }
        }
        Some(value)
    }

    /// Takes the challenges of a 401: the request is worth repeating, or it says why not.
    pub(crate) fn challenged(&mut self, headers: &Headers) -> Result<(), Refusal> {
        if self.credentials.is_none() {
            return Err(Refusal::NoCredentials);
        }
        let mut offers = offers(headers)?;
        offers.retain(|o| self.basic || o.strength > Strength::Basic);
        // A nonce that worked before was not refused for the password, whatever the camera says of it.
        let again = self.current.is_none()
            || ((self.accepted || offers.iter().any(Offer::is_stale)) && self.stale < MAX_STALE);
        let below = self.current.as_ref().map(|c| c.offer.strength);
        let next = offers.into_iter().find_map(|offer| {
            // A wrong answer to a strong challenge is repeated to a weaker digest, for cameras that
            // compute one of them wrongly, but never in the clear.
            let weaker =
                below.is_some_and(|b| offer.strength < b && offer.strength > Strength::Basic);
            (again || weaker).then(|| offer.answerable()).flatten()
        });
        self.current = Some(next.ok_or(Refusal::WrongCredentials)?);
        self.stale += u32::from(below.is_some());
        self.accepted = false;
        Ok(())
    }

    /// Takes note of a response other than 401, and of the nonce that it may hand out (RFC 7616 §3.5).
    pub(crate) fn accepted(&mut self, headers: &Headers) {
        self.accepted = self.current.is_some();
        self.stale = 0;
        let info = headers.get("Authentication-Info").map(params);
        let nonce = info.and_then(|p| {
            p.into_iter()
                .find(|(n, _)| n.eq_ignore_ascii_case("nextnonce"))
        });
        if let (Some((_, nonce)), Some(current)) = (nonce, &self.current) {
            let mut offer = current.offer.clone();
            offer
                .params
                .retain(|(n, _)| !n.eq_ignore_ascii_case("nonce"));
            offer.params.push(("nonce".to_owned(), nonce));
            if let Some(next) = offer.answerable() {
                self.current = Some(next);
            }
        }
    }
}

impl Offer {
    fn new(scheme: &str, mut params: Vec<(String, String)>) -> Option<Self> {
        if scheme.eq_ignore_ascii_case("Basic") {
            let strength = Strength::Basic;
            return Some(Self { strength, params });
        }
        if !scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        // An empty qop is none.
        params.retain(|(n, v)| !(v.is_empty() && n.eq_ignore_ascii_case("qop")));
        let mut strength = Strength::Md5;
        for (name, value) in &mut params {
            if name.eq_ignore_ascii_case("algorithm") {
                let session = value.to_ascii_lowercase().ends_with("-sess");
                let (canonical, known) = algorithm(value)?;
                strength = known;
                *value = format!("{canonical}{}", if session { "-sess" } else { "" });
            }
        }
        Some(Self { strength, params })
    }

    fn get(&self, name: &str) -> Option<&str> {
        let found = self
            .params
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, v)| v.as_str())
    }

    fn is_stale(&self) -> bool {
        self.get("stale")
            .is_some_and(|s| s.eq_ignore_ascii_case("true"))
    }

    fn answerable(self) -> Option<Current> {
        if self.strength == Strength::Basic {
            return Some(Current {
                offer: self,
                digest: None,
            });
        }
        let mut challenge = ChallengeRef::new("Digest");
        for (name, value) in &self.params {
            let value = ParamValue::try_from_escaped(value).ok()?;
            challenge.params.push((name, value));
        }
        let digest = DigestClient::try_from(&challenge).ok()?;
        Some(Current {
            offer: self,
            digest: Some(digest),
        })
    }
}

/// The challenges that we know how to answer, strongest first.
fn offers(headers: &Headers) -> Result<Vec<Offer>, Refusal> {
    let mut offers = Vec::new();
    let mut unknown = String::new();
    for value in headers.all("WWW-Authenticate").take(MAX_OFFERS) {
        for (scheme, params) in challenges(value).into_iter().take(MAX_OFFERS) {
            match Offer::new(&scheme, params) {
                Some(offer) => offers.push(offer),
                None => {
                    unknown = scheme
                        .chars()
                        .filter(char::is_ascii_alphanumeric)
                        .take(20)
                        .collect();
                }
            }
        }
    }
    offers.sort_by_key(|o| std::cmp::Reverse(o.strength));
    if offers.is_empty() {
        return Err(Refusal::UnknownScheme(unknown));
    }
    Ok(offers)
}

/// Takes a header apart into its challenges: (scheme, parameters).
///
/// More forgiving than RFC 7235 §4.1: blanks, empty elements and values without quotes do not matter.
fn challenges(value: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut found: Vec<(String, Vec<(String, String)>)> = Vec::new();
    for element in elements(value) {
        let first = element.split(['=', '"']).next().unwrap_or("").trim_end();
        // `Digest realm="x"` begins a challenge, `realm = "x"` does not.
        let rest = match first.split_once(char::is_whitespace) {
            Some((scheme, _)) => {
                found.push((scheme.to_owned(), Vec::new()));
                element[scheme.len()..].trim_start()
            }
            None if !element.contains('=') => {
                found.push((element.to_owned(), Vec::new()));
                continue;
            }
            None => element,
        };
        if let Some((_, params)) = found.last_mut() {
            params.extend(param(rest));
        }
    }
    found
}

/// The parameters of a header that has no scheme.
fn params(value: &str) -> Vec<(String, String)> {
    elements(value).into_iter().filter_map(param).collect()
}

fn param(element: &str) -> Option<(String, String)> {
    let (name, value) = element.split_once('=')?;
    let value = value.trim();
    let value = value
        .strip_prefix('"')
        .map_or(value, |v| v.strip_suffix('"').unwrap_or(v));
    Some((name.trim().to_owned(), value.to_owned()))
}

/// Splits at commas outside of quotes.
fn elements(value: &str) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    value
        .split(|c| {
            let cut = c == ',' && !quoted;
            if c == '"' && !escaped {
                quoted = !quoted;
            }
            escaped = c == '\\' && !escaped;
            cut
        })
        .map(str::trim)
        .filter(|e| !e.is_empty())
        .collect()
}

/// The algorithm as RFC 7616 §6.1 spells it; cameras vary in case and hyphens.
fn algorithm(value: &str) -> Option<(&'static str, Strength)> {
    let plain: String = value
        .to_ascii_lowercase()
        .trim_end_matches("-sess")
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    match plain.as_str() {
        "md5" => Some(("MD5", Strength::Md5)),
        "sha256" => Some(("SHA-256", Strength::Sha256)),
        "sha512256" => Some(("SHA-512-256", Strength::Sha512)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
