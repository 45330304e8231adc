//! Sources of rewrites and headers in `vercel.json`: the part of path-to-regexp that projects use.

/// `/things/:id`, `/v1/:rest*`, `/docs/:page+`, `/(.*)`.
#[derive(Debug)]
pub(super) struct Pattern(Vec<Segment>);

#[derive(Debug)]
enum Segment {
    Word(String),
    One(String),
    Rest { name: String, least: usize },
}

/// What a path gave to a pattern's names, still percent-encoded.
pub(super) type Params = Vec<(String, String)>;

impl Pattern {
    pub(super) fn new(source: &str) -> Result<Self, String> {
        let unknown = || format!("the source `{source}` uses a syntax that is not known here");
        let path = source.strip_prefix('/').ok_or_else(unknown)?;
        let mut segments = Vec::new();
        let count = path.split('/').count();
        for (index, segment) in path.split('/').enumerate() {
            let parsed = Segment::new(segment).ok_or_else(unknown)?;
            if matches!(parsed, Segment::Rest { .. }) && index + 1 != count {
                return Err(unknown());
            }
            segments.push(parsed);
        }
        Ok(Self(segments))
    }

    /// What the path gives to the names, if it fits.
    pub(super) fn matches(&self, path: &str) -> Option<Params> {
        let given: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        let mut params = Params::new();
        for (index, segment) in self.0.iter().enumerate() {
            match (segment, given.get(index)) {
                (Segment::Word(word), Some(given)) if word == given => {}
                (Segment::One(name), Some(given)) if !given.is_empty() => {
                    params.push((name.clone(), (*given).to_owned()));
                }
                (Segment::Rest { name, least }, _) => {
                    let rest = given.get(index..).unwrap_or_default();
                    let empty = rest.iter().all(|segment| segment.is_empty());
                    if empty && *least > 0 {
                        return None;
                    }
                    params.push((name.clone(), rest.join("/")));
                    return Some(params);
                }
                _ => return None,
            }
        }
        (given.len() == self.0.len()).then_some(params)
    }
}

impl Segment {
    fn new(text: &str) -> Option<Self> {
        if text == "(.*)" {
            return Some(Self::Rest { name: "1".to_owned(), least: 0 });
        }
        let Some(name) = text.strip_prefix(':') else {
            return (!text.contains([':', '(', ')', '*', '+', '?', '{', '}'])).then(|| Self::Word(text.to_owned()));
        };
        let (name, kind) = match name.strip_suffix(['*', '+']) {
            Some(bare) => (bare, &name[bare.len()..]),
            None => (name, ""),
        };
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return None;
        }
        let name = name.to_owned();
        Some(match kind {
            "*" => Self::Rest { name, least: 0 },
            "+" => Self::Rest { name, least: 1 },
            _ => Self::One(name),
        })
    }
}

/// Fills `:name` and `$1` of a destination; returns the path, its query, and the params that it did not use.
pub(super) fn fill(destination: &str, params: Params) -> (String, String, Params) {
    let (mut filled, mut unused) = (destination.to_owned(), Params::new());
    for (name, value) in params {
        let marks = [format!(":{name}*"), format!(":{name}+"), format!(":{name}"), format!("${name}")];
        match marks.iter().find(|mark| filled.contains(mark.as_str())) {
            Some(mark) => filled = filled.replace(mark.as_str(), &value),
            None => unused.push((name, value)),
        }
    }
    match filled.split_once('?') {
        Some((path, query)) => (path.to_owned(), query.to_owned(), unused),
        None => (filled, String::new(), unused),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(source: &str, path: &str) -> Option<Params> {
        Pattern::new(source).unwrap().matches(path)
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn a_name_takes_one_segment_and_a_star_takes_the_rest() {
        assert_eq!(given("/things/:id", "/things/7"), Some(vec![pair("id", "7")]));
        assert_eq!(given("/things/:id", "/things/7/8"), None);
        assert_eq!(given("/things/:id", "/things/"), None);
        assert_eq!(given("/v1/:rest*", "/v1/a/b"), Some(vec![pair("rest", "a/b")]));
        assert_eq!(given("/v1/:rest*", "/v1"), Some(vec![pair("rest", "")]));
        assert_eq!(given("/v1/:rest+", "/v1"), None);
        assert_eq!(given("/(.*)", "/any/thing"), Some(vec![pair("1", "any/thing")]));
        assert_eq!(given("/plain", "/plain"), Some(vec![]));
    }

    #[test]
    fn a_syntax_that_is_not_known_is_refused() {
        for source in ["things", "/:id(\\d+)", "/a*/b", "/:rest*/end"] {
            assert!(Pattern::new(source).is_err(), "{source}");
        }
    }

    #[test]
    fn what_a_destination_does_not_use_is_left_over() {
        let params = vec![pair("id", "7"), pair("page", "2")];
        assert_eq!(
            fill("/api/items/:id?fixed=1", params),
            ("/api/items/7".to_owned(), "fixed=1".to_owned(), vec![pair("page", "2")])
        );
    }
}
