//! What may follow what: the one table of transitions, and the conditions that its rows ask for.
//!
//! Goes in: nothing. Comes out: [`TABLE`], which `life` obeys, `fundaudit case rules` prints and the document shows. A step that
//! is no row of it cannot happen.

use super::words::{Action, Role, Status};
use super::{Act, Case};

/// A row: from where, by what, to where, by whom, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    pub from: Status,
    pub action: Action,
    pub to: Status,
    pub by: &'static [Role],
    /// Whoever does it has judged the case, and must not have judged it before.
    pub judges: bool,
    pub when: When,
}

/// What else must hold for a row to apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    Always,
    /// The finding is 明确违规.
    Certain,
    /// The deadline is not past; its day counts.
    InTime,
    /// The deadline is past.
    Late,
    /// The facility has not been told yet.
    Untold,
    /// The facility has been told.
    Told,
    /// After the step nothing is outstanding.
    AllIn,
    /// After the step something is outstanding.
    Outstanding,
    /// It was dismissed or revoked.
    Overturned,
}

impl When {
    /// For people; empty where nothing is asked.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            When::Always => "",
            When::Certain => "明确违规",
            When::InTime => "期限内（含当天）",
            When::Late => "期限已过",
            When::Untold => "机构还没有被告知",
            When::Told => "机构已被告知",
            When::AllIn => "没有未到账的钱",
            When::Outstanding => "还有未到账的钱",
            When::Overturned => "初审排除或撤销的",
        }
    }

    pub(super) fn holds(self, before: &Case, after: &Case, today: i32) -> bool {
        let late = before.deadline.is_some_and(|deadline| today > deadline);
        match self {
            When::Always => true,
            When::Certain => before.certain,
            When::InTime => !late,
            When::Late => late,
            When::Untold => !before.is_told(),
            When::Told => before.is_told(),
            When::AllIn => after.is_all_in(),
            When::Outstanding => !after.is_all_in(),
            When::Overturned => before.outcome.is_overturned(),
        }
    }
}

impl Act {
    /// The word for it.
    #[must_use]
    pub const fn action(&self) -> Action {
        match self {
            Act::Assign { .. } => Action::Assign,
            Act::Notify { .. } => Action::Notify,
            Act::Dismiss => Action::Dismiss,
            Act::Investigate => Action::Investigate,
            Act::Accept => Action::Accept,
            Act::Appeal => Action::Appeal,
            Act::Expire => Action::Expire,
            Act::Uphold { .. } => Action::Uphold,
            Act::Partly { .. } => Action::Partly,
            Act::Revoke { .. } => Action::Revoke,
            Act::Decide { .. } => Action::Decide,
            Act::Recover { .. } => Action::Recover,
            Act::Close => Action::Close,
            Act::Reopen => Action::Reopen,
            Act::Change { .. } => Action::Change,
            Act::SeenAgain => Action::SeenAgain,
            Act::Gone => Action::Gone,
        }
    }
}

const BUREAU: &[Role] = &[Role::Bureau];
const EITHER: &[Role] = &[Role::Bureau, Role::Facility];
const CLOCK: &[Role] = &[Role::Machine, Role::Bureau];
const MACHINE: &[Role] = &[Role::Machine];

const fn row(from: Status, action: Action, to: Status) -> Transition {
    Transition { from, action, to, by: BUREAU, judges: false, when: When::Always }
}

impl Transition {
    const fn judges(self) -> Transition {
        Transition { judges: true, ..self }
    }

    const fn when(self, when: When) -> Transition {
        Transition { when, ..self }
    }

    const fn by(self, by: &'static [Role]) -> Transition {
        Transition { by, ..self }
    }
}

/// Every step there is, in the order of the procedure. What the machine says of a finding ([`BY_SCANS`]) changes no status.
pub const TABLE: [Transition; 35] = [
    row(Status::New, Action::Assign, Status::InitialReview),
    row(Status::New, Action::Notify, Status::AppealOpen).judges().when(When::Certain),
    row(Status::InitialReview, Action::Assign, Status::InitialReview),
    row(Status::InitialReview, Action::Notify, Status::AppealOpen).judges(),
    row(Status::InitialReview, Action::Dismiss, Status::Closed).judges(),
    row(Status::InitialReview, Action::Investigate, Status::Investigation),
    row(Status::AppealOpen, Action::Accept, Status::Established).by(EITHER),
    row(Status::AppealOpen, Action::Appeal, Status::ReReview).by(EITHER).when(When::InTime),
    row(Status::AppealOpen, Action::Expire, Status::Established).by(CLOCK).when(When::Late),
    row(Status::ReReview, Action::Assign, Status::ReReview),
    row(Status::ReReview, Action::Uphold, Status::SecondAppealOpen).judges(),
    row(Status::ReReview, Action::Partly, Status::SecondAppealOpen).judges(),
    row(Status::ReReview, Action::Revoke, Status::Closed).judges(),
    row(Status::SecondAppealOpen, Action::Accept, Status::Established).by(EITHER),
    row(Status::SecondAppealOpen, Action::Appeal, Status::Panel).by(EITHER).when(When::InTime),
    row(Status::SecondAppealOpen, Action::Expire, Status::Established).by(CLOCK).when(When::Late),
    row(Status::Panel, Action::Assign, Status::Panel),
    row(Status::Panel, Action::Uphold, Status::Established).judges(),
    row(Status::Panel, Action::Partly, Status::Established).judges(),
    row(Status::Panel, Action::Revoke, Status::Closed).judges(),
    row(Status::Investigation, Action::Assign, Status::Investigation),
    row(Status::Investigation, Action::Uphold, Status::AppealOpen).judges().when(When::Untold),
    row(Status::Investigation, Action::Partly, Status::AppealOpen).judges().when(When::Untold),
    row(Status::Investigation, Action::Uphold, Status::Established).judges().when(When::Told),
    row(Status::Investigation, Action::Partly, Status::Established).judges().when(When::Told),
    row(Status::Investigation, Action::Revoke, Status::Closed).judges(),
    row(Status::Established, Action::Assign, Status::Established),
    row(Status::Established, Action::Investigate, Status::Investigation),
    row(Status::Established, Action::Decide, Status::Decided).judges(),
    row(Status::Decided, Action::Recover, Status::Decided).when(When::Outstanding),
    row(Status::Decided, Action::Recover, Status::Recovered).when(When::AllIn),
    row(Status::Decided, Action::Close, Status::Closed).when(When::AllIn),
    row(Status::Decided, Action::Close, Status::Closed).judges().when(When::Outstanding),
    row(Status::Recovered, Action::Close, Status::Closed),
    row(Status::Closed, Action::Reopen, Status::InitialReview).when(When::Overturned),
];

/// What scans say of a finding, whatever the status of its case, which stays.
pub const BY_SCANS: [Action; 3] = [Action::Change, Action::SeenAgain, Action::Gone];

/// The rows for an action in a status; for what scans say, one that leaves it as it is.
pub(super) fn rows(from: Status, action: Action) -> Vec<Transition> {
    if BY_SCANS.contains(&action) {
        return vec![row(from, action, from).by(MACHINE)];
    }
    TABLE.iter().copied().filter(|row| row.from == from && row.action == action).collect()
}

/// What people can do in a status, each once.
#[must_use]
pub fn possible(from: Status) -> Vec<Action> {
    let mut actions: Vec<Action> = TABLE.iter().filter(|row| row.from == from).map(|row| row.action).collect();
    actions.sort();
    actions.dedup();
    actions
}
