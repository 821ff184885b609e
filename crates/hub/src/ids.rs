use std::fmt;
use std::sync::Arc;

/// The longest id in bytes.
pub(crate) const MAX_ID: usize = 128;

/// An id that can't be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{id}` can't be an id: {why}")]
pub struct IdError {
    /// The rejected text, shortened where it is long.
    pub id: String,
    /// What is wrong and what would be right.
    pub why: &'static str,
}

macro_rules! id {
    ($name:ident, $what:literal) => {
        #[doc = concat!("The id of a ", $what, ": 1 to 128 letters, digits, `-`, `_`, `.` or `~`, not `.` or `..`.")]
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes `id` if it can stand in a URL path as it is.
            pub fn new(id: &str) -> Result<Self, IdError> {
                check(id)?;
                Ok(Self(id.into()))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
    };
}

id!(StreamId, "Stream");
id!(ChannelId, "Channel");

fn check(id: &str) -> Result<(), IdError> {
    let why = if id.is_empty() {
        "it is empty"
    } else if id.len() > MAX_ID {
        "it is longer than 128 characters"
    } else if id == "." || id == ".." {
        "it would change the path of a URL"
    } else if !id
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"-_.~".contains(&b))
    {
        "only letters, digits, `-`, `_`, `.` and `~` can stand in it"
    } else {
        return Ok(());
    };
    Err(IdError {
        id: id.chars().take(40).collect(),
        why,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_what_a_url_path_can_carry() {
        for good in [
            "demo",
            "0",
            "Front-door_2.a~b",
            "27aec28e-6181-4753-9acd-0456a75f0289",
        ] {
            assert_eq!(
                StreamId::new(good).map(|id| id.to_string()),
                Ok(good.to_owned())
            );
        }
        for bad in ["", ".", "..", "a/b", "a b", "é", "a?b", &"x".repeat(129)] {
            assert!(ChannelId::new(bad).is_err(), "{bad}");
        }
    }
}
