//! The second factor: codes of an authenticator application (RFC 6238), and codes on paper for when it is lost.

use rand::Rng as _;
use sqlx::{PgConnection, PgExecutor};
use totp_rs::{Builder, Totp, TotpError};

use super::{Sealer, User, hash_secret, seal::Unsealable};
use crate::ids::UserId;

/// What applications call us.
const ISSUER: &str = "Millrace";
/// Bytes of a new secret: those of SHA-1, as RFC 4226 wants it.
const SECRET: usize = 20;
/// Recovery codes of a set.
const CODES: usize = 10;
/// Letters of a recovery code: base32 of RFC 4648, which has no 0, 1 or 8 to be mistaken for O, I and B.
const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Why a second factor could not be set up or checked.
#[derive(Debug, thiserror::Error)]
pub enum SecondFactorError {
    /// There is one already.
    #[error("a second factor is set up already")]
    Enabled,
    /// There is none, or none that waits for its first code.
    #[error("no second factor is being set up")]
    Absent,
    #[error(transparent)]
    Sealed(#[from] Unsealable),
    #[error("the authenticator's settings were refused")]
    Totp(#[from] TotpError),
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

/// What a person gives to their application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    /// To be typed.
    pub secret: String,
    /// To be scanned: `otpauth://totp/...`
    pub url: String,
}

/// Whether somebody has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecondFactor {
    pub enabled: bool,
    /// Recovery codes that were not used.
    pub recovery_codes_left: i64,
}

impl SecondFactor {
    /// What `user` has.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn of(db: impl PgExecutor<'_>, user: UserId) -> Result<Self, sqlx::Error> {
        sqlx::query_as!(
            Self,
            r#"select exists(select from second_factors where user_id = $1 and confirmed_at is not null) as "enabled!",
                      (select count(*) from recovery_codes where user_id = $1 and used_at is null)
                          as "recovery_codes_left!""#,
            user.0,
        )
        .fetch_one(db)
        .await
    }

    /// Begins to set one up, again if that was begun before. It counts from its first code on.
    ///
    /// # Errors
    /// [`SecondFactorError::Enabled`]
    pub async fn enrol(
        db: impl PgExecutor<'_>,
        sealer: &Sealer,
        user: &User,
    ) -> Result<Enrolment, SecondFactorError> {
        let mut secret = [0_u8; SECRET];
        rand::rng().fill_bytes(&mut secret);
        let stored = sqlx::query!(
            "insert into second_factors as f (user_id, secret) values ($1, $2)
             on conflict (user_id) do update set secret = excluded.secret, last_step = 0 where f.confirmed_at is null",
            user.id.0,
            sealer.seal(user.id, &secret),
        )
        .execute(db)
        .await?;
        if stored.rows_affected() == 0 {
            return Err(SecondFactorError::Enabled);
        }
        let totp = totp(&secret, &user.username)?;
        Ok(Enrolment {
            secret: totp.secret().to_base32(),
            url: totp.to_url()?,
        })
    }

    /// Its first code: from now on log-in asks for one. The recovery codes are told once; `None` if the code is wrong.
    ///
    /// # Errors
    /// [`SecondFactorError::Absent`] when none is being set up.
    pub async fn confirm(
        conn: &mut PgConnection,
        sealer: &Sealer,
        user: UserId,
        code: &str,
    ) -> Result<Option<Vec<String>>, SecondFactorError> {
        if !accept(&mut *conn, sealer, user, code, false).await? {
            return Ok(None);
        }
        sqlx::query!(
            "update second_factors set confirmed_at = now() where user_id = $1",
            user.0
        )
        .execute(&mut *conn)
        .await?;
        renew_recovery_codes(conn, user).await.map(Some)
    }

    /// Whether `code` is one of the application, each of which is good once, or a recovery code, which is used up.
    /// Commit it, so that it stays used.
    ///
    /// # Errors
    /// [`SecondFactorError::Absent`] when there is no second factor.
    pub async fn check(
        conn: &mut PgConnection,
        sealer: &Sealer,
        user: UserId,
        code: &str,
    ) -> Result<bool, SecondFactorError> {
        if accept(&mut *conn, sealer, user, code, true).await? {
            return Ok(true);
        }
        let used = sqlx::query!(
            "update recovery_codes set used_at = now() where user_id = $1 and hash = $2 and used_at is null",
            user.0,
            hash_secret(&plain(code)),
        )
        .execute(conn)
        .await?;
        Ok(used.rows_affected() == 1)
    }

