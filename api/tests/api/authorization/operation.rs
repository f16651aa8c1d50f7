//! The operations of the OpenAPI document, and requests to them.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::stack::PASSWORD;

/// An operation as documented.
pub(super) struct Operation {
    pub name: String,
    pub method: Method,
    pub path: String,
    /// Whether it needs nobody to be logged in.
    pub open: bool,
    /// Whether it takes an access token.
    pub bearer: bool,
    /// Whether it takes the refresh cookie.
    pub cookie: bool,
    pub statuses: Vec<u16>,
    body: Option<Value>,
    schemas: Value,
}

/// All of them.
pub(super) fn operations() -> Vec<Operation> {
    let document: Value = serde_json::from_str(&millrace_api::document().unwrap()).unwrap();
    let schemas = &document["components"]["schemas"];
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let security = operation["security"].as_array().unwrap();
            let takes = |scheme: &str| security.iter().any(|s| s.get(scheme).is_some());
            all.push(Operation {
                name: operation["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                open: security.contains(&json!({})),
                bearer: takes("bearer"),
                cookie: takes("refresh_cookie"),
                statuses: operation["responses"]
                    .as_object()
                    .unwrap()
                    .keys()
                    .map(|status| status.parse().unwrap())
                    .collect(),
                body: operation
                    .pointer("/requestBody/content/application~1json/schema")
                    .cloned(),
                schemas: schemas.clone(),
            });
        }
    }
    all
}

impl Operation {
    /// Its path with `values` in the places of its parameters.
    pub(super) fn at(&self, values: &BTreeMap<String, String>) -> String {
        let mut path = self.path.clone();
        for (name, value) in values {
            path = path.replace(&format!("{{{name}}}"), value);
        }
        assert!(
            !path.contains('{'),
            "{}: the thing of its row does not know all of {path}",
            self.name
        );
        path
    }

    /// A body with what is required and nothing else, so that a refusal is for who asks and not for what. Ids are
    /// those of `values`.
    pub(super) fn body(&self, values: &BTreeMap<String, String>) -> Option<Value> {
        let schema = self.body.as_ref()?;
        Some(self.sample("", schema, values))
    }

    fn sample(&self, field: &str, schema: &Value, values: &BTreeMap<String, String>) -> Value {
        if let Some(value) = self.chosen(field) {
            return value;
        }
        if let Some(name) = schema["$ref"].as_str() {
            let name = name.rsplit('/').next().unwrap();
            return self.sample(field, &self.schemas[name], values);
        }
        for choice in ["oneOf", "anyOf", "allOf"] {
            if let Some(first) = schema[choice].get(0) {
                return self.sample(field, first, values);
            }
        }
        if let Some(first) = schema["enum"].get(0) {
            return first.clone();
        }
        match schema["type"].as_str().unwrap_or("null") {
            "object" => {
                let required = schema["required"].as_array().into_iter().flatten();
                let fields = required.map(|name| {
                    let name = name.as_str().unwrap();
                    let value = self.sample(name, &schema["properties"][name], values);
                    (name.to_owned(), value)
                });
                Value::Object(fields.collect::<Map<_, _>>())
            }
            "array" => {
                let count = schema["minItems"].as_u64().unwrap_or(0);
                let item = || self.sample(field, &schema["items"], values);
                (0..count).map(|_| item()).collect()
            }
            "string" if schema["format"] == "uuid" => {
                let known = values.get(field).or_else(|| values.get("id"));
                json!(known.map_or("019a0000-0000-7000-8000-000000000000", String::as_str))
            }
            "string" if schema["format"] == "date-time" => {
                json!(chrono::Utc::now() + chrono::TimeDelta::days(1))
            }
            "string" => {
                let least = schema["minLength"].as_u64().unwrap_or(1).max(1);
                json!("x".repeat(usize::try_from(least).unwrap()))
            }
            "integer" | "number" => schema.get("minimum").cloned().unwrap_or(json!(1)),
            "boolean" => json!(false),
            _ => Value::Null,
        }
    }

    /// What no schema tells.
    fn chosen(&self, field: &str) -> Option<Value> {
        Some(match (self.name.as_str(), field) {
            ("login_user", "identifier") => json!("zoe"),
            ("login_user", "password") => json!(PASSWORD),
            ("put_captions", "text") => json!("WEBVTT\n\n00:01.000 --> 00:02.000\nHello\n"),
            (_, "content_type") => json!("image/png"),
            _ => return None,
        })
    }
}
