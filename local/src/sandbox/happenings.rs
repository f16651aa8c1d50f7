//! What happens to money: paid, declined, refunded, disputed, renewed. Each keeps its objects and says so by events.

use chrono::{DateTime, Months};
use serde_json::{Value, json};

use super::{
    book::{Book, now},
    form::No,
};

/// Why the bank says no.
const DECLINED: &str = "insufficient_funds";

impl Book {
    /// Somebody pays on a page, or their bank declines. What was paid or closed already stays as it is.
    pub(super) fn pay(&mut self, session: &str, paid: bool) -> Result<(), No> {
        let mut session = self.find("checkout.session", session)?;
        if session["status"] != "open" {
            return Err(No::bad("This page is closed."));
        }
        if session["mode"] == "subscription" {
            return self.subscribe(session, paid);
        }
        let intent = match session["payment_intent"].as_str() {
            Some(id) => self.find("payment_intent", id)?,
            None => intent(&session, &session["payment_intent_data"]["metadata"]),
        };
        let intent = self.charge(intent, paid);
        session["payment_intent"] = intent["id"].clone();
        self.put(&session);
        if paid {
            self.complete(session);
        }
        Ok(())
    }

    /// Nobody can pay there any more.
    pub(super) fn expire(&mut self, session: &str) -> Result<Value, No> {
        let mut session = self.find("checkout.session", session)?;
        if session["status"] != "open" {
            return Err(No::bad(
                "Only Checkout Sessions with a status in [\"open\"] can be expired.",
            ));
        }
        session["status"] = json!("expired");
        session["url"] = Value::Null;
        self.put(&session);
        self.event("checkout.session.expired", &session);
        Ok(session)
    }

    /// Closes the pages whose time has come.
    pub(super) fn expire_due(&mut self) {
        let due: Vec<String> = self
            .list("checkout.session")
            .rev()
            .take(1000)
            .filter(|session| {
                session["status"] == "open" && session["expires_at"].as_i64() < Some(now())
            })
            .filter_map(|session| session["id"].as_str().map(str::to_owned))
            .collect();
        for session in due {
            // It is open; nothing else can be wrong.
            let _closed = self.expire(&session);
        }
    }

    /// Money goes back, at once unless it is to take its time.
    pub(super) fn refund(
        &mut self,
        intent: &str,
        amount: Option<i64>,
        metadata: &Value,
        takes_time: bool,
    ) -> Result<Value, No> {
        let intent = self.find("payment_intent", intent)?;
        let charge = self.taken(&intent)?;
        let id = intent["id"].as_str().unwrap_or_default();
        let back: i64 = self
            .list(&format!("refund:{id}"))
            .filter(|refund| !matches!(refund["status"].as_str(), Some("failed" | "canceled")))
            .filter_map(|refund| refund["amount"].as_i64())
            .sum();
        let left = charge["amount_captured"].as_i64().unwrap_or_default() - back;
        let amount = amount.unwrap_or(left);
        if left == 0 {
            return Err(No {
                code: Some("charge_already_refunded"),
                ..No::bad("Charge has already been refunded.")
            });
        }
        if amount < 1 || amount > left {
            return Err(No::bad(format!(
                "Refund amount ({amount}) is greater than unrefunded amount on charge ({left})"
            )));
        }
        let mut refund = json!({
            "id": Self::id("re"), "object": "refund", "amount": amount, "currency": charge["currency"],
            "charge": charge["id"], "payment_intent": id, "created": now(), "metadata": metadata, "status": "pending",
            "balance_transaction": null, "failure_balance_transaction": null, "failure_reason": null, "reason": null,
        });
        // It leaves what lies with them at once, also where it takes its time to the payer.
        let moved = self.transaction("refund", "refund", -amount, &refund);
        refund["balance_transaction"] = moved["id"].clone();
        self.put(&refund);
        self.event("refund.created", &refund);
        if takes_time {
            return Ok(refund);
        }
        self.settle_refund(refund["id"].as_str().unwrap_or_default(), true)
    }

    /// A refund arrives, or comes back.
    pub(super) fn settle_refund(&mut self, id: &str, succeeded: bool) -> Result<Value, No> {
        let mut refund = self.find("refund", id)?;
        let before = refund["status"].clone();
        let amount = refund["amount"].as_i64().unwrap_or_default();
        match (before.as_str(), succeeded) {
            (Some("pending"), true) => refund["status"] = json!("succeeded"),
            (Some("pending" | "succeeded"), false) => {
                let moved = self.transaction("refund_failure", "refund_failure", amount, &refund);
                refund["failure_balance_transaction"] = moved["id"].clone();
                refund["status"] = json!("failed");
                refund["failure_reason"] = json!("expired_or_canceled_card");
            }
            _ => return Err(No::bad("This refund is settled.")),
        }
        self.put(&refund);
        let kind = if succeeded {
            "refund.updated"
        } else {
            "refund.failed"
        };
        self.event(kind, &refund);
        if succeeded {
            let charge = refund["charge"].as_str().unwrap_or_default().to_owned();
            let mut charge = self.find("charge", &charge)?;
            let so_far = charge["amount_refunded"].as_i64().unwrap_or_default() + amount;
            charge["amount_refunded"] = json!(so_far);
            charge["refunded"] = json!(charge["amount_captured"] == so_far);
            self.put(&charge);
            self.event("charge.refunded", &charge);
        }
        Ok(refund)
    }

