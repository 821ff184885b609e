//! The one place that recognises credentials and decides.

use crate::sessions::Sessions;
use crate::{
    Action, Grants, Identity, Jwt, JwtError, KeyHash, MediaToken, PasswordHash, Signer, Who,
};

/// Somebody with a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Their name.
    pub name: String,
    /// Their password, hashed.
    pub password: PasswordHash,
    /// What they may do.
    pub grants: Grants,
}

/// An API key.
#[derive(Debug, Clone)]
struct Key {
    name: String,
    hash: KeyHash,
    grants: Grants,
}

/// Who is known, and what everybody may do.
#[derive(Debug, Clone)]
pub struct Policy {
    /// What those may do who say nothing of who they are.
    anonymous: Identity,
    users: Vec<User>,
    keys: Vec<Key>,
    jwt: Option<Jwt>,
    signer: Signer,
    /// Somebody else is asked about tokens that are not known here.
    backend: bool,
    /// What is verified where there is no such user, so that it takes as long.
    nobody: Option<PasswordHash>,
}

/// What a token turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// Good: who holds it.
    Good(Identity),
    /// It was good, once.
    Expired,
    /// It was signed with a key that is not known, but may be published by now.
    UnknownKey,
    /// It is nothing that is known here.
    Unknown,
}

/// Whether something may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Yes.
    Allow,
    /// Not by somebody who says nothing of who they are.
    Unauthenticated,
    /// Not by this one.
    Forbidden,
    /// By nobody, as things are configured: there are no credentials that would allow it.
    Unconfigured,
}

impl Policy {
    /// Knows nobody yet. Those who say nothing of who they are may do what `anonymous` grants; media URLs are signed by `signer`.
    pub fn new(anonymous: Identity, signer: Signer) -> Self {
        Self {
            anonymous,
            users: Vec::new(),
            keys: Vec::new(),
            jwt: None,
            signer,
            backend: false,
            nobody: None,
        }
    }

    /// Adds a user.
    #[must_use]
    pub fn with_user(mut self, user: User) -> Self {
        self.nobody.get_or_insert_with(|| user.password.clone());
        self.users.push(user);
        self
    }

    /// Adds an API key called `name`.
    #[must_use]
    pub fn with_key(mut self, name: String, hash: KeyHash, grants: Grants) -> Self {
        self.keys.push(Key { name, hash, grants });
        self
    }

    /// Takes JWTs. Called again, it takes those of another set of keys.
    #[must_use]
    pub fn with_jwt(mut self, jwt: Jwt) -> Self {
        self.jwt = Some(jwt);
        self
    }

    /// Says that somebody else knows tokens, too.
    #[must_use]
    pub fn with_backend(mut self) -> Self {
        self.backend = true;
        self
    }

    /// Whether there is anybody who could say who they are.
    pub fn has_credentials(&self) -> bool {
        self.has_users() || !self.keys.is_empty() || self.jwt.is_some() || self.backend
    }

    /// Whether people can log in.
    pub fn has_users(&self) -> bool {
        !self.users.is_empty()
    }

    /// Signs media URLs.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Those who say nothing of who they are.
    pub fn anonymous(&self) -> &Identity {
        &self.anonymous
    }

    /// What `token` is: an API key, a signed media URL's, or a JWT. `now` in seconds since the Unix epoch.
    pub fn token(&self, token: &str, now: u64) -> Token {
        // All are compared: how long it takes must not tell which one it is.
        let mut found = None;
        for key in &self.keys {
            if key.hash.is_of(token) {
                found = Some(key);
            }
        }
        if let Some(Key { name, grants, .. }) = found {
            return Token::Good(Identity::new(Who::Key(name.clone()), grants.clone()));
        }
        if let Some(media) = self.signer.verify(token) {
            let expired = media.expires <= now;
            return if expired {
                Token::Expired
            } else {
                Token::Good(holder(media))
            };
        }
        match self.jwt.as_ref().map(|jwt| jwt.verify(token, now)) {
            Some(Ok(identity)) => Token::Good(identity),
            Some(Err(JwtError::Expired)) => Token::Expired,
            Some(Err(JwtError::UnknownKey)) => Token::UnknownKey,
            Some(Err(_)) | None => Token::Unknown,
        }
    }

    /// Whether `password` is that of the user `name`. Takes some tens of milliseconds of a core, whether there is such a
    /// user or not.
    pub fn password(&self, name: &str, password: &str) -> Option<&User> {
        let user = self.named(name);
        let hash = user.map(|user| &user.password).or(self.nobody.as_ref())?;
        let right = hash.is_of(password);
        user.filter(|_| right)
    }

