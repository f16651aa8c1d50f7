//! A player: reads playlists and fetches segments as a browser does, by redirects to the store or straight from a CDN,
//! with whatever cookies it was given.

use anyhow::{Context as _, Result};
use reqwest::{
    Client, Method, RequestBuilder, StatusCode,
    header::{HeaderMap, HeaderName},
    redirect::Policy,
};
use url::Url;

use crate::{
    Person,
    playlist::{Master, Media},
};

/// Somebody who watches without an account: addresses carry all that it needs.
#[derive(Debug, Clone)]
pub struct Player {
    http: Client,
    base: Url,
}

/// A rendition that was fetched whole.
#[derive(Debug, Clone)]
pub struct Rendition {
    pub playlist: Media,
    pub init: Vec<u8>,
    /// The media segments, without the init segment.
    pub segments: Vec<Vec<u8>>,
}

impl Player {
    /// One that watches where `person` uploads.
    ///
    /// # Errors
    /// That there is no HTTP client.
    pub fn of(person: &Person) -> Result<Self> {
        let http = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .cookie_store(true)
            .build()?;
        Ok(Self {
            http,
            base: Url::parse(person.base())?,
        })
    }

    /// An address as it stands in a document at `from`.
    ///
    /// # Errors
    /// That it is none.
    pub fn resolve(&self, from: &str, uri: &str) -> Result<String> {
        Ok(self.base.join(from)?.join(uri)?.into())
    }

    /// The master playlist.
    ///
    /// # Errors
    /// That it cannot be had.
    pub async fn master(&self, url: &str) -> Result<Master> {
        Master::parse(&self.text(url).await?)
    }

    /// A media playlist.
    ///
    /// # Errors
    /// That it cannot be had.
    pub async fn media(&self, url: &str) -> Result<Media> {
        Media::parse(&self.text(url).await?)
    }

    /// The bytes that an address leads to: by exactly one redirect, to another origin, unless it lies there already.
    ///
    /// # Errors
    /// That it leads elsewhere, or to nothing.
    pub async fn bytes(&self, url: &str) -> Result<Vec<u8>> {
        let fetched = self.fetch(Method::GET, url, &[]).await?;
        anyhow::ensure!(
            fetched.status.is_success(),
            "{url} led to {}",
            fetched.status
        );
        Ok(fetched.bytes)
    }

    /// What an address leads to, as [`Player::bytes`], asked with these headers on the way.
    ///
    /// # Errors
    /// That it leads to no other origin.
    pub async fn fetch(
        &self,
        method: Method,
        url: &str,
        headers: &[(HeaderName, &str)],
    ) -> Result<Fetched> {
        let ask = |url: Url| -> RequestBuilder {
            let request = self.http.request(method.clone(), url);
            headers.iter().fold(request, |request, (name, value)| {
                request.header(name, *value)
            })
        };
        let url = self.base.join(url)?;
        if url.origin() != self.base.origin() {
            return Fetched::of(ask(url)).await;
        }
        let redirect = ask(url.clone()).send().await?;
        let status = redirect.status();
        anyhow::ensure!(
            status == StatusCode::TEMPORARY_REDIRECT,
            "{url} answered {status}"
        );
        let location = redirect
            .headers()
            .get("location")
            .context("a redirect to nowhere")?
            .to_str()?;
        let location = url.join(location)?;
        anyhow::ensure!(
            location.origin() != url.origin(),
            "the bytes come through the API: {location}"
        );
        Fetched::of(ask(location)).await
    }

    /// All segments of the media playlist at `url`, with the one init segment that they share.
    ///
    /// # Errors
    /// That something cannot be had, or that there is more than one init segment.
    pub async fn rendition(&self, url: &str) -> Result<Rendition> {
        let playlist = self.media(url).await?;
        anyhow::ensure!(
            playlist.maps.len() == 1,
            "{} init segments: {:?}",
            playlist.maps.len(),
            playlist.maps
        );
        let init = self.bytes(&self.resolve(url, &playlist.maps[0].1)?).await?;
        let mut segments = Vec::new();
        for segment in &playlist.segments {
            segments.push(self.bytes(&self.resolve(url, &segment.uri)?).await?);
        }
        Ok(Rendition {
            playlist,
            init,
            segments,
        })
    }

    /// The text at an address.
    ///
    /// # Errors
    /// That it cannot be had.
    pub async fn text(&self, url: &str) -> Result<String> {
        let response = self.http.get(self.base.join(url)?).send().await?;
        anyhow::ensure!(
            response.status() == StatusCode::OK,
            "{url} answered {}",
            response.status()
        );
        Ok(response.text().await?)
    }
}

/// What the store or the CDN answered.
#[derive(Debug, Clone)]
pub struct Fetched {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
}

impl Fetched {
    async fn of(request: RequestBuilder) -> Result<Self> {
        let answer = request.send().await?;
        Ok(Self {
            status: answer.status(),
            headers: answer.headers().clone(),
            bytes: answer.bytes().await?.to_vec(),
        })
    }

    /// A header's text, empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

impl Rendition {
    /// The init segment with all segments behind it: a file.
    pub fn file(&self) -> Vec<u8> {
        [self.init.clone(), self.segments.concat()].concat()
    }

    /// The init segment with segment `n` behind it.
    pub fn file_of(&self, n: usize) -> Vec<u8> {
        [self.init.as_slice(), self.segments[n].as_slice()].concat()
    }
}
