//! Bodies and queries as Stripe takes them: `application/x-www-form-urlencoded`, nested names in brackets.

/// Pairs of a form, in the order in which they were added: the same calls make the same text, as idempotency keys
/// want it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form(String);

impl Form {
    /// Adds a pair; nested names are written out, such as `line_items[0][price]`.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0 = form_urlencoded::Serializer::new(self.0).append_pair(name, value).finish();
        self
    }

    /// Adds a pair where there is a value.
    #[must_use]
    pub fn with_some(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The encoded text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_encoded_and_absent_ones_left_out() {
        let form = Form::default().with("a[0][b]", "x&y=ü +").with_some("c", None).with_some("d", Some(""));
        assert_eq!(form.as_str(), "a%5B0%5D%5Bb%5D=x%26y%3D%C3%BC+%2B&d=");
    }
}
