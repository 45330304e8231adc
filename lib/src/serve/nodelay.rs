//! TCP_NODELAY on the runtime's listener.
//!
//! `vercel_runtime` 2.4.1 accepts connections without it. On a kept-alive connection Nagle's algorithm and the
//! peer's delayed acknowledgement then hold back the second small write of every answer for 40 ms (measured). The
//! listener is out of reach, but not its descriptor: accepted sockets inherit the option from it on Linux.

use rustix::{
    net::sockopt,
    process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open},
};

/// The listener is among the first descriptors of a process that has opened nothing else.
const DESCRIPTORS: std::ops::Range<i32> = 3..64;

/// Finds listening sockets among this process's descriptors and sets the option. Where the kernel refuses,
/// nothing is lost but the 40 ms.
pub(super) async fn set_on_listener() {
    let Ok(own) = pidfd_open(getpid(), PidfdFlags::empty()) else { return };
    for descriptor in DESCRIPTORS {
        let Ok(copy) = pidfd_getfd(&own, descriptor, PidfdGetfdFlags::empty()) else { continue };
        if sockopt::socket_acceptconn(&copy) == Ok(true) {
            let _ = sockopt::set_tcp_nodelay(&copy, true);
        }
    }
}
