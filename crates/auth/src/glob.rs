use std::fmt;
use std::str::FromStr;

use crate::Error;

/// The longest pattern; ids are not longer either.
const MAX: usize = 128;

/// A pattern for stream ids: `*` is any number of characters, `?` any one, all others are themselves.
#[derive(Clone, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    /// Fits every id.
    pub fn any() -> Self {
        Self("*".to_owned())
    }

    /// Whether it fits every id.
    pub fn is_any(&self) -> bool {
        self.0 == "*"
    }

    /// The pattern.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `id` fits. Takes at most the product of both lengths.
    pub fn fits(&self, id: &str) -> bool {
        let (pattern, text) = (self.0.as_bytes(), id.as_bytes());
        let (mut p, mut t) = (0, 0);
        // Where to go on after the last `*`, which then takes one character more.
        let mut star: Option<(usize, usize)> = None;
        while t < text.len() {
            match pattern.get(p) {
                Some(b'*') => {
                    star = Some((p + 1, t));
                    p += 1;
                }
                Some(&byte) if byte == b'?' || byte == text[t] => {
                    p += 1;
                    t += 1;
                }
                _ => {
                    let Some((after, from)) = star else {
                        return false;
                    };
                    star = Some((after, from + 1));
                    (p, t) = (after, from + 1);
                }
            }
        }
        pattern[p..].iter().all(|&byte| byte == b'*')
    }
}

impl FromStr for Glob {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~*?".contains(&byte);
        let good = !text.is_empty() && text.len() <= MAX && text.bytes().all(known);
        if good {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::Glob(text.chars().take(MAX).collect()))
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fits(pattern: &str, id: &str) -> bool {
        pattern.parse::<Glob>().unwrap().fits(id)
    }

    #[test]
    fn a_star_is_anything_and_a_question_mark_any_one() {
        assert!(fits("front", "front") && !fits("front", "front2") && !fits("front", "fron"));
        assert!(
            fits("front*", "front") && fits("front*", "front-door") && !fits("front*", "afront")
        );
        assert!(
            fits("*door*", "front-door-2") && fits("a*b*c", "a-b-b-c") && !fits("a*b*c", "a-c-b")
        );
        assert!(fits("cam?", "cam1") && !fits("cam?", "cam") && !fits("cam?", "cam12"));
        assert!(fits("*", "") && fits("*", "x") && fits("**", "x"));
        for bad in ["", "a b", "a/b", "ä", "[a]"] {
            assert!(bad.parse::<Glob>().is_err(), "{bad}");
        }
    }

    /// The obvious way, which may take for ever.
    fn slowly(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((b'*', rest)) => (0..=text.len()).any(|n| slowly(rest, &text[n..])),
            Some((b'?', rest)) => !text.is_empty() && slowly(rest, &text[1..]),
            Some((byte, rest)) => text.first() == Some(byte) && slowly(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_the_obvious_way(pattern in "[ab*?]{1,8}", text in "[ab]{0,10}") {
            prop_assert_eq!(fits(&pattern, &text), slowly(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
