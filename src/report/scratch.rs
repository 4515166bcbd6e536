//! A full disk while a workbook is written is an error, as with any other file.
//!
//! The writer of workbooks keeps the rows under way in files of its own, and panics where it cannot write them. Goes in: the work of
//! writing. Comes out: what came of it, or what the disk said; nothing is printed about that. Any other panic is a bug and goes on
//! as one. Deliberately unknown here: what is in the workbook.

use std::any::Any;
use std::cell::Cell;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use rust_xlsxwriter::XlsxError;

thread_local! {
    /// Whether this thread writes a workbook.
    static AT_WORK: Cell<bool> = const { Cell::new(false) };
}

/// Writes, with the disk's refusal as an error.
pub(super) fn guarded(write: impl FnOnce() -> Result<(), XlsxError>) -> Result<(), XlsxError> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panicked| {
            if !AT_WORK.get() || refusal(panicked.payload()).is_none() {
                before(panicked);
            }
        }));
    });
    AT_WORK.set(true);
    let done = panic::catch_unwind(AssertUnwindSafe(write));
    AT_WORK.set(false);
    done.unwrap_or_else(|panicked| match refusal(&*panicked) {
        Some(error) => Err(XlsxError::IoError(error)),
        None => panic::resume_unwind(panicked),
    })
}

/// What the system said, where a panic is about that: `Couldn't write to xml file: Os { code: 28, … }`.
fn refusal(panicked: &(dyn Any + Send)) -> Option<io::Error> {
    let (_, code) = panicked.downcast_ref::<String>()?.split_once("Os { code: ")?;
    let (code, _) = code.split_once(',')?;
    code.parse().ok().map(io::Error::from_raw_os_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_disk_refuses_is_an_error_and_a_bug_is_a_bug() {
        let full = io::Error::from_raw_os_error(28);
        let refused = guarded(|| panic!("Couldn't write to xml file: {full:?}")).unwrap_err();
        assert!(matches!(refused, XlsxError::IoError(error) if error.raw_os_error() == Some(28)));
        assert!(panic::catch_unwind(|| guarded(|| panic!("a bug"))).is_err());
        assert!(guarded(|| Ok(())).is_ok());
    }
}
