//! A bound of the prompt's tokens: from above, never from below.

use memchr::memmem;

use super::ToolFacts;
use crate::usage::IMAGE_TOKENS_MAX;

/// What Claude adds around a request: turn markers and, with tools, a hidden prompt of 290 to 800 tokens.
pub const OVERHEAD_TOKENS: u64 = 2_000;
/// A document named by address or file can be as long as the context.
const BY_REFERENCE: [&[u8]; 4] = [b"\"file_id\"", b"\"container_upload\"", b"\"document\"", b"\"search_result\""];

/// How many prompt tokens a request body can have at most.
///
/// A byte-level tokenizer never makes more tokens than there are bytes, so the body's length bounds its text. Images
/// are worth more than their bytes; documents and what server tools fetch can fill the context, so they bound it.
pub fn input_tokens_bound(body: &[u8], tools: &ToolFacts, context_tokens: u64) -> u64 {
    if tools.has_server_tools() {
        return context_tokens.saturating_mul(tools.readings);
    }
    if hides_letters(body) || BY_REFERENCE.iter().any(|mark| contains(body, mark)) {
        return context_tokens;
    }
    let images = count(body, b"\"image\"") as u64;
    (body.len() as u64)
        .saturating_add(OVERHEAD_TOKENS)
        .saturating_add(images.saturating_mul(IMAGE_TOKENS_MAX))
        .min(context_tokens)
}

/// Whether letters are written as escapes (`\u0064`), which no serializer does: a mark could hide behind them.
fn hides_letters(body: &[u8]) -> bool {
    memmem::find_iter(body, b"\\u00").any(|at| matches!(body.get(at + 4), Some(b'4'..=b'7')))
}

fn contains(body: &[u8], mark: &[u8]) -> bool {
    memmem::find(body, mark).is_some()
}

fn count(body: &[u8], mark: &[u8]) -> usize {
    memmem::find_iter(body, mark).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_bounded_by_its_bytes_and_references_by_the_context() {
        assert_eq!(input_tokens_bound(b"{\"messages\":[]}", &ToolFacts::default(), 200_000), 15 + 2_000);
        assert_eq!(input_tokens_bound(b"{\"type\":\"image\"}", &ToolFacts::default(), 200_000), 16 + 2_000 + 6_000);
        assert_eq!(input_tokens_bound(b"{\"type\":\"document\"}", &ToolFacts::default(), 200_000), 200_000);
        assert_eq!(input_tokens_bound(br#"{"type":"\u0064ocument"}"#, &ToolFacts::default(), 200_000), 200_000);
        let search = ToolFacts { web_searches: Some(1), readings: 2 };
        assert_eq!(input_tokens_bound(b"{}", &search, 200_000), 400_000);
        assert_eq!(input_tokens_bound(&[b'a'; 300_000], &ToolFacts::default(), 200_000), 200_000);
    }
}
