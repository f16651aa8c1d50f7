//! New accounts.

use axum::{Json, extract::State, http::StatusCode};
use millrace_config::Registration;
use millrace_domain::{
    accounts::{Invite, NewUser, Role, User},
    email::Message,
};
use millrace_jobs::flows;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{taken::taken, throttle};
use crate::{
    address::Address,
    app::App,
    input::{Body, Check},
    problem::{Problem, ProblemBody},
    user::UserView,
};

/// The route of this module.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(register))
}

/// A new account.
#[derive(Debug, Deserialize, ToSchema)]
struct RegisterRequest {
    /// Letters, digits, `_`, `.` and `-`.
    #[schema(min_length = 3, max_length = 50)]
    username: String,
    #[schema(max_length = 254)]
    email: String,
    #[schema(min_length = 8, max_length = 200)]
    password: String,
    /// `zh-TW` (the default) or `en`.
    language: Option<String>,
    /// The token of an invitation, where registration is by invitation only.
    #[schema(max_length = 200)]
    invite: Option<String>,
}

/// Creates an account. It does not log in.
#[utoipa::path(
    post, path = "/api/auth/register", operation_id = "register_user", tag = "accounts", request_body = RegisterRequest,
    responses(
        (status = 201, body = UserView),
        (status = 403, description = "`registration_closed`; `invite_needed`; `invite_over`: it is unknown, was used, or is too old", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`username_taken` or `email_taken`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation` or `weak_password`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(())
)]
async fn register(
    State(app): State<App>,
    Address(address): Address,
    Body(body): Body<RegisterRequest>,
) -> Result<(StatusCode, Json<UserView>), Problem> {
    let invite = may_register(&app, body.invite.as_deref())?;
    let (username, email, language) = check_registration(&body)?;
    throttle(
        &app,
        &format!("register:{address}"),
        app.settings.register_bucket,
    )
    .await?;
    if let Some(invite) = invite
        && !Invite::is_good(&app.db, invite).await?
    {
        return Err(invite_over());
    }
    let about = vec![username.clone(), email.clone()];
    let password_hash = app.passwords.hash(body.password, about).await?;
    let new = NewUser {
        username: &username,
        email: &email,
        password_hash: &password_hash,
        role: Role::User,
        language: &language,
    };
    let mut tx = millrace_bus::begin(&app.db).await?;
    let user = User::create(&mut *tx, new).await.map_err(taken)?;
    if let Some(invite) = invite
        && !Invite::redeem(&mut tx, invite, user.id).await?
    {
        return Err(invite_over());
    }
    let message = Message::VerifyAddress { user: user.id };
    let wake = flows::mail_account(&mut tx, &user, &message).await?;
    tx.commit().await?;
    wake.fire(&app.notifier);
    tracing::info!(user.id = %user.id, "registered a user");
    Ok((StatusCode::CREATED, Json(user.into())))
}

/// The invitation that the registration needs, if it does.
fn may_register<'a>(app: &App, invite: Option<&'a str>) -> Result<Option<&'a str>, Problem> {
    match (app.settings.registration, invite) {
        (Registration::Open, _) => Ok(None),
        (Registration::Invite, Some(invite)) => Ok(Some(invite)),
        (Registration::Invite, None) => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "invite_needed",
            "registration is by invitation",
        )),
        (Registration::Closed, _) => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "registration_closed",
            "registration is closed",
        )),
    }
}

fn invite_over() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "invite_over",
        "the invitation is unknown, was used, or is too old",
    )
}

fn check_registration(body: &RegisterRequest) -> Result<(String, String, String), Problem> {
    let mut check = Check::default();
    let username = check.line("username", &body.username, 3, 50);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    check.that(
        "username",
        username.chars().all(plain),
        "may hold letters, digits, _ . and - only",
    );
    let email = check.line("email", &body.email, 3, 254);
    check.that("email", is_email(&email), "must be an email address");
    let language = body.language.clone().unwrap_or_else(|| "zh-TW".to_owned());
    check.that(
        "language",
        matches!(language.as_str(), "zh-TW" | "en"),
        "must be zh-TW or en",
    );
    check.finish()?;
    Ok((username, email, language))
}

/// Something before and after one `@`, no spaces, and a host that could exist. Only a mail that arrives proves more.
pub(crate) fn is_email(text: &str) -> bool {
    let Some((local, host)) = text.split_once('@') else {
        return false;
    };
    let label = |l: &str| {
        !l.is_empty()
            && l.chars().all(|c| c.is_alphanumeric() || c == '-')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    !local.is_empty()
        && local.len() <= 64
        && !local
            .chars()
            .any(|c| c.is_whitespace() || matches!(c, '<' | '>' | ',' | ';' | '"' | '(' | ')'))
        && host.contains('.')
        && host.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::is_email;

    #[test]
    fn email_addresses_are_told_from_other_texts() {
        for good in ["ann@example.org", "a.b+c@sub.example.co", "王@例子.tw"] {
            assert!(is_email(good), "{good}");
        }
        for bad in [
            "ann",
            "ann@",
            "@example.org",
            "ann@example",
            "a b@example.org",
            "ann@ex..org",
            "a@b@c.org",
            "<a>@b.org",
            "a@-b.org",
        ] {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
