//! A payer asks for money back.

use axum::{Json, extract::State, http::StatusCode};
use millrace_domain::{
    ids::PaymentId,
    payments::{self, NewRefundRow, Payment, refund},
};
use millrace_jobs::flows::PaymentError;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    orders::{detail, own},
    refusal,
    view::OrderDetail,
};
use crate::{
    app::App,
    auth::CurrentUser,
    input::{Body, Check, Id},
    problem::{Problem, ProblemBody},
    social::gesture,
};

/// The routes of this module.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(request_refund))
}

/// Why, and how much.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RefundRequest {
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
    /// In the minor unit; all that is left unless said.
    #[schema(minimum = 1)]
    amount: Option<i64>,
}

/// Asks for money back. Staff decide; there is one question at a time.
#[utoipa::path(
    post, path = "/api/payments/{id}/refund-requests", operation_id = "request_refund", tag = "payments",
    params(("id" = PaymentId, Path)), request_body = RefundRequest,
    responses(
        (status = 201, body = OrderDetail),
        (status = 400, description = "`malformed`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`not_paid`, or `already_requested`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`, or `refund_too_much`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn request_refund(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<PaymentId>,
    Body(body): Body<RefundRequest>,
) -> Result<(StatusCode, Json<OrderDetail>), Problem> {
    gesture(&app, caller.user.id).await?;
    let mut check = Check::default();
    let reason = check.text("reason", &body.reason, 500);
    check.that("reason", !reason.is_empty(), "must not be empty");
    let positive = body.amount.is_none_or(|amount| amount > 0);
    check.that("amount", positive, "must be more than nothing");
    check.finish()?;
    let mut tx = millrace_bus::begin(&app.db).await?;
    let payment = own(&mut tx, id, caller.user.id).await?;
    let row = NewRefundRow {
        payment: id,
        amount: body.amount.unwrap_or(payment.captured - payment.refunded),
        reason,
        by: caller.user.id,
        idempotency_key: None,
    };
    refund::ask(&mut tx, &row)
        .await
        .map_err(|error| refusal(PaymentError::Refund(error)))?;
    if let Some(now) = Payment::find(&mut *tx, id).await? {
        let hint = payments::announce(&mut tx, &now).await?;
        tx.commit().await?;
        hint.fire(&app.notifier);
    }
    let order = detail(&app, id, caller.user.id).await?;
    Ok((StatusCode::CREATED, Json(order)))
}
