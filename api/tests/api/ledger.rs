//! Money in the database: what it refuses, and that nothing is written twice, whatever comes how often.

use std::time::Duration;

use chrono::Utc;
use millrace_domain::{
    email::Language,
    ids::{PaymentId, UserId},
    payments::{
        self, About, Charge, CreateError, Currency, Delivery, Facts, ItemType, Money, NewPayment,
        NewRefundRow, OpenPage, Page, Payment, RefundError, RefundFact, RefundState, Source,
        Status, check, entitlement, event, ledger, refund,
    },
};
use sqlx::PgPool;
use uuid::Uuid;

use crate::stack::Stack;

fn money(amount: i64) -> Money {
    Money::new(amount, Currency::parse("TWD").unwrap())
}

fn order(payer: UserId, seller: UserId, key: &str) -> NewPayment {
    NewPayment {
        payer,
        item_type: ItemType::Channel,
        item_id: seller.0,
        seller,
        title: "channel".into(),
        message: String::new(),
        price: money(9_900),
        period: Some(payments::Period::Month),
        share_bps: 1_000,
        idempotency_key: key.into(),
        provider: "sandbox".into(),
        language: Language::En,
        ttl: Duration::from_secs(1_800),
    }
}

/// An order with a page, as a worker leaves it.
async fn opened(db: &PgPool, payer: UserId, seller: UserId) -> PaymentId {
    let mut tx = millrace_bus::begin(db).await.unwrap();
    let created = payments::create(&mut tx, &order(payer, seller, "k"))
        .await
        .unwrap();
    let page = OpenPage {
        session: "cs_1".into(),
        url: "https://pay.example/cs_1".into(),
    };
    let id = created.payment.id;
    let now = payments::opened(&mut tx, id, &page).await.unwrap().unwrap();
    assert_eq!(now.status, Status::Pending);
    tx.commit().await.unwrap();
    id
}

fn paid(id: PaymentId) -> Facts {
    Facts {
        reference: Some(id.to_string()),
        page: Page::Complete,
        asked: money(9_900),
        intent: Some("pi_1".into()),
        charge: Some(Charge {
            id: "ch_1".into(),
            captured: money(9_900),
            at: Utc::now(),
        }),
        refunds: Vec::new(),
        disputes: Vec::new(),
        decline_code: None,
        subscription: None,
        invoice: None,
    }
}

async fn apply(db: &PgPool, id: PaymentId, facts: &Facts) -> payments::Applied {
    let mut tx = millrace_bus::begin(db).await.unwrap();
    let applied = payments::apply(&mut tx, "sandbox", id, facts)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    applied
}

/// What is owed to creators, what is ours, and what lies with the provider.
async fn balances(db: &PgPool) -> Vec<(String, i64)> {
    sqlx::query_as("select account, sum(amount)::bigint from ledger_lines group by 1 order by 1")
        .fetch_all(db)
        .await
        .unwrap()
}

#[tokio::test]
async fn the_ledger_takes_what_balances_and_gives_nothing_back() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let id = opened(&stack.db, ann.id, bob.id).await;
    apply(&stack.db, id, &paid(id)).await;

    let refused = async |statements: &str| {
        let mut tx = stack.db.begin().await.unwrap();
        let text = statements.replace("{order}", &format!("'{id}'"));
        let ran = sqlx::raw_sql(sqlx::AssertSqlSafe(text))
            .execute(&mut *tx)
            .await;
        let ended = match ran {
            Ok(_) => tx.commit().await,
            Err(error) => Err(error),
        };
        let error = ended.expect_err(statements);
        let error = error.as_database_error().expect(statements);
        error.code().unwrap().into_owned()
    };
    let posting = "insert into ledger_postings (id, key, kind, payment_id, currency, occurred_at)
                   values ('00000000-0000-7000-8000-000000000001', 'sandbox:x:capture', 'capture', {order}, 'TWD', now());";
    let line = "insert into ledger_lines (posting_id, n, account, amount)
                values ('00000000-0000-7000-8000-000000000001', ";
    // Without lines, with one, and with two that do not add up to nothing.
    for lines in [
        String::new(),
        format!("{line} 1, 'clearing', 5);"),
        format!("{line} 1, 'clearing', 5); {line} 2, 'house', -4);"),
    ] {
        assert_eq!(
            refused(&format!("{posting}{lines}")).await,
            "23514",
            "{lines}"
        );
    }
    for statement in [
        "update ledger_lines set amount = amount + 1",
        "update ledger_postings set key = 'other'",
        "delete from ledger_lines",
        "delete from ledger_postings",
        "truncate ledger_lines",
        "truncate ledger_postings cascade",
        // Balanced, but later than its posting.
        "insert into ledger_lines (posting_id, n, account, amount)
         select id, 8, 'clearing', 5 from ledger_postings union all select id, 9, 'house', -5 from ledger_postings",
    ] {
        assert_eq!(refused(statement).await, "23001", "{statement}");
    }
    let expected = [("clearing", 9_900), ("creator", -8_910), ("house", -990)];
    let expected = expected.map(|(account, amount)| (account.to_owned(), amount));
    assert_eq!(balances(&stack.db).await, expected);
    stack.stop().await;
}

