//! The page: A4, in points from the lower left corner.

use pdf_writer::{
    Content, Finish as _, Name, Pdf, Rect, Ref, Str, TextStr,
    types::{CidFontType, FontFlags, SystemInfo},
};

use super::{Invoice, text};

const WIDTH: f32 = 595.0;
const HEIGHT: f32 = 842.0;
const LEFT: f32 = 64.0;
const RIGHT: f32 = WIDTH - 64.0;
/// The font of readers for traditional Chinese, by the name that they know.
const CJK_FONT: Name<'static> = Name(b"MSungStd-Light");

pub(super) fn draw(invoice: &Invoice) -> Vec<u8> {
    let [
        catalog,
        pages,
        page,
        latin,
        cjk,
        cid,
        descriptor,
        contents,
        info,
    ] = [1, 2, 3, 4, 5, 6, 7, 8, 9].map(Ref::new);
    let mut pdf = Pdf::new();
    let mut root = pdf.catalog(catalog);
    root.pages(pages).lang(TextStr(invoice.language.tag()));
    root.finish();
    pdf.pages(pages).kids([page]).count(1);
    let mut sheet = pdf.page(page);
    sheet
        .media_box(Rect::new(0.0, 0.0, WIDTH, HEIGHT))
        .parent(pages)
        .contents(contents);
    sheet
        .resources()
        .fonts()
        .pair(text::LATIN, latin)
        .pair(text::CJK, cjk);
    sheet.finish();
    pdf.type1_font(latin)
        .base_font(Name(b"Helvetica"))
        .encoding_predefined(Name(b"WinAnsiEncoding"));
    pdf.type0_font(cjk)
        .base_font(Name(b"MSungStd-Light-UniCNS-UTF16-H"))
        .encoding_predefined(Name(b"UniCNS-UTF16-H"))
        .descendant_font(cid);
    pdf.cid_font(cid)
        .subtype(CidFontType::Type0)
        .base_font(CJK_FONT)
        .system_info(SystemInfo {
            registry: Str(b"Adobe"),
            ordering: Str(b"CNS1"),
            supplement: 4,
        })
        .font_descriptor(descriptor)
        .default_width(1_000.0);
    // What readers choose another font by where they do not have this one.
    pdf.font_descriptor(descriptor)
        .name(CJK_FONT)
        .flags(FontFlags::SYMBOLIC | FontFlags::SERIF)
        .bbox(Rect::new(-160.0, -249.0, 1_015.0, 888.0))
        .italic_angle(0.0)
        .ascent(880.0)
        .descent(-120.0)
        .cap_height(880.0)
        .stem_v(93.0);
    pdf.stream(contents, &content(invoice).finish());
    pdf.document_info(info)
        .title(TextStr(&format!(
            "{} {}",
            invoice.language.pick("帳單", "Invoice"),
            invoice.number
        )))
        .producer(TextStr("Millrace"));
    pdf.finish()
}

fn content(invoice: &Invoice) -> Content {
    let say = |zh_tw, en| invoice.language.pick(zh_tw, en);
    let gone = say("（帳號已刪除）", "(account deleted)");
    let mut content = Content::new();
    let out = &mut content;
    text::show(out, "Millrace", 12.0, LEFT, HEIGHT - 70.0, false);
    text::show(
        out,
        say("帳單", "Invoice"),
        26.0,
        LEFT,
        HEIGHT - 118.0,
        false,
    );

    let paid_at = invoice.paid_at.format("%Y-%m-%d %H:%M UTC").to_string();
    let about = [
        (say("訂單編號", "Order"), invoice.number.as_str()),
        (say("付款時間", "Paid"), &paid_at),
        (
            say("賣家", "Seller"),
            invoice.seller.as_deref().unwrap_or(gone),
        ),
        (
            say("付款人", "Payer"),
            invoice.payer.as_deref().unwrap_or(gone),
        ),
    ];
    let mut y = HEIGHT - 160.0;
    for (label, value) in about {
        out.set_fill_gray(0.4);
        text::show(out, label, 10.0, LEFT, y, false);
        out.set_fill_gray(0.0);
        text::show(out, value, 10.0, LEFT + 90.0, y, false);
        y -= 18.0;
    }

    y -= 24.0;
    out.set_fill_gray(0.4);
    text::show(out, say("項目", "Item"), 10.0, LEFT, y, false);
    text::show(out, say("金額", "Amount"), 10.0, RIGHT, y, true);
    out.set_fill_gray(0.0);
    rule(out, y - 8.0);
    y -= 28.0;
    text::show(out, &invoice.amount, 11.0, RIGHT, y, true);
    let title = format!("{}: {}", invoice.item, invoice.title);
    for line in text::wrap(&title, 11.0, RIGHT - LEFT - 130.0) {
        text::show(out, line.trim_end(), 11.0, LEFT, y, false);
        y -= 16.0;
    }
    rule(out, y - 2.0);
    y -= 24.0;
    let mut sums = vec![(say("合計", "Total"), invoice.amount.as_str())];
    if let Some(refunded) = &invoice.refunded {
        sums.push((say("已退款", "Refunded"), &refunded.amount));
        sums.push((say("退款後金額", "After refunds"), &refunded.left));
    }
    for (label, amount) in sums {
        text::show(out, label, 11.0, LEFT, y, false);
        text::show(out, amount, 11.0, RIGHT, y, true);
        y -= 20.0;
    }
    out.set_fill_gray(0.4);
    text::show(out, &invoice.url, 9.0, LEFT, 60.0, false);
    content
}

fn rule(content: &mut Content, y: f32) {
    content
        .set_line_width(0.6)
        .set_stroke_gray(0.7)
        .move_to(LEFT, y)
        .line_to(RIGHT, y)
        .stroke();
}
