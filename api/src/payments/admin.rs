//! What staff see and do: auditors read, operators ask the provider, administrators give money back.
#![expect(
    unused_qualifications,
    reason = "utoipa's macros qualify the names of query structs"
)]

use axum::{Json, extract::State, http::StatusCode};
use millrace_domain::{
    audit::{self, Entry},
    ids::{PaymentId, UserId},
    payments::{NewRefundRow, Payment, PaymentSearch, Status},
};
use millrace_jobs::flows;
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    key::IdempotencyKey,
    ledger::AdminOrderDetail,
    refusal,
    view::{OrderPage, OrderView},
};
use crate::{
    app::App,
    auth::{Admin, Auditor, Operator},
    input::{Body, Check, Id, Params},
    moderation::OfRequest,
    problem::{Problem, ProblemBody},
    snapshot::snapshot,
    social::wanted,
};

/// The routes of this module.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(search_payments))
        .routes(routes!(inspect_payment))
        .routes(routes!(refund_payment))
        .routes(routes!(reconcile_payment))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct SearchQuery {
    /// Those alone that stand so.
    status: Option<Status>,
    /// Those alone that staff have to look at.
    quarantined: Option<bool>,
    /// An order's id, the provider's id of its page or payment, or the payer's name.
    query: Option<String>,
    /// Those alone of this payer.
    payer: Option<UserId>,
    /// Where the last page ended: its `next_cursor`.
    cursor: Option<String>,
    /// How many; 24 unless said.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
}

/// How much goes back, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RefundPaymentRequest {
    /// In the minor unit.
    #[schema(minimum = 1)]
    amount: i64,
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
}

/// Everybody's orders, newest first.
#[utoipa::path(
    get, path = "/api/admin/payments", operation_id = "search_payments", tag = "payments", params(SearchQuery),
    responses(
        (status = 200, body = OrderPage),
        (status = 400, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden` or `second_factor_needed`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn search_payments(
    State(app): State<App>,
    _: Auditor,
    Params(query): Params<SearchQuery>,
) -> Result<Json<OrderPage>, Problem> {
    let wanted = wanted(query.cursor, query.limit)?;
    let search = PaymentSearch {
        status: query.status,
        quarantined: query.quarantined,
        text: query.query.filter(|text| !text.trim().is_empty()),
        payer: query.payer,
    };
    let mut conn = snapshot(&app.db).await?;
    let page = Payment::search(&mut *conn, &search, &wanted).await?;
    Ok(Json(OrderPage {
        items: OrderView::of_all(&mut conn, page.items).await?,
        next_cursor: page.next_cursor,
    }))
}

/// One order with what the provider said of it and what moved because of it.
#[utoipa::path(
    get, path = "/api/admin/payments/{id}", operation_id = "inspect_payment", tag = "payments", params(("id" = PaymentId, Path)),
    responses(
        (status = 200, body = AdminOrderDetail),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden` or `second_factor_needed`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn inspect_payment(
    State(app): State<App>,
    _: Auditor,
    Id(id): Id<PaymentId>,
) -> Result<Json<AdminOrderDetail>, Problem> {
    whole(&app, id).await.map(Json)
}

/// Gives money back, all or a part. The row comes first, a job asks the provider, and its word settles it. Sent again with
/// the same key, it is the same refund.
#[utoipa::path(
    post, path = "/api/admin/payments/{id}/refunds", operation_id = "refund_payment", tag = "payments",
    request_body = RefundPaymentRequest,
    params(
        ("id" = PaymentId, Path),
        ("idempotency-key" = String, Header, description = "1 to 100 visible ASCII characters, made for this intention"),
    ),
    responses(
        (status = 201, body = AdminOrderDetail),
        (status = 400, description = "`malformed`, or `idempotency_key`: it is missing or wrong", body = ProblemBody,
         content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden` or `second_factor_needed`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`not_paid`, or `idempotency_key_reused`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`, or `refund_too_much`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn refund_payment(
    State(app): State<App>,
    Admin(caller): Admin,
    request: OfRequest,
    IdempotencyKey(key): IdempotencyKey,
    Id(id): Id<PaymentId>,
    Body(body): Body<RefundPaymentRequest>,
) -> Result<(StatusCode, Json<AdminOrderDetail>), Problem> {
    let mut check = Check::default();
    let reason = check.text("reason", &body.reason, 500);
    check.that("reason", !reason.is_empty(), "must not be empty");
    check.that("amount", body.amount > 0, "must be more than nothing");
    check.finish()?;
    let mut tx = millrace_bus::begin(&app.db).await?;
    let entry = Entry {
        action: "refund_payment",
        target: "payment",
        target_id: Some(id.0),
        reason: &reason,
        before: None,
        after: Some(json!({"amount": body.amount})),
    };
    audit::write(&mut *tx, &request.actor(&caller), entry).await?;
    let row = NewRefundRow {
        payment: id,
        amount: body.amount,
        reason: reason.clone(),
        by: caller.user.id,
        idempotency_key: Some(key),
    };
    let (_, wake) = flows::begin_refund(&mut tx, &row).await.map_err(refusal)?;
    tx.commit().await?;
    wake.fire(&app.notifier);
    Ok((StatusCode::CREATED, Json(whole(&app, id).await?)))
}

/// Asks the provider how an order stands, by a job.
#[utoipa::path(
    post, path = "/api/admin/payments/{id}/reconcile", operation_id = "reconcile_payment", tag = "payments",
    params(("id" = PaymentId, Path)),
    responses(
        (status = 202, description = "It will be asked"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden` or `second_factor_needed`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn reconcile_payment(
    State(app): State<App>,
    _: Operator,
    Id(id): Id<PaymentId>,
) -> Result<StatusCode, Problem> {
    let mut tx = millrace_bus::begin(&app.db).await?;
    Payment::find(&mut *tx, id)
        .await?
        .ok_or_else(Problem::not_found)?;
    let wake = flows::look_at_payment(&mut tx, id)
        .await
        .map_err(anyhow::Error::from)?;
    tx.commit().await?;
    wake.fire(&app.notifier);
    Ok(StatusCode::ACCEPTED)
}

async fn whole(app: &App, id: PaymentId) -> Result<AdminOrderDetail, Problem> {
    let mut conn = snapshot(&app.db).await?;
    let payment = Payment::find(&mut *conn, id)
        .await?
        .ok_or_else(Problem::not_found)?;
    AdminOrderDetail::of(&mut conn, payment).await
}
