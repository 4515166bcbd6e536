//! What befell one person: visits and stays, the lines they were charged, the settlements that closed them, the refunds
//! that took some of it back. And the verbs with which `ordinary` and `plant` write such a life: visit, stay, charge, settle,
//! refund.
//!
//! Goes in: a person's number, days, items. Comes out: a [`Life`] whose amounts are already sound: every line's amount is
//! price × quantity, and its parts add up. Not known here: rules, files, defects of exports. Money is whole cents, a
//! quantity whole ten-thousandths.
//!
//! To add a column: a field here, a cell in `rows`.

use super::calendar::{DAY, at};
use super::catalogue::{
    AMBROXOL, BED, BLOOD_COUNT, Disease, EMERGENCY_FEE, Facility, Item, NURSING_2, SALINE, STAY_FEE, VISIT_FEE,
};

/// One of a quantity.
pub const ONE: i64 = 10_000;

/// `a × b ÷ c`, rounded half up (half away from zero for what is taken back).
#[must_use]
pub fn share(a: i64, b: i64, c: i64) -> i64 {
    let (product, divisor) = (i128::from(a) * i128::from(b), i128::from(c));
    let sign = if (product < 0) == (divisor < 0) { 1 } else { -1 };
    let (product, divisor) = (product.abs(), divisor.abs());
    if divisor == 0 {
        return 0;
    }
    i64::try_from((product * 2 + divisor) / (divisor * 2)).unwrap_or(0) * sign
}

/// How the days of supply of a drug line are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Supply {
    /// In `prd_days`, ten-thousandths of a day.
    Days(i64),
    /// In `spec`, `sin_dos_dscr` and `used_frqu_dscr`, to be worked out.
    Texts,
    /// Nowhere: the texts do not parse.
    Unknown,
}

/// What a negative line says of the line it takes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakesBack {
    /// It is no negative line.
    Nothing,
    /// The line of this index, named in `init_feedetl_sn`.
    Named(usize),
    /// A line it does not name.
    Unnamed,
}

/// One charged line.
#[derive(Debug, Clone)]
pub struct Line {
    /// Seconds since 1970.
    pub time: i64,
    /// What was charged.
    pub item: &'static Item,
    /// Ten-thousandths.
    pub cnt: i64,
    /// Cents.
    pub pric: i64,
    /// Cents, and so the four parts.
    pub amount: i64,
    /// Paid by the person alone.
    pub own: i64,
    /// Above a price limit, paid by the person.
    pub over: i64,
    /// Paid first by the person.
    pub first: i64,
    /// `pric_uplmt_amt` in cents.
    pub limit: Option<i64>,
    /// Days of supply.
    pub supply: Supply,
    /// The doctor's number at the facility, if known.
    pub doctor: Option<u8>,
    /// Examined elsewhere for another facility.
    pub etip: bool,
    /// Index in the encounter's settlements; none while in hospital.
    pub settlement: Option<usize>,
    /// For a negative line.
    pub takes_back: TakesBack,
    /// The prescription it stands on.
    pub prescription: Prescription,
    /// The department that carried it out, `acord_dept_codg`.
    pub department: Option<&'static str>,
    /// Taken home at discharge.
    pub take_home: bool,
    /// Seconds from the charge to its upload.
    pub uploaded: i64,
    /// The trace code of the pack, where it is not the pack's own.
    pub trace: Option<String>,
}

/// How a line names its prescription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prescription {
    /// As the hospital numbers them: a few lines a prescription.
    Numbered,
    /// This number, in `rx_drord_no`.
    Number(u8),
    /// No number, but that of a batch, in `chrg_bchno`.
    Batch(u8),
    /// Neither.
    Nameless,
}

/// Seconds from a charge to its upload, as a rule.
pub const UPLOAD: i64 = 1800;

impl Line {
    /// What the fund may pay on.
    #[must_use]
    pub fn inscp(&self) -> i64 {
        self.amount - self.own - self.over - self.first
    }

