//! The county on an ordinary quarter: who visits, who stays, who fills a prescription. Nobody here breaks a rule.
//!
//! Goes in: a person's number, a seed, the period. Comes out: a [`Life`]. What keeps it clean: one encounter a person a day
//! and none inside a stay; one line an item a day in an encounter; a bed, a nursing grade and a consultation each day of a
//! stay but its last; a drug again only when the last fill of its generic is used up, and
//! at most twice a month; no large examination in a stay of three days; a second stay sixteen
//! days or more after the first and with another diagnosis; what the person pays alone below 8 % of a stay. Refunds, in the
//! proportion of real exports, are laid over it and leave all of that true.
//!
//! Not known here: planted facts, files, the dirt of exports. To add a way of life: a function here and its share in [`live`].

use super::calendar::{DAY, at};
use super::catalogue::{
    self as items, ACUTE, ACUTE_DRUGS, CHRONIC, EMERGENCY_DRUGS, Item, LEVEL_0, LEVEL_1, LEVEL_2, LEVEL_3, PHARMACIES,
    STAY_DISEASES, STAY_DRUGS, STAY_TESTS, STAY_TREATMENTS, TESTS,
};
use super::life::{Life, Line, ONE, Supply};
use super::random::Random;

/// The days of the export.
#[derive(Debug, Clone, Copy)]
pub struct Period {
    /// First day.
    pub first: i64,
    /// Number of days.
    pub days: i64,
}

/// A person before anything happened.
#[must_use]
pub fn born(number: u64, chance: &mut Random, period: Period) -> Life {
    let gend = if chance.chance(50_500) { 2 } else { 1 };
    let age = *chance.pick(&[6, 12, 19, 26, 33, 38, 44, 48, 52, 55, 58, 61, 64, 67, 70, 73, 76, 80, 84]);
    let born = period.first - age * 365 - chance.between(40, 400);
    let insutype = if (19..70).contains(&age) && chance.chance(30_000) { "310" } else { "390" };
    let hardship = chance.chance(7_000).then(|| *chance.pick(&["10", "20", "30", "40", "50", "60"]));
    Life {
        number,
        gend,
        born,
        insutype,
        died: None,
        hardship,
        insured: period.first - 1461,
        paused: None,
        first_day: period.first,
        encounters: Vec::new(),
    }
}

/// Lets an ordinary person live through the period.
pub fn live(life: &mut Life, chance: &mut Random, period: Period) {
    let mut year = Year { busy: vec![false; usize::try_from(period.days).unwrap_or(0)], supply: Vec::new(), period };
    // Shares are of a quarter of 91 days; a shorter or longer export has fewer or more of everything.
    let scaled = |parts: u64| parts * period.days.unsigned_abs() / 91;
    let age = (period.first - life.born) / 365;

    if chance.chance(scaled(11_000).min(60_000)) {
        stays(life, chance, &mut year);
    }
    if chance.chance(scaled(68)) {
        still_in_hospital(life, chance, &mut year);
    }
    if life.gend == 2 && (20..42).contains(&age) && chance.chance(scaled(3_000)) {
        maternity(life, chance, &mut year);
    }
    if chance.chance(scaled(700)) {
        day_surgery(life, chance, &mut year);
    }
    if age > 60 && chance.chance(scaled(800)) {
        home_bed(life, chance, &mut year);
    }
    if age > 40 && chance.chance(38_000) {
        chronic(life, chance, &mut year);
    }
    if chance.chance(66_000) {
        let visits = expected(chance, 260 * period.days / 91);
        for _ in 0..visits {
            acute(life, chance, &mut year);
        }
    }
    if chance.chance(38_000) {
        for _ in 0..expected(chance, 160 * period.days / 91) {
            pharmacy(life, chance, &mut year);
        }
    }
    if chance.chance(scaled(4_500)) {
        emergency(life, chance, &mut year);
    }
    die(life, chance);
}

/// Some whose last encounter is a stay die at its end.
fn die(life: &mut Life, chance: &mut Random) {
    let Some(last) = (0..life.encounters.len()).max_by_key(|&at| life.encounters[at].begin) else { return };
    let stay = &mut life.encounters[last];
    if let ("21", Some(end)) = (stay.med_type, stay.end)
        && chance.chance(4_000)
    {
        stay.leaving = Some("5");
        stay.died = Some(end.div_euclid(DAY));
        life.died = stay.died;
    }
}

