//! Query strings and percent-encoding (RFC 3986, 2.1).

use super::Request;
use crate::{Code, Error};

/// The first value of a query parameter, decoded; `+` is a space, as forms write it.
///
/// # Errors
/// `invalid_query` where the value is not valid percent-encoded UTF-8.
pub fn parameter(request: &Request, name: &str) -> Result<Option<String>, Error> {
    let query = request.uri().query().unwrap_or_default();
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if key == name {
            return percent_decode(&value.replace('+', " ")).map(Some).ok_or_else(|| {
                Error::new(Code::InvalidQuery, format!("The query parameter `{name}` is not percent-encoded UTF-8."))
            });
        }
    }
    Ok(None)
}

/// A query parameter that counts things, within bounds.
///
/// # Errors
/// `invalid_query` where it is not a number from 1 to `most`.
pub fn number(request: &Request, name: &str, default: u32, most: u32) -> Result<u32, Error> {
    let Some(text) = parameter(request, name)? else { return Ok(default) };
    text.parse().ok().filter(|number| (1..=most).contains(number)).ok_or_else(|| {
        Error::new(Code::InvalidQuery, format!("The query parameter `{name}` must be a number from 1 to {most}."))
    })
}

/// Decodes `%XX`; `None` where a sequence is broken or the result is not UTF-8.
pub fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let high = char::from(rest.next()?).to_digit(16)?;
        let low = char::from(rest.next()?).to_digit(16)?;
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_sequences_are_refused_not_guessed() {
        assert_eq!(percent_decode("a%2Fb%20c").as_deref(), Some("a/b c"));
        assert_eq!(percent_decode("%"), None);
        assert_eq!(percent_decode("%4"), None);
        assert_eq!(percent_decode("%zz"), None);
        assert_eq!(percent_decode("%ff"), None);
    }
}
