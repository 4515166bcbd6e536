//! Figures for who watches the service, as Prometheus reads them.
//!
//! Goes in: what happened. Comes out: the text of `/metrics`. There is no person in it and no institution: whoever may read
//! the figures learns how much is asked, not by whom. Deliberately unknown here: requests, rules beyond their number.
//!
//! To add a figure: a field, its registration in [`Figures::new`], a line where it happens.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Names and values of labels.
type Labels<const N: usize> = [(&'static str, &'static str); N];
type Durations = Family<Labels<1>, Histogram, fn() -> Histogram>;

/// Upper ends of the buckets of durations, seconds.
const SECONDS: [f64; 12] = [0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.8, 2.0];

/// What is counted.
pub(super) struct Figures {
    registry: Registry,
    requests: Family<Labels<2>, Counter>,
    durations: Durations,
    reviews: Family<Labels<1>, Counter>,
    findings: Counter,
    rules_not_run: Counter,
    incomplete: Counter,
    reloads: Family<Labels<2>, Counter>,
    old_state: Family<Labels<1>, Gauge>,
    rate_limited: Counter,
    feedback: Family<Labels<1>, Counter>,
    waiting: Gauge,
    at_work: Gauge,
    connections: Gauge,
    connections_refused: Counter,
    remembered: Gauge,
    remembered_bytes: Gauge,
    repeated: Counter,
    rules: Gauge,
    nights: Option<Nights>,
}

/// Figures of nights, where the service does them.
struct Nights {
    ended: Family<Labels<1>, Counter>,
    finished_at: Gauge,
    failed: Gauge,
    seconds: Gauge<f64, AtomicU64>,
    running: Gauge,
    next: Gauge,
}

impl Nights {
    fn new(registry: &mut Registry) -> Nights {
        let nights = Nights {
            ended: Family::default(),
            finished_at: Gauge::default(),
            failed: Gauge::default(),
            seconds: Gauge::default(),
            running: Gauge::default(),
            next: Gauge::default(),
        };
        registry.register("nights", "Nights by what became of them", nights.ended.clone());
        let help = "When a night was done last, seconds since 1970-01-01; 0 before the first";
        registry.register("night_finished_time_seconds", help, nights.finished_at.clone());
        registry.register("night_failed", "1 while the last night did not come to its end", nights.failed.clone());
        registry.register("night_seconds", "How long the last night took", nights.seconds.clone());
        registry.register("night_running", "1 while a night is at work", nights.running.clone());
        let help = "When the next night is due, seconds since 1970-01-01";
        registry.register("night_next_time_seconds", help, nights.next.clone());
        nights
    }
}

impl Figures {
    /// All at nothing; `nightly`: with those of nights.
    pub(super) fn new(nightly: bool) -> Figures {
        let mut registry = Registry::with_prefix("fundaudit");
        let requests = Family::<Labels<2>, Counter>::default();
        registry.register("requests", "Requests by address and what became of them", requests.clone());
        let durations = Durations::new_with_constructor(|| Histogram::new(SECONDS));
        let help = "Seconds from the whole body of a request to its answer, waiting included";
        registry.register("request_seconds", help, durations.clone());
        let reviews = Family::<Labels<1>, Counter>::default();
        registry.register("claims", "Claims by decision", reviews.clone());
        let findings = Counter::default();
        registry.register("findings", "Findings in answers", findings.clone());
        let rules_not_run = Counter::default();
        registry.register("rules_not_run", "Rules for which a review had no time", rules_not_run.clone());
        let incomplete = Counter::default();
        registry.register("reviews_incomplete", "Reviews with rules that were not run", incomplete.clone());
        let reloads = Family::<Labels<2>, Counter>::default();
        registry.register("reloads", "Changed files that were taken in, or could not be", reloads.clone());
        let old_state = Family::<Labels<1>, Gauge>::default();
        let help = "1 while files that changed cannot be read and the service goes on with what it had";
        registry.register("reload_failed", help, old_state.clone());
        let rate_limited = Counter::default();
        registry.register("rate_limited", "Requests that were one too many for their key", rate_limited.clone());
        let feedback = Family::<Labels<1>, Counter>::default();
        registry.register("feedback", "Reminders that doctors answered, by what they did", feedback.clone());
        let waiting = Gauge::default();
        registry.register("queue", "Requests that wait for a thread", waiting.clone());
        let at_work = Gauge::default();
        registry.register("at_work", "Requests that a thread works on", at_work.clone());
        let connections = Gauge::default();
        registry.register("connections", "Open connections", connections.clone());
        let connections_refused = Counter::default();
        registry.register("connections_refused", "Connections beyond the most", connections_refused.clone());
        let remembered = Gauge::default();
        registry.register("remembered_answers", "Answers that are kept for whom asks again", remembered.clone());
        let remembered_bytes = Gauge::default();
        registry.register("remembered_bytes", "Their bytes", remembered_bytes.clone());
        let repeated = Counter::default();
        registry.register("repeated", "Questions that were asked again and had the same answer", repeated.clone());
        let rules_asked = Gauge::default();
        registry.register("rules", "Rules that are asked before payment", rules_asked.clone());
        let nights = nightly.then(|| Nights::new(&mut registry));
        Figures {
            registry,
            nights,
            requests,
            durations,
            reviews,
            findings,
            rules_not_run,
            incomplete,
            reloads,
            old_state,
            rate_limited,
            feedback,
            waiting,
            at_work,
            connections,
            connections_refused,
            remembered,
            remembered_bytes,
            repeated,
            rules: rules_asked,
        }
    }

