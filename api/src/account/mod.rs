//! What people do to their own accounts: profile, picture, password, second factor, devices.

/// Their picture.
mod avatar;
/// The devices they are signed in on.
mod devices;
/// Their address.
mod email;
/// A copy of what the account holds.
mod export;
/// Leaving.
mod farewell;
/// Another password.
mod password;
/// What they say of themselves.
mod profile;
/// The second factor.
mod second_factor;

use millrace_domain::accounts::{self, User};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    auth::{CurrentUser, throttle},
    problem::Problem,
};

/// The routes of this module.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(profile::me, profile::update_me))
        .routes(routes!(password::change_password))
        .routes(routes!(email::change_email))
        .routes(routes!(email::request_verification))
        .routes(routes!(devices::list_devices, devices::end_devices))
        .routes(routes!(devices::end_device))
        .routes(routes!(export::export_account))
        .routes(routes!(export::get_export))
        .routes(routes!(farewell::delete_account))
        .routes(routes!(
            second_factor::get_second_factor,
            second_factor::enrol_second_factor
        ))
        .routes(routes!(second_factor::confirm_second_factor))
        .routes(routes!(second_factor::renew_recovery_codes))
        .routes(routes!(second_factor::remove_second_factor))
        .routes(routes!(avatar::create_avatar, avatar::remove_avatar))
        .routes(routes!(avatar::get_avatar))
        .routes(routes!(avatar::complete_avatar))
        .routes(routes!(avatar::show_avatar))
}

/// Asks for the password once more, before something that whoever finds an open browser must not do. Returns its hash.
///
/// # Errors
/// 422 `wrong_password`; 429 when it was wrong too often.
async fn confirm_password(
    app: &App,
    caller: &CurrentUser,
    field: &str,
    password: String,
) -> Result<String, Problem> {
    let user = caller.user.id;
    let bucket = format!("password:user:{user}");
    throttle(app, &bucket, app.settings.account_bucket).await?;
    let hash = User::password_hash(&app.db, user)
        .await?
        .ok_or_else(Problem::not_found)?;
    if !app.passwords.verify(password, Some(hash.clone())).await? {
        let problem = Problem::refused("wrong_password", "the password is wrong");
        return Err(problem.at(field, "is wrong"));
    }
    accounts::forgive(&app.db, &bucket).await?;
    Ok(hash)
}
