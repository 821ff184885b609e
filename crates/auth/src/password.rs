use std::fmt;
use std::str::FromStr;

use argon2::password_hash::PasswordVerifier as _;
use argon2::password_hash::phc;
use argon2::{Argon2, PasswordHasher as _};

use crate::{Error, random};

/// What a hash may cost: KiB of memory, and rounds. Whoever guesses makes us pay.
const MEMORY: std::ops::RangeInclusive<u32> = 4 << 10..=256 << 10;
const ROUNDS: std::ops::RangeInclusive<u32> = 1..=16;
/// The longest password that is looked at, in bytes.
const MAX_PASSWORD: usize = 1024;

/// The argon2id hash of a password, as a text in PHC form: `$argon2id$v=19$m=…,t=…,p=…$salt$hash`.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Hashes `password`: 19 MiB and two rounds, as OWASP has it. Takes some tens of milliseconds.
    ///
    /// # Errors
    /// Where the system has no random numbers, or no memory.
    pub fn of(password: &str) -> Result<Self, String> {
        let hash: phc::PasswordHash = Argon2::default()
            .hash_password(password.as_bytes())
            .map_err(|error| error.to_string())?;
        Ok(Self(hash.to_string()))
    }

    /// Whether it is the hash of `password`. Takes as long as the hash says, whatever the password is.
    pub fn is_of(&self, password: &str) -> bool {
        if password.len() > MAX_PASSWORD {
            return false;
        }
        phc::PasswordHash::new(&self.0).is_ok_and(|hash| {
            Argon2::default()
                .verify_password(password.as_bytes(), &hash)
                .is_ok()
        })
    }

    /// Another hash has another one, and it tells nothing.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        random::sha256(self.0.as_bytes())
    }
}

impl FromStr for PasswordHash {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let hash = phc::PasswordHash::new(text).map_err(|_| Error::PasswordHash)?;
        let complete = hash.salt.is_some() && hash.hash.is_some();
        if hash.algorithm.as_str() != "argon2id" || !complete {
            return Err(Error::PasswordHash);
        }
        let params = argon2::Params::try_from(&hash).map_err(|_| Error::PasswordHash)?;
        let affordable = MEMORY.contains(&params.m_cost()) && ROUNDS.contains(&params.t_cost());
        if !affordable || params.p_cost() > 16 {
            return Err(Error::PasswordCost);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_by_its_hash() {
        let hash = PasswordHash::of("correct horse").unwrap();
        assert!(
            hash.to_string()
                .starts_with("$argon2id$v=19$m=19456,t=2,p=1$")
        );
        assert_ne!(hash, PasswordHash::of("correct horse").unwrap(), "salted");
        let read: PasswordHash = hash.to_string().parse().unwrap();
        assert!(read.is_of("correct horse") && !read.is_of("correct house") && !read.is_of(""));
        assert!(!read.is_of(&"x".repeat(MAX_PASSWORD + 1)));
        assert!(!format!("{hash:?}").contains("argon2id"));
    }

    #[test]
    fn what_is_no_hash_or_would_cost_too_much_is_refused() {
        let good = PasswordHash::of("x").unwrap().to_string();
        let costly = good.replace("m=19456", "m=4194304");
        assert_eq!(costly.parse::<PasswordHash>(), Err(Error::PasswordCost));
        for bad in [
            "",
            "secret",
            "$2b$12$abc",
            &good.replace("argon2id", "argon2i"),
            "$argon2id$v=19$m=19456,t=2,p=1",
        ] {
            assert_eq!(
                bad.parse::<PasswordHash>(),
                Err(Error::PasswordHash),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_hash_that_another_program_made_is_understood() {
        // The reference implementation, whose own test has this line:
        // `echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1 -e`.
        let text = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        let hash: PasswordHash = text.parse().unwrap();
        assert!(hash.is_of("password") && !hash.is_of("Password"));
    }
}
