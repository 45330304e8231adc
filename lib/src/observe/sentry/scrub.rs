//! What a text may hold that must not leave: addresses of people and machines, keys, tokens.

use std::net::IpAddr;

/// The longest text that is sent, in characters.
const TEXT_MAX: usize = 300;
/// Keys and tokens begin like this: Anthropic, Stripe, ours, JWT, Upstash and others.
const SECRETS: [&str; 12] = ["sk-", "sk_", "rk_", "pk_", "whsec_", "cus_", "eyJ", "ghp_", "xox", "AKIA", "AX", "redis"];
/// What comes after these words is one.
const BEFORE_SECRETS: [&str; 5] = ["bearer", "basic", "password", "secret", "apikey"];
/// What may stand between a name and a key in one word.
const PARTS: [char; 6] = [':', '/', '[', ']', '?', '&'];
/// Nobody writes words that long.
const WORD_MAX: usize = 40;

/// The text without what looks as if it were somebody's, and not longer than a few lines.
pub(super) fn scrub(text: &str) -> String {
    let short: String = text.chars().take(TEXT_MAX).collect();
    let mut clean = String::with_capacity(short.len());
    let (mut word, mut is_next_secret) = (String::new(), false);
    for symbol in short.chars().chain([' ']) {
        if is_between(symbol) {
            push(&mut clean, &word, &mut is_next_secret);
            word.clear();
            clean.push(symbol);
        } else {
            word.push(symbol);
        }
    }
    clean.truncate(clean.trim_end().len());
    clean
}

fn push(clean: &mut String, word: &str, is_next_secret: &mut bool) {
    if word.is_empty() {
        return;
    }
    let is_announced = std::mem::take(is_next_secret);
    let bare = word.trim_matches([':', '.', '/']);
    *is_next_secret = announces(bare);
    clean.push_str(if is_announced || is_sensitive(bare) { "[…]" } else { word });
}

fn announces(word: &str) -> bool {
    BEFORE_SECRETS.contains(&word.to_ascii_lowercase().as_str())
}

fn is_sensitive(word: &str) -> bool {
    let is_address = word.contains('@');
    let is_key = |part: &str| SECRETS.iter().any(|start| part.starts_with(start) && part.len() > start.len() + 6);
    let is_secret = word.split(PARTS).any(is_key) || word.split_once(PARTS).is_some_and(|(name, _)| announces(name));
    let host = word.rsplit_once(':').map_or(word, |(host, _)| host);
    let is_ip = [word, host].iter().any(|one| one.trim_matches(['[', ']']).parse::<IpAddr>().is_ok());
    let is_url = word.contains("://");
    is_address || is_secret || is_ip || is_url || word.chars().count() > WORD_MAX
}

fn is_between(symbol: char) -> bool {
    symbol.is_whitespace()
        || matches!(symbol, '"' | '\'' | '`' | '(' | ')' | '{' | '}' | '<' | '>' | ',' | ';' | '=' | '|')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_somebodys_is_left_out() {
        let clean = [
            ("duplicate key: Key (email)=(ann@example.com) exists", "duplicate key: Key (email)=([…]) exists"),
            ("sent Bearer abc to 10.0.0.1:5432", "sent Bearer […] to […]"),
            ("connect postgres://u:p@host/db failed", "connect […] failed"),
            ("key sk-ant-api03-abcdefgh was refused", "key […] was refused"),
            ("password=hunter2 user=ann", "password=[…] user=ann"),
            ("peer [2001:db8::1]:443 closed", "peer […] closed"),
            ("key:sk-ant-api03-abcdefgh [eyJhbGciOiJIUzI1NiJ9.e30.x]", "[…] […]"),
            ("password:hunter2 token/whsec_abcdefgh", "[…] […]"),
            ("at lib/src/x.rs:10:5", "at lib/src/x.rs:10:5"),
            ("Redis did not answer in time", "Redis did not answer in time"),
            ("row 01a20d5d-679f-768b-ab27-05ff8b13f636 is gone", "row 01a20d5d-679f-768b-ab27-05ff8b13f636 is gone"),
        ];
        for (text, wanted) in clean {
            assert_eq!(scrub(text), wanted);
        }
    }

    proptest! {
        #[test]
        fn no_address_and_no_key_survives_anywhere(before in ".{0,80}", after in ".{0,80}", name in "[a-z]{1,12}") {
            let text = format!("{before} {name}@example.com key:sk_live_{name}abcdef {after}");
            let clean = scrub(&text);
            prop_assert!(!clean.contains("@example.com"), "{clean}");
            prop_assert!(!clean.contains("sk_live_"), "{clean}");
            prop_assert!(clean.chars().count() <= TEXT_MAX + 2 * TEXT_MAX);
        }
    }
}
