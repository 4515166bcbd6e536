//! The life of a finding: who may do what when, and what the money is afterwards.
//!
//! Goes in: cases and commands as an office gives them, and ten thousand that no office would give. Comes out: statuses,
//! amounts, refusals. The helper knows the API; the stories do not.

use std::collections::{BTreeMap, BTreeSet};

use fundaudit::cases::scorecard::{Counts, Verdict, card};
use fundaudit::cases::{
    Act, Action, Actor, Attachment, BY_SCANS, Calendar, Case, Command, Measure, Outcome, Procedure, Refusal, Role,
    Seen, Status, Step, TABLE, apply, document, possible, scanned,
};
use fundaudit::model::day;
use fundaudit::rules::{Files, load};
use rust_decimal::Decimal;

fn procedure() -> Procedure {
    Procedure::built_in().unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
}

fn yuan(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn the_day(text: &str) -> i32 {
    day::parse(text).unwrap()
}

/// A case on a desk: each step is given as who, when, what.
struct Desk {
    procedure: Procedure,
    case: Case,
    steps: Vec<Step>,
}

impl Desk {
    /// A suspicion over 1,000.00 in Yiyuan, found on 2026-09-01.
    fn suspicion() -> Desk {
        Desk::with(false)
    }

    fn violation() -> Desk {
        Desk::with(true)
    }

    fn with(certain: bool) -> Desk {
        let mut case = Case::open("f1", certain, yuan("1000"), "2026-09-01T02:00:00");
        case.region = Some("370323".to_owned());
        case.fixmedins_code = Some("H37032300004".to_owned());
        Desk { procedure: procedure(), case, steps: Vec::new() }
    }

    fn ask(&self, who: &Actor, at: &str, command: &Command) -> Result<(Case, Step), Refusal> {
        apply(&self.case, command, &self.procedure, who, at)
    }

    fn does(&mut self, who: &str, at: &str, command: impl Into<Said>) -> &mut Desk {
        let command = command.into().0;
        let (case, step) = self.ask(&Actor::bureau(who), at, &command).unwrap_or_else(|no| panic!("{command:?}: {no}"));
        self.case = case;
        self.steps.push(step);
        self
    }

    fn refuses(&self, who: &str, at: &str, command: impl Into<Said>) -> String {
        let command = command.into().0;
        self.ask(&Actor::bureau(who), at, &command).expect_err("it was done").to_string()
    }

    /// Brought to the desk of the second reviewer: 初审 by 甲, told on 2026-09-23, appealed in time.
    fn appealed() -> Desk {
        let mut desk = Desk::suspicion();
        desk.does("甲", "2026-09-22T09:00:00", Act::Assign { to: "甲".to_owned() })
            .does("甲", "2026-09-23T09:00:00", Act::Notify { standing: None })
            .does("丁", "2026-10-14T16:00:00", Act::Appeal.because("病历第 3 页有记载"));
        desk
    }

    /// Established without an objection; nobody but 甲 has judged it.
    fn established() -> Desk {
        let mut desk = Desk::violation();
        desk.does("甲", "2026-09-23T09:00:00", Act::Notify { standing: None }).does(
            "丁",
            "2026-09-24T09:00:00",
            Act::Accept,
        );
        desk
    }

    fn decided(fund: &str, damages: &str) -> Desk {
        let mut desk = Desk::established();
        let measures = vec![Measure::Agreement, Measure::Recover];
        let act = Act::Decide { measures, fund: Some(yuan(fund)), damages: yuan(damages) };
        desk.does("乙", "2026-09-28T09:00:00", act.because("服务协议第四十一条"));
        desk
    }
}

/// A command, or an act about which nothing is said.
struct Said(Command);

impl From<Command> for Said {
    fn from(command: Command) -> Said {
        Said(command)
    }
}

impl From<Act> for Said {
    fn from(act: Act) -> Said {
        Said(act.plain())
    }
}

fn nobody() -> Vec<String> {
    Vec::new()
}

fn panel(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_suspicion_goes_the_whole_way() {
    let mut desk = Desk::suspicion();
    desk.does("科长", "2026-09-02T09:00:00", Act::Assign { to: "甲".to_owned() });
    assert_eq!((desk.case.status, desk.case.assignee.as_deref()), (Status::InitialReview, Some("甲")));
    desk.does("甲", "2026-09-04T10:00:00", Act::Notify { standing: None });
    assert_eq!((desk.case.status, desk.case.outcome), (Status::AppealOpen, Outcome::Asserted));
    assert_eq!(desk.case.deadline, Some(the_day("2026-09-18")), "ten working days after a Friday");
    desk.does("丁", "2026-09-10T10:00:00", Act::Appeal.because("其中两天病人已转科"));
    assert_eq!(desk.case.status, Status::ReReview);
    let partly = Act::Partly { standing: yuan("700"), panel: nobody() };
    desk.does("乙", "2026-09-14T10:00:00", partly.because("转科当日两边各收一次").coded("transfer"));
    assert_eq!((desk.case.status, desk.case.outcome), (Status::SecondAppealOpen, Outcome::Partly));
    desk.does("丁", "2026-09-16T10:00:00", Act::Appeal.because("其余也不同意"));
    let upheld = Act::Uphold { panel: panel(&["丙", "戊", "己"]) };
    desk.does("丙", "2026-09-21T10:00:00", upheld.because("三人一致"));
    assert_eq!(
        (desk.case.status, desk.case.outcome),
        (Status::Established, Outcome::Partly),
        "what is partly stays so"
    );
    desk.does("丙", "2026-09-22T10:00:00", Act::Investigate.because("到院核对护理记录"));
    let confirmed = Act::Uphold { panel: nobody() };
    desk.does("庚", "2026-09-24T10:00:00", confirmed.because("护理记录没有这几天"));
    assert_eq!(desk.case.status, Status::Established);
    let decision =
        Act::Decide { measures: vec![Measure::Agreement, Measure::Recover], fund: None, damages: yuan("140") };
    desk.does("辛", "2026-09-28T10:00:00", decision.because("服务协议第四十一条"));
    assert_eq!((desk.case.decided, desk.case.damages), (yuan("700"), yuan("140")), "all that stands, and damages");
    desk.does("壬", "2026-10-09T10:00:00", Act::Recover { fund: yuan("500"), damages: yuan("140") });
    assert_eq!(desk.case.status, Status::Decided, "200.00 are outstanding");
    desk.does("壬", "2026-10-10T10:00:00", Act::Recover { fund: yuan("200"), damages: yuan("0") });
    assert_eq!(desk.case.status, Status::Recovered);
    desk.does("壬", "2026-10-12T10:00:00", Act::Close);
    let case = &desk.case;
    assert_eq!((case.status, case.outcome, case.deadline), (Status::Closed, Outcome::Partly, None));
    assert_eq!(case.found, yuan("1000"));
    assert_eq!((case.standing, case.withdrawn()), (yuan("700"), yuan("300")));
    assert_eq!((case.recovered, case.damages_recovered), (yuan("700"), yuan("140")));
    assert_eq!(case.judges, ["甲", "乙", "丙", "戊", "己", "庚", "辛"]);
    assert_eq!(case.version, 13);
    let seqs: Vec<i64> = desk.steps.iter().map(|step| step.seq).collect();
    assert_eq!(seqs, (1..=13).collect::<Vec<_>>());
    let upheld = &desk.steps[5];
    assert_eq!((upheld.actor.as_str(), upheld.reason.as_str()), ("bureau:丙", "合议：丙、戊、己。三人一致"));
    let partly = &desk.steps[3];
    assert_eq!((partly.before, partly.after), (yuan("1000"), yuan("700")));
    assert_eq!(partly.reason_code.as_deref(), Some("transfer"));
    let paid = &desk.steps[11];
    assert_eq!((paid.before, paid.after, paid.damages), (yuan("500"), yuan("700"), yuan("0")));
}

#[test]
fn an_appeal_is_in_time_until_the_last_second_of_the_deadline() {
    let mut desk = Desk::suspicion();
    // Ten working days after Wednesday 2026-09-23: the Mid-Autumn and National holidays are not counted, Saturday 10-10 is.
    desk.does("甲", "2026-09-22T09:00:00", Act::Assign { to: "甲".to_owned() }).does(
        "甲",
        "2026-09-23T23:59:59",
        Act::Notify { standing: None },
    );
    assert_eq!(desk.case.deadline, Some(the_day("2026-10-14")));
    assert_eq!(desk.steps[1].deadline, desk.case.deadline, "what the facility was told");
    let appeal = Act::Appeal.because("理由");
    let in_time = desk.ask(&Actor::facility("H37032300004"), "2026-10-14T23:59:59", &appeal).unwrap();
    assert_eq!(in_time.0.status, Status::ReReview);
    let late = desk.ask(&Actor::facility("H37032300004"), "2026-10-15T00:00:00", &appeal).unwrap_err().to_string();
    assert!(late.contains("2026-10-14") && late.contains("逾期视为认可"), "{late}");
    let too_soon = desk.ask(&Actor::machine(), "2026-10-14T23:59:59", &Act::Expire.plain()).unwrap_err().to_string();
    assert!(too_soon.contains("may still appeal, until 2026-10-14"), "{too_soon}");
    let (case, step) = desk.ask(&Actor::machine(), "2026-10-15T00:00:00", &Act::Expire.plain()).unwrap();
    assert_eq!((case.status, case.outcome), (Status::Established, Outcome::AcceptedByTimeout));
    assert_eq!(step.actor, "machine");
    let later = desk.ask(&Actor::facility("H37032300004"), "2026-10-20T00:00:00", &Act::Accept.plain()).unwrap();
    assert_eq!(later.0.outcome, Outcome::Accepted, "who accepts late still accepts");
}

#[test]
fn silence_after_the_second_review_leaves_its_result() {
    for (act, outcome) in [
        (Act::Uphold { panel: nobody() }.because("维持"), Outcome::Upheld),
        (Act::Partly { standing: yuan("999.99"), panel: nobody() }.because("少一分").coded("other"), Outcome::Partly),
    ] {
        let mut desk = Desk::appealed();
        desk.does("乙", "2026-10-16T09:00:00", act);
        assert_eq!(desk.case.outcome, outcome);
        let (expired, _) = desk.ask(&Actor::machine(), "2026-11-01T00:00:00", &Act::Expire.plain()).unwrap();
        assert_eq!((expired.status, expired.outcome), (Status::Established, outcome));
        let (accepted, _) = desk.ask(&Actor::bureau("丁"), "2026-10-20T09:00:00", &Act::Accept.plain()).unwrap();
        assert_eq!((accepted.status, accepted.outcome), (Status::Established, outcome));
    }
}

#[test]
fn time_limits_are_those_of_the_region() {
    let told = |region: Option<&str>| {
        let mut desk = Desk::violation();
        desk.case.region = region.map(str::to_owned);
        desk.does("甲", "2026-09-23T09:00:00", Act::Notify { standing: None });
        desk.case.deadline.map(day::text).unwrap()
    };
    assert_eq!(told(None), "2026-10-14");
    assert_eq!(told(Some("370323")), "2026-10-14");
    assert_eq!(told(Some("630102")), "2026-10-08", "Qinghai gives five working days");
}

#[test]
fn a_year_whose_holidays_are_not_known_stops_the_step_and_says_what_to_do() {
    let desk = Desk::violation();
    // Ten working days after Thursday 2026-12-17 end on Thursday 2026-12-31; a day later they reach into 2027.
    let last = desk.ask(&Actor::bureau("甲"), "2026-12-17T09:00:00", &Act::Notify { standing: None }.plain()).unwrap();
    assert_eq!(last.0.deadline, Some(the_day("2026-12-31")));
    let refused = desk.refuses("甲", "2026-12-18T09:00:00", Act::Notify { standing: None });
    assert!(refused.contains("`calendar/2027.csv`") && refused.contains("--rules"), "{refused}");
    let mut files = Files::built_in();
    files
        .texts
        .insert("calendar/2027.csv".to_owned(), "day,kind,name,source\n2027-01-01,off,元旦,虚构的通知\n".to_owned());
    let known = Desk { procedure: Procedure::read(&files).unwrap(), ..Desk::violation() };
    let told = known.ask(&Actor::bureau("甲"), "2026-12-18T09:00:00", &Act::Notify { standing: None }.plain()).unwrap();
    assert_eq!(told.0.deadline, Some(the_day("2027-01-04")), "Friday 2027-01-01 is a holiday");
}

#[test]
fn working_days_are_those_that_the_state_council_set() {
    let calendar = procedure().calendar;
    assert_eq!(calendar.years().collect::<Vec<_>>(), [2021, 2022, 2023, 2024, 2025, 2026]);
    let working = |year: i32| {
        let (first, last) = (day::from_ymd(year, 1, 1).unwrap(), day::from_ymd(year, 12, 31).unwrap());
        (first..=last).filter(|on| calendar.is_working(*on).unwrap()).count()
    };
    assert_eq!([2021, 2022, 2023, 2024, 2025, 2026].map(working), [250, 249, 249, 251, 248, 248]);
    let works = |text: &str| calendar.is_working(the_day(text)).unwrap();
    for (text, expected) in [
        ("2026-02-13", true),
        ("2026-02-14", true),
        ("2026-02-15", false),
        ("2026-02-23", false),
        ("2026-02-24", true),
        ("2026-02-28", true),
        ("2026-03-01", false),
        ("2024-02-09", true),
        ("2022-12-31", false),
        ("2023-01-03", true),
    ] {
        assert_eq!(works(text), expected, "{text}");
    }
    assert_eq!(calendar.special(the_day("2026-10-10")).unwrap().name, "国庆节");
    assert_eq!(calendar.after(the_day("2026-10-01"), 0), Ok(the_day("2026-10-01")));
    assert!(calendar.is_working(the_day("2027-01-04")).is_err(), "nothing is guessed");
    assert!(calendar.is_working(the_day("2020-12-31")).is_err());
}

#[test]
fn only_a_certain_violation_is_told_without_a_first_review() {
    let refused = Desk::suspicion().refuses("甲", "2026-09-23T09:00:00", Act::Notify { standing: None });
    assert!(refused.contains("可疑") && refused.contains("初审"), "{refused}");
    let mut desk = Desk::violation();
    desk.does("甲", "2026-09-23T09:00:00", Act::Notify { standing: None });
    assert_eq!((desk.case.status, desk.case.judges.as_slice()), (Status::AppealOpen, &["甲".to_owned()][..]));
}

#[test]
fn nobody_judges_twice() {
    let upheld = || Act::Uphold { panel: nobody() }.because("维持");
    let desk = Desk::appealed();
    for same in ["甲", " 甲 ", "甲\u{3000}"] {
        assert!(desk.refuses(same, "2026-10-16T09:00:00", upheld()).contains("nobody judges a case twice"), "{same}");
    }
    let given = desk.refuses("丁", "2026-10-16T09:00:00", Act::Assign { to: "甲".to_owned() });
    assert!(given.contains("`甲` has judged this case"), "nor is it given to him: {given}");
    let mut desk = desk;
    desk.does("Wang Li", "2026-10-16T09:00:00", upheld()).does(
        "丁",
        "2026-10-19T09:00:00",
        Act::Appeal.because("再申诉"),
    );
    let with = |names: &[&str]| Act::Uphold { panel: panel(names) }.because("合议维持");
    for (names, why) in [
        (&["丙", "戊", "甲"][..], "has judged this case"),
        (&["丙", "戊", "wangli"], "has judged this case"),
        (&["丙", "戊"], "wanted 3 or more"),
        (&["丙", "戊", "戊 "], "twice"),
        (&["戊", "己", "庚"], "does not sit in the panel"),
        (&[], "wanted 3 or more"),
    ] {
        let refused = desk.refuses("丙", "2026-10-20T09:00:00", with(names));
        assert!(refused.contains(why), "{names:?}: {refused}");
    }
    desk.does("丙", "2026-10-20T09:00:00", with(&["丙", "戊", "己"]));
    let decision = || Act::Decide { measures: vec![Measure::Refuse], fund: None, damages: yuan("0") }.because("协议");
    for judged in ["甲", "wang li", "戊"] {
        assert!(desk.refuses(judged, "2026-10-21T09:00:00", decision()).contains("nobody judges"), "{judged}");
    }
    desk.does("丁", "2026-10-21T09:00:00", decision());
    assert_eq!(desk.case.judges, ["甲", "Wang Li", "丙", "戊", "己", "丁"]);
}

#[test]
fn what_was_dismissed_is_opened_again_for_other_eyes() {
    let mut desk = Desk::suspicion();
    desk.does("甲", "2026-09-22T09:00:00", Act::Assign { to: "甲".to_owned() }).does(
        "甲",
        "2026-09-23T09:00:00",
        Act::Dismiss.because("外送检验").coded("outside_examination"),
    );
    let case = &desk.case;
    assert_eq!((case.status, case.outcome, case.standing), (Status::Closed, Outcome::Dismissed, yuan("0")));
    desk.does("科长", "2026-09-24T09:00:00", Act::Reopen.because("外送记录是后补的"));
    let case = &desk.case;
    assert_eq!((case.status, case.outcome, case.standing), (Status::InitialReview, Outcome::Open, yuan("1000")));
    assert!(desk.refuses("甲", "2026-09-25T09:00:00", Act::Notify { standing: None }).contains("nobody judges"));
    desk.does("乙", "2026-09-25T09:00:00", Act::Notify { standing: None });
    let mut paid = Desk::decided("1000", "0");
    paid.does("壬", "2026-10-09T09:00:00", Act::Recover { fund: yuan("1000"), damages: yuan("0") }).does(
        "壬",
        "2026-10-09T09:01:00",
        Act::Close,
    );
    let refused = paid.refuses("科长", "2026-10-10T09:00:00", Act::Reopen.because("再看看"));
    assert!(refused.contains("only what was dismissed or revoked"), "{refused}");
}

#[test]
fn on_the_spot_before_the_facility_is_told_leads_to_its_appeal() {
    let mut desk = Desk::suspicion();
    desk.does("甲", "2026-09-22T09:00:00", Act::Assign { to: "甲".to_owned() }).does(
        "甲",
        "2026-09-23T09:00:00",
        Act::Investigate.because("先去看床位"),
    );
    let (told, _) = desk
        .ask(&Actor::bureau("乙"), "2026-09-24T09:00:00", &Act::Uphold { panel: nobody() }.because("空床"))
        .unwrap();
    assert_eq!((told.status, told.outcome), (Status::AppealOpen, Outcome::Asserted));
    assert!(told.deadline.is_some());
    let less = Act::Partly { standing: yuan("400"), panel: nobody() }.because("只有两天").coded("other_data");
    let (told, _) = desk.ask(&Actor::bureau("乙"), "2026-09-24T09:00:00", &less).unwrap();
    assert_eq!((told.status, told.outcome, told.standing), (Status::AppealOpen, Outcome::Asserted, yuan("400")));
    let revoked = Act::Revoke { panel: nobody() }.because("人在床上").coded("other_data");
    let (closed, _) = desk.ask(&Actor::bureau("乙"), "2026-09-24T09:00:00", &revoked).unwrap();
    assert_eq!((closed.status, closed.outcome), (Status::Closed, Outcome::Revoked));
}

#[test]
fn withdrawing_money_takes_a_coded_reason_and_words() {
    let mut desk = Desk::suspicion();
    desk.does("甲", "2026-09-22T09:00:00", Act::Assign { to: "甲".to_owned() });
    let ask = |command: Command| desk.refuses("甲", "2026-09-23T09:00:00", command);
    let known = ask(Act::Dismiss.because("没有问题"));
    assert!(known.contains("coded reason") && known.contains("chemotherapy_cycle"), "{known}");
    assert!(ask(Act::Dismiss.plain().coded("transfer")).contains("needs a reason in words"));
    assert!(ask(Act::Dismiss.because("x").coded("tranfser")).contains("did you mean `transfer`?"));
    assert!(ask(Act::Dismiss.because("x").coded("zzzzzzzzzzz")).contains("wanted one of sex_record"));
    assert!(ask(Act::Notify { standing: Some(yuan("10")) }.because("x")).contains("coded reason"), "less is told");
    assert!(ask(Act::Notify { standing: None }.because("x").coded("transfer")).contains("withdraws nothing"));
    assert!(ask(Act::Dismiss.because("\u{7}").coded("other")).contains("control characters"));
    assert!(ask(Act::Dismiss.because(&"长".repeat(2_001)).coded("other")).contains("2001 characters"));
    let mut attached = Act::Dismiss.because("见附件").coded("other");
    attached.attachments.push(Attachment { name: "病历.pdf".to_owned(), sha256: "ABC".to_owned(), bytes: 3 });
    assert!(ask(attached.clone()).contains("SHA-256"));
    attached.attachments[0].sha256 = "0a".repeat(32);
    desk.does("甲", "2026-09-23T09:00:00", attached.clone());
    assert_eq!(desk.steps[1].attachments, attached.attachments);
}

#[test]
fn what_still_stands_is_more_than_nothing_and_less_than_before() {
    let desk = Desk::appealed();
    let ask = |standing: &str| {
        let act = Act::Partly { standing: yuan(standing), panel: nobody() }.because("x").coded("other");
        desk.ask(&Actor::bureau("乙"), "2026-10-16T09:00:00", &act).map(|(case, _)| case.standing)
    };
    assert_eq!(ask("0.01"), Ok(yuan("0.01")));
    assert_eq!(ask("999.99"), Ok(yuan("999.99")));
    for wrong in ["0", "-1", "1000", "1000.01", "10.001"] {
        assert!(matches!(ask(wrong), Err(Refusal::Money(_))), "{wrong}");
    }
}

#[test]
fn a_decision_takes_no_more_than_stands_and_says_how() {
    let desk = Desk::established();
    let ask = |measures: &[Measure], fund: Option<&str>, damages: &str| {
        let act = Act::Decide { measures: measures.to_vec(), fund: fund.map(yuan), damages: yuan(damages) };
        desk.ask(&Actor::bureau("乙"), "2026-09-28T09:00:00", &act.because("协议"))
            .map(|(case, _)| (case.decided, Measure::names(&case.measures)))
            .map_err(|no| no.to_string())
    };
    assert_eq!(ask(&[Measure::Recover], None, "0"), Ok((yuan("1000"), "recover".to_owned())));
    assert_eq!(
        ask(&[Measure::Police, Measure::Refuse, Measure::Refuse], Some("0.01"), "0"),
        Ok((yuan("0.01"), "refuse,police".to_owned()))
    );
    assert_eq!(ask(&[Measure::Agreement], None, "200"), Ok((yuan("0"), "agreement".to_owned())), "damages alone");
    assert!(ask(&[], None, "0").unwrap_err().contains("without a measure"));
    assert!(ask(&[Measure::Refuse, Measure::Recover], None, "0").unwrap_err().contains("name one"));
    assert!(ask(&[Measure::Recover], Some("1000.01"), "0").unwrap_err().contains("wanted 0 to 1000.00"));
    assert!(ask(&[Measure::Recover], Some("0"), "0").unwrap_err().contains("no money to take back"));
    assert!(ask(&[Measure::Police], Some("10"), "0").unwrap_err().contains("needs `refuse` or `recover`"));
    assert!(ask(&[Measure::Recover], None, "-1").unwrap_err().contains("damages"));
    assert!(ask(&[Measure::Recover], None, "0.001").unwrap_err().contains("damages"));
}

#[test]
fn money_comes_in_up_to_what_was_decided_and_the_rest_is_written_off_by_another() {
    let mut desk = Desk::decided("1000", "200");
    let came = |fund: &str, damages: &str| Act::Recover { fund: yuan(fund), damages: yuan(damages) };
    let refused = |act: Act| desk.refuses("壬", "2026-10-09T09:00:00", act);
    assert!(refused(came("1000.01", "0")).contains("wanted 0 to 1000.00"));
    assert!(refused(came("0", "200.01")).contains("wanted 0 to 200.00"));
    assert!(refused(came("-1", "0")).contains("wanted 0 to"));
    assert!(refused(came("0", "0")).contains("nothing came in"));
    desk.does("壬", "2026-10-09T09:00:00", came("1000", "0"));
    assert_eq!(desk.case.status, Status::Decided, "damages are outstanding");
    assert!(desk.refuses("癸", "2026-10-10T09:00:00", Act::Close).contains("needs a reason"));
    let off = || Act::Close.because("机构已注销，违约金无法追回");
    assert!(desk.refuses("乙", "2026-10-10T09:00:00", off()).contains("nobody judges"), "not by who decided");
    desk.does("癸", "2026-10-10T09:00:00", off());
    assert_eq!((desk.case.status, desk.case.recovered), (Status::Closed, yuan("1000")));
    assert_eq!(
        (desk.case.damages, desk.case.damages_recovered),
        (yuan("200"), yuan("0")),
        "what is lost stays visible"
    );
}

#[test]
fn a_decision_without_money_is_closed_by_anybody() {
    let mut desk = Desk::established();
    let act = Act::Decide { measures: vec![Measure::Administrative], fund: None, damages: yuan("0") };
    desk.does("乙", "2026-09-28T09:00:00", act.because("涉嫌欺诈，移交")).does("乙", "2026-09-29T09:00:00", Act::Close);
    assert_eq!(desk.case.status, Status::Closed);
}

#[test]
fn a_facility_speaks_for_itself_and_judges_nothing() {
    let mut desk = Desk::violation();
    desk.does("甲", "2026-09-23T09:00:00", Act::Notify { standing: None });
    let ask = |who: &Actor, act: Act| {
        desk.ask(who, "2026-09-24T09:00:00", &act.because("说明")).map(drop).map_err(|no| no.to_string())
    };
    assert_eq!(ask(&Actor::facility("H37032300004"), Act::Appeal), Ok(()));
    assert!(ask(&Actor::facility("H37032300005"), Act::Appeal).unwrap_err().contains("not about the facility"));
    assert!(ask(&Actor::machine(), Act::Appeal).unwrap_err().contains("not for machine"));
    assert!(ask(&Actor::facility("H37032300004"), Act::Expire).unwrap_err().contains("not for facility"));
    assert!(ask(&Actor::bureau("  "), Act::Accept).unwrap_err().contains("say who it is"));
    let change = desk.ask(&Actor::bureau("甲"), "2026-09-24T09:00:00", &Act::Change { found: yuan("1") }.plain());
    assert!(matches!(change, Err(Refusal::Role { role: Role::Bureau, .. })), "money is the machine's to find");
}

#[test]
fn time_is_a_time_and_does_not_go_back() {
    let desk = Desk::violation();
    let ask = |at: &str| desk.ask(&Actor::bureau("甲"), at, &Act::Notify { standing: None }.plain()).map(drop);
    assert_eq!(ask("2026-09-01T02:00:00"), Ok(()), "the same second is not earlier");
    assert!(matches!(ask("2026-09-01T01:59:59"), Err(Refusal::Earlier { .. })));
    for wrong in [
        "",
        "2026-09-23",
        "2026-09-23 09:00:00",
        "2026-09-23T24:00:00",
        "2026-09-31T09:00:00",
        "2026-09-23T09:00:60",
        "2026-09-23T09:00:00Z",
        "2026-09-23T+9:00:00",
        "２026-09-23T09:00:0",
    ] {
        assert!(matches!(ask(wrong), Err(Refusal::Time { .. })), "{wrong}");
    }
}

#[test]
fn a_case_follows_the_machine_until_the_facility_is_told() {
    let there = |before: &str, now: &str| Seen::There { before: yuan(before), now: yuan(now) };
    let desk = Desk::suspicion();
    let at = "2026-09-02T02:00:00";
    assert_eq!(scanned(&desk.case, there("1000", "1000"), at), [], "nothing to say about what came out the same");
    let changed = scanned(&desk.case, there("1000", "800"), at);
    let [(case, step)] = changed.as_slice() else { panic!("{changed:?}") };
    assert_eq!((case.found, case.standing, case.version), (yuan("800"), yuan("800"), 1));
    assert_eq!((step.action, step.before, step.after), (Action::Change, yuan("1000"), yuan("800")));
    let told = Desk::appealed();
    let changed = scanned(&told.case, there("1000", "800"), "2026-10-15T02:00:00");
    let [(case, step)] = changed.as_slice() else { panic!("{changed:?}") };
    assert_eq!((case.found, case.standing), (yuan("1000"), yuan("1000")), "what the facility was told stands");
    assert_eq!((step.before, step.after), (yuan("1000"), yuan("800")), "and what the machine says is written down");
    assert_eq!(scanned(case, there("800", "800"), "2026-10-16T02:00:00"), [], "once");
}

#[test]
fn what_comes_back_is_marked_once_beside_the_old_decision() {
    let there = Seen::There { before: yuan("1000"), now: yuan("1000") };
    let mut desk = Desk::suspicion();
    desk.does("甲", "2026-09-22T09:00:00", Act::Assign { to: "甲".to_owned() }).does(
        "甲",
        "2026-09-23T09:00:00",
        Act::Dismiss.because("转科").coded("transfer"),
    );
    let again = scanned(&desk.case, there, "2026-09-24T02:00:00");
    let [(case, step)] = again.as_slice() else { panic!("{again:?}") };
    assert_eq!((case.status, case.outcome, case.seen_again), (Status::Closed, Outcome::Dismissed, true));
    assert_eq!((step.from, step.to, step.actor.as_str()), (Status::Closed, Status::Closed, "machine"));
    assert_eq!(scanned(case, there, "2026-09-25T02:00:00"), [], "not every night");
    let gone = scanned(case, Seen::Gone, "2026-09-26T02:00:00");
    let [(case, step)] = gone.as_slice() else { panic!("{gone:?}") };
    assert_eq!((case.present, step.action), (false, Action::Gone));
    assert_eq!(scanned(case, Seen::Gone, "2026-09-27T02:00:00"), []);
    let back = scanned(case, there, "2026-09-28T02:00:00");
    assert_eq!(back.len(), 1, "it was gone and is there again");
    assert!(back[0].0.present);
    let reopened =
        apply(case, &Act::Reopen.because("再看"), &desk.procedure, &Actor::bureau("科长"), "2026-09-29T09:00:00");
    assert!(!reopened.unwrap().0.seen_again, "somebody looks again");
    let late = scanned(&desk.case, there, "2026-09-01T00:00:00");
    assert_eq!(late[0].1.at, "2026-09-23T09:00:00", "a scan that began earlier does not turn time back");
    let mut paid = Desk::decided("1000", "0");
    paid.does("壬", "2026-10-09T09:00:00", Act::Recover { fund: yuan("1000"), damages: yuan("0") }).does(
        "壬",
        "2026-10-09T09:01:00",
        Act::Close,
    );
    assert_eq!(scanned(&paid.case, there, "2026-10-10T02:00:00"), [], "claims that were paid back stay in the data");
}

#[test]
fn words_are_kept_and_found_again() {
    fn all<T: Copy + PartialEq + std::fmt::Debug>(
        words: &[T],
        name: fn(T) -> &'static str,
        from: fn(&str) -> Option<T>,
    ) {
        let names: BTreeSet<&str> = words.iter().map(|word| name(*word)).collect();
        assert_eq!(names.len(), words.len(), "{names:?}");
        for word in words {
            assert_eq!(from(name(*word)), Some(*word));
            assert!(name(*word).bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{word:?}");
        }
        assert_eq!(from("no such word"), None);
    }
    all(&Status::ALL, Status::name, Status::from_name);
    all(&Outcome::ALL, Outcome::name, Outcome::from_name);
    all(&Action::ALL, Action::name, Action::from_name);
    all(&Measure::ALL, Measure::name, Measure::from_name);
    all(&Role::ALL, Role::name, Role::from_name);
    for actor in [Actor::machine(), Actor::bureau(" 王某 "), Actor::facility("H1")] {
        assert_eq!(Actor::from_name(&actor.name()), Some(actor));
    }
    assert_eq!(Actor::from_name("bureau:a:b").map(|actor| actor.who), Some("a:b".to_owned()));
    for wrong in ["", "bureau", "bureau:", "machine:x", "王某"] {
        assert_eq!(Actor::from_name(wrong), None, "{wrong}");
    }
    assert_eq!(Measure::from_names("recover, agreement,recover"), Ok(vec![Measure::Recover, Measure::Agreement]));
    assert_eq!(Measure::from_names(""), Ok(Vec::new()));
    assert_eq!(Measure::from_names("recover,fine"), Err("fine".to_owned()));
}

#[test]
fn a_scorecard_speaks_from_enough_cases_and_its_edges_are_mild() {
    let procedure = procedure();
    let today = the_day("2026-11-22");
    let judged = |reviewed: u64, wrong: u64| {
        let reasons = BTreeMap::from([("other_data".to_owned(), wrong)]);
        let counts = Counts { reviewed, dismissed: wrong, reasons, hits: 1_000, ..Counts::default() };
        card(&counts, &procedure, today).verdict
    };
    assert_eq!(judged(0, 0), Verdict::TooFew);
    assert_eq!(judged(29, 29), Verdict::TooFew);
    assert_eq!(judged(30, 3), Verdict::Keep, "10 % is not more than 10 %");
    assert_eq!(judged(30, 4), Verdict::Tune);
    assert_eq!(judged(30, 15), Verdict::Tune, "50 % is not more than 50 %");
    assert_eq!(judged(30, 16), Verdict::Retire);
    let counts = Counts {
        hits: 50,
        reviewed: 40,
        dismissed: 6,
        appealed: 8,
        overturned: 3,
        reasons: BTreeMap::from([("corrected".to_owned(), 4), ("transfer".to_owned(), 3), ("threshold".to_owned(), 2)]),
        recovered: yuan("1000"),
        steps: 300,
        ..Counts::default()
    };
    let of_all = card(&counts, &procedure, today);
    assert_eq!((of_all.confirmed, of_all.wrong), (31, 5), "four were right when they were made");
    assert_eq!(of_all.wrong_share, Some(yuan("0.125")));
    assert_eq!(of_all.verdict, Verdict::Tune);
    assert_eq!(of_all.look_at, [("transfer".to_owned(), 3)], "thrice for the same fault of the rule");
    assert_eq!(of_all.recovered_a_step, Some(yuan("3.33")));
}

#[test]
fn mistakes_in_the_procedure_are_named_all_at_once() {
    let mut files = Files::built_in();
    let put = |files: &mut Files, path: &str, text: &str| files.texts.insert(path.to_owned(), text.to_owned());
    put(
        &mut files,
        "calendar/2027.csv",
        "day,kind,name,source\n2026-01-01,off,元旦,通知\n2027-01-04,work,元旦,通知\n2027-01-02,rest,元旦,通知\n",
    );
    put(&mut files, "calendar/next.csv", "day,kind,name,source\n");
    put(&mut files, "procedure/apeal_days.toml", "name = \"apeal_days\"\n");
    put(
        &mut files,
        "procedure/reasons.csv",
        "code,title,fault,explain,source\nOne,一,rule,,经办默认\ntwo,二,nobody,,经办默认\n",
    );
    let appeal = files.texts["procedure/appeal_days.toml"].replacen("value       = 10", "value       = 0", 1);
    put(&mut files, "procedure/appeal_days.toml", &appeal);
    files.texts.remove("procedure/panel_days.toml");
    let mistakes: String = Procedure::read(&files).unwrap_err().iter().map(|m| format!("{m}\n")).collect();
    for wanted in [
        "2026-01-01 is not in 2027",
        "2027-01-04 is a weekday and works anyway",
        "`kind` is `rest`",
        "wanted `calendar/<year>.csv`",
        "did you mean `appeal_days`?",
        "the value 0 is not a whole number from 1 to 366",
        "panel_days.toml",
        "`code` is `One`",
        "`fault` is `nobody`",
    ] {
        assert!(mistakes.contains(wanted), "{wanted} is not in\n{mistakes}");
    }
}

#[test]
fn the_procedure_is_no_part_of_the_rule_set() {
    let files = Files::built_in();
    let mut other = files.clone();
    for path in ["procedure/appeal_days.toml", "procedure/reasons.csv", "calendar/2026.csv"] {
        other.texts.get_mut(path).unwrap().push_str("\n\n");
    }
    assert_eq!(
        load(&files).unwrap().hash,
        load(&other).unwrap().hash,
        "findings do not depend on what is done about them"
    );
    let mut without = files.clone();
    without.texts.retain(|path, _| !path.starts_with("procedure/") && !path.starts_with("calendar/"));
    let procedure = Procedure::read(&without).unwrap();
    assert_eq!(procedure.calendar.years().last(), Some(2026), "a library of rules alone has the built-in procedure");
}

#[test]
fn every_number_and_reason_of_the_procedure_has_a_source() {
    let procedure = procedure();
    for (name, parameter) in &procedure.numbers {
        for value in &parameter.values {
            let sourced = value.document.is_some() && value.article.is_some() && value.verified_on.is_some();
            assert!(value.default || sourced, "{name}: a value without `document`, `article` and `verified_on`");
        }
    }
    assert!(procedure.reasons.iter().all(|reason| !reason.source.is_empty()));
    assert!(procedure.reasons.len() >= 10);
}

#[test]
fn the_document_shows_the_table_that_holds() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/audit_rules/procedure/README.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (begin, end) = ("<!-- case rules: `fundaudit case rules --as markdown` -->\n", "<!-- end of case rules -->");
    let shown = text.split_once(begin).and_then(|(_, rest)| rest.split_once(end)).unwrap().0.trim();
    let wanted = document::markdown(&procedure());
    if std::env::var_os("FUNDAUDIT_WRITE_FIXTURES").is_some() && shown != wanted.trim() {
        std::fs::write(path, text.replace(shown, wanted.trim())).unwrap();
        return;
    }
    assert_eq!(shown, wanted.trim(), "print it anew with `fundaudit case rules --as markdown`");
}

#[test]
fn every_status_is_reached_and_left() {
    let mut reached = BTreeSet::from([Status::New]);
    while let Some(row) = TABLE.iter().find(|row| reached.contains(&row.from) && !reached.contains(&row.to)) {
        reached.insert(row.to);
    }
    assert_eq!(reached.len(), Status::ALL.len());
    for status in Status::ALL {
        assert!(TABLE.iter().any(|row| row.from == status && row.to != status), "{status:?} is a dead end");
        assert!(!possible(status).is_empty());
    }
    for (at, row) in TABLE.iter().enumerate() {
        let twin = TABLE[..at]
            .iter()
            .find(|other| (other.from, other.action) == (row.from, row.action) && other.when == row.when);
        assert_eq!(twin, None, "two rows under one condition");
    }
}

/// Chance that is the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % sides
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.roll(of.len())].clone()
    }

    fn money(&mut self, case: &Case) -> Decimal {
        let part = Decimal::from(self.roll(120)) / Decimal::from(100);
        match self.roll(8) {
            0 => yuan("-0.01"),
            1 => case.standing + yuan("0.01"),
            2 => yuan("0.005"),
            3 => yuan("0"),
            4 => case.decided - case.recovered,
            5 => case.standing,
            _ => (case.standing * part).round_dp(2),
        }
    }
}

