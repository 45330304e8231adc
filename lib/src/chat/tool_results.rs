//! What the client's own tools answered, as blocks of Claude's API.

use serde_json::{Value, json};

use super::json::{Node, Object};
use crate::Error;

/// The results in an answer's parts: those of its last step, which are what Claude waits for.
pub(super) fn of_parts(parts: &[Node<'_>]) -> Result<Vec<Value>, Error> {
    let mut results = Vec::new();
    for part in parts {
        let object = part.object()?;
        let kind = object.require("type")?.text()?;
        if kind == "step-start" {
            results.clear();
        }
        if (kind == "dynamic-tool" || kind.starts_with("tool-")) && !is_true(&object, "providerExecuted")? {
            results.extend(result(&object)?);
        }
    }
    Ok(results)
}

/// The results of the plain body: `[{"tool_use_id", "content", "is_error"?}]`.
pub(super) fn of_list(list: &Node<'_>) -> Result<Vec<Value>, Error> {
    let results = list.array()?;
    if results.is_empty() {
        return Err(list.refuse("There is no result."));
    }
    let read = |node: &Node<'_>| {
        let object = node.object()?;
        object.only(&["tool_use_id", "content", "is_error"])?;
        let id = object.require("tool_use_id")?.id()?;
        Ok(block(&id, object.require("content")?.words_of()?, is_true(&object, "is_error")?))
    };
    results.iter().map(read).collect()
}

fn result(part: &Object<'_>) -> Result<Option<Value>, Error> {
    let Some(state) = part.get("state")? else { return Ok(None) };
    let (text, is_error) = match state.text()?.as_ref() {
        "output-available" => (part.get("output")?.map_or(Ok(String::new()), |output| output.words_of())?, false),
        "output-error" => (part.require("errorText")?.text()?.into_owned(), true),
        "output-denied" => ("The user did not allow this tool to run.".to_owned(), true),
        // Not answered yet.
        _ => return Ok(None),
    };
    Ok(Some(block(&part.require("toolCallId")?.id()?, text, is_error)))
}

fn block(id: &str, text: String, is_error: bool) -> Value {
    let mut block = json!({ "type": "tool_result", "tool_use_id": id });
    if !text.trim().is_empty() {
        block["content"] = text.into();
    }
    if is_error {
        block["is_error"] = true.into();
    }
    block
}

fn is_true(object: &Object<'_>, name: &str) -> Result<bool, Error> {
    object.get(name)?.map_or(Ok(false), |node| node.flag())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_results_of_the_last_step_are_taken_whatever_their_shape() {
        let text = r#"[
            {"type":"step-start"},{"type":"tool-old","toolCallId":"a","state":"output-available","output":"gone"},
            {"type":"step-start"},{"type":"text","text":"x"},
            {"type":"tool-weather","toolCallId":"b","state":"output-available","input":{},"output":{"c": 21.50}},
            {"type":"dynamic-tool","toolName":"t","toolCallId":"c","state":"output-error","errorText":"broke"},
            {"type":"tool-web_search","toolCallId":"d","state":"output-available","output":[],"providerExecuted":true},
            {"type":"tool-ask","toolCallId":"e","state":"input-available","input":{}},
            {"type":"tool-ask","toolCallId":"f","state":"output-denied","input":{}},
            {"type":"tool-ask","toolCallId":"g","state":"output-available"}]"#;
        let parts = Node::document(text.as_bytes()).unwrap().array().unwrap();
        assert_eq!(
            of_parts(&parts).unwrap(),
            [
                json!({ "type": "tool_result", "tool_use_id": "b", "content": r#"{"c": 21.50}"# }),
                json!({ "type": "tool_result", "tool_use_id": "c", "content": "broke", "is_error": true }),
                json!({ "type": "tool_result", "tool_use_id": "f", "content": "The user did not allow this tool to run.", "is_error": true }),
                json!({ "type": "tool_result", "tool_use_id": "g" }),
            ]
        );
    }

    #[test]
    fn the_plain_list_says_the_same() {
        let list = Node::document(
            br#"[{"tool_use_id":"a","content":[1, 2]},{"tool_use_id":"b","content":"no","is_error":true}]"#,
        )
        .unwrap();
        assert_eq!(
            of_list(&list).unwrap(),
            [
                json!({ "type": "tool_result", "tool_use_id": "a", "content": "[1, 2]" }),
                json!({ "type": "tool_result", "tool_use_id": "b", "content": "no", "is_error": true }),
            ]
        );
        assert!(of_list(&Node::document(b"[]").unwrap()).is_err());
        assert!(of_list(&Node::document(br#"[{"tool_use_id":"a","contents":1}]"#).unwrap()).is_err());
    }
}
