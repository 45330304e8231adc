//! Tokens and cookies.

use super::{ConfigError, Secret, Stage, database::Database};
use crate::{auth::Keys, env};

/// HS256 keys shorter than the hash must not be used (RFC 7518, 3.2).
const SECRET_MIN_BYTES: usize = 32;

/// What bearer tokens and the anonymous cookie are checked with.
#[derive(Clone, Debug)]
pub struct Auth {
    /// Sign and verify.
    pub keys: Keys,
    /// The `iss` that a token must carry.
    pub issuer: String,
    /// The `aud` that a token must carry.
    pub audience: String,
    /// The team's own identity provider, if there is one.
    pub provider: Option<IssuerConfig>,
}

/// An identity provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerConfig {
    /// Where its public keys are.
    pub url: String,
    /// The `iss` of its tokens.
    pub issuer: String,
    /// The `aud` of its tokens; any where it names none.
    pub audience: Option<String>,
}

impl IssuerConfig {
    fn from_env(stage: Stage) -> Result<Option<Self>, ConfigError> {
        let Some(url) = env::get(&env::JWT_JWKS_URL) else { return Ok(None) };
        let is_local = stage == Stage::Development && url.starts_with("http://");
        if !url.starts_with("https://") && !is_local {
            return Err(ConfigError::malformed(&env::JWT_JWKS_URL, "https://HOST/PATH"));
        }
        let why = "without it any customer of the same provider could sign in";
        let issuer = env::get(&env::JWT_JWKS_ISSUER).ok_or_else(|| ConfigError::missing(&env::JWT_JWKS_ISSUER, why))?;
        Ok(Some(Self { url, issuer, audience: env::get(&env::JWT_JWKS_AUDIENCE) }))
    }
}

impl Auth {
    /// Reads the variables; in development a missing secret is made up once and kept.
    ///
    /// # Errors
    /// A sentence that names the variable.
    pub fn from_env(stage: Stage, database: &Database) -> Result<Self, ConfigError> {
        let secrets = match env::get(&env::JWT_SECRET) {
            Some(text) => read_secrets(&text)?,
            None if stage == Stage::Development => vec![kept_secret(database)?],
            None => Vec::new(),
        };
        let keys = Keys::new(secrets)
            .ok_or_else(|| ConfigError::missing(&env::JWT_SECRET, "tokens and cookies cannot be checked without it"))?;
        let or_purser = |var| env::get(var).unwrap_or_else(|| "purser".to_owned());
        Ok(Self {
            keys,
            issuer: or_purser(&env::JWT_ISSUER),
            audience: or_purser(&env::JWT_AUDIENCE),
            provider: IssuerConfig::from_env(stage)?,
        })
    }
}

/// One secret, or several with commas between them: the first signs, all verify.
fn read_secrets(text: &str) -> Result<Vec<Secret>, ConfigError> {
    let secrets: Vec<_> = text.split(',').map(str::trim).collect();
    if secrets.iter().any(|secret| secret.len() < SECRET_MIN_BYTES) {
        return Err(ConfigError::malformed(
            &env::JWT_SECRET,
            "32 bytes or more, such as `openssl rand -hex 32` prints, or several of them with commas between",
        ));
    }
    Ok(secrets.into_iter().map(Secret::new).collect())
}

/// The development secret: random, kept beside the SQLite file, because `vercel dev` starts a new process for
/// every request and cookies must outlive it.
fn kept_secret(database: &Database) -> Result<Secret, ConfigError> {
    use std::{fs, io, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path};
    let folder = match database {
        Database::Sqlite { path } => path.parent().filter(|folder| !folder.as_os_str().is_empty()),
        Database::Postgres { .. } => Some(Path::new(super::database::DEVELOPMENT_FOLDER)),
    };
    let folder = folder.unwrap_or(Path::new("."));
    let file = folder.join("jwt-secret");
    let keep = || -> io::Result<String> {
        if let Ok(secret) = fs::read_to_string(&file) {
            return Ok(secret);
        }
        fs::create_dir_all(folder)?;
        let draft = folder.join(format!("jwt-secret.{}", crate::ids::new_id()));
        let mut draft_file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        let secret = crate::auth::random_hex().ok_or_else(|| io::Error::other("no source of randomness"))?;
        draft_file.write_all(secret.as_bytes())?;
        // A link fails where another process was first: then its secret counts.
        let linked = fs::hard_link(&draft, &file);
        fs::remove_file(&draft)?;
        match linked {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => fs::read_to_string(&file),
        }
    };
    let secret = keep().map_err(|error| {
        ConfigError::other(format!("JWT_SECRET is missing, and none can be kept in {}: {error}.", file.display()))
    })?;
    Ok(Secret::new(secret.trim()))
}
