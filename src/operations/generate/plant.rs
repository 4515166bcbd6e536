//! Violations planted on purpose, and what comes near one without being one. Every recipe writes the life of one person and
//! says what an audit must find there: the rule, the key, the amount to the cent; a near miss says nothing.
//!
//! Goes in: a person before anything happened, a first day. Comes out: encounters in the life, [`Fact`]s of the truth.
//! The amounts are worked out here from the meaning of the rules, never from rule files or the engine: that is the point.
//! Not known here: other persons, files, dirt.
//!
//! To add a recipe: a function in the file of its rule, a row in the list of that file, or in [`FIRST`]. Person `k` below the
//! number of recipes lives recipe `k`, so a new row at the end of the last list leaves all others where they are. A row in
//! [`LATER`] leaves small exports as they are, byte for byte: its people come after the first thousand.

mod billing;
mod charge;
mod drug;
mod hours;
mod identity;
mod limit;
mod listing;
mod medication;
mod place;
mod ratio;
mod record;
mod scope;
mod stay;
mod ward;

use std::sync::LazyLock;

use super::calendar::{at, time_text};
use super::life::{Life, ONE, Settlement, doctor_code};
use super::random::Random;

/// One finding that an audit must make.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fact {
    /// `BIL103`.
    pub rule: &'static str,
    /// JSON object of the key columns.
    pub key: String,
    /// Cents.
    pub amount: i64,
}

/// One way to break a rule, or nearly.
#[derive(Debug, Clone, Copy)]
pub struct Recipe {
    /// The rule it is about.
    pub rule: &'static str,
    /// What happens.
    pub name: &'static str,
    /// Days it needs.
    pub days: i64,
    /// Whether the truth has a finding of it.
    pub hit: bool,
    write: fn(&mut Scene<'_>),
}

/// A life being written from a day on.
pub struct Scene<'a> {
    /// Whose.
    pub life: &'a mut Life,
    /// For what does not matter to the fact: which facility, which hour.
    pub chance: &'a mut Random,
    /// First day.
    pub day: i64,
    /// What must be found.
    pub facts: &'a mut Vec<Fact>,
}

impl Recipe {
    /// Writes the recipe into the life.
    pub fn plant(&self, scene: &mut Scene<'_>) {
        (self.write)(scene);
    }
}