/// A command, more often than not one that the table knows.
fn chance(dice: &mut Dice, case: &Case, staff: &[String]) -> Command {
    let action = if dice.roll(10) < 8 { dice.pick(&possible(case.status)) } else { dice.pick(&Action::ALL) };
    let name = dice.pick(staff);
    let panel = match (case.status == Status::Panel, dice.roll(10)) {
        (true, 0..8) | (false, 0) => vec![name.clone(), dice.pick(staff), dice.pick(staff)],
        _ => Vec::new(),
    };
    let money = dice.money(case);
    let damages = dice.pick(&[yuan("0"), yuan("12.50"), yuan("-1"), case.damages - case.damages_recovered]);
    let act = match action {
        Action::Assign => Act::Assign { to: name },
        Action::Notify => Act::Notify { standing: (dice.roll(3) == 0).then_some(money) },
        Action::Dismiss => Act::Dismiss,
        Action::Investigate => Act::Investigate,
        Action::Accept => Act::Accept,
        Action::Appeal => Act::Appeal,
        Action::Expire => Act::Expire,
        Action::Uphold => Act::Uphold { panel },
        Action::Partly => Act::Partly { standing: money, panel },
        Action::Revoke => Act::Revoke { panel },
        Action::Decide => {
            let measures = (0..dice.roll(3)).map(|_| dice.pick(&Measure::ALL)).collect();
            Act::Decide { measures, fund: (dice.roll(2) == 0).then_some(money), damages }
        }
        Action::Recover => Act::Recover { fund: money, damages },
        Action::Close => Act::Close,
        Action::Reopen => Act::Reopen,
        Action::Change => Act::Change { found: money.abs().round_dp(2) },
        Action::SeenAgain => Act::SeenAgain,
        Action::Gone => Act::Gone,
    };
    let withdraws = matches!(action, Action::Dismiss | Action::Partly | Action::Revoke)
        || matches!(&act, Act::Notify { standing: Some(standing) } if *standing < case.standing);
    Command {
        act,
        reason_code: (withdraws == (dice.roll(20) > 0)).then(|| "transfer".to_owned()),
        reason: if dice.roll(20) == 0 { String::new() } else { "理由".to_owned() },
        attachments: Vec::new(),
    }
}

