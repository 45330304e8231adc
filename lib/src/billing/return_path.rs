//! Where the browser comes back to: a path of the page that asked, and never another site's.

use serde_json::Value;

use crate::{Code, Error, stripe::ReturnUrls};

/// Longer ones are nobody's path.
const PATH_MAX_BYTES: usize = 512;

/// The body of `POST /api/billing/checkout`: `{"return_path"?}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnPath(String);

impl ReturnPath {
    /// Reads a body; an empty one means the page's root.
    ///
    /// # Errors
    /// `invalid_json`, or `invalid_body` with a pointer.
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        if body.trim_ascii().is_empty() {
            return Ok(Self("/".to_owned()));
        }
        let body: Value = serde_json::from_slice(body)
            .map_err(|error| Error::new(Code::InvalidJson, format!("The body is not JSON: {error}.")))?;
        let refuse = |at: &str, detail: &str| Err(Error::new(Code::InvalidBody, detail).pointer(at));
        let Value::Object(mut members) = body else { return refuse("", "The body must be an object.") };
        let path = members.remove("return_path");
        if let Some(name) = members.keys().next() {
            let at = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
            return refuse(&at, "The body may hold `return_path`, and nothing else.");
        }
        match path {
            None => Ok(Self("/".to_owned())),
            Some(Value::String(path)) if is_local(&path) => Ok(Self(path)),
            Some(_) => refuse("/return_path", "`return_path` must be a path of your page, such as `/account`."),
        }
    }

    /// The URLs below an origin, such as `https://app.example`. The page sees `checkout=done` or `checkout=cancelled`.
    pub fn urls(&self, origin: &str) -> ReturnUrls {
        let path = &self.0;
        let separator = if path.contains('?') { '&' } else { '?' };
        let with = |outcome: &str| format!("{origin}{path}{separator}checkout={outcome}");
        ReturnUrls { success: with("done"), cancel: with("cancelled"), portal: format!("{origin}{path}") }
    }
}

/// Begins with one slash and holds nothing that a browser would read as another host, or Stripe as a placeholder.
fn is_local(path: &str) -> bool {
    let is_plain =
        |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'{' | b'}' | b'#' | b'"' | b'<' | b'>');
    path.starts_with('/') && !path.starts_with("//") && path.len() <= PATH_MAX_BYTES && path.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(body: &str) -> ReturnUrls {
        ReturnPath::parse(body.as_bytes()).unwrap().urls("https://app.example")
    }

    #[test]
    fn the_page_is_told_how_it_went() {
        assert_eq!(urls("").success, "https://app.example/?checkout=done");
        assert_eq!(urls("{}").cancel, "https://app.example/?checkout=cancelled");
        let account = urls(r#"{"return_path":"/account?tab=plan"}"#);
        assert_eq!(account.success, "https://app.example/account?tab=plan&checkout=done");
        assert_eq!(account.portal, "https://app.example/account?tab=plan");
    }

    #[test]
    fn no_path_leads_to_another_site() {
        for path in
            ["//evil.example", "/\\\\evil.example", "https://evil.example", "", "account", "/a b", "/ü", "/{X}", "/a#b"]
        {
            let body = serde_json::json!({ "return_path": path }).to_string();
            let error = ReturnPath::parse(body.as_bytes()).unwrap_err();
            assert_eq!(
                (error.code(), &error.members()["pointer"]),
                (Code::InvalidBody, &"/return_path".into()),
                "{path}"
            );
        }
        let long = format!(r#"{{"return_path":"/{}"}}"#, "x".repeat(PATH_MAX_BYTES));
        for (body, code) in [
            ("{", Code::InvalidJson),
            ("[]", Code::InvalidBody),
            (r#"{"a/b":1}"#, Code::InvalidBody),
            (r#"{"return_path":null}"#, Code::InvalidBody),
            (long.as_str(), Code::InvalidBody),
        ] {
            assert_eq!(ReturnPath::parse(body.as_bytes()).unwrap_err().code(), code, "{body}");
        }
    }
}