    /// A request was answered.
    pub(super) fn answered(&self, address: &'static str, outcome: &'static str, took: Duration) {
        self.requests.get_or_create(&[("address", address), ("outcome", outcome)]).inc();
        self.durations.get_or_create(&[("address", address)]).observe(took.as_secs_f64());
    }

    /// A claim was decided.
    pub(super) fn decided(&self, decision: &'static str) {
        self.reviews.get_or_create(&[("decision", decision)]).inc();
    }

    /// A review ended.
    pub(super) fn reviewed(&self, findings: usize, not_run: usize) {
        self.findings.inc_by(findings as u64);
        self.rules_not_run.inc_by(not_run as u64);
        if not_run > 0 {
            self.incomplete.inc();
        }
    }

    /// Files changed, and were taken in or not.
    pub(super) fn reloaded(&self, what: &'static str, taken: bool) {
        let outcome = if taken { "ok" } else { "failed" };
        self.reloads.get_or_create(&[("what", what), ("outcome", outcome)]).inc();
        self.old_state.get_or_create(&[("what", what)]).set(i64::from(!taken));
    }

    /// A request was one too many.
    pub(super) fn limited(&self) {
        self.rate_limited.inc();
    }

    /// A doctor did something.
    pub(super) fn fed_back(&self, done: &'static str) {
        self.feedback.get_or_create(&[("done", done)]).inc();
    }

    /// A question was asked again.
    pub(super) fn repeated(&self) {
        self.repeated.inc();
    }

    /// A connection was opened or closed.
    pub(super) fn connected(&self, more: i64) {
        self.connections.inc_by(more);
    }

    /// A connection was one too many.
    pub(super) fn refused_connection(&self) {
        self.connections_refused.inc();
    }

    /// What is known of the last night when the service starts.
    pub(super) fn night_known(&self, finished: bool, at: Option<i64>) {
        if let Some(nights) = &self.nights {
            nights.failed.set(i64::from(!finished));
            at.map(|at| nights.finished_at.set(at));
        }
    }

    /// When the next night is due.
    pub(super) fn night_next(&self, at: Option<i64>) {
        if let Some(nights) = &self.nights {
            nights.next.set(at.unwrap_or_default());
        }
    }

    /// A night is at work.
    pub(super) fn night_begins(&self) {
        if let Some(nights) = &self.nights {
            nights.running.set(1);
        }
    }

    /// A night has ended: how, whether well, when, and how long it took.
    pub(super) fn night_ended(&self, how: &'static str, finished: bool, at: i64, seconds: f64) {
        if let Some(nights) = &self.nights {
            nights.ended.get_or_create(&[("outcome", how)]).inc();
            nights.failed.set(i64::from(!finished));
            nights.seconds.set(seconds);
            nights.running.set(0);
            if finished {
                nights.finished_at.set(at);
            }
        }
    }

    /// The text of all figures; those that are a state are told now.
    pub(super) fn text(&self, load: (usize, usize), remembered: (usize, usize), rules: usize) -> String {
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        self.waiting.set(count(load.0));
        self.at_work.set(count(load.1));
        self.remembered.set(count(remembered.0));
        self.remembered_bytes.set(count(remembered.1));
        self.rules.set(count(rules));
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a text takes everything");
        text
    }
}
