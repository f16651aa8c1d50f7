//! The kinds, and their list.

crate::job::kinds! {
    /// Says what a file is, decides the grid, the ladder and the chunks, and enqueues the rest of the pipeline.
    probe::Probe,
    /// Copies a source that needs no encoding, to be watched while the ladder is made.
    remux::Remux,
    /// Makes the picture that stands for a video.
    poster::Poster,
    /// Makes the pictures of the seek bar.
    storyboard::Storyboard,
    /// Makes a picture of what somebody uploaded for a video.
    thumbnail::MakeThumbnail,
    /// Encodes the sound of a video.
    audio::EncodeAudio,
    /// Encodes one slice of a video into every rung.
    chunk::EncodeChunk,
    /// Asks MediaConvert for a ladder.
    mediaconvert_submit::MediaconvertSubmit,
    /// Waits for MediaConvert.
    mediaconvert_poll::MediaconvertPoll,
    /// Makes segments of what MediaConvert wrote.
    mediaconvert_register::MediaconvertRegister,
    /// Stops a job at MediaConvert that nobody needs any more.
    mediaconvert_cancel::MediaconvertCancel,
    /// Looks after jobs at MediaConvert that nobody looks after.
    mediaconvert_sweep::MediaconvertSweep,
    /// Checks that every segment is there and measures the renditions.
    package::Package,
    /// Makes a video ready.
    publish::Publish,
    /// Makes a video public at its time.
    publish_scheduled::PublishScheduled,
    /// Ends a video whose pipeline gave up.
    video_failed::VideoFailed,
    /// Makes a person's picture small.
    resize_avatar::ResizeAvatar,
    /// Sends a mail.
    email::SendEmail,
    /// Says of a mail that nobody tries to send it any more.
    email_failed::EmailFailed,
    /// Mails a link to choose another password.
    forgot_password::ForgotPassword,
    /// Deletes an account with all that is its.
    delete_account::DeleteAccount,
    /// Makes a copy of what an account holds.
    export_account::ExportAccount,
    /// Lets a person in again when their suspension is over.
    lift_suspension::LiftSuspension,
    /// Tells a creator's followers of a video.
    notify_followers::NotifyFollowers,
    /// Tells who reported something what was decided.
    tell_reporters::TellReporters,
    /// Asks the provider for a page to pay on.
    payment_checkout::PaymentCheckout,
    /// Works off what a provider said.
    payment_callback::PaymentCallback,
    /// Closes the page of an order that was given up.
    payment_close::PaymentClose,
    /// Gives money back.
    payment_refund::PaymentRefund,
    /// Asks the provider how an order stands.
    payment_reconcile::PaymentReconcile,
    /// Gives up orders that nobody paid in time.
    expire_payments::ExpirePayments,
    /// Finds what was lost between the provider and us.
    reconcile_payments::ReconcilePayments,
    /// Compares the ledger with the provider.
    compare_ledger::CompareLedger,
    /// Deletes objects that nothing refers to any more.
    delete_objects::DeleteObjects,
    /// Deletes objects that no row names.
    sweep_orphans::SweepOrphans,
    /// Drops copies of videos whose ladder is there.
    sweep_copies::SweepCopies,
    /// Changes many videos.
    bulk_videos::BulkVideos,
    /// Sums up what was watched.
    sum_up_statistics::SumUpStatistics,
    /// Deletes videos that have been in the trash for long.
    empty_trash::EmptyTrash,
    /// Deletes rows past their time.
    sweep_expired::SweepExpired,
    /// Deletes cached values that are too old.
    sweep_cache::SweepCache,
    /// Ends uploads that were abandoned.
    sweep_uploads::SweepUploads,
    /// Adds views that were noted to the videos.
    flush_views::FlushViews,
    /// Makes the list of what is watched most these days.
    rank_trending::RankTrending,
    /// Makes recommendations.
    recommend::Recommend,
    /// Counts the words that videos say.
    count_search_words::CountSearchWords,
}
