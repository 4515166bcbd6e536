//! STY101, STY103, STY104: two hospitals at once, a stay split in two, a visit elsewhere from a hospital bed.

use super::{Scene, json, whole};
use crate::operations::generate::calendar::at;
use crate::operations::generate::catalogue::{
    AMLODIPINE, BACK_PAIN, BIRTH, BLOOD_COUNT, CAPECITABINE, CHEMOTHERAPY, COLD, DIALYSIS, Disease, ECG, HOME_VISIT,
    HYPERTENSION, LIVER, LUNG_CANCER, PNEUMONIA, RENAL_FAILURE, STROKE,
};
use crate::operations::generate::life::share;

// ---- STY101

/// Two stays at two hospitals. The one that begins later is charged beds and nursing only on the days that are its own.
fn both(scene: &mut Scene<'_>, first: (i64, i64), second: (i64, i64), swapped: bool) -> (usize, usize) {
    let one = scene.hospital();
    let other = scene.hospital_but(one);
    let day = scene.day;
    let write = |scene: &mut Scene<'_>, facility, (from, until): (i64, i64), daily_from: i64| {
        let stay = scene.life.bare_stay(facility, day + from, day + until, &PNEUMONIA);
        scene.life.daily(stay, day + daily_from, day + until);
        scene.life.settle(stay);
        stay
    };
    let own = first.1.min(second.1).max(second.0);
    if swapped {
        let later = write(scene, other, second, own);
        (write(scene, one, first, first.0), later)
    } else {
        let earlier = write(scene, one, first, first.0);
        (earlier, write(scene, other, second, own))
    }
}

fn found_both(scene: &mut Scene<'_>, earlier: usize, later: usize) {
    let days = |stay| {
        let (begin, end) = scene.life.days(stay);
        (begin, end.unwrap_or(begin))
    };
    let ((begin, end), (late_begin, late_end)) = (days(earlier), days(later));
    let length = (late_end - late_begin).max(1);
    let shared = (end.min(late_end) - begin.max(late_begin)).max(1).min(length);
    let amount = share(scene.life.settled_inscp(later, 0), shared, length);
    let (smaller, greater) = (earlier.min(later), earlier.max(later));
    let (smaller, greater) = (scene.life.mdtrt_id(smaller), scene.life.mdtrt_id(greater));
    scene.find("STY101", json(&[("mdtrt_id_1", &smaller), ("mdtrt_id_2", &greater)]), amount);
}

macro_rules! overlaps {
    ($($name:ident: $first:expr, $second:expr, $swapped:literal, $hit:literal;)*) => {
        $(pub(super) fn $name(scene: &mut Scene<'_>) {
            let (earlier, later) = both(scene, $first, $second, $swapped);
            if $hit {
                found_both(scene, earlier, later);
            }
        })*
    };
}

overlaps! {
    overlap_far: (0, 7), (2, 11), false, true;
    overlap_edge: (0, 5), (4, 9), false, true;
    overlap_inside: (0, 8), (2, 6), true, true;
    overlap_from_one_day: (0, 5), (0, 7), false, true;
    one_day_inside: (0, 5), (3, 3), false, true;
    one_day_on_admission: (0, 5), (0, 0), false, false;
    one_day_on_discharge: (0, 5), (5, 5), false, false;
    touch: (0, 5), (5, 9), false, false;
}

pub(super) fn overlap_refunded(scene: &mut Scene<'_>) {
    let (_, later) = both(scene, (0, 6), (3, 9), false);
    let mut chance = scene.chance.clone();
    scene.life.refund_settlement(later, 0, || chance.chance(60_000));
}

pub(super) fn overlap_partly_refunded(scene: &mut Scene<'_>) {
    let (earlier, later) = both(scene, (0, 6), (3, 9), false);
    // The blood count of the later stay is given back within its settlement.
    scene.life.refund_line(later, 0, whole(1), true);
    found_both(scene, earlier, later);
}

// ---- STY103

