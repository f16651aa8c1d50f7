//! What a page is asked for with. Said again for the same order it must be the same to the letter: the key holds for it.

use chrono::Duration;

use crate::payments::{NewPage, ProviderError};

/// Pages stay open a little longer than orders. They take at least half an hour from when they are asked, which is later
/// than when the order was made; the worker closes what is still open when the order ends.
const LONGER: Duration = Duration::minutes(15);

/// Where they count in other minor units than ISO 4217 does.
const ODD: [&str; 3] = ["ISK", "MGA", "UGX"];

pub(super) fn params(order: &NewPage) -> Result<Vec<(String, String)>, ProviderError> {
    let currency = order.price.currency.code();
    if ODD.contains(&currency) {
        return Err(ProviderError::Refused {
            code: "currency_not_supported".to_owned(),
            message: format!("amounts of {currency} are counted differently there"),
        });
    }
    let id = order.payment.to_string();
    let (mode, kept_with) = match order.period {
        None => ("payment", "payment_intent_data[metadata][order]"),
        Some(_) => ("subscription", "subscription_data[metadata][order]"),
    };
    let item = "line_items[0]";
    let price = "line_items[0][price_data]";
    let mut params = vec![
        ("mode".to_owned(), mode.to_owned()),
        ("client_reference_id".to_owned(), id.clone()),
        ("metadata[order]".to_owned(), id.clone()),
        (kept_with.to_owned(), id),
        (format!("{item}[quantity]"), "1".to_owned()),
        (format!("{price}[currency]"), currency.to_ascii_lowercase()),
        (
            format!("{price}[unit_amount]"),
            order.price.amount.to_string(),
        ),
        (format!("{price}[product_data][name]"), order.title.clone()),
        ("success_url".to_owned(), order.paid_url.clone()),
        ("cancel_url".to_owned(), order.given_up_url.clone()),
        ("locale".to_owned(), order.language.tag().to_owned()),
        (
            "expires_at".to_owned(),
            (order.expires_at + LONGER).timestamp().to_string(),
        ),
    ];
    if let Some(period) = order.period {
        params.push((format!("{price}[recurring][interval]"), period.to_owned()));
    }
    if let Some(email) = &order.email {
        params.push(("customer_email".to_owned(), email.clone()));
    }
    Ok(params)
}
