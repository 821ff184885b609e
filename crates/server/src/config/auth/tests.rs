use auth::{Action, Decision};

use super::super::check;

fn told(text: &str) -> String {
    check("t.toml", text, &super::super::Environment::default())
        .map(|_| ())
        .unwrap_err()
        .to_string()
}

fn anonymous(text: &str, local: bool, action: Action) -> Decision {
    let loaded = check("t.toml", text, &super::super::Environment::default()).unwrap();
    let policy = loaded.config.auth.policy(local).unwrap();
    policy.decide(policy.anonymous(), action, Some("front"))
}

#[test]
fn without_credentials_this_machine_may_do_everything_and_others_nothing() {
    assert_eq!(anonymous("", true, Action::Control), Decision::Allow);
    assert_eq!(anonymous("", false, Action::Watch), Decision::Unconfigured);
    let watch = "[auth]\nanonymous = [\"watch:fr*\"]";
    for local in [true, false] {
        assert_eq!(anonymous(watch, local, Action::Watch), Decision::Allow);
        assert_eq!(
            anonymous(watch, local, Action::Control),
            Decision::Unconfigured
        );
    }
    let jwt = "[auth.jwt]\nsecret = \"0123456789abcdef0123456789abcdef\"";
    assert_eq!(
        anonymous(jwt, true, Action::Watch),
        Decision::Unauthenticated
    );
}

#[test]
fn a_signed_url_outlives_changes_of_who_may_do_what() {
    let policy = |text: &str| {
        let loaded = check("t.toml", text, &super::super::Environment::default()).unwrap();
        loaded.config.auth.policy(true).unwrap()
    };
    let token = auth::MediaToken {
        streams: "front".parse().unwrap(),
        expires: 4_000_000_000,
    };
    let before = policy("").signer().sign(&token);
    let after = policy("[auth]\nanonymous = [\"watch:fr*\"]");
    assert_eq!(after.signer().verify(&before), Some(token));
    let key = "[auth]\nsigning_key = \"a signing key of thirty-two letters\"";
    assert_eq!(policy(key).signer().verify(&before), None);
}

#[test]
fn what_is_wrong_is_told_with_its_key_and_without_secrets() {
    let hash =
        "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    for (text, expected) in [
        (
            "[auth]\nsigning_key = \"hunter2\"",
            "auth.signing_key: a signing key has at least 32",
        ),
        ("[auth]\nanonymous = [\"wacth\"]", "`wacth` is no grant"),
        (
            "[auth.users.ann]\nrole = \"admin\"",
            "auth.users.ann: this user has no `password_hash`",
        ),
        (
            "[auth.users.ann]\npassword_hash = \"hunter2\"",
            "auth.users.ann.password_hash: this is no argon2id hash",
        ),
        (
            &format!("[auth.users.ann]\npassword_hash = \"{hash}\""),
            "auth.users.ann: this may do nothing",
        ),
        (
            "[auth.users.\"a:b\"]\nrole = \"admin\"",
            "no colon among them",
        ),
        (
            "[auth.keys.k]\nhash = \"hunter2\"",
            "auth.keys.k.hash: this is no hash of an API key",
        ),
        (
            "[auth.keys.k]\nrole = \"viewer\"",
            "auth.keys.k: this key has no `hash`",
        ),
        (
            "[auth.jwt]\nsecret = \"hunter2\"",
            "auth.jwt.secret: a secret for HS256 has",
        ),
        ("[auth.jwt]\nsecret = [\"hunter2\"]", "auth.jwt.secret"),
        (
            "[auth.jwt]\njwks_url = \"http://issuer.lan/keys\"",
            "auth.jwt.jwks_url: keys must come from an https://",
        ),
        (
            "[auth.jwt]\npublic_key_file = \"/nowhere\"",
            "auth.jwt.public_key_file: /nowhere: ",
        ),
        (
            "[auth.token_backend]\nurl = \"nonsense\"",
            "auth.token_backend.url: this is no URL",
        ),
        (
            "[auth.token_backend]\nurl = \"http://a:hunter2@h/?token=hunter2\"\nx = 1",
            "there is no key `x`",
        ),
    ] {
        let told = told(text);
        assert!(told.contains(expected), "{text}\n{told}");
        let leaks = told.contains("hunter2") || told.contains("CTFhFd");
        assert!(!leaks, "{told}");
    }
}
