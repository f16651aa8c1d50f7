//! What pages need to know before somebody pays.

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{app::App, problem::Problem};

/// The routes of this module.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get_payment_settings))
}

/// What can be paid here. Amounts are in the minor unit of the currency.
#[derive(Debug, Serialize, ToSchema)]
struct PaymentSettings {
    /// Whether anything can be.
    enabled: bool,
    /// Of tips, by ISO 4217.
    currency: String,
    exponent: u8,
    tip_min: i64,
    tip_max: i64,
    /// What of each 10,000 stays with the house.
    share_bps: i32,
}

/// What can be paid here.
#[utoipa::path(
    get, path = "/api/payments/settings", operation_id = "get_payment_settings", tag = "payments",
    responses((status = 200, body = PaymentSettings)),
    security(())
)]
async fn get_payment_settings(State(app): State<App>) -> Result<Json<PaymentSettings>, Problem> {
    let terms = &app.settings.terms;
    Ok(Json(PaymentSettings {
        enabled: app.provider.is_some(),
        currency: terms.currency.code().to_owned(),
        exponent: terms.currency.exponent(),
        tip_min: *terms.tip.start(),
        tip_max: *terms.tip.end(),
        share_bps: terms.share_bps,
    }))
}
