//! Orders of the caller: begin, look, give up.
#![expect(
    unused_qualifications,
    reason = "utoipa's macros qualify the names of query structs"
)]

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode};
use millrace_domain::{
    email::Language,
    ids::{PaymentId, UserId},
    payments::{Closing, ItemType, Money, NewPayment, Payment, PaymentFilter, Status, find_item},
};
use millrace_jobs::flows;
use serde::Deserialize;
use tokio::time::{Instant, sleep};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    key::IdempotencyKey,
    refusal,
    view::{OrderDetail, OrderPage, OrderView},
};
use crate::{
    app::App,
    auth::CurrentUser,
    input::{Body, Check, Id, Params},
    problem::{Problem, ProblemBody},
    snapshot::snapshot,
    social::{gesture, wanted},
};

/// How long a caller waits for the page to pay on. Whoever gets none asks for the order again.
const PATIENCE: Duration = Duration::from_secs(8);
/// Between two looks at the row.
const PAUSE: Duration = Duration::from_millis(50);

/// The routes of this module.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_payments, create_payment))
        .routes(routes!(get_payment))
        .routes(routes!(cancel_payment))
}

/// What somebody wants to pay for. What it costs is the item's to say.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreatePaymentRequest {
    item_type: ItemType,
    /// Of a channel and a tip: the creator.
    item_id: Uuid,
    /// Of tips alone: in the minor unit of the currency.
    amount: Option<i64>,
    /// Of tips alone: a line to the creator.
    #[schema(max_length = 300)]
    message: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct PaymentQuery {
    /// Those alone that stand so.
    status: Option<Status>,
    /// Where the last page ended: its `next_cursor`.
    cursor: Option<String>,
    /// How many; 24 unless said.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
}