    /// The payer says at their bank that they did not pay.
    pub(super) fn dispute(&mut self, intent: &str) -> Result<Value, No> {
        let intent = self.find("payment_intent", intent)?;
        let mut charge = self.taken(&intent)?;
        if charge["disputed"] == true {
            return Err(No::bad("This charge is disputed."));
        }
        let amount = charge["amount_captured"].as_i64().unwrap_or_default();
        let mut dispute = json!({
            "id": Self::id("du"), "object": "dispute", "amount": amount, "currency": charge["currency"],
            "charge": charge["id"], "payment_intent": intent["id"], "created": now(), "status": "needs_response",
            "reason": "fraudulent", "balance_transactions": [],
        });
        let moved = self.transaction("adjustment", "dispute", -amount, &dispute);
        dispute["balance_transactions"] = json!([moved]);
        charge["disputed"] = json!(true);
        self.put(&dispute);
        self.put(&charge);
        self.event("charge.dispute.created", &dispute);
        self.event("charge.dispute.funds_withdrawn", &dispute);
        Ok(dispute)
    }

    /// The bank decides.
    pub(super) fn decide_dispute(&mut self, id: &str, won: bool) -> Result<Value, No> {
        let mut dispute = self.find("dispute", id)?;
        if dispute["status"] != "needs_response" {
            return Err(No::bad("This dispute is decided."));
        }
        if won {
            let amount = dispute["amount"].as_i64().unwrap_or_default();
            let moved = self.transaction("adjustment", "dispute_reversal", amount, &dispute);
            if let Some(list) = dispute["balance_transactions"].as_array_mut() {
                list.push(moved);
            }
        }
        dispute["status"] = json!(if won { "won" } else { "lost" });
        self.put(&dispute);
        self.event("charge.dispute.closed", &dispute);
        if won {
            self.event("charge.dispute.funds_reinstated", &dispute);
        }
        Ok(dispute)
    }

    /// A period ends. What was not paid before is tried again.
    pub(super) fn advance(&mut self, id: &str, paid: bool) -> Result<Value, No> {
        let mut subscription = self.find("subscription", id)?;
        if subscription["status"] == "canceled" {
            return Err(No::bad("This subscription has ended."));
        }
        if subscription["cancel_at_period_end"] == true {
            return self.end(id);
        }
        let owed = self
            .list(&format!("invoice:{id}"))
            .rfind(|invoice| invoice["status"] == "open")
            .cloned();
        let invoice = match owed {
            Some(invoice) => invoice,
            None => {
                let item = &subscription["items"]["data"][0];
                let begin = item["current_period_end"].as_i64().unwrap_or_default();
                let end = later(begin, item["price"]["recurring"]["interval"].as_str());
                subscription["items"]["data"][0]["current_period_start"] = json!(begin);
                subscription["items"]["data"][0]["current_period_end"] = json!(end);
                invoice(&subscription, begin, end)
            }
        };
        self.pay_invoice(invoice, paid);
        subscription["status"] = json!(if paid { "active" } else { "past_due" });
        self.put(&subscription);
        self.event("customer.subscription.updated", &subscription);
        Ok(subscription)
    }

    /// A subscription ends at once.
    pub(super) fn end(&mut self, id: &str) -> Result<Value, No> {
        let mut subscription = self.find("subscription", id)?;
        if subscription["status"] == "canceled" {
            return Err(No::missing("subscription", id));
        }
        subscription["status"] = json!("canceled");
        subscription["ended_at"] = json!(now());
        self.put(&subscription);
        self.event("customer.subscription.deleted", &subscription);
        Ok(subscription)
    }

    /// A copy of an object.
    pub(super) fn find(&self, kind: &str, id: &str) -> Result<Value, No> {
        self.get(kind, id)
            .cloned()
            .ok_or_else(|| No::missing(kind, id))
    }

    fn subscribe(&mut self, mut session: Value, paid: bool) -> Result<(), No> {
        if !paid {
            // They keep what was declined there with a payment that nobody is shown.
            let declined = intent(&session, &Value::Null);
            self.charge(declined, false);
            return Ok(());
        }
        let (begin, interval) = (now(), session["interval"].as_str());
        let end = later(begin, interval);
        let subscription = json!({
            "id": Self::id("sub"), "object": "subscription", "status": "active", "created": begin,
            "cancel_at_period_end": false, "metadata": session["subscription_data"]["metadata"],
            "currency": session["currency"],
            "items": {"object": "list", "has_more": false, "data": [{
                "id": Self::id("si"), "object": "subscription_item",
                "current_period_start": begin, "current_period_end": end,
                "price": {"unit_amount": session["amount_total"], "recurring": {"interval": interval}},
            }]},
        });
        self.put(&subscription);
        self.event("customer.subscription.created", &subscription);
        let invoice = self.pay_invoice(invoice(&subscription, begin, end), true);
        session["subscription"] = subscription["id"].clone();
        session["invoice"] = invoice["id"].clone();
        self.complete(session);
        Ok(())
    }

