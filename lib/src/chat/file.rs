//! A user's file as a block of Claude's API: checked for what it is, not for what it is called.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::json::{Node, Object};
use crate::{Error, usage::IMAGE_TOKENS_MAX};

/// Pictures that Claude takes, each with how its bytes begin.
const PICTURES: [(&str, &[u8]); 4] = [
    ("image/png", b"\x89PNG\r\n\x1a\n"),
    ("image/jpeg", b"\xff\xd8\xff"),
    ("image/gif", b"GIF8"),
    ("image/webp", b"RIFF"),
];
/// Claude takes pictures up to this size (platform.claude.com, "Vision", copy of August 2026).
const PICTURE_MAX_BYTES: usize = 5 * 1024 * 1024;
/// Longer addresses are no addresses.
const URL_MAX_BYTES: usize = 2_000;
/// Media types that are text although their names do not say so.
const TEXTS: [&str; 6] = [
    "application/json",
    "application/xml",
    "application/yaml",
    "application/x-yaml",
    "application/javascript",
    "application/x-ndjson",
];

/// The block of a `file` part.
///
/// A picture may also be given by address: what it costs is bounded whatever it is. A document by address is
/// refused, because it could be as long as the context by the time Claude reads it.
pub(super) fn block(part: &Node<'_>, file: &Object<'_>) -> Result<Value, Error> {
    let media = file.require("mediaType")?;
    // `text/plain; charset=utf-8` is text/plain.
    let kind = media.text()?.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let url = file.require("url")?;
    let address = url.text()?;
    if let Some(data) = address.strip_prefix("data:") {
        let encoded = data.split_once(',').filter(|(head, _)| head.ends_with(";base64")).map(|(_, data)| data);
        let encoded = encoded.ok_or_else(|| url.refuse("A data: URL must be base64."))?;
        let bytes = STANDARD.decode(encoded).map_err(|_| url.refuse("The data: URL is not valid base64."))?;
        return embedded(&kind, encoded, bytes, title(file)?, part);
    }
    if !address.starts_with("https://") || address.len() > URL_MAX_BYTES || address.contains(|c: char| c <= ' ') {
        return Err(url.refuse("A file's URL must be a data: URL, or for a picture an https: one."));
    }
    if !kind.starts_with("image/") {
        return Err(url.refuse("Only pictures may be given by address. Send other files as data: URLs."));
    }
    Ok(json!({ "type": "image", "source": { "type": "url", "url": address } }))
}

fn embedded(kind: &str, encoded: &str, bytes: Vec<u8>, title: Option<String>, part: &Node<'_>) -> Result<Value, Error> {
    if bytes.is_empty() {
        return Err(part.refuse("The file is empty."));
    }
    if kind.starts_with("image/") {
        let found = PICTURES.iter().find(|(_, start)| bytes.starts_with(start)).map(|(kind, _)| *kind);
        let found = found.filter(|kind| *kind != "image/webp" || bytes.get(8..12) == Some(b"WEBP"));
        let found = found.ok_or_else(|| part.refuse("The file is no PNG, JPEG, GIF or WebP picture."))?;
        if bytes.len() > PICTURE_MAX_BYTES {
            return Err(part.refuse("A picture may have at most 5 MB."));
        }
        let source = json!({ "type": "base64", "media_type": found, "data": encoded });
        return Ok(json!({ "type": "image", "source": source }));
    }
    let source = if kind == "application/pdf" {
        if !bytes.starts_with(b"%PDF-") {
            return Err(part.refuse("The file is no PDF."));
        }
        json!({ "type": "base64", "media_type": "application/pdf", "data": encoded })
    } else if kind.starts_with("text/") || TEXTS.contains(&kind) {
        let text = String::from_utf8(bytes).map_err(|_| part.refuse("The text file is not UTF-8."))?;
        if text.trim().is_empty() {
            return Err(part.refuse("The file is empty."));
        }
        json!({ "type": "text", "media_type": "text/plain", "data": text })
    } else {
        return Err(part.refuse("Claude reads pictures, PDF and text; nothing was sent."));
    };
    let mut block = json!({ "type": "document", "source": source });
    if let Some(title) = title {
        block["title"] = title.into();
    }
    Ok(block)
}

