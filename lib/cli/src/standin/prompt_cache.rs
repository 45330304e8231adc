//! The prompt cache: which prefixes were marked before, and for how long they stay.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::prompt::{Part, Ttl};

/// How far before a mark a cached prefix may end, in blocks.
const LOOKBACK: usize = 20;

/// How the prompt's tokens fall into classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Split {
    pub(crate) uncached: u64,
    pub(crate) write_5m: u64,
    pub(crate) write_1h: u64,
    pub(crate) read: u64,
}

#[derive(Debug, Default)]
pub(crate) struct PromptCache(Mutex<HashMap<u64, (Instant, Ttl)>>);

impl PromptCache {
    /// Splits the prompt and remembers its marked prefixes.
    pub(crate) fn charge(&self, model: &str, parts: &[Part], now: Instant) -> Split {
        let prefixes = prefixes(model, parts);
        let mut cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cached.retain(|_, (until, _)| *until > now);
        let marks: Vec<usize> = (0..parts.len()).filter(|index| parts[*index].mark.is_some()).collect();
        let hit = marks.iter().rev().find_map(|mark| {
            (mark.saturating_sub(LOOKBACK)..=*mark).rev().find(|index| cached.contains_key(&prefixes[*index]))
        });
        let read_parts = hit.map_or(0, |index| index + 1);
        if let Some((until, ttl)) = hit.and_then(|index| cached.get_mut(&prefixes[index])) {
            *until = now + lifetime(*ttl);
        }
        let mut split = Split { read: sum(&parts[..read_parts]), ..Split::default() };
        let mut from = read_parts;
        for index in marks.into_iter().filter(|index| *index >= read_parts) {
            let Some(ttl) = parts[index].mark else { continue };
            let written = sum(&parts[from..=index]);
            match ttl {
                Ttl::FiveMinutes => split.write_5m += written,
                Ttl::OneHour => split.write_1h += written,
            }
            cached.insert(prefixes[index], (now + lifetime(ttl), ttl));
            from = index + 1;
        }
        split.uncached = sum(&parts[from..]);
        split
    }

    pub(crate) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

fn lifetime(ttl: Ttl) -> Duration {
    match ttl {
        Ttl::FiveMinutes => Duration::from_secs(300),
        Ttl::OneHour => Duration::from_secs(3600),
    }
}

fn sum(parts: &[Part]) -> u64 {
    parts.iter().map(|part| part.tokens).sum()
}

/// The hash of every prefix, by the index of its last part.
fn prefixes(model: &str, parts: &[Part]) -> Vec<u64> {
    let mut hasher = DefaultHasher::new();
    model.hash(&mut hasher);
    parts
        .iter()
        .map(|part| {
            part.hash.hash(&mut hasher);
            hasher.finish()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(hash: u64, tokens: u64, mark: Option<Ttl>) -> Part {
        Part { tokens, hash, mark }
    }

    #[test]
    fn a_marked_prefix_is_written_once_and_read_until_it_expires() {
        let (cache, now) = (PromptCache::default(), Instant::now());
        let prompt = [part(1, 10, Some(Ttl::OneHour)), part(2, 20, Some(Ttl::FiveMinutes)), part(3, 5, None)];
        let written = Split { uncached: 5, write_5m: 20, write_1h: 10, read: 0 };
        assert_eq!(cache.charge("m", &prompt, now), written);
        assert_eq!(cache.charge("m", &prompt, now), Split { uncached: 5, read: 30, ..Split::default() });
        assert_eq!(cache.charge("other", &prompt, now), written);
        let later = now + Duration::from_secs(301);
        assert_eq!(
            cache.charge("m", &prompt, later),
            Split { uncached: 5, write_5m: 20, read: 10, write_1h: 0 },
            "the hour outlives the five minutes"
        );
    }

    #[test]
    fn a_growing_conversation_reads_what_it_wrote() {
        let (cache, now) = (PromptCache::default(), Instant::now());
        cache.charge("m", &[part(1, 10, Some(Ttl::FiveMinutes))], now);
        let longer = [part(1, 10, None), part(2, 7, None), part(3, 4, Some(Ttl::FiveMinutes))];
        assert_eq!(cache.charge("m", &longer, now), Split { uncached: 0, write_5m: 11, write_1h: 0, read: 10 });
    }

    #[test]
    fn nothing_is_cached_without_a_mark() {
        let (cache, now) = (PromptCache::default(), Instant::now());
        for _ in 0..2 {
            assert_eq!(cache.charge("m", &[part(1, 10, None)], now), Split { uncached: 10, ..Split::default() });
        }
    }
}
