//! Recordings in Redis: `recording:CALL:text`, `recording:CALL:state` and `recording:CALL:wanted`.

use super::{Glimpse, Piece, READ_BYTES_MAX, WANTED_MS};
use crate::{
    cache::{Arg, Cache, CacheError, Reply, Script},
    ids::CallId,
};

static WRITE: Script = Script { text: include_str!("write.lua"), sha1: "0a301156683d9924789f3acc57fe79a7ec4af114" };

/// How often it has been asked for. A command that is sent again, because its connection broke, counts twice: that
/// only refuses sooner.
pub(super) async fn want(cache: &Cache, call_id: &CallId) -> Result<i64, CacheError> {
    let wanted = key(cache, call_id, "wanted");
    let count = vec![Arg::from("INCR"), wanted.as_str().into()];
    let keep = vec![Arg::from("PEXPIRE"), wanted.into(), WANTED_MS.into()];
    let mut replies = cache.pipeline(&[count, keep]).await?.into_iter();
    replies.next().unwrap_or_else(|| Err(CacheError::Protocol("no reply".to_owned())))?.int()
}

pub(super) async fn is_wanted(cache: &Cache, call_id: &CallId) -> Result<bool, CacheError> {
    let found = cache.command(&[Arg::from("EXISTS"), key(cache, call_id, "wanted").into()]).await?;
    Ok(found.int()? > 0)
}

pub(super) async fn write(cache: &Cache, piece: &Piece) -> Result<usize, CacheError> {
    let keys = ["text", "state"].map(|part| key(cache, &piece.call_id, part));
    let args = [number(piece.at), piece.text.as_str().into(), piece.state().into(), piece.lives_ms().into()];
    let length = cache.eval(&WRITE, &keys, &args).await?.int()?;
    usize::try_from(length).map_err(|_| CacheError::Protocol("a negative length".to_owned()))
}

/// The state first: what is read after it is at least what it tells of.
pub(super) async fn read(cache: &Cache, call_id: &CallId, from: usize) -> Result<Option<Glimpse>, CacheError> {
    let state = vec![Arg::from("GET"), key(cache, call_id, "state").into()];
    let last = from.saturating_add(READ_BYTES_MAX - 1);
    let text = vec![Arg::from("GETRANGE"), key(cache, call_id, "text").into(), number(from), number(last)];
    let mut replies = cache.pipeline(&[state, text]).await?.into_iter();
    let mut next = || replies.next().unwrap_or_else(|| Err(CacheError::Protocol("no reply".to_owned())));
    let (state, text) = (next()?, next()?);
    match (state, text) {
        (Reply::Nil, _) => Ok(None),
        (state, Reply::Text(bytes)) => {
            let glimpse = Glimpse::parse(state.text()?, bytes);
            glimpse.map(Some).ok_or_else(|| CacheError::Protocol("a recording of another make".to_owned()))
        }
        _ => Err(CacheError::Protocol("a recording that is no text".to_owned())),
    }
}

fn key(cache: &Cache, call_id: &CallId, part: &str) -> String {
    format!("{}recording:{call_id}:{part}", cache.prefix())
}

fn number(bytes: usize) -> Arg {
    Arg::from(u64::try_from(bytes).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_has_its_own_hash() {
        assert_eq!(WRITE.sha1, WRITE.computed_sha1());
    }
}
