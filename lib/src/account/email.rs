//! E-mail addresses, in one form each.

use email_address::{EmailAddress, Options};

/// A valid address in the form that it is stored and compared in: lower case, the domain in ASCII (RFC 5891).
///
/// Almost no mailbox tells upper case from lower, and people do not either.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Email(String);

impl Email {
    /// Reads an address (RFC 5322, without names, comments and IP addresses). `None` where it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (local, domain) = text.rsplit_once('@')?;
        let domain = idna::domain_to_ascii(domain).ok()?;
        let address = format!("{}@{domain}", local.to_lowercase());
        let options = Options::default().with_required_tld().without_display_text().without_domain_literal();
        EmailAddress::parse_with_options(&address, options).ok()?;
        // The longest path that mail can take (RFC 5321, 4.5.3.1.3), without its brackets.
        (address.len() <= 254).then_some(Self(address))
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Email {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never in a log.
        f.write_str("Email(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mailbox_is_one_address() {
        for text in ["ann@example.com", " Ann@Example.COM ", "ANN@EXAMPLE.com"] {
            assert_eq!(Email::parse(text).unwrap().as_str(), "ann@example.com");
        }
        let german = Email::parse("müller@bücher.example").unwrap();
        assert_eq!(german.as_str(), "müller@xn--bcher-kva.example");
        assert_eq!(Email::parse("müller@xn--bcher-kva.example").unwrap(), german);
        assert_eq!(Email::parse("a+b.c@sub.example.co").unwrap().as_str(), "a+b.c@sub.example.co");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("{}@example.com", "x".repeat(250));
        for text in [
            "",
            "@",
            "ann",
            "ann@",
            "@example.com",
            "ann@localhost",
            "a b@example.com",
            "ann@exa mple.com",
            "ann@@x.y",
            "Ann <ann@example.com>",
            "ann@[127.0.0.1]",
            "ann@example.com\r\nbcc: b@example.com",
            "a..b@example.com",
            "ann@.com",
            "ann@example..com",
            "\0@example.com",
            &long,
        ] {
            assert_eq!(Email::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn an_address_is_not_shown_by_debug() {
        assert_eq!(format!("{:?}", Email::parse("ann@example.com")), "Some(Email(…))");
    }
}
