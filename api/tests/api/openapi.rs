//! The committed OpenAPI document.

use serde_json::Value;

#[test]
fn the_committed_document_is_what_the_code_says() {
    let committed = include_str!("../../openapi.json");
    assert!(
        committed == millrace_api::document().unwrap(),
        "api/openapi.json is stale: run `cargo run -p millrace-api -- openapi > api/openapi.json`"
    );
}

#[test]
fn every_operation_is_named_secured_and_described() {
    let document: Value = serde_json::from_str(&millrace_api::document().unwrap()).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut names = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let at = format!("{method} {path}");
            let name = operation["operationId"].as_str().unwrap();
            assert!(
                name.contains('_') && name == name.to_lowercase(),
                "{at}: {name}"
            );
            assert!(operation["security"].is_array(), "{at}");
            assert!(
                operation["summary"].is_string() || operation["description"].is_string(),
                "{at}"
            );
            names.push(name.to_owned());
        }
    }
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(count >= 20);
}
