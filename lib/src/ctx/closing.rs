//! A call is closed behind the client's back. Every part is retried; what cannot be done now is left where the next one
//! finds it.

use std::{
    future::Future,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use tokio::{sync::Mutex, time::timeout};

use super::Ctx;
use crate::{
    Error,
    books::{Books, Closing, Written},
    clock,
    store::LedgerRow,
};

/// Attempts at each part before it is left to others.
const ATTEMPTS: u32 = 4;

/// How long a call waits for others to be brought in before it is refused.
const REFUSAL_WAITS: Duration = Duration::from_secs(1);

/// Whether this instance left something behind that its next call can bring in.
static LEFT_BEHIND: AtomicBool = AtomicBool::new(false);

impl Ctx {
    /// Settles the ledger, then tells limiter and hashes, then notes that they know. What cannot be done now waits:
    /// without the ledger in the outbox, without the limiter in the ledger itself.
    pub(super) async fn close(&self, closing: &Closing) {
        self.leave_here(closing).await;
        let books = match self.books().await {
            Ok(books) => books,
            Err(error) => return self.warn("books_failed", &error),
        };
        let written = self.insist("ledger_failed", || books.write_down(closing)).await;
        let is_done = match &written {
            Some(Written::Nowhere) => return,
            Some(Written::Before(row)) => {
                self.insist("booking_failed", || books.finish_row(LedgerRow::clone(row))).await.is_some()
            }
            Some(Written::Now) => self.book_and_mark(&books, closing).await,
            None => {
                // The limiter need not wait for the ledger.
                let _ = self.insist("booking_failed", || books.book(closing)).await;
                false
            }
        };
        if written.is_none() {
            self.insist("outbox_failed", || books.put_aside(closing)).await;
        }
        if !is_done {
            LEFT_BEHIND.store(true, Ordering::Relaxed);
        } else if LEFT_BEHIND.swap(false, Ordering::Relaxed) {
            self.bring_in(&books).await;
        }
        self.withdraw_waiting().await;
        self.tell_alarms();
    }

    /// Tells limiter and hashes, then notes that they know; whether that was done.
    async fn book_and_mark(&self, books: &Books, closing: &Closing) -> bool {
        let Some(known_ms) = self.insist("booking_failed", || books.book(closing)).await else { return false };
        self.insist("mark_failed", || books.mark(&closing.settlement.call_id, known_ms)).await.is_some()
    }

    /// Tells the limiter of calls that are over and that it has not heard of, so that they hold no more than they cost:
    /// before a call is refused for want of money or of a slot. Whether there were any. Calls that are refused at the same time
    /// look together.
    pub(super) async fn bring_in_now(&self) -> bool {
        static LAST: Mutex<Option<(Instant, bool)>> = Mutex::const_new(None);
        let refused_at = Instant::now();
        let mut last = LAST.lock().await;
        if let Some((at, has_found)) = *last
            && at > refused_at
        {
            return has_found;
        }
        let at = Instant::now();
        let looked = async {
            let withdrawn = self.withdraw_waiting().await;
            let books = self.books().await?;
            let drained = if LEFT_BEHIND.load(Ordering::Relaxed) { books.drain_outbox().await? } else { 0 };
            Ok::<_, Error>(withdrawn + drained + books.book_settled_before(clock::shared_now_ms()).await?)
        };
        let has_found = match timeout(REFUSAL_WAITS, looked).await {
            Ok(Ok(found)) => found > 0,
            Ok(Err(error)) => {
                self.note("bring_in", error.to_string());
                false
            }
            // So much that a part of it may be enough.
            Err(_) => true,
        };
        *last = Some((at, has_found));
        has_found
    }

    /// Brings in what this instance left behind, wherever it waits.
    async fn bring_in(&self, books: &Books) {
        let now_ms = clock::shared_now_ms();
        let done = async { Ok::<_, Error>((books.drain_outbox().await?, books.book_settled_before(now_ms).await?)) };
        if let Err(error) = done.await {
            LEFT_BEHIND.store(true, Ordering::Relaxed);
            self.warn("bring_in_failed", &error);
        }
    }

    /// Tries again, a little later each time, and gives what was done; what still fails is said loudly.
    async fn insist<T, F>(&self, name: &'static str, part: impl Fn() -> F) -> Option<T>
    where
        F: Future<Output = Result<T, Error>>,
    {
        for attempt in 1..=ATTEMPTS {
            match part().await {
                Ok(done) => return Some(done),
                // Known, and said once: nobody comes back from an outage sooner by being asked.
                Err(_) if name != "ledger_failed" && self.is_limiter_away() => {
                    self.note(name, "limiter_away");
                    return None;
                }
                Err(error) if attempt == ATTEMPTS => self.warn(name, &error),
                Err(_) => tokio::time::sleep(Duration::from_millis(100 << (2 * attempt))).await,
            }
        }
        None
    }
}