    /// The user called `name`.
    pub fn named(&self, name: &str) -> Option<&User> {
        self.users.iter().find(|user| user.name == name)
    }

    /// What somebody may do now who was let in as `identity` under the policy `before`: nothing is returned of those who are not
    /// known any more, or by other credentials. Of what somebody else vouches for (JWTs, signed URLs, the token backend) no
    /// more is known here than when it ends.
    pub fn again(&self, before: &Self, identity: &Identity) -> Option<Identity> {
        let still = |grants: &Grants| Identity {
            grants: grants.clone(),
            ..identity.clone()
        };
        match &identity.who {
            Who::Anonymous | Who::Local => Some(self.anonymous.clone()),
            Who::User(name) => {
                let (then, now) = (before.named(name)?, self.named(name)?);
                (then.password == now.password).then(|| still(&now.grants))
            }
            Who::Key(name) => {
                let (then, now) = (before.key(name)?, self.key(name)?);
                (then.hash == now.hash).then(|| still(&now.grants))
            }
            Who::Jwt(_) | Who::Media | Who::Backend => Some(identity.clone()),
        }
    }

    /// Whether there is a user or a key that may do `action` with all streams.
    pub fn somebody_may(&self, action: Action) -> bool {
        let users = self.users.iter().map(|user| &user.grants);
        let mut all = users.chain(self.keys.iter().map(|key| &key.grants));
        all.any(|grants| grants.allow(action, None))
    }

    fn key(&self, name: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// Whether `user` is still as they were.
    pub fn knows(&self, user: &User) -> bool {
        self.users.contains(user)
    }

    /// Who `user` is, once their password is known to be right.
    pub fn user(user: &User) -> Identity {
        Identity::new(Who::User(user.name.clone()), user.grants.clone())
    }

    /// Begins a session of `user` that lasts `seconds`, and returns what its cookie holds.
    pub fn begin_session(sessions: &mut Sessions, user: &User, seconds: u64, now: u64) -> String {
        sessions.begin(
            &user.name,
            user.password.fingerprint(),
            now.saturating_add(seconds),
            now,
        )
    }

    /// Whose session `cookie` is. A session ends with its user, and with their password.
    pub fn session(&self, sessions: &Sessions, cookie: &str, now: u64) -> Option<Identity> {
        let (name, fingerprint, expires) = sessions.find(cookie, now)?;
        let user = self.named(name)?;
        let same = user.password.fingerprint() == *fingerprint;
        same.then(|| Self::user(user).until(expires))
    }

    /// Whether `identity` may do `action` with `stream`, or, where it is about no single stream, with all.
    pub fn decide(&self, identity: &Identity, action: Action, stream: Option<&str>) -> Decision {
        self.judge(identity, identity.may(action, stream))
    }

    /// Whether `identity` may do `action` with some stream at least: for lists, which then show those alone.
    pub fn decide_some(&self, identity: &Identity, action: Action) -> Decision {
        self.judge(identity, identity.grants.allow_some(action))
    }

    fn judge(&self, identity: &Identity, may: bool) -> Decision {
        match (may, &identity.who) {
            (true, _) => Decision::Allow,
            (false, Who::Anonymous | Who::Local) if !self.has_credentials() => {
                Decision::Unconfigured
            }
            (false, Who::Anonymous | Who::Local) => Decision::Unauthenticated,
            (false, _) => Decision::Forbidden,
        }
    }
}

fn holder(media: MediaToken) -> Identity {
    let grant = crate::Grant::with(Action::Watch, media.streams);
    Identity::new(Who::Media, [grant].into_iter().collect()).until(media.expires)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Role, generate_key};

    const NOW: u64 = 1_800_000_000;

    fn closed() -> Policy {
        Policy::new(
            Identity::new(Who::Anonymous, Grants::none()),
            Signer::random(),
        )
    }

    fn user(password: &str) -> User {
        User {
            name: "ann".to_owned(),
            password: PasswordHash::of(password).unwrap(),
            grants: Role::Viewer.grants(),
        }
    }

    #[test]
    fn a_decision_says_whether_other_credentials_could_help() {
        let policy = closed();
        let nobody = policy.anonymous().clone();
        let control = |policy: &Policy, who: &Identity| policy.decide(who, Action::Control, None);
        assert_eq!(control(&policy, &nobody), Decision::Unconfigured);
        let policy = policy.with_user(user("x"));
        assert_eq!(control(&policy, &nobody), Decision::Unauthenticated);
        let ann = Policy::user(policy.password("ann", "x").unwrap());
        assert_eq!(control(&policy, &ann), Decision::Forbidden);
        assert_eq!(
            policy.decide(&ann, Action::Watch, Some("front")),
            Decision::Allow
        );
        assert_eq!(policy.decide_some(&ann, Action::Watch), Decision::Allow);
    }

