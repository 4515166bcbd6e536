//! Telling somebody in the morning: an HTTP POST of a small JSON.
//!
//! Goes in: a URL, a night. Comes out: nothing, or why nobody could be told; the night is done all the same. What is sent has
//! counts and money, and no person, claim or facility. It may be sent twice, when a night was cut short right after it; the
//! scan's id tells. Deliberately unknown here: who listens.

use std::time::Duration;

use serde_json::{Value, json};

use crate::report::night::{Night, Sending};

/// How long may pass before it is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Tells it.
pub(super) fn tell(url: &str, night: &Night) -> Result<(), String> {
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build().into();
    agent.post(url).send_json(body(night)).map(|_| ()).map_err(|error| error.to_string())
}

fn body(night: &Night) -> Value {
    let new: rust_decimal::Decimal = night.by_rule.iter().map(|group| group.allocated).sum();
    let rows = |of: fn(&crate::report::night::Rows) -> u64| night.rows.iter().map(of).sum::<u64>();
    let facilities = |word: Sending| night.facilities.iter().filter(|f| f.sending == word).count();
    json!({
        "scan_id": night.scan_id,
        "started_at": night.started_at,
        "as_of": night.as_of,
        "findings": night.counts,
        "assented": night.assent.findings,
        "new_allocated": format!("{new:.2}"),
        "standing": { "findings": night.standing.findings, "allocated": format!("{:.2}", night.standing.allocated) },
        "files": { "taken": night.files.iter().filter(|f| f.reason.is_none()).count(), "set_aside": night.files.iter().filter(|f| f.reason.is_some()).count() },
        "rows": { "read": rows(|r| r.read), "quarantined": rows(|r| r.quarantined) },
        "facilities": { "nothing": facilities(Sending::Nothing), "less": facilities(Sending::Less) },
        "took_ms": night.took_ms,
    })
}