const fn hit(rule: &'static str, name: &'static str, days: i64, write: fn(&mut Scene<'_>)) -> Recipe {
    Recipe { rule, name, days, hit: true, write }
}

const fn near(rule: &'static str, name: &'static str, days: i64, write: fn(&mut Scene<'_>)) -> Recipe {
    Recipe { rule, name, days, hit: false, write }
}

/// A JSON object of text values; none of ours needs escaping.
fn json(pairs: &[(&str, &str)]) -> String {
    let inside: Vec<String> = pairs.iter().map(|(name, value)| format!("\"{name}\":\"{value}\"")).collect();
    format!("{{{}}}", inside.join(","))
}

/// A number of ten-thousandths, or of cents with `scale` 2, without trailing zeros.
fn plain(number: i64, scale: usize) -> String {
    let text = super::rows::decimal(number, scale);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    text.to_owned()
}

impl Scene<'_> {
    /// A time on a day of the scene, at a quiet hour of the morning.
    fn time(&mut self, offset: i64) -> i64 {
        let minute = self.chance.between(0, 59);
        at(self.day + offset, 9, minute, self.chance.between(0, 59))
    }

    /// A hospital of level 2 or 3.
    fn hospital(&mut self) -> usize {
        usize::try_from(self.chance.below(6)).unwrap_or(0)
    }

    /// A hospital of level 2 or 3, but another one.
    fn hospital_but(&mut self, not: usize) -> usize {
        (not + 1 + usize::try_from(self.chance.below(5)).unwrap_or(0)) % 6
    }

    fn is(&mut self, gend: u8) {
        self.life.gend = gend;
        if gend != 9 {
            self.life.born = self.life.first_day - 45 * 365;
        }
    }

    fn find(&mut self, rule: &'static str, key: String, amount: i64) {
        self.facts.push(Fact { rule, key, amount });
    }

    fn line_key(&self, encounter: usize, line: usize) -> String {
        json(&[("mdtrt_id", &self.life.mdtrt_id(encounter)), ("feedetl_sn", &self.life.feedetl_sn(encounter, line))])
    }

    fn find_line(&mut self, rule: &'static str, encounter: usize, line: usize, amount: i64) {
        let key = self.line_key(encounter, line);
        self.find(rule, key, amount);
    }

    /// A line is found with all of it that is in scope.
    fn find_whole(&mut self, rule: &'static str, encounter: usize, line: usize) {
        let amount = self.inscp(encounter, line);
        self.find_line(rule, encounter, line, amount);
    }

    /// Facts whose key is an encounter.
    fn find_visit(&mut self, rule: &'static str, encounter: usize, amount: i64) {
        let key = json(&[("mdtrt_id", &self.life.mdtrt_id(encounter))]);
        self.find(rule, key, amount);
    }

    /// Sum of what is in scope of an encounter's lines.
    fn all_inscp(&self, encounter: usize) -> i64 {
        self.life.encounters[encounter].lines.iter().map(super::life::Line::inscp).sum()
    }

    /// A visit to a clinic of a hospital with one item, not yet settled.
    fn visit(
        &mut self,
        offset: i64,
        disease: &'static super::catalogue::Disease,
        item: &'static super::catalogue::Item,
        cnt: i64,
    ) -> (usize, usize) {
        let (facility, time) = (self.hospital(), self.time(offset));
        let visit = self.life.visit(facility, "11", time, Some(disease));
        (visit, self.life.charge(visit, item, time + 900, cnt))
    }

    /// The person has this many years on the day of this offset, to the day; `sooner` days less when it is above 0.
    fn aged(&mut self, years: i64, offset: i64, sooner: i64) {
        let (year, month, day) = super::calendar::civil(self.day + offset);
        // Who is born on the 29th of February would have no birthday in most years.
        let day = if (month, day) == (2, 29) { 28 } else { day };
        self.life.born = super::calendar::day_number(year - years, month, day) + sooner;
    }

    fn inscp(&self, encounter: usize, line: usize) -> i64 {
        self.life.encounters[encounter].lines[line].inscp()
    }

    fn psn_no(&self) -> String {
        self.life.psn_no()
    }

    /// Settles and takes it all back.
    fn settle_and_refund(&mut self, encounter: usize) {
        let settlement = self.life.settle(encounter);
        let mut chance = self.chance.clone();
        self.life.refund_settlement(encounter, settlement, || chance.chance(70_000));
    }

    /// A settlement midway: what is charged so far.
    fn settle_midway(&mut self, encounter: usize) {
        let index = self.life.settle(encounter);
        let settlements: &mut Vec<Settlement> = &mut self.life.encounters[encounter].settlements;
        settlements[index].midway = true;
    }

    /// The key of lines that are equal.
    fn same_line_key(&self, encounter: usize, line: usize, facilities: &[super::catalogue::Facility]) -> String {
        let visit = &self.life.encounters[encounter];
        let line = &visit.lines[line];
        let doctor = line.doctor.map(|d| doctor_code(&facilities[visit.facility], d));
        let (id, time) = (self.life.mdtrt_id(encounter), time_text(line.time));
        let (cnt, pric) = (plain(line.cnt, 4), plain(line.pric, 2));
        let mut pairs = vec![
            ("mdtrt_id", id.as_str()),
            ("hilist_code", line.item.code),
            ("fee_ocur_time", &time),
            ("cnt", &cnt),
            ("pric", &pric),
        ];
        if let Some(doctor) = &doctor {
            pairs.push(("bilg_dr_codg", doctor));
        }
        json(&pairs)
    }
}

/// Whole things as ten-thousandths.
fn whole(number: i64) -> i64 {
    number * ONE
}

/// All recipes but the later ones. Their order is part of the generator's promise: the same seed gives the same bytes.
#[must_use]
pub fn recipes() -> &'static [Recipe] {
    static RECIPES: LazyLock<Vec<Recipe>> = LazyLock::new(|| {
        let first = [FIRST, ward::RECIPES, charge::RECIPES, place::RECIPES, record::RECIPES].concat();
        [&first, drug::RECIPES, limit::RECIPES, listing::RECIPES].concat()
    });
    &RECIPES
}

