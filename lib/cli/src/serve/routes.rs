//! Which function answers a path, in the platform's order: exact functions, rewrites, functions with parameters.

use super::{
    pattern::{self, Params, Pattern},
    project::{Project, Segment},
};

/// Where a request goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// To a function, by its index, with this query. The path stays the caller's.
    Function { index: usize, query: String },
    /// To a static file under another name.
    File(String),
    /// Nowhere.
    Nothing,
}

/// All routes of a project.
#[derive(Debug)]
pub(super) struct Routes {
    functions: Vec<Vec<Segment>>,
    rewrites: Vec<(Pattern, String)>,
    headers: Vec<(Pattern, Vec<(String, String)>)>,
}

impl Routes {
    pub(super) fn new(project: Project) -> Self {
        let functions = project.functions.into_iter().map(|spec| spec.route).collect();
        Self { functions, rewrites: project.config.rewrites, headers: project.config.headers }
    }

    /// Routes a path that is no static file.
    pub(super) fn route(&self, path: &str, query: &str) -> Target {
        if let Some((index, params)) = self.function(path, false) {
            return Target::Function { index, query: with_params(query, params) };
        }
        for (source, destination) in &self.rewrites {
            let Some(params) = source.matches(path) else { continue };
            let (path, own_query, unused) = pattern::fill(destination, params);
            let query = with_params(&join(query, &own_query), unused);
            return match self.function(&path, true) {
                Some((index, params)) => Target::Function { index, query: with_params(&query, params) },
                None => Target::File(path),
            };
        }
        match self.function(path, true) {
            Some((index, params)) => Target::Function { index, query: with_params(query, params) },
            None => Target::Nothing,
        }
    }

    /// The headers that `vercel.json` gives to a path.
    pub(super) fn headers(&self, path: &str) -> impl Iterator<Item = &(String, String)> {
        self.headers.iter().filter(move |(source, _)| source.matches(path).is_some()).flat_map(|(_, all)| all)
    }

    /// An exact function, or, if asked for, one with parameters; the exact one wins.
    fn function(&self, path: &str, dynamic: bool) -> Option<(usize, Params)> {
        let given: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        let fits = |params: bool| {
            self.functions.iter().enumerate().find_map(|(index, route)| {
                let found = matches(route, &given)?;
                (found.is_empty() != params).then_some((index, found))
            })
        };
        fits(false).or_else(|| if dynamic { fits(true) } else { None })
    }
}

fn matches(route: &[Segment], given: &[&str]) -> Option<Params> {
    if route.len() != given.len() {
        return None;
    }
    let mut params = Params::new();
    for (segment, given) in route.iter().zip(given) {
        match segment {
            Segment::Word(word) if word == given => {}
            Segment::Param(name) if !given.is_empty() => params.push((name.clone(), (*given).to_owned())),
            _ => return None,
        }
    }
    Some(params)
}

fn join(one: &str, other: &str) -> String {
    if one.is_empty() || other.is_empty() { format!("{one}{other}") } else { format!("{one}&{other}") }
}

/// Appends parameters; one that the caller has given already is left as the caller's.
fn with_params(query: &str, params: Params) -> String {
    let mut query = query.to_owned();
    for (name, value) in params {
        let taken = query.split('&').any(|pair| pair.split('=').next() == Some(&*name));
        if !taken {
            query = join(&query, &format!("{name}={value}"));
        }
    }
    query
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(rewrites: &[(&str, &str)]) -> Routes {
        let word = |word: &str| Segment::Word(word.to_owned());
        let items = vec![word("api"), word("items")];
        let item = vec![word("api"), word("items"), Segment::Param("id".to_owned())];
        let special = vec![word("api"), word("items"), word("special")];
        let rewrites = rewrites.iter().map(|(source, to)| (Pattern::new(source).unwrap(), (*to).to_owned())).collect();
        Routes { functions: vec![items, item, special], rewrites, headers: Vec::new() }
    }

    fn function(index: usize, query: &str) -> Target {
        Target::Function { index, query: query.to_owned() }
    }

    #[test]
    fn a_parameter_is_appended_unless_the_caller_has_given_it() {
        let routes = routes(&[]);
        assert_eq!(routes.route("/api/items/42", ""), function(1, "id=42"));
        assert_eq!(routes.route("/api/items/a%2Fb%20c", "q=1"), function(1, "q=1&id=a%2Fb%20c"));
        assert_eq!(routes.route("/api/items/42", "id=evil"), function(1, "id=evil"));
    }

    #[test]
    fn the_exact_function_wins_and_the_rest_is_nothing() {
        let routes = routes(&[]);
        assert_eq!(routes.route("/api/items/special", ""), function(2, ""));
        for path in ["/api/items/", "/api/items/1/2", "/api/other", "/", "/api/items.rs"] {
            assert_eq!(routes.route(path, ""), Target::Nothing, "{path}");
        }
    }

    #[test]
    fn a_rewrite_reaches_a_function_with_its_parameters() {
        let routes =
            routes(&[("/things/:id", "/api/items/:id"), ("/list/:page", "/api/items?own=1"), ("/p", "/q.html")]);
        assert_eq!(routes.route("/things/77", ""), function(1, "id=77"));
        assert_eq!(routes.route("/list/3", "a=b"), function(0, "a=b&own=1&page=3"));
        assert_eq!(routes.route("/p", ""), Target::File("/q.html".to_owned()));
    }
}