#[tokio::test]
async fn the_same_word_again_and_an_old_one_change_nothing() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let id = opened(&stack.db, ann.id, bob.id).await;
    let owned = async || -> i64 {
        sqlx::query_scalar("select count(*) from entitlements where user_id = $1 and item_id = $2 and revoked_at is null")
            .bind(ann.id.0)
            .bind(bob.id.0)
            .fetch_one(&stack.db)
            .await
            .unwrap()
    };
    // Twice at once: one of them waits for the other's lock and finds it done.
    let facts = paid(id);
    let (first, second) = tokio::join!(apply(&stack.db, id, &facts), apply(&stack.db, id, &facts));
    assert!(first.changed != second.changed);
    assert_eq!(second.after.status, Status::Paid);
    assert_eq!(ledger::postings_of(&stack.db, id).await.unwrap().len(), 1);
    assert_eq!(owned().await, 1);
    assert_eq!(
        payments::create(
            &mut stack.db.acquire().await.unwrap(),
            &order(ann.id, bob.id, "other")
        )
        .await
        .unwrap_err()
        .to_string(),
        CreateError::Owned.to_string(),
    );

    let mut facts = paid(id);
    facts.refunds = vec![RefundFact {
        id: "re_1".into(),
        reference: None,
        amount: money(9_900),
        state: RefundState::Succeeded,
        failure_code: None,
        at: Utc::now(),
    }];
    assert_eq!(
        apply(&stack.db, id, &facts).await.after.status,
        Status::Refunded
    );
    assert_eq!(owned().await, 0);
    // An answer from before the refund comes late.
    let late = apply(&stack.db, id, &paid(id)).await;
    assert_eq!((late.changed, late.after.status), (false, Status::Refunded));
    assert!(balances(&stack.db).await.iter().all(|(_, sum)| *sum == 0));
    let kinds: Vec<String> = payments::moment::of_payment(&stack.db, id)
        .await
        .unwrap()
        .into_iter()
        .map(|moment| moment.kind)
        .collect();
    assert_eq!(kinds, ["created", "opened", "paid", "refunded"]);
    stack.stop().await;
}

#[tokio::test]
async fn what_does_not_fit_is_put_aside_and_never_granted() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let id = opened(&stack.db, ann.id, bob.id).await;
    let mut facts = paid(id);
    facts.charge.as_mut().unwrap().captured.amount = 1;
    let applied = apply(&stack.db, id, &facts).await;
    assert!(applied.quarantined && applied.changed);
    assert_eq!(applied.after.quarantined_for.as_deref(), Some("amount"));
    assert_eq!(applied.after.status, Status::Pending);
    assert!(balances(&stack.db).await.is_empty());
    let video = millrace_domain::ids::VideoId(Uuid::now_v7());
    assert!(!entitlement::has(&stack.db, ann.id, video).await.unwrap());
    // Said again, it is no news; said rightly, it is over.
    assert!(!apply(&stack.db, id, &facts).await.changed);
    let released = apply(&stack.db, id, &paid(id)).await;
    assert_eq!(released.after.quarantined_for, None);
    assert_eq!(released.after.status, Status::Paid);
    stack.stop().await;
}

