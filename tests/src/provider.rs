//! A double of an identity provider: public keys over HTTP, and tokens that it signs.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::{
    rand::SystemRandom,
    rsa::{KeyPair as RsaKeyPair, PublicKeyComponents},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256},
};
use serde_json::{Value, json};

/// The provider's name, as its tokens say it.
pub const ISSUER: &str = "https://provider.example";

/// A running provider.
pub struct Provider {
    /// Where its keys are.
    pub url: String,
    keys: Arc<Mutex<Vec<Value>>>,
    asked: Arc<AtomicUsize>,
}

/// A key that it signs with.
pub struct SigningKey {
    id: String,
    kind: Kind,
}

enum Kind {
    Ec(Box<EcdsaKeyPair>),
    Rsa(Box<RsaKeyPair>),
}

impl Provider {
    /// Starts one that has no keys yet.
    ///
    /// # Panics
    /// Where it cannot listen.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/.well-known/jwks.json", listener.local_addr().unwrap());
        let (keys, asked) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let (told, count) = (keys.clone(), asked.clone());
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut head = [0_u8; 4096];
                let _ = stream.read(&mut head);
                count.fetch_add(1, Ordering::SeqCst);
                let body = json!({ "keys": *told.lock().unwrap() }).to_string();
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
            }
        });
        Self { url, keys, asked }
    }

    /// How often its keys were asked for.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Publishes a key, among others that are of no use here.
    ///
    /// # Panics
    /// Never.
    pub fn publish(&self, key: &SigningKey) {
        let mut keys = self.keys.lock().unwrap();
        keys.push(json!({ "kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": "AAAA" }));
        keys.push(json!({ "kty": "EC", "crv": "P-256", "kid": key.id, "use": "enc", "x": "AAAA", "y": "AAAA" }));
        keys.push(json!("nonsense"));
        keys.push(key.public());
    }
}

impl SigningKey {
    /// A new key of the P-256 curve.
    ///
    /// # Panics
    /// Where there is no source of randomness.
    pub fn ec(id: &str) -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap();
        Self { id: id.to_owned(), kind: Kind::Ec(Box::new(pair)) }
    }

    /// The one RSA key of the tests: ring makes none.
    ///
    /// # Panics
    /// Never.
    pub fn rsa(id: &str) -> Self {
        let text: String = include_str!("provider_rsa_key.txt").split_whitespace().collect();
        let pair = RsaKeyPair::from_pkcs8(&STANDARD.decode(text).unwrap()).unwrap();
        Self { id: id.to_owned(), kind: Kind::Rsa(Box::new(pair)) }
    }

    fn public(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match &self.kind {
            Kind::Ec(pair) => {
                let point = pair.public_key().as_ref();
                json!({ "kty": "EC", "crv": "P-256", "kid": self.id, "use": "sig", "alg": "ES256",
                    "x": text(&point[1..33]), "y": text(&point[33..]) })
            }
            Kind::Rsa(pair) => {
                let public = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({ "kty": "RSA", "kid": self.id, "n": text(&public.n), "e": text(&public.e) })
            }
        }
    }

    /// A token with these claims.
    ///
    /// # Panics
    /// Never.
    pub fn sign(&self, claims: &Value) -> String {
        let algorithm = if matches!(self.kind, Kind::Ec(_)) { "ES256" } else { "RS256" };
        let header = json!({ "alg": algorithm, "typ": "JWT", "kid": self.id });
        let text = [&header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
        let random = SystemRandom::new();
        let signature = match &self.kind {
            Kind::Ec(pair) => pair.sign(&random, text.as_bytes()).unwrap().as_ref().to_vec(),
            Kind::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature).unwrap();
                signature
            }
        };
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}
