//! A relay between a function and a service that counts round trips: bursts of the client that are answered.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

/// How long an answer is on its way: a question of several pieces must not have an answer between them, which nobody has
/// waited for.
const WAY_BACK: Duration = Duration::from_millis(3);

/// A running relay.
pub struct CountingRelay {
    /// The service's URL, through the relay.
    pub url: String,
    round_trips: Arc<AtomicUsize>,
    cut: Arc<Cut>,
}

/// Whether the service is out of reach, and what has to be cut when it gets there.
#[derive(Default)]
struct Cut {
    is_cut: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

impl CountingRelay {
    /// Starts a relay in front of a service on 127.0.0.1.
    ///
    /// # Panics
    /// Where the URL has no such address.
    pub fn start(service_url: &str) -> Self {
        let address = service_url.split("127.0.0.1:").nth(1).unwrap();
        let service_port: u16 = address.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let round_trips = Arc::new(AtomicUsize::new(0));
        let counted = round_trips.clone();
        let cut: Arc<Cut> = Arc::default();
        let shared = cut.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                shared.open.lock().unwrap().push(client.try_clone().unwrap());
                if !shared.is_cut.load(Ordering::SeqCst) {
                    relay(client, service_port, &counted);
                } else {
                    let _ = client.shutdown(Shutdown::Both);
                }
            }
        });
        let url = service_url.replace(&format!("127.0.0.1:{service_port}"), &format!("127.0.0.1:{port}"));
        Self { url, round_trips, cut }
    }

    /// Cuts every connection, and each new one at once: the service cannot be reached any more.
    ///
    /// # Panics
    /// Never: nobody panics while holding the lock.
    pub fn cut(&self) {
        self.cut.is_cut.store(true, Ordering::SeqCst);
        for socket in self.cut.open.lock().unwrap().drain(..) {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// Lets new connections through again.
    pub fn mend(&self) {
        self.cut.is_cut.store(false, Ordering::SeqCst);
    }

    /// Round trips so far.
    pub fn round_trips(&self) -> usize {
        self.round_trips.load(Ordering::SeqCst)
    }
}

/// A round trip begins with the first bytes of the client after the service's last word.
fn relay(client: TcpStream, service_port: u16, round_trips: &Arc<AtomicUsize>) {
    let Ok(service) = TcpStream::connect(("127.0.0.1", service_port)) else { return };
    let is_asking = Arc::new(AtomicBool::new(false));
    for socket in [&client, &service] {
        socket.set_nodelay(true).unwrap();
    }
    let (from_client, to_service) = (client.try_clone().unwrap(), service.try_clone().unwrap());
    let (asking, counted) = (is_asking.clone(), round_trips.clone());
    std::thread::spawn(move || {
        pump(from_client, to_service, || {
            if !asking.swap(true, Ordering::SeqCst) {
                counted.fetch_add(1, Ordering::SeqCst);
            }
        });
    });
    std::thread::spawn(move || {
        pump(service, client, || {
            std::thread::sleep(WAY_BACK);
            is_asking.store(false, Ordering::SeqCst);
        });
    });
}

fn pump(mut from: TcpStream, mut to: TcpStream, on_bytes: impl Fn()) {
    let mut buffer = [0_u8; 65_536];
    while let Ok(read) = from.read(&mut buffer) {
        if read == 0 {
            break;
        }
        on_bytes();
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