/// A whole number whose mean is this many hundredths.
fn expected(chance: &mut Random, hundredths: i64) -> i64 {
    let low = hundredths / 2;
    let drawn = chance.between(low, hundredths + low);
    drawn / 100 + i64::from(chance.below(100).cast_signed() < drawn % 100)
}

/// What is already taken of the person's days and drugs.
struct Year {
    busy: Vec<bool>,
    supply: Vec<(&'static str, i64, i64)>,
    period: Period,
}

impl Year {
    /// A run of free days, or none found in a few tries.
    fn free(&mut self, chance: &mut Random, length: i64) -> Option<i64> {
        for _ in 0..6 {
            let start = chance.between(0, self.period.days - length);
            if start >= 0 && self.is_free(start, length) {
                self.take(start, length);
                return Some(self.period.first + start);
            }
        }
        None
    }

    fn is_free(&self, start: i64, length: i64) -> bool {
        (start..start + length).all(|day| self.busy.get(usize::try_from(day).unwrap_or(usize::MAX)) == Some(&false))
    }

    fn take(&mut self, start: i64, length: i64) {
        for day in start..start + length {
            if let Some(busy) = usize::try_from(day).ok().and_then(|day| self.busy.get_mut(day)) {
                *busy = true;
            }
        }
    }