    #[test]
    fn a_password_is_verified_for_its_user_alone() {
        let policy = closed().with_user(user("right"));
        assert!(policy.password("ann", "right").is_some());
        assert!(policy.password("ann", "wrong").is_none());
        assert!(policy.password("bob", "right").is_none());
        assert!(closed().password("ann", "right").is_none());
    }

    #[test]
    fn a_session_ends_with_its_user_and_with_their_password() {
        let ann = user("x");
        let policy = closed().with_user(ann.clone());
        let mut sessions = Sessions::default();
        let cookie = Policy::begin_session(&mut sessions, &ann, 60, NOW);
        let found = policy.session(&sessions, &cookie, NOW + 59).unwrap();
        assert_eq!(
            (found.who, found.expires),
            (Who::User("ann".to_owned()), Some(NOW + 60))
        );
        assert_eq!(policy.session(&sessions, &cookie, NOW + 60), None);
        assert_eq!(
            closed().session(&sessions, &cookie, NOW),
            None,
            "no such user any more"
        );
        let changed = closed().with_user(user("y"));
        assert_eq!(
            changed.session(&sessions, &cookie, NOW),
            None,
            "another password"
        );
    }

    #[test]
    fn a_token_is_a_key_or_a_signed_url_and_nothing_else() {
        let key = generate_key();
        let policy = closed().with_key(
            "grafana".to_owned(),
            KeyHash::of(&key),
            Grants::parse_list("metrics").unwrap(),
        );
        let Token::Good(identity) = policy.token(&key, NOW) else {
            panic!("the key is not known");
        };
        assert_eq!(identity.who, Who::Key("grafana".to_owned()));
        let media = MediaToken {
            streams: "front".parse().unwrap(),
            expires: NOW + 1,
        };
        let text = policy.signer().sign(&media);
        let Token::Good(identity) = policy.token(&text, NOW) else {
            panic!("the URL is not known");
        };
        assert!(
            identity.may(Action::Watch, Some("front"))
                && !identity.may(Action::Watch, Some("back"))
        );
        assert!(!identity.may(Action::Control, Some("front")));
        assert_eq!(policy.token(&text, NOW + 1), Token::Expired);
        for unknown in ["", "x", &generate_key(), "a.b", "a.b.c"] {
            assert_eq!(policy.token(unknown, NOW), Token::Unknown, "{unknown}");
        }
    }

    #[test]
    fn who_was_let_in_may_do_what_they_may_now_if_they_are_known_by_the_same() {
        let key = |text: &str, grants: &str| {
            let grants = Grants::parse_list(grants).unwrap();
            closed().with_key("k".to_owned(), KeyHash::of(text), grants)
        };
        let before = key("one", "watch");
        let Token::Good(holder) = before.token("one", NOW) else {
            panic!("the key is not known");
        };
        let again = |now: &Policy| now.again(&before, &holder);
        let narrowed = again(&key("one", "watch:front")).unwrap();
        assert!(!narrowed.may(Action::Watch, Some("back")));
        assert_eq!(again(&key("another", "watch")), None);
        assert_eq!(again(&closed()), None);

        let before = closed().with_user(user("x"));
        let ann = Policy::user(&before.users[0]).until(NOW);
        assert_eq!(before.again(&before, &ann), Some(ann.clone()));
        let changed = closed().with_user(user("x"));
        assert_eq!(changed.again(&before, &ann), None, "hashed anew");

        let nobody = Identity::new(Who::Local, Grants::all());
        let now = closed().again(&closed(), &nobody).unwrap();
        assert!(now.grants.is_empty() && now.who == Who::Anonymous);
    }

    proptest! {
        #[test]
        fn nothing_that_anybody_sends_panics_or_is_good(text in ".{0,300}", dots in r"[A-Za-z0-9_-]{0,60}(\.[A-Za-z0-9_-]{0,60}){0,3}", bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let keys = crate::JwtKeys::secret(&[7; 32]).unwrap();
            let rules = crate::JwtRules { issuer: None, audience: None, leeway: 0, claim: "lunette".to_owned() };
            let policy = closed().with_jwt(Jwt { rules, keys });
            for token in [&text, &dots] {
                prop_assert!(!matches!(policy.token(token, NOW), Token::Good(_)));
                prop_assert!(token.parse::<PasswordHash>().is_err() && token.parse::<KeyHash>().is_err());
                prop_assert!(Grants::parse_list(token).map_or(true, |grants| !grants.allow(Action::Control, None) || token.contains("control")));
            }
            prop_assert!(crate::JwtKeys::set(&bytes).is_err() && crate::JwtKeys::pem(&bytes).is_err());
        }
    }
}
