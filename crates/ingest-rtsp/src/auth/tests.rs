use super::*;
use crate::Secret;

fn authenticator() -> Authenticator {
    Authenticator::new(
        Some(Credentials {
            username: "Mufasa".into(),
            password: Secret::new("Circle of Life"),
        }),
        true,
    )
}

fn asks(values: &[&str]) -> Headers {
    let mut headers = Headers::new();
    for value in values {
        headers.push("WWW-Authenticate", *value);
    }
    headers
}

fn answer(auth: &mut Authenticator) -> String {
    auth.authorize("DESCRIBE", "rtsp://h/x").unwrap_or_default()
}

#[test]
fn nothing_is_sent_before_the_camera_asks() {
    assert_eq!(answer(&mut authenticator()), "");
}

#[test]
fn the_strongest_of_several_challenges_is_answered() {
    let md5 = r#"Digest realm="r", nonce="n1", qop="auth""#;
    let sha = r#"Digest realm="r", nonce="n2", algorithm=SHA-256, qop="auth""#;
    let mut auth = authenticator();
    auth.challenged(&asks(&[r#"Basic realm="r""#, md5, sha]))
        .unwrap();
    let value = answer(&mut auth);
    assert!(value.contains("SHA-256") && value.contains("n2"), "{value}");
    let mut auth = authenticator();
    auth.challenged(&asks(&[&format!(r#"Basic realm="a, b", {md5}"#)]))
        .unwrap();
    assert!(answer(&mut auth).contains("n1"));
    let mut auth = authenticator();
    auth.challenged(&asks(&["NTLM", "Basic"])).unwrap();
    assert_eq!(answer(&mut auth), "Basic TXVmYXNhOkNpcmNsZSBvZiBMaWZl");
}

#[test]
fn a_digest_without_qop_is_computed_the_old_way() {
    // Computed with Python's hashlib after RFC 2069 section 2.1.2.
    let mut auth = authenticator();
    auth.challenged(&asks(&[
        r#"digest realm = "r",nonce="n", algorithm=md5, qop="""#,
    ]))
    .unwrap();
    let value = answer(&mut auth);
    assert!(
        value.starts_with(r#"Digest username="Mufasa", realm="r", uri="rtsp://h/x", nonce="n""#),
        "{value}"
    );
    assert!(
        value.contains(r#"response="0a6eeeadf32cdd61024ef95de9e7cf0e""#),
        "{value}"
    );
}

#[test]
fn an_old_style_sha256_digest_names_its_algorithm() {
    let mut auth = authenticator();
    auth.challenged(&asks(&[
        r#"Digest realm="r", nonce="n", algorithm="sha-256""#,
    ]))
    .unwrap();
    assert!(answer(&mut auth).ends_with(", algorithm=SHA-256"));
}

#[test]
fn a_second_refusal_means_a_wrong_password() {
    let mut auth = authenticator();
    let ask = asks(&[r#"Digest realm="r", nonce="n""#, r#"Basic realm="r""#]);
    auth.challenged(&ask).unwrap();
    assert_eq!(auth.challenged(&ask), Err(Refusal::WrongCredentials));
}

#[test]
fn a_stale_nonce_is_replaced_a_few_times() {
    let mut auth = authenticator();
    auth.challenged(&asks(&[r#"Digest realm="r", nonce="n""#]))
        .unwrap();
    for _ in 0..MAX_STALE {
        auth.challenged(&asks(&[r#"Digest realm="r", nonce="m", stale=TRUE"#]))
            .unwrap();
        assert!(answer(&mut auth).contains(r#"nonce="m""#));
    }
    let stale = asks(&[r#"Digest realm="r", nonce="m", stale=true"#]);
    assert_eq!(auth.challenged(&stale), Err(Refusal::WrongCredentials));
}

#[test]
fn a_nonce_that_worked_and_works_no_more_is_replaced_without_being_called_stale() {
    let mut auth = authenticator();
    for nonce in ["a", "b", "c", "d", "e"] {
        auth.challenged(&asks(&[&format!(r#"Digest realm="r", nonce="{nonce}""#)]))
            .unwrap();
        assert!(answer(&mut auth).contains(&format!(r#"nonce="{nonce}""#)));
        auth.accepted(&Headers::new());
    }
}

#[test]
fn the_next_nonce_is_used_from_then_on() {
    let mut auth = authenticator();
    auth.challenged(&asks(&[r#"Digest realm="r", nonce="n", qop="auth""#]))
        .unwrap();
    assert!(answer(&mut auth).contains("nc=00000001"));
    assert!(answer(&mut auth).contains("nc=00000002"));
    let mut headers = Headers::new();
    headers.push("Authentication-Info", r#"qop=auth, nextnonce="m""#);
    auth.accepted(&headers);
    let value = answer(&mut auth);
    assert!(
        value.contains(r#"nonce="m""#) && value.contains("nc=00000001"),
        "{value}"
    );
}

#[test]
fn a_host_that_we_were_sent_to_does_not_get_the_password_itself() {
    let mut auth = authenticator();
    auth.basic = false;
    let basic = asks(&["Basic realm=\"r\""]);
    assert_eq!(auth.challenged(&basic), Err(Refusal::WrongCredentials));
}

#[test]
fn what_can_not_be_answered_is_said() {
    assert_eq!(
        Authenticator::new(None, true).challenged(&asks(&["Basic"])),
        Err(Refusal::NoCredentials)
    );
    assert_eq!(
        authenticator().challenged(&asks(&["NTLM"])),
        Err(Refusal::UnknownScheme("NTLM".into()))
    );
    assert_eq!(
        authenticator().challenged(&Headers::new()),
        Err(Refusal::UnknownScheme(String::new()))
    );
}

proptest::proptest! {
    #[test]
    fn no_challenge_upsets_us(value in "(Digest|Basic)? ?[ -~]{0,60}") {
        let mut auth = authenticator();
        if auth.challenged(&asks(&[&value])).is_ok() {
            let _ = answer(&mut auth);
        }
    }
}
