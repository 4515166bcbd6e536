//! Why a step is refused, in words that say what can be done instead.

use std::fmt;

use super::calendar::Gap;
use super::table::When;
use super::words::{Action, Role, Status};
use crate::model::day;

/// Why a step is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The table has no such step from this status.
    NotHere {
        action: Action,
        status: Status,
        possible: Vec<Action>,
    },
    /// It has, under conditions that do not hold.
    Condition {
        action: Action,
        status: Status,
        wanted: Vec<When>,
        deadline: Option<i32>,
    },
    /// It is not for this kind of actor.
    Role {
        action: Action,
        role: Role,
    },
    /// A facility acts on a finding about another one.
    OtherFacility {
        code: String,
    },
    /// Somebody would judge what he has judged already.
    SamePerson {
        name: String,
    },
    Panel(String),
    NoReason {
        action: Action,
    },
    NoCode {
        action: Action,
        known: Vec<String>,
    },
    UnknownCode {
        code: String,
        near: Option<String>,
        known: Vec<String>,
    },
    Money(String),
    Text(String),
    /// Not a time.
    Time {
        at: String,
    },
    /// Before the last step.
    Earlier {
        at: String,
        last: String,
    },
    /// A working day of a year whose holidays are not known.
    Calendar(Gap),
}

impl From<Gap> for Refusal {
    fn from(gap: Gap) -> Refusal {
        Refusal::Calendar(gap)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::NotHere { action, status, possible } => {
                let known: Vec<&str> = possible.iter().map(|action| action.name()).collect();
                write!(
                    f,
                    "`{}` ({}) is not possible in `{}` ({}); possible: {}",
                    action.name(),
                    action.title(),
                    status.name(),
                    status.title(),
                    known.join(", ")
                )
            }
            Refusal::Condition { action, status, wanted, deadline } => {
                conditional(f, *action, *status, wanted, *deadline)
            }
            Refusal::Role { action, role } => {
                write!(f, "`{}` ({}) is not for {} ({})", action.name(), action.title(), role.name(), role.title())
            }
            Refusal::OtherFacility { code } => write!(f, "the finding is not about the facility `{code}`"),
            Refusal::SamePerson { name } => write!(
                f,
                "`{name}` has judged this case before, and nobody judges a case twice (初审, 复审, 合议, 调查核实, 处理): give it to \
                 somebody else"
            ),
            Refusal::NoReason { action } => {
                write!(f, "`{}` ({}) needs a reason in words", action.name(), action.title())
            }
            Refusal::NoCode { action, known } => write!(
                f,
                "`{}` ({}) withdraws money and needs a coded reason, one of {}",
                action.name(),
                action.title(),
                known.join(", ")
            ),
            Refusal::UnknownCode { code, near, known } => match near {
                Some(near) => write!(f, "there is no reason `{code}`: did you mean `{near}`?"),
                None => write!(f, "there is no reason `{code}`: wanted one of {}", known.join(", ")),
            },
            Refusal::Panel(text) | Refusal::Money(text) | Refusal::Text(text) => f.write_str(text),
            Refusal::Time { at } => write!(f, "`{at}` is not a time such as 2026-11-22T15:40:12"),
            Refusal::Earlier { at, last } => {
                write!(f, "{at} is before the last step of the case ({last}): time does not go back, look at the clock")
            }
            Refusal::Calendar(gap) => gap.fmt(f),
        }
    }
}

fn conditional(
    f: &mut fmt::Formatter<'_>,
    action: Action,
    status: Status,
    wanted: &[When],
    deadline: Option<i32>,
) -> fmt::Result {
    let until = deadline.map_or_else(|| "no day".to_owned(), day::text);
    match wanted {
        [When::InTime] => write!(
            f,
            "the time for an appeal ended on {until}: what was told counts as accepted (逾期视为认可), `fundaudit case expire` \
             writes that down"
        ),
        [When::Late] => write!(f, "the facility may still appeal, until {until}: before that its silence is no assent"),
        [When::Certain] => write!(
            f,
            "the finding is 可疑: somebody must look first (初审) before the facility is told; assign it to somebody"
        ),
        [When::Overturned] => {
            write!(f, "only what was dismissed or revoked is opened again: this case has been decided")
        }
        others => {
            let titles: Vec<&str> = others.iter().map(|when| when.title()).collect();
            write!(
                f,
                "`{}` ({}) is possible in `{}` only: {}",
                action.name(),
                action.title(),
                status.name(),
                titles.join("; ")
            )
        }
    }
}

impl std::error::Error for Refusal {}