    /// Works the amounts out anew from price, quantity, the item's grade and what is over the limit.
    pub fn reprice(&mut self) {
        self.amount = share(self.cnt, self.pric, ONE);
        self.own = if self.item.level == "03" { self.amount } else { 0 };
        self.first = if self.item.level == "02" { share(self.amount - self.over, 1, 10) } else { 0 };
    }
}

/// One settlement of an encounter; its amounts are the sums of its lines.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// Seconds since 1970.
    pub time: i64,
    /// The settlement of this index is taken back by this one.
    pub refunds: Option<usize>,
    /// Settled midway.
    pub midway: bool,
    /// Cents that no line shows; the person pays them.
    pub unlisted: i64,
    /// An amount written wrongly.
    pub slip: Option<Slip>,
}

/// Which sum of a settlement is written wrongly, by how many cents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slip {
    /// `inscp_amt`.
    Scope(i64),
    /// `fund_pay_sumamt`; the person's part follows it.
    Fund(i64),
    /// `cash_payamt`.
    Cash(i64),
}

/// One visit or stay.
#[derive(Debug, Clone)]
pub struct Encounter {
    /// Index of the facility.
    pub facility: usize,
    /// `med_type`.
    pub med_type: &'static str,
    /// Seconds since 1970.
    pub begin: i64,
    /// None while in hospital.
    pub end: Option<i64>,
    /// The main one first.
    pub diseases: Vec<&'static Disease>,
    /// `gend` as this encounter has it.
    pub gend: Option<u8>,
    /// Without it the facility's counts.
    pub has_grade: bool,
    /// `traf_dept_flag`.
    pub changed_department: bool,
    /// `dscg_way`.
    pub leaving: Option<&'static str>,
    /// `die_date`, a day.
    pub died: Option<i64>,
    /// `ars_year_ipt_flag`.
    pub across_years: bool,
    /// `matn_type`: what kind of maternity care it is.
    pub maternity: Option<&'static str>,
    /// `dise_no` of a chronic approval.
    pub dise_no: Option<&'static str>,
    /// Main operation: code, name.
    pub operation: Option<(&'static str, &'static str)>,
    /// Registered as a special case, with the reason.
    pub special_case: Option<&'static str>,
    /// Bed checks that found the person in bed, seconds since 1970.
    pub bed_checks: Vec<i64>,
    /// Bed checks that found the bed empty.
    pub absences: Vec<i64>,
    /// The department, where it is another than the usual.
    pub department: Option<&'static str>,
    /// What was charged.
    pub lines: Vec<Line>,
    /// What was settled.
    pub settlements: Vec<Settlement>,
}

/// One person and all that happened.
#[derive(Debug, Clone)]
pub struct Life {
    /// The person's number from 0.
    pub number: u64,
    /// 1, 2; 9 unknown.
    pub gend: u8,
    /// Birth day.
    pub born: i64,
    /// 310 or 390.
    pub insutype: &'static str,
    /// Day of death.
    pub died: Option<i64>,
    /// Code of a hardship identity.
    pub hardship: Option<&'static str>,
    /// First day of the insurance.
    pub insured: i64,
    /// The day on which it was suspended.
    pub paused: Option<i64>,
    /// First day of the period of the export.
    pub first_day: i64,
    /// Visits and stays.
    pub encounters: Vec<Encounter>,
}

impl Life {
    /// `psn_no`.
    #[must_use]
    pub fn psn_no(&self) -> String {
        format!("37032326{:010}", self.number + 1)
    }

    /// `mdtrt_id`; sorts as the encounters are numbered.
    #[must_use]
    pub fn mdtrt_id(&self, encounter: usize) -> String {
        format!("2603{:010}{:03}", self.number + 1, encounter + 1)
    }

    /// `setl_id`.
    #[must_use]
    pub fn setl_id(&self, encounter: usize, settlement: usize) -> String {
        format!("2608{:010}{:03}{settlement}", self.number + 1, encounter + 1)
    }

