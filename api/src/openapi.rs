//! The OpenAPI 3.1 document, made of the handlers themselves.

use utoipa::{
    Modify, OpenApi,
    openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
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

/// The document as JSON, with a line break at its end.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn document() -> anyhow::Result<String> {
    let (_, document) = router::api().split_for_parts();
    Ok(document.to_pretty_json()? + "\n")
}
