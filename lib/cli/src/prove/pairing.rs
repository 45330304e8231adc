//! Which row of the ledger is which call on Claude's bill.

use std::collections::{BTreeMap, HashMap};

use purser::cost;

use super::{ledger::LedgerRow, witness::Seen};
use crate::standin::{BilledCall, CallState};

/// A call on the bill.
#[derive(Clone, Debug)]
pub(super) struct Billed {
    pub(super) request_id: String,
    pub(super) label: String,
    /// What Claude asks for it: exact, from the bill's own token counts.
    pub(super) cost_nanousd: i64,
    /// The whole answer went out.
    pub(super) is_finished: bool,
}

/// Bill and ledger, side by side.
#[derive(Debug, Default)]
pub(super) struct Pairing {
    pub(super) pairs: Vec<(Billed, LedgerRow)>,
    /// On the bill only.
    pub(super) missing: Vec<Billed>,
    /// In the ledger only.
    pub(super) unbilled: Vec<LedgerRow>,
}

/// The bill with prices.
pub(super) fn priced(calls: &[BilledCall]) -> Result<Vec<Billed>, String> {
    calls
        .iter()
        .map(|call| {
            let price = cost::find(&call.model).ok_or_else(|| format!("no price for {}", call.model))?;
            let cost_nanousd = match call.billed {
                true => cost::cost_nanousd(price, &call.usage).map_err(|error| error.to_string())?,
                false => 0,
            };
            Ok(Billed {
                request_id: call.request_id.clone(),
                label: call.label.clone().unwrap_or_default(),
                cost_nanousd,
                is_finished: call.state == CallState::Finished,
            })
        })
        .collect()
}

/// Pairs by Claude's request id. A row that was written down by somebody else than its process does not know it: it
/// is paired by its owner, with the charge that is nearest from above.
pub(super) fn pair(bill: Vec<Billed>, rows: Vec<LedgerRow>, seen: &BTreeMap<String, Seen>) -> Pairing {
    let mut pairing = Pairing::default();
    let (mut known, mut unknown) = (HashMap::new(), Vec::new());
    for row in rows {
        match row.request_id.clone() {
            // A second row of the same call is one that was never made.
            Some(id) => pairing.unbilled.extend(known.insert(id, row)),
            None => unknown.push(row),
        }
    }
    let mut left = Vec::new();
    for billed in bill {
        match known.remove(&billed.request_id) {
            Some(row) => pairing.pairs.push((billed, row)),
            None => left.push(billed),
        }
    }
    // The dearest first: it has the fewest rows to choose from.
    left.sort_by_key(|billed| std::cmp::Reverse(billed.cost_nanousd));
    for billed in left {
        let owner = seen.get(&billed.label).map(|seen| seen.owner.as_str());
        let fits = |row: &&(usize, &LedgerRow)| Some(row.1.owner.as_str()) == owner;
        let rows: Vec<_> = unknown.iter().enumerate().collect();
        let above = rows.iter().filter(fits).filter(|row| row.1.charged_nanousd >= billed.cost_nanousd);
        let nearest = above.min_by_key(|row| row.1.charged_nanousd);
        let best = nearest.or_else(|| rows.iter().filter(fits).max_by_key(|row| row.1.charged_nanousd));
        match best.map(|(index, _)| *index) {
            Some(index) => pairing.pairs.push((billed, unknown.swap_remove(index))),
            None => pairing.missing.push(billed),
        }
    }
    pairing.unbilled.extend(known.into_values());
    pairing.unbilled.extend(unknown);
    pairing
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, owner: &str, charged_nanousd: i64, request_id: Option<&str>) -> LedgerRow {
        LedgerRow {
            id: id.to_owned(),
            owner: owner.to_owned(),
            is_settled: true,
            source: None,
            charged_nanousd,
            request_id: request_id.map(str::to_owned),
            policies: Vec::new(),
            created_ms: 0,
        }
    }

    fn billed(label: &str, cost_nanousd: i64) -> Billed {
        Billed { request_id: format!("req_{label}"), label: label.to_owned(), cost_nanousd, is_finished: true }
    }

    fn seen(owner: &str) -> Seen {
        Seen {
            owner: owner.to_owned(),
            tells_usage: true,
            is_killed: false,
            status: None,
            code: None,
            waited: None,
            is_over: false,
            is_unanswered: false,
        }
    }

    #[test]
    fn rows_are_found_by_request_id_then_by_owner_and_never_twice() {
        let seen = BTreeMap::from(["a", "b", "c", "d"].map(|label| (label.to_owned(), seen("ann"))));
        let rows = vec![
            row("1", "ann", 10, Some("req_a")),
            row("2", "ann", 90, None),
            row("3", "bob", 50, None),
            row("4", "ann", 50, None),
            row("5", "ann", 7, Some("req_of_nobody")),
        ];
        let found = pair(vec![billed("a", 10), billed("b", 40), billed("c", 80), billed("d", 1)], rows, &seen);
        let mut pairs: Vec<_> =
            found.pairs.iter().map(|(billed, row)| (billed.label.as_str(), row.id.as_str())).collect();
        pairs.sort_unstable();
        assert_eq!(pairs, [("a", "1"), ("b", "4"), ("c", "2")]);
        assert_eq!(found.missing.iter().map(|billed| billed.label.as_str()).collect::<Vec<_>>(), ["d"]);
        let mut unbilled: Vec<_> = found.unbilled.iter().map(|row| row.id.as_str()).collect();
        unbilled.sort_unstable();
        assert_eq!(unbilled, ["3", "5"]);
    }

    #[test]
    fn a_second_row_of_the_same_call_is_left_over() {
        let seen = BTreeMap::from([("a".to_owned(), seen("ann"))]);
        let rows = vec![row("1", "ann", 10, Some("req_a")), row("2", "ann", 10, Some("req_a"))];
        let found = pair(vec![billed("a", 10)], rows, &seen);
        assert_eq!((found.pairs.len(), found.missing.len(), found.unbilled.len()), (1, 0, 1));
    }
}