    /// `feedetl_sn`; sorts as the lines are numbered.
    #[must_use]
    pub fn feedetl_sn(&self, encounter: usize, line: usize) -> String {
        format!("9{:09}{:03}{:04}", self.number + 1, encounter + 1, line + 1)
    }

    /// A visit of this kind begins; the fee of seeing a doctor is charged except at a pharmacy.
    pub fn visit(
        &mut self,
        facility: usize,
        med_type: &'static str,
        time: i64,
        disease: Option<&'static Disease>,
    ) -> usize {
        let index = self.begin(facility, med_type, time, Some(time + 3600), disease);
        match med_type {
            "13" => _ = self.charge(index, &EMERGENCY_FEE, time, 1),
            "41" | "9929" | "71" | "28" => {}
            _ => _ = self.charge(index, &VISIT_FEE, time, 1),
        }
        index
    }

    /// A stay from day to day, with a bed, nursing, consultation, and a drip each day that is counted.
    pub fn stay(&mut self, facility: usize, from: i64, until: i64, disease: &'static Disease) -> usize {
        let index = self.bare_stay(facility, from, until, disease);
        self.daily(index, from, until.max(from + 1));
        index
    }

    /// A stay from day to day of which only a blood count and a drug are charged so far.
    pub fn bare_stay(&mut self, facility: usize, from: i64, until: i64, disease: &'static Disease) -> usize {
        let index = self.begin(facility, "21", at(from, 9, 10, 0), Some(at(until, 15, 20, 0)), Some(disease));
        self.encounters[index].leaving = Some("1");
        self.charge(index, &BLOOD_COUNT, at(from, 10, 5, 0), 1);
        self.charge(index, &AMBROXOL, at(from, 11, 0, 30), 2);
        index
    }

    /// A stay from day to day of which only a drug is charged so far.
    pub fn lean_stay(&mut self, facility: usize, from: i64, until: i64, disease: &'static Disease) -> usize {
        let index = self.begin(facility, "21", at(from, 9, 10, 0), Some(at(until, 15, 20, 0)), Some(disease));
        self.encounters[index].leaving = Some("1");
        self.charge(index, &AMBROXOL, at(from, 11, 0, 30), 2);
        index
    }

    /// What a stay is charged on each day from `from` up to, not including, `until`.
    pub fn daily(&mut self, encounter: usize, from: i64, until: i64) {
        for day in from..until {
            self.charge(encounter, &BED, at(day, 23, 0, 0), 1);
            self.charge(encounter, &NURSING_2, at(day, 23, 0, 1), 1);
            self.charge(encounter, &STAY_FEE, at(day, 23, 0, 2), 1);
            self.charge(encounter, &SALINE, at(day, 9, 40, 0), 2);
        }
    }

    /// An encounter begins; nothing is charged yet.
    pub fn begin(
        &mut self,
        facility: usize,
        med_type: &'static str,
        begin: i64,
        end: Option<i64>,
        disease: Option<&'static Disease>,
    ) -> usize {
        self.encounters.push(Encounter {
            facility,
            med_type,
            begin,
            end,
            diseases: disease.into_iter().collect(),
            gend: Some(self.gend),
            has_grade: true,
            changed_department: false,
            leaving: None,
            died: None,
            across_years: false,
            maternity: None,
            dise_no: None,
            operation: None,
            special_case: None,
            bed_checks: Vec::new(),
            absences: Vec::new(),
            department: None,
            lines: Vec::new(),
            settlements: Vec::new(),
        });
        self.encounters.len() - 1
    }

    /// Charges an item at its price; `cnt` is whole.
    pub fn charge(&mut self, encounter: usize, item: &'static Item, time: i64, cnt: i64) -> usize {
        let supply = match item.pack {
            Some(pack) if pack.days > 0 => Supply::Days(pack.days * cnt * ONE),
            _ => Supply::Unknown,
        };
        let mut line = Line {
            time,
            item,
            cnt: cnt * ONE,
            pric: item.price,
            amount: 0,
            own: 0,
            over: 0,
            first: 0,
            limit: None,
            supply: if matches!(item.list_type, "101") { supply } else { Supply::Unknown },
            doctor: Some(1),
            etip: false,
            settlement: None,
            takes_back: TakesBack::Nothing,
            prescription: Prescription::Numbered,
            department: None,
            take_home: false,
            uploaded: UPLOAD,
            trace: None,
        };
        line.reprice();
        let lines = &mut self.encounters[encounter].lines;
        lines.push(line);
        lines.len() - 1
    }

