//! What helps people to find videos: search, suggestions, trending, recommendations.

/// What many watch, and what somebody may like.
mod lists;
/// Videos and channels by words.
mod search;
/// What is suggested while somebody types.
mod suggest;

use millrace_domain::accounts::Bucket;
use utoipa_axum::router::OpenApiRouter;

use crate::{
    address::Address,
    app::App,
    auth::{MaybeUser, throttle},
    problem::Problem,
};

/// The routes of all of them.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(search::router())
        .merge(suggest::router())
        .merge(lists::router())
}

/// What somebody typed: 1 to 200 characters on one line.
fn typed(text: &str) -> Result<&str, Problem> {
    let text = text.trim();
    let fine = (1..=millrace_domain::search::LONGEST).contains(&text.chars().count())
        && !text.chars().any(char::is_control);
    if fine {
        Ok(text)
    } else {
        Err(
            Problem::bad_request("validation", "the query is not as it must be").at(
                "q",
                "must have 1 to 200 characters, none of them control characters",
            ),
        )
    }
}

/// Takes one of the questions that a person may ask, or an address from which nobody has logged in: 429 when there were
/// too many. Few answers cost the database as much.
pub(crate) async fn questioned(
    app: &App,
    caller: &MaybeUser,
    Address(address): &Address,
    what: &str,
    bucket: Bucket,
) -> Result<(), Problem> {
    let key = match caller.id() {
        Some(user) => format!("{what}:user:{user}"),
        None => format!("{what}:address:{address}"),
    };
    throttle(app, &key, bucket).await
}