/// Recipes that only large exports have, and the first person who may live one.
const LATER: &[Recipe] = hours::RECIPES;
const LATER_FROM: usize = 1_000;
/// Of so many persons, the first live the later recipes, each once.
const LATER_EVERY: usize = 500;

/// The recipe that person `number` lives whatever chance says.
#[must_use]
pub fn recipe_of(number: u64) -> Option<&'static Recipe> {
    let number = usize::try_from(number).ok()?;
    let later = || number.checked_sub(LATER_FROM).and_then(|at| LATER.get(at % LATER_EVERY));
    recipes().get(number).or_else(later)
}

const FIRST: &[Recipe] = &[
    hit("RAT101", "far", 7, ratio::far),
    hit("RAT101", "edge", 7, ratio::edge),
    hit("RAT101", "hardship", 7, ratio::hardship),
    near("RAT101", "at-limit", 7, ratio::at_limit),
    near("RAT101", "special-case", 7, ratio::special_case),
    hit("RAT101", "over-limit-price-counts", 6, ratio::over_limit_price_counts),
    near("RAT101", "refunded", 7, ratio::refunded),
    near("RAT101", "pad-given-back", 7, ratio::pad_given_back),
    near("RAT101", "outpatient", 1, ratio::outpatient),
    hit("MED101", "ordinary-far", 1, medication::ordinary_far),
    hit("MED101", "ordinary-edge", 1, medication::ordinary_edge),
    near("MED101", "ordinary-at", 1, medication::ordinary_at),
    hit("MED101", "emergency-far", 1, medication::emergency_far),
    hit("MED101", "emergency-edge", 1, medication::emergency_edge),
    near("MED101", "emergency-at", 1, medication::emergency_at),
    hit("MED101", "chronic-far", 1, medication::chronic_far),
    hit("MED101", "chronic-edge", 1, medication::chronic_edge),
    near("MED101", "chronic-at", 1, medication::chronic_at),
    hit("MED101", "sedative-far", 1, medication::sedative_far),
    hit("MED101", "sedative-edge", 1, medication::sedative_edge),
    near("MED101", "sedative-at", 1, medication::sedative_at),
    hit("MED101", "by-diagnosis-edge", 1, medication::by_diagnosis_edge),
    near("MED101", "by-diagnosis-at", 1, medication::by_diagnosis_at),
    hit("MED101", "pharmacy-edge", 1, medication::pharmacy_edge),
    near("MED101", "pharmacy-at", 1, medication::pharmacy_at),
    near("MED101", "pharmacy-chronic-at", 1, medication::pharmacy_chronic_at),
    hit("MED101", "pharmacy-chronic-far", 1, medication::pharmacy_chronic_far),
    near("MED101", "smallest-pack", 1, medication::smallest_pack),
    hit("MED101", "texts-far", 1, medication::texts_far),
    hit("MED101", "texts-edge", 1, medication::texts_edge),
    near("MED101", "texts-below", 1, medication::texts_below),
    near("MED101", "texts-do-not-parse", 1, medication::texts_do_not_parse),
    near("MED101", "refunded", 1, medication::refunded),
    hit("MED101", "partly-refunded-still-over", 1, medication::partly_refunded_still_over),
    near("MED101", "partly-refunded-to-limit", 1, medication::partly_refunded_to_limit),
    hit("MED103", "early-far", 10, medication::early_far),
    hit("MED103", "early-edge", 21, medication::early_edge),
    near("MED103", "early-at", 22, medication::early_at),
    hit("MED103", "early-at-pharmacy", 13, medication::early_at_pharmacy),
    hit("MED103", "early-in-counter-sale", 7, medication::early_in_counter_sale),
    hit("MED103", "other-pack-same-generic", 11, medication::other_pack_same_generic),
    near("MED103", "other-generic", 25, medication::other_generic),
    hit("MED103", "wholly-in-hand", 6, medication::wholly_in_hand),
    hit("MED103", "three-stacked", 24, medication::three_stacked),
    hit("MED103", "two-lines-one-fill", 13, medication::two_lines_one_fill),
    near("MED103", "first-refunded", 4, medication::first_refunded),
    near("MED103", "first-partly-refunded", 22, medication::first_partly_refunded),
    hit("MED103", "second-partly-refunded", 15, medication::second_partly_refunded),
    near("MED103", "first-of-unknown-days", 5, medication::first_of_unknown_days),
    hit("MED103", "long-and-early", 16, medication::long_and_early),
    hit("SCP101", "pills-for-a-man", 1, scope::pills_for_a_man),
    hit("SCP101", "prostate-test-for-a-woman", 1, scope::prostate_test_for_a_woman),
    hit("SCP101", "cancer-drug-for-a-woman", 1, scope::cancer_drug_for_a_woman),
    hit("SCP101", "class-of-drugs-for-a-woman", 1, scope::class_of_drugs_for_a_woman),
    hit("SCP101", "caesarean-of-a-man", 6, scope::caesarean_of_a_man),
    hit("SCP101", "sex-of-the-person", 4, scope::sex_of_the_person),
    hit("SCP101", "a-cent-paid", 1, scope::a_cent_paid),
    near("SCP101", "nothing-paid", 1, scope::nothing_paid),
    near("SCP101", "right-sex", 1, scope::right_sex),
    near("SCP101", "right-sex-of-a-man", 1, scope::right_sex_of_a_man),
    near("SCP101", "sex-unknown", 1, scope::sex_unknown),
    near("SCP101", "sexes-differ", 1, scope::sexes_differ),
    near("SCP101", "sex-refunded", 1, scope::sex_refunded),
    near("SCP101", "sex-line-refunded", 1, scope::sex_line_refunded),
    hit("SCP101", "sex-partly-refunded", 1, scope::sex_partly_refunded),
    hit("SCP104", "level-one", 1, scope::level_one),
    hit("SCP104", "level-none", 1, scope::level_none),
    near("SCP104", "level-two", 1, scope::level_two),
    near("SCP104", "level-three", 1, scope::level_three),
    hit("SCP104", "level-of-the-facility", 1, scope::level_of_the_facility),
    near("SCP104", "level-at-pharmacy", 1, scope::level_at_pharmacy),
    hit("SCP104", "level-in-a-stay", 6, scope::level_in_a_stay),
    near("SCP104", "level-refunded", 1, scope::level_refunded),
    near("SCP104", "continued-at-low-level", 25, scope::continued_at_low_level),
    hit("SCP104", "begun-at-low-level", 1, scope::begun_at_low_level),
    hit("BIL101", "emergency-watch-and-fee", 1, billing::emergency_watch_and_fee),
    hit("BIL101", "tolerance-test-and-glucose", 1, billing::tolerance_test_and_glucose),
    hit("BIL101", "hysteroscopy-and-biopsy", 1, billing::hysteroscopy_and_biopsy),
    hit("BIL101", "pair-at-both-ends-of-a-day", 6, billing::pair_at_both_ends_of_a_day),
    near("BIL101", "pair-across-midnight", 6, billing::pair_across_midnight),
    hit("BIL101", "pair-in-one-stay", 8, billing::pair_in_one_stay),
    hit("BIL101", "delivery-and-suture", 5, billing::delivery_and_suture),
    near("BIL101", "pair-in-two-stays", 25, billing::pair_in_two_stays),
    hit("BIL101", "pair-in-two-visits-of-a-day", 1, billing::pair_in_two_visits_of_a_day),
    near("BIL101", "pair-at-two-facilities", 1, billing::pair_at_two_facilities),
    near("BIL101", "pair-on-two-days", 2, billing::pair_on_two_days),
    near("BIL101", "pair-container-unpaid", 1, billing::pair_container_unpaid),
    near("BIL101", "pair-contained-unpaid", 1, billing::pair_contained_unpaid),
    near("BIL101", "pair-container-refunded", 1, billing::pair_container_refunded),
    near("BIL101", "pair-contained-refunded", 1, billing::pair_contained_refunded),
    hit("BIL101", "pair-partly-refunded", 1, billing::pair_partly_refunded),
    hit("BIL103", "nursing-twice", 7, billing::nursing_twice),
    hit("BIL103", "nursing-four-times", 7, billing::nursing_four_times),
    hit("BIL103", "two-rooms-one-point", 7, billing::two_rooms_one_point),
    hit("BIL103", "cap-of-two-over", 7, billing::cap_of_two_over),
    near("BIL103", "cap-of-two-at", 7, billing::cap_of_two_at),
    hit("BIL103", "hours-far", 7, billing::hours_far),
    hit("BIL103", "hours-edge", 7, billing::hours_edge),
    near("BIL103", "hours-at", 7, billing::hours_at),
    hit("BIL103", "hours-partly-refunded", 7, billing::hours_partly_refunded),
    near("BIL103", "hours-refunded-to-limit", 7, billing::hours_refunded_to_limit),
    hit("BIL103", "hours-at-two-facilities", 1, billing::hours_at_two_facilities),
    near("BIL103", "department-two", 7, billing::department_two),
    hit("BIL103", "department-three", 7, billing::department_three),
    near("BIL103", "facility-two", 9, billing::facility_two),
    hit("BIL103", "facility-three", 9, billing::facility_three),
    near("BIL103", "cap-refunded", 7, billing::cap_refunded),
    hit("BIL106", "price-far", 1, billing::price_far),
    hit("BIL106", "price-edge", 1, billing::price_edge),
    near("BIL106", "price-within-a-cent", 1, billing::price_within_a_cent),
    near("BIL106", "price-at", 1, billing::price_at),
    hit("BIL106", "price-level-one", 1, billing::price_level_one),
    near("BIL106", "price-level-two-at", 1, billing::price_level_two_at),
    hit("BIL106", "price-level-three-edge", 1, billing::price_level_three_edge),
    hit("BIL106", "price-hours", 1, billing::price_hours),
    hit("BIL106", "own-limit-far", 1, billing::own_limit_far),
    hit("BIL106", "own-limit-edge", 1, billing::own_limit_edge),
    near("BIL106", "own-limit-taken-off", 1, billing::own_limit_taken_off),
    near("BIL106", "own-limit-none", 1, billing::own_limit_none),
    near("BIL106", "own-limit-zero", 1, billing::own_limit_zero),
    hit("BIL106", "price-capped-by-scope", 1, billing::price_capped_by_scope),
    near("BIL106", "price-refunded", 1, billing::price_refunded),
    hit("BIL106", "price-partly-refunded", 1, billing::price_partly_refunded),
    hit("BIL107", "twice", 1, billing::twice),
    hit("BIL107", "three-times", 1, billing::three_times),
    hit("BIL107", "twice-by-nobody", 1, billing::twice_by_nobody),
    hit("BIL107", "three-times-one-refunded", 1, billing::three_times_one_refunded),
    near("BIL107", "twice-a-second-apart", 1, billing::twice_a_second_apart),
    near("BIL107", "twice-other-quantity", 1, billing::twice_other_quantity),
    near("BIL107", "twice-other-price", 1, billing::twice_other_price),
    near("BIL107", "twice-other-doctor", 1, billing::twice_other_doctor),
    near("BIL107", "twice-one-by-nobody", 1, billing::twice_one_by_nobody),
    near("BIL107", "twice-one-refunded", 1, billing::twice_one_refunded),
    near("BIL107", "twice-one-partly-refunded", 1, billing::twice_one_partly_refunded),
    hit("BIL108", "beds-far", 6, billing::beds_far),
    hit("BIL108", "beds-one-over", 6, billing::beds_one_over),
    hit("BIL108", "beds-half-over", 6, billing::beds_half_over),
    near("BIL108", "beds-at", 6, billing::beds_at),
    near("BIL108", "beds-refunded", 6, billing::beds_refunded),
    hit("BIL108", "beds-doubled", 6, billing::beds_doubled),
    near("BIL108", "beds-of-an-open-stay", 6, billing::beds_of_an_open_stay),
    hit("BIL108", "beds-of-a-cut-stay", 8, billing::beds_of_a_cut_stay),
    near("BIL108", "beds-of-a-cut-stay-at", 8, billing::beds_of_a_cut_stay_at),
    hit("BIL108", "beds-of-a-stay-across-years", 9, billing::beds_of_a_stay_across_years),
    hit("STY101", "overlap-far", 13, stay::overlap_far),
    hit("STY101", "overlap-edge", 11, stay::overlap_edge),
    hit("STY101", "overlap-inside", 10, stay::overlap_inside),
    hit("STY101", "overlap-from-one-day", 9, stay::overlap_from_one_day),
    hit("STY101", "one-day-inside", 7, stay::one_day_inside),
    near("STY101", "one-day-on-admission", 7, stay::one_day_on_admission),
    near("STY101", "one-day-on-discharge", 7, stay::one_day_on_discharge),
    near("STY101", "touch", 11, stay::touch),
    near("STY101", "overlap-refunded", 11, stay::overlap_refunded),
    hit("STY101", "overlap-partly-refunded", 11, stay::overlap_partly_refunded),
    hit("STY103", "split-soon", 11, stay::split_soon),
    hit("STY103", "split-same-day", 9, stay::split_same_day),
    hit("STY103", "split-next-day", 10, stay::split_next_day),
    hit("STY103", "split-edge", 24, stay::split_edge),
    near("STY103", "split-late", 25, stay::split_late),
    near("STY103", "split-other-disease", 14, stay::split_other_disease),
    hit("STY103", "split-three-stays", 22, stay::split_three_stays),
    near("STY103", "split-planned", 19, stay::split_planned),
    near("STY103", "split-planned-with-drug", 19, stay::split_planned_with_drug),
    hit("STY103", "split-without-the-drug", 19, stay::split_without_the_drug),
    near("STY103", "split-dialysis", 16, stay::split_dialysis),
    near("STY103", "split-referred-up", 14, stay::split_referred_up),
    near("STY103", "split-referred-down", 14, stay::split_referred_down),
    hit("STY103", "split-left-against-advice", 14, stay::split_left_against_advice),
    near("STY103", "split-delivery", 15, stay::split_delivery),
    near("STY103", "split-by-bed-day", 15, stay::split_by_bed_day),
    near("STY103", "split-refunded", 15, stay::split_refunded),
    near("STY103", "split-elsewhere", 15, stay::split_elsewhere),
    near("STY103", "split-by-the-office", 11, stay::split_by_the_office),
    near("STY103", "split-by-the-year", 9, stay::split_by_the_year),
    hit("STY104", "visit-in-the-middle", 10, stay::visit_in_the_middle),
    hit("STY104", "visit-edge-after-admission", 8, stay::visit_edge_after_admission),
    hit("STY104", "visit-edge-before-discharge", 8, stay::visit_edge_before_discharge),
    hit("STY104", "visit-on-the-only-day-inside", 4, stay::visit_on_the_only_day_inside),
    near("STY104", "visit-on-admission-day", 8, stay::visit_on_admission_day),
    near("STY104", "visit-on-discharge-day", 8, stay::visit_on_discharge_day),
    near("STY104", "visit-in-emergency", 8, stay::visit_in_emergency),
    near("STY104", "visit-planned", 8, stay::visit_planned),
    hit("STY104", "visit-cancer-without-drug", 8, stay::visit_cancer_without_drug),
    hit("STY104", "visit-chronic", 9, stay::visit_chronic),
    near("STY104", "visit-for-an-examination", 8, stay::visit_for_an_examination),
    hit("STY104", "visit-partly-for-an-examination", 8, stay::visit_partly_for_an_examination),
    hit("STY104", "visit-over-two-days", 8, stay::visit_over_two_days),
    near("STY104", "visit-refunded", 8, stay::visit_refunded),
    hit("STY104", "visit-partly-refunded", 8, stay::visit_partly_refunded),
    near("STY104", "visit-at-home", 8, stay::visit_at_home),
    hit("IDN101", "at-the-pharmacy", 13, identity::at_the_pharmacy),
    hit("IDN101", "next-day", 2, identity::next_day),
    near("IDN101", "same-day", 1, identity::same_day),
    hit("IDN101", "day-before-and-after", 21, identity::day_before_and_after),
    hit("IDN101", "after-death-in-hospital", 10, identity::after_death_in_hospital),
    hit("IDN101", "after-death-date-of-the-stay", 6, identity::after_death_date_of_the_stay),
    near("IDN101", "settled-later", 6, identity::settled_later),
    near("IDN101", "late-refunded", 6, identity::late_refunded),
    near("IDN101", "late-unpaid", 6, identity::late_unpaid),
    hit("IDN101", "late-partly-refunded", 6, identity::late_partly_refunded),
];