/// Two stays of four and three days, `gap` days apart.
fn again(
    scene: &mut Scene<'_>,
    gap: i64,
    diseases: [&'static Disease; 2],
    change: impl Fn(&mut Scene<'_>, usize, usize),
) -> (usize, usize) {
    let (facility, day) = (scene.hospital(), scene.day);
    let first = scene.life.lean_stay(facility, day, day + 4, diseases[0]);
    let begin = day + 4 + gap;
    let second = scene.life.stay(facility, begin, begin + 3, diseases[1]);
    if gap == 0 {
        scene.life.encounters[second].begin = at(begin, 16, 0, 0);
        for line in 0..2 {
            scene.life.line(second, line).time += 7 * 3600;
        }
    }
    change(scene, first, second);
    scene.life.settle(first);
    scene.life.settle(second);
    (first, second)
}

fn found_again(scene: &mut Scene<'_>, first: usize, second: usize) {
    let amount = scene.life.settled_inscp(second, 0);
    let (one, two) = (scene.life.mdtrt_id(first), scene.life.mdtrt_id(second));
    scene.find("STY103", json(&[("mdtrt_id_1", &one), ("mdtrt_id_2", &two)]), amount);
}

fn unchanged(_: &mut Scene<'_>, _: usize, _: usize) {}

fn found_after(scene: &mut Scene<'_>, gap: i64) {
    let (first, second) = again(scene, gap, [&PNEUMONIA, &PNEUMONIA], unchanged);
    found_again(scene, first, second);
}

pub(super) fn split_soon(scene: &mut Scene<'_>) {
    found_after(scene, 2);
}

pub(super) fn split_same_day(scene: &mut Scene<'_>) {
    found_after(scene, 0);
}

pub(super) fn split_next_day(scene: &mut Scene<'_>) {
    found_after(scene, 1);
}

pub(super) fn split_edge(scene: &mut Scene<'_>) {
    found_after(scene, 15);
}

pub(super) fn split_late(scene: &mut Scene<'_>) {
    again(scene, 16, [&PNEUMONIA, &PNEUMONIA], unchanged);
}

pub(super) fn split_other_disease(scene: &mut Scene<'_>) {
    again(scene, 5, [&PNEUMONIA, &STROKE], unchanged);
}

pub(super) fn split_three_stays(scene: &mut Scene<'_>) {
    let (first, second) = again(scene, 4, [&STROKE, &STROKE], unchanged);
    let facility = scene.life.encounters[first].facility;
    let begin = scene.day + 4 + 4 + 3 + 6;
    let third = scene.life.stay(facility, begin, begin + 3, &STROKE);
    scene.life.settle(third);
    found_again(scene, first, second);
    found_again(scene, second, third);
}

pub(super) fn split_planned(scene: &mut Scene<'_>) {
    again(scene, 10, [&CHEMOTHERAPY, &CHEMOTHERAPY], unchanged);
}

pub(super) fn split_planned_with_drug(scene: &mut Scene<'_>) {
    again(scene, 10, [&LUNG_CANCER, &LUNG_CANCER], |scene, _, second| {
        let time = scene.life.encounters[second].begin + 3600;
        scene.life.charge(second, &CAPECITABINE, time, 1);
    });
}

pub(super) fn split_without_the_drug(scene: &mut Scene<'_>) {
    let (first, second) = again(scene, 10, [&LUNG_CANCER, &LUNG_CANCER], unchanged);
    found_again(scene, first, second);
}

pub(super) fn split_dialysis(scene: &mut Scene<'_>) {
    again(scene, 7, [&RENAL_FAILURE, &RENAL_FAILURE], |scene, _, second| {
        let time = scene.life.encounters[second].begin + 4000;
        scene.life.charge(second, &DIALYSIS, time, 1);
    });
}

pub(super) fn split_referred_up(scene: &mut Scene<'_>) {
    again(scene, 5, [&STROKE, &STROKE], |scene, first, _| scene.life.encounters[first].leaving = Some("2"));
}

pub(super) fn split_referred_down(scene: &mut Scene<'_>) {
    again(scene, 5, [&STROKE, &STROKE], |scene, first, _| scene.life.encounters[first].leaving = Some("3"));
}

pub(super) fn split_left_against_advice(scene: &mut Scene<'_>) {
    let (first, second) =
        again(scene, 5, [&STROKE, &STROKE], |scene, first, _| scene.life.encounters[first].leaving = Some("4"));
    found_again(scene, first, second);
}

pub(super) fn split_delivery(scene: &mut Scene<'_>) {
    scene.is(2);
    scene.life.born = scene.life.first_day - 29 * 365;
    again(scene, 6, [&BIRTH, &BIRTH], unchanged);
}

pub(super) fn split_by_bed_day(scene: &mut Scene<'_>) {
    again(scene, 6, [&STROKE, &STROKE], |scene, first, second| {
        scene.life.encounters[first].med_type = "2105";
        scene.life.encounters[second].med_type = "2105";
    });
}

pub(super) fn split_refunded(scene: &mut Scene<'_>) {
    let (_, second) = again(scene, 6, [&STROKE, &STROKE], unchanged);
    let mut chance = scene.chance.clone();
    scene.life.refund_settlement(second, 0, || chance.chance(60_000));
}

pub(super) fn split_elsewhere(scene: &mut Scene<'_>) {
    again(scene, 6, [&STROKE, &STROKE], |scene, first, second| {
        let facility = scene.life.encounters[first].facility;
        scene.life.encounters[second].facility = scene.hospital_but(facility);
    });
}

pub(super) fn split_by_the_office(scene: &mut Scene<'_>) {
    let (facility, day) = (scene.hospital(), scene.day);
    let first = scene.life.stay(facility, day, day + 4, &STROKE);
    scene.settle_midway(first);
    let second = scene.life.stay(facility, day + 5, day + 9, &STROKE);
    scene.life.settle(second);
}

pub(super) fn split_by_the_year(scene: &mut Scene<'_>) {
    again(scene, 0, [&STROKE, &STROKE], |scene, first, _| scene.life.encounters[first].across_years = true);
}

// ---- STY104

/// A stay from day 0 to `until`, and a visit elsewhere on day `on`.
fn slipped_out(scene: &mut Scene<'_>, until: i64, on: i64, kind: &'static str, disease: &'static Disease) -> usize {
    let (facility, day) = (scene.hospital(), scene.day);
    let stay = scene.life.lean_stay(facility, day, day + until, &STROKE);
    scene.life.settle(stay);
    let (other, time) = (scene.hospital_but(facility), scene.time(on));
    let visit = scene.life.visit(other, kind, time, Some(disease));
    scene.life.charge(visit, &LIVER, time + 500, 1);
    visit
}

fn found_visit(scene: &mut Scene<'_>, visit: usize, amount: i64) {
    let key = json(&[("mdtrt_id", &scene.life.mdtrt_id(visit))]);
    scene.find("STY104", key, amount);
}

fn all_lines(scene: &Scene<'_>, visit: usize) -> i64 {
    scene.life.encounters[visit].lines.iter().map(crate::operations::generate::life::Line::inscp).sum()
}

macro_rules! visits {
    ($($name:ident: until $until:literal, on $on:literal, $kind:literal, $disease:expr, $hit:literal;)*) => {
        $(pub(super) fn $name(scene: &mut Scene<'_>) {
            let visit = slipped_out(scene, $until, $on, $kind, $disease);
            scene.life.settle(visit);
            if $hit {
                let amount = all_lines(scene, visit);
                found_visit(scene, visit, amount);
            }
        })*
    };
}

visits! {
    visit_in_the_middle: until 8, on 4, "11", &BACK_PAIN, true;
    visit_edge_after_admission: until 6, on 1, "11", &BACK_PAIN, true;
    visit_edge_before_discharge: until 6, on 5, "11", &COLD, true;
    visit_on_the_only_day_inside: until 2, on 1, "16", &COLD, true;
    visit_on_admission_day: until 6, on 0, "11", &BACK_PAIN, false;
    visit_on_discharge_day: until 6, on 6, "11", &BACK_PAIN, false;
    visit_in_emergency: until 6, on 3, "13", &COLD, false;
    visit_planned: until 6, on 3, "11", &CHEMOTHERAPY, false;
    visit_cancer_without_drug: until 6, on 3, "11", &LUNG_CANCER, true;
}

pub(super) fn visit_chronic(scene: &mut Scene<'_>) {
    let visit = slipped_out(scene, 7, 3, "140104", &HYPERTENSION);
    let time = scene.life.encounters[visit].begin;
    scene.life.charge(visit, &AMLODIPINE, time + 900, 1);
    scene.life.settle(visit);
    let amount = all_lines(scene, visit);
    found_visit(scene, visit, amount);
}

pub(super) fn visit_for_an_examination(scene: &mut Scene<'_>) {
    let visit = slipped_out(scene, 6, 3, "11", &BACK_PAIN);
    for line in 0..2 {
        scene.life.line(visit, line).etip = true;
    }
    scene.life.settle(visit);
}

/// One line was examined for the ward, the others were not.
pub(super) fn visit_partly_for_an_examination(scene: &mut Scene<'_>) {
    let visit = slipped_out(scene, 6, 3, "11", &BACK_PAIN);
    scene.life.line(visit, 1).etip = true;
    scene.life.settle(visit);
    let amount = scene.inscp(visit, 0);
    found_visit(scene, visit, amount);
}

/// Begun on the day of admission; what was charged on the next day counts.
pub(super) fn visit_over_two_days(scene: &mut Scene<'_>) {
    let visit = slipped_out(scene, 6, 0, "11", &BACK_PAIN);
    let time = at(scene.day + 1, 8, 30, 0);
    let late = scene.life.charge(visit, &ECG, time, 1);
    scene.life.encounters[visit].end = Some(time + 600);
    scene.life.settle(visit);
    let amount = scene.inscp(visit, late);
    found_visit(scene, visit, amount);
}

pub(super) fn visit_refunded(scene: &mut Scene<'_>) {
    let visit = slipped_out(scene, 6, 3, "11", &BACK_PAIN);
    scene.settle_and_refund(visit);
}

pub(super) fn visit_partly_refunded(scene: &mut Scene<'_>) {
    let visit = slipped_out(scene, 6, 3, "11", &BACK_PAIN);
    let time = scene.life.encounters[visit].begin;
    let line = scene.life.charge(visit, &BLOOD_COUNT, time + 800, 1);
    scene.life.refund_line(visit, line, whole(1), true);
    scene.life.settle(visit);
    let amount = all_lines(scene, visit);
    found_visit(scene, visit, amount);
}

pub(super) fn visit_at_home(scene: &mut Scene<'_>) {
    let (facility, day) = (scene.hospital(), scene.day);
    let stay = scene.life.lean_stay(facility, day, day + 6, &STROKE);
    scene.life.settle(stay);
    let time = at(day + 3, 14, 0, 0);
    let visit = scene.life.visit(9, "71", time, Some(&STROKE));
    scene.life.charge(visit, &HOME_VISIT, time + 60, 1);
    scene.life.settle(visit);
}
