use std::sync::atomic::{AtomicI64, Ordering};

use super::*;

fn window(subject: usize) -> [Policy; 1] {
    [Policy::Window { name: "w".to_owned(), subject: subject.to_string(), limit: 1, window_ms: 1_000 }]
}

#[test]
fn a_full_memory_forgets_what_expired_and_nothing_else() {
    let time = Arc::new(AtomicI64::new(0));
    let mut limiter = MemoryLimiter::new(3);
    limiter.clock = Clock::Fixed(time.clone());
    let ask = |subject| {
        let (call_id, policies) = (CallId::new(), window(subject));
        limiter.reserve(&Ask {
            call_id: &call_id,
            identity: None,
            policies: &policies,
            hold_nanousd: 0,
            slot_ttl_ms: 1,
            hold_ttl_ms: 1,
        })
    };
    for subject in 0..3 {
        assert!(ask(subject).unwrap().is_admitted());
    }
    assert!(matches!(ask(3), Err(LimitError::Full)));
    assert!(!ask(0).unwrap().is_admitted());
    time.store(1_000, Ordering::SeqCst);
    assert!(ask(3).unwrap().is_admitted());
    assert_eq!(limiter.accounts(), 1);
}

#[test]
fn only_so_many_calls_are_remembered() {
    let limiter = MemoryLimiter::new(1);
    for _ in 0..100 {
        limiter.settle(&End { call_id: &CallId::new(), cost_nanousd: 0, made_ms: None }, &[]).unwrap();
    }
    assert_eq!(limiter.lock().calls.len(), CALLS_PER_ACCOUNT);
    assert_eq!(limiter.lock().order.len(), CALLS_PER_ACCOUNT);
}
