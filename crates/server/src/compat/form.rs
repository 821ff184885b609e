//! Forms, and session descriptions in Base64, as those clients send them.

use std::collections::BTreeMap;
use std::convert::Infallible;

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::NO_PAD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, general_purpose};
use futures_util::stream;
use multer::Multipart;
use url::form_urlencoded;

/// Takes Base64 with the padding or without.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    NO_PAD.with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The fields of a form, by their names. What is no form has none.
pub(super) async fn fields(headers: &HeaderMap, body: Bytes) -> BTreeMap<String, String> {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    let Ok(boundary) = multer::parse_boundary(kind) else {
        return form_urlencoded::parse(&body).into_owned().collect();
    };
    let body = stream::once(std::future::ready(Ok::<_, Infallible>(body)));
    let mut parts = Multipart::new(body, boundary);
    let mut fields = BTreeMap::new();
    while let Ok(Some(part)) = parts.next_field().await {
        let name = part.name().unwrap_or_default().to_owned();
        if let Ok(text) = part.text().await {
            fields.insert(name, text);
        }
    }
    fields
}

/// The text in `base64`, which may have lost its `+` to a form that was not encoded.
pub(super) fn decoded(base64: &str) -> Option<String> {
    let letter = |c: char| match c {
        ' ' | '-' => '+',
        '_' => '/',
        c => c,
    };
    let plain: String = base64.trim().chars().map(letter).collect();
    String::from_utf8(LENIENT.decode(plain).ok()?).ok()
}

/// `text` in Base64.
pub(super) fn encoded(text: &str) -> String {
    general_purpose::STANDARD.encode(text)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    async fn data(kind: &'static str, body: &str) -> Option<String> {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]);
        fields(&headers, Bytes::from(body.to_owned()))
            .await
            .remove("data")
    }

    #[tokio::test]
    async fn a_field_comes_in_either_kind_of_form() {
        let form = "application/x-www-form-urlencoded; charset=UTF-8";
        assert_eq!(
            data(form, "a=b&data=dj0wDQo%3D").await.as_deref(),
            Some("dj0wDQo=")
        );
        let parts = "--x\r\nContent-Disposition: form-data; name=\"data\"\r\n\r\ndj0w\r\n--x--\r\n";
        assert_eq!(
            data("multipart/form-data; boundary=x", parts)
                .await
                .as_deref(),
            Some("dj0w")
        );
        assert_eq!(
            data("multipart/form-data; boundary=x", "--x\r\nnonsense").await,
            None
        );
        assert_eq!(data("text/plain", "").await, None);
    }

    #[test]
    fn base64_may_be_padded_or_not_and_may_have_lost_its_plus() {
        for text in ["dj0wDQo=", "dj0wDQo", " dj0wDQo=\n"] {
            assert_eq!(decoded(text).as_deref(), Some("v=0\r\n"), "{text}");
        }
        assert_eq!(decoded("Pj4 Pz8/"), decoded("Pj4+Pz8/"));
        assert_eq!(decoded("v=0"), None);
    }
}
