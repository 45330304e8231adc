//! How limits stand, in headers.

use super::Ctx;
use crate::{
    http::{HeaderName, HeaderValue},
    limit::{Policy, Standing},
};

impl Ctx {
    /// `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10, 2025-09-27).
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
        for (name, value) in [
            ("ratelimit-policy", quota.collect::<Vec<_>>().join(", ")),
            ("ratelimit", left.collect::<Vec<_>>().join(", ")),
        ] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                self.add_header(HeaderName::from_static(name), value);
            }
        }
    }
}
