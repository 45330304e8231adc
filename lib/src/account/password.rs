//! Passwords, before they are hashed.

use unicode_normalization::UnicodeNormalization as _;

use super::Email;

/// Fewest characters (NIST SP 800-63B-4 asks for 8 where it is not the only factor, 15 where it is).
const MIN_CHARS: usize = 10;
/// Most bytes. Long enough for every passphrase; hashing is bounded.
const MAX_BYTES: usize = 1_024;
/// Guesses that an attacker must need, as a power of ten: what is on a list of common passwords, or made out of
/// names, dates, keyboard rows and the address, takes fewer.
const GUESSES_MIN_LOG10: f64 = 7.0;

/// A password in Unicode's form NFKC, so that it is the same from every keyboard (RFC 8265, 4). Not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Takes a text; `None` where it is empty or longer than [`MAX_BYTES`].
    pub fn new(text: &str) -> Option<Self> {
        if text.is_empty() || text.len() > MAX_BYTES {
            return None;
        }
        let text: String = text.nfkc().collect();
        // Some characters become eighteen in this form.
        (text.len() <= 4 * MAX_BYTES).then_some(Self(text))
    }

    /// What is hashed.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Why this must not be the password of an account, in a sentence; `None` where it may. Takes milliseconds.
    pub fn weakness(&self, email: &Email) -> Option<&'static str> {
        if self.0.chars().count() < MIN_CHARS {
            return Some("The password must have at least 10 characters.");
        }
        let address = email.as_str();
        let mut known: Vec<_> = address.split(['@', '.', '+', '-', '_']).filter(|part| part.len() > 2).collect();
        known.extend([address, "purser"]);
        let is_address = self.0.to_lowercase() == address;
        if is_address || zxcvbn::zxcvbn(&self.0, &known).guesses_log10() < GUESSES_MIN_LOG10 {
            return Some(
                "The password is too easy to guess: it is on a list of common ones, or close to one or to your address.",
            );
        }
        None
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weakness(text: &str) -> Option<&'static str> {
        Password::new(text).unwrap().weakness(&Email::parse("annabel.lee@seaside.example").unwrap())
    }

    #[test]
    fn common_passwords_and_the_address_are_refused() {
        for text in [
            "password123",
            "1234567890",
            "qwertyuiop",
            "annabel.lee@seaside.example",
            "Annabel.Lee@Seaside.example",
            "annabellee",
            "aaaaaaaaaaaa",
            "letmein1234",
            "P@ssw0rd123",
            "Football2024",
            "iloveyou12",
            "1q2w3e4r5t6y",
        ] {
            assert!(weakness(text).unwrap().contains("easy to guess"), "{text}");
        }
        assert!(weakness("short").unwrap().contains("10 characters"));
        assert!(weakness("äöüßéèàçñ").unwrap().contains("10 characters"));
    }

    #[test]
    fn any_unicode_and_any_sensible_length_is_taken() {
        for text in [
            "correct horse battery staple",
            "Zugspitze über 2962 m!",
            "пароль-который-никто-не-знает-7",
            "一二三四五六七八九十甲乙",
            "🦀🐙🦑🐠🐟🐡🦐🦞🐚🪸",
        ] {
            assert_eq!(weakness(text), None, "{text}");
        }
        assert_eq!(weakness(&"sea wind ".repeat(28)[..251]), None, "251 bytes");
        assert!(Password::new(&"x".repeat(MAX_BYTES)).is_some());
        assert!(Password::new(&"x".repeat(MAX_BYTES + 1)).is_none());
        assert!(Password::new("").is_none());
    }

    #[test]
    fn composed_and_decomposed_text_is_one_password() {
        assert_eq!(Password::new("Zu\u{308}rich ﬁne"), Password::new("Zürich fine"));
        assert_eq!(format!("{:?}", Password::new("secret")), "Some(Password(…))");
    }
}
