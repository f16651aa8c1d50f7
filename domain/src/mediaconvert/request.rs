//! What is asked for: the ladder of the plan as CMAF with HLS manifests, cut as our own segments are, and a few pictures.
//! A pure function, so that a snapshot can show all of it.

use aws_sdk_mediaconvert::{
    operation::create_job::{CreateJobInput, builders::CreateJobInputBuilder},
    types::{
        AacCodecProfile, AacCodingMode, AacRateControlMode, AacSettings, AntiAlias, AudioCodec,
        AudioCodecSettings, AudioDefaultSelection, AudioDescription, AudioSelector,
        AudioSelectorType, CmafClientCache, CmafCodecSpecification, CmafGroupSettings,
        CmafManifestCompression, CmafSegmentControl, CmafSegmentLengthControl,
        CmafStreamInfResolution, CmafWriteDashManifest, CmafWriteHlsManifest, ColorCorrector,
        ColorSpaceConversion, ContainerSettings, ContainerType, DeinterlaceAlgorithm, Deinterlacer,
        DeinterlacerControl, DeinterlacerMode, FileGroupSettings, FrameCaptureSettings,
        H264CodecProfile, H264FramerateControl, H264FramerateConversionAlgorithm, H264GopSizeUnits,
        H264InterlaceMode, H264ParControl, H264QualityTuningLevel, H264QvbrSettings,
        H264RateControlMode, H264SceneChangeDetect, H264Settings, Input, InputRotate,
        InputTimecodeSource, JobSettings, Output, OutputGroup, OutputGroupSettings,
        OutputGroupType, ScalingBehavior, StatusUpdateInterval, TimecodeConfig, TimecodeSource,
        VideoCodec, VideoCodecSettings, VideoDescription, VideoPreprocessor, VideoSelector,
    },
};
use uuid::Uuid;

use super::{MediaConvertOptions, Outputs, client::TOKEN, outputs::modifier};
use crate::media::{AUDIO_BITRATE, Grid, Plan, Probe, Rendition, Rung};

/// How many pictures the poster is chosen from.
const PICTURES: i32 = 4;
/// The widest picture.
const PICTURE_WIDTH: i32 = 1280;
/// What the sound is called between its selector and its output, as their console calls it.
const SOUND: &str = "Audio Selector 1";

/// A video to be made.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    pub token: Uuid,
    /// The source's key.
    pub source: &'a str,
    pub probe: &'a Probe,
    pub plan: &'a Plan,
    pub outputs: Outputs,
}

/// The job that makes it. Equal orders give equal jobs: their service knows a repetition within a minute by the token.
pub fn request(order: &Order<'_>, options: &MediaConvertOptions) -> CreateJobInputBuilder {
    let mut groups = vec![ladder(order, options)];
    if order.probe.video.is_some() {
        groups.push(pictures(order, options));
    }
    let settings = JobSettings::builder()
        .inputs(input(order, options))
        .set_output_groups(Some(groups))
        .timecode_config(
            TimecodeConfig::builder()
                .source(TimecodeSource::Zerobased)
                .build(),
        )
        .build();
    CreateJobInput::builder()
        .role(&options.role)
        .set_queue(options.queue.clone())
        .client_request_token(order.token.to_string())
        .user_metadata(TOKEN, order.token.to_string())
        .status_update_interval(StatusUpdateInterval::Seconds10)
        .settings(settings)
}

fn input(order: &Order<'_>, options: &MediaConvertOptions) -> Input {
    let mut input = Input::builder()
        .file_input(format!("s3://{}/{}", options.bucket, order.source))
        .timecode_source(InputTimecodeSource::Zerobased);
    if order.probe.video.is_some() {
        input = input.video_selector(VideoSelector::builder().rotate(InputRotate::Auto).build());
    }
    if let Some(audio) = &order.probe.audio {
        let selector = AudioSelector::builder()
            .selector_type(AudioSelectorType::Track)
            // They count from one.
            .tracks(audio.index + 1)
            .default_selection(AudioDefaultSelection::Default)
            .build();
        input = input.audio_selectors(SOUND, selector);
    }
    input.build()
}

fn ladder(order: &Order<'_>, options: &MediaConvertOptions) -> OutputGroup {
    let plan = order.plan;
    // Whole seconds, rounded up by them to the next group of pictures: 4 and two groups of 2.002 s make 4.004 s.
    let seconds = (plan.grid.segment_seconds().floor() as i32).max(1);
    let cmaf = CmafGroupSettings::builder()
        .destination(order.outputs.segments_in(&options.bucket))
        .segment_control(CmafSegmentControl::SegmentedFiles)
        .segment_length(seconds)
        .segment_length_control(CmafSegmentLengthControl::GopMultiple)
        // One fragment a segment: its head is then read by one request.
        .fragment_length(seconds)
        .write_hls_manifest(CmafWriteHlsManifest::Enabled)
        .write_dash_manifest(CmafWriteDashManifest::Disabled)
        .manifest_compression(CmafManifestCompression::None)
        .codec_specification(CmafCodecSpecification::Rfc4281)
        .stream_inf_resolution(CmafStreamInfResolution::Include)
        .client_cache(CmafClientCache::Enabled)
        .build();
    let mut outputs: Vec<Output> = plan
        .ladder
        .iter()
        .map(|rung| picture(rung, &plan.grid, order.probe))
        .collect();
    if plan.audio {
        outputs.push(sound());
    }
    OutputGroup::builder()
        .name("ladder")
        .output_group_settings(
            OutputGroupSettings::builder()
                .r#type(OutputGroupType::CmafGroupSettings)
                .cmaf_group_settings(cmaf)
                .build(),
        )
        .set_outputs(Some(outputs))
        .build()
}

