//! Clips, a transcoder, and what it made.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
};

use millrace_domain::media::{
    AudioSpec, ChunkPlan, ChunkSpec, ClosedSegment, CopySpec, FfmpegOptions, FfmpegTranscoder,
    Grid, LimitOptions, MediaError, MediaUser, Plan, Probe, Progress, Rendition, Rung, Transcoder,
    mp4::{Fragment, Init},
};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A directory with clips, and a transcoder that works in it.
pub(crate) struct Stage {
    pub(crate) dir: TempDir,
    pub(crate) transcoder: FfmpegTranscoder,
}

/// What an encode made: bytes by rendition and number.
#[derive(Default)]
pub(crate) struct Made {
    pub(crate) inits: BTreeMap<Rendition, Vec<u8>>,
    pub(crate) segments: BTreeMap<(Rendition, i32), Vec<u8>>,
    /// The highest frame that progress named, each time it named one.
    pub(crate) progress: Vec<Progress>,
    /// Segments that were announced while the encoder was still at work.
    pub(crate) early: usize,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with_preset("veryfast")
    }

    pub(crate) fn with_preset(preset: &str) -> Self {
        Self::with(|options, _| options.preset = preset.into())
    }

    /// A stage whose transcoder is told something else, for which there may be files in its directory.
    pub(crate) fn with(change: impl FnOnce(&mut FfmpegOptions, &Path)) -> Self {
        let dir = tempfile::Builder::new()
            .permissions(fs::Permissions::from_mode(0o711))
            .tempdir()
            .expect("a directory for clips");
        let mut options = FfmpegOptions {
            ffmpeg: "ffmpeg".into(),
            ffprobe: "ffprobe".into(),
            user: Some(MediaUser {
                uid: 65534,
                gid: 65534,
            }),
            threads: 2,
            preset: "veryfast".into(),
            limits: LimitOptions::default(),
            require_sandbox: false,
            work_dir: dir.path().join("work"),
        };
        change(&mut options, dir.path());
        let transcoder = FfmpegTranscoder::new(options).expect("a transcoder");
        Self { dir, transcoder }
    }

    /// Makes a clip with ffmpeg: all arguments but the last one.
    pub(crate) fn clip(&self, name: &str, args: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        let made = Command::new("ffmpeg")
            .args(["-nostdin", "-v", "error", "-y"])
            .args(args.split_whitespace())
            .arg(&path)
            .status()
            .expect("ffmpeg runs");
        assert!(made.success(), "{name} could not be made");
        path
    }

    pub(crate) fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, content).expect("a file is written");
        path
    }

    pub(crate) async fn probe(&self, source: &Path) -> Result<Probe, MediaError> {
        self.transcoder
            .probe(source, &CancellationToken::new())
            .await
    }

    pub(crate) async fn plan(&self, source: &Path) -> (Probe, Plan) {
        let probe = self.probe(source).await.expect("the clip is fine");
        let plan = Plan::new(&probe, 2);
        (probe, plan)
    }

    pub(crate) async fn chunk(&self, spec: &ChunkSpec) -> Result<Made, MediaError> {
        let cancel = CancellationToken::new();
        let (closed, announced) = mpsc::channel(4);
        let progress = Mutex::new(Vec::new());
        let report = |tick| progress.lock().expect("not poisoned").push(tick);
        let encode = self.transcoder.encode_chunk(spec, closed, &report, &cancel);
        let mut made = collect(encode, announced).await?;
        made.progress = progress.into_inner().expect("not poisoned");
        Ok(made)
    }

    pub(crate) async fn audio(
        &self,
        source: &Path,
        grid: Grid,
        from_segment: i32,
    ) -> Result<Made, MediaError> {
        let cancel = CancellationToken::new();
        let (closed, announced) = mpsc::channel(4);
        let track = self.probe(source).await?.audio.map_or(0, |a| a.index);
        let spec = AudioSpec {
            source: source.to_owned(),
            track,
            grid,
            from_segment,
        };
        collect(
            self.transcoder
                .encode_audio(&spec, closed, &|_| {}, &cancel),
            announced,
        )
        .await
    }

    /// Copies the picture into segments, announced from `from_segment` on.
    pub(crate) async fn copy(&self, source: &Path, from_segment: i32) -> Result<Made, MediaError> {
        let cancel = CancellationToken::new();
        let (closed, announced) = mpsc::channel(4);
        let spec = self.copy_spec(source, from_segment).await;
        let copy = self
            .transcoder
            .copy_segments(&spec, closed, &|_| {}, &cancel);
        collect(copy, announced).await
    }

    pub(crate) async fn copy_spec(&self, source: &Path, from_segment: i32) -> CopySpec {
        let (probe, plan) = self.plan(source).await;
        CopySpec {
            source: source.to_owned(),
            probe,
            grid: plan.grid,
            from_segment,
        }
    }

    /// Encodes the whole picture in one chunk.
    pub(crate) async fn whole(&self, source: &Path) -> (Plan, Made) {
        let (probe, plan) = self.plan(source).await;
        let chunk = slice(&plan.grid, 0, 0, plan.grid.segment_count());
        let spec = spec(source, &probe, &plan.grid, &plan.ladder, chunk);
        let made = self.chunk(&spec).await.expect("the clip is encoded");
        (plan, made)
    }

    /// Writes a rendition as one file and says what ffprobe prints about its packets or frames.
    pub(crate) fn inspect(&self, made: &Made, rendition: Rendition, ask: &[&str]) -> Vec<String> {
        let path = self.dir.path().join(format!("{rendition}.whole.mp4"));
        fs::write(&path, made.whole(rendition)).expect("a file is written");
        Self::inspect_file(&path, ask)
    }

    /// What ffprobe prints about a file.
    pub(crate) fn inspect_file(path: &Path, ask: &[&str]) -> Vec<String> {
        let output = Command::new("ffprobe")
            .args(["-v", "error"])
            .args(ask)
            .args(["-of", "csv=p=0"])
            .arg(path)
            .output()
            .expect("ffprobe runs");
        assert!(
            output.stderr.is_empty(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(|line| line.trim_end_matches(',').to_owned())
            .collect()
    }

    /// The worst match of a frame with the source's frame of the same number, in dB.
    pub(crate) fn likeness(&self, made: &Made, rendition: Rendition, source: &Path) -> f64 {
        let whole = self.file("compared.mp4", &made.whole(rendition));
        let stats = self.dir.path().join("psnr.txt");
        let init = made.init(rendition);
        // Sources of the tests do not state their colours, and so they are BT.601 to ffmpeg.
        let graph = format!(
            "[0:v]settb=1/30,setpts=N,scale=in_color_matrix=bt709:out_color_matrix=bt601,format=yuv420p[a];\
             [1:v]settb=1/30,setpts=N,scale={}:{}:flags=bicubic,setsar=1,format=yuv420p[b];\
             [a][b]psnr=stats_file={}",
            init.width,
            init.height,
            stats.display()
        );
        let compared = Command::new("ffmpeg")
            .args(["-nostdin", "-v", "fatal", "-i"])
            .arg(whole)
            .arg("-i")
            .arg(source)
            .args(["-lavfi", &graph])
            .args(["-fps_mode", "passthrough", "-f", "null", "-"])
            .status()
            .expect("ffmpeg runs");
        assert!(compared.success());
        let stats = fs::read_to_string(stats).expect("frames were compared");
        let frames = stats
            .lines()
            .filter_map(|line| line.split_once("psnr_avg:")?.1.split(' ').next());
        frames
            .map(|db| db.parse().unwrap_or(f64::INFINITY))
            .fold(f64::INFINITY, f64::min)
    }

    /// No private directory is left, and no process that works in one.
    pub(crate) fn is_clean(&self) -> bool {
        let work = self.dir.path().join("work");
        let left = fs::read_dir(&work).map_or(0, Iterator::count);
        left == 0 && self.processes().is_empty()
    }

    /// Processes whose command line names this stage.
    pub(crate) fn processes(&self) -> Vec<String> {
        let name = self.dir.path().to_string_lossy().into_owned();
        let Ok(all) = fs::read_dir("/proc") else {
            return Vec::new();
        };
        all.filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok())
            .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
            .filter(|line| line.contains(&name))
            .collect()
    }
}

