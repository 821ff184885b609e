//! `[auth]`: who may do what.

mod jwt;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use auth::{Grant, Grants, Identity, KeyHash, PasswordHash, Role, Signer, User, Who};
use axum::http::Uri;
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;

use super::Password;
use super::ordered::{Id, Ordered};
use super::resolve::Problem;
use super::secret;
use super::units::{Period, Span};

pub(crate) use self::jwt::Jwt;

/// Who may do what. docs/auth.md explains it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Auth {
    /// What those may do who say nothing of who they are. Not said: everything at this machine, as long as there are no
    /// users, keys or others who could say who they are, and nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    pub(crate) anonymous: Option<Vec<Parsed<Grant>>>,
    /// Whether they are told which streams there are, besides watching those that they know of.
    pub(crate) anonymous_lists: bool,
    /// Signs media URLs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) signing_key: Option<Password>,
    /// How long somebody stays logged in.
    pub(crate) session: Period,
    /// How long the URLs are good that a player gets for a token.
    pub(crate) media_url: Period,
    /// People with a password, by name.
    #[schema(value_type = HashMap<String, UserKeys>)]
    pub(crate) users: Ordered<Name, UserKeys>,
    /// API keys, by name.
    #[schema(value_type = HashMap<String, ApiKeyKeys>)]
    pub(crate) keys: Ordered<Name, ApiKeyKeys>,
    pub(crate) jwt: Jwt,
    pub(crate) token_backend: TokenBackend,
}

/// Somebody with a password.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct UserKeys {
    /// What `lunette hash-password` makes of the password.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "masked")]
    #[schema(value_type = Option<String>)]
    pub(crate) password_hash: Option<Parsed<PasswordHash>>,
    /// A name for some grants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) role: Option<RoleName>,
    /// What is allowed besides: `watch`, `watch:front*`, `control`, …
    #[schema(value_type = Vec<String>)]
    pub(crate) grants: Vec<Parsed<Grant>>,
}

/// An API key, of which the hash is enough.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ApiKeyKeys {
    /// What `lunette token --api-key` tells beside the key.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "masked")]
    #[schema(value_type = Option<String>)]
    pub(crate) hash: Option<Parsed<KeyHash>>,
    /// A name for some grants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) role: Option<RoleName>,
    /// What is allowed besides: `watch`, `watch:front*`, `control`, …
    #[schema(value_type = Vec<String>)]
    pub(crate) grants: Vec<Parsed<Grant>>,
}

/// Who is asked about tokens, as by RTSPtoWeb.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TokenBackend {
    /// Who is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<super::Url>,
    /// How long it may take.
    pub(crate) timeout: Period,
    /// How long an answer is good.
    pub(crate) cache: Span,
}

/// `role`: a name for some grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RoleName {
    /// May do everything.
    Admin,
    /// May watch everything.
    Viewer,
}

/// The name of a user or a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name(pub(crate) String);

/// What a text means, where it says so itself.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Parsed<T>(pub(crate) T);

/// A hash leaves the server in no answer: whoever has it can try passwords.
#[expect(clippy::ref_option, reason = "serde's signature")]
fn masked<T, S: Serializer>(_: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(crate::redact::HIDDEN)
}

impl<T: fmt::Display> Serialize for Parsed<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            anonymous: None,
            anonymous_lists: true,
            signing_key: None,
            session: Period(Duration::from_secs(12 * 3600)),
            media_url: Period(Duration::from_secs(12 * 3600)),
            users: Ordered::default(),
            keys: Ordered::default(),
            jwt: Jwt::default(),
            token_backend: TokenBackend::default(),
        }
    }
}

impl Default for TokenBackend {
    fn default() -> Self {
        Self {
            url: None,
            timeout: Period(Duration::from_secs(1)),
            cache: Span(Duration::from_secs(10)),
        }
    }
}

impl Auth {
    /// The same, but those who say nothing of who they are may do what `grants` say, if they say anything.
    pub(crate) fn with_anonymous(mut self, grants: &[Grant]) -> Self {
        if !grants.is_empty() {
            self.anonymous = Some(grants.iter().cloned().map(Parsed).collect());
        }
        self
    }

