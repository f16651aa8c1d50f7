//! Pictures of people, made small. In this process and not by the encoder in its sandbox: the decoders of `image` for
//! these three formats hold no unsafe parsing of their own, take limits, and a picture of this size costs milliseconds,
//! where starting an encoder costs more than the work.

use std::io::Cursor;

use image::{
    DynamicImage, ImageDecoder as _, ImageError, ImageFormat, ImageReader, Limits, Rgb, RgbImage,
    codecs::jpeg::JpegEncoder, imageops::FilterType,
};

/// The edges of what is made, in pixels.
pub const SIZES: [u32; 2] = [64, 256];
/// What may be sent, in bytes.
pub const MAX_BYTES: u64 = 8 * 1024 * 1024;
/// The content types that may be sent.
pub const TYPES: [&str; 3] = ["image/jpeg", "image/png", "image/webp"];
/// Pixels of an edge: a photograph of 100 megapixels has fewer.
const MAX_EDGE: u32 = 12_000;
/// Bytes that decoding may take.
const MAX_MEMORY: u64 = 512 * 1024 * 1024;
/// Percent.
const QUALITY: u8 = 88;

/// Why a picture was refused. Another try brings nothing.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    #[error("the file is no picture that can be read")]
    Unreadable(#[source] ImageError),
    #[error("the picture is larger than {MAX_EDGE} pixels")]
    TooLarge,
}

impl PictureError {
    /// The stable word for the person who sent it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "picture_unreadable",
            Self::TooLarge => "picture_too_large",
        }
    }
}

impl From<ImageError> for PictureError {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::Limits(_) => Self::TooLarge,
            other => Self::Unreadable(other),
        }
    }
}

/// A JPEG of each of [`SIZES`]: the middle of the picture, upright, without what cameras write into files. Takes up to
/// some hundred milliseconds of a core: call it off the async threads.
///
/// # Errors
/// [`PictureError`]
pub fn make_small(file: &[u8]) -> Result<Vec<(u32, Vec<u8>)>, PictureError> {
    let mut reader = ImageReader::new(Cursor::new(file))
        .with_guessed_format()
        .map_err(ImageError::IoError)?;
    let known = [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP];
    if !reader
        .format()
        .is_some_and(|format| known.contains(&format))
    {
        // What it says of itself is not believed.
        let unknown = image::error::ImageFormatHint::Unknown;
        return Err(ImageError::Unsupported(unknown.into()).into());
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_EDGE);
    limits.max_image_height = Some(MAX_EDGE);
    limits.max_alloc = Some(MAX_MEMORY);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let orientation = decoder.orientation()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    SIZES
        .iter()
        .map(|&edge| {
            let small = picture.resize_to_fill(edge, edge, FilterType::Lanczos3);
            let mut bytes = Vec::new();
            JpegEncoder::new_with_quality(&mut bytes, QUALITY).encode_image(&on_white(&small))?;
            Ok((edge, bytes))
        })
        .collect()
}

/// JPEG knows no transparency.
fn on_white(picture: &DynamicImage) -> RgbImage {
    let picture = picture.to_rgba8();
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [r, g, b, a] = picture.get_pixel(x, y).0;
        let over = |c: u8| {
            let mixed = (u16::from(c) * u16::from(a) + 255 * (255 - u16::from(a))) / 255;
            u8::try_from(mixed).unwrap_or(u8::MAX)
        };
        Rgb([over(r), over(g), over(b)])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgba, RgbaImage};

    fn png(width: u32, height: u32, colour: Rgba<u8>) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        RgbaImage::from_pixel(width, height, colour)
            .write_to(&mut bytes, ImageFormat::Png)
            .unwrap();
        bytes.into_inner()
    }

    #[test]
    fn a_picture_becomes_two_squares() {
        let made = make_small(&png(300, 200, Rgba([200, 30, 30, 255]))).unwrap();
        assert_eq!(made.len(), 2);
        for (edge, bytes) in made {
            let small = image::load_from_memory_with_format(&bytes, ImageFormat::Jpeg).unwrap();
            assert_eq!((small.width(), small.height()), (edge, edge));
        }
    }

    #[test]
    fn what_is_transparent_is_white() {
        let made = make_small(&png(80, 80, Rgba([0, 0, 0, 0]))).unwrap();
        let small = image::load_from_memory(&made[0].1).unwrap().to_rgb8();
        assert!(small.get_pixel(32, 32).0.iter().all(|&c| c > 250));
    }

    #[test]
    fn what_is_no_picture_or_too_large_is_refused() {
        for file in [&b""[..], b"<svg/>", b"GIF89a", b"\x89PNG\r\n\x1a\n"] {
            assert_eq!(make_small(file).unwrap_err().code(), "picture_unreadable");
        }
        let wide = png(MAX_EDGE + 1, 1, Rgba([0, 0, 0, 255]));
        assert_eq!(make_small(&wide).unwrap_err().code(), "picture_too_large");
    }
}
