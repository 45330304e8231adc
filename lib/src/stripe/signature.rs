//! Signatures of events: HMAC-SHA256 over the time and the raw body (docs.stripe.com/webhooks/signature, 2026-09).

use std::fmt;

use ring::hmac;

use crate::{config::Secret, hex};

/// How far the time of a signature may be from ours, both ways: Stripe signs every delivery anew.
pub const TOLERANCE_S: i64 = 300;

/// Why an event is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureError {
    /// The header is not there, or has no time or no signature.
    Malformed,
    /// The time is too far from ours.
    Time,
    /// No signature fits.
    Mismatch,
}

impl fmt::Display for SignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "Stripe-Signature has no time or no v1 signature",
            Self::Time => "the time of Stripe-Signature is more than 300 s away",
            Self::Mismatch => "no signature of Stripe-Signature fits",
        })
    }
}

/// Checks the header against the raw body. While a secret is being rolled there are several signatures, and there may
/// be several secrets: one pair that fits is enough. Signatures of other schemes than `v1` are for tests and ignored.
///
/// # Errors
/// [`SignatureError`].
pub fn verify(header: &str, body: &[u8], secrets: &[Secret], now_s: i64) -> Result<(), SignatureError> {
    let (mut time, mut signatures) = (None, Vec::new());
    for (name, value) in header.split(',').filter_map(|part| part.trim().split_once('=')) {
        match name {
            "t" => time = Some(value),
            "v1" => signatures.extend(hex::decode(value)),
            _ => {}
        }
    }
    let time = time.filter(|_| !signatures.is_empty()).ok_or(SignatureError::Malformed)?;
    let time_s: i64 = time.parse().map_err(|_| SignatureError::Malformed)?;
    let text = signed_text(time, body);
    let fits = |secret: &Secret| {
        let key = key(secret);
        // Compared in constant time.
        signatures.iter().any(|signature| hmac::verify(&key, &text, signature).is_ok())
    };
    if !secrets.iter().any(fits) {
        return Err(SignatureError::Mismatch);
    }
    match now_s.abs_diff(time_s) <= TOLERANCE_S.unsigned_abs() {
        true => Ok(()),
        false => Err(SignatureError::Time),
    }
}

/// The header that Stripe would send for a body.
pub fn sign(body: &[u8], secret: &Secret, time_s: i64) -> String {
    let tag = hmac::sign(&key(secret), &signed_text(&time_s.to_string(), body));
    format!("t={time_s},v1={}", hex::encode(tag.as_ref()))
}

/// The whole secret is the key, `whsec_` included.
fn key(secret: &Secret) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes())
}

fn signed_text(time: &str, body: &[u8]) -> Vec<u8> {
    [time.as_bytes(), b".", body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"{\"id\":\"evt_1\"}\n \xff";

    fn check(header: &str, body: &[u8], now_s: i64) -> Result<(), SignatureError> {
        verify(header, body, &[Secret::new("whsec_old"), Secret::new("whsec_new")], now_s)
    }

    /// Made with the official SDK: `stripe.webhooks.generateTestHeaderString` of `stripe` 23.1.0.
    #[test]
    fn a_header_of_the_official_sdk_fits() {
        let header = "t=1800000000,v1=0c57964d3499e82d4d56da897976afc4865f26e74ecc9f343b209d5c6ddd0070";
        let secrets = [Secret::new("whsec_test_secret")];
        assert_eq!(verify(header, b"{\"id\":\"evt_test\"}", &secrets, 1_800_000_000), Ok(()));
    }

    #[test]
    fn one_fitting_signature_of_several_is_enough_in_any_order() {
        let good = sign(BODY, &Secret::new("whsec_new"), 1_000);
        let tag = good.split_once(',').unwrap().1;
        let other = "v1=".to_owned() + &"0".repeat(64);
        for header in [
            format!("t=1000,{tag}"),
            format!("t=1000,{other},{tag}"),
            format!("{tag},{other},v0=ff,t=1000"),
            format!("t=1000, {tag}"),
            format!("t=1000,nonsense,=,{tag}"),
        ] {
            assert_eq!(check(&header, BODY, 1_000), Ok(()), "{header}");
        }
        assert_eq!(check(&sign(BODY, &Secret::new("whsec_old"), 1_000), BODY, 1_000), Ok(()));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let good = sign(BODY, &Secret::new("whsec_new"), 1_000);
        let tag = good.split_once("v1=").unwrap().1;
        for header in ["", "t=1000", "v1=00", &format!("v1={tag}"), &format!("t=x,v1={tag}"), "t=1000,v1=zz"] {
            assert_eq!(check(header, BODY, 1_000), Err(SignatureError::Malformed), "{header}");
        }
        let foreign = sign(BODY, &Secret::new("whsec_foreign"), 1_000);
        let moved = format!("t=1001,v1={tag}");
        let test_scheme = format!("t=1000,v0={tag},v1={}", "0".repeat(64));
        let cut = format!("t=1000,v1={}", &tag[..62]);
        for header in [&foreign, &moved, &test_scheme, &cut] {
            assert_eq!(check(header, BODY, 1_000), Err(SignatureError::Mismatch), "{header}");
        }
        assert_eq!(check(&good, &BODY[1..], 1_000), Err(SignatureError::Mismatch));
    }

    #[test]
    fn the_time_may_be_off_by_five_minutes_both_ways() {
        let good = sign(BODY, &Secret::new("whsec_new"), 1_000);
        for (now_s, expected) in [
            (700, Ok(())),
            (1_300, Ok(())),
            (699, Err(SignatureError::Time)),
            (1_301, Err(SignatureError::Time)),
            (i64::MIN, Err(SignatureError::Time)),
        ] {
            assert_eq!(check(&good, BODY, now_s), expected, "{now_s}");
        }
    }
}
