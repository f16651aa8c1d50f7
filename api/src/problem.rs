//! The one error answer of the API: RFC 9457 problem+json.
//!
//! `code` is stable and translated by the user interface. What went wrong inside stays inside: it is logged here,
//! once, with the request's id.

use std::{borrow::Cow, time::Duration};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use millrace_domain::{storage::StorageError, uploads::Usage};
use serde::Serialize;
use utoipa::ToSchema;

/// A field that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FieldError {
    pub field: String,
    pub message: String,
}

/// The body of every error.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody {
    /// Always `about:blank`: `code` says more than a link would.
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    kind: &'static str,
    /// The status in words.
    #[schema(example = "Not Found")]
    title: String,
    #[schema(example = 404)]
    status: u16,
    /// For developers; people read the translation of `code`.
    detail: String,
    /// A stable word.
    #[schema(value_type = String, example = "not_found")]
    code: &'static str,
    /// What was wrong with which field, when `code` is `validation`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    /// What the caller stores and may store, when `code` is `quota_exceeded`.
    #[serde(skip_serializing_if = "Option::is_none")]
    storage: Option<Box<Usage>>,
    /// Opens the page on which the suspension can be read and appealed, when `code` is `account_suspended`.
    #[serde(skip_serializing_if = "Option::is_none")]
    appeal_token: Option<Box<str>>,
}

/// An answer that is an error.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    storage: Option<Box<Usage>>,
    appeal_token: Option<Box<str>>,
    retry_after: Option<Duration>,
    source: Option<anyhow::Error>,
}

impl Problem {
    /// An error of `status` with a stable `code` and a `detail` for developers.
    pub(crate) fn new(
        status: StatusCode,
        code: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            errors: Vec::new(),
            storage: None,
            appeal_token: None,
            retry_after: None,
            source: None,
        }
    }

    /// 400: the request cannot be read.
    pub(crate) fn bad_request(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 401: nobody, or nobody any more.
    pub(crate) fn unauthenticated(detail: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail)
    }

    /// 403
    pub(crate) fn forbidden(detail: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// 404: absent, or hidden from whoever asks.
    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "there is nothing here")
    }

    /// 409
    pub(crate) fn conflict(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 422: understood, and refused by a rule.
    pub(crate) fn refused(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
    }

    /// 422: a file of `size` bytes would not fit.
    pub(crate) fn quota_exceeded(size: u64, usage: Usage) -> Self {
        let Usage {
            used,
            reserved,
            quota,
            ..
        } = usage;
        let detail = format!(
            "{size} bytes do not fit: of {} bytes, videos use {used} and uploads under way {reserved}",
            quota.unwrap_or(u64::MAX)
        );
        Self {
            storage: Some(Box::new(usage)),
            ..Self::refused("quota_exceeded", detail)
        }
    }

    /// 403: the password is right, and the person is locked out by staff. The token lets them read why, and appeal.
    pub(crate) fn suspended(token: String) -> Self {
        Self {
            appeal_token: Some(token.into()),
            ..Self::new(
                StatusCode::FORBIDDEN,
                "account_suspended",
                "the account was suspended",
            )
        }
    }

    /// 422 with what is wrong with which field.
    pub(crate) fn validation(errors: Vec<FieldError>) -> Self {
        Self {
            errors,
            ..Self::refused("validation", "some fields are not as they must be")
        }
    }

    /// 429
    pub(crate) fn throttled(wait: Duration) -> Self {
        Self {
            retry_after: Some(wait),
            ..Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "throttled",
                "too many attempts; wait and try again",
            )
        }
    }

    /// 503: what we depend on is away or busy.
    pub(crate) fn unavailable(source: impl Into<anyhow::Error>) -> Self {
        Self {
            source: Some(source.into()),
            ..Self::away()
        }
    }

    fn away() -> Self {
        Self {
            retry_after: Some(Duration::from_secs(2)),
            ..Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "the service is busy or a part of it is away; try again",
            )
        }
    }

    /// An error that several requests waited for together, as [`Problem::from`] would have it.
    pub(crate) fn shared(error: &anyhow::Error) -> Self {
        Self {
            source: Some(anyhow::anyhow!("{error:#}")),
            ..Self::of(error)
        }
    }

    /// What an error that no handler foresaw is to the caller.
    fn of(error: &anyhow::Error) -> Self {
        let away = error.chain().any(|cause| {
            matches!(
                cause.downcast_ref::<sqlx::Error>(),
                Some(sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_))
            ) || matches!(
                cause.downcast_ref::<StorageError>(),
                Some(StorageError::Unavailable { .. })
            )
        });
        if away {
            return Self::away();
        }
        // A character that PostgreSQL cannot store got past the checks of a field: still the caller's mistake.
        let unstorable = error.chain().any(|cause| {
            cause
                .downcast_ref::<sqlx::Error>()
                .and_then(sqlx::Error::as_database_error)
                .and_then(|e| e.code())
                .is_some_and(|code| code == "22021" || code == "22P05")
        });
        if unstorable {
            return Self::refused(
                "validation",
                "a text holds a character that cannot be stored",
            );
        }
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "something went wrong on our side",
        )
    }

    /// Names the field that the problem is about.
    #[must_use]
    pub(crate) fn at(mut self, field: &str, message: impl Into<String>) -> Self {
        self.errors.push(FieldError {
            field: field.to_owned(),
            message: message.into(),
        });
        self
    }

    /// The stable word.
    #[cfg(test)]
    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    /// The HTTP status.
    #[cfg(test)]
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }
}

