//! How the caller's limits stand, as headers.

use super::Ctx;
use crate::{
    clock,
    http::{HeaderName, HeaderValue, Wire},
    limit::{Policy, Standing},
};

impl Ctx {
    /// `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10, 2025-09-27); on Anthropic's wire
    /// also `anthropic-ratelimit-requests-…`, which its SDKs and tools read.
    pub(super) fn add_limit_headers(&self, policies: &[Policy], standings: &[Standing]) {
        let quota = policies.iter().filter_map(|policy| match policy {
            Policy::Window { name, limit, window_ms, .. } => {
                Some(format!("\"{name}\";q={limit};w={}", window_ms / 1_000))
            }
            Policy::InFlight { name, limit, .. } => Some(format!("\"{name}\";q={limit};qu=\"concurrent-requests\"")),
            Policy::Budget { .. } => None,
        });
        let is_budget =
            |name: &str| policies.iter().any(|p| matches!(p, Policy::Budget { name: one, .. } if one == name));
        let left = standings.iter().filter(|standing| !is_budget(&standing.policy)).map(|standing| {
            let reset = standing.reset_ms.map_or_else(String::new, |ms| format!(";t={}", ms.div_ceil(1_000)));
            format!("\"{}\";r={}{reset}", standing.policy, standing.remaining)
        });
        self.add_text_header("ratelimit-policy", &quota.collect::<Vec<_>>().join(", "));
        self.add_text_header("ratelimit", &left.collect::<Vec<_>>().join(", "));
        if self.wire() == Wire::Anthropic {
            self.add_anthropic_headers(policies, standings);
        }
    }

    /// The tightest request window (platform.claude.com, "Rate limits", copy of August 2026). There is no limit of
    /// tokens a minute, so nothing is said of tokens. The reset is when more is free: a sliding window fills
    /// again one by one.
    fn add_anthropic_headers(&self, policies: &[Policy], standings: &[Standing]) {
        let is_window =
            |name: &str| policies.iter().any(|p| matches!(p, Policy::Window { name: one, .. } if one == name));
        let windows = standings.iter().filter(|standing| is_window(&standing.policy));
        let Some(tightest) = windows.min_by_key(|standing| standing.remaining) else { return };
        let reset_ms = i64::try_from(tightest.reset_ms.unwrap_or(0)).unwrap_or(i64::MAX);
        let reset = clock::rfc3339_utc(clock::shared_now_ms().saturating_add(reset_ms).saturating_add(999));
        self.add_text_header("anthropic-ratelimit-requests-limit", &tightest.limit.to_string());
        self.add_text_header("anthropic-ratelimit-requests-remaining", &tightest.remaining.to_string());
        self.add_text_header("anthropic-ratelimit-requests-reset", &reset);
    }

    fn add_text_header(&self, name: &'static str, value: &str) {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.add_header(HeaderName::from_static(name), value);
        }
    }
}
