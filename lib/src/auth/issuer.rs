//! Tokens of the team's own identity provider (Clerk, Auth0, Supabase, …), checked with its public keys (RFC 7517).

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;

use super::{Caller, Credential, algorithms, jwt};
use crate::{
    Code, Error, clock,
    config::{auth::IssuerConfig, plans::PlanId},
    net,
};

/// How often the provider is asked for a key that is not known, at most.
const RETRY_MS: i64 = 60_000;
/// How long the provider is left alone that has not answered yet.
const AWAY_MS: i64 = 5_000;
/// How long keys are used before the provider is asked whether they still are.
const FRESH_MS: i64 = 600_000;
const DEADLINE: Duration = Duration::from_secs(3);
const BODY_MAX_BYTES: usize = 262_144;
/// Clocks of two parties are never quite the same.
const LEEWAY_S: u64 = 5;

/// The identity provider, and its keys as this process knows them.
pub struct Issuer {
    config: IssuerConfig,
    known: Mutex<Known>,
    /// One asks at a time; the others wait for what comes.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Clone, Default)]
struct Known {
    keys: Option<Arc<[PublicKey]>>,
    fetched_ms: i64,
    asked_ms: i64,
}

struct PublicKey {
    id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Entry {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    plan: Option<String>,
    iat: Option<f64>,
}

impl Issuer {
    /// Knows no keys yet.
    pub fn new(config: IssuerConfig) -> Self {
        algorithms::install();
        Self { config, known: Mutex::default(), asking: tokio::sync::Mutex::default() }
    }

    /// Whether a token says that it is signed as such a provider signs. Nothing is believed yet.
    pub fn is_for(token: &str) -> bool {
        jsonwebtoken::decode_header(token).is_ok_and(|header| is_public(header.alg))
    }

