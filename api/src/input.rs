//! What comes in, read strictly: JSON bodies, query strings, ids in paths, and the rules for texts.

use std::{collections::HashMap, str::FromStr};

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Request},
    http::{StatusCode, header, request::Parts},
};
use serde::de::DeserializeOwned;

use crate::problem::{FieldError, Problem};

/// A JSON body. Anything wrong with it is 400, 413, 415 or 422 with the field's name.
#[derive(Debug)]
pub(crate) struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(&request) {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "the body must be application/json",
            ));
        }
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| {
                if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                    Problem::new(
                        StatusCode::PAYLOAD_TOO_LARGE,
                        "payload_too_large",
                        "the body is too large",
                    )
                } else {
                    Problem::bad_request("malformed", "the body could not be read")
                }
            })?;
        parse(&bytes).map(Self)
    }
}

/// Whether a request says that its body is JSON.
pub(crate) fn is_json(request: &Request) -> bool {
    request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| {
            let essence = value.split(';').next().unwrap_or_default().trim();
            essence.eq_ignore_ascii_case("application/json")
        })
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        match inner.classify() {
            serde_json::error::Category::Data => {
                let message = without_position(&inner.to_string());
                Problem::validation(vec![FieldError {
                    field: field_of(&path, &message),
                    message,
                }])
            }
            _ => Problem::bad_request("malformed", "the body is not valid JSON"),
        }
    })?;
    reader.end().map_err(|_| {
        Problem::bad_request("malformed", "the body holds more than one JSON value")
    })?;
    Ok(value)
}

/// A missing field is named in the message, a wrong one in the path.
fn field_of(path: &str, message: &str) -> String {
    let missing = message
        .strip_prefix("missing field `")
        .and_then(|rest| rest.split('`').next());
    match (path, missing) {
        ("." | "", Some(name)) => name.to_owned(),
        (path, Some(name)) => format!("{path}.{name}"),
        (".", None) => String::new(),
        (path, None) => path.to_owned(),
    }
}

fn without_position(message: &str) -> String {
    message
        .split(" at line ")
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// The query string. Wrong values are 400.
#[derive(Debug)]
pub(crate) struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        axum::extract::Query::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Query(value)| Self(value))
            .map_err(|rejection| {
                let text = rejection.body_text();
                let problem =
                    Problem::bad_request("validation", "the query string is not as it must be");
                match text
                    .split_once(": ")
                    .map(|(_, rest)| rest)
                    .and_then(|rest| rest.split_once(": "))
                {
                    Some((field, message)) => problem.at(field, message),
                    None => problem,
                }
            })
    }
}

/// The `id` of a path. What is no id names nothing: 404.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Id<T>(pub T);

impl<T: FromStr, S: Send + Sync> FromRequestParts<S> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(segments) = Path::<HashMap<String, String>>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::not_found())?;
        // The hyphenated form alone, so that one thing has one address.
        segments
            .get("id")
            .filter(|id| id.len() == 36)
            .and_then(|id| id.parse().ok())
            .map(Self)
            .ok_or_else(Problem::not_found)
    }
}

/// The variable parts of a path, in order. What cannot be read names nothing: 404.
#[derive(Debug)]
pub(crate) struct Segments<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Segments<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(segments)) => Ok(Self(segments)),
            Err(_) => Err(Problem::not_found()),
        }
    }
}

/// Collects what is wrong with a body, so that a person sees all of it at once.
#[derive(Debug, Default)]
pub(crate) struct Check {
    errors: Vec<FieldError>,
}

impl Check {
    /// A single line of `min` to `max` characters, trimmed.
    pub(crate) fn line(&mut self, field: &str, value: &str, min: usize, max: usize) -> String {
        let value = value.trim();
        self.length(field, value, min, max);
        if value.chars().any(char::is_control) {
            self.add(field, "must be a single line without control characters");
        }
        value.to_owned()
    }

    /// A text of up to `max` characters with line breaks.
    pub(crate) fn text(&mut self, field: &str, value: &str, max: usize) -> String {
        let value = value.trim();
        self.length(field, value, 0, max);
        if value
            .chars()
            .any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
        {
            self.add(field, "must not hold control characters");
        }
        value.to_owned()
    }

    /// Notes `message` unless `holds`.
    pub(crate) fn that(&mut self, field: &str, holds: bool, message: &str) {
        if !holds {
            self.add(field, message);
        }
    }

    /// 422 if anything was noted.
    ///
    /// # Errors
    /// The problem with the list.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(Problem::validation(self.errors))
        }
    }

    fn length(&mut self, field: &str, value: &str, min: usize, max: usize) {
        let length = value.chars().count();
        if length < min || length > max {
            let message = match min {
                0 => format!("must have at most {max} characters"),
                _ => format!("must have {min} to {max} characters"),
            };
            self.add(field, &message);
        }
    }

    fn add(&mut self, field: &str, message: &str) {
        self.errors.push(FieldError {
            field: field.to_owned(),
            message: message.to_owned(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Sample {
        #[expect(dead_code, reason = "only its reading matters")]
        title: String,
        #[expect(dead_code, reason = "only its reading matters")]
        parts: Option<Vec<u32>>,
    }

    fn fields(text: &str) -> (StatusCode, serde_json::Value) {
        use axum::response::IntoResponse as _;
        let problem = parse::<Sample>(text.as_bytes()).unwrap_err();
        let status = problem.status();
        let body = futures::executor::block_on(axum::body::to_bytes(
            problem.into_response().into_body(),
            9_999,
        ));
        (status, serde_json::from_slice(&body.unwrap()).unwrap())
    }

    #[test]
    fn a_missing_field_is_named() {
        let (status, body) = fields("{}");
        assert_eq!(
            (status.as_u16(), body["errors"][0]["field"].as_str()),
            (422, Some("title"))
        );
    }

    #[test]
    fn a_wrong_value_is_named_by_its_path() {
        let (status, body) = fields(r#"{"title": "x", "parts": [1, "two"]}"#);
        assert_eq!(
            (status.as_u16(), body["errors"][0]["field"].as_str()),
            (422, Some("parts[1]"))
        );
    }

    #[test]
    fn what_is_no_json_is_400() {
        for text in [
            "",
            "{",
            "nonsense",
            "{} {}",
            "\u{0}",
            "{\"title\": \"x\"} trailing",
        ] {
            assert_eq!(fields(text).0.as_u16() / 100, 4, "{text}");
        }
        assert_eq!(fields("{").0.as_u16(), 400);
    }

    #[test]
    fn texts_are_trimmed_and_checked_together() {
        let mut check = Check::default();
        assert_eq!(check.line("title", "  x ", 1, 100), "x");
        check.line("title", "", 1, 100);
        check.line("name", "a\u{0}b", 1, 100);
        check.text("description", "a\nb", 100);
        assert_eq!(check.errors.len(), 2);
    }
}
