//! TCP_NODELAY on the runtime's sockets.
//!
//! `vercel_runtime` 2.4.1 accepts connections without it. On a kept-alive connection Nagle's algorithm and the
//! peer's delayed acknowledgement then hold back the second small write of every answer for 40 ms (measured). The
//! listener is out of reach, but not its descriptor: accepted sockets inherit the option from it on Linux.

use std::sync::{
    Once,
    atomic::{AtomicI32, Ordering},
};

use rustix::{
    net::sockopt,
    process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open},
};

/// The runtime's sockets are among the first descriptors of a process that has opened little else.
const DESCRIPTORS: std::ops::Range<i32> = 3..64;

/// The kernel gives the lowest number that is free, so behind so many that are nothing there is nothing.
const GAP: u32 = 4;

/// The listener, once it has been found.
static LISTENER: AtomicI32 = AtomicI32::new(DESCRIPTORS.start);

/// Sets the option on the listener, once it is there.
pub(super) async fn set_on_listener() {
    LISTENER.store(set_from(DESCRIPTORS.start), Ordering::Relaxed);
}

/// A client may have connected between the runtime's word that it serves and [`set_on_listener`]: its socket has
/// inherited nothing. It is open when the first request arrives, and was opened after the listener.
pub(super) fn set_on_early_connections() {
    static FIRST_REQUEST: Once = Once::new();
    FIRST_REQUEST.call_once(|| {
        set_from(LISTENER.load(Ordering::Relaxed));
    });
}

/// Sets the option on every socket of this process from that descriptor on, and gives the first that took it: none of
/// them wants its small writes held back. Where the kernel refuses, nothing is lost but the 40 ms.
fn set_from(start: i32) -> i32 {
    let Ok(own) = pidfd_open(getpid(), PidfdFlags::empty()) else { return start };
    let (mut first, mut gap) = (None, 0);
    for descriptor in start..DESCRIPTORS.end {
        match pidfd_getfd(&own, descriptor, PidfdGetfdFlags::empty()) {
            Ok(copy) => {
                gap = 0;
                // Anything that is no TCP socket answers with an error.
                if sockopt::set_tcp_nodelay(&copy, true).is_ok() {
                    first.get_or_insert(descriptor);
                }
            }
            Err(_) if gap == GAP => break,
            Err(_) => gap += 1,
        }
    }
    first.unwrap_or(start)
}