/// What the steps alone say about a case: an account that is kept beside it.
#[derive(Default)]
struct Account {
    found: Decimal,
    standing: Decimal,
    withdrawn: Decimal,
    decided: Decimal,
    recovered: Decimal,
    damages: Decimal,
    damages_recovered: Decimal,
}

impl Account {
    fn book(&mut self, step: &Step, told: bool) {
        match step.action.money() {
            "standing" => {
                assert_eq!(step.before, self.standing, "{step:?}");
                self.withdrawn += step.before - step.after;
                self.standing = step.after;
            }
            "found" if !told => {
                assert_eq!(step.before, self.found, "{step:?}");
                (self.found, self.standing) = (step.after, step.after);
            }
            "decided" => (self.decided, self.damages) = (step.after, step.damages),
            "recovered" => {
                assert_eq!(step.before, self.recovered, "{step:?}");
                self.recovered = step.after;
                self.damages_recovered += step.damages;
            }
            _ => {}
        }
    }

    fn agrees(&self, case: &Case) {
        let of_steps = [self.found, self.standing, self.decided, self.recovered, self.damages, self.damages_recovered];
        let of_case = [case.found, case.standing, case.decided, case.recovered, case.damages, case.damages_recovered];
        assert_eq!(of_steps, of_case, "the steps say all about {case:?}");
        assert_eq!(case.found, case.standing + self.withdrawn, "no money comes or goes: {case:?}");
        for (smaller, larger) in [
            (yuan("0"), case.recovered),
            (case.recovered, case.decided),
            (case.decided, case.standing),
            (case.standing, case.found),
            (yuan("0"), case.damages_recovered),
            (case.damages_recovered, case.damages),
        ] {
            assert!(smaller <= larger, "{case:?}");
        }
    }
}