/// Errors that no handler foresaw: ours (500), or those of a dependency that is away (503).
impl<E: Into<anyhow::Error>> From<E> for Problem {
    fn from(error: E) -> Self {
        let error = error.into();
        let problem = Self::of(&error);
        Self {
            source: Some(error),
            ..problem
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        if let Some(source) = &self.source {
            // The chain of causes, once.
            if self.status == StatusCode::SERVICE_UNAVAILABLE {
                tracing::warn!(error = format!("{source:#}"), "answered 503");
            } else {
                tracing::error!(error = format!("{source:#}"), "answered {}", self.status);
            }
        }
        let body = ProblemBody {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            detail: self.detail.into_owned(),
            code: self.code,
            errors: self.errors,
            storage: self.storage,
            appeal_token: self.appeal_token,
        };
        let bytes = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = (self.status, bytes).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs_f64().ceil().max(1.0);
            if let Ok(value) = HeaderValue::from_str(&format!("{seconds:.0}")) {
                headers.insert(header::RETRY_AFTER, value);
            }
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn body(problem: Problem) -> (Response<()>, serde_json::Value) {
        let (parts, body) = problem.into_response().into_parts();
        let bytes = axum::body::to_bytes(body, 10_000).await.unwrap();
        (
            Response::from_parts(parts, ()),
            serde_json::from_slice(&bytes).unwrap(),
        )
    }

    #[tokio::test]
    async fn an_inner_error_is_not_told() {
        let (head, body) = body(Problem::from(anyhow::anyhow!(
            "password of the database is x"
        )))
        .await;
        assert_eq!(head.status(), 500);
        assert_eq!(body["code"], "internal");
        assert!(!body.to_string().contains("password"));
    }

    #[tokio::test]
    async fn a_database_that_is_away_is_503_with_retry_after() {
        let error =
            anyhow::Error::from(sqlx::Error::PoolTimedOut).context("failed to read the user");
        let (head, body) = body(Problem::from(error)).await;
        assert_eq!(head.status(), 503);
        assert_eq!(head.headers()[header::RETRY_AFTER], "2");
        assert_eq!(body["code"], "unavailable");
    }

    #[tokio::test]
    async fn fields_are_listed() {
        let (head, body) = body(Problem::validation(Vec::new()).at("title", "is missing")).await;
        assert_eq!(head.status(), 422);
        assert_eq!(
            head.headers()[header::CONTENT_TYPE],
            "application/problem+json"
        );
        assert_eq!(body["errors"][0]["field"], "title");
        assert_eq!(body["type"], "about:blank");
    }
}
