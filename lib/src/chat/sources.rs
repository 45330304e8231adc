//! Where an answer has its knowledge from: results of Claude's own tools, and citations.

use serde_json::{Value, json};

/// What a client is shown of a result of Claude's own tools. The rest (encrypted pages, whole documents) is for Claude,
/// and stays in the stored answer.
pub(super) fn shown(content: &Value) -> Result<Value, String> {
    if let Some(code) = content.get("error_code").and_then(Value::as_str) {
        return Err(code.to_owned());
    }
    let show = |one: &Value| {
        let fields = ["type", "url", "title", "page_age", "retrieved_at"].into_iter();
        fields.filter_map(|name| Some((name.to_owned(), one.get(name)?.clone()))).collect::<Value>()
    };
    Ok(content.as_array().map_or_else(|| show(content), |list| list.iter().map(show).collect()))
}

/// A citation as a client keeps it: without what only Claude can read.
pub(super) fn citation(citation: &Value) -> Value {
    let mut shown = citation.clone();
    if let Some(fields) = shown.as_object_mut() {
        fields.retain(|name, _| !name.starts_with("encrypted_"));
    }
    shown
}

/// The sources of an answer, each told once.
#[derive(Debug, Default)]
pub(super) struct Sources(Vec<String>);

impl Sources {
    /// The chunks of the results of a search or a fetch.
    pub(super) fn of_result(&mut self, shown: &Value) -> Vec<Value> {
        let list = shown.as_array().map_or_else(|| std::slice::from_ref(shown), Vec::as_slice);
        list.iter().filter_map(|one| self.page(one.get("url")?.as_str()?, one.get("title"))).collect()
    }

    /// The chunk of a citation, where it names a source that has not been told yet.
    pub(super) fn of_citation(&mut self, citation: &Value) -> Option<Value> {
        if let Some(url) = citation.get("url").and_then(Value::as_str) {
            return self.page(url, citation.get("title"));
        }
        let index = citation.get("document_index")?.as_u64()?;
        let title = citation.get("document_title").and_then(Value::as_str);
        let id = format!("document-{index}");
        let is_pdf = citation["type"] == "page_location";
        self.is_new(&id).then(|| {
            json!({
                "type": "source-document",
                "sourceId": id,
                "mediaType": if is_pdf { "application/pdf" } else { "text/plain" },
                "title": title.unwrap_or("Document"),
            })
        })
    }

    fn page(&mut self, url: &str, title: Option<&Value>) -> Option<Value> {
        // Anything else must not become a link.
        let is_page = url.starts_with("https://") || url.starts_with("http://");
        if !is_page || !self.is_new(url) {
            return None;
        }
        let mut chunk = json!({ "type": "source-url", "sourceId": url, "url": url });
        if let Some(title) = title.and_then(Value::as_str) {
            chunk["title"] = title.into();
        }
        Some(chunk)
    }

    fn is_new(&mut self, id: &str) -> bool {
        let is_new = !self.0.iter().any(|one| one == id);
        if is_new {
            self.0.push(id.to_owned());
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_sees_where_and_not_what_only_claude_can_read() {
        let found = json!([{ "type": "web_search_result", "url": "https://a.example/", "title": "A", "encrypted_content": "x" }]);
        let told = shown(&found).unwrap();
        assert_eq!(told, json!([{ "type": "web_search_result", "url": "https://a.example/", "title": "A" }]));
        let mut sources = Sources::default();
        assert_eq!(sources.of_result(&told).len(), 1);
        let cited =
            json!({ "type": "web_search_result_location", "url": "https://a.example/", "encrypted_index": "y" });
        assert_eq!(sources.of_citation(&cited), None, "told already");
        assert_eq!(citation(&cited), json!({ "type": "web_search_result_location", "url": "https://a.example/" }));
        assert_eq!(sources.of_citation(&json!({ "url": "javascript:alert(1)" })), None);
        let page =
            json!({ "type": "page_location", "document_index": 0, "document_title": "T", "start_page_number": 1 });
        assert_eq!(sources.of_citation(&page).unwrap()["mediaType"], "application/pdf");
        assert_eq!(
            shown(&json!({ "type": "web_search_tool_result_error", "error_code": "max_uses_exceeded" })),
            Err("max_uses_exceeded".to_owned())
        );
    }
}
