//! Which plan a customer's subscriptions give: a pure function of what Stripe says now, so that no order of events can
//! change its outcome.

use super::{Status, Subscription};
use crate::config::plans::PlanId;

/// How long after a change was due it is looked for, where no event told of it. A renewal's invoice stays a draft for
/// about an hour (docs.stripe.com/billing/invoices/subscription, 2026-11).
const SLACK_S: i64 = 2 * 3_600;
/// The longest that a living subscription goes unread: Stripe stops repeating an event after three days.
const UNREAD_MAX_S: i64 = 3 * 86_400;

/// What is sold, and on which terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Prices of the pro plan: the first is sold, all of them count.
    pub prices: Vec<String>,
    /// How long a subscription in arrears keeps its plan, in seconds.
    pub grace_s: i64,
}

/// A subscription as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The subscription.
    pub subscription: Subscription,
    /// For one that is `past_due`: the time of its oldest open invoice, in seconds since 1970.
    pub in_arrears_since_s: Option<i64>,
}

/// What a customer's subscriptions come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entitlement {
    /// The plan that is paid for.
    pub plan: PlanId,
    /// The subscription that decides: the one that gives the plan, else one that can be mended.
    pub subscription_id: Option<String>,
    /// Its status.
    pub status: Option<Status>,
    /// When the plan ends, in seconds since 1970, where that is certain: a scheduled end, or that of the grace.
    pub ends_s: Option<i64>,
    /// When to read again if no event came until then, in seconds since 1970.
    pub check_s: Option<i64>,
}

impl Offer {
    /// The plan of a customer with these subscriptions, at a time in seconds since 1970.
    pub fn entitlement(&self, readings: &[Reading], now_s: i64) -> Entitlement {
        // Of several, the one that gives the plan for the longest time decides; then one that is at least alive.
        let decides = readings.iter().filter(|one| one.subscription.status.is_live()).max_by_key(|one| {
            (self.gives_plan(one, now_s), self.ends_s(one).unwrap_or(i64::MAX), one.subscription.id.clone())
        });
        let gives_plan = decides.is_some_and(|one| self.gives_plan(one, now_s));
        Entitlement {
            plan: if gives_plan { PlanId::Pro } else { PlanId::Free },
            subscription_id: decides.map(|one| one.subscription.id.clone()),
            status: decides.map(|one| one.subscription.status),
            ends_s: decides.filter(|_| gives_plan).and_then(|one| self.ends_s(one)),
            check_s: readings.iter().filter_map(|one| self.check_s(one, now_s)).min(),
        }
    }

    fn gives_plan(&self, reading: &Reading, now_s: i64) -> bool {
        let is_for_plan = reading.subscription.items.data.iter().any(|item| self.prices.contains(&item.price));
        is_for_plan
            && match reading.subscription.status {
                Status::Active | Status::Trialing => true,
                Status::PastDue => self.grace_ends_s(reading).is_some_and(|end_s| now_s < end_s),
                _ => false,
            }
    }

    /// In arrears since the oldest open invoice; where there is none, since the period that is not paid began.
    fn grace_ends_s(&self, reading: &Reading) -> Option<i64> {
        let period_start = reading.subscription.items.data.iter().filter_map(|item| item.current_period_start).min();
        reading.in_arrears_since_s.or(period_start).map(|since_s| since_s.saturating_add(self.grace_s))
    }

    fn ends_s(&self, reading: &Reading) -> Option<i64> {
        let subscription = &reading.subscription;
        let with_period = if subscription.cancel_at_period_end { period_end_s(subscription) } else { None };
        let scheduled = subscription.cancel_at.into_iter().chain(with_period).min();
        let grace = (subscription.status == Status::PastDue).then(|| self.grace_ends_s(reading)).flatten();
        scheduled.into_iter().chain(grace).min()
    }

    /// The next time at which something is bound to change, and not too long from now. What has ended is not read
    /// again: a new subscription comes with a new Checkout.
    fn check_s(&self, reading: &Reading, now_s: i64) -> Option<i64> {
        let status = reading.subscription.status;
        if !status.is_live() && status != Status::Incomplete {
            return None;
        }
        let renewal_s = period_end_s(&reading.subscription).map(|end_s| end_s.saturating_add(SLACK_S));
        let times = self.ends_s(reading).into_iter().chain(renewal_s).filter(|time_s| *time_s > now_s);
        Some(times.chain([now_s.saturating_add(UNREAD_MAX_S)]).min().unwrap_or(now_s))
    }
}

