//! Bearer tokens: HS256, and nothing else.

use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, EncodingKey, Validation,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{Error as JwtError, ErrorKind},
    signature::{Error as SignatureError, Verifier as SignatureVerifier},
};
use ring::hmac;
use serde::Deserialize;

use super::{Caller, Credential};
use crate::{Code, Error, config::auth::Auth, config::plans::PlanId};

/// The longest subject that makes a caller id.
const SUBJECT_MAX_BYTES: usize = 200;

/// Verifies tokens of this deployment: sessions of ours, and those that the team's own backend mints with the
/// shared secret, whose `sub` and `plan` are believed.
pub struct Verifier {
    key: DecodingKey,
    validation: Validation,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    plan: String,
    /// The session, in tokens of ours; those of the team's own backend have none.
    sid: Option<String>,
    /// Seconds, perhaps with a fraction (RFC 7519, 2).
    iat: Option<f64>,
    /// The same in milliseconds, in tokens of ours: what is revoked before a moment must not take the next second.
    iat_ms: Option<i64>,
}

impl Verifier {
    /// A verifier for the configured secret, issuer and audience.
    pub fn new(config: &Auth) -> Self {
        static RING: CryptoProvider =
            CryptoProvider { signer_factory, verifier_factory, key_utils: KeyUtils::new_unimplemented() };
        // A second install fails and changes nothing: the first was ours as well.
        let _ = RING.install_default();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[&config.issuer]);
        validation.set_audience(&[&config.audience]);
        validation.validate_nbf = true;
        validation.leeway = 0;
        Self { key: DecodingKey::from_secret(config.secret.expose().as_bytes()), validation }
    }

    /// The caller whom a token names.
    ///
    /// # Errors
    /// `token_expired`, or `invalid_token` for everything else; neither says more than the holder may know.
    pub fn verify(&self, token: &str) -> Result<Caller, Error> {
        let claims =
            jsonwebtoken::decode::<Claims>(token, &self.key, &self.validation).map_err(|error| match error.kind() {
                ErrorKind::ExpiredSignature => {
                    Error::new(Code::TokenExpired, "The token has expired. Sign in again, or refresh it.")
                }
                _ => invalid().log(format!("token refused: {error}")),
            })?;
        let Claims { sub, plan, sid, iat, iat_ms } = claims.claims;
        if !is_usable(&sub) {
            return Err(invalid().log("token refused: unusable sub"));
        }
        let plan = PlanId::parse(&plan).filter(|plan| *plan != PlanId::Anonymous);
        let plan = plan.ok_or_else(|| invalid().log("token refused: unknown plan"))?;
        let issued_ms = iat_ms.unwrap_or_else(|| iat.map_or(0, |seconds| (seconds * 1_000.0) as i64));
        let credential = match sid {
            Some(id) if !is_usable(&id) => return Err(invalid().log("token refused: unusable sid")),
            Some(id) => Credential::Session { id, issued_ms },
            None => Credential::Token { issued_ms },
        };
        Ok(Caller::user(&sub, plan, credential))
    }
}

fn is_usable(id: &str) -> bool {
    !id.is_empty() && id.len() <= SUBJECT_MAX_BYTES && !id.chars().any(char::is_control)
}

fn invalid() -> Error {
    Error::new(
        Code::InvalidToken,
        "The token is not valid here. It must be an HS256 JWT with sub, plan, exp, iss and aud, signed with this \
         deployment's secret.",
    )
}

/// HS256 over ring: the crate brings no cryptography of its own unless a second implementation is linked.
struct Hs256(hmac::Key);

fn verifier_factory(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, JwtError> {
    match (algorithm, key.family()) {
        (Algorithm::HS256, AlgorithmFamily::Hmac) => {
            Ok(Box::new(Hs256(hmac::Key::new(hmac::HMAC_SHA256, key.try_get_as_bytes()?))))
        }
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

fn signer_factory(_: &Algorithm, _: &EncodingKey) -> Result<Box<dyn JwtSigner>, JwtError> {
    Err(ErrorKind::InvalidAlgorithm.into())
}

impl SignatureVerifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), SignatureError> {
        hmac::verify(&self.0, message, signature).map_err(|_| SignatureError::new())
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}