/// Begins an order and waits up to eight seconds for the page to pay on; if that takes longer, `checkout_url` is null at
/// first. Sent again with the same key, it is the same order.
#[utoipa::path(
    post, path = "/api/payments", operation_id = "create_payment", tag = "payments", request_body = CreatePaymentRequest,
    params(("idempotency-key" = String, Header, description = "1 to 100 visible ASCII characters, made for this intention")),
    responses(
        (status = 201, body = OrderView),
        (status = 400, description = "`malformed`, or `idempotency_key`: it is missing or wrong", body = ProblemBody,
         content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: there is no such item, or it is hidden", body = ProblemBody,
         content_type = "application/problem+json"),
        (status = 409, description = "`already_owned`, or `idempotency_key_reused`: for another item or amount", body = ProblemBody,
         content_type = "application/problem+json"),
        (status = 422, description = "`validation`, `not_for_sale`, `own_item`, or `amount_out_of_bounds`, or `payments_disabled`: nothing is sold here", body = ProblemBody,
         content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn create_payment(
    State(app): State<App>,
    caller: CurrentUser,
    IdempotencyKey(key): IdempotencyKey,
    Body(body): Body<CreatePaymentRequest>,
) -> Result<(StatusCode, Json<OrderView>), Problem> {
    gesture(&app, caller.user.id).await?;
    let mut tx = millrace_bus::begin(&app.db).await?;
    let new = order_of(&app, &mut tx, &caller, body, key).await?;
    let (created, wake) = flows::create_payment(&mut tx, &new)
        .await
        .map_err(refusal)?;
    tx.commit().await?;
    wake.fire(&app.notifier);
    let payment = with_page(&app, created.payment).await?;
    let mut conn = app.db.acquire().await?;
    let order = OrderView::of_all(&mut conn, vec![payment]).await?.pop();
    let order = order.ok_or_else(Problem::not_found)?;
    Ok((StatusCode::CREATED, Json(order)))
}

/// The order that is wanted, with what its item costs now.
async fn order_of(
    app: &App,
    conn: &mut sqlx::PgConnection,
    caller: &CurrentUser,
    body: CreatePaymentRequest,
    idempotency_key: String,
) -> Result<NewPayment, Problem> {
    let terms = &app.settings.terms;
    let message = checked(terms, &body)?;
    let off = || Problem::refused("payments_disabled", "nothing is sold here");
    let provider = app.provider.as_ref().ok_or_else(off)?.name();
    let item = find_item(conn, body.item_type, body.item_id)
        .await?
        .ok_or_else(Problem::not_found)?;
    if item.seller == caller.user.id {
        return Err(Problem::refused("own_item", "nobody pays themselves"));
    }
    let (money, period) = match (body.amount, item.price) {
        (Some(amount), _) => (Money::new(amount, terms.currency), None),
        (None, Some(price)) => (price.money, price.period),
        (None, None) => return Err(Problem::refused("not_for_sale", "it has no price")),
    };
    Ok(NewPayment {
        payer: caller.user.id,
        item_type: body.item_type,
        item_id: body.item_id,
        seller: item.seller,
        title: item.title,
        message,
        price: money,
        period,
        share_bps: terms.share_bps,
        idempotency_key,
        provider: provider.to_owned(),
        language: Language::of_tag(&caller.user.language),
        ttl: terms.order_ttl,
    })
}

/// The message, if the amount may be what it is: a tip has one within bounds, everything else none.
fn checked(terms: &super::Terms, body: &CreatePaymentRequest) -> Result<String, Problem> {
    let mut check = Check::default();
    let message = check.line(
        "message",
        body.message.as_deref().unwrap_or_default(),
        0,
        300,
    );
    if body.item_type == ItemType::Tip {
        check.that("amount", body.amount.is_some(), "a tip needs one");
    } else {
        check.that(
            "amount",
            body.amount.is_none(),
            "the item has its own price",
        );
        check.that("message", message.is_empty(), "goes with tips alone");
    }
    check.finish()?;
    if body
        .amount
        .is_some_and(|amount| !terms.tip.contains(&amount))
    {
        let (least, most) = (terms.tip.start(), terms.tip.end());
        let detail = format!("a tip is from {least} to {most}");
        return Err(Problem::refused("amount_out_of_bounds", detail));
    }
    Ok(message)
}

/// The order once it can be paid, or as it is when patience ends. The row is the truth, so it is what is looked at.
async fn with_page(app: &App, mut payment: Payment) -> Result<Payment, Problem> {
    let end = Instant::now() + PATIENCE;
    while payment.status == Status::Created && payment.closing.is_none() && Instant::now() < end {
        sleep(PAUSE).await;
        payment = Payment::find(&app.db, payment.id)
            .await?
            .ok_or_else(Problem::not_found)?;
    }
    Ok(payment)
}

/// The caller's orders, newest first.
#[utoipa::path(
    get, path = "/api/payments", operation_id = "list_payments", tag = "payments", params(PaymentQuery),
    responses(
        (status = 200, body = OrderPage),
        (status = 400, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn list_payments(
    State(app): State<App>,
    caller: CurrentUser,
    Params(query): Params<PaymentQuery>,
) -> Result<Json<OrderPage>, Problem> {
    let wanted = wanted(query.cursor, query.limit)?;
    let filter = PaymentFilter {
        status: query.status,
    };
    let mut conn = snapshot(&app.db).await?;
    let page = Payment::of_payer(&mut *conn, caller.user.id, &filter, &wanted).await?;
    Ok(Json(OrderPage {
        items: OrderView::of_all(&mut conn, page.items).await?,
        next_cursor: page.next_cursor,
    }))
}

/// One order of the caller, with everything that happened to it.
#[utoipa::path(
    get, path = "/api/payments/{id}", operation_id = "get_payment", tag = "payments", params(("id" = PaymentId, Path)),
    responses(
        (status = 200, body = OrderDetail),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn get_payment(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<PaymentId>,
) -> Result<Json<OrderDetail>, Problem> {
    detail(&app, id, caller.user.id).await.map(Json)
}

/// Gives an order up. Its page is closed at the provider first; if it was paid meanwhile, it is paid.
#[utoipa::path(
    post, path = "/api/payments/{id}/cancel", operation_id = "cancel_payment", tag = "payments", params(("id" = PaymentId, Path)),
    responses(
        (status = 200, body = OrderDetail, description = "Given up, also if it was before"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`wrong_state`: it is not open any more", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn cancel_payment(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<PaymentId>,
) -> Result<Json<OrderDetail>, Problem> {
    let mut tx = millrace_bus::begin(&app.db).await?;
    let payment = own(&mut tx, id, caller.user.id).await?;
    if payment.status.is_open() && payment.closing.is_none() {
        let ended = flows::end_payment(&mut tx, id, Closing::Canceled)
            .await
            .map_err(anyhow::Error::from)?;
        if let Some(wake) = ended {
            tx.commit().await?;
            wake.fire(&app.notifier);
        }
    } else if payment.closing.is_none() && payment.status != Status::Canceled {
        return Err(Problem::conflict(
            "wrong_state",
            format!("the order is {}", payment.status.word()),
        ));
    }
    detail(&app, id, caller.user.id).await.map(Json)
}

/// The order if it is this payer's: 404 otherwise.
pub(super) async fn own(
    conn: &mut sqlx::PgConnection,
    id: PaymentId,
    payer: UserId,
) -> Result<Payment, Problem> {
    Payment::find(conn, id)
        .await?
        .filter(|payment| payment.user_id == Some(payer))
        .ok_or_else(Problem::not_found)
}

/// One order of this payer.
pub(super) async fn detail(
    app: &App,
    id: PaymentId,
    payer: UserId,
) -> Result<OrderDetail, Problem> {
    let mut conn = snapshot(&app.db).await?;
    let payment = own(&mut conn, id, payer).await?;
    OrderDetail::of(&mut conn, payment).await
}
