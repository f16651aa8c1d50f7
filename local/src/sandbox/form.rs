//! Numbers, times and refusals in their shapes.

use std::collections::BTreeMap;

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};
use url::form_urlencoded;

/// Parameters by name; of one that was given several times, all.
pub(super) struct Params(BTreeMap<String, Vec<String>>);

/// A refusal, as they say it.
#[derive(Debug, Clone)]
pub(super) struct No {
    pub(super) status: u16,
    pub(super) kind: &'static str,
    pub(super) code: Option<&'static str>,
    pub(super) message: String,
}

impl Params {
    pub(super) fn read(text: &[u8]) -> Self {
        let mut params = BTreeMap::<_, Vec<_>>::new();
        for (name, value) in form_urlencoded::parse(text) {
            params
                .entry(name.into_owned())
                .or_default()
                .push(value.into_owned());
        }
        Self(params)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.first().map(String::as_str)
    }

    pub(super) fn all(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, No> {
        self.text(name)
            .map(|text| {
                text.parse()
                    .map_err(|_| No::bad(format!("Invalid integer: {name}")))
            })
            .transpose()
    }

    pub(super) fn required(&self, name: &str) -> Result<&str, No> {
        self.text(name)
            .filter(|text| !text.is_empty())
            .ok_or_else(|| No::bad(format!("Missing required param: {name}.")))
    }

    /// What is below a name: `metadata[order]=1` of `metadata`.
    pub(super) fn map(&self, name: &str) -> Value {
        let inner = |key: &str| {
            let key = key
                .strip_prefix(name)?
                .strip_prefix('[')?
                .strip_suffix(']')?;
            Some(key.to_owned())
        };
        self.0
            .iter()
            .filter_map(|(key, values)| Some((inner(key)?, json!(values.first()?))))
            .collect()
    }
}

impl No {
    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self {
            status: 400,
            kind: "invalid_request_error",
            code: None,
            message: message.into(),
        }
    }

    pub(super) fn missing(what: &str, id: &str) -> Self {
        Self {
            status: 404,
            code: Some("resource_missing"),
            ..Self::bad(format!("No such {what}: '{id}'"))
        }
    }

    pub(super) fn body(&self) -> Value {
        json!({"error": {"type": self.kind, "code": self.code, "message": self.message}})
    }

    pub(super) fn into_response(self) -> Response {
        reply(self.status, self.body())
    }
}

/// An answer.
pub(super) fn reply(status: u16, body: Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(body)).into_response()
}
