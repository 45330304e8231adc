//! People with accounts, as a frontend has them.

use argon2::PasswordHasher as _;
use serde_json::{Value, json};

use crate::{
    deployment::Deployment,
    http::{Call, Reply},
};

/// A password that nothing is wrong with.
pub const PASSWORD: &str = "correct horse battery staple";

/// A hash as an older version of the project would have made it: m = 8 KiB, t = 1.
///
/// # Panics
/// Where the library has changed.
pub fn old_hash(password: &str) -> String {
    let params = argon2::Params::new(8, 1, 1, None).unwrap();
    let argon2 = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    argon2.hash_password_with_salt(password.as_bytes(), b"salt of the test").unwrap().to_string()
}

/// Somebody who has signed in.
#[derive(Clone, Debug)]
pub struct Person {
    /// The account's id.
    pub id: String,
    /// The address.
    pub email: String,
    /// The access token.
    pub access: String,
    /// The refresh token.
    pub refresh: String,
}

impl Deployment {
    /// A call of an auth route from a network of its own, so that attempts of others do not count.
    pub fn auth(&self, method: &str, path: &str, network: &str) -> Call {
        self.call(method, path).header("x-real-ip", network)
    }

    /// Signs somebody up and in, each account from a network of its own.
    ///
    /// # Panics
    /// Where that fails.
    pub async fn person(&self, name: &str) -> Person {
        self.person_in(name, "purser_none=1").await
    }

    /// The same, in a browser with this cookie.
    ///
    /// # Panics
    /// Where that fails.
    pub async fn person_in(&self, name: &str, cookie: &str) -> Person {
        let email = format!("{name}@example.com");
        let network =
            format!("2001:db8:{:x}::1", name.bytes().fold(7_u16, |sum, b| sum.wrapping_mul(31) ^ u16::from(b)));
        let body = json!({ "email": email, "password": PASSWORD });
        let up = self.auth("POST", "/api/auth/account", &network).header("cookie", cookie).json(&body).send().await;
        assert_eq!(up.status, 202, "{}", up.text);
        let reply = self.sign_in(&email, PASSWORD, &network).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        Person::of(&reply.json())
    }

    /// Tries to sign in.
    pub async fn sign_in(&self, email: &str, password: &str, network: &str) -> Reply {
        let body = json!({ "email": email, "password": password });
        self.auth("POST", "/api/auth/session", network).json(&body).send().await
    }

    /// Makes an API key.
    ///
    /// # Panics
    /// Where that fails.
    pub async fn api_key(&self, person: &Person) -> String {
        let call = self.call("POST", "/api/auth/account?key=new").bearer(&person.access);
        let reply = call.json(&json!({ "name": "nightly job" })).send().await;
        assert_eq!(reply.status, 201, "{}", reply.text);
        reply.json()["key"].as_str().unwrap().to_owned()
    }

    /// Shows a refresh token.
    pub async fn refresh(&self, token: &str) -> Reply {
        self.call("PUT", "/api/auth/session").json(&json!({ "refresh_token": token })).send().await
    }
}

impl Person {
    /// Out of the answer to a sign-in or refresh.
    ///
    /// # Panics
    /// Where something is missing.
    pub fn of(answer: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self {
            id: text(&answer["user"]["id"]),
            email: text(&answer["user"]["email"]),
            access: text(&answer["access_token"]),
            refresh: text(&answer["refresh_token"]),
        }
    }
}
