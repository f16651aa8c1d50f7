//! What things cost.

use axum::{Json, extract::State, http::StatusCode};
use millrace_domain::payments::{self, Currency, Item, ItemType, Money, Period, Price, find_item};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    app::App,
    auth::CurrentUser,
    input::{Body, Check, Segments},
    problem::{Problem, ProblemBody},
};

/// The most that anything costs, as the table says.
const MOST: i64 = 99_999_999;

/// The routes of this module.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_prices))
        .routes(routes!(get_price, set_price, remove_price))
}

/// What an item costs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Price)]
pub(super) struct PriceView {
    item_type: ItemType,
    item_id: Uuid,
    /// In the minor unit.
    amount: i64,
    /// ISO 4217.
    currency: String,
    /// How many digits the minor unit has.
    exponent: u8,
    /// Of a channel, which is paid again and again.
    #[schema(required)]
    period: Option<Period>,
}

/// The prices of one's own items.
#[derive(Debug, Serialize, ToSchema)]
struct PriceList {
    items: Vec<PriceView>,
}

/// What an item is to cost.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SetPriceRequest {
    /// In the minor unit.
    #[schema(minimum = 1, maximum = 99_999_999)]
    amount: i64,
    /// ISO 4217.
    currency: String,
    /// Of a channel, and of nothing else.
    period: Option<Period>,
}

impl From<Price> for PriceView {
    fn from(price: Price) -> Self {
        Self {
            item_type: price.item_type,
            item_id: price.item_id,
            amount: price.money.amount,
            currency: price.money.currency.code().to_owned(),
            exponent: price.money.currency.exponent(),
            period: price.period,
        }
    }
}

/// What the caller sells.
#[utoipa::path(
    get, path = "/api/prices", operation_id = "list_prices", tag = "payments",
    responses(
        (status = 200, body = PriceList),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn list_prices(
    State(app): State<App>,
    caller: CurrentUser,
) -> Result<Json<PriceList>, Problem> {
    let prices = payments::prices_of(&app.db, caller.user.id).await?;
    let items = prices.into_iter().map(Into::into).collect();
    Ok(Json(PriceList { items }))
}

/// What an item costs.
#[utoipa::path(
    get, path = "/api/prices/{item_type}/{item_id}", operation_id = "get_price", tag = "payments",
    params(("item_type" = ItemType, Path), ("item_id" = Uuid, Path)),
    responses(
        (status = 200, body = PriceView),
        (status = 404, description = "`not_found`: it has none, or there is no such item", body = ProblemBody,
         content_type = "application/problem+json"),
    ),
    security(())
)]
async fn get_price(
    State(app): State<App>,
    Segments((kind, id)): Segments<(ItemType, Uuid)>,
) -> Result<Json<PriceView>, Problem> {
    let mut conn = app.db.acquire().await?;
    let item = find_item(&mut conn, kind, id).await?;
    let price = item.and_then(|item| item.price);
    price
        .map(|price| Json(price.into()))
        .ok_or_else(Problem::not_found)
}

/// Gives one's own item a price, or another one. Orders that were made keep theirs.
#[utoipa::path(
    put, path = "/api/prices/{item_type}/{item_id}", operation_id = "set_price", tag = "payments", request_body = SetPriceRequest,
    params(("item_type" = ItemType, Path), ("item_id" = Uuid, Path)),
    responses(
        (status = 200, body = PriceView),
        (status = 400, description = "`malformed`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: absent, or somebody else's", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn set_price(
    State(app): State<App>,
    caller: CurrentUser,
    Segments((kind, id)): Segments<(ItemType, Uuid)>,
    Body(body): Body<SetPriceRequest>,
) -> Result<Json<PriceView>, Problem> {
    let mut tx = millrace_bus::begin(&app.db).await?;
    let item = own(&mut tx, &caller, kind, id).await?;
    let mut check = Check::default();
    check.that(
        "amount",
        (1..=MOST).contains(&body.amount),
        "must be from 1 to 99999999",
    );
    let is_channel = kind == ItemType::Channel;
    check.that(
        "period",
        body.period.is_some() == is_channel,
        "goes with channels, and with nothing else",
    );
    let currency = Currency::parse(&body.currency);
    check.that(
        "currency",
        currency.is_some(),
        "must be a currency of ISO 4217",
    );
    check.finish()?;
    let price = Price {
        item_type: kind,
        item_id: id,
        seller: item.seller,
        money: Money::new(body.amount, currency.ok_or_else(Problem::not_found)?),
        period: body.period,
    };
    payments::set_price(&mut *tx, &price).await?;
    tx.commit().await?;
    Ok(Json(price.into()))
}

/// Lets one's own item cost nothing again. Who paid keeps what they paid for.
#[utoipa::path(
    delete, path = "/api/prices/{item_type}/{item_id}", operation_id = "remove_price", tag = "payments",
    params(("item_type" = ItemType, Path), ("item_id" = Uuid, Path)),
    responses(
        (status = 204, description = "It has none now"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: absent, or somebody else's", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn remove_price(
    State(app): State<App>,
    caller: CurrentUser,
    Segments((kind, id)): Segments<(ItemType, Uuid)>,
) -> Result<StatusCode, Problem> {
    let mut tx = millrace_bus::begin(&app.db).await?;
    own(&mut tx, &caller, kind, id).await?;
    payments::drop_price(&mut *tx, kind, id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The item if it is the caller's, and one that can have a price: 404 otherwise.
async fn own(
    conn: &mut PgConnection,
    caller: &CurrentUser,
    kind: ItemType,
    id: Uuid,
) -> Result<Item, Problem> {
    find_item(conn, kind, id)
        .await?
        .filter(|item| item.seller == caller.user.id && kind != ItemType::Tip)
        .ok_or_else(Problem::not_found)
}