    /// The caller whom a token names: its plan is `plan`, if the provider puts one in, else free, until a
    /// subscription says otherwise.
    ///
    /// # Errors
    /// `token_expired`, `invalid_token`; `issuer_unavailable` where the keys cannot be had.
    pub async fn verify(&self, token: &str) -> Result<Caller, Error> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| jwt::invalid())?;
        let keys = self.keys_for(header.kid.as_deref()).await?;
        let mut last = jwt::invalid().log("token refused: no key of the provider fits");
        let fits = |key: &&PublicKey| key.algorithm == header.alg && (header.kid.is_none() || key.id == header.kid);
        for key in keys.iter().filter(fits) {
            match jsonwebtoken::decode::<Claims>(token, &key.key, &self.validation(key.algorithm)) {
                Ok(decoded) => return caller(decoded.claims),
                Err(error) => last = jwt::refused(&error),
            }
        }
        Err(last)
    }

    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        validation.set_issuer(&[&self.config.issuer]);
        match &self.config.audience {
            Some(audience) => {
                validation.set_required_spec_claims(&["exp", "iss", "sub", "aud"]);
                validation.set_audience(&[audience]);
            }
            // Some providers name no audience.
            None => validation.validate_aud = false,
        }
        validation.validate_nbf = true;
        validation.leeway = LEEWAY_S;
        validation
    }

    /// The keys, asked for anew where one is missing or they are old, but at most once a minute.
    async fn keys_for(&self, id: Option<&str>) -> Result<Arc<[PublicKey]>, Error> {
        if let Some(keys) = self.good_enough(id) {
            return Ok(keys);
        }
        let _turn = self.asking.lock().await;
        // Somebody may have asked meanwhile.
        if let Some(keys) = self.good_enough(id) {
            return Ok(keys);
        }
        if !self.may_ask() {
            return Err(unavailable());
        }
        let fetched = fetch(&self.config.url).await;
        let mut known = self.lock();
        match fetched {
            Ok(keys) => {
                let keys: Arc<[PublicKey]> = keys.into();
                *known = Known { keys: Some(keys.clone()), fetched_ms: clock::now_ms(), asked_ms: known.asked_ms };
                Ok(keys)
            }
            // What was known goes on being good while the provider is away.
            Err(why) => known.keys.clone().ok_or_else(|| unavailable().log(why)),
        }
    }

    fn good_enough(&self, id: Option<&str>) -> Option<Arc<[PublicKey]>> {
        let known = self.lock();
        let keys = known.keys.clone()?;
        let now_ms = clock::now_ms();
        let is_known = id.is_none_or(|id| keys.iter().any(|key| key.id.as_deref() == Some(id)));
        let is_fresh = now_ms.saturating_sub(known.fetched_ms) < FRESH_MS;
        let asked_lately = now_ms.saturating_sub(known.asked_ms) < RETRY_MS;
        ((is_known && is_fresh) || asked_lately).then_some(keys)
    }

    /// Notes that the provider is asked now; without any keys yet it may be asked again soon.
    fn may_ask(&self) -> bool {
        let (mut known, now_ms) = (self.lock(), clock::now_ms());
        if known.keys.is_none() && now_ms.saturating_sub(known.asked_ms) < AWAY_MS {
            return false;
        }
        known.asked_ms = now_ms;
        true
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_public(algorithm: Algorithm) -> bool {
    matches!(algorithm, Algorithm::RS256 | Algorithm::ES256)
}

fn caller(claims: Claims) -> Result<Caller, Error> {
    if !jwt::is_usable(&claims.sub) {
        return Err(jwt::invalid().log("token refused: unusable sub"));
    }
    let plan = claims.plan.as_deref().and_then(PlanId::parse).filter(|plan| *plan != PlanId::Anonymous);
    let issued_ms = claims.iat.map_or(0, |seconds| (seconds * 1_000.0) as i64);
    Ok(Caller::user(&claims.sub, plan.unwrap_or(PlanId::Free), Credential::Token { issued_ms }))
}

async fn fetch(url: &str) -> Result<Vec<PublicKey>, String> {
    let whole = async {
        let mut response = net::http_client().get(url).send().await.map_err(|error| error.without_url().to_string())?;
        if !response.status().is_success() {
            return Err(format!("the keys' address answered {}", response.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| error.without_url().to_string())? {
            if body.len() + chunk.len() > BODY_MAX_BYTES {
                return Err("the keys are too many".to_owned());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    };
    let body =
        tokio::time::timeout(DEADLINE, whole).await.map_err(|_| "the keys did not come in time".to_owned())??;
    let set: KeySet = serde_json::from_slice(&body).map_err(|error| format!("no key set: {error}"))?;
    let entries = set.keys.into_iter().filter_map(|entry| serde_json::from_value(entry).ok());
    Ok(entries.filter_map(public_key).collect())
}

/// A key that signs with one of the two algorithms; others are left out.
fn public_key(entry: Entry) -> Option<PublicKey> {
    if entry.usage.as_deref().is_some_and(|usage| usage != "sig") {
        return None;
    }
    let is_for = |name: &str| entry.alg.as_deref().is_none_or(|alg| alg == name);
    let (algorithm, key) = match (entry.kty.as_str(), entry.crv.as_deref()) {
        ("RSA", _) if is_for("RS256") => {
            (Algorithm::RS256, DecodingKey::from_rsa_components(entry.n.as_deref()?, entry.e.as_deref()?))
        }
        ("EC", Some("P-256")) if is_for("ES256") => {
            (Algorithm::ES256, DecodingKey::from_ec_components(entry.x.as_deref()?, entry.y.as_deref()?))
        }
        _ => return None,
    };
    Some(PublicKey { id: entry.kid, algorithm, key: key.ok()? })
}

fn unavailable() -> Error {
    Error::new(Code::IssuerUnavailable, "The identity provider's keys cannot be had at the moment. Try again.")
        .retry_after_s(5)
}
