//! The payment sandbox of local mode: it speaks Stripe's protocol and moves no money.
//!
//! It answers the calls that `domain/src/payments/stripe` makes under `/v1` (with the secret key), shows pages to pay on
//! under `/pay`, and tells our webhook what happened, signed as Stripe signs. For tests and for looking at what is rare in
//! life, it does what it is told under `/sandbox`, in JSON, on this machine and without a key:
//!
//! | call | what it does |
//! |---|---|
//! | `GET /sandbox/orders/{order}` | what there is of an order: `session`, `payment_intent`, `subscription`, by id |
//! | `PUT /sandbox/deliveries` `{next, delay_ms, copies, reorder, drop}` | what becomes of the next `next` calls to our webhook (without it: of all): they are late by `delay_ms`, come `copies` times, are gathered until there are `reorder` and then made backwards, or not made at all. `{}` is as usual |
//! | `GET /sandbox/deliveries` | how many were `sent`, `failed` (each try counts), `dropped`, and are `held` |
//! | `POST /sandbox/deliveries/release` | makes those that are gathered |
//! | `POST /sandbox/events/{event}/deliver` | makes that call (again) |
//! | `POST /sandbox/failures` `{next, lost}` | the next calls under `/v1` answer 500 and do nothing; `lost`: do it and break the connection |
//! | `POST /sandbox/disputes` `{payment_intent}` | the payer disputes it at their bank |
//! | `POST /sandbox/disputes/{dispute}` `{won}` | the bank decides |
//! | `POST /sandbox/refunds` `{payment_intent, amount}` | somebody refunds it in the provider's own dashboard |
//! | `POST /sandbox/refunds/pending` `{next}` | the next refunds take their time |
//! | `POST /sandbox/refunds/{refund}` `{succeeded}` | such a refund arrives or, like one that had arrived, comes back |
//! | `POST /sandbox/subscriptions/{subscription}/advance` `{paid}` | its period ends: the renewal is paid, or declined |

/// The calls under `/v1`.
mod api;
/// What exists, on disk.
mod book;
/// The calls under `/sandbox`.
mod control;
/// Calls to our webhook.
mod deliveries;
/// Numbers, times and refusals in their shapes.
mod form;
/// What happens to money: paid, declined, refunded, disputed, renewed.
mod happenings;
/// The page to pay on.
mod page;
/// The socket.
mod server;

pub use server::{Sandbox, SandboxError, SandboxOptions};
