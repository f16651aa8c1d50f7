//! `watch`: a video's progress in the terminal, over the same socket as the browser's.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use clap::{Args, Subcommand};
use futures::{SinkExt, StreamExt};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use millrace_config::Config;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use url::Url;
use uuid::Uuid;

use super::id_of;

/// How often a lost connection is tried again before giving up.
const TRIES: u32 = 8;

/// What to follow.
#[derive(Debug, Subcommand)]
pub(super) enum Watch {
    /// Follow a video until it is ready or has failed.
    Video(Video),
}

/// Which video, and as whom.
#[derive(Debug, Args)]
pub(super) struct Video {
    /// Its id, or the address of its page.
    id: String,
    /// The address of Millrace. Default: server.public_url.
    #[arg(long)]
    url: Option<Url>,
    /// User name or email.
    #[arg(long, env = "MILLRACE_USER", default_value = "demo")]
    user: String,
    #[arg(long, env = "MILLRACE_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// An access token instead of user and password.
    #[arg(long, env = "MILLRACE_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

/// The parts of the live view that are shown.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct View {
    title: String,
    status: String,
    progress: u64,
    stage: String,
    error: Option<Trouble>,
    playable: bool,
    #[serde(default)]
    qualities: Vec<Quality>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Trouble {
    message: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Quality {
    name: String,
    status: String,
}

/// Where the last connection ended, to resume from.
#[derive(Debug, Clone, Default)]
struct Position {
    since: Option<Value>,
    /// Connections that brought nothing, since the last that did.
    tries: u32,
}

/// Follows what was asked for.
pub(super) async fn run(config: &Config, watch: Watch) -> anyhow::Result<()> {
    let Watch::Video(video) = watch;
    let id = id_of(&video.id)?;
    let base = video
        .url
        .clone()
        .unwrap_or_else(|| config.server.public_url.clone());
    if base.scheme() != "http" {
        bail!("watch speaks http only; give the address behind the proxy with --url");
    }
    let http = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(15))
        .build()?;
    let mut screen = Screen::new();
    let mut position = Position::default();
    loop {
        let followed = async {
            // Anew for every connection: the last one may have ended because its token did.
            let token = log_in(&http, &base, &video).await?;
            follow(&http, &base, &token, id, &mut position, &mut screen).await
        };
        match followed.await {
            Ok(view) => return screen.finish(&view),
            Err(error) if error.is::<Refused>() || position.tries == TRIES => return Err(error),
            Err(error) if screen.shown.is_none() => return Err(error),
            Err(_) => {
                if position.tries == 0 {
                    screen.say("The connection is lost; trying again.");
                }
                position.tries += 1;
                tokio::time::sleep(Duration::from_millis(250 << position.tries.min(5))).await;
            }
        }
    }
}

/// An answer that trying again does not change.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(String);

async fn log_in(http: &reqwest::Client, base: &Url, video: &Video) -> anyhow::Result<String> {
    if let Some(token) = &video.token {
        return Ok(token.clone());
    }
    let Some(password) = &video.password else {
        bail!("give --password, MILLRACE_PASSWORD or --token")
    };
    let body = json!({ "identifier": video.user, "password": password });
    let answer = http
        .post(base.join("/api/auth/login")?)
        .json(&body)
        .send()
        .await;
    let answer =
        accepted(answer.with_context(|| format!("Millrace is not running on {base}"))?).await?;
    answer["access_token"]
        .as_str()
        .map(str::to_owned)
        .context("the log-in answered no token")
}

/// The JSON of a good answer; a problem becomes its own words.
async fn accepted(answer: reqwest::Response) -> anyhow::Result<Value> {
    let status = answer.status();
    let body: Value = answer.json().await.unwrap_or_default();
    if status.is_success() {
        return Ok(body);
    }
    let problem = body["detail"]
        .as_str()
        .or(body["title"].as_str())
        .unwrap_or("it gave no reason");
    let text = format!("{status}: {problem}");
    if status.is_client_error() {
        Err(Refused(text).into())
    } else {
        Err(anyhow!(text))
    }
}

/// Follows the video over one connection until it has ended.
async fn follow(
    http: &reqwest::Client,
    base: &Url,
    token: &str,
    id: Uuid,
    position: &mut Position,
    screen: &mut Screen,
) -> anyhow::Result<View> {
    let ticket = http
        .post(base.join("/api/ws/tickets")?)
        .bearer_auth(token)
        .send()
        .await?;
    let ticket = accepted(ticket).await?;
    let mut address = base.join("/api/ws")?;
    address
        .set_scheme("ws")
        .map_err(|()| anyhow!("{base} is no web address"))?;
    let mut request = address.as_str().into_client_request()?;
    request
        .headers_mut()
        .insert("origin", base.origin().ascii_serialization().parse()?);
    let (mut socket, _) = tokio_tungstenite::connect_async(request)
        .await
        .context("the socket was refused")?;

    let topic = format!("video:{id}");
    let mut subscribe = json!({ "type": "subscribe", "topic": topic });
    if let Some(since) = &position.since {
        subscribe["since"] = since.clone();
    }
    for frame in [
        json!({ "type": "auth", "ticket": ticket["ticket"] }),
        subscribe,
    ] {
        socket.send(Message::text(frame.to_string())).await?;
    }
    while let Some(message) = socket.next().await {
        let Message::Text(text) = message? else {
            continue;
        };
        let frame: Value = serde_json::from_str(&text)?;
        match frame["type"].as_str() {
            Some("snapshot" | "event") => {}
            Some("error") if frame["topic"] == topic => {
                let code = frame["code"].as_str().unwrap_or("refused");
                return Err(Refused(format!("this video cannot be watched ({code})")).into());
            }
            Some("error") => bail!("the server answered {}", frame["code"]),
            _ => continue,
        }
        let since = json!({ "epoch": frame["epoch"], "seq": frame["seq"] });
        *position = Position {
            since: Some(since),
            tries: 0,
        };
        if frame["data"]["type"] == "video_deleted" {
            return Err(Refused("the video was deleted".into()).into());
        }
        let view: View = serde_json::from_value(frame["data"]["video"].clone())
            .context("a frame without a video")?;
        screen.show(&view);
        if view.status != "processing" {
            return Ok(view);
        }
    }
    bail!("the connection ended")
}

/// Bars in a terminal, lines elsewhere.
struct Screen {
    bars: MultiProgress,
    total: ProgressBar,
    qualities: BTreeMap<String, ProgressBar>,
    shown: Option<View>,
    terminal: bool,
}

impl Screen {
    fn new() -> Self {
        let bars = MultiProgress::new();
        let terminal = !bars.is_hidden();
        let total = bars.add(ProgressBar::new(100));
        total.set_style(style("{wide_bar:.cyan/dim} {pos:>3} %  {msg}"));
        Self {
            bars,
            total,
            qualities: BTreeMap::new(),
            shown: None,
            terminal,
        }
    }

