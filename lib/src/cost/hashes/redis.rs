//! Real hashes in Redis.

use super::{DAILY_MS, FIELDS, HashOf, MARKER_MS, UsageEntry, UsageTotals, user_key};
use crate::cache::{Arg, Cache, CacheError, Reply, Script};

static RECORD: Script = Script { text: include_str!("record.lua"), sha1: "c816abf97cd01c4b746b3301bc0bbdfb2e391064" };

static REPLACE: Script = Script { text: include_str!("replace.lua"), sha1: "adc57da1e76c80249913774975433f4266b85463" };

pub(super) async fn replace(
    cache: &Cache,
    hash: &HashOf,
    counted: i64,
    numbers: [i64; 11],
) -> Result<bool, CacheError> {
    let key = format!("{}{}", cache.prefix(), hash.key());
    let mut args = vec![Arg::from(hash.lives_ms()), Arg::from(counted)];
    for (field, number) in FIELDS.iter().zip(numbers) {
        args.extend([Arg::from(*field), Arg::from(number)]);
        if *field == "cost_nanousd" {
            let usd = format!("{}.{:09}", number / 1_000_000_000, number % 1_000_000_000);
            args.extend([Arg::from("cost_usd"), Arg::from(usd)]);
        }
    }
    Ok(cache.eval(&REPLACE, &[key], &args).await?.int()? == 1)
}

pub(super) async fn record(cache: &Cache, call: &UsageEntry<'_>) -> Result<(), CacheError> {
    let prefix = cache.prefix();
    let keys = [format!("usage:call:{}", call.call_id), call.daily_key(), user_key(call.caller)]
        .map(|key| format!("{prefix}{key}"));
    let mut args = vec![Arg::from(MARKER_MS), Arg::from(DAILY_MS), Arg::from(call.user_ms())];
    for (field, amount) in FIELDS.iter().zip(call.amounts()) {
        args.extend([Arg::from(*field), Arg::from(amount)]);
    }
    cache.eval(&RECORD, &keys, &args).await?;
    Ok(())
}

pub(super) async fn read(cache: &Cache, key: &str) -> Result<Option<UsageTotals>, CacheError> {
    let mut command = vec![Arg::from("HMGET"), Arg::from(format!("{}{key}", cache.prefix())), Arg::from("cost_usd")];
    command.extend(FIELDS.map(Arg::from));
    let reply = cache.command(&command).await?;
    let (cost_usd, rest) = match reply.list()? {
        [Reply::Nil, ..] => return Ok(None),
        [cost_usd, rest @ ..] if rest.len() == FIELDS.len() => (cost_usd, rest),
        _ => return Err(CacheError::Protocol("a hash of another length".to_owned())),
    };
    let mut numbers = [0; FIELDS.len()];
    for (number, reply) in numbers.iter_mut().zip(rest) {
        *number = reply.int()?;
    }
    Ok(Some(UsageTotals::new(numbers, cost_usd.text()?.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_has_its_own_hash() {
        for script in [&RECORD, &REPLACE] {
            assert_eq!(script.sha1, script.computed_sha1());
        }
    }
}
