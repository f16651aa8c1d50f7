//! The page to pay on, in the payer's language. Without scripts; nothing that is typed here is asked for.

use askama::Template;
use axum::{
    Form,
    extract::{Path, State},
    http::StatusCode,
    response::{Html, IntoResponse as _, Redirect, Response},
};
use millrace_domain::payments::Currency;
use serde::Deserialize;
use serde_json::Value;

use super::server::Shared;

/// What the page says.
struct Words {
    lang: &'static str,
    heading: &'static str,
    note: &'static str,
    month: &'static str,
    year: &'static str,
    pay: &'static str,
    decline: &'static str,
    back: &'static str,
    declined: &'static str,
    closed: &'static str,
}

const ZH_TW: Words = Words {
    lang: "zh-TW",
    heading: "測試付款",
    note: "這是付款沙盒,不會移動任何款項。",
    month: "每月",
    year: "每年",
    pay: "付款",
    decline: "以遭拒的卡片付款",
    back: "返回",
    declined: "卡片遭拒:餘額不足。",
    closed: "此頁面已關閉。",
};

const EN: Words = Words {
    lang: "en",
    heading: "Test payment",
    note: "This is the payment sandbox: no money moves.",
    month: "every month",
    year: "every year",
    pay: "Pay",
    decline: "Pay with a card that is declined",
    back: "Go back",
    declined: "The card was declined: insufficient funds.",
    closed: "This page is closed.",
};

#[derive(Template)]
#[template(path = "checkout.html")]
struct CheckoutPage<'a> {
    words: &'static Words,
    title: &'a str,
    amount: String,
    every: &'static str,
    open: bool,
    declined: bool,
}

#[derive(Deserialize)]
pub(super) struct Chosen {
    action: String,
}

/// Shows it.
pub(super) async fn show(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    let Some(session) = shared.read(|book| book.get("checkout.session", &id).cloned()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    shown(&session, false)
}

/// A button was pressed.
pub(super) async fn act(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Form(Chosen { action }): Form<Chosen>,
) -> Response {
    let Some(session) = shared.read(|book| book.get("checkout.session", &id).cloned()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let to = |name: &str| match session[name].as_str() {
        Some(url) => Redirect::to(url).into_response(),
        None => shown(&session, false),
    };
    match action.as_str() {
        "back" => to("cancel_url"),
        "pay" | "decline" => {
            let pays = action == "pay";
            let done = shared.change(|book| book.pay(&id, pays));
            match done {
                Ok(()) if pays => to("success_url"),
                Ok(()) => shown(&session, true),
                Err(_) => {
                    let now = shared.read(|book| book.get("checkout.session", &id).cloned());
                    shown(&now.unwrap_or(session), false)
                }
            }
        }
        _ => StatusCode::BAD_REQUEST.into_response(),
    }
}

fn shown(session: &Value, declined: bool) -> Response {
    let words = if session["locale"] == "zh-TW" {
        &ZH_TW
    } else {
        &EN
    };
    let page = CheckoutPage {
        words,
        title: session["title"].as_str().unwrap_or_default(),
        amount: amount(session),
        every: match session["interval"].as_str() {
            Some("month") => words.month,
            Some(_) => words.year,
            None => "",
        },
        open: session["status"] == "open",
        declined,
    };
    match page.render() {
        Ok(html) => Html(html).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// `9900` of `twd` is `99.00 TWD`.
fn amount(session: &Value) -> String {
    let code = session["currency"].as_str().unwrap_or_default();
    let code = code.to_ascii_uppercase();
    let exponent = Currency::parse(&code).map_or(2, |currency| currency.exponent());
    let digits = session["amount_total"].as_i64().unwrap_or_default();
    let digits = format!("{digits:0>width$}", width = usize::from(exponent) + 1);
    match digits.split_at(digits.len() - usize::from(exponent)) {
        (whole, "") => format!("{whole} {code}"),
        (whole, rest) => format!("{whole}.{rest} {code}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn amounts_have_as_many_decimals_as_their_currency() {
        for (amount, currency, shown) in [
            (9900, "twd", "99.00 TWD"),
            (5, "usd", "0.05 USD"),
            (5, "jpy", "5 JPY"),
            (1234, "bhd", "1.234 BHD"),
        ] {
            let session = json!({"amount_total": amount, "currency": currency});
            assert_eq!(super::amount(&session), shown);
        }
    }
}