    fn show(&mut self, view: &View) {
        if self.shown.as_ref() == Some(view) {
            return;
        }
        if !self.terminal {
            println!(
                "{:>3} % {}{}",
                view.progress,
                view.stage,
                if view.playable { ", playable" } else { "" }
            );
        } else if self
            .shown
            .as_ref()
            .is_none_or(|shown| shown.title != view.title)
        {
            self.say(&view.title);
        }
        // The stage, and that one need not wait for the end.
        let message = if view.playable {
            format!("{}, playable", view.stage)
        } else {
            view.stage.clone()
        };
        self.total.set_message(message);
        self.total
            .set_position(self.total.position().max(view.progress.min(100)));
        for quality in &view.qualities {
            let bar = self
                .qualities
                .entry(quality.name.clone())
                .or_insert_with(|| {
                    let bar = self.bars.add(ProgressBar::new_spinner());
                    bar.set_style(style("  {spinner} {prefix:<6} {msg}"));
                    bar.set_prefix(quality.name.clone());
                    bar.enable_steady_tick(Duration::from_millis(120));
                    bar
                });
            bar.set_message(quality.status.clone());
            if quality.status == "ready" {
                bar.finish();
            }
        }
        self.shown = Some(view.clone());
    }

    fn say(&self, line: &str) {
        if self.terminal {
            let _screen_is_gone = self.bars.println(line);
        } else {
            eprintln!("{line}");
        }
    }

    fn finish(self, view: &View) -> anyhow::Result<()> {
        for bar in self.qualities.values() {
            bar.finish();
        }
        if view.status == "ready" {
            self.total.finish();
            println!("{} is ready.", view.title);
            return Ok(());
        }
        self.total.abandon();
        let reason = view
            .error
            .as_ref()
            .map_or("no reason was given", |error| &error.message);
        bail!("{} has failed: {reason}", view.title)
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