    /// What it means, for a server that only this machine can reach if it is `local`.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub(crate) fn policy(&self, local: bool) -> Result<auth::Policy, Vec<Wrong>> {
        let mut wrong = Vec::new();
        let signer = match &self.signing_key {
            None => Signer::of_this_process(),
            Some(key) => Signer::new(key.secret().expose()).unwrap_or_else(|error| {
                wrong.push(Wrong::new(&["signing_key"], &error));
                Signer::of_this_process()
            }),
        };
        let mut policy = auth::Policy::new(self.nobody(local), signer);
        policy = self.with_people(policy, &mut wrong);
        match self.jwt.keys() {
            Ok(None) => {}
            Ok(Some(keys)) => {
                let rules = self.jwt.rules();
                policy = policy.with_jwt(auth::Jwt { rules, keys });
            }
            Err((key, error)) => wrong.push(Wrong::new(&["jwt", key], &error)),
        }
        if let Some(url) = &self.token_backend.url {
            policy = policy.with_backend();
            if !is_url(url.expose()) {
                let told = "this is no URL; write one such as \"http://127.0.0.1:8000/check\"";
                wrong.push(Wrong::new(&["token_backend", "url"], &told));
            }
        }
        if wrong.is_empty() {
            Ok(policy)
        } else {
            Err(wrong)
        }
    }

    /// `policy`, and the users and keys.
    fn with_people(&self, mut policy: auth::Policy, wrong: &mut Vec<Wrong>) -> auth::Policy {
        for (Name(name), user) in &self.users.0 {
            let grants = grants(user.role, &user.grants);
            if grants.is_empty() {
                wrong.push(Wrong::new(&["users", name], &NO_GRANTS));
            }
            let Some(Parsed(password)) = user.password_hash.clone() else {
                let told = "this user has no `password_hash`; `lunette hash-password` makes one";
                wrong.push(Wrong::new(&["users", name], &told));
                continue;
            };
            let name = name.clone();
            policy = policy.with_user(User {
                name,
                password,
                grants,
            });
        }
        for (Name(name), key) in &self.keys.0 {
            let grants = grants(key.role, &key.grants);
            if grants.is_empty() {
                wrong.push(Wrong::new(&["keys", name], &NO_GRANTS));
            }
            let Some(Parsed(hash)) = key.hash.clone() else {
                let told =
                    "this key has no `hash`; `lunette token --api-key` makes a key and its hash";
                wrong.push(Wrong::new(&["keys", name], &told));
                continue;
            };
            policy = policy.with_key(name.clone(), hash, grants);
        }
        policy
    }

    /// What is wrong with it, files included.
    pub(super) fn check(&self, problems: &mut Vec<Problem>) {
        for Wrong { path, what } in self.policy(true).err().into_iter().flatten() {
            let keys = path.iter().map(String::as_str);
            let path: Vec<&str> = std::iter::once("auth").chain(keys).collect();
            problems.push(Problem::new(&path, what));
        }
    }

    /// Those who say nothing of who they are.
    fn nobody(&self, local: bool) -> Identity {
        match &self.anonymous {
            Some(grants) => Identity::new(Who::Anonymous, all(grants).collect()),
            None if local && !self.has_credentials() => Identity::new(Who::Local, Grants::all()),
            None => Identity::new(Who::Anonymous, Grants::none()),
        }
    }

    fn has_credentials(&self) -> bool {
        let jwt = self.jwt.secret.is_some()
            || self.jwt.public_key_file.is_some()
            || self.jwt.jwks_url.is_some();
        let people = !self.users.0.is_empty() || !self.keys.0.is_empty();
        people || jwt || self.token_backend.url.is_some()
    }
}

/// Something that can't be as it is written.
#[derive(Debug)]
pub(crate) struct Wrong {
    /// The keys below `auth` that lead to it.
    path: Vec<String>,
    /// What is wrong, and what would be right.
    what: String,
}

impl Wrong {
    fn new(path: &[&str], what: &dyn fmt::Display) -> Self {
        Self {
            path: path.iter().map(|&key| key.to_owned()).collect(),
            what: what.to_string(),
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "auth.{}: {}", self.path.join("."), self.what)
    }
}

/// Of somebody who may do nothing.
const NO_GRANTS: &str = "this may do nothing; write role = \"admin\", role = \"viewer\", or grants = [\"watch:front*\", …]";

fn all(grants: &[Parsed<Grant>]) -> impl Iterator<Item = Grant> {
    grants.iter().map(|Parsed(grant)| grant.clone())
}

fn grants(role: Option<RoleName>, more: &[Parsed<Grant>]) -> Grants {
    let of_role = match role {
        None => Grants::none(),
        Some(RoleName::Admin) => Role::Admin.grants(),
        Some(RoleName::Viewer) => Role::Viewer.grants(),
    };
    of_role.and(all(more))
}

fn is_url(text: &str) -> bool {
    let uri: Option<Uri> = text.parse().ok();
    uri.is_some_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some()
    })
}

impl Id for Name {
    type Err = String;

    fn parse(text: &str) -> Result<Self, String> {
        let good = !text.is_empty()
            && text.len() <= 128
            && !text.contains(':')
            && !text.contains(char::is_control);
        if good {
            return Ok(Self(text.to_owned()));
        }
        Err("a name has 1 to 128 characters, and no colon among them".to_owned())
    }
}

impl<'de, T: FromStr<Err = auth::Error>> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = secret::text(deserializer, "a text")?;
        text.parse().map(Self).map_err(D::Error::custom)
    }
}

impl<T: fmt::Debug> fmt::Debug for Parsed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests;
