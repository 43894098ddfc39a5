//! What a document is, told by its content: PDF, PNG or JPEG, whole and with nothing behind its end; and safe names. Pure.
//!
//! A name and a media type that come with an upload are claims. Here the bytes decide: a file that only begins like a
//! picture, or carries an archive or a page behind its end, is none of the three. What passes is still never shown by a
//! browser of ours: it is handed out to be kept, as what it was found to be.

/// What a document may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// ISO 32000.
    Pdf,
    /// ISO 15948.
    Png,
    /// ISO 10918.
    Jpeg,
}

impl Media {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pdf, Self::Png, Self::Jpeg];

    /// The media type it is stored and sent as.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Pdf => "application/pdf",
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
        }
    }

    /// The ending of its file name, and others that stand for the same.
    fn endings(self) -> &'static [&'static str] {
        match self {
            Self::Pdf => &["pdf"],
            Self::Png => &["png"],
            Self::Jpeg => &["jpg", "jpeg"],
        }
    }

    /// Reads a stored media type.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|media| media.media_type() == text)
    }

    /// What the bytes are; `None` when none of the three, or not whole.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|media| match media {
            Self::Pdf => is_pdf(bytes),
            Self::Png => is_png(bytes),
            Self::Jpeg => is_jpeg(bytes),
        })
    }
}

/// Begins with its version and ends with its mark: readers forgive other bytes at both ends, and that is where another
/// format would hide.
fn is_pdf(bytes: &[u8]) -> bool {
    let version = bytes.strip_prefix(b"%PDF-").is_some_and(|rest| matches!(rest, [b'1' | b'2', b'.', b'0'..=b'9', ..]));
    version && bytes.trim_ascii_end().ends_with(b"%%EOF")
}

/// Every chunk with its checksum, from IHDR to IEND.
fn is_png(bytes: &[u8]) -> bool {
    let Some(mut rest) = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n") else { return false };
    let mut is_first = true;
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let Ok(length) = usize::try_from(u32::from_be_bytes(*length)) else { return false };
        let Some((chunk, after)) = length.checked_add(4).and_then(|length| after.split_at_checked(length)) else {
            return false;
        };
        let Some((sum, after)) = after.split_first_chunk::<4>() else { return false };
        if crc32fast::hash(chunk) != u32::from_be_bytes(*sum) || is_first != chunk.starts_with(b"IHDR") {
            return false;
        }
        if chunk.starts_with(b"IEND") {
            return after.is_empty();
        }
        (rest, is_first) = (after, false);
    }
    false
}

/// Segments from the first marker on, a frame among them, then scans up to the end mark.
fn is_jpeg(bytes: &[u8]) -> bool {
    let Some(mut rest) = bytes.strip_prefix(b"\xff\xd8") else { return false };
    let mut has_frame = false;
    while let [0xff, marker, after @ ..] = rest {
        let Some(length) = after.first_chunk::<2>().map(|length| usize::from(u16::from_be_bytes(*length))) else {
            return false;
        };
        let Some((_, after)) = after.split_at_checked(length).filter(|_| length >= 2) else { return false };
        match marker {
            // Start of scan: what follows is packed; it must run to the end mark. Cameras put further pictures, with end
            // marks of their own, behind the first.
            0xda => return has_frame && bytes.ends_with(b"\xff\xd9"),
            // Frames; the others of this row are tables (C4), reserved (C8) and arithmetic coding (CC).
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => has_frame = true,
            0xc4 | 0xcc | 0xdb..=0xdf | 0xe0..=0xef | 0xfe => {}
            _ => return false,
        }
        rest = after;
    }
    false
}

/// Longest stem of a name in characters.
const MOST: usize = 80;