    /// A line to change; call [`Line::reprice`] after changing price or quantity.
    pub fn line(&mut self, encounter: usize, line: usize) -> &mut Line {
        &mut self.encounters[encounter].lines[line]
    }

    /// Settles all lines that no settlement has yet, at the encounter's end or after its last line.
    pub fn settle(&mut self, encounter: usize) -> usize {
        let visit = &mut self.encounters[encounter];
        let last = visit.lines.iter().map(|line| line.time).max().unwrap_or(visit.begin);
        let time = visit.end.unwrap_or(last).max(last) + 20 * 60;
        visit.settlements.push(Settlement { time, refunds: None, midway: false, unlisted: 0, slip: None });
        let index = visit.settlements.len() - 1;
        for line in visit.lines.iter_mut().filter(|line| line.settlement.is_none()) {
            line.settlement = Some(index);
        }
        index
    }

    /// Takes a settlement back with every line of it; `named` of a thousand negative lines name the line they take back.
    pub fn refund_settlement(&mut self, encounter: usize, settlement: usize, mut named: impl FnMut() -> bool) {
        let visit = &mut self.encounters[encounter];
        let time = visit.settlements[settlement].time + 90 * 60;
        visit.settlements.push(Settlement { time, refunds: Some(settlement), midway: false, unlisted: 0, slip: None });
        let refund = visit.settlements.len() - 1;
        let taken: Vec<Line> = visit
            .lines
            .iter()
            .enumerate()
            .filter(|(_, line)| line.settlement == Some(settlement))
            .map(|(index, line)| {
                let takes_back = if named() { TakesBack::Named(index) } else { TakesBack::Unnamed };
                Line { settlement: Some(refund), takes_back, ..negative(line, line.cnt, time) }
            })
            .collect();
        visit.lines.extend(taken);
    }

    /// Takes `cnt` ten-thousandths of a line back, some minutes later, in the same settlement.
    pub fn refund_line(&mut self, encounter: usize, line: usize, cnt: i64, named: bool) {
        let visit = &mut self.encounters[encounter];
        let taken = &visit.lines[line];
        let takes_back = if named { TakesBack::Named(line) } else { TakesBack::Unnamed };
        let back = Line { takes_back, ..negative(taken, cnt, taken.time + 7 * 60) };
        visit.lines.push(back);
    }

    /// The days on which a stay or visit lies, both ends included; an open stay has no last day.
    #[must_use]
    pub fn days(&self, encounter: usize) -> (i64, Option<i64>) {
        let visit = &self.encounters[encounter];
        (visit.begin.div_euclid(DAY), visit.end.map(|end| end.div_euclid(DAY)))
    }

    /// Sum of `inscp_amt` of a settlement.
    #[must_use]
    pub fn settled_inscp(&self, encounter: usize, settlement: usize) -> i64 {
        self.encounters[encounter].lines.iter().filter(|l| l.settlement == Some(settlement)).map(Line::inscp).sum()
    }
}

/// The negative of `cnt` of a line, and of that part of its amounts.
fn negative(line: &Line, cnt: i64, time: i64) -> Line {
    let part = |amount: i64| -share(amount, cnt, line.cnt);
    Line {
        time,
        cnt: -cnt,
        amount: part(line.amount),
        own: part(line.own),
        over: part(line.over),
        first: part(line.first),
        uploaded: UPLOAD,
        trace: None,
        ..line.clone()
    }
}

/// The doctor's code of a line.
#[must_use]
pub fn doctor_code(facility: &Facility, doctor: u8) -> String {
    format!("D{}{doctor:02}", &facility.code[1..])
}
