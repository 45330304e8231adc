//! A conversation's title, taken from its first message.

/// Most characters of a title.
pub(super) const TITLE_CHARS: usize = 80;

/// The first line that says something, at most [`TITLE_CHARS`] characters, cut with an ellipsis.
pub(super) fn of_text(text: &str) -> String {
    let line = text.lines().map(clean).find(|line| !line.is_empty());
    let Some(line) = line else { return "New conversation".to_owned() };
    if line.chars().count() <= TITLE_CHARS {
        return line;
    }
    let mut cut: String = line.chars().take(TITLE_CHARS - 1).collect();
    // At a word's end, unless that would throw away half the title.
    if let Some(end) = cut.rfind(' ').filter(|end| *end >= cut.len() / 2) {
        cut.truncate(end);
    }
    cut.push('…');
    cut
}

/// Control characters gone, white space folded.
fn clean(line: &str) -> String {
    let mut cleaned = String::new();
    for word in line.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !cleaned.is_empty() {
            cleaned.push(' ');
        }
        cleaned.push_str(word);
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_says_something_is_the_title() {
        assert_eq!(of_text("\n \u{7}\n  Why is\tthe sky blue?\nBecause"), "Why is the sky blue?");
        assert_eq!(of_text("\u{0} \n"), "New conversation");
    }

    #[test]
    fn a_long_title_is_cut_between_characters() {
        let title = of_text(&"é🦀".repeat(100));
        assert_eq!(title.chars().count(), TITLE_CHARS);
        assert!(title.ends_with('…'));
        let eighty = "x".repeat(80);
        assert_eq!(of_text(&eighty), eighty);
    }

    #[test]
    fn a_long_title_is_cut_between_words() {
        let title = of_text(&"lorem ipsum ".repeat(20));
        assert!(title.chars().count() <= TITLE_CHARS && title.ends_with("lorem…"), "{title}");
    }
}
