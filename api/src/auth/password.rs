//! Argon2id off the async threads, a few at a time.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};
use zxcvbn::{Score, zxcvbn};

use crate::problem::Problem;

/// OWASP's first choice for Argon2id: 19 MiB, two passes, one lane. About 20 ms.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
/// How long a log-in may wait for its turn before it is told to come back.
const PATIENCE: Duration = Duration::from_secs(5);
/// Characters. Longer ones only feed the processor.
const LONGEST: usize = 200;
const SHORTEST: usize = 8;

/// Hashes and checks passwords. At most as many at a time as there are cores: each takes 19 MiB and a core, and
/// more of them at once would only make everybody wait.
#[derive(Debug, Clone)]
pub(crate) struct Passwords {
    turns: Arc<Semaphore>,
    /// What a password of nobody is compared with, so that an unknown name takes as long as a known one.
    nobody: Arc<str>,
}

impl Passwords {
    /// Makes the hash for nobody.
    ///
    /// # Errors
    /// When there is no randomness.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Ok(Self {
            turns: Arc::new(Semaphore::new(cores)),
            nobody: hash_password("the password of nobody")?.into(),
        })
    }

    /// Hashes a new password that came in the field `password`; see [`Passwords::hash_field`].
    ///
    /// # Errors
    /// As there.
    pub(crate) async fn hash(
        &self,
        password: String,
        about: Vec<String>,
    ) -> Result<String, Problem> {
        self.hash_field("password", password, about).await
    }

    /// Hashes a new password that came in `field`.
    ///
    /// # Errors
    /// 422 `weak_password` when it is too easy to guess, also from the `about` words; 503 when too many wait.
    pub(crate) async fn hash_field(
        &self,
        field: &str,
        password: String,
        about: Vec<String>,
    ) -> Result<String, Problem> {
        let length = password.chars().count();
        if length > LONGEST {
            let message = format!("must have at most {LONGEST} characters");
            return Err(Problem::validation(Vec::new()).at(field, message));
        }
        let turn = self.turn().await?;
        let hash = spawn_blocking(move || {
            let _turn = turn;
            if length < SHORTEST {
                return Ok(Err(format!("must have at least {SHORTEST} characters")));
            }
            if let Some(why) = weakness(&password, &about) {
                return Ok(Err(why));
            }
            hash_password(&password).map(Ok)
        })
        .await
        .context("hashing did not finish")??;
        hash.map_err(|why| {
            Problem::refused("weak_password", "the password is too easy to guess").at(field, why)
        })
    }

    /// Whether `password` is the one behind `hash`; without a hash it takes as long and says no.
    ///
    /// # Errors
    /// 503 when too many wait.
    pub(crate) async fn verify(
        &self,
        password: String,
        hash: Option<String>,
    ) -> Result<bool, Problem> {
        if password.chars().count() > LONGEST {
            return Ok(false);
        }
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobody.to_string());
        let turn = self.turn().await?;
        let matches = spawn_blocking(move || {
            let _turn = turn;
            PasswordHash::new(&hash)
                .is_ok_and(|hash| argon2().verify_password(password.as_bytes(), &hash).is_ok())
        })
        .await
        .context("verifying did not finish")?;
        Ok(matches && known)
    }

    async fn turn(&self) -> Result<tokio::sync::OwnedSemaphorePermit, Problem> {
        let turn = timeout(PATIENCE, self.turns.clone().acquire_owned())
            .await
            .map_err(|_| {
                Problem::unavailable(anyhow::anyhow!("too many passwords wait to be hashed"))
            })?;
        Ok(turn?)
    }
}

/// The Argon2id hash of `password` in PHC form. Takes about 20 ms of a core: call it off the async threads.
///
/// # Errors
/// When there is no randomness.
pub fn hash_password(password: &str) -> anyhow::Result<String> {
    let hash: PasswordHash = argon2()
        .hash_password(password.as_bytes())
        .map_err(|error| anyhow::anyhow!("failed to hash a password: {error}"))?;
    Ok(hash.to_string())
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None)
        .expect("the parameters are constants within their limits");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Why a password would be guessed soon, if it would.
fn weakness(password: &str, about: &[String]) -> Option<String> {
    // The estimate takes time that grows with the square of the length; a hundred characters say enough.
    let head: String = password.chars().take(100).collect();
    let about: Vec<&str> = about
        .iter()
        .map(String::as_str)
        .chain(["millrace"])
        .collect();
    let estimate = zxcvbn(&head, &about);
    if estimate.score() >= Score::Three {
        return None;
    }
    let hint = estimate.feedback().map(|feedback| {
        let warning = feedback.warning().map(|w| w.to_string());
        let tips = feedback.suggestions().iter().map(ToString::to_string);
        warning
            .into_iter()
            .chain(tips)
            .collect::<Vec<_>>()
            .join(" ")
    });
    Some(
        hint.filter(|h| !h.is_empty())
            .unwrap_or_else(|| "Add another word or two.".to_owned()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_verifies_against_its_own_hash_only() {
        let passwords = Passwords::new().unwrap();
        let hash = passwords
            .hash("violet-harbour-92-kettle".to_owned(), Vec::new())
            .await
            .unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        assert!(
            passwords
                .verify("violet-harbour-92-kettle".to_owned(), Some(hash.clone()))
                .await
                .unwrap()
        );
        assert!(
            !passwords
                .verify("violet-harbour-92-kettlE".to_owned(), Some(hash))
                .await
                .unwrap()
        );
        assert!(
            !passwords
                .verify("the password of nobody".to_owned(), None)
                .await
                .unwrap()
        );
        assert!(
            !passwords
                .verify("x".to_owned(), Some("no hash".to_owned()))
                .await
                .unwrap()
        );
    }

    #[tokio::test]
    async fn passwords_that_are_soon_guessed_are_refused() {
        let passwords = Passwords::new().unwrap();
        for weak in [
            "short",
            "password123",
            "aaaaaaaaaaaaaaaa",
            "ann.smith2026",
            "qwertyuiop",
        ] {
            let about = vec!["ann.smith".to_owned(), "ann@example.org".to_owned()];
            let problem = passwords.hash(weak.to_owned(), about).await.unwrap_err();
            assert_eq!(problem.code(), "weak_password", "{weak}");
        }
        let endless = passwords
            .hash("x".repeat(201), Vec::new())
            .await
            .unwrap_err();
        assert_eq!(endless.code(), "validation");
    }
}
