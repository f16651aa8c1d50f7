//! The extractors. A handler that takes one cannot be reached without it: authorization is an argument.

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::{StatusCode, header, request::Parts},
};
use millrace_domain::accounts::{Role, User};

use super::Access;
use crate::{app::App, problem::Problem};

/// Somebody with a good access token, as the database knows them now.
#[derive(Debug, Clone)]
pub(crate) struct CurrentUser {
    pub user: User,
    pub access: Access,
}

/// Somebody or nobody. A token that is there must be good all the same: a client with an old one should refresh
/// it, rather than silently see what strangers see.
#[derive(Debug, Clone)]
pub(crate) struct MaybeUser(pub Option<CurrentUser>);

/// Somebody who may read the admin screens.
#[derive(Debug, Clone)]
pub(crate) struct Auditor(pub CurrentUser);

/// Somebody who may act on jobs and queues.
#[derive(Debug, Clone)]
pub(crate) struct Operator(pub CurrentUser);

/// Somebody who may act on people and settings.
#[derive(Debug, Clone)]
pub(crate) struct Admin(pub CurrentUser);

impl FromRequestParts<App> for CurrentUser {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let token =
            bearer(parts).ok_or_else(|| Problem::unauthenticated("an access token is needed"))?;
        let refused = || Problem::unauthenticated("the access token is not valid any more");
        let access = app.tokens.verify(token).ok_or_else(refused)?;
        let user = User::authenticate(&app.db, access.user, access.session)
            .await?
            .ok_or_else(refused)?;
        tracing::Span::current().record("user.id", tracing::field::display(user.id));
        Ok(Self { user, access })
    }
}

impl OptionalFromRequestParts<App> for CurrentUser {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Option<Self>, Problem> {
        if parts.headers.contains_key(header::AUTHORIZATION) {
            <Self as FromRequestParts<App>>::from_request_parts(parts, app)
                .await
                .map(Some)
        } else {
            Ok(None)
        }
    }
}

impl FromRequestParts<App> for MaybeUser {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        <CurrentUser as OptionalFromRequestParts<App>>::from_request_parts(parts, app)
            .await
            .map(Self)
    }
}

impl MaybeUser {
    /// Their id, if there is somebody.
    pub(crate) fn id(&self) -> Option<millrace_domain::ids::UserId> {
        self.0.as_ref().map(|caller| caller.user.id)
    }
}

async fn at_least(role: Role, parts: &mut Parts, app: &App) -> Result<CurrentUser, Problem> {
    let caller = <CurrentUser as FromRequestParts<App>>::from_request_parts(parts, app).await?;
    if caller.user.role < role {
        return Err(Problem::forbidden("this needs another role"));
    }
    if app.settings.staff_second_factor && !caller.user.second_factor {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "second_factor_needed",
            "set up a second factor to use the rights of staff",
        ));
    }
    Ok(caller)
}

impl FromRequestParts<App> for Auditor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        at_least(Role::Auditor, parts, app).await.map(Self)
    }
}

impl FromRequestParts<App> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        at_least(Role::Operator, parts, app).await.map(Self)
    }
}

impl FromRequestParts<App> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        at_least(Role::Admin, parts, app).await.map(Self)
    }
}

fn bearer(parts: &Parts) -> Option<&str> {
    let mut values = parts.headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() {
        return None;
    }
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
