use proptest::prelude::*;

use super::*;
use crate::cost::{find, models};

fn cost(model: &str, usage: &Usage) -> i64 {
    cost_nanousd(find(model).unwrap(), usage).unwrap()
}

#[test]
fn golden_costs_by_hand() {
    let usage = Usage { input_tokens: 1_000, output_tokens: 500, ..Usage::default() };
    // 1,000 x 2 USD/MTok + 500 x 10 USD/MTok
    assert_eq!(cost("claude-sonnet-5-5", &usage), 7_000_000);
    // Haiku 5.5 at 0.10 and 0.50
    assert_eq!(cost("claude-haiku-5-5", &usage), 350_000);
    // One token at 0.10 USD/MTok is 100 nanodollars; a cache read at 0.01 is 10.
    assert_eq!(cost("claude-haiku-5-5", &Usage { cache_read_tokens: 1, ..Usage::default() }), 10);
    // In `us`: 1.1 times, rounded up once: 3 x 125 x 1.1 = 412.5.
    let us = Usage { cache_write_5m_tokens: 3, inference_geo: Some("us".into()), ..Usage::default() };
    assert_eq!(cost("claude-haiku-5-5", &us), 413);
}

#[test]
fn an_hour_of_cache_costs_twice_the_input_and_is_not_taken_for_five_minutes() {
    let five = Usage { cache_write_5m_tokens: 1_000_000, ..Usage::default() };
    let hour = Usage { cache_write_1h_tokens: 1_000_000, ..Usage::default() };
    assert_eq!(cost("claude-opus-5-5", &five), 5_000_000_000);
    assert_eq!(cost("claude-opus-5-5", &hour), 8_000_000_000);
}

#[test]
fn cache_reads_have_a_price_per_model_and_not_one_factor() {
    let read = Usage { cache_read_tokens: 1_000_000, ..Usage::default() };
    assert_eq!(cost("claude-sonnet-5", &read), 200_000_000);
    assert_eq!(cost("claude-sonnet-5-5", &read), 100_000_000);
    assert_eq!(cost("claude-fable-5-1", &read), 250_000_000);
}

#[test]
fn the_long_prompt_step_counts_cached_tokens_and_reprices_the_whole_call() {
    let at = Usage { input_tokens: 40_000, cache_read_tokens: 60_000, output_tokens: 10, ..Usage::default() };
    let above = Usage { cache_read_tokens: 60_001, ..at.clone() };
    assert_eq!(cost("claude-haiku-5-5", &at), 40_000 * 100 + 60_000 * 10 + 10 * 500);
    assert_eq!(cost("claude-haiku-5-5", &above), 40_000 * 500 + 60_001 * 50 + 10 * 2_500);
}

#[test]
fn searches_are_a_cent_each_and_fetches_free() {
    let usage = Usage { web_search_requests: 3, web_fetch_requests: 9, ..Usage::default() };
    assert_eq!(cost("claude-opus-5", &usage), 30_000_000);
}

#[test]
fn fast_mode_without_a_price_is_an_error_and_never_standard() {
    let usage = Usage { input_tokens: 1, speed: Speed::Fast, ..Usage::default() };
    assert_eq!(cost_nanousd(find("claude-sonnet-5").unwrap(), &usage), Err(CostError::NoFastPrice));
    assert_eq!(cost("claude-opus-5", &usage), 10_000);
}

#[test]
fn amounts_are_written_exactly() {
    for (nanousd, text) in
        [(0, "0.00"), (10_000_000, "0.01"), (1, "0.000000001"), (1_234_500_000, "1.2345"), (-5_000_000_000, "-5.00")]
    {
        assert_eq!(format_usd(nanousd), text);
    }
}

fn any_usage(input_max: u64, output_max: u64) -> impl Strategy<Value = Usage> {
    let split = (0..=input_max, 0.0..1.0_f64, 0.0..1.0_f64, 0.0..1.0_f64);
    (split, 0..=output_max, any::<bool>(), any::<bool>(), 0..4_u64).prop_map(
        |((prompt, a, b, c), output, fast, us, searches)| {
            let part = |share: f64, of: u64| (share * of as f64) as u64;
            let write_5m = part(a, prompt);
            let write_1h = part(b, prompt - write_5m);
            let read = part(c, prompt - write_5m - write_1h);
            Usage {
                input_tokens: prompt - write_5m - write_1h - read,
                cache_write_5m_tokens: write_5m,
                cache_write_1h_tokens: write_1h,
                cache_read_tokens: read,
                output_tokens: output,
                web_search_requests: searches,
                speed: if fast { Speed::Fast } else { Speed::Standard },
                inference_geo: us.then(|| "us".to_owned()),
                ..Usage::default()
            }
        },
    )
}

proptest! {
    /// The invariant that budgets rest on.
    #[test]
    fn no_usage_within_its_bounds_costs_more_than_the_ceiling(
        at in 0..models().len(), usage in any_usage(300_000, 128_000), slack in 0..1_000_u64,
    ) {
        let model = &models()[at];
        let bound = InputBound {
            input_tokens: usage.prompt_tokens() + slack,
            web_searches: usage.web_search_requests,
            fast: usage.speed == Speed::Fast,
            geo_us: usage.inference_geo.is_some(),
        };
        match (cost_nanousd(model, &usage), ceiling_nanousd(model, &bound, usage.output_tokens + slack)) {
            (Ok(cost), Ok(ceiling)) => prop_assert!(cost <= ceiling),
            (cost, ceiling) => prop_assert_eq!(cost.is_err(), ceiling.is_err()),
        }
    }

    #[test]
    fn more_tokens_never_cost_less(at in 0..models().len(), usage in any_usage(300_000, 10_000), more in 1..100_000_u64) {
        let model = &models()[at];
        let usage = Usage { speed: Speed::Standard, ..usage };
        let base = cost_nanousd(model, &usage).unwrap();
        for class in 0..5 {
            let mut grown = usage.clone();
            let tokens = match class {
                0 => &mut grown.input_tokens,
                1 => &mut grown.cache_write_5m_tokens,
                2 => &mut grown.cache_write_1h_tokens,
                3 => &mut grown.cache_read_tokens,
                _ => &mut grown.output_tokens,
            };
            *tokens += more;
            prop_assert!(cost_nanousd(model, &grown).unwrap() >= base);
        }
    }
}

#[test]
fn amounts_are_read_exactly_or_not_at_all() {
    for (text, nanousd) in [("0", 0), ("5", 5_000_000_000), ("0.000000001", 1), ("12.50", 12_500_000_000)] {
        assert_eq!(parse_usd(text), Some(nanousd), "{text}");
        assert_eq!(parse_usd(&format_usd(nanousd)), Some(nanousd), "{text}");
    }
    for text in ["", ".5", "-1", "1e3", "1.0000000001", "1,5", "99999999999999999999", "+1", "1.2.3", " 1"] {
        assert_eq!(parse_usd(text), None, "{text}");
    }
}