/// A name to show and to save the document under: the last part of any path, harmless characters, the ending of what it
/// really is. Never used as a path here.
#[must_use]
pub fn safe_name(given: &str, media: Media) -> String {
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let (stem, ending) = last.rsplit_once('.').unwrap_or((last, ""));
    let known = |ending: &str| media.endings().contains(&ending.to_ascii_lowercase().as_str());
    let stem = if known(ending) || ending.is_empty() { stem } else { last };
    let harmless = |c: char| if c.is_alphanumeric() || matches!(c, ' ' | '-' | '_' | '(' | ')') { c } else { '_' };
    let stem: String = stem.chars().map(harmless).take(MOST).collect();
    let stem = stem.trim_matches([' ', '_', '-']);
    let stem = if stem.is_empty() { "document" } else { stem };
    format!("{stem}.{}", media.endings()[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    const PDF: &[u8] = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n";

    fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
        let body = [kind.as_slice(), data].concat();
        let length = u32::try_from(data.len()).unwrap().to_be_bytes();
        [length.as_slice(), &body, &crc32fast::hash(&body).to_be_bytes()].concat()
    }

    fn png() -> Vec<u8> {
        let head = [0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0];
        [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(b"IHDR", &head), chunk(b"IDAT", b"x"), chunk(b"IEND", b"")].concat()
    }

    fn jpeg() -> Vec<u8> {
        let frame = b"\xff\xc0\x00\x0b\x08\x00\x01\x00\x01\x01\x01\x11\x00";
        let scan = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00packed\xff\xd9";
        [b"\xff\xd8\xff\xe0\x00\x04ab".as_slice(), frame, scan].concat()
    }

    #[test]
    fn the_three_kinds_are_told_by_their_content() {
        assert_eq!(Media::of(PDF), Some(Media::Pdf));
        assert_eq!(Media::of(&png()), Some(Media::Png));
        assert_eq!(Media::of(&jpeg()), Some(Media::Jpeg));
        for media in Media::ALL {
            assert_eq!(Media::parse(media.media_type()), Some(media));
        }
    }

    #[test]
    fn what_only_begins_or_ends_like_one_is_none() {
        let html = b"<html><script>alert(1)</script>".to_vec();
        let behind = |whole: &[u8]| [whole, b"PK\x05\x06<script>"].concat();
        let before = |whole: &[u8]| [html.as_slice(), whole].concat();
        let mut none: Vec<Vec<u8>> = vec![Vec::new(), html.clone(), b"%PDF-1.7".to_vec(), b"%PDF-x.y %%EOF".to_vec()];
        for whole in [PDF.to_vec(), png(), jpeg()] {
            none.extend([behind(&whole), before(&whole), whole[..whole.len() - 4].to_vec()]);
        }
        none.push(b"\xff\xd8\xff\xd9".to_vec());
        none.push(b"GIF89a%PDF-1.7 %%EOF".to_vec());
        for bytes in none {
            assert_eq!(Media::of(&bytes), None, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn a_picture_with_a_changed_byte_or_a_lie_about_its_length_is_none() {
        let whole = png();
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0x80;
            assert_eq!(Media::of(&changed), None, "byte {at}");
        }
        let lie = [b"\x89PNG\r\n\x1a\n".as_slice(), b"\xff\xff\xff\xffIHDR"].concat();
        assert_eq!(Media::of(&lie), None);
        assert_eq!(Media::of(b"\xff\xd8\xff\xe0\xff\xff"), None);
        assert_eq!(Media::of(b"\xff\xd8\xff\xe0\x00\x00"), None);
    }

    #[test]
    fn no_name_leads_anywhere() {
        for (given, media, name) in [
            ("../../etc/passwd", Media::Pdf, "passwd.pdf"),
            ("..\\..\\boot.ini.PDF", Media::Pdf, "boot_ini.pdf"),
            ("scan.jpeg", Media::Jpeg, "scan.jpg"),
            ("scan.pdf.exe", Media::Pdf, "scan_pdf_exe.pdf"),
            ("a\"; filename=\"x.html", Media::Png, "a__ filename__x_html.png"),
            ("Zulassung für Käufer (1).pdf", Media::Pdf, "Zulassung für Käufer (1).pdf"),
            ("line\r\nX-Evil: 1.pdf", Media::Pdf, "line__X-Evil_ 1.pdf"),
            ("\u{202e}fdp.exe", Media::Pdf, "fdp_exe.pdf"),
            ("", Media::Png, "document.png"),
            ("..", Media::Png, "document.png"),
            ("/", Media::Png, "document.png"),
        ] {
            assert_eq!(safe_name(given, media), name, "{given:?}");
        }
        assert_eq!(safe_name(&"a".repeat(500), Media::Pdf).len(), MOST + 4);
    }
}
