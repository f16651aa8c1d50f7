//! Cues, and how they are written.

/// A caption from one moment to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cue {
    /// Milliseconds.
    pub from: i64,
    /// Milliseconds, after `from`.
    pub to: i64,
    /// WebVTT settings such as `line:0`, those that we know.
    pub settings: String,
    /// Lines, with WebVTT's own tags only.
    pub text: String,
}

/// Cues as a WebVTT file, in the order of time.
pub fn render(cues: &[Cue]) -> String {
    let mut sorted: Vec<&Cue> = cues.iter().collect();
    sorted.sort_by_key(|cue| (cue.from, cue.to));
    let mut text = String::from("WEBVTT\n");
    for cue in sorted {
        text.push_str(&format!("\n{} --> {}", clock(cue.from), clock(cue.to)));
        if !cue.settings.is_empty() {
            text.push(' ');
            text.push_str(&cue.settings);
        }
        text.push_str(&format!("\n{}\n", cue.text));
    }
    text
}

fn clock(millis: i64) -> String {
    let (hours, rest) = (millis / 3_600_000, millis % 3_600_000);
    format!(
        "{hours:02}:{:02}:{:02}.{:03}",
        rest / 60_000,
        rest % 60_000 / 1000,
        rest % 1000
    )
}
