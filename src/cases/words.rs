//! The words of a case: where it is, what was concluded, what is done, by whom. Each has a `name`, ascii and for ever, which
//! databases and flags hold, and a `title`, which people read.
//!
//! Deliberately unknown here: what may follow what.

/// Writes `name`, `title`, `ALL`, `from_name` from one table of words.
macro_rules! words {
    ($kind:ident { $($variant:ident $name:literal $title:literal),+ $(,)? }) => {
        impl $kind {
            /// All of them, in the order of the procedure.
            pub const ALL: [$kind; [$($name),+].len()] = [$($kind::$variant),+];

            /// The word that is kept.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $($kind::$variant => $name),+ }
            }

            /// The word for people.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $($kind::$variant => $title),+ }
            }

            /// The one of this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<$kind> {
                $kind::ALL.into_iter().find(|word| word.name() == name)
            }
        }
    };
}

/// Where a case is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// The machine has found it; nobody has looked.
    New,
    /// Somebody looks for the first time.
    InitialReview,
    /// The facility has been told and may appeal until the deadline.
    AppealOpen,
    /// The facility has appealed; somebody else looks.
    ReReview,
    /// The result has been told; the facility may appeal once more until the deadline.
    SecondAppealOpen,
    /// Several look together.
    Panel,
    /// Records are fetched, the place is visited.
    Investigation,
    /// It is established what stands; what to do is to be decided.
    Established,
    /// Decided; money is to come.
    Decided,
    /// All money has come.
    Recovered,
    Closed,
}

words!(Status {
    New "new" "机审疑点",
    InitialReview "initial_review" "初审",
    AppealOpen "appeal_open" "已告知待申诉",
    ReReview "re_review" "复审",
    SecondAppealOpen "second_appeal_open" "复审已告知待再申诉",
    Panel "panel" "合议",
    Investigation "investigation" "调查核实",
    Established "established" "已认定待处理",
    Decided "decided" "已处理待执行",
    Recovered "recovered" "已执行",
    Closed "closed" "已结案",
});

/// What has been concluded about the fact so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Nothing yet: the case follows the machine.
    Open,
    /// 初审 has dismissed it.
    Dismissed,
    /// 初审 asserts it towards the facility.
    Asserted,
    /// The facility has said that it is so.
    Accepted,
    /// The facility has said nothing in time.
    AcceptedByTimeout,
    Upheld,
    Partly,
    Revoked,
}

words!(Outcome {
    Open "open" "未定",
    Dismissed "dismissed" "初审排除",
    Asserted "asserted" "初审成立",
    Accepted "accepted" "机构认可",
    AcceptedByTimeout "accepted_by_timeout" "逾期视为认可",
    Upheld "upheld" "维持",
    Partly "partly" "部分维持",
    Revoked "revoked" "撤销",
});

impl Outcome {
    /// Whether it was found that there is no violation.
    #[must_use]
    pub const fn is_overturned(self) -> bool {
        matches!(self, Outcome::Dismissed | Outcome::Revoked)
    }
}

/// What is done about a violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// The money is not paid.
    Refuse,
    /// The money was paid and comes back.
    Recover,
    /// As the service agreement says: interview, damages, suspension.
    Agreement,
    /// To the administrative enforcement.
    Administrative,
    /// To the police.
    Police,
}

words!(Measure {
    Refuse "refuse" "拒付",
    Recover "recover" "追回",
    Agreement "agreement" "协议处理",
    Administrative "administrative" "移交行政",
    Police "police" "移交公安",
});

impl Measure {
    /// Several as one text, as it is kept: `recover,agreement`. None is the empty text.
    #[must_use]
    pub fn names(measures: &[Measure]) -> String {
        measures.iter().map(|measure| measure.name()).collect::<Vec<_>>().join(",")
    }

    /// Several from one text, in their order and once each; the word that is none where one is none.
    ///
    /// # Errors
    /// The word that is no measure.
    pub fn from_names(text: &str) -> Result<Vec<Measure>, String> {
        let mut found = Vec::new();
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            found.push(Measure::from_name(word).ok_or_else(|| word.to_owned())?);
        }
        found.sort();
        found.dedup();
        Ok(found)
    }
}

/// What can be done to a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    Assign,
    Notify,
    Dismiss,
    Investigate,
    Accept,
    Appeal,
    Expire,
    Uphold,
    Partly,
    Revoke,
    Decide,
    Recover,
    Close,
    Reopen,
    Change,
    SeenAgain,
    Gone,
}

words!(Action {
    Assign "assign" "分派",
    Notify "notify" "初审成立并告知",
    Dismiss "dismiss" "初审排除",
    Investigate "investigate" "转调查核实",
    Accept "accept" "认可",
    Appeal "appeal" "申诉",
    Expire "expire" "逾期视为认可",
    Uphold "uphold" "维持",
    Partly "partly" "部分维持",
    Revoke "revoke" "撤销",
    Decide "decide" "处理决定",
    Recover "recover" "执行到账",
    Close "close" "结案",
    Reopen "reopen" "重新审查",
    Change "change" "机审金额变化",
    SeenAgain "seen_again" "再次发现",
    Gone "gone" "不再发现",
});

impl Action {
    /// Which of the case's amounts `before` and `after` of its step are.
    #[must_use]
    pub const fn money(self) -> &'static str {
        match self {
            Action::Decide => "decided",
            Action::Recover | Action::Close => "recovered",
            Action::Change => "found",
            _ => "standing",
        }
    }
}

/// In what capacity somebody acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Scans and clocks.
    Machine,
    /// The bureau's staff.
    Bureau,
    /// The facility that the finding is about.
    Facility,
}

words!(Role {
    Machine "machine" "机器",
    Bureau "bureau" "经办人员",
    Facility "facility" "定点机构",
});

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Actor {
    pub role: Role,
    /// Of staff the name, of a facility its code, of the machine nothing.
    pub who: String,
}

impl Actor {
    #[must_use]
    pub fn machine() -> Actor {
        Actor { role: Role::Machine, who: String::new() }
    }

    #[must_use]
    pub fn bureau(name: &str) -> Actor {
        Actor { role: Role::Bureau, who: name.trim().to_owned() }
    }

    #[must_use]
    pub fn facility(code: &str) -> Actor {
        Actor { role: Role::Facility, who: code.trim().to_owned() }
    }

    /// The text that is kept: `machine`, `bureau:王某`, `facility:H37032300004`.
    #[must_use]
    pub fn name(&self) -> String {
        match self.role {
            Role::Machine => Role::Machine.name().to_owned(),
            role => format!("{}:{}", role.name(), self.who),
        }
    }

    /// For people: the name, the code, or 机器.
    #[must_use]
    pub fn title(&self) -> &str {
        if self.role == Role::Machine { Role::Machine.title() } else { &self.who }
    }

    /// The one of this text.
    #[must_use]
    pub fn from_name(text: &str) -> Option<Actor> {
        let (role, who) = text.split_once(':').unwrap_or((text, ""));
        let role = Role::from_name(role)?;
        ((role == Role::Machine) == who.is_empty()).then(|| Actor { role, who: who.to_owned() })
    }
}