/// Gives commands by chance; what is done is checked, and counted by row of the table. Returns how often each row was taken.
fn walk(seed: u64, commands: usize, procedure: &Procedure) -> BTreeMap<usize, usize> {
    let mut dice = Dice(seed | 1);
    let mut taken = BTreeMap::new();
    let mut serial = 0;
    let mut case = Case::open("f0", true, yuan("1000"), "2021-01-04T00:00:00");
    let mut account = Account { found: case.found, standing: case.standing, ..Account::default() };
    let mut judged: BTreeSet<String> = BTreeSet::new();
    let mut minute = 0_u64;
    // Few enough that the same person comes up again, many enough that a case can be brought to its end.
    let staff: Vec<String> = (0..14).map(|n| format!("经办{n}")).collect();
    for _ in 0..commands {
        let over = case.status == Status::Closed && dice.roll(6) == 0;
        if over || judged.len() > 10 || minute > 5 * 365 * 1_440 {
            serial += 1;
            let found = Decimal::new(dice.roll(200_000) as i64, 2);
            case = Case::open(&format!("f{serial}"), dice.roll(2) == 0, found, "2021-01-04T00:00:00");
            account = Account { found: case.found, standing: case.standing, ..Account::default() };
            (judged, minute) = (BTreeSet::new(), 0);
        }
        let most = if dice.roll(8) == 0 { 40_000 } else { 3_000 };
        minute += dice.roll(most) as u64;
        let days = i32::try_from(minute / 1_440).unwrap();
        let at = format!("{}T{:02}:{:02}:00", day::text(the_day("2021-01-04") + days), minute / 60 % 24, minute % 60);
        let command = chance(&mut dice, &case, &staff);
        let by = match (&command.act, dice.roll(10)) {
            (Act::Uphold { panel } | Act::Partly { panel, .. } | Act::Revoke { panel }, 0..9) if !panel.is_empty() => {
                Actor::bureau(&panel[0])
            }
            (Act::Change { .. } | Act::SeenAgain | Act::Gone | Act::Expire, 0..9) => Actor::machine(),
            (Act::Appeal | Act::Accept, 0..5) => Actor::facility("H1"),
            (_, 9) => dice.pick(&[Actor::machine(), Actor::facility("H1"), Actor::bureau("")]),
            _ => Actor::bureau(&dice.pick(&staff)),
        };
        let Ok((after, step)) = apply(&case, &command, procedure, &by, &at) else { continue };
        let place = TABLE.iter().position(|row| {
            (row.from, row.action, row.to) == (step.from, step.action, step.to)
                && row.judges == (after.judges.len() > case.judges.len())
                && row.by.contains(&by.role)
        });
        match place {
            Some(place) => *taken.entry(place).or_default() += 1,
            None => assert!(
                BY_SCANS.contains(&step.action) && step.from == step.to && by.role == Role::Machine,
                "no row of the table: {step:?}"
            ),
        }
        assert_eq!((step.from, step.to), (case.status, after.status));
        assert_eq!((after.version, step.seq), (case.version + 1, case.version + 1));
        for judge in &after.judges[case.judges.len()..] {
            assert!(judged.insert(judge.clone()), "{judge} has judged twice: {after:?}");
        }
        assert_eq!(after.judges[..case.judges.len()], case.judges[..], "who has judged is not forgotten");
        assert!(step.from == step.to || after.deadline.is_some() == after.status.limit().is_some(), "{after:?}");
        account.book(&step, case.is_told());
        account.agrees(&after);
        case = after;
    }
    taken
}

