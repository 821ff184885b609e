use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::{Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{Object, ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// The longest time that can be set: a day. Longer ones are mistakes.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// The largest size that can be set: 16 GiB.
const LARGEST: u64 = 16 << 30;

/// A length of time, written as `"10s"` or `"500ms"`; it may be zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

/// A length of time that is not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Period(pub(crate) Duration);

/// A number of bytes, written as `"32MiB"`; at least 1 MiB, so that a large key frame has room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) usize);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is no length of time; write a number and a unit, such as \"10s\", \"500ms\", \"2m\" or \"1h\""
            )
        };
        let (number, unit) = split(text).ok_or_else(wrong)?;
        let millis = match unit {
            "ms" => Some(number),
            "s" => number.checked_mul(1000),
            "m" | "min" => number.checked_mul(60_000),
            "h" => number.checked_mul(3_600_000),
            _ => return Err(wrong()),
        };
        millis
            .map(Duration::from_millis)
            .filter(|span| *span <= LONGEST)
            .map(Self)
            .ok_or_else(|| format!("`{text}` is too long; the longest is \"24h\""))
    }
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse()? {
            Span(Duration::ZERO) => Err(format!("`{text}` must be longer than zero")),
            Span(period) => Ok(Self(period)),
        }
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is no size; write a number and a unit, such as \"32MiB\", \"512KiB\" or \"1GiB\""
            )
        };
        let (number, unit) = split(text).ok_or_else(wrong)?;
        let scale: u64 = match unit {
            "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            "kB" | "KB" => 1_000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            _ => return Err(wrong()),
        };
        let bytes = number.checked_mul(scale).filter(|n| *n <= LARGEST);
        let bytes =
            bytes.ok_or_else(|| format!("`{text}` is too large; the largest is \"16GiB\""))?;
        if bytes < 1 << 20 {
            return Err(format!("`{text}` is too small; the smallest is \"1MiB\""));
        }
        usize::try_from(bytes)
            .map(Self)
            .map_err(|_| format!("`{text}` is too large for this machine"))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        match [(3_600_000, "h"), (60_000, "m"), (1000, "s")]
            .into_iter()
            .find(|(unit, _)| millis > 0 && millis.is_multiple_of(*unit))
        {
            Some((unit, name)) => write!(f, "{}{name}", millis / unit),
            None if millis == 0 => f.write_str("0s"),
            None => write!(f, "{millis}ms"),
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Span(self.0).fmt(f)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0;
        match [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")]
            .into_iter()
            .find(|(unit, _)| bytes.is_multiple_of(*unit))
        {
            Some((unit, name)) => write!(f, "{}{name}", bytes / unit),
            None => write!(f, "{bytes}B"),
        }
    }
}

fn split(text: &str) -> Option<(u64, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number = text[..digits].parse().ok()?;
    Some((number, text[digits..].trim_start()))
}

macro_rules! from_text {
    ($name:ident, $what:literal, $pattern:literal, $example:literal) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                text_schema($what, Some($pattern), $example).into()
            }
        }

        impl ToSchema for $name {}

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl Visitor<'_> for Text {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($what)
                    }

                    fn visit_str<E: Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }
    };
}

from_text!(
    Span,
    "a length of time in quotes, such as \"10s\" or \"500ms\"",
    "^(0|[1-9][0-9]{0,3}) ?(ms|s|m|min)$|^([0-9]|1[0-9]|2[0-3])h$",
    "10s"
);
from_text!(
    Period,
    "a length of time in quotes, such as \"10s\" or \"500ms\"",
    "^[1-9][0-9]{0,2} ?(ms|s|m|min)$|^([1-9]|1[0-9]|2[0-3])h$",
    "10s"
);
from_text!(
    Size,
    "a size in quotes, such as \"32MiB\"",
    "^[1-9][0-9]{0,3} ?(MiB|MB)$|^([1-9]|1[0-6])GiB$",
    "32MiB"
);

/// The schema of a text that is `what`.
pub(super) fn text_schema(what: &str, pattern: Option<&str>, example: &str) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(what))
        .pattern(pattern)
        .examples([example])
        .build()
}

/// The same, where there need be none.
pub(super) fn some_address<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SocketAddr>, D::Error> {
    address(deserializer).map(Some)
}

/// An address and a port, as serde's own reader takes them, with words for what it does not take.
pub(super) fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| {
        D::Error::custom(format_args!(
            "`{text}` is no address with a port; write one such as \"127.0.0.1:8083\", \"0.0.0.0:8083\" or \"[::1]:8083\""
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_numbers_with_a_unit() {
        assert_eq!("500ms".parse(), Ok(Span(Duration::from_millis(500))));
        assert_eq!("2 m".parse(), Ok(Span(Duration::from_secs(120))));
        assert_eq!("0s".parse(), Ok(Span(Duration::ZERO)));
        for bad in [
            "",
            "10",
            "s",
            "1.5s",
            "-1s",
            "10 parsecs",
            "25h",
            "99999999999999999999s",
            "18446744073709551615h",
        ] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
        assert!("0ms".parse::<Period>().is_err());
    }

    #[test]
    fn sizes_are_numbers_with_a_unit() {
        assert_eq!("32MiB".parse(), Ok(Size(32 << 20)));
        assert_eq!("2MB".parse(), Ok(Size(2_000_000)));
        for bad in ["", "32", "32M", "1KiB", "17GiB", "99999999999GiB"] {
            assert!(bad.parse::<Size>().is_err(), "{bad}");
        }
    }
}
