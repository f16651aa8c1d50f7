//! Mail about accounts, each with a key of its own: who asks again gets another link.

use millrace_domain::{
    accounts::User,
    email::{Language, Message, NewEmail, Recipient},
    ids::UserId,
};
use millrace_queue::{NewJob, Wake};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{FlowError, send_email};
use crate::kinds::ForgotPassword;

/// Queues a mail to the address of an account.
///
/// # Errors
/// [`FlowError`]
pub async fn mail_account(
    conn: &mut PgConnection,
    user: &User,
    message: &Message,
) -> Result<Wake, FlowError> {
    mail_account_at(conn, user, &user.email, message).await
}

/// Queues a mail to a person at another address than that of their account: one that they had, or are to have.
///
/// # Errors
/// [`FlowError`]
pub async fn mail_account_at(
    conn: &mut PgConnection,
    user: &User,
    address: &str,
    message: &Message,
) -> Result<Wake, FlowError> {
    let key = format!("{}:{}", message.word(), Uuid::now_v7());
    let to = &Recipient {
        user: Some(user.id),
        address: address.to_owned(),
        name: user.username.clone(),
        language: Language::of_tag(&user.language),
    };
    send_email(
        conn,
        NewEmail {
            key: &key,
            to,
            message,
        },
    )
    .await
}

/// Enqueues the mail for somebody who forgot their password, and the same without a mail where nobody was meant.
///
/// # Errors
/// [`FlowError`]
pub async fn forgot_password(
    conn: &mut PgConnection,
    user: Option<UserId>,
) -> Result<Wake, FlowError> {
    let job = NewJob::new(&ForgotPassword { user });
    Ok(millrace_queue::enqueue(conn, job).await?.wake)
}
