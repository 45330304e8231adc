//! What has been noted about identities.

use rusqlite::{OptionalExtension as _, Transaction, params};

use crate::limit::identity::{Claim, Note, Noted, Refusal};

/// Whether the holder of a token may not go on as it says.
pub(super) fn refusal(
    tx: &Transaction<'_>,
    claim: Option<&Claim>,
    now: i64,
) -> Result<Option<Refusal>, rusqlite::Error> {
    let Some(claim) = claim else { return Ok(None) };
    let session = claim.session_key.as_ref().map(|key| noted(tx, key, now)).transpose()?;
    let noted = Noted {
        plan: noted(tx, &claim.plan_key, now)?,
        before: noted(tx, &claim.before_key, now)?,
        is_session_over: session.flatten().is_some(),
    };
    Ok(claim.refusal(&noted))
}

/// Notes something, and forgets what is over.
pub(super) fn note(tx: &Transaction<'_>, note: Note, now: i64) -> Result<(), rusqlite::Error> {
    tx.prepare("delete from limit_identities where drop_at_ms <= ?1")?.execute([now])?;
    let known = noted(tx, &note.key, now)?;
    let value = known.filter(|known| note.yields_to(known)).unwrap_or(note.value);
    let drop_at_ms = now.saturating_add(i64::try_from(note.ttl_ms).unwrap_or(i64::MAX));
    tx.prepare(
        "insert into limit_identities (note, value, drop_at_ms) values (?1, ?2, ?3) on conflict (note)
         do update set value = excluded.value, drop_at_ms = max(drop_at_ms, excluded.drop_at_ms)",
    )?
    .execute(params![note.key, value, drop_at_ms])?;
    Ok(())
}

fn noted(tx: &Transaction<'_>, key: &str, now: i64) -> Result<Option<String>, rusqlite::Error> {
    let mut statement = tx.prepare("select value from limit_identities where note = ?1 and drop_at_ms > ?2")?;
    statement.query_row(params![key, now], |row| row.get(0)).optional()
}