    /// Makes another set of recovery codes; the old ones are worth nothing then.
    ///
    /// # Errors
    /// [`SecondFactorError::Absent`] when there is no second factor.
    pub async fn renew_codes(
        conn: &mut PgConnection,
        user: UserId,
    ) -> Result<Vec<String>, SecondFactorError> {
        // The lock puts two calls in order.
        sqlx::query_scalar!(
            "select user_id from second_factors where user_id = $1 and confirmed_at is not null for update",
            user.0
        )
        .fetch_optional(&mut *conn)
        .await?
        .ok_or(SecondFactorError::Absent)?;
        renew_recovery_codes(conn, user).await
    }

    /// Log-in asks for the password alone again. False if that was so.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn remove(db: impl PgExecutor<'_>, user: UserId) -> Result<bool, sqlx::Error> {
        let done = sqlx::query!("delete from second_factors where user_id = $1", user.0)
            .execute(db)
            .await?;
        Ok(done.rows_affected() == 1)
    }
}

/// Whether `code` is one of now, a step before or a step after, and later than the last one that was accepted. The
/// database's clock decides, so that all replicas have the same time; its row lock decides between two that send the
/// same code.
async fn accept(
    conn: &mut PgConnection,
    sealer: &Sealer,
    user: UserId,
    code: &str,
    confirmed: bool,
) -> Result<bool, SecondFactorError> {
    let row = sqlx::query!(
        r#"select secret, last_step, extract(epoch from clock_timestamp())::bigint as "now!"
             from second_factors where user_id = $1 and (confirmed_at is not null) = $2 for update"#,
        user.0,
        confirmed,
    )
    .fetch_optional(&mut *conn)
    .await?
    .ok_or(SecondFactorError::Absent)?;
    let totp = totp(&sealer.open(user, &row.secret)?, "")?;
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let step = totp
        .check(&code, row.now.unsigned_abs())
        .and_then(|step| i64::try_from(step).ok())
        .filter(|step| *step > row.last_step);
    let Some(step) = step else {
        return Ok(false);
    };
    sqlx::query!(
        "update second_factors set last_step = $2 where user_id = $1",
        user.0,
        step
    )
    .execute(conn)
    .await?;
    Ok(true)
}

async fn renew_recovery_codes(
    conn: &mut PgConnection,
    user: UserId,
) -> Result<Vec<String>, SecondFactorError> {
    let codes: Vec<String> = (0..CODES).map(|_| recovery_code()).collect();
    let hashes: Vec<Vec<u8>> = codes.iter().map(|code| hash_secret(&plain(code))).collect();
    sqlx::query!("delete from recovery_codes where user_id = $1", user.0)
        .execute(&mut *conn)
        .await?;
    sqlx::query!(
        "insert into recovery_codes (user_id, hash) select $1, unnest($2::bytea[])",
        user.0,
        &hashes
    )
    .execute(conn)
    .await?;
    Ok(codes)
}

/// Four groups of four letters: 80 bits.
fn recovery_code() -> String {
    let mut bytes = [0_u8; 16];
    rand::rng().fill_bytes(&mut bytes);
    let letters: Vec<char> = bytes
        .iter()
        .map(|byte| char::from(LETTERS[usize::from(byte % 32)]))
        .collect();
    let groups: Vec<String> = letters
        .chunks(4)
        .map(|group| group.iter().collect())
        .collect();
    groups.join("-")
}

/// A recovery code as it is hashed, however it was typed.
fn plain(code: &str) -> String {
    code.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_uppercase())
        .collect()
}

fn totp(secret: &[u8], account: &str) -> Result<Totp, TotpError> {
    Builder::new()
        .with_secret(secret.to_vec())
        .with_account_name(account)
        .with_issuer(Some(ISSUER))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovery_codes_are_read_however_they_are_typed() {
        let code = recovery_code();
        assert_eq!((code.len(), plain(&code).len()), (19, 16));
        let typed = format!(" {} ", code.to_lowercase().replace('-', " "));
        assert_eq!(plain(&typed), plain(&code));
        assert_ne!(recovery_code(), code);
    }

    #[test]
    fn the_codes_are_those_that_applications_know() {
        // RFC 6238, appendix B: SHA-1 at 59 s, its last six digits.
        let totp = totp(b"12345678901234567890", "ann").expect("the secret is long enough");
        assert_eq!(totp.check("287082", 59), Some(1));
        assert_eq!(
            (totp.check("287082", 59 + 61), totp.check("", 59)),
            (None, None)
        );
        let url = totp.to_url().expect("it has a name");
        assert!(
            url.starts_with("otpauth://totp/Millrace:ann?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"),
            "{url}"
        );
    }
}
