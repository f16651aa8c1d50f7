//! `admin`: accounts with rights.

use std::io::{IsTerminal, Read};

use anyhow::{Context as _, bail};
use clap::{Subcommand, ValueEnum};
use indicatif::HumanBytes;
use millrace_config::{Config, variable};
use millrace_domain::{
    accounts::{NewUser, Role, User},
    audit::{self, Actor, Entry},
    uploads::Usage,
};
use serde_json::json;
use sqlx::Connection as _;

use super::connect;

/// What to do with accounts.
#[derive(Debug, Subcommand)]
pub(super) enum Admin {
    /// Create an account with rights. The password is read from MILLRACE_PASSWORD or from standard input.
    Create {
        username: String,
        email: String,
        #[arg(long, value_enum, default_value = "admin")]
        role: Rights,
    },
    /// Say how much an account may store, or ask with no size.
    Quota {
        /// User name or email.
        user: String,
        /// Bytes, or such as 500MiB, 20GiB, 2TiB; `default` for what is configured.
        size: Option<Size>,
    },
}

/// A quota from the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    /// What is configured.
    Default,
    Bytes(u64),
}

impl std::str::FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "default" {
            return Ok(Self::Default);
        }
        let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
        let unit = match &text[digits.len()..] {
            "" | "B" => 0,
            "KiB" => 1,
            "MiB" => 2,
            "GiB" => 3,
            "TiB" => 4,
            _ => return Err("units are KiB, MiB, GiB and TiB".to_owned()),
        };
        let number: u64 = digits
            .parse()
            .map_err(|_| "a whole number is needed, such as 20GiB, or `default`".to_owned())?;
        let bytes = number.checked_mul(1 << (10 * unit));
        bytes
            .filter(|&bytes| i64::try_from(bytes).is_ok())
            .map(Self::Bytes)
            .ok_or_else(|| "that is too much".to_owned())
    }
}

/// The roles by their names.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Rights {
    User,
    Auditor,
    Operator,
    Admin,
}

/// Runs an account command.
pub(super) async fn run(config: &Config, admin: Admin) -> anyhow::Result<()> {
    match admin {
        Admin::Create {
            username,
            email,
            role,
        } => create(config, &username, &email, role).await,
        Admin::Quota { user, size } => quota(config, &user, size).await,
    }
}

async fn quota(config: &Config, user: &str, size: Option<Size>) -> anyhow::Result<()> {
    let mut db = connect(config).await?;
    let user = User::find_login(&mut db, user)
        .await?
        .with_context(|| format!("there is no user {user:?}"))?
        .user;
    match size {
        None => {}
        Some(size) => {
            let bytes = match size {
                Size::Default => None,
                Size::Bytes(bytes) => Some(bytes),
            };
            let mut tx = db.begin().await?;
            User::set_quota(&mut *tx, user.id, bytes).await?;
            let after = json!({ "quota": bytes });
            audit::write(&mut *tx, &HERE, entry("set_quota", &user, after)).await?;
            tx.commit().await?;
        }
    }
    let usage = Usage::of(&mut db, user.id, config.uploads.quota()).await?;
    let quota = usage.quota.map_or_else(
        || "no limit".to_owned(),
        |bytes| HumanBytes(bytes).to_string(),
    );
    println!(
        "{}: {} in {} videos, {} in {} uploads under way, of {quota}.",
        user.username,
        HumanBytes(usage.used),
        usage.videos,
        HumanBytes(usage.reserved),
        usage.uploads,
    );
    Ok(())
}

async fn create(config: &Config, username: &str, email: &str, role: Rights) -> anyhow::Result<()> {
    let role = match role {
        Rights::User => Role::User,
        Rights::Auditor => Role::Auditor,
        Rights::Operator => Role::Operator,
        Rights::Admin => Role::Admin,
    };
    let password = password()?;
    if password.chars().count() < 12 {
        bail!("the password of an account with rights needs at least 12 characters");
    }
    let mut db = connect(config).await?;
    let password_hash = millrace_api::hash_password(&password)?;
    let new = NewUser {
        username,
        email,
        password_hash: &password_hash,
        role,
        language: "zh-TW",
    };
    let mut tx = db.begin().await?;
    let user = User::create(&mut *tx, new).await?;
    let after = json!({ "username": user.username, "role": user.role });
    audit::write(&mut *tx, &HERE, entry("create_user", &user, after)).await?;
    tx.commit().await?;
    println!(
        "Created {} ({}) with the role {}.",
        user.username,
        user.id,
        role.as_str()
    );
    Ok(())
}

/// Who has a shell needs no account: the audit log says so.
const HERE: Actor<'static> = Actor {
    id: None,
    name: "command line",
    request: None,
};

fn entry(action: &'static str, user: &User, after: serde_json::Value) -> Entry<'static> {
    Entry {
        action,
        target: "channel",
        target_id: Some(user.id.0),
        reason: "",
        before: None,
        after: Some(after),
    }
}

fn password() -> anyhow::Result<String> {
    if let Some(password) = variable("MILLRACE_PASSWORD") {
        return Ok(password);
    }
    if std::io::stdin().is_terminal() {
        bail!("give the password in MILLRACE_PASSWORD, or pipe it in: a terminal would show it");
    }
    let mut password = String::new();
    std::io::stdin()
        .read_to_string(&mut password)
        .context("failed to read the password")?;
    Ok(password.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_units() {
        let read = |text: &str| text.parse::<Size>();
        assert_eq!(read("default"), Ok(Size::Default));
        assert_eq!(read("0"), Ok(Size::Bytes(0)));
        assert_eq!(read("1000"), Ok(Size::Bytes(1000)));
        assert_eq!(read("20GiB"), Ok(Size::Bytes(20 << 30)));
        assert_eq!(read("2TiB"), Ok(Size::Bytes(2 << 40)));
        for bad in ["", "GiB", "-1", "1.5GiB", "20GB", "99999999TiB", "20 GiB"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