/// The file's name, as far as it is a name.
fn title(file: &Object<'_>) -> Result<Option<String>, Error> {
    let Some(name) = file.get("filename")? else { return Ok(None) };
    let name: String = name.text()?.chars().filter(|c| !c.is_control()).take(200).collect();
    Ok((!name.trim().is_empty()).then_some(name))
}

/// Most prompt tokens of some blocks; `None` where only Claude can tell: a PDF's pages.
pub(super) fn tokens_bound(blocks: &[Value]) -> Option<u64> {
    blocks.iter().try_fold(1_u64, |sum, block| {
        let tokens = match (block["type"].as_str(), block["source"]["type"].as_str()) {
            (Some("image"), _) => IMAGE_TOKENS_MAX,
            (Some("document"), Some("base64")) => return None,
            // A token is a byte at least.
            _ => block.to_string().len() as u64 + 1,
        };
        Some(sum.saturating_add(tokens))
    })
}

/// Whether the bytes of some blocks say nothing of their tokens.
pub(super) fn has_files(blocks: &[Value]) -> bool {
    blocks.iter().any(|block| block["type"] == "image" || block["type"] == "document")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    fn read(kind: &str, url: &str) -> Result<Value, String> {
        let text = json!({ "type": "file", "mediaType": kind, "url": url, "filename": "a\nb.txt" }).to_string();
        let part = Node::document(text.as_bytes()).unwrap();
        block(&part, &part.object().unwrap()).map_err(|error| {
            assert_eq!(error.code(), Code::InvalidBody);
            error.detail().to_owned()
        })
    }

    fn data(bytes: &[u8]) -> String {
        format!("data:whatever/it-says;base64,{}", STANDARD.encode(bytes))
    }

    #[test]
    fn a_file_is_what_its_bytes_are() {
        let png = read("image/jpeg", &data(b"\x89PNG\r\n\x1a\nrest")).unwrap();
        assert_eq!(png["source"]["media_type"], "image/png");
        assert_eq!(png["source"]["data"], STANDARD.encode(b"\x89PNG\r\n\x1a\nrest"));
        let pdf = read("application/pdf", &data(b"%PDF-1.7 x")).unwrap();
        assert_eq!((&pdf["type"], &pdf["title"]), (&json!("document"), &json!("ab.txt")));
        let text = read("text/markdown; charset=utf-8", &data("# h\u{e4}".as_bytes())).unwrap();
        assert_eq!(text["source"], json!({ "type": "text", "media_type": "text/plain", "data": "# h\u{e4}" }));
        let far = read("image/*", "https://example.com/x.png").unwrap();
        assert_eq!(far["source"], json!({ "type": "url", "url": "https://example.com/x.png" }));
    }

    #[test]
    fn what_claude_could_not_read_is_refused_now() {
        for (kind, url) in [
            ("image/png", data(b"GIF no")),
            ("image/webp", data(b"RIFF....WAVE")),
            ("image/svg+xml", data(b"<svg/>")),
            ("application/pdf", data(b"PK")),
            ("application/zip", data(b"PK")),
            ("text/plain", data(b"\xff")),
            ("text/plain", data(b" \n")),
            ("image/png", data(b"")),
            ("image/png", "data:image/png,abc".to_owned()),
            ("image/png", "data:image/png;base64,%%%".to_owned()),
            ("image/png", "http://example.com/x.png".to_owned()),
            ("image/png", "file:///etc/passwd".to_owned()),
            ("image/png", format!("https://example.com/{}", "x".repeat(2_000))),
            ("application/pdf", "https://example.com/x.pdf".to_owned()),
        ] {
            assert!(read(kind, &url).is_err(), "{kind} {url}");
        }
    }

    #[test]
    fn a_picture_has_a_bound_and_a_pdf_has_to_be_counted() {
        let picture = json!({ "type": "image", "source": { "type": "base64", "data": "x".repeat(100_000) } });
        let text = json!({ "type": "text", "text": "Hi" });
        let pdf = json!({ "type": "document", "source": { "type": "base64" } });
        assert_eq!(tokens_bound(std::slice::from_ref(&picture)), Some(IMAGE_TOKENS_MAX + 1));
        assert!(tokens_bound(&[picture.clone(), text.clone()]).unwrap() > IMAGE_TOKENS_MAX + 25);
        assert_eq!(tokens_bound(&[text.clone(), pdf]), None);
        assert!(has_files(&[text.clone(), picture]) && !has_files(&[text]));
    }
}
