//! Named points of work that must survive being killed: a test stops the program dead at one of them and starts it again.
//!
//! Goes in: the name of a point that has been reached. Comes out: nothing, or the end of the process, as if somebody had
//! pulled the plug. Points listen to the variable `FAILPOINTS` (`append::kept=return`, see the crate `fail`) once
//! [`listen`] was called, which the command line does in a debug build. Deliberately unknown here: what the work is.

/// A point of the work is reached.
pub fn reached(name: &'static str) {
    fail::fail_point!(name, |_| std::process::abort());
}

/// Listens to `FAILPOINTS` from now on, until the process ends.
pub fn listen() {
    // Points stay as they are set until the process ends: nothing may take them back.
    std::mem::forget(fail::FailScenario::setup());
}