    /// Books a fill of a generic, if no other fill of it reaches into its days: nobody ever has two fills in hand.
    fn book(&mut self, generic: &'static str, day: i64, days: i64) -> bool {
        let until = day + days.max(7);
        let of_generic = || self.supply.iter().filter(|&&(other, ..)| other == generic);
        let near = of_generic().filter(|&&(_, from, _)| (from - day).abs() < 31).count();
        let free = near < 2 && of_generic().all(|&(_, from, end)| end <= day || until <= from);
        if free {
            self.supply.push((generic, day, until));
        }
        free
    }
}

/// A drug line of an outpatient or a pharmacy, if the person may have it now.
fn fill(
    life: &mut Life,
    chance: &mut Random,
    year: &mut Year,
    visit: usize,
    item: &'static Item,
    time: i64,
    packs: i64,
) {
    let days = item.pack.map_or(0, |pack| pack.days) * packs;
    if year.book(item.generic(), time.div_euclid(DAY), days) {
        let filled = life.charge(visit, item, time, packs);
        spell_supply(life, chance, visit, filled);
    }
}

/// Most lines have no `prd_days`; of the rest some have texts that parse, some nothing that does.
fn spell_supply(life: &mut Life, chance: &mut Random, visit: usize, filled: usize) {
    let given = chance.chance(34_500);
    let texts = chance.chance(60_000);
    let drug = life.line(visit, filled);
    drug.supply = match drug.supply {
        Supply::Days(days) if given => Supply::Days(days),
        Supply::Days(_) if texts => Supply::Texts,
        _ => Supply::Unknown,
    };
}

fn clock(chance: &mut Random, day: i64) -> i64 {
    at(day, chance.between(8, 16), chance.between(0, 59), chance.between(0, 59))
}

fn clinic(chance: &mut Random) -> usize {
    let range = match chance.below(10) {
        0..2 => LEVEL_3,
        2..5 => LEVEL_2,
        5..8 => LEVEL_1,
        _ => LEVEL_0,
    };
    one_of(chance, range)
}

fn hospital(chance: &mut Random) -> usize {
    let range = match chance.below(10) {
        0..4 => LEVEL_3,
        4..8 => LEVEL_2,
        _ => LEVEL_1,
    };
    one_of(chance, range)
}

fn one_of(chance: &mut Random, range: std::ops::Range<usize>) -> usize {
    range.start + usize::try_from(chance.below(range.len() as u64)).unwrap_or(0)
}

fn some_of(chance: &mut Random, of: &[&'static Item], most: u64) -> Vec<&'static Item> {
    let mut chosen = Vec::new();
    for _ in 0..chance.below(most + 1) {
        let item = *chance.pick(of);
        if !chosen.iter().any(|c: &&Item| c.code == item.code) {
            chosen.push(item);
        }
    }
    chosen
}

fn acute(life: &mut Life, chance: &mut Random, year: &mut Year) {
    let Some(day) = year.free(chance, 1) else { return };
    let time = clock(chance, day);
    let kind = if chance.chance(4_000) { "16" } else { "11" };
    let visit = life.visit(clinic(chance), kind, time, Some(*chance.pick(ACUTE)));
    for (step, test) in some_of(chance, TESTS, 6).into_iter().enumerate() {
        life.charge(visit, test, time + 600 + step.cast_signed() as i64 * 61, 1);
    }
    for (step, drug) in some_of(chance, ACUTE_DRUGS, 4).into_iter().enumerate() {
        let packs =
            if drug.pack.is_some_and(|pack| pack.days > 0 && pack.days <= 3) { chance.between(1, 2) } else { 1 };
        fill(life, chance, year, visit, drug, time + 2400 + step.cast_signed() as i64 * 7, packs);
    }
    if chance.chance(30_000) {
        life.charge(visit, &items::INFUSION, time + 3000, 1);
        life.charge(visit, &items::SALINE, time + 3001, 1);
    }
    close(life, chance, visit);
}

fn emergency(life: &mut Life, chance: &mut Random, year: &mut Year) {
    let Some(day) = year.free(chance, 1) else { return };
    let time = at(day, chance.between(0, 18), chance.between(0, 59), chance.between(0, 59));
    let visit = life.visit(one_of(chance, 0..6), "13", time, Some(*chance.pick(ACUTE)));
    for (step, test) in some_of(chance, TESTS, 7).into_iter().enumerate() {
        life.charge(visit, test, time + 300 + step.cast_signed() as i64 * 61, 1);
    }
    let drug = *chance.pick(EMERGENCY_DRUGS);
    fill(life, chance, year, visit, drug, time + 2400, 1);
    close(life, chance, visit);
}

fn pharmacy(life: &mut Life, chance: &mut Random, year: &mut Year) {
    let Some(day) = year.free(chance, 1) else { return };
    let time = at(day, chance.between(8, 19), chance.between(0, 59), chance.between(0, 59));
    let visit = life.visit(one_of(chance, PHARMACIES), "41", time, None);
    let first = *chance.pick(ACUTE_DRUGS);
    fill(life, chance, year, visit, first, time, 1);
    for (step, drug) in some_of(chance, ACUTE_DRUGS, 2).into_iter().enumerate() {
        if drug.code != first.code {
            fill(life, chance, year, visit, drug, time + 1 + step.cast_signed() as i64, 1);
        }
    }
    if life.encounters[visit].lines.is_empty() {
        life.encounters.truncate(visit);
        return;
    }
    close(life, chance, visit);
}

/// A month's fill a month, at one clinic or, now and then, at a pharmacy that serves chronic patients.
fn chronic(life: &mut Life, chance: &mut Random, year: &mut Year) {
    let place = clinic(chance);
    let &(disease, approval, covered) = chance.pick(CHRONIC);
    let med_type = *chance.pick(&["140104", "140104", "140201", "9901"]);
    let drugs = some_of(chance, covered, 3);
    let mut offset = chance.between(0, 27);
    while offset < year.period.days {
        if year.is_free(offset, 1) {
            year.take(offset, 1);
            let time = clock(chance, year.period.first + offset);
            let visit = life.visit(place, med_type, time, Some(disease));
            life.encounters[visit].dise_no = if med_type == "9901" { None } else { Some(approval) };
            for (step, drug) in drugs.iter().enumerate() {
                let filled = life.charge(visit, drug, time + 900 + step.cast_signed() as i64, 1);
                spell_supply(life, chance, visit, filled);
            }
            for (step, test) in some_of(chance, TESTS, 2).into_iter().enumerate() {
                life.charge(visit, test, time + 1800 + step.cast_signed() as i64 * 61, 1);
            }
            close(life, chance, visit);
        }
        offset += chance.between(30, 34);
    }
}

fn stays(life: &mut Life, chance: &mut Random, year: &mut Year) {
    let length = chance.between(2, 12);
    let Some(from) = year.free(chance, length + 1) else { return };
    let disease = chance.below(STAY_DISEASES.len() as u64);
    let first = usize::try_from(disease).unwrap_or(0);
    one_stay(life, chance, from, length, STAY_DISEASES[first]);
    if chance.chance(5_000) {
        let (again, length) = (from + length + chance.between(16, 40), chance.between(2, 8));
        let offset = again - year.period.first;
        if year.is_free(offset, length + 1) {
            year.take(offset, length + 1);
            one_stay(life, chance, again, length, STAY_DISEASES[(first + 1) % STAY_DISEASES.len()]);
        }
    }
}

fn one_stay(life: &mut Life, chance: &mut Random, from: i64, length: i64, disease: &'static items::Disease) {
    let stay = life.begin(hospital(chance), "21", clock(chance, from), None, Some(disease));
    let until = from + length;
    life.encounters[stay].end =
        Some(at(until, chance.between(8, 17), chance.between(0, 59), 0).max(at(until, 8, 0, 0)));
    life.encounters[stay].leaving = Some("1");
    let begun = life.encounters[stay].begin;
    for (step, test) in some_of(chance, STAY_TESTS, 9).into_iter().enumerate() {
        life.charge(stay, test, begun + 1200 + step.cast_signed() as i64 * 60, 1);
    }
    // A short stay with such an examination would be one for the examination's sake.
    if length > 3 && chance.chance(50_000) {
        life.charge(stay, &items::CT, begun + 2400, 1);
    }
    life.charge(stay, &items::CATHETER, begun + 1500, 1);
    for day in from..until {
        daily(life, chance, stay, day);
    }
    if chance.chance(50_000) {
        let pads = chance.between(1, 3);
        let total: i64 = life.encounters[stay].lines.iter().map(|line| line.amount).sum();
        if pads * items::OWN_PAD.price * 100 <= total * 7 {
            life.charge(stay, &items::OWN_PAD, begun + 3000, pads);
        }
    }
    if chance.chance(20_000) {
        for day in from + 1..until {
            life.encounters[stay].bed_checks.push(at(day, 10, 30, 0));
        }
    }
    if chance.chance(2_000) {
        life.encounters[stay].special_case = Some("罕见病使用自费药品");
    }
    close(life, chance, stay);
}

fn daily(life: &mut Life, chance: &mut Random, stay: usize, day: i64) {
    life.charge(stay, &items::BED, at(day, 23, 0, 0), 1);
    life.charge(stay, &items::NURSING_2, at(day, 23, 0, 1), 1);
    life.charge(stay, &items::STAY_FEE, at(day, 23, 0, 2), 1);
    life.charge(stay, &items::INFUSION, at(day, 18, 0, 1), 1);
    for (step, drug) in some_of(chance, STAY_DRUGS, 6).into_iter().enumerate() {
        life.charge(stay, drug, at(day, 18, 10, 0) + step.cast_signed() as i64, chance.between(1, 3));
    }
    for (step, treatment) in some_of(chance, STAY_TREATMENTS, 2).into_iter().enumerate() {
        life.charge(stay, treatment, at(day, 19, 0, 0) + step.cast_signed() as i64, 1);
    }
    if chance.chance(10_000) {
        life.charge(stay, &items::HEART_WATCH, at(day, 22, 0, 0), chance.between(4, 24));
    }
}

/// Admitted in the last days and not yet gone home: no end, no settlement.
fn still_in_hospital(life: &mut Life, chance: &mut Random, year: &mut Year) {
    let length = chance.between(3, 10).min(year.period.days - 1);
    let start = year.period.days - length;
    if !year.is_free(start, length) {
        return;
    }
    year.take(start, length);
    let from = year.period.first + start;
    let stay = life.begin(hospital(chance), "21", clock(chance, from), None, Some(*chance.pick(STAY_DISEASES)));
    for day in from..from + length {
        daily(life, chance, stay, day);
    }
}

fn maternity(life: &mut Life, chance: &mut Random, year: &mut Year) {
    if let Some(day) = year.free(chance, 1) {
        let time = clock(chance, day);
        let visit = life.visit(one_of(chance, LEVEL_2), "51", time, Some(&items::PREGNANCY));
        life.charge(visit, &items::DELIVERY_CHECK, time + 600, 1);
        life.charge(visit, &items::FETAL_HEART, time + 900, 1);
        life.charge(visit, &items::ULTRASOUND, time + 1200, 1);
        close(life, chance, visit);
    }
    let length = chance.between(3, 5);
    if chance.chance(40_000)
        && let Some(from) = year.free(chance, length + 1)
    {
        let stay = life.begin(3, "52", clock(chance, from), Some(at(from + length, 17, 0, 0)), Some(&items::BIRTH));
        life.encounters[stay].leaving = Some("1");
        life.charge(stay, &items::DELIVERY, at(from, 20, 0, 0), 1);
        life.charge(stay, &items::OXYTOCIN, at(from, 20, 5, 0), 1);
        for day in from..from + length {
            daily(life, chance, stay, day);
        }
        life.encounters[stay].operation = Some(("73.5900", "手法助产"));
        close(life, chance, stay);
    }
}

fn day_surgery(life: &mut Life, chance: &mut Random, year: &mut Year) {
    let Some(day) = year.free(chance, 2) else { return };
    let (item, disease, operation) = if chance.chance(50_000) {
        (&items::CATARACT, &items::CATARACT_DISEASE, ("13.4100", "白内障超声乳化抽吸术"))
    } else {
        (&items::HERNIA, &items::GALLSTONES, ("53.0000", "单侧腹股沟疝修补术"))
    };
    let time = clock(chance, day);
    let visit = life.begin(one_of(chance, 0..6), "28", time, Some(at(day + 1, 9, 30, 0)), Some(disease));
    life.encounters[visit].leaving = Some("1");
    life.charge(visit, item, time + 3600, 1);
    for (step, test) in some_of(chance, STAY_TESTS, 6).into_iter().enumerate() {
        life.charge(visit, test, time + 600 + step.cast_signed() as i64 * 60, 1);
    }
    life.charge(visit, &items::BED, at(day, 23, 0, 0), 1);
    life.charge(visit, &items::NURSING_2, at(day, 23, 0, 1), 1);
    life.encounters[visit].operation = Some(operation);
    close(life, chance, visit);
}

fn home_bed(life: &mut Life, chance: &mut Random, year: &mut Year) {
    let length = chance.between(10, 20);
    let Some(from) = year.free(chance, length + 1) else { return };
    let visit = life.begin(
        one_of(chance, LEVEL_1),
        "71",
        clock(chance, from),
        Some(at(from + length, 17, 0, 0)),
        Some(&items::STROKE),
    );
    life.charge(visit, &items::HOME_BED, at(from, 17, 0, 0), 1);
    for day in (from..from + length).step_by(3) {
        life.charge(visit, &items::HOME_VISIT, at(day, 17, 10, 0), 1);
        life.charge(visit, &items::INJECTION, at(day, 17, 11, 0), 1);
    }
    close(life, chance, visit);
}

/// Settles, and takes back what is taken back in this county: one settlement in nineteen, and a line here and there.
fn close(life: &mut Life, chance: &mut Random, visit: usize) {
    let line_taken_back = refund_a_line(life, chance, visit);
    let settlement = life.settle(visit);
    if line_taken_back || !chance.chance(5_900) {
        return;
    }
    let charged = life.encounters[visit].lines.clone();
    life.refund_settlement(visit, settlement, || chance.chance(80_000));
    if chance.chance(50_000) {
        // Charged anew, as it should have been: the same lines, other numbers, another settlement.
        life.encounters[visit].lines.extend(charged.into_iter().map(|line| Line { settlement: None, ..line }));
        let again = life.settle(visit);
        life.encounters[visit].settlements[again].time += 2 * 3600;
    }
}

/// A drug or a treatment given back: wholly, named or not, or one of several, named.
fn refund_a_line(life: &mut Life, chance: &mut Random, visit: usize) -> bool {
    if life.encounters[visit].lines.len() < 4 || !chance.chance(3_000) {
        return false;
    }
    let may: Vec<usize> = (0..life.encounters[visit].lines.len())
        .filter(|&at| matches!(life.encounters[visit].lines[at].item.charge, "04" | "05" | "09" | "11"))
        .collect();
    if may.is_empty() {
        return false;
    }
    let taken = *chance.pick(&may);
    let cnt = life.encounters[visit].lines[taken].cnt;
    if cnt > ONE && chance.chance(50_000) {
        life.refund_line(visit, taken, ONE, true);
    } else {
        let named = chance.chance(75_000);
        life.refund_line(visit, taken, cnt, named);
    }
    true
}