#[test]
fn no_ten_thousand_commands_leave_the_table_or_let_one_person_judge_twice_or_change_the_money() {
    let procedure = procedure();
    let mut taken: BTreeMap<usize, usize> = BTreeMap::new();
    for seed in [20_261_122, 7, 370_323, 99] {
        for (place, times) in walk(seed, 10_000, &procedure) {
            *taken.entry(place).or_default() += times;
        }
    }
    let never: Vec<String> = (0..TABLE.len())
        .filter(|place| !taken.contains_key(place))
        .map(|place| format!("{:?}", TABLE[place]))
        .collect();
    assert!(never.is_empty(), "chance never took these rows, so nothing was shown about them:\n{}", never.join("\n"));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    #[test]
    fn whatever_the_seed_nothing_leaves_the_table(seed in proptest::prelude::any::<u64>()) {
        thread_local! {
            static PROCEDURE: Procedure = procedure();
        }
        PROCEDURE.with(|procedure| walk(seed, 200, procedure));
    }

    #[test]
    fn the_nth_working_day_counts_n_working_days(offset in 0_i32..1_800, days in 0_u32..40) {
        let calendar: Calendar = procedure().calendar;
        let from = the_day("2021-01-01") + offset;
        let on = calendar.after(from, days).unwrap();
        let counted = (from + 1..=on).filter(|day| calendar.is_working(*day).unwrap()).count();
        proptest::prop_assert_eq!(counted, days as usize);
        proptest::prop_assert!(days == 0 || calendar.is_working(on).unwrap());
    }
}
