//! Reading request headers.

use super::{HeaderMap, HeaderName, header};
use crate::{Code, Error};

/// A header that may stand only once.
///
/// # Errors
/// `invalid_header` where it is given twice or is not visible ASCII.
pub fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Error> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Error::new(Code::InvalidHeader, format!("The header `{name}` is given more than once.")));
    }
    value
        .to_str()
        .map(|text| Some(text.trim()))
        .map_err(|_| Error::new(Code::InvalidHeader, format!("The header `{name}` holds characters it may not.")))
}

/// The token of `Authorization: Bearer TOKEN` (RFC 6750, 2.1), if the header is there.
///
/// # Errors
/// `invalid_header` where the header is given twice or is of another scheme.
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let Some(value) = single(headers, &header::AUTHORIZATION)? else { return Ok(None) };
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() => {
            Ok(Some(token.trim()))
        }
        _ => Err(Error::new(Code::InvalidHeader, "Write the header as `Authorization: Bearer TOKEN`.")),
    }
}

/// Whether the caller prefers `application/json` to an event stream: it names JSON and does not name
/// `text/event-stream`.
pub fn wants_json(headers: &HeaderMap) -> bool {
    let mut json = false;
    for value in headers.get_all(header::ACCEPT) {
        for media in value.to_str().unwrap_or_default().split(',') {
            let media = media.split(';').next().unwrap_or_default().trim();
            if media.eq_ignore_ascii_case("text/event-stream") {
                return false;
            }
            json |= media.eq_ignore_ascii_case("application/json");
        }
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::HeaderValue;

    #[test]
    fn a_header_given_twice_is_refused() {
        let mut headers = HeaderMap::new();
        headers.append(header::AUTHORIZATION, HeaderValue::from_static("Bearer a"));
        assert_eq!(bearer(&headers).unwrap(), Some("a"));
        headers.append(header::AUTHORIZATION, HeaderValue::from_static("Bearer b"));
        assert_eq!(bearer(&headers).unwrap_err().code(), Code::InvalidHeader);
    }

    #[test]
    fn a_stream_is_the_default_and_wins_when_both_are_named() {
        let accept = |text: &'static str| HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(text))]);
        assert!(!wants_json(&HeaderMap::new()));
        assert!(!wants_json(&accept("*/*")));
        assert!(wants_json(&accept("application/json; q=1")));
        assert!(!wants_json(&accept("application/json, text/event-stream")));
    }
}
