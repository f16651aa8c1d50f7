//! A player: reads playlists and fetches segments as a browser does, by redirects to the store.

use anyhow::{Context as _, Result};
use reqwest::{Client, StatusCode, redirect::Policy};
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

    /// The bytes that an address leads to: by exactly one redirect, to another origin.
    ///
    /// # Errors
    /// That it leads elsewhere, or to nothing.
    pub async fn bytes(&self, url: &str) -> Result<Vec<u8>> {
        let url = self.base.join(url)?;
        let redirect = self.http.get(url.clone()).send().await?;
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
        let object = self.http.get(location).send().await?.error_for_status()?;
        Ok(object.bytes().await?.to_vec())
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

    async fn text(&self, url: &str) -> Result<String> {
        let response = self.http.get(self.base.join(url)?).send().await?;
        anyhow::ensure!(
            response.status() == StatusCode::OK,
            "{url} answered {}",
            response.status()
        );
        Ok(response.text().await?)
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
