//! Letters about what other people did.

use super::{Language, Letter, Reader};

/// Somebody commented on one's video.
pub fn comment(reader: &Reader<'_>, who: &str, title: &str, url: &str) -> Letter {
    match reader.language {
        Language::ZhTw => reader
            .letter(format!("{who} 在「{title}」留言"))
            .paragraph(format!("{who} 在您的影片「{title}」留下了一則留言。"))
            .action("查看留言", url),
        Language::En => reader
            .letter(format!("{who} commented on {title}"))
            .paragraph(format!("{who} wrote a comment on your video “{title}”."))
            .action("Read it", url),
    }
}

/// Somebody answered one's comment.
pub fn reply(reader: &Reader<'_>, who: &str, title: &str, url: &str) -> Letter {
    match reader.language {
        Language::ZhTw => reader
            .letter(format!("{who} 回覆了您的留言"))
            .paragraph(format!("{who} 回覆了您在「{title}」的留言。"))
            .action("查看回覆", url),
        Language::En => reader
            .letter(format!("{who} answered you"))
            .paragraph(format!("{who} answered your comment on “{title}”."))
            .action("Read it", url),
    }
}

/// Somebody follows one now.
pub fn follower(reader: &Reader<'_>, who: &str, url: &str) -> Letter {
    match reader.language {
        Language::ZhTw => reader
            .letter(format!("{who} 開始追蹤您"))
            .paragraph(format!("{who} 開始追蹤您的頻道，會收到您新影片的通知。"))
            .action("查看頻道", url),
        Language::En => reader
            .letter(format!("{who} follows you"))
            .paragraph(format!(
                "{who} follows your channel and will hear of your new videos."
            ))
            .action("See their channel", url),
    }
}

/// A creator whom one follows published a video.
pub fn published(reader: &Reader<'_>, who: &str, title: &str, url: &str) -> Letter {
    match reader.language {
        Language::ZhTw => reader
            .letter(format!("{who} 發布了新影片：{title}"))
            .paragraph(format!("您追蹤的 {who} 發布了「{title}」。"))
            .action("觀看影片", url),
        Language::En => reader
            .letter(format!("New from {who}: {title}"))
            .paragraph(format!("{who}, whom you follow, published “{title}”."))
            .action("Watch it", url),
    }
}
