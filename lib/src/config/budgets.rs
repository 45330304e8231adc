//! Budgets: those of the plans, unless the environment says otherwise, and the deployment's own.

use super::{
    ConfigError,
    plans::{Budget, PlanId},
};
use crate::{cost::parse_usd, env, limit::MAX_EXACT};

/// Every budget of this deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budgets {
    /// Most money of everybody together.
    pub deployment: Budget,
    plans: [PlanBudgets; 3],
}

/// A plan's budgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanBudgets {
    /// The plan.
    pub plan: PlanId,
    /// Most money of one caller.
    pub caller: Budget,
    /// Most money of all its callers together.
    pub together: Budget,
}

const WANTED: &str = "a comma-separated list such as free.user-day=0.50,anonymous.plan-month=20, in USD";

impl Budgets {
    /// Reads the variables over what plans.toml says.
    ///
    /// # Errors
    /// A sentence that names the variable.
    pub fn from_env() -> Result<Self, ConfigError> {
        let amount = |var| match env::get(var) {
            Some(text) => {
                usd(&text).map(Some).ok_or_else(|| ConfigError::malformed(var, "an amount in USD, such as 100"))
            }
            None => Ok(None),
        };
        let deployment = Budget {
            day_nanousd: amount(&env::CLAUDE_BUDGET_DAY_USD)?,
            month_nanousd: amount(&env::CLAUDE_BUDGET_MONTH_USD)?,
        };
        let plans = [PlanId::Anonymous, PlanId::Free, PlanId::Pro].map(|plan| {
            let figures = plan.plan();
            PlanBudgets { plan, caller: figures.budget, together: figures.plan_budget }
        });
        let mut budgets = Self { deployment, plans };
        budgets
            .apply(&env::get(&env::PLAN_BUDGETS_USD).unwrap_or_default())
            .ok_or_else(|| ConfigError::malformed(&env::PLAN_BUDGETS_USD, WANTED))?;
        Ok(budgets)
    }

    /// The budgets of a plan.
    pub fn of(&self, plan: PlanId) -> PlanBudgets {
        let [anonymous, free, pro] = self.plans;
        match plan {
            PlanId::Anonymous => anonymous,
            PlanId::Free => free,
            PlanId::Pro => pro,
        }
    }

    /// Whether calls of a plan count in any budget.
    pub fn hold(&self, plan: PlanId) -> bool {
        let PlanBudgets { caller, together, .. } = self.of(plan);
        [caller, together, self.deployment].iter().any(|budget| *budget != Budget::default())
    }

    fn apply(&mut self, list: &str) -> Option<()> {
        for entry in list.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let (name, amount) = entry.split_once('=')?;
            let (plan, budget) = name.trim().split_once('.')?;
            let plan = PlanId::parse(plan)?;
            let found = self.plans.iter_mut().find(|one| one.plan == plan)?;
            let place = match budget {
                "user-day" => &mut found.caller.day_nanousd,
                "user-month" => &mut found.caller.month_nanousd,
                "plan-day" => &mut found.together.day_nanousd,
                "plan-month" => &mut found.together.month_nanousd,
                _ => return None,
            };
            *place = Some(usd(amount.trim())?);
        }
        Some(())
    }
}

/// An amount that the limiter counts exactly.
fn usd(text: &str) -> Option<i64> {
    parse_usd(text).filter(|nanousd| *nanousd <= MAX_EXACT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none() -> Budgets {
        let plans = [PlanId::Anonymous, PlanId::Free, PlanId::Pro].map(|plan| PlanBudgets {
            plan,
            caller: Budget::default(),
            together: Budget::default(),
        });
        Budgets { deployment: Budget::default(), plans }
    }

    #[test]
    fn entries_change_what_they_name_and_nothing_else() {
        let mut budgets = none();
        budgets.apply(" free.user-day=0.50 ,anonymous.plan-month=20,").unwrap();
        assert_eq!(budgets.of(PlanId::Free).caller, Budget { day_nanousd: Some(500_000_000), month_nanousd: None });
        assert_eq!(budgets.of(PlanId::Anonymous).together.month_nanousd, Some(20_000_000_000));
        assert_eq!(budgets.of(PlanId::Pro), none().of(PlanId::Pro));
    }

    #[test]
    fn zero_is_a_budget_and_nonsense_is_refused() {
        let mut budgets = none();
        budgets.apply("pro.user-month=0").unwrap();
        assert_eq!(budgets.of(PlanId::Pro).caller.month_nanousd, Some(0));
        for entry in
            ["free=1", "free.day=1", "gold.user-day=1", "free.user-day=-1", "free.user-day=", "pro.plan-day=1e9"]
        {
            assert_eq!(none().apply(entry), None, "{entry}");
        }
        assert_eq!(none().apply("free.user-day=9999999999"), None, "more than is counted exactly");
    }
}
