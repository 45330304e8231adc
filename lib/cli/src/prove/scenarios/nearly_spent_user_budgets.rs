//! Every user has a budget of their own: many calls at once spend it to the end, never beyond it, and never from
//! another user's.

use std::sync::Arc;

use purser::{
    config::plans::{Plan, PlanId},
    cost,
};

use crate::prove::{
    audit::audit,
    deployment::BUDGET_MONTH,
    errand::{Errand, Route},
    findings::Findings,
    process::Process,
    stage::Stage,
};

const NAME: &str = "nearly spent user budgets";

pub(super) async fn run(stage: &Stage) -> Result<Findings, String> {
    let sizes: Vec<_> = [PlanId::Free, PlanId::Pro].into_iter().filter_map(|plan| sized(plan.plan())).collect();
    if sizes.is_empty() {
        return Ok(Findings::skipped("no plan has a budget that its calls could overspend"));
    }
    let deployment = stage.deployment(&[(BUDGET_MONTH, "100000")]).await?;
    let processes = deployment.start_many(Route::Messages.function(), 3).await?;
    let mut dice = stage.dice(NAME);
    let mut wanted = 0;
    for wave in 0..2 {
        let mut calls: Vec<(Arc<Process>, Errand)> = Vec::new();
        for (size, user) in sizes.iter().flat_map(|size| (0..stage.amount(6, 3)).map(move |user| (size, user))) {
            let plan = size.plan;
            let user = format!("{plan}-{user}");
            wanted += usize::from(wave == 0);
            for place in 0..size.calls {
                let errand = Errand::new(Route::Messages, format!("{user}-{wave}-{place}"), user.clone());
                let errand = Errand { plan, model: size.model, ..errand };
                calls.push((processes[dice.place(processes.len())].clone(), errand.using(size.tokens)));
            }
        }
        deployment.complete_all(calls).await;
    }
    let mut findings = audit(&deployment, &[]).await?;
    let billed = findings.billed;
    findings.expect(billed >= wanted, &format!("{wanted} users with a budget made only {billed} calls"));
    Ok(findings)
}

/// Calls that are worth a good part of a plan's budget.
struct Size {
    plan: &'static str,
    model: &'static str,
    tokens: u64,
    /// Calls that run at the same time.
    calls: u64,
}

/// The dearest calls of which more than one fit, so that the plan's number of calls can overspend.
fn sized(plan: &'static Plan) -> Option<Size> {
    let budgets = [plan.budget_day_nanousd, plan.budget_month_nanousd];
    let budget_nanousd = budgets.into_iter().flatten().min()?;
    let costs = plan.models.iter().filter_map(|model| {
        let price = cost::find(model)?;
        let tokens = plan.max_tokens.min(price.output_tokens_max.unwrap_or(plan.max_tokens));
        let errand = Errand { model, ..Errand::new(Route::Messages, "0", "0") }.using(tokens);
        Some((errand.ceiling_nanousd().ok()?, *model, tokens))
    });
    let (ceiling_nanousd, model, tokens) = costs.filter(|(ceiling, ..)| *ceiling * 2 <= budget_nanousd).max()?;
    let calls = plan.in_flight.min(plan.requests / 2);
    let all_nanousd = ceiling_nanousd.saturating_mul(i64::try_from(calls).unwrap_or(i64::MAX)) * 2;
    (all_nanousd > budget_nanousd * 3 / 2).then_some(Size { plan: plan.id.as_str(), model, tokens, calls })
}