impl Made {
    pub(crate) fn add(&mut self, other: Self) {
        for (rendition, init) in other.inits {
            let first = self.inits.entry(rendition).or_insert_with(|| init.clone());
            assert!(*first == init, "init segments of {rendition} differ");
        }
        for (at, bytes) in other.segments {
            assert!(
                self.segments.insert(at, bytes).is_none(),
                "{at:?} was made twice"
            );
        }
    }

    pub(crate) fn init(&self, rendition: Rendition) -> Init {
        Init::read(&self.inits[&rendition]).expect("our own init segment is readable")
    }

    pub(crate) fn fragments(&self, rendition: Rendition) -> BTreeMap<i32, Fragment> {
        let init = self.init(rendition);
        let own = self.segments.iter().filter(|((of, _), _)| *of == rendition);
        own.map(|((_, n), bytes)| {
            (
                *n,
                Fragment::read(bytes, &init).expect("our own segment is readable"),
            )
        })
        .collect()
    }

    /// The init segment and all segments, one after the other.
    pub(crate) fn whole(&self, rendition: Rendition) -> Vec<u8> {
        let own = self.segments.iter().filter(|((of, _), _)| *of == rendition);
        own.fold(self.inits[&rendition].clone(), |mut whole, (_, bytes)| {
            whole.extend_from_slice(bytes);
            whole
        })
    }
}

