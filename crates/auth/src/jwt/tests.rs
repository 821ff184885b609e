use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;

use super::*;

const SECRET: &[u8] = b"a secret of thirty-two characters";
const NOW: u64 = 1_800_000_000;

/// Made with `openssl genpkey` and `openssl pkey -pubout`.
const RSA_PRIVATE: &str = include_str!("testdata/rsa.pem");
const RSA_PUBLIC: &str = include_str!("testdata/rsa.pub.pem");
const EC_PRIVATE: &str = include_str!("testdata/ec.pem");
const EC_PUBLIC: &str = include_str!("testdata/ec.pub.pem");
const EC384_PRIVATE: &str = include_str!("testdata/ec384.pem");
const EC384_PUBLIC: &str = include_str!("testdata/ec384.pub.pem");
const ED_PRIVATE: &str = include_str!("testdata/ed.pem");
const ED_PUBLIC: &str = include_str!("testdata/ed.pub.pem");

fn rules() -> JwtRules {
    JwtRules {
        issuer: Some("https://issuer/".to_owned()),
        audience: Some("lunette".to_owned()),
        leeway: 10,
        claim: "lunette".to_owned(),
    }
}

fn jwt(keys: JwtKeys) -> Jwt {
    let rules = rules();
    Jwt { rules, keys }
}

fn by_secret() -> Jwt {
    jwt(JwtKeys::secret(SECRET).unwrap())
}