fn period_end_s(subscription: &Subscription) -> Option<i64> {
    subscription.items.data.iter().filter_map(|item| item.current_period_end).min()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DAY_S: i64 = 86_400;
    const NOW_S: i64 = 1_000 * DAY_S;

    fn offer() -> Offer {
        Offer { prices: vec!["price_new".to_owned(), "price_old".to_owned()], grace_s: 7 * DAY_S }
    }

    fn reading(status: &str, price: &str, since_s: Option<i64>) -> Reading {
        let subscription = json!({ "id": format!("sub_{status}"), "status": status, "items": { "data": [
            { "price": { "id": price }, "current_period_start": NOW_S - DAY_S, "current_period_end": NOW_S + 29 * DAY_S }
        ] } });
        Reading { subscription: serde_json::from_value(subscription).unwrap(), in_arrears_since_s: since_s }
    }

    fn plan(readings: &[Reading]) -> PlanId {
        offer().entitlement(readings, NOW_S).plan
    }

    #[test]
    fn only_what_is_paid_for_or_in_its_grace_gives_the_plan() {
        for status in ["active", "trialing"] {
            assert_eq!(plan(&[reading(status, "price_new", None)]), PlanId::Pro, "{status}");
            assert_eq!(plan(&[reading(status, "price_old", None)]), PlanId::Pro, "{status}");
            assert_eq!(plan(&[reading(status, "price_of_something_else", None)]), PlanId::Free, "{status}");
        }
        for status in ["unpaid", "canceled", "incomplete", "incomplete_expired", "paused", "hibernating"] {
            assert_eq!(plan(&[reading(status, "price_new", None)]), PlanId::Free, "{status}");
        }
        assert_eq!(plan(&[]), PlanId::Free);
    }

    #[test]
    fn arrears_are_counted_from_the_oldest_open_invoice_and_end_on_the_second() {
        let at = |since_s| offer().entitlement(&[reading("past_due", "price_new", since_s)], NOW_S);
        let kept = at(Some(NOW_S - 7 * DAY_S + 1));
        assert_eq!((kept.plan, kept.ends_s, kept.check_s), (PlanId::Pro, Some(NOW_S + 1), Some(NOW_S + 1)));
        let lost = at(Some(NOW_S - 7 * DAY_S));
        assert_eq!((lost.plan, lost.ends_s, lost.status), (PlanId::Free, None, Some(Status::PastDue)));
        assert_eq!(at(None).ends_s, Some(NOW_S + 6 * DAY_S), "else from the period's start");
        let strict = Offer { grace_s: 0, ..offer() };
        assert_eq!(strict.entitlement(&[reading("past_due", "price_new", Some(NOW_S))], NOW_S).plan, PlanId::Free);
    }

    #[test]
    fn of_several_subscriptions_the_one_that_gives_the_plan_decides() {
        let both = [reading("unpaid", "price_new", None), reading("active", "price_old", None)];
        let found = offer().entitlement(&both, NOW_S);
        assert_eq!((found.plan, found.subscription_id.as_deref()), (PlanId::Pro, Some("sub_active")));
        let dead = [reading("canceled", "price_new", None), reading("incomplete_expired", "price_new", None)];
        let found = offer().entitlement(&dead, NOW_S);
        assert_eq!((found.subscription_id, found.check_s), (None, None));
    }

    #[test]
    fn a_scheduled_end_is_told_and_looked_for_and_nothing_goes_unread_for_more_than_three_days() {
        let mut ending = reading("active", "price_new", None);
        ending.subscription.cancel_at = Some(NOW_S + DAY_S);
        let found = offer().entitlement(&[ending.clone()], NOW_S);
        assert_eq!((found.plan, found.ends_s, found.check_s), (PlanId::Pro, Some(NOW_S + DAY_S), Some(NOW_S + DAY_S)));
        ending.subscription.cancel_at = None;
        ending.subscription.cancel_at_period_end = true;
        let found = offer().entitlement(&[ending], NOW_S);
        assert_eq!((found.ends_s, found.check_s), (Some(NOW_S + 29 * DAY_S), Some(NOW_S + 3 * DAY_S)));
        let mut renewing = reading("active", "price_new", None);
        renewing.subscription.items.data[0].current_period_end = Some(NOW_S + DAY_S);
        let found = offer().entitlement(&[renewing], NOW_S);
        assert_eq!((found.ends_s, found.check_s), (None, Some(NOW_S + DAY_S + SLACK_S)));
        let unpaid = offer().entitlement(&[reading("unpaid", "price_new", None)], NOW_S);
        assert_eq!(unpaid.check_s, Some(NOW_S + 3 * DAY_S));
    }
}
