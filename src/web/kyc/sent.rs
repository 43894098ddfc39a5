//! Reads the form a company hands in (multipart/form-data, RFC 7578) as it streams in, and keeps no more than is allowed.

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::HttpRequest;
use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_LENGTH;
use futures_util::StreamExt as _;

use crate::accounts::kyc::{Business, DocumentKind, Limits, Upload};
use crate::base::{Error, Result};
use crate::web::body::{TOO_LARGE, media_type, wrong_type};

/// What came: checked for form, not yet for content.
#[derive(Default)]
pub struct Sent {
    /// The details.
    pub business: Business,
    /// The files, at most one more than allowed, each at most one byte longer than allowed: enough to see that.
    pub uploads: Vec<Upload>,
}

/// Longest detail in bytes; the rules for each are narrower.
const LONGEST_DETAIL: usize = 4096;
/// Most parts of a form: six details and every file field chosen several times over.
const MOST_PARTS: usize = 64;
/// How many times the largest allowed form may be sent before the connection is cut: whoever picked a file that is too
/// large is told so beside the field, and a browser hears nothing before it has sent everything.
const PATIENCE: usize = 4;

/// Bytes of a form far too large that are read all the same, so that the refusal arrives.
const DISCARDED: usize = 64 * 1024 * 1024;

/// Reads a form to its end.
///
/// # Errors
/// `Invalid` when it is no such form, has a field nobody asked for, or is larger than anybody sends by mistake.
pub async fn read(request: &HttpRequest, mut payload: Payload, limits: Limits) -> Result<Sent> {
    let given = media_type(request);
    if given != "multipart/form-data" {
        return Err(wrong_type(&given, "multipart/form-data"));
    }
    let most = (limits.documents * limits.bytes + MOST_PARTS * LONGEST_DETAIL).saturating_mul(PATIENCE);
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > most) {
        discard(&mut payload).await;
        return Err(too_large(limits));
    }
    let mut parts = Multipart::new(request.headers(), payload);
    let (mut sent, mut room) = (Sent::default(), most);
    for _ in 0..MOST_PARTS {
        let Some(part) = parts.next().await else { return Ok(sent) };
        let mut part = part.map_err(broken)?;
        let name = part.name().unwrap_or_default().to_owned();
        if let Some(kind) = DocumentKind::parse(&name) {
            read_file(&mut part, kind, limits, &mut room, &mut sent.uploads).await?;
        } else {
            let text = read_text(&mut part, &mut room, limits).await?;
            put(&mut sent.business, &name, text)?;
        }
    }
    Err(Error::invalid("bad_form", format!("A form has at most {MOST_PARTS} parts")))
}

/// Reads on to the end and keeps nothing. Whoever still sends when the connection is closed may see it break in the place
/// of the reply: its system throws away what came for a connection that was reset.
async fn discard(payload: &mut Payload) {
    let mut left = DISCARDED;
    while let Some(Ok(chunk)) = payload.next().await {
        let Some(rest) = left.checked_sub(chunk.len()) else { return };
        left = rest;
    }
}

fn put(business: &mut Business, name: &str, text: String) -> Result<()> {
    match name {
        "legal_name" => business.legal_name = text,
        "registration_number" => business.registration_number = text,
        "country" => business.country = text,
        "address" => business.address = text,
        "website" => business.website = Some(text),
        "phone" => business.phone = Some(text),
        other => {
            let shown: String = other.chars().take(100).collect();
            let files = DocumentKind::ALL.map(DocumentKind::code).join(", ");
            let known = format!("legal_name, registration_number, country, address, website, phone; files: {files}");
            return Err(Error::invalid("unknown_field", format!("The field {shown:?} is not known; known: {known}")));
        }
    }
    Ok(())
}

/// A file field a browser sends although nothing was chosen has neither name nor bytes; it is none.
async fn read_file(
    part: &mut Field,
    kind: DocumentKind,
    limits: Limits,
    room: &mut usize,
    uploads: &mut Vec<Upload>,
) -> Result<()> {
    let name = part.content_disposition().and_then(|disposition| {
        let plain = || disposition.get_filename().map(str::to_owned);
        let extended = disposition.get_filename_ext();
        extended.and_then(|name| String::from_utf8(name.value.clone()).ok()).or_else(plain)
    });
    let is_wanted = uploads.len() <= limits.documents;
    let content = drain(part, if is_wanted { limits.bytes + 1 } else { 0 }, room, limits).await?;
    let name = name.unwrap_or_default();
    if is_wanted && !(name.is_empty() && content.is_empty()) {
        uploads.push(Upload { kind, name, content });
    }
    Ok(())
}

async fn read_text(part: &mut Field, room: &mut usize, limits: Limits) -> Result<String> {
    let bytes = drain(part, LONGEST_DETAIL + 1, room, limits).await?;
    if bytes.len() > LONGEST_DETAIL {
        return Err(Error::invalid("bad_form", format!("A detail may have at most {LONGEST_DETAIL} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| Error::invalid("not_utf8", "A field of the form is not UTF-8"))
}

/// Reads a part to its end and keeps its first bytes.
async fn drain(part: &mut Field, keep: usize, room: &mut usize, limits: Limits) -> Result<Vec<u8>> {
    let mut kept = Vec::new();
    while let Some(chunk) = part.next().await {
        let chunk = chunk.map_err(broken)?;
        *room = room.checked_sub(chunk.len()).ok_or_else(|| too_large(limits))?;
        kept.extend_from_slice(&chunk[..chunk.len().min(keep - kept.len())]);
    }
    Ok(kept)
}

fn too_large(limits: Limits) -> Error {
    let Limits { documents, bytes } = limits;
    Error::invalid(TOO_LARGE, format!("Send at most {documents} documents of at most {bytes} bytes each"))
}

/// Whatever is wrong with the form, its sender made it so.
fn broken(error: MultipartError) -> Error {
    tracing::debug!(%error, "a form could not be read");
    Error::invalid("bad_form", "The form broke off or is not multipart/form-data")
}