fn good() -> Value {
    json!({"iss": "https://issuer/", "aud": ["other", "lunette"], "sub": "ann", "exp": NOW + 60, "lunette": "watch:front*"})
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = good();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = good();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

fn signed(claims: &Value, algorithm: Algorithm, key: &EncodingKey) -> String {
    encode(&Header::new(algorithm), claims, key).unwrap()
}

fn hs256(claims: &Value) -> String {
    signed(claims, Algorithm::HS256, &EncodingKey::from_secret(SECRET))
}

#[test]
fn a_good_token_says_who_its_holder_is_and_what_they_may_do() {
    let identity = by_secret().verify(&hs256(&good()), NOW).unwrap();
    assert_eq!(identity.who, Who::Jwt("ann".to_owned()));
    assert_eq!(identity.grants, Grants::parse_list("watch:front*").unwrap());
    assert_eq!(identity.expires, Some(NOW + 70));
    let listed = with("lunette", json!(["watch", "metrics"]));
    let identity = by_secret().verify(&hs256(&listed), NOW).unwrap();
    assert_eq!(
        identity.grants,
        Grants::parse_list("watch metrics").unwrap()
    );
}

#[test]
fn each_reason_not_to_take_a_token_is_told() {
    for (claims, why) in [
        (with("exp", json!(NOW - 10)), JwtError::Expired),
        (with("exp", json!("soon")), JwtError::NoExpiry),
        (without("exp"), JwtError::NoExpiry),
        (with("nbf", json!(NOW + 11)), JwtError::NotYet),
        (with("nbf", json!("now")), JwtError::Malformed),
        (with("iss", json!("https://other/")), JwtError::Issuer),
        (with("iss", json!(["https://issuer/"])), JwtError::Issuer),
        (without("iss"), JwtError::Issuer),
        (with("aud", json!("other")), JwtError::Audience),
        (without("aud"), JwtError::Audience),
        (with("lunette", json!("everything")), JwtError::Grants),
        (with("lunette", json!(7)), JwtError::Grants),
        (without("lunette"), JwtError::Grants),
    ] {
        assert_eq!(
            by_secret().verify(&hs256(&claims), NOW),
            Err(why),
            "{claims}"
        );
    }
    for claims in [
        with("exp", json!(NOW - 9)),
        with("nbf", json!(NOW + 10)),
        with("exp", json!(NOW as f64 + 0.5)),
    ] {
        assert!(by_secret().verify(&hs256(&claims), NOW).is_ok(), "{claims}");
    }
    for rubbish in ["", "a.b.c", "..", &"x".repeat(MAX_TOKEN + 1)] {
        assert_eq!(by_secret().verify(rubbish, NOW), Err(JwtError::Malformed));
    }
}

#[test]
fn all_algorithms_are_verified_with_the_key_of_their_kind() {
    let rsa = EncodingKey::from_rsa_pem(RSA_PRIVATE.as_bytes()).unwrap();
    let ec = EncodingKey::from_ec_pem(EC_PRIVATE.as_bytes()).unwrap();
    let ec384 = EncodingKey::from_ec_pem(EC384_PRIVATE.as_bytes()).unwrap();
    let ed = EncodingKey::from_ed_pem(ED_PRIVATE.as_bytes()).unwrap();
    let secret = EncodingKey::from_secret(SECRET);
    let public = |pem: &str| jwt(JwtKeys::pem(pem.as_bytes()).unwrap());
    let all = [
        (by_secret(), &secret, HMAC.to_vec()),
        (public(RSA_PUBLIC), &rsa, RSA.to_vec()),
        (public(EC_PUBLIC), &ec, vec![Algorithm::ES256]),
        (public(EC384_PUBLIC), &ec384, vec![Algorithm::ES384]),
        (public(ED_PUBLIC), &ed, vec![Algorithm::EdDSA]),
    ];
    for (jwt, key, algorithms) in &all {
        for algorithm in algorithms {
            let token = signed(&good(), *algorithm, key);
            assert!(jwt.verify(&token, NOW).is_ok(), "{algorithm:?}");
            for (other, _, theirs) in all
                .iter()
                .filter(|(_, _, theirs)| !theirs.contains(algorithm))
            {
                assert_eq!(
                    other.verify(&token, NOW),
                    Err(JwtError::UnknownKey),
                    "{algorithm:?} by {theirs:?}"
                );
            }
        }
    }
}

#[test]
fn a_public_key_is_never_taken_for_a_secret_and_none_is_no_algorithm() {
    for pem in [RSA_PUBLIC, EC_PUBLIC, ED_PUBLIC] {
        let jwt = jwt(JwtKeys::pem(pem.as_bytes()).unwrap());
        let forged = signed(
            &good(),
            Algorithm::HS256,
            &EncodingKey::from_secret(pem.as_bytes()),
        );
        assert_eq!(jwt.verify(&forged, NOW), Err(JwtError::UnknownKey));
    }
    let part = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
    for algorithm in ["none", "None", "NONE"] {
        let forged = format!("{}.{}.", part(json!({"alg": algorithm})), part(good()));
        assert_eq!(by_secret().verify(&forged, NOW), Err(JwtError::Malformed));
    }
}

#[test]
fn a_token_that_was_changed_is_not_taken() {
    let token = hs256(&good());
    let (message, signature) = token.rsplit_once('.').unwrap();
    let (header, _) = message.split_once('.').unwrap();
    let claims = URL_SAFE_NO_PAD.encode(with("lunette", json!("control")).to_string());
    let changed = format!("{header}.{claims}.{signature}");
    assert_eq!(by_secret().verify(&changed, NOW), Err(JwtError::Signature));
    let other = jwt(JwtKeys::secret(&[7; 32]).unwrap());
    assert_eq!(other.verify(&token, NOW), Err(JwtError::Signature));
}

#[test]
fn of_a_published_set_the_key_with_the_id_counts_and_no_secret_is_taken_from_it() {
    let ed = EncodingKey::from_ed_pem(ED_PRIVATE.as_bytes()).unwrap();
    let ec = EncodingKey::from_ec_pem(EC_PRIVATE.as_bytes()).unwrap();
    let mut first = Jwk::from_encoding_key(&ed, Algorithm::EdDSA).unwrap();
    first.common.key_id = Some("first".to_owned());
    let mut second = Jwk::from_encoding_key(&ec, Algorithm::ES256).unwrap();
    second.common.key_id = Some("second".to_owned());
    let secret =
        Jwk::from_encoding_key(&EncodingKey::from_secret(SECRET), Algorithm::HS256).unwrap();
    let set = json!({"keys": [secret, first, second]});
    let keys = JwtKeys::set(set.to_string().as_bytes()).unwrap();
    assert_eq!(format!("{keys:?}"), "[2 keys]");
    let jwt = jwt(keys);
    let by = |kid: Option<&str>, algorithm, key: &EncodingKey| {
        let mut header = Header::new(algorithm);
        header.kid = kid.map(str::to_owned);
        jwt.verify(&encode(&header, &good(), key).unwrap(), NOW)
            .map(|_| ())
    };
    assert_eq!(by(Some("first"), Algorithm::EdDSA, &ed), Ok(()));
    assert_eq!(by(Some("second"), Algorithm::ES256, &ec), Ok(()));
    assert_eq!(by(None, Algorithm::ES256, &ec), Ok(()));
    assert_eq!(
        by(Some("third"), Algorithm::EdDSA, &ed),
        Err(JwtError::UnknownKey)
    );
    assert_eq!(
        by(Some("first"), Algorithm::ES256, &ec),
        Err(JwtError::UnknownKey)
    );
    assert_eq!(
        by(None, Algorithm::HS256, &EncodingKey::from_secret(SECRET)),
        Err(JwtError::UnknownKey)
    );
    for rubbish in [
        "",
        "[]",
        "{}",
        r#"{"keys":[]}"#,
        r#"{"keys":[{"kty":"RSA"}]}"#,
    ] {
        assert!(JwtKeys::set(rubbish.as_bytes()).is_err(), "{rubbish}");
    }
}

#[test]
fn what_is_no_key_to_verify_with_is_refused() {
    assert!(JwtKeys::secret(b"short").is_err());
    for pem in ["", "rubbish", RSA_PRIVATE, EC_PRIVATE, ED_PRIVATE] {
        assert!(JwtKeys::pem(pem.as_bytes()).is_err(), "{pem}");
    }
}
