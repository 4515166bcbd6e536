//! Who may ask: institutions, the hashes of their keys, their rates.
//!
//! Goes in: a file of institutions, a key that came with a request. Comes out: the [`Institution`] and whether it asks too
//! often, or every mistake of the file at once. Deliberately unknown here: requests, what is asked.
//!
//! ```toml
//! [[institution]]
//! fixmedins_code = "H37030000127"
//! name           = "鲁中示例医院"
//! key_sha256     = "…"                  # `fundaudit serve key new` prints it
//! rate           = 50                    # requests a second
//! burst          = 100                   # at once
//! may_ask        = ["H37030000128"]      # for these too
//! # all          = true                  # for everybody: a bureau's own systems
//! ```
//! The file holds no key, only what is left of one after SHA-256: who reads it cannot ask. An institution that changes its
//! key has two entries for a while.
//!
//! To add a right: a field of [`Written`], its check in [`Keys::read`], its question in `answer`.

use std::collections::{BTreeSet, HashMap};
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use toml::Spanned;

use crate::operations::Error;
use crate::span::Diagnostic;

/// No file of institutions is larger.
const LARGEST: u64 = 16 << 20;

/// An institution that may ask.
pub struct Institution {
    /// Its code, which feedback is kept under.
    pub code: String,
    pub name: String,
    /// Institutions for whose claims it may ask; none: for all.
    own: Option<BTreeSet<String>>,
    rate: (NonZeroU32, NonZeroU32),
    limiter: Arc<DefaultDirectRateLimiter>,
}

impl std::fmt::Debug for Institution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Institution").field("code", &self.code).finish_non_exhaustive()
    }
}

impl Institution {
    /// Whether it may ask for the claims of this institution.
    #[must_use]
    pub fn may_ask_for(&self, code: &str) -> bool {
        self.own.as_ref().is_none_or(|own| own.contains(code))
    }

    /// Whether it may ask for the claims of everybody.
    #[must_use]
    pub fn may_ask_for_all(&self) -> bool {
        self.own.is_none()
    }

    /// Counts a request.
    ///
    /// # Errors
    /// It is one too many; how long to wait.
    pub fn count(&self) -> Result<(), Duration> {
        self.limiter.check().map_err(|until| until.wait_time_from(DefaultClock::default().now()))
    }
}

/// The institutions of a file.
#[derive(Debug, Default)]
pub struct Keys {
    by_hash: HashMap<[u8; 32], Arc<Institution>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    institution: Vec<Written>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    fixmedins_code: Spanned<String>,
    #[serde(default)]
    name: String,
    key_sha256: Spanned<String>,
    rate: Spanned<u32>,
    burst: Option<Spanned<u32>>,
    #[serde(default)]
    may_ask: Vec<Spanned<String>>,
    #[serde(default)]
    all: bool,
}

