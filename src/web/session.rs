//! Who may speak to the page: a token that the address carries in its fragment, and the cookie that it is exchanged for.
//!
//! Both belong to the lab and are kept beside its socket, for its owner alone: a page that is served anew knows its browsers again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::control::LabDir;

/// Bytes of a token.
const TOKEN: usize = 16;

/// Error for which there is no session.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The system has no random numbers.
    #[error("failed to read /dev/urandom: {0}")]
    Random(io::Error),
    /// Its file could not be kept.
    #[error("failed to write {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The OS error.
        source: io::Error,
    },
}

/// Token and port of a lab's page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The token, two digits a byte.
    token: String,
    /// Port of the page when it was served last.
    pub port: u16,
}

impl Session {
    /// The session of a lab, made where it has none.
    ///
    /// # Errors
    /// [`SessionError::Random`].
    pub fn of(place: &LabDir) -> Result<Self, SessionError> {
        let kept = fs::read(place.page()).ok().and_then(|text| serde_json::from_slice::<Self>(&text).ok());
        match kept.filter(|it| it.token.len() == 2 * TOKEN) {
            Some(kept) => Ok(kept),
            None => Ok(Self { token: token()?, port: 0 }),
        }
    }

    /// Keeps it, for its owner alone.
    ///
    /// # Errors
    /// [`SessionError::File`].
    pub fn keep(&self, place: &LabDir) -> Result<(), SessionError> {
        let path = place.page();
        let writing = || -> io::Result<()> {
            drop(fs::remove_file(&path));
            let mut file: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            file.write_all(serde_json::to_string(self)?.as_bytes())
        };
        writing().map_err(|source| SessionError::File { path, source })
    }

    /// The address with the token in its fragment, which a browser keeps to itself.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}/#t={}", self.port, self.token)
    }

    /// Name of the cookie. A browser sends the cookies of one port to all others of the host.
    pub fn cookie_name(&self) -> String {
        format!("sglab-{}", self.port)
    }

    /// Value of the cookie, by which nobody learns the token.
    pub fn cookie(&self) -> String {
        hex(&Sha256::digest(format!("cookie {} {}", self.port, self.token)))
    }

    /// Returns true for the token.
    pub fn is_token(&self, word: &str) -> bool {
        is_same(word, &self.token)
    }

    /// Returns true for the cookie's value.
    pub fn is_cookie(&self, word: &str) -> bool {
        is_same(word, &self.cookie())
    }
}

/// A word that only who knows the secret can make of another.
pub fn sealed(secret: &str, word: &str) -> String {
    hex(&Sha256::digest(format!("{secret} {word}")))
}

/// Compares digests, so that the time tells nothing about the words.
pub fn is_same(one: &str, other: &str) -> bool {
    Sha256::digest(one) == Sha256::digest(other)
}

/// A word that nobody can guess.
///
/// # Errors
/// [`SessionError::Random`].
pub fn token() -> Result<String, SessionError> {
    Ok(hex(&random::<TOKEN>()?))
}

/// Letters and digits that nobody takes for each other.
const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// A word that people can type, and nobody can guess in the time of a class: `K7QP-3MXA`, of 2^40.
///
/// # Errors
/// [`SessionError::Random`].
pub fn code() -> Result<String, SessionError> {
    let letters = random::<8>()?.map(|byte| char::from(LETTERS[usize::from(byte) % LETTERS.len()]));
    let (first, second) = letters.split_at(4);
    Ok(format!("{}-{}", String::from_iter(first), String::from_iter(second)))
}

fn random<const N: usize>() -> Result<[u8; N], SessionError> {
    let mut bytes = [0; N];
    let reading = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    reading.map_err(SessionError::Random)?;
    Ok(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