#[tokio::test]
async fn no_more_goes_back_than_was_taken_however_many_decide_at_once() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let id = opened(&stack.db, ann.id, bob.id).await;
    let row = |amount: i64, key: &str| NewRefundRow {
        payment: id,
        amount,
        reason: "why not".into(),
        by: bob.id,
        idempotency_key: Some(key.to_owned()),
    };
    let begin = async |amount: i64, key: &str| {
        let mut tx = millrace_bus::begin(&stack.db).await.unwrap();
        let begun = refund::begin(&mut tx, &row(amount, key)).await;
        tx.commit().await.unwrap();
        begun
    };
    assert!(matches!(begin(1, "early").await, Err(RefundError::NotPaid)));
    apply(&stack.db, id, &paid(id)).await;
    let (first, second) = tokio::join!(begin(6_000, "a"), begin(6_000, "b"));
    let refused = match (first, second) {
        (Ok(_), Err(error)) | (Err(error), Ok(_)) => error,
        other => panic!("{other:?}"),
    };
    assert!(matches!(refused, RefundError::TooMuch { left: 3_900 }));
    // The same key is the same refund, and another amount under it is none.
    let again = begin(3_900, "c").await.unwrap();
    assert_eq!(begin(3_900, "c").await.unwrap().id, again.id);
    assert!(matches!(begin(1, "c").await, Err(RefundError::KeyReused)));
    // One that the provider refuses is free again.
    let mut conn = stack.db.acquire().await.unwrap();
    refund::failed(&mut conn, again.id, "charge_disputed")
        .await
        .unwrap();
    drop(conn);
    assert!(begin(3_900, "d").await.is_ok());
    stack.stop().await;
}

#[tokio::test]
async fn a_key_is_one_order_and_an_event_is_stored_once() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let create = async |new: NewPayment| {
        let mut tx = millrace_bus::begin(&stack.db).await.unwrap();
        let created = payments::create(&mut tx, &new).await;
        tx.commit().await.unwrap();
        created
    };
    let new = order(ann.id, bob.id, "k");
    let (first, second) = tokio::join!(create(new.clone()), create(new.clone()));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(first.payment.id, second.payment.id);
    assert!(first.new != second.new);
    let other = NewPayment {
        item_type: ItemType::Tip,
        period: None,
        ..new
    };
    assert!(matches!(create(other).await, Err(CreateError::KeyReused)));

    let delivery = Delivery {
        event_id: "evt_1".into(),
        kind: "checkout.session.completed".into(),
        about: About::Session("cs_1".into()),
        object_id: Some("cs_1".into()),
        body: b"{}".to_vec(),
        at: Utc::now(),
    };
    let store = async || {
        event::store(&stack.db, "sandbox", &delivery, Source::Delivered)
            .await
            .unwrap()
    };
    let (one, two) = tokio::join!(store(), store());
    assert!(one.is_some() != two.is_some());
    assert_eq!(store().await, None);
    assert_eq!(
        event::open(&stack.db, Duration::ZERO, 10)
            .await
            .unwrap()
            .len(),
        1
    );
    let found = Payment::of_handle(&stack.db, "sandbox", &About::Session("cs_1".into())).await;
    assert_eq!(found.unwrap(), None);
    stack.stop().await;
}

#[tokio::test]
async fn the_comparison_names_what_is_missing_on_either_side() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let id = opened(&stack.db, ann.id, bob.id).await;
    let facts = paid(id);
    apply(&stack.db, id, &facts).await;
    let at = facts.charge.unwrap().at;
    let compare = async |theirs: &[(&str, i64)]| {
        let movements: Vec<payments::Movement> = theirs
            .iter()
            .map(|(key, amount)| payments::Movement {
                key: (*key).to_owned(),
                amount: money(*amount),
                at,
            })
            .collect();
        let mut tx = millrace_bus::begin(&stack.db).await.unwrap();
        let hour = chrono::TimeDelta::hours(1);
        let check = check::begin(&mut tx, "sandbox", at - hour, at + hour, None)
            .await
            .unwrap();
        let found = check::compare(&mut tx, check, &movements).await.unwrap();
        check::finish(&mut tx, check).await.unwrap();
        tx.commit().await.unwrap();
        let stored: i32 = sqlx::query_scalar("select differences from ledger_checks where id = $1")
            .bind(check.0)
            .fetch_one(&stack.db)
            .await
            .unwrap();
        assert_eq!(usize::try_from(stored).unwrap(), found.len());
        found.into_iter().map(|d| d.kind).collect::<Vec<_>>()
    };
    assert!(compare(&[("sandbox:ch_1:capture", 9_900)]).await.is_empty());
    assert_eq!(
        compare(&[("sandbox:ch_1:capture", 9_901)]).await,
        ["amount"]
    );
    assert_eq!(compare(&[]).await, ["missing_there"]);
    assert_eq!(
        compare(&[("sandbox:ch_1:capture", 9_900), ("sandbox:re_1:refund", -5)]).await,
        ["missing_here"]
    );
    stack.stop().await;
}