impl Keys {
    /// Reads a file. Who is in `before` with the same rate goes on counting where he was.
    ///
    /// # Errors
    /// Every mistake of the file; a file that cannot be read.
    pub fn load(path: &Path, before: Option<&Keys>) -> Result<Keys, Error> {
        let unreadable = |e: std::io::Error| Error::Usage(format!("cannot read the keys in `{}`: {e}", path.display()));
        if std::fs::metadata(path).map_err(unreadable)?.len() > LARGEST {
            return Err(Error::Usage(format!("`{}` is larger than 16 MiB: it is no file of keys", path.display())));
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        Keys::read(&path.display().to_string(), &text, before).map_err(Error::Rules)
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// Every mistake of it; of its form, the first.
    pub fn read(file: &str, text: &str, before: Option<&Keys>) -> Result<Keys, Vec<Diagnostic>> {
        let written: File = toml::from_str(text).map_err(|error| {
            let place = error.span().unwrap_or(0..0);
            let help = "an institution is `[[institution]]` with fixmedins_code, key_sha256 and rate; name, burst, may_ask and \
                        all if wanted; `fundaudit serve key new` prints one";
            vec![hidden(Diagnostic::at(file, text, place, error.message())).help(help)]
        })?;
        let mut keys = Keys::default();
        let mut mistakes = Vec::new();
        let mut wrong = |place: std::ops::Range<usize>, what: String, help: &str| {
            mistakes.push(hidden(Diagnostic::at(file, text, place, what)).help(help));
        };
        for entry in written.institution {
            let codes = std::iter::once(&entry.fixmedins_code).chain(&entry.may_ask);
            for code in codes.filter(|code| !is_code(code.get_ref())) {
                let help = "wanted the code as settlements have it, such as H37030000127";
                wrong(code.span(), format!("`{}` is no institution's code", code.get_ref()), help);
            }
            let rate = NonZeroU32::new(*entry.rate.get_ref());
            let burst = entry.burst.as_ref().map_or(rate, |burst| NonZeroU32::new(*burst.get_ref()));
            if rate.is_none() {
                wrong(entry.rate.span(), "a rate of 0 lets nothing through".to_owned(), "requests a second, 1 or more");
            }
            if let (None, Some(burst)) = (burst, &entry.burst) {
                wrong(burst.span(), "a burst of 0 lets nothing through".to_owned(), "requests at once, 1 or more");
            }
            let hash = of_hex(entry.key_sha256.get_ref());
            if hash.is_none() {
                let help = "wanted the SHA-256 of the key, 64 hexadecimal digits; never the key itself";
                wrong(entry.key_sha256.span(), "`key_sha256` is no hash".to_owned(), help);
            }
            let (Some(hash), Some(rate), Some(burst)) = (hash, rate, burst) else { continue };
            let known = before.and_then(|before| before.by_hash.get(&hash)).filter(|known| known.rate == (rate, burst));
            let limiter = known.map_or_else(
                || Arc::new(RateLimiter::direct(Quota::per_second(rate).allow_burst(burst))),
                |known| Arc::clone(&known.limiter),
            );
            let code = entry.fixmedins_code.get_ref().clone();
            let own = entry.may_ask.into_iter().map(Spanned::into_inner).chain([code.clone()]).collect();
            let institution =
                Institution { code, name: entry.name, own: (!entry.all).then_some(own), rate: (rate, burst), limiter };
            if keys.by_hash.insert(hash, Arc::new(institution)).is_some() {
                let help = "every institution has a key of its own; `fundaudit serve key new` makes one";
                wrong(entry.key_sha256.span(), "this key is there twice".to_owned(), help);
            }
        }
        if mistakes.is_empty() { Ok(keys) } else { Err(mistakes) }
    }

    /// The institution that has this key.
    #[must_use]
    pub fn of(&self, key: &str) -> Option<&Arc<Institution>> {
        // What is compared is the hash: how long it takes tells nothing of any key.
        self.by_hash.get(&<[u8; 32]>::from(Sha256::digest(key.as_bytes())))
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// Whether nobody may ask.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_hash.is_empty()
    }
}

/// What the file of institutions holds of a key.
#[must_use]
pub fn hash_of(key: &str) -> String {
    Sha256::digest(key.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The entry of an institution, to be put into the file.
#[must_use]
pub fn entry(code: &str, name: &str, key: &str, rate: u32, burst: u32) -> String {
    format!(
        "[[institution]]\nfixmedins_code = {}\nname           = {}\nkey_sha256     = \"{}\"\nrate           = {rate}\nburst          = {burst}\n",
        toml::Value::from(code),
        toml::Value::from(name),
        hash_of(key)
    )
}

/// Whether an institution may be called so.
#[must_use]
pub fn is_code(code: &str) -> bool {
    (1..=30).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// Without the line of the file: logs and health show a mistake, and nobody knows what was pasted there.
fn hidden(mistake: Diagnostic) -> Diagnostic {
    Diagnostic { source: String::new(), column: 1, width: 0, ..mistake }
}

fn of_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    let mut hash = [0; 32];
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16).and_then(|d| u8::try_from(d).ok());
        *byte = digit(0)? << 4 | digit(1)?;
    }
    Some(hash)
}
