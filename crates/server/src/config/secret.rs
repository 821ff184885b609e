use std::fmt;

use ingest_rtsp::Secret;
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::{Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use super::units::text_schema;
use crate::redact;

/// A camera's password: never shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Password(Secret);

/// A camera's URL, which may hold a user name and a password: shown without them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Url(String);

impl Password {
    /// The password, for the one who sends it to the camera.
    pub(crate) fn secret(&self) -> Secret {
        self.0.clone()
    }
}

impl From<String> for Password {
    fn from(text: String) -> Self {
        Self(Secret::new(text))
    }
}

impl From<String> for Url {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl Url {
    /// Takes `text`; whether it is a URL that can be used is said later.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The URL with everything in it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redact::urls(&self.0))
    }
}

impl Serialize for Password {
    /// The mask: a secret leaves the server in no answer.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(redact::HIDDEN)
    }
}

impl Serialize for Url {
    /// Without what may be secret in it.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&redact::urls(&self.0))
    }
}

impl PartialSchema for Password {
    fn schema() -> RefOr<Schema> {
        text_schema(
            "a secret; it is served as \"***\", which, sent back, leaves it as it is",
            None,
            "…",
        )
        .into()
    }
}

impl ToSchema for Password {}

impl PartialSchema for Url {
    fn schema() -> RefOr<Schema> {
        let what = "a URL; what may be secret in it is served as \"***\", which, sent back, leaves it as it is";
        text_schema(
            what,
            Some("^(rtsps?|rtmps?|https?)://[^/]"),
            "rtsp://192.168.1.10/stream1",
        )
        .into()
    }
}

impl ToSchema for Url {}

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer, "a password").map(|text| Self(Secret::new(text)))
    }
}

impl<'de> Deserialize<'de> for Url {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer, "a URL").map(Self)
    }
}

pub(super) fn text<'de, D: Deserializer<'de>>(
    deserializer: D,
    what: &'static str,
) -> Result<String, D::Error> {
    deserializer.deserialize_any(Text(what))
}

/// Takes a text, and says of anything else what it should be, without repeating it as serde would.
struct Text(&'static str);

impl Visitor<'_> for Text {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in quotes", self.0)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<String, E> {
        Err(self.not_text())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<String, E> {
        Err(self.not_text())
    }

    fn visit_i128<E: Error>(self, _: i128) -> Result<String, E> {
        Err(self.not_text())
    }

    fn visit_u128<E: Error>(self, _: u128) -> Result<String, E> {
        Err(self.not_text())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<String, E> {
        Err(self.not_text())
    }
}

impl Text {
    fn not_text<E: Error>(self) -> E {
        E::custom(format_args!("this must be {} in quotes", self.0))
    }
}
