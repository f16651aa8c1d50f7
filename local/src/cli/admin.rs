//! `admin`: accounts with rights.

use std::io::{IsTerminal, Read};

use anyhow::{Context as _, bail};
use clap::{Subcommand, ValueEnum};
use millrace_config::{Config, variable};
use millrace_domain::accounts::{NewUser, Role, User};

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
    let Admin::Create {
        username,
        email,
        role,
    } = admin;
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
        username: &username,
        email: &email,
        password_hash: &password_hash,
        role,
        language: "zh-TW",
    };
    let user = User::create(&mut db, new).await?;
    println!(
        "Created {} ({}) with the role {}.",
        user.username,
        user.id,
        role.as_str()
    );
    Ok(())
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
