//! What an account is made of: addresses, passwords, and the hashes of passwords. Knows neither HTTP nor the store.

mod body;
mod email;
mod hasher;
mod password;

pub use body::{Change, Farewell, NewKey, Refresh, SignIn, SignUp};
pub use email::Email;
pub use hasher::{Hasher, Verdict};
pub use password::Password;
