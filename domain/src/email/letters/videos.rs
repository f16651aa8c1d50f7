//! Letters about videos.

use super::{Language, Letter, Reader};

/// One's video can be watched in full.
pub fn video_ready(reader: &Reader<'_>, title: &str, url: &str) -> Letter {
    match reader.language {
        Language::ZhTw => reader
            .letter(format!("影片已可觀看：{title}"))
            .paragraph(format!(
                "您的影片「{title}」已處理完成，所有畫質都可以觀看了。"
            ))
            .action("觀看影片", url),
        Language::En => reader
            .letter(format!("Ready to watch: {title}"))
            .paragraph(format!(
                "Your video “{title}” is done. It can be watched in every quality."
            ))
            .action("Watch it", url),
    }
}

/// One's video could not be made; `code` is the stable word of the reason.
pub fn video_failed(reader: &Reader<'_>, title: &str, code: Option<&str>, url: &str) -> Letter {
    let why = reason(reader.language, code.unwrap_or_default());
    match reader.language {
        Language::ZhTw => reader
            .letter(format!("影片處理失敗：{title}"))
            .paragraph(format!("您的影片「{title}」無法完成處理。"))
            .paragraph(why)
            .paragraph("已完成的部分會保留；您可以在影片頁面重試或刪除影片。")
            .action("開啟影片頁面", url),
        Language::En => reader
            .letter(format!("Processing failed: {title}"))
            .paragraph(format!("Your video “{title}” could not be finished."))
            .paragraph(why)
            .paragraph("What was done is kept. On the video's page you can try again or delete it.")
            .action("Open the video's page", url),
    }
}

/// Why, in a sentence: that of the video's page, for the reasons that a person can do something about.
fn reason(language: Language, code: &str) -> &'static str {
    let (zh_tw, en) = match code {
        "not_media" => (
            "這個檔案不是可讀取的影片。",
            "The file is not a video we can read.",
        ),
        "empty_file" => ("這個檔案是空的。", "The file is empty."),
        "truncated" => (
            "檔案不完整，缺少結尾。",
            "The file is incomplete: its end is missing.",
        ),
        "damaged" | "undecodable" | "crashed" | "transcoder_crashed" => {
            ("這個檔案可能已損壞。", "The file may be damaged.")
        }
        "no_streams" | "no_picture" | "zero_duration" => (
            "這個檔案裡沒有可以播放的內容。",
            "There is nothing in the file that could be played.",
        ),
        "unsupported_codec" | "unsupported_format" | "too_many_streams" => (
            "不支援這種檔案，請改用 H.264 的 MP4 檔。",
            "This kind of file is not supported. Try H.264 in an MP4 file.",
        ),
        "too_large_dimensions" | "too_long" | "too_expensive" => (
            "影片太長或畫面太大。",
            "The video is too long, or its picture too large.",
        ),
        "source_missing" | "source_changed" => (
            "上傳的檔案已不存在或已變更，請重新上傳。",
            "The uploaded file is gone or has changed. Please upload it again.",
        ),
        _ => (
            "我們這邊處理失敗。您可以再試一次，會從中斷的步驟繼續。",
            "It failed for a reason on our side. You can try again: it goes on where it stopped.",
        ),
    };
    language.pick(zh_tw, en)
}
