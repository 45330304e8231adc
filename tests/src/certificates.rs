//! Certificates of an authority that nobody knows but who is told.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::services;

/// An authority; its folder is removed in the end.
pub struct Authority {
    folder: PathBuf,
}

/// What a server shows, and its key.
pub struct Certificate {
    /// The certificate in PEM.
    pub certificate: PathBuf,
    /// Its private key in PEM.
    pub key: PathBuf,
}

impl Authority {
    /// Makes one.
    ///
    /// # Panics
    /// Where `openssl` is not installed.
    #[expect(clippy::new_without_default, reason = "it makes files")]
    pub fn new() -> Self {
        let folder = std::env::temp_dir().join(services::unique("authority"));
        std::fs::create_dir_all(&folder).unwrap();
        let made = ["req", "-x509", "-subj", "/CN=An authority of the tests", "-keyout", "ca.key", "-out", "ca.crt"];
        openssl(&folder, &[&made[..], NEW_KEY].concat());
        Self { folder }
    }

    /// Its own certificate in PEM.
    ///
    /// # Panics
    /// Where the file is gone.
    pub fn pem(&self) -> String {
        std::fs::read_to_string(self.folder.join("ca.crt")).unwrap()
    }

    /// Its own certificate, to be shown by a server.
    pub fn itself(&self) -> Certificate {
        Certificate { certificate: self.folder.join("ca.crt"), key: self.folder.join("ca.key") }
    }

    /// A certificate for a host that holds for some days; one that holds for `-1` has expired.
    ///
    /// # Panics
    /// Where `openssl` refuses.
    pub fn certify(&self, host: &str, days: i32) -> Certificate {
        let name = services::unique("server");
        let [key, request, extensions, certificate] =
            ["key", "csr", "ext", "crt"].map(|ending| format!("{name}.{ending}"));
        std::fs::write(
            self.folder.join(&extensions),
            format!("basicConstraints=CA:FALSE\nsubjectAltName=DNS:{host}\n"),
        )
        .unwrap();
        let asked = ["req", "-subj", "/CN=A server of the tests", "-keyout", &key, "-out", &request];
        openssl(&self.folder, &[&asked[..], NEW_KEY].concat());
        let days = days.to_string();
        let signed = ["x509", "-req", "-in", &request, "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"];
        let until = ["-days", &days, "-extfile", &extensions, "-out", &certificate];
        openssl(&self.folder, &[&signed[..], &until].concat());
        Certificate { certificate: self.folder.join(certificate), key: self.folder.join(key) }
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

const NEW_KEY: &[&str] = &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

fn openssl(folder: &Path, arguments: &[&str]) {
    let ran = Command::new("openssl").args(arguments).current_dir(folder).output();
    let ran = ran.unwrap_or_else(|error| panic!("openssl is not installed: {error}"));
    assert!(ran.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
}
