//! The OpenAPI 3.1 document, made of the handlers themselves.

use utoipa::{
    Modify, OpenApi,
    openapi::{
        ContentBuilder, OpenApi as Written, PathItem, Ref, RefOr, Response, ResponseBuilder,
        path::{Operation, Parameter, ParameterIn},
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use crate::{auth::REFRESH_COOKIE, router};

/// What is not said at a handler.
#[derive(OpenApi)]
#[openapi(
    info(title = "Millrace", description = "Upload, transcode, watch.", license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")),
    tags(
        (name = "accounts", description = "Who asks"),
        (name = "uploads", description = "Files on their way in"),
        (name = "videos", description = "Videos"),
        (name = "channels", description = "Creators, and who follows them"),
        (name = "discovery", description = "Search, trending, recommendations"),
        (name = "viewers", description = "What viewers do with videos"),
        (name = "moderation", description = "Reports, decisions of staff, and appeals"),
        (name = "playback", description = "Playlists and redirects to media"),
        (name = "notifications", description = "What people are told of, and how"),
        (name = "realtime", description = "The socket"),
        (name = "operations", description = "Health and settings"),
    ),
    modifiers(&Security)
)]
pub(crate) struct Document;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_with(Default::default);
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        let cookie = ApiKey::Cookie(ApiKeyValue::new(REFRESH_COOKIE));
        components.add_security_scheme("refresh_cookie", SecurityScheme::ApiKey(cookie));
    }
}

/// Adds the refusals that come before a handler, which none of them tells of: what cannot be read, and what is away.
pub(crate) fn complete(document: &mut Written) {
    for (path, item) in &mut document.paths.paths {
        for operation in operations(item) {
            for (status, description) in refusals(path, operation) {
                operation
                    .responses
                    .responses
                    .entry(status.to_owned())
                    .or_insert_with(|| RefOr::T(problem(description)));
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem {
        get,
        put,
        post,
        delete,
        patch,
        ..
    } = item;
    [get, put, post, delete, patch].into_iter().flatten()
}

fn refusals(path: &str, operation: &Operation) -> Vec<(&'static str, &'static str)> {
    let mut all = Vec::new();
    if operation.request_body.is_some() {
        all.extend([
            ("400", "`malformed`: the body is no JSON"),
            ("413", "`payload_too_large`"),
            (
                "415",
                "`unsupported_media_type`: the body must be `application/json`",
            ),
            ("422", "`validation`: `errors` names the fields"),
        ]);
    }
    let asks = |parameter: &RefOr<Parameter>| matches!(parameter, RefOr::T(p) if p.parameter_in == ParameterIn::Query);
    if operation.parameters.iter().flatten().any(asks) {
        all.push(("400", "`validation`: the query string is not as it must be"));
    }
    if path.starts_with("/api/") {
        all.push((
            "503",
            "`unavailable`: a part is away or busy; `Retry-After` says when to try again",
        ));
    }
    all
}

fn problem(description: &str) -> Response {
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .build();
    ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", content)
        .build()
}

/// The document as JSON, with a line break at its end.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn document() -> anyhow::Result<String> {
    let (_, mut document) = router::api().split_for_parts();
    complete(&mut document);
    Ok(document.to_pretty_json()? + "\n")
}
