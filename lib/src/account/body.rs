//! What clients send about accounts.

use super::{Email, Password};
use crate::{
    Error,
    json::{Node, Object},
};

/// The body of `POST /api/auth/account`: `{"email", "password"}`.
#[derive(Clone, Debug)]
pub struct SignUp {
    /// The address.
    pub email: Email,
    /// The password, not judged yet.
    pub password: Password,
}

/// The body of `POST /api/auth/session`: `{"email", "password", "cookie"?}`.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// The address.
    pub email: Email,
    /// The password.
    pub password: Password,
    /// The refresh token goes into a cookie, not into the answer.
    pub cookie: bool,
}

/// The body of `PUT /api/auth/session`: `{"refresh_token"}`; empty where the cookie has it.
#[derive(Clone)]
pub struct Refresh {
    /// The token, if the body has it.
    pub refresh_token: Option<String>,
}

/// The body of `PATCH /api/auth/account`: `{"password", "new_password"?, "new_email"?}`.
#[derive(Clone, Debug)]
pub struct Change {
    /// The password that holds now.
    pub password: Password,
    /// The one to come.
    pub new_password: Option<Password>,
    /// The address to come.
    pub new_email: Option<Email>,
}

/// The body of `DELETE /api/auth/account`: `{"password"}`.
#[derive(Clone, Debug)]
pub struct Farewell {
    /// The password.
    pub password: Password,
}

/// The body of `POST /api/auth/account?key=new`: `{"name"}`.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// What its owner calls it.
    pub name: String,
}

impl SignUp {
    /// Reads a body.
    ///
    /// # Errors
    /// `invalid_json`, or `invalid_body` with a pointer.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let body = Node::document(bytes)?.object()?;
        body.only(&["email", "password"])?;
        Ok(Self { email: email(&body, "email")?, password: password(&body, "password")? })
    }
}

impl SignIn {
    /// Reads a body.
    ///
    /// # Errors
    /// `invalid_json`, or `invalid_body` with a pointer.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let body = Node::document(bytes)?.object()?;
        body.only(&["email", "password", "cookie"])?;
        let cookie = body.get("cookie")?.map(|cookie| cookie.flag()).transpose()?.unwrap_or(false);
        Ok(Self { email: email(&body, "email")?, password: password(&body, "password")?, cookie })
    }
}

impl Refresh {
    /// Reads a body; it may be empty.
    ///
    /// # Errors
    /// `invalid_json`, or `invalid_body` with a pointer.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.is_empty() {
            return Ok(Self { refresh_token: None });
        }
        let body = Node::document(bytes)?.object()?;
        body.only(&["refresh_token"])?;
        let token = body.get("refresh_token")?.map(|token| token.text()).transpose()?;
        Ok(Self { refresh_token: token.map(Into::into) })
    }
}

impl Change {
    /// Reads a body.
    ///
    /// # Errors
    /// `invalid_json`, or `invalid_body` with a pointer.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let document = Node::document(bytes)?;
        let body = document.object()?;
        body.only(&["password", "new_password", "new_email"])?;
        let has = |name| body.get(name).map(|member| member.is_some());
        let new_password = has("new_password")?.then(|| password(&body, "new_password")).transpose()?;
        let new_email = has("new_email")?.then(|| email(&body, "new_email")).transpose()?;
        if new_password.is_none() && new_email.is_none() {
            return Err(document.refuse("Say what is to change: `new_password`, `new_email`, or both."));
        }
        Ok(Self { password: password(&body, "password")?, new_password, new_email })
    }
}

impl Farewell {
    /// Reads a body.
    ///
    /// # Errors
    /// `invalid_json`, or `invalid_body` with a pointer.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let body = Node::document(bytes)?.object()?;
        body.only(&["password"])?;
        Ok(Self { password: password(&body, "password")? })
    }
}

impl NewKey {
    /// Reads a body.
    ///
    /// # Errors
    /// `invalid_json`, or `invalid_body` with a pointer.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let body = Node::document(bytes)?.object()?;
        body.only(&["name"])?;
        Ok(Self { name: body.require("name")?.id()? })
    }
}

fn email(body: &Object<'_>, name: &str) -> Result<Email, Error> {
    let given = body.require(name)?;
    Email::parse(&given.text()?).ok_or_else(|| given.refuse("This is not an e-mail address."))
}

fn password(body: &Object<'_>, name: &str) -> Result<Password, Error> {
    let given = body.require(name)?;
    Password::new(&given.text()?).ok_or_else(|| given.refuse("A password must have 1 to 1024 bytes."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    #[test]
    fn every_wrong_shape_is_pointed_at() {
        let wrong = [
            (r#"{"password":"x"}"#, "/email"),
            (r#"{"email":7,"password":"x"}"#, "/email"),
            (r#"{"email":"nobody","password":"x"}"#, "/email"),
            (r#"{"email":"a@b.example"}"#, "/password"),
            (r#"{"email":"a@b.example","password":null}"#, "/password"),
            (r#"{"email":"a@b.example","password":""}"#, "/password"),
            (r#"{"email":"a@b.example","password":["x"]}"#, "/password"),
            (r#"{"email":"a@b.example","password":"x","plan":"pro"}"#, "/plan"),
            (r#"{"email":"a@b.example","email":"b@b.example","password":"x"}"#, "/email"),
            (r#"[]"#, ""),
        ];
        for (text, pointer) in wrong {
            let error = SignUp::parse(text.as_bytes()).err().unwrap();
            assert_eq!(error.code(), Code::InvalidBody, "{text}");
            assert_eq!(error.members()["pointer"], pointer, "{text}");
        }
        let error = SignIn::parse(br#"{"email":"a@b.example","password":"x","cookie":1}"#).err().unwrap();
        assert_eq!(error.members()["pointer"], "/cookie");
        assert_eq!(Change::parse(br#"{"password":"x"}"#).err().unwrap().members()["pointer"], "");
        assert_eq!(NewKey::parse(br#"{"name":""}"#).err().unwrap().members()["pointer"], "/name");
    }
}
