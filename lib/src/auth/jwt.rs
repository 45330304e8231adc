//! Bearer tokens: HS256, and nothing else.

use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation,
    errors::{Error as JwtError, ErrorKind},
};
use serde::{Deserialize, Serialize};

use super::{Caller, Credential, algorithms, keys};
use crate::{Code, Error, config::auth::Auth, config::plans::PlanId};

/// How long an access token lives.
pub const ACCESS_TTL_S: i64 = 900;
/// The longest subject that makes a caller id.
const SUBJECT_MAX_BYTES: usize = 200;

/// Verifies tokens of this deployment: sessions of ours, and those that the team's own backend mints with the
/// shared secret, whose `sub` and `plan` are believed.
pub struct Verifier {
    /// By name, the newest first.
    keys: Vec<(String, DecodingKey)>,
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

/// What an access token of ours says.
#[derive(Serialize)]
struct AccessClaims<'a> {
    sub: &'a str,
    sid: &'a str,
    plan: &'a str,
    iat: i64,
    iat_ms: i64,
    exp: i64,
    iss: &'a str,
    aud: &'a str,
}

impl Verifier {
    /// A verifier for the configured secrets, issuer and audience.
    pub fn new(config: &Auth) -> Self {
        algorithms::install();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[&config.issuer]);
        validation.set_audience(&[&config.audience]);
        validation.validate_nbf = true;
        validation.leeway = 0;
        let key = |secret: &crate::config::Secret| {
            (keys::key_id(secret), DecodingKey::from_secret(secret.expose().as_bytes()))
        };
        Self { keys: config.keys.all().map(key).collect(), validation }
    }

    /// The caller whom a token names.
    ///
    /// # Errors
    /// `token_expired`, or `invalid_token` for everything else; neither says more than the holder may know.
    pub fn verify(&self, token: &str) -> Result<Caller, Error> {
        let claims = self.decode(token).map_err(|error| refused(&error))?;
        let Claims { sub, plan, sid, iat, iat_ms } = claims;
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

    /// Tries the secret that the header names, else each of them: the team's own backend names none.
    fn decode(&self, token: &str) -> Result<Claims, JwtError> {
        let named = jsonwebtoken::decode_header(token)?.kid;
        let named = self.keys.iter().filter(|(name, _)| Some(name) == named.as_ref());
        let mut last = ErrorKind::InvalidSignature.into();
        for (_, key) in named.chain(&self.keys) {
            match jsonwebtoken::decode::<Claims>(token, key, &self.validation) {
                Ok(decoded) => return Ok(decoded.claims),
                Err(error) if matches!(error.kind(), ErrorKind::InvalidSignature) => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }
}

/// An access token of a session of ours, signed with the newest secret.
///
/// # Errors
/// A fault of ours.
pub fn access_token(config: &Auth, user_id: &str, session: &str, plan: PlanId, now_ms: i64) -> Result<String, Error> {
    algorithms::install();
    let secret = config.keys.all().next().ok_or_else(|| Error::internal("no secret signs"))?;
    let iat = now_ms.div_euclid(1_000);
    let claims = AccessClaims {
        sub: user_id,
        sid: session,
        plan: plan.as_str(),
        iat,
        iat_ms: now_ms,
        exp: iat + ACCESS_TTL_S,
        iss: &config.issuer,
        aud: &config.audience,
    };
    let header = Header { kid: Some(keys::key_id(secret)), ..Header::new(Algorithm::HS256) };
    jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(secret.expose().as_bytes()))
        .map_err(Error::internal)
}

pub(super) fn is_usable(id: &str) -> bool {
    !id.is_empty() && id.len() <= SUBJECT_MAX_BYTES && !id.chars().any(char::is_control)
}

/// What the holder of a refused token is told.
pub(super) fn refused(error: &JwtError) -> Error {
    match error.kind() {
        ErrorKind::ExpiredSignature => {
            Error::new(Code::TokenExpired, "The token has expired. Sign in again, or refresh it.")
        }
        _ => invalid().log(format!("token refused: {error}")),
    }
}

pub(super) fn invalid() -> Error {
    Error::new(
        Code::InvalidToken,
        "The token is not valid here. It must be an HS256 JWT with sub, plan, exp, iss and aud, signed with this \
         deployment's secret, a token of its identity provider, or an API key that was made here.",
    )
}
