//! The published contract, `public/openapi.json`, and whether what a function answers is in it. The harness asks for
//! every answer of every test: whatever a route says that the document does not tell of fails the test that saw it.

use std::{
    collections::BTreeMap,
    fs,
    sync::{Arc, Mutex, OnceLock},
};

use jsonschema::Validator;
use serde_json::{Map, Value, json};

use crate::{http::Reply, packages::project_dir};

/// The document.
///
/// # Panics
/// Where it is no JSON.
pub fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let text = fs::read_to_string(project_dir().join("public/openapi.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    })
}

/// One path and method.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// The path, with `{…}` for what varies.
    pub path: &'static str,
    /// In lower case.
    pub method: &'static str,
    /// What the document says of it.
    pub told: &'static Value,
}

/// All of them.
///
/// # Panics
/// Where the document has no paths.
pub fn operations() -> Vec<Operation> {
    let paths = document()["paths"].as_object().unwrap();
    let of = |(path, item): (&'static String, &'static Value)| {
        let methods = item.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters");
        methods.map(move |(method, told)| Operation { path, method, told }).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of).collect()
}

impl Operation {
    /// Its name.
    ///
    /// # Panics
    /// Where it has none.
    pub fn id(&self) -> &'static str {
        self.told["operationId"].as_str().unwrap()
    }

    /// The error codes that it may answer.
    ///
    /// # Panics
    /// Where they are no list of names.
    pub fn codes(&self) -> Vec<&'static str> {
        self.told["x-codes"].as_array().into_iter().flatten().map(|code| code.as_str().unwrap()).collect()
    }

    fn of(method: &str, path: &str) -> Option<Self> {
        let fits = |one: &Operation| one.method == method.to_lowercase() && is_at(one.path, path);
        let mut found: Vec<_> = operations().into_iter().filter(fits).collect();
        // The plainer path counts: `…/reconcile` before `…/{job}`.
        found.sort_by_key(|one| one.path.matches('{').count());
        found.first().copied()
    }
}

/// Whether a path is one of a template's.
pub fn is_at(template: &str, path: &str) -> bool {
    let (wanted, given): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    let same = |(wanted, given): (&&str, &&str)| wanted == given || wanted.starts_with('{');
    wanted.len() == given.len() && wanted.iter().zip(&given).all(same)
}

/// What was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The body, if there is one that was at hand whole.
    pub body: Option<Vec<u8>>,
}

/// Holds an answer against the document, and gives the operation that it belongs to; none for what no operation
/// serves, which must be refused as such.
///
/// # Panics
/// Where the document does not tell of it.
pub fn check(asked: &Asked, reply: &Reply) -> Option<&'static str> {
    let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
    let fail = |why: &str| -> ! { panic!("openapi.json: {} {}: {why}\n{reply:?}", asked.method, asked.target) };
    let Some(operation) = Operation::of(&asked.method, path) else {
        if asked.method != "OPTIONS" && ![403, 404, 405].contains(&reply.status) {
            fail("no operation is told of");
        }
        return None;
    };
    let answer = &operation.told["responses"][reply.status.to_string()];
    let answer = resolved(answer);
    if answer.is_null() {
        fail("this status is not told of");
    }
    for (name, header) in answer["headers"].as_object().into_iter().flatten() {
        if resolved(header)["required"] == true && reply.header(name).is_empty() {
            fail(&format!("the header {name} is promised"));
        }
    }
    if let Err(why) = check_body(answer, asked, reply) {
        fail(&why);
    }
    if reply.status >= 400 {
        check_code(&operation, reply).unwrap_or_else(|why| fail(&why));
    } else {
        check_question(&operation, query, asked).unwrap_or_else(|why| fail(&why));
    }
    Some(operation.id())
}

