//! Hashing passwords: argon2id, off the async thread, a few at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version, password_hash::phc::PasswordHash,
};
use ring::rand::SecureRandom as _;
use tokio::sync::Semaphore;

use super::{Email, Password};
use crate::{Code, Error};

/// OWASP Password Storage Cheat Sheet (2026-10): argon2id with m = 19 MiB, t = 2, p = 1.
const MEMORY_KIB: u32 = 19 * 1_024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Hashes at once: 19 MiB and one core each.
const AT_ONCE: usize = 2;
/// Hashes that may wait for their turn.
const WAITING_MAX: usize = 30;
/// How long one waits.
const WAIT_MAX: Duration = Duration::from_secs(8);

/// A hash of a password that nobody knows, made with the parameters above: what is checked where there is no account,
/// so that this takes as long.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGhhcyB0aGlzIQ$SdtbL6/GCQ8sZ9ADH0bR4cVn2UBL3Dt9dWfvTo0JEIM";

/// Hashes passwords, a bounded number at once, so that a flood can fill neither memory nor every thread.
pub struct Hasher {
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// What became of a password that was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is not the password, or there is no account.
    Wrong,
    /// It is.
    Right,
    /// It is, but its hash was made with other parameters: hash it again.
    Outdated,
}

impl Default for Hasher {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(AT_ONCE)), waiting: AtomicUsize::new(0) }
    }
}

impl Hasher {
    /// The hash to be stored, as a PHC string that names its parameters.
    ///
    /// # Errors
    /// `too_busy`; a fault of ours.
    pub async fn hash(&self, password: Password) -> Result<String, Error> {
        self.work(move || hash(&password)).await?
    }

    /// Why a password must not be used, as a sentence.
    ///
    /// # Errors
    /// `too_busy`.
    pub async fn weakness(&self, password: Password, email: Email) -> Result<Option<&'static str>, Error> {
        self.work(move || password.weakness(&email)).await
    }

    /// Checks a password against a stored hash. Where there is none it takes as long and is `Wrong`.
    ///
    /// # Errors
    /// `too_busy`; a fault of ours where the stored text is no hash.
    pub async fn verify(&self, password: Password, stored: Option<String>) -> Result<Verdict, Error> {
        self.work(move || {
            let verdict = verify(&password, stored.as_deref().unwrap_or(NOBODY))?;
            Ok(if stored.is_some() { verdict } else { Verdict::Wrong })
        })
        .await?
    }

    /// Runs work on a thread for it, when its turn comes.
    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let waiting = Waiting::new(&self.waiting)?;
        let turn = tokio::time::timeout(WAIT_MAX, self.turns.clone().acquire_owned()).await;
        let turn = turn.map_err(|_| too_busy())?.map_err(Error::internal)?;
        drop(waiting);
        // The turn goes with the work: a client that leaves does not make room for another hash.
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        done.await.map_err(|_| Error::internal("hashing a password failed"))
    }
}

/// One more who waits, until dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Result<Self, Error> {
        let waiting = Self(count);
        if count.fetch_add(1, Ordering::Relaxed) >= WAITING_MAX { Err(too_busy()) } else { Ok(waiting) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn too_busy() -> Error {
    Error::new(Code::TooBusy, "Too many people are signing in at this moment. Try again.").retry_after_s(3)
}

fn argon2() -> Result<Argon2<'static>, Error> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(Error::internal)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash(password: &Password) -> Result<String, Error> {
    let mut salt = [0; 16];
    ring::rand::SystemRandom::new().fill(&mut salt).map_err(|_| Error::internal("no source of randomness"))?;
    let hash = argon2()?.hash_password_with_salt(password.as_bytes(), &salt).map_err(Error::internal)?;
    Ok(hash.to_string())
}

fn verify(password: &Password, stored: &str) -> Result<Verdict, Error> {
    let stored = PasswordHash::new(stored).map_err(|error| Error::internal(format!("a stored hash: {error}")))?;
    let argon2 = argon2()?;
    // Checked with the parameters that stand in the hash.
    if argon2.verify_password(password.as_bytes(), &stored).is_err() {
        return Ok(Verdict::Wrong);
    }
    let is_current = stored.algorithm == Algorithm::Argon2id.ident()
        && Params::try_from(&stored)
            .is_ok_and(|params| (params.m_cost(), params.t_cost(), params.p_cost()) == (MEMORY_KIB, PASSES, LANES));
    Ok(if is_current { Verdict::Right } else { Verdict::Outdated })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text).unwrap()
    }

    fn old_hash(text: &str) -> String {
        let params = Params::new(8, 1, 1, None).unwrap();
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon2.hash_password_with_salt(text.as_bytes(), b"salt of the test").unwrap().to_string()
    }

    #[tokio::test]
    async fn a_hash_names_its_parameters_and_only_its_password_fits() {
        let hasher = Hasher::default();
        let stored = hasher.hash(password("correct horse")).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert_ne!(stored, hasher.hash(password("correct horse")).await.unwrap(), "salted");
        let verify = async |text: &str, stored: Option<String>| hasher.verify(password(text), stored).await.unwrap();
        assert_eq!(verify("correct horse", Some(stored.clone())).await, Verdict::Right);
        assert_eq!(verify("correct horses", Some(stored)).await, Verdict::Wrong);
        assert_eq!(verify("old", Some(old_hash("old"))).await, Verdict::Outdated);
        assert_eq!(verify("new", Some(old_hash("old"))).await, Verdict::Wrong);
    }

    #[tokio::test]
    async fn nobody_can_sign_in_as_nobody_and_the_dummy_is_made_like_the_others() {
        let stored = PasswordHash::new(NOBODY).unwrap();
        let params = Params::try_from(&stored).unwrap();
        assert_eq!((params.m_cost(), params.t_cost(), params.p_cost()), (MEMORY_KIB, PASSES, LANES));
        let real = PasswordHash::new(&hash(&password("some password")).unwrap()).unwrap();
        assert_eq!(stored.hash.unwrap().len(), real.hash.unwrap().len());
        assert_eq!(stored.salt.unwrap().len(), real.salt.unwrap().len());
        assert_eq!(Hasher::default().verify(password("any"), None).await.unwrap(), Verdict::Wrong);
    }

    #[tokio::test]
    async fn a_flood_is_refused_before_it_can_fill_the_memory() {
        let hasher = Hasher::default();
        let everything = hasher.turns.clone().acquire_many_owned(u32::try_from(AT_ONCE).unwrap()).await.unwrap();
        let crowd: Vec<_> = (0..WAITING_MAX).map(|_| Waiting::new(&hasher.waiting).unwrap()).collect();
        let refused = hasher.hash(password("one too many")).await.unwrap_err();
        assert_eq!((refused.code(), refused.retry_after()), (Code::TooBusy, Some(3)));
        drop((crowd, everything));
        assert!(hasher.hash(password("now there is room")).await.is_ok());
        assert_eq!(hasher.waiting.load(Ordering::Relaxed), 0);
    }
}
