//! The transcoder that runs ffmpeg here.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use futures::future::{BoxFuture, FutureExt};
use tokio::sync::{OnceCell, mpsc};
use tokio_util::sync::CancellationToken;

use super::{
    failure::failure,
    guards::{before_input, file_url},
    limits::{LimitOptions, Limits, Work},
    process::{Ended, Launcher, Run},
    progress::Tick,
    sandbox::Sandbox,
    spawner::Spawner,
    work_dir::{MediaUser, WorkDir},
};
use crate::media::{
    encode::{
        self, AudioSpec, ChunkSpec, ClosedSegment, CopiedFile, CopySpec, Poster, PosterSpec,
        ProgressFn, Storyboard, StoryboardSpec,
    },
    error::MediaError,
    probe::Probe,
    scan::Scan,
    transcoder::Transcoder,
};

/// The watchdog waits at least this long, and five times what a segment should take.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// How to run ffmpeg.
#[derive(Debug, Clone)]
pub struct FfmpegOptions {
    /// The program: a path, or a name to search for.
    pub ffmpeg: PathBuf,
    /// The program: a path, or a name to search for.
    pub ffprobe: PathBuf,
    /// Whom to run it as. Takes effect only when we are root, and is needed then.
    pub user: Option<MediaUser>,
    /// Threads of a decoder or encoder; 0 lets ffmpeg decide by the cores it sees.
    pub threads: u32,
    /// x264's preset.
    pub preset: String,
    /// What one run may use.
    pub limits: LimitOptions,
    /// Refuse to work where ffmpeg would have a network or see files of others.
    pub require_sandbox: bool,
    /// Where private working directories are made. The media user must be able to pass through.
    pub work_dir: PathBuf,
}

/// Probes and encodes by local ffmpeg processes.
pub struct FfmpegTranscoder {
    pub(super) options: FfmpegOptions,
    pub(super) launcher: Launcher,
    pub(super) sandbox: OnceCell<Sandbox>,
    filters: OnceCell<String>,
}

/// An encode: everything after the guards.
pub(crate) struct Job<'a> {
    pub(crate) args: Vec<OsString>,
    pub(crate) cwd: &'a Path,
    /// The file that it reads: of all that is outside `cwd`, it can see no other.
    pub(crate) source: &'a Path,
    /// What it has to do, from which its limits follow.
    pub(crate) work: Work,
    /// How long the first or the next sign of life should take at the very most.
    pub(crate) expected: Duration,
}

impl FfmpegTranscoder {
    /// A transcoder. Nothing is run yet; see [`Transcoder::check`].
    pub fn new(mut options: FfmpegOptions) -> Result<Self, MediaError> {
        if !nix::unistd::geteuid().is_root() {
            options.user = None;
        } else if options.user.is_none_or(|user| user.uid == 0) {
            return Err(MediaError::configuration(
                "As root, ffmpeg must be given an unprivileged user to run as.",
            ));
        }
        options.work_dir = std::path::absolute(&options.work_dir).unwrap_or(options.work_dir);
        let spawner = Spawner::start().map_err(|error| {
            MediaError::transient("A thread cannot be started.").with_detail(error.to_string())
        })?;
        let launcher = Launcher {
            spawner,
            path: std::env::var_os("PATH"),
        };
        Ok(Self {
            options,
            launcher,
            sandbox: OnceCell::new(),
            filters: OnceCell::new(),
        })
    }

    pub(crate) fn options(&self) -> &FfmpegOptions {
        &self.options
    }

    /// A new private directory.
    pub(crate) fn work_dir(&self, purpose: &str) -> Result<WorkDir, MediaError> {
        WorkDir::create(&self.options.work_dir, purpose, self.options.user)
    }

    /// The guards, and the input.
    pub(crate) fn input(&self, source: &Path) -> impl Iterator<Item = OsString> + use<> {
        let threads = ["-threads".into(), self.options.threads.to_string().into()];
        let source = std::path::absolute(source).unwrap_or_else(|_| source.to_owned());
        before_input(false)
            .into_iter()
            .chain(threads)
            .chain(["-i".into(), file_url(&source)])
    }

    /// HDR can be brought to standard range.
    pub(crate) async fn can_tone_map(
        &self,
        cancel: &CancellationToken,
    ) -> Result<bool, MediaError> {
        let filters = self
            .filters
            .get_or_try_init(|| self.list("-filters", cancel))
            .await?;
        Ok([" zscale ", " tonemap "]
            .iter()
            .all(|filter| filters.contains(filter)))
    }

    /// Runs to the end and keeps what it says.
    pub(super) async fn capture(
        &self,
        run: Run<'_>,
        cancel: &CancellationToken,
    ) -> Result<Ended, MediaError> {
        let sandbox = self.sandbox().await?;
        self.launcher.capture(sandbox, run, cancel).await
    }

