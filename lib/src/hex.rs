//! Hexadecimal text.

use std::fmt::Write as _;

/// Bytes as lower-case hex.
pub fn encode(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Reads hex of either case; `None` where it is none.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hex_is_read() {
        assert_eq!(decode("00fFa0").as_deref(), Some(&[0, 255, 160][..]));
        assert_eq!(encode(&[0, 255, 160]), "00ffa0");
        for text in ["0", "0g", "+1", "ü0"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
