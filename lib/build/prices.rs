//! Checks `prices.toml` and writes it as a table of exact integers.

use std::{collections::BTreeSet, fmt::Write as _};

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Prices {
    as_of: String,
    server_tools: ServerTools,
    pub(crate) model: Vec<Model>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServerTools {
    web_search_per_1000_requests: String,
    web_fetch_per_1000_requests: String,
    source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Model {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) aliases: Vec<String>,
    pub(crate) status: String,
    retires_on: Option<String>,
    #[serde(default)]
    limited: bool,
    #[serde(default)]
    always_thinks: bool,
    context_tokens: Option<u64>,
    pub(crate) output_tokens_max: Option<u64>,
    cacheable_tokens_min: Option<u64>,
    standard: Rates,
    batch: Rates,
    fast: Option<Rates>,
    long: Option<Long>,
    geo_us: String,
    #[serde(default)]
    #[expect(dead_code, reason = "for the reader of the file")]
    notes: Vec<String>,
    sources: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rates {
    input: String,
    output: String,
    cache_write_5m: String,
    cache_write_1h: String,
    cache_read: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Long {
    prompt_tokens_above: u64,
    standard: Rates,
    batch: Rates,
}

/// Reads and checks the file.
pub(crate) fn parse(text: &str) -> Result<Prices, String> {
    let prices: Prices = toml::from_str(text).map_err(|error| format!("prices.toml: {error}"))?;
    if !is_date(&prices.as_of) {
        return Err("prices.toml: as_of must be a date, YYYY-MM-DD".to_owned());
    }
    if prices.server_tools.source.is_empty() {
        return Err("prices.toml: server_tools have no source".to_owned());
    }
    scaled(&prices.server_tools.web_search_per_1000_requests, 6)?;
    scaled(&prices.server_tools.web_fetch_per_1000_requests, 6)?;
    let mut names = BTreeSet::new();
    for model in &prices.model {
        check(model).map_err(|fault| format!("prices.toml: {}: {fault}", model.id))?;
        for name in std::iter::once(&model.id).chain(&model.aliases) {
            if !names.insert(name.clone()) {
                return Err(format!("prices.toml: {name} is listed twice"));
            }
        }
    }
    Ok(prices)
}

fn check(model: &Model) -> Result<(), String> {
    if model.sources.is_empty() || model.sources.iter().any(String::is_empty) {
        return Err("a price without a source".to_owned());
    }
    if !["active", "deprecated", "retired"].contains(&model.status.as_str()) {
        return Err("status must be active, deprecated or retired".to_owned());
    }
    let rates = [Some(&model.standard), Some(&model.batch), model.fast.as_ref()];
    let long = model.long.iter().flat_map(|long| [&long.standard, &long.batch]);
    for rates in rates.into_iter().flatten().chain(long) {
        rates_code(rates)?;
    }
    scaled(&model.geo_us, 3).map(drop)
}

fn is_date(text: &str) -> bool {
    text.len() == 10
        && text.char_indices().all(|(at, c)| if at == 4 || at == 7 { c == '-' } else { c.is_ascii_digit() })
}

/// A decimal text as an integer of 10^-places: "0.125" with 6 places is 125,000. Refuses what would not be exact.
fn scaled(text: &str, places: usize) -> Result<i64, String> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{fraction:0<places$}");
    let fits = !whole.is_empty() && fraction.len() <= places && digits.bytes().all(|b| b.is_ascii_digit());
    digits
        .parse()
        .ok()
        .filter(|_| fits)
        .ok_or_else(|| format!("{text:?} is not a decimal with at most {places} places"))
}

/// USD per million tokens is 10^6 picodollars a token.
fn rates_code(rates: &Rates) -> Result<String, String> {
    let pico = |text: &str| scaled(text, 6);
    Ok(format!(
        "Rates {{ input: {}, output: {}, cache_write_5m: {}, cache_write_1h: {}, cache_read: {} }}",
        pico(&rates.input)?,
        pico(&rates.output)?,
        pico(&rates.cache_write_5m)?,
        pico(&rates.cache_write_1h)?,
        pico(&rates.cache_read)?,
    ))
}

/// The table as Rust.
pub(crate) fn generate(prices: &Prices, text: &str) -> String {
    let mut code = String::new();
    // FNV-1a: tells two versions of the file apart in the ledger; it guards against nothing.
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let search = scaled(&prices.server_tools.web_search_per_1000_requests, 6).unwrap_or_default();
    let fetch = scaled(&prices.server_tools.web_fetch_per_1000_requests, 6).unwrap_or_default();
    let _ = write!(
        code,
        "/// Date of the prices and a hash of the file: kept in every ledger row.\n\
         pub const PRICE_VERSION: &str = \"{}-{:08x}\";\n\
         const WEB_SEARCH_NANOUSD: i64 = {search};\nconst WEB_FETCH_NANOUSD: i64 = {fetch};\n\
         static MODELS: &[ModelPrice] = &[\n",
        prices.as_of,
        hash >> 32,
    );
    for model in &prices.model {
        let _ = writeln!(code, "{},", model_code(model));
    }
    code.push_str("];\n");
    code
}

fn model_code(model: &Model) -> String {
    let rates = |rates: &Rates| rates_code(rates).unwrap_or_default();
    let long = model.long.as_ref().map(|long| {
        format!("LongStep {{ prompt_tokens_above: {}, rates: {} }}", long.prompt_tokens_above, rates(&long.standard))
    });
    let some = |code: Option<String>| code.map_or_else(|| "None".to_owned(), |code| format!("Some({code})"));
    let status = match model.status.as_str() {
        "active" => "Status::Active",
        "deprecated" => "Status::Deprecated",
        _ => "Status::Retired",
    };
    let retires = model.retires_on.as_ref().filter(|date| is_date(date)).map(|date| format!("{date:?}"));
    format!(
        "ModelPrice {{ id: {:?}, aliases: &{:?}, status: {status}, retires_on: {}, is_limited: {}, always_thinks: {}, context_tokens: {:?}, \
         output_tokens_max: {:?}, cacheable_tokens_min: {:?}, standard: {}, fast: {}, long: {}, geo_us_permille: {} }}",
        model.id,
        model.aliases,
        some(retires),
        model.limited,
        model.always_thinks,
        model.context_tokens,
        model.output_tokens_max,
        model.cacheable_tokens_min,
        rates(&model.standard),
        some(model.fast.as_ref().map(rates)),
        some(long),
        scaled(&model.geo_us, 3).unwrap_or_default(),
    )
}