    /// Runs ffmpeg to the end; an unhappy end is an error, classified.
    pub(crate) async fn encode(
        &self,
        job: Job<'_>,
        report: &(dyn Fn(Tick) + Send + Sync),
        cancel: &CancellationToken,
    ) -> Result<(), MediaError> {
        let threads = self.options.threads.to_string();
        let before = [
            "-hide_banner",
            "-nostdin",
            "-loglevel",
            "error",
            "-y",
            "-progress",
            "pipe:1",
            "-stats_period",
            "0.25",
            "-filter_threads",
            &threads,
            "-filter_complex_threads",
            &threads,
        ];
        let args = before
            .into_iter()
            .map(OsString::from)
            .chain(job.args)
            .collect();
        let sandbox = self.sandbox().await?;
        let threads = match self.options.threads {
            0 => u32::try_from(sandbox.cores).unwrap_or(u32::MAX),
            threads => threads,
        };
        let source = std::path::absolute(job.source).unwrap_or_else(|_| job.source.to_owned());
        let run = Run {
            program: &self.options.ffmpeg,
            args,
            cwd: job.cwd,
            source: Some(&source),
            limits: Limits::of(&job.work, threads, &self.options.limits),
            patience: PATIENCE.max(job.expected * 5),
        };
        let ended = self.launcher.follow(sandbox, run, report, cancel).await?;
        if ended.status.success() {
            Ok(())
        } else {
            Err(failure(ended.status, &ended.stderr))
        }
    }

    /// The user must be able to read what it decodes; it may not have been the one who downloaded it.
    pub(super) fn admit(&self, source: &Path) -> Result<(), MediaError> {
        let admitted = match self.options.user {
            Some(user) => user.own(source),
            None => std::fs::metadata(source).map(|_| ()),
        };
        admitted.map_err(|error| {
            MediaError::transient("The source file cannot be read.").with_detail(error.to_string())
        })
    }
}

impl Transcoder for FfmpegTranscoder {
    fn check(&self) -> BoxFuture<'_, Result<(), MediaError>> {
        self.examine_ffmpeg().boxed()
    }

    fn probe<'a>(
        &'a self,
        source: &'a Path,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<Probe, MediaError>> {
        self.examine(source, cancel).boxed()
    }

    fn encode_chunk<'a>(
        &'a self,
        spec: &'a ChunkSpec,
        closed: mpsc::Sender<ClosedSegment>,
        progress: ProgressFn<'a>,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<(), MediaError>> {
        async move {
            self.admit(&spec.source)?;
            encode::encode_chunk(self, spec, closed, progress, cancel).await
        }
        .boxed()
    }

    fn encode_audio<'a>(
        &'a self,
        spec: &'a AudioSpec,
        closed: mpsc::Sender<ClosedSegment>,
        progress: ProgressFn<'a>,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<(), MediaError>> {
        async move {
            self.admit(&spec.source)?;
            encode::encode_audio(self, spec, closed, progress, cancel).await
        }
        .boxed()
    }

    fn scan<'a>(
        &'a self,
        source: &'a Path,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<Scan, MediaError>> {
        async move {
            self.admit(source)?;
            encode::scan(self, source, cancel).await
        }
        .boxed()
    }

    fn copy_file<'a>(
        &'a self,
        spec: &'a CopySpec,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<CopiedFile, MediaError>> {
        async move {
            self.admit(&spec.source)?;
            encode::copy_file(self, spec, cancel).await
        }
        .boxed()
    }

    fn copy_segments<'a>(
        &'a self,
        spec: &'a CopySpec,
        closed: mpsc::Sender<ClosedSegment>,
        progress: ProgressFn<'a>,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<(), MediaError>> {
        async move {
            self.admit(&spec.source)?;
            encode::copy_segments(self, spec, closed, progress, cancel).await
        }
        .boxed()
    }

    fn poster<'a>(
        &'a self,
        spec: &'a PosterSpec,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<Poster, MediaError>> {
        async move {
            self.admit(&spec.source)?;
            encode::poster(self, spec, cancel).await
        }
        .boxed()
    }

    fn storyboard<'a>(
        &'a self,
        spec: &'a StoryboardSpec,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<Storyboard, MediaError>> {
        async move {
            self.admit(&spec.source)?;
            encode::storyboard(self, spec, cancel).await
        }
        .boxed()
    }

    fn picture<'a>(
        &'a self,
        source: &'a Path,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<Poster, MediaError>> {
        async move {
            self.admit(source)?;
            encode::picture(self, source, cancel).await
        }
        .boxed()
    }
}