fn check_body(answer: &'static Value, asked: &Asked, reply: &Reply) -> Result<(), String> {
    if asked.method == "HEAD" || answer.get("content").is_none() {
        return if reply.text.is_empty() { Ok(()) } else { Err("no body is told of".to_owned()) };
    }
    let media = reply.header("content-type").split(';').next().unwrap_or_default().trim();
    let told = answer["content"].get(media).ok_or(format!("the media type {media:?} is not told of"))?;
    if let Some(events) = told.get("x-events") {
        let mut data =
            reply.text.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
        data.try_for_each(|event| fits_text(events, event))
    } else if let Some(line) = told.get("x-lines") {
        reply.text.lines().try_for_each(|text| fits_text(line, text))
    } else {
        fits_text(&told["schema"], &reply.text)
    }
}

fn check_code(operation: &Operation, reply: &Reply) -> Result<(), String> {
    let Ok(body) = serde_json::from_str::<Value>(&reply.text) else { return Ok(()) };
    let code = body["code"].as_str().or_else(|| body["error"]["details"]["code"].as_str());
    match code {
        Some(code) if operation.codes().contains(&code) => Ok(()),
        Some(code) => Err(format!("the code {code} is not told of")),
        // What has no code is no error of ours: its schema has been looked at.
        None => Ok(()),
    }
}

/// What was taken must be what the document says can be sent.
fn check_question(operation: &Operation, query: &str, asked: &Asked) -> Result<(), String> {
    let parameters = operation.told["parameters"].as_array().into_iter().flatten();
    let mut names: Vec<_> = parameters.filter(|one| one["in"] == "query").map(|one| one["name"].as_str()).collect();
    // The platform repeats what it found in the path, so a caller's own is not looked at.
    names.extend(operation.path.split(['{', '}']).skip(1).step_by(2).map(Some));
    for name in query.split('&').filter_map(|pair| pair.split('=').next()).filter(|name| !name.is_empty()) {
        if !names.contains(&Some(name)) {
            return Err(format!("the parameter {name} is not told of"));
        }
    }
    let told = &operation.told["requestBody"];
    match asked.body.as_deref().filter(|body| !body.is_empty()) {
        None if told["required"] == true => Err("a body is required".to_owned()),
        None => Ok(()),
        Some(_) if told.is_null() => Err("no body is told of".to_owned()),
        Some(body) => {
            let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
            fits_text(&told["content"]["application/json"]["schema"], text)
        }
    }
}

fn fits_text(schema: &Value, text: &str) -> Result<(), String> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("{error}: {text}"))?;
    fits(schema, &value)
}

/// Whether a value fits a schema of the document, and has nothing that the schema does not name unless it says so.
///
/// # Errors
/// What does not fit, and where.
pub fn fits(schema: &Value, value: &Value) -> Result<(), String> {
    let validator = validator(schema);
    match validator.iter_errors(value).next() {
        None => Ok(()),
        Some(error) => Err(format!("{} at {:?}: {error}", value, error.instance_path().to_string())),
    }
}

fn validator(schema: &Value) -> Arc<Validator> {
    static KNOWN: Mutex<BTreeMap<String, Arc<Validator>>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap();
    let make = || {
        let mut whole = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "allOf": [schema],
            "components": { "schemas": document()["components"]["schemas"] },
        });
        close(&mut whole);
        Arc::new(jsonschema::validator_for(&whole).unwrap())
    };
    known.entry(schema.to_string()).or_insert_with(make).clone()
}

/// Clients are told to ignore what they do not know. Here nothing may come that is not told of.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.values_mut().for_each(close);
            if is_closed_object(members) {
                members.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

fn is_closed_object(members: &Map<String, Value>) -> bool {
    let is_schema = members.get("type").is_some_and(|kind| kind == "object") && members.contains_key("properties");
    is_schema && !members.contains_key("additionalProperties")
}

fn resolved(value: &'static Value) -> &'static Value {
    match value["$ref"].as_str() {
        Some(at) => document().pointer(at.trim_start_matches('#')).unwrap_or(&Value::Null),
        None => value,
    }
}