    fn complete(&mut self, mut session: Value) {
        session["status"] = json!("complete");
        session["payment_status"] = json!("paid");
        session["url"] = Value::Null;
        self.put(&session);
        self.event("checkout.session.completed", &session);
    }

    fn pay_invoice(&mut self, mut invoice: Value, paid: bool) -> Value {
        let intent = match invoice["payments"]["data"][0]["payment"]["payment_intent"].as_str() {
            Some(id) => self.get("payment_intent", id).cloned(),
            None => None,
        };
        let intent = intent.unwrap_or_else(|| {
            json!({
                "id": Self::id("pi"), "object": "payment_intent", "amount": invoice["total"],
                "currency": invoice["currency"], "created": now(), "metadata": {}, "latest_charge": null,
            })
        });
        let intent = self.charge(intent, paid);
        let word = if paid { "paid" } else { "open" };
        invoice["status"] = json!(word);
        invoice["payments"] = json!({"object": "list", "has_more": false, "data": [{
            "id": Self::id("inpay"), "object": "invoice_payment", "status": word,
            "payment": {"type": "payment_intent", "payment_intent": intent["id"]},
        }]});
        self.put(&invoice);
        let kind = if paid {
            "invoice.paid"
        } else {
            "invoice.payment_failed"
        };
        self.event(kind, &invoice);
        invoice
    }

    /// Tries to take the money.
    fn charge(&mut self, mut intent: Value, paid: bool) -> Value {
        let amount = intent["amount"].as_i64().unwrap_or_default();
        let mut charge = json!({
            "id": Self::id("ch"), "object": "charge", "amount": amount, "currency": intent["currency"],
            "payment_intent": intent["id"], "created": now(), "metadata": intent["metadata"],
            "status": if paid { "succeeded" } else { "failed" }, "captured": paid, "paid": paid,
            "amount_captured": if paid { amount } else { 0 }, "amount_refunded": 0, "refunded": false,
            "disputed": false, "balance_transaction": null,
        });
        if paid {
            let moved = self.transaction("charge", "charge", amount, &charge);
            charge["balance_transaction"] = moved["id"].clone();
            intent["status"] = json!("succeeded");
            intent["last_payment_error"] = Value::Null;
        } else {
            intent["status"] = json!("requires_payment_method");
            intent["last_payment_error"] = json!({
                "type": "card_error", "code": "card_declined", "decline_code": DECLINED,
                "message": "Your card has insufficient funds.",
            });
        }
        intent["latest_charge"] = charge["id"].clone();
        self.put(&charge);
        self.put(&intent);
        let (of_charge, of_intent) = if paid {
            ("charge.succeeded", "payment_intent.succeeded")
        } else {
            ("charge.failed", "payment_intent.payment_failed")
        };
        self.event(of_charge, &charge);
        self.event(of_intent, &intent);
        intent
    }

    /// The charge that took the money of a payment.
    fn taken(&self, intent: &Value) -> Result<Value, No> {
        let charge = self.find(
            "charge",
            intent["latest_charge"].as_str().unwrap_or_default(),
        )?;
        if charge["status"] == "succeeded" {
            Ok(charge)
        } else {
            Err(No::bad(
                "This PaymentIntent does not have a successful charge.",
            ))
        }
    }
}

fn intent(session: &Value, metadata: &Value) -> Value {
    json!({
        "id": Book::id("pi"), "object": "payment_intent", "amount": session["amount_total"],
        "currency": session["currency"], "created": now(), "metadata": metadata, "latest_charge": null,
        "last_payment_error": null,
    })
}

fn invoice(subscription: &Value, begin: i64, end: i64) -> Value {
    json!({
        "id": Book::id("in"), "object": "invoice", "status": "draft", "created": now(),
        "total": subscription["items"]["data"][0]["price"]["unit_amount"], "currency": subscription["currency"],
        "parent": {"type": "subscription_details", "subscription_details": {"subscription": subscription["id"]}},
        "lines": {"object": "list", "has_more": false, "data": [{"period": {"start": begin, "end": end}}]},
        "payments": {"object": "list", "has_more": false, "data": []},
    })
}

/// A period later.
fn later(from: i64, interval: Option<&str>) -> i64 {
    let months = if interval == Some("year") { 12 } else { 1 };
    DateTime::from_timestamp(from, 0)
        .and_then(|from| from.checked_add_months(Months::new(months)))
        .map_or(from, |later| later.timestamp())
}
