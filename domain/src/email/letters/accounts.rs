//! Letters about an account. They are part of what the person asked for, so they name no way to end them.

use super::{Language, Letter, Reader};

/// Asks whether an address is the person's own; the link is good for `hours`.
pub fn verify_address(reader: &Reader<'_>, url: &str, hours: u32) -> Letter {
    match reader.language {
        Language::ZhTw => reader
            .letter("請確認您的電子郵件地址")
            .paragraph("請按下方按鈕，確認這是您的電子郵件地址。")
            .action("確認地址", url)
            .note(format!("這個連結在 {hours} 小時內有效，且只能使用一次。"))
            .note("如果您沒有註冊 Millrace，請忽略這封郵件。"),
        Language::En => reader
            .letter("Confirm your email address")
            .paragraph("Press the button to confirm that this address is yours.")
            .action("Confirm address", url)
            .note(format!("The link is good for {}, once.", span(hours)))
            .note("If you did not register with Millrace, ignore this mail."),
    }
}

/// Asks whether the address that an account is to have is the person's own; the link is good for `hours`.
pub fn change_address(reader: &Reader<'_>, url: &str, hours: u32) -> Letter {
    match reader.language {
        Language::ZhTw => reader
            .letter("請確認您的新電子郵件地址")
            .paragraph("請按下方按鈕，將這個地址設為您 Millrace 帳號的電子郵件地址。")
            .action("確認新地址", url)
            .note(format!("這個連結在 {hours} 小時內有效，且只能使用一次。"))
            .note("如果您沒有要求變更，請忽略這封郵件：什麼都不會改變。"),
        Language::En => reader
            .letter("Confirm your new email address")
            .paragraph("Press the button to make this the address of your Millrace account.")
            .action("Confirm the new address", url)
            .note(format!("The link is good for {}, once.", span(hours)))
            .note("If you did not ask for this, ignore this mail: nothing will change."),
    }
}

/// Tells the address that an account had before that it has another one.
pub fn address_changed(reader: &Reader<'_>) -> Letter {
    match reader.language {
        Language::ZhTw => reader
            .letter("您的電子郵件地址已變更")
            .paragraph("您的 Millrace 帳號改用另一個電子郵件地址，之後的郵件都會寄到那裡。")
            .note("如果不是您本人，請立刻聯絡這個網站的管理者。"),
        Language::En => reader
            .letter("Your email address was changed")
            .paragraph("Your Millrace account has another address now. Mail will go there.")
            .note("If it was not you, please tell the people who run this site at once."),
    }
}

/// Tells that the password is another one; `url` is where it can be reset.
pub fn password_changed(reader: &Reader<'_>, url: &str) -> Letter {
    match reader.language {
        Language::ZhTw => reader
            .letter("您的密碼已變更")
            .paragraph("您的 Millrace 帳號已設定新密碼，其他裝置都已登出。")
            .action("這不是我", url)
            .note("如果是您本人，不需要做任何事。"),
        Language::En => reader
            .letter("Your password was changed")
            .paragraph("Your Millrace account has a new password. Other devices were signed out.")
            .action("This was not me", url)
            .note("If it was you, there is nothing to do."),
    }
}

/// Lets a person choose another password; the link is good for `hours`.
pub fn reset_password(reader: &Reader<'_>, url: &str, hours: u32) -> Letter {
    match reader.language {
        Language::ZhTw => reader
            .letter("重設您的密碼")
            .paragraph("有人要求重設您 Millrace 帳號的密碼。若是您本人，請按下方按鈕設定新密碼。")
            .action("設定新密碼", url)
            .note(format!("這個連結在 {hours} 小時內有效，且只能使用一次。"))
            .note("如果不是您本人，請忽略這封郵件：您的密碼不會改變。"),
        Language::En => reader
            .letter("Reset your password")
            .paragraph("Somebody asked for a new password for your Millrace account. If it was you, choose one:")
            .action("Choose a new password", url)
            .note(format!("The link is good for {}, once.", span(hours)))
            .note("If it was not you, ignore this mail: your password stays as it is."),
    }
}

/// Says where a copy of what the account holds can be fetched, for `days`.
pub fn export_ready(reader: &Reader<'_>, url: &str, days: u32) -> Letter {
    match reader.language {
        Language::ZhTw => reader
            .letter("您的資料副本已準備好")
            .paragraph("您要求的 Millrace 帳號資料副本已經可以下載。")
            .action("下載", url)
            .note(format!("這個連結在 {days} 天內有效。任何擁有連結的人都能下載，請勿轉寄。")),
        Language::En => reader
            .letter("Your data is ready")
            .paragraph("The copy of your Millrace account that you asked for can be downloaded.")
            .action("Download", url)
            .note(format!(
                "The link is good for {days} days. Whoever has it can download your data: do not pass it on."
            )),
    }
}

/// Says farewell after an account and everything in it was deleted.
pub fn account_deleted(reader: &Reader<'_>) -> Letter {
    match reader.language {
        Language::ZhTw => reader
            .letter("您的帳號已刪除")
            .paragraph("您的 Millrace 帳號以及其中的影片和資料都已刪除。")
            .paragraph("感謝您曾經使用 Millrace。"),
        Language::En => reader
            .letter("Your account was deleted")
            .paragraph("Your Millrace account is gone, and with it your videos and data.")
            .paragraph("Thank you for having been here."),
    }
}

fn span(hours: u32) -> String {
    match hours {
        1 => "an hour".to_owned(),
        _ => format!("{hours} hours"),
    }
}