/// One quality. Groups of pictures have a fixed length in frames, though they advise AUTO: segments of all qualities must
/// begin with the same frame, and after each two seconds there is a picture to jump to.
fn picture(rung: &Rung, grid: &Grid, probe: &Probe) -> Output {
    let h264 = H264Settings::builder()
        .rate_control_mode(H264RateControlMode::Qvbr)
        .qvbr_settings(
            H264QvbrSettings::builder()
                .qvbr_quality_level(quality(rung))
                .build(),
        )
        .max_bitrate(rung.max_bitrate)
        .hrd_buffer_size(rung.buffer_size())
        .quality_tuning_level(H264QualityTuningLevel::SinglePassHq)
        .codec_profile(H264CodecProfile::High)
        .interlace_mode(H264InterlaceMode::Progressive)
        .framerate_control(H264FramerateControl::Specified)
        .framerate_numerator(grid.fps.num)
        .framerate_denominator(grid.fps.den)
        .framerate_conversion_algorithm(H264FramerateConversionAlgorithm::DuplicateDrop)
        .gop_size_units(H264GopSizeUnits::Frames)
        .gop_size(f64::from(grid.gop_frames))
        .gop_closed_cadence(1)
        .min_i_interval(0)
        .scene_change_detect(H264SceneChangeDetect::Disabled)
        // The plan's sizes are for square pixels.
        .par_control(H264ParControl::Specified)
        .par_numerator(1)
        .par_denominator(1)
        .build();
    let video = described(rung.width, rung.height, probe).codec_settings(
        VideoCodecSettings::builder()
            .codec(VideoCodec::H264)
            .h264_settings(h264)
            .build(),
    );
    Output::builder()
        .name_modifier(modifier(rung.rendition))
        .container_settings(container(ContainerType::Cmfc))
        .video_description(video.build())
        .build()
}

/// Upright, progressive, BT.709, of exactly this size: what our own encoder makes of anything.
fn described(
    width: i32,
    height: i32,
    probe: &Probe,
) -> aws_sdk_mediaconvert::types::builders::VideoDescriptionBuilder {
    let mut steps = VideoPreprocessor::builder().color_corrector(
        ColorCorrector::builder()
            .color_space_conversion(ColorSpaceConversion::Force709)
            .build(),
    );
    if probe.video.as_ref().is_some_and(|video| video.interlaced) {
        steps = steps.deinterlacer(
            Deinterlacer::builder()
                .mode(DeinterlacerMode::Deinterlace)
                .algorithm(DeinterlaceAlgorithm::Interpolate)
                .control(DeinterlacerControl::Normal)
                .build(),
        );
    }
    VideoDescription::builder()
        .width(width)
        .height(height)
        .scaling_behavior(ScalingBehavior::StretchToOutput)
        .anti_alias(AntiAlias::Enabled)
        .video_preprocessors(steps.build())
}

/// Their scale of quality from 1 to 10 for our constant rate factors.
fn quality(rung: &Rung) -> i32 {
    match rung.rendition {
        Rendition::V1080 | Rendition::V720 => 8,
        _ => 7,
    }
}

fn sound() -> Output {
    let aac = AacSettings::builder()
        .bitrate(AUDIO_BITRATE)
        .rate_control_mode(AacRateControlMode::Cbr)
        .codec_profile(AacCodecProfile::Lc)
        .coding_mode(AacCodingMode::CodingMode20)
        .sample_rate(48_000)
        .build();
    let audio = AudioDescription::builder()
        .audio_source_name(SOUND)
        .codec_settings(
            AudioCodecSettings::builder()
                .codec(AudioCodec::Aac)
                .aac_settings(aac)
                .build(),
        )
        .build();
    Output::builder()
        .name_modifier(modifier(Rendition::Audio))
        .container_settings(container(ContainerType::Cmfc))
        .audio_descriptions(audio)
        .build()
}

/// Pictures at even distances. They may not be a job's only output, and here they are not.
fn pictures(order: &Order<'_>, options: &MediaConvertOptions) -> OutputGroup {
    let every = (order.plan.grid.duration() / f64::from(PICTURES + 1)).ceil();
    let capture = FrameCaptureSettings::builder()
        .framerate_numerator(1)
        .framerate_denominator((every as i32).max(1))
        // The first is that of the first instant, which is black more often than not.
        .max_captures(PICTURES + 1)
        .quality(80)
        .build();
    let (width, height) = picture_size(order.probe);
    let video = described(width, height, order.probe).codec_settings(
        VideoCodecSettings::builder()
            .codec(VideoCodec::FrameCapture)
            .frame_capture_settings(capture)
            .build(),
    );
    OutputGroup::builder()
        .name("pictures")
        .output_group_settings(
            OutputGroupSettings::builder()
                .r#type(OutputGroupType::FileGroupSettings)
                .file_group_settings(
                    FileGroupSettings::builder()
                        .destination(order.outputs.pictures_in(&options.bucket))
                        .build(),
                )
                .build(),
        )
        .outputs(
            Output::builder()
                .container_settings(container(ContainerType::Raw))
                .video_description(video.build())
                .build(),
        )
        .build()
}

/// As large as the source is shown, within reason; even.
fn picture_size(probe: &Probe) -> (i32, i32) {
    let (width, height) = probe
        .video
        .as_ref()
        .map_or((2, 2), |video| (video.width.max(2), video.height.max(2)));
    let shrunk = width.min(PICTURE_WIDTH);
    let high = i64::from(height) * i64::from(shrunk) / i64::from(width);
    let even = |edge: i32| (edge & !1).max(2);
    (even(shrunk), even(i32::try_from(high).unwrap_or(height)))
}

fn container(kind: ContainerType) -> ContainerSettings {
    ContainerSettings::builder().container(kind).build()
}
