//! What a mail is about.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{AppealId, CaseId, DecisionId, UserId, VideoId},
    notifications::Kind,
};

/// What a mail is about: ids only. A job's arguments can be read by people who look at jobs, so texts are made, and
/// single-use links minted, when the mail is sent ([`Sender::compose`](super::Sender::compose)).
///
/// To add one: a variant here, a letter in `letters`, and its arm in `compose.rs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "snake_case")]
pub enum Message {
    /// One's video can be watched in full.
    VideoReady { video: VideoId },
    /// One's video could not be made.
    VideoFailed { video: VideoId },
    /// Is this address yours?
    VerifyAddress { user: UserId },
    /// The same, to the address that one's account is to have.
    ChangeAddress {
        user: UserId,
        /// [`Link::ended`](crate::accounts::Link::ended) when it was asked for: after a reset, the mail is not true any
        /// more.
        #[serde(default)]
        ended: i32,
    },
    /// One's account has another address now: said to the one before.
    AddressChanged { user: UserId },
    /// Choose another password.
    ResetPassword { user: UserId },
    /// One's password was changed.
    PasswordChanged { user: UserId },
    /// A copy of what one's account holds can be fetched.
    ExportReady { user: UserId },
    /// Somebody commented on one's video.
    Comment { video: VideoId, actor: UserId },
    /// Somebody answered one's comment on a video.
    Reply { video: VideoId, actor: UserId },
    /// Somebody follows one now.
    Follower { actor: UserId },
    /// A creator whom one follows published a video.
    Published { video: VideoId },
    /// Staff hid or deleted something of one's own, or locked one out.
    Decision { decision: DecisionId },
    /// A decision about something of one's own does not stand any more.
    DecisionLifted { decision: DecisionId },
    /// One's appeal was not accepted.
    AppealRejected {
        decision: DecisionId,
        appeal: AppealId,
    },
    /// Staff decided on something that one reported.
    ReportDecided { case: CaseId },
    /// One's account is gone. The mail's row knows the name and the address.
    AccountDeleted,
}

impl Message {
    /// The word by which people who look at mails know it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::VideoReady { .. } => "video_ready",
            Self::VideoFailed { .. } => "video_failed",
            Self::VerifyAddress { .. } => "verify_address",
            Self::ChangeAddress { .. } => "change_address",
            Self::AddressChanged { .. } => "address_changed",
            Self::ResetPassword { .. } => "reset_password",
            Self::PasswordChanged { .. } => "password_changed",
            Self::ExportReady { .. } => "export_ready",
            Self::Comment { .. } => "comment",
            Self::Reply { .. } => "reply",
            Self::Follower { .. } => "follower",
            Self::Published { .. } => "published",
            Self::Decision { .. } => "decision",
            Self::DecisionLifted { .. } => "decision_lifted",
            Self::AppealRejected { .. } => "appeal_rejected",
            Self::ReportDecided { .. } => "report_decided",
            Self::AccountDeleted => "account_deleted",
        }
    }

    /// The kind of news that it is, which the reader may have ended; none for what is part of what they asked for.
    pub const fn news(&self) -> Option<Kind> {
        match self {
            Self::VideoReady { .. } => Some(Kind::VideoReady),
            Self::VideoFailed { .. } => Some(Kind::VideoFailed),
            Self::VerifyAddress { .. }
            | Self::ChangeAddress { .. }
            | Self::AddressChanged { .. }
            | Self::ResetPassword { .. }
            | Self::PasswordChanged { .. }
            | Self::ExportReady { .. } => None,
            Self::Comment { .. } => Some(Kind::Comment),
            Self::Reply { .. } => Some(Kind::Reply),
            Self::Follower { .. } => Some(Kind::Follower),
            Self::Published { .. } => Some(Kind::Published),
            Self::ReportDecided { .. } => Some(Kind::Report),
            // Whoever was judged has to hear of it.
            Self::Decision { .. }
            | Self::DecisionLifted { .. }
            | Self::AppealRejected { .. }
            | Self::AccountDeleted => None,
        }
    }
}