pub(crate) fn slice(grid: &Grid, chunk: i32, first_segment: i32, segments: i32) -> ChunkPlan {
    let frames = (first_segment..first_segment + segments)
        .map(|n| grid.frames_of_segment(n))
        .sum();
    let first_frame = i64::from(first_segment) * i64::from(grid.segment_frames);
    ChunkPlan {
        chunk,
        first_frame,
        frames,
        first_segment,
        segments,
    }
}

pub(crate) fn spec(
    source: &Path,
    probe: &Probe,
    grid: &Grid,
    ladder: &[Rung],
    chunk: ChunkPlan,
) -> ChunkSpec {
    ChunkSpec {
        source: source.to_owned(),
        probe: probe.clone(),
        grid: *grid,
        ladder: ladder.to_vec(),
        chunk,
        from_segment: chunk.first_segment,
    }
}

/// Reads and deletes segments as they are announced, as the uploader does.
async fn collect(
    encode: impl Future<Output = Result<(), MediaError>>,
    mut announced: mpsc::Receiver<ClosedSegment>,
) -> Result<Made, MediaError> {
    let mut made = Made::default();
    let mut next: BTreeMap<Rendition, i32> = BTreeMap::new();
    let mut encode = std::pin::pin!(encode);
    let mut ended = None;
    loop {
        tokio::select! {
            result = &mut encode, if ended.is_none() => ended = Some(result),
            segment = announced.recv() => {
                let Some(segment) = segment else { break };
                let ClosedSegment { rendition, n, path, init, .. } = &segment;
                let expected = next.insert(*rendition, n + 1);
                assert!(expected.is_none_or(|expected| expected == *n), "{rendition} {n} is out of order");
                let init = fs::read(init).expect("the init segment is there");
                made.inits.insert(*rendition, init);
                made.segments.insert((*rendition, *n), fs::read(path).expect("the segment is there"));
                fs::remove_file(path).expect("the segment can be deleted");
                made.early += usize::from(ended.is_none());
            }
        }
    }
    let result = match ended {
        Some(result) => result,
        None => encode.await,
    };
    result.map(|()| made)
}
