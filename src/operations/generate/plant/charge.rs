//! BIL102, BIL104, BIL105 and BIL109 to BIL114: consumables inside a service, tests too soon again, later operations at the full
//! price, nursing and rounds beyond the stay, days of more than 24 hours, charges outside the stay, sums that are not the
//! product, packages in parts.

use super::{Recipe, Scene, hit, json, near, whole};
use crate::operations::generate::calendar::{at, day_text};
use crate::operations::generate::catalogue::{
    ANGELICA, BACK_PAIN, BILE_DUCT, BIRTH, BLOOD_COUNT, BOWEL_LOOSENING, CAESAREAN, COLD, FRUCTOSAMINE, GALLBLADDER,
    GALLSTONES, HAEMOGLOBIN, HBA1C, INFUSION, INFUSION_SET, Item, LIVER, LIVER_WEDGE, NURSING_1, NURSING_2,
    NURSING_SPECIAL, OXIMETRY, PLATELETS, PNEUMONIA, RED_CELLS, SALINE, STAY_FEE, STROKE, SUTURE, WHITE_CELLS,
};
use crate::operations::generate::life::share;

pub(super) const RECIPES: &[Recipe] = &[
    hit("BIL102", "set-and-infusion", 1, set_and_infusion),
    hit("BIL102", "set-at-both-ends-of-a-day", 5, set_at_both_ends_of_a_day),
    near("BIL102", "set-on-the-next-day", 5, set_on_the_next_day),
    near("BIL102", "set-at-another-facility", 1, set_at_another_facility),
    hit("BIL102", "suture-in-the-visit", 6, suture_in_the_visit),
    near("BIL102", "infusion-unpaid", 1, infusion_unpaid),
    near("BIL102", "set-refunded", 1, set_refunded),
    hit("BIL102", "set-partly-refunded", 1, set_partly_refunded),
    hit("BIL104", "cycle-far", 3, cycle_far),
    hit("BIL104", "cycle-edge", 8, cycle_edge),
    near("BIL104", "cycle-at", 9, cycle_at),
    hit("BIL104", "cycle-long-edge", 16, cycle_long_edge),
    near("BIL104", "cycle-long-at", 17, cycle_long_at),
    hit("BIL104", "cycle-three-times", 12, cycle_three_times),
    near("BIL104", "cycle-refunded", 4, cycle_refunded),
    hit("BIL105", "operations-far", 5, operations_far),
    hit("BIL105", "operations-edge", 5, operations_edge),
    near("BIL105", "operations-at", 5, operations_at),
    hit("BIL105", "operations-three", 5, operations_three),
    near("BIL105", "operations-of-two-groups", 5, operations_of_two_groups),
    near("BIL105", "operations-on-two-days", 5, operations_on_two_days),
    near("BIL105", "operations-of-two-teams", 5, operations_of_two_teams),
    hit("BIL105", "operations-of-one-team-twice", 5, operations_of_one_team_twice),
    near("BIL105", "operations-refunded", 5, operations_refunded),
    hit("BIL109", "nursing-far", 5, nursing_far),
    hit("BIL109", "nursing-edge", 5, nursing_edge),
    near("BIL109", "nursing-at", 5, nursing_at),
    hit("BIL109", "nursing-by-the-hour", 5, nursing_by_the_hour),
    near("BIL109", "nursing-by-the-hour-at", 5, nursing_by_the_hour_at),
    near("BIL109", "nursing-open", 5, nursing_open),
    near("BIL109", "nursing-refunded", 5, nursing_refunded),
    hit("BIL110", "rounds-far", 8, rounds_far),
    hit("BIL110", "rounds-edge", 6, rounds_edge),
    near("BIL110", "rounds-at", 5, rounds_at),
    near("BIL110", "rounds-open", 6, rounds_open),
    near("BIL110", "rounds-refunded", 6, rounds_refunded),
    hit("BIL111", "long-day-far", 4, long_day_far),
    hit("BIL111", "long-day-edge", 4, long_day_edge),
    near("BIL111", "long-day-at", 4, long_day_at),
    hit("BIL111", "long-day-at-two-facilities", 1, long_day_at_two_facilities),
    hit("BIL111", "long-day-partly-refunded", 4, long_day_partly_refunded),
    near("BIL111", "long-day-refunded-to-limit", 4, long_day_refunded_to_limit),
    hit("BIL112", "before-far", 16, before_far),
    hit("BIL112", "before-edge", 10, before_edge),
    near("BIL112", "before-at", 10, before_at),
    hit("BIL112", "after-edge", 8, after_edge),
    near("BIL112", "after-at", 8, after_at),
    near("BIL112", "before-from-emergency", 10, before_from_emergency),
    hit("BIL112", "after-from-emergency", 8, after_from_emergency),
    near("BIL112", "before-for-an-examination", 10, before_for_an_examination),
    near("BIL112", "after-refunded", 8, after_refunded),
    hit("BIL113", "sum-far", 1, sum_far),
    hit("BIL113", "sum-edge", 1, sum_edge),
    near("BIL113", "sum-at", 1, sum_at),
    hit("BIL113", "sum-too-low", 1, sum_too_low),
    hit("BIL113", "sum-unpaid", 1, sum_unpaid),
    hit("BIL113", "sum-of-herbs-edge", 1, sum_of_herbs_edge),
    near("BIL113", "sum-of-herbs-at", 1, sum_of_herbs_at),
    near("BIL113", "sum-refunded", 1, sum_refunded),
    hit("BIL114", "parts-far", 1, parts_far),
    hit("BIL114", "parts-edge", 1, parts_edge),
    near("BIL114", "parts-at", 1, parts_at),
    near("BIL114", "parts-one-missing", 1, parts_one_missing),
    near("BIL114", "parts-and-the-package", 1, parts_and_the_package),
    near("BIL114", "parts-on-two-days", 3, parts_on_two_days),
    near("BIL114", "parts-refunded", 1, parts_refunded),
];

// ---- BIL102

const SET_PAIR: &str = "001204000060000|C140301001";

fn found_set(scene: &mut Scene<'_>, offset: i64, amount: i64) {
    let (person, day) = (scene.psn_no(), day_text(scene.day + offset));
    scene.find("BIL102", json(&[("psn_no", &person), ("day", &day), ("pair", SET_PAIR)]), amount);
}

/// A visit with an infusion and so many sets.
fn infusion(scene: &mut Scene<'_>, sets: i64) -> (usize, usize, usize) {
    let (visit, drip) = scene.visit(0, &COLD, &INFUSION, 1);
    let time = scene.life.line(visit, drip).time;
    (visit, drip, scene.life.charge(visit, &INFUSION_SET, time + 5, sets))
}

fn set_and_infusion(scene: &mut Scene<'_>) {
    let (visit, _, set) = infusion(scene, 2);
    scene.life.settle(visit);
    let amount = scene.inscp(visit, set);
    found_set(scene, 0, amount);
}

fn set_at(scene: &mut Scene<'_>, drip: i64, set: i64) {
    let (facility, day) = (scene.hospital(), scene.day);
    let stay = scene.life.lean_stay(facility, day, day + 4, &PNEUMONIA);
    scene.life.charge(stay, &INFUSION, drip, 1);
    scene.life.charge(stay, &INFUSION_SET, set, 1);
    scene.life.settle(stay);
}

fn set_at_both_ends_of_a_day(scene: &mut Scene<'_>) {
    let day = scene.day + 2;
    set_at(scene, at(day, 0, 0, 0), at(day, 23, 59, 59));
    found_set(scene, 2, INFUSION_SET.price);
}

fn set_on_the_next_day(scene: &mut Scene<'_>) {
    let day = scene.day;
    set_at(scene, at(day + 1, 23, 59, 59), at(day + 2, 0, 0, 0));
}

fn set_at_another_facility(scene: &mut Scene<'_>) {
    let (visit, _) = scene.visit(0, &COLD, &INFUSION, 1);
    scene.life.settle(visit);
    let (second, _) = scene.visit(0, &COLD, &INFUSION_SET, 1);
    let facility = scene.life.encounters[visit].facility;
    scene.life.encounters[second].facility = scene.hospital_but(facility);
    scene.life.settle(second);
}

fn suture_in_the_visit(scene: &mut Scene<'_>) {
    scene.is(2);
    scene.life.born = scene.life.first_day - 29 * 365;
    let (facility, day) = (scene.hospital(), scene.day);
    let stay = scene.life.lean_stay(facility, day, day + 4, &BIRTH);
    scene.life.encounters[stay].med_type = "52";
    scene.life.charge(stay, &CAESAREAN, at(day + 1, 9, 0, 0), 1);
    let suture = scene.life.charge(stay, &SUTURE, at(day + 3, 9, 0, 0), 2);
    scene.life.settle(stay);
    let amount = scene.inscp(stay, suture);
    let (person, id) = (scene.psn_no(), scene.life.mdtrt_id(stay));
    let pair = "003314000120000|C170301";
    scene.find("BIL102", json(&[("psn_no", &person), ("mdtrt_id", &id), ("pair", pair)]), amount);
}

fn infusion_unpaid(scene: &mut Scene<'_>) {
    let (visit, drip, _) = infusion(scene, 1);
    let line = scene.life.line(visit, drip);
    line.own = line.amount;
    scene.life.settle(visit);
}

fn set_refunded(scene: &mut Scene<'_>) {
    let (visit, _, set) = infusion(scene, 1);
    scene.life.refund_line(visit, set, whole(1), false);
    scene.life.settle(visit);
}

fn set_partly_refunded(scene: &mut Scene<'_>) {
    let (visit, _, set) = infusion(scene, 3);
    scene.life.refund_line(visit, set, whole(2), true);
    scene.life.settle(visit);
    found_set(scene, 0, INFUSION_SET.price);
}

// ---- BIL104

/// Visits with one of a test on these days, one allowed in a window; later ones in it are found.
fn cycle(scene: &mut Scene<'_>, item: &'static Item, window: i64, days: &[i64]) {
    for (at, &offset) in days.iter().enumerate() {
        let (visit, line) = scene.visit(offset, &BACK_PAIN, item, 1);
        scene.life.settle(visit);
        if days[..at].iter().any(|&earlier| offset - earlier < window) {
            scene.find_whole("BIL104", visit, line);
        }
    }
}

fn cycle_far(scene: &mut Scene<'_>) {
    cycle(scene, &FRUCTOSAMINE, 7, &[0, 2]);
}

fn cycle_edge(scene: &mut Scene<'_>) {
    cycle(scene, &FRUCTOSAMINE, 7, &[0, 6]);
}

fn cycle_at(scene: &mut Scene<'_>) {
    cycle(scene, &FRUCTOSAMINE, 7, &[0, 7]);
}

fn cycle_long_edge(scene: &mut Scene<'_>) {
    cycle(scene, &HBA1C, 15, &[0, 14]);
}

fn cycle_long_at(scene: &mut Scene<'_>) {
    cycle(scene, &HBA1C, 15, &[0, 15]);
}

fn cycle_three_times(scene: &mut Scene<'_>) {
    cycle(scene, &FRUCTOSAMINE, 7, &[0, 5, 10]);
}

fn cycle_refunded(scene: &mut Scene<'_>) {
    let (visit, _) = scene.visit(0, &BACK_PAIN, &FRUCTOSAMINE, 1);
    scene.settle_and_refund(visit);
    cycle(scene, &FRUCTOSAMINE, 7, &[3]);
}

// ---- BIL105

/// A stay with operations at these prices in cents, on the day of this offset, each with its list price.
fn operations(scene: &mut Scene<'_>, done: &[(&'static Item, i64, i64)]) -> (usize, Vec<usize>) {
    let (facility, day) = (scene.hospital(), scene.day);
    let stay = scene.life.lean_stay(facility, day, day + 4, &GALLSTONES);
    let lines = done
        .iter()
        .zip(9_i64..)
        .map(|(&(item, price, offset), hour)| {
            let index = scene.life.charge(stay, item, at(day + offset, hour, 0, 0), 1);
            let line = scene.life.line(stay, index);
            line.pric = price;
            line.reprice();
            index
        })
        .collect();
    (stay, lines)
}

fn found_operations(scene: &mut Scene<'_>, stay: usize, amount: i64) {
    let (id, day) = (scene.life.mdtrt_id(stay), day_text(scene.day + 1));
    scene.find("BIL105", json(&[("mdtrt_id", &id), ("day", &day), ("group", "肝胆")]), amount);
}

fn operations_of(scene: &mut Scene<'_>, done: &[(&'static Item, i64, i64)], amount: i64) {
    let (stay, _) = operations(scene, done);
    scene.life.settle(stay);
    if amount > 0 {
        found_operations(scene, stay, amount);
    }
}

fn operations_far(scene: &mut Scene<'_>) {
    operations_of(scene, &[(&BILE_DUCT, 360_000, 1), (&GALLBLADDER, 180_000, 1)], 90_000);
}

fn operations_edge(scene: &mut Scene<'_>) {
    operations_of(scene, &[(&GALLBLADDER, 90_001, 1), (&BILE_DUCT, 360_000, 1)], 1);
}

fn operations_at(scene: &mut Scene<'_>) {
    operations_of(scene, &[(&GALLBLADDER, 90_000, 1), (&BILE_DUCT, 360_000, 1)], 0);
}

fn operations_three(scene: &mut Scene<'_>) {
    let done = [(&BILE_DUCT, 360_000, 1), (&GALLBLADDER, 100_000, 1), (&LIVER_WEDGE, 150_000, 1)];
    operations_of(scene, &done, 10_000 + 10_000);
}

fn operations_of_two_groups(scene: &mut Scene<'_>) {
    operations_of(scene, &[(&BILE_DUCT, 360_000, 1), (&BOWEL_LOOSENING, 120_000, 1)], 0);
}

fn operations_on_two_days(scene: &mut Scene<'_>) {
    operations_of(scene, &[(&BILE_DUCT, 360_000, 1), (&GALLBLADDER, 180_000, 2)], 0);
}

/// Two orders; two departments or one.
fn operations_by(scene: &mut Scene<'_>, second: &'static str) -> usize {
    let (stay, lines) = operations(scene, &[(&BILE_DUCT, 360_000, 1), (&GALLBLADDER, 180_000, 1)]);
    for (&line, (number, department)) in lines.iter().zip([(1, "A04.01"), (2, second)]) {
        let line = scene.life.line(stay, line);
        line.prescription = crate::operations::generate::life::Prescription::Number(number);
        line.department = Some(department);
    }
    scene.life.settle(stay);
    stay
}

fn operations_of_two_teams(scene: &mut Scene<'_>) {
    operations_by(scene, "A04.05");
}

fn operations_of_one_team_twice(scene: &mut Scene<'_>) {
    let stay = operations_by(scene, "A04.01");
    found_operations(scene, stay, 90_000);
}

fn operations_refunded(scene: &mut Scene<'_>) {
    let (stay, lines) = operations(scene, &[(&BILE_DUCT, 360_000, 1), (&GALLBLADDER, 180_000, 1)]);
    scene.life.refund_line(stay, lines[1], whole(1), true);
    scene.life.settle(stay);
}

// ---- BIL109

/// A stay of three days, grade Ⅱ each day, grade Ⅰ on the first `more` of them and the day of discharge.
fn nursing(scene: &mut Scene<'_>, more: i64, by_the_hour: i64) -> usize {
    let (facility, day) = (scene.hospital(), scene.day);
    let stay = scene.life.lean_stay(facility, day, day + 3, &STROKE);
    for offset in 0..3 {
        scene.life.charge(stay, &NURSING_2, at(day + offset, 8, 0, 0), 1);
    }
    for offset in 0..more {
        scene.life.charge(stay, &NURSING_1, at(day + offset, 8, 0, 1), 1);
    }
    if by_the_hour > 0 {
        for offset in 0..2 {
            scene.life.charge(stay, &NURSING_SPECIAL, at(day + offset, 8, 0, 2), by_the_hour);
        }
    }
    stay
}

/// Days nursed too many of four allowed, in hours.
fn found_nursing(scene: &mut Scene<'_>, stay: usize, hours: i64) {
    let lines = &scene.life.encounters[stay].lines;
    let paid = lines.iter().filter(|line| line.item.charge == "07").map(crate::operations::generate::life::Line::inscp);
    let amount = share(paid.sum(), hours - 96, hours);
    scene.find_visit("BIL109", stay, amount);
}

fn nursing_far(scene: &mut Scene<'_>) {
    let stay = nursing(scene, 4, 0);
    scene.life.settle(stay);
    found_nursing(scene, stay, 7 * 24);
}

fn nursing_edge(scene: &mut Scene<'_>) {
    let stay = nursing(scene, 2, 0);
    scene.life.settle(stay);
    found_nursing(scene, stay, 5 * 24);
}

fn nursing_at(scene: &mut Scene<'_>) {
    let stay = nursing(scene, 1, 0);
    scene.life.settle(stay);
}

fn nursing_by_the_hour(scene: &mut Scene<'_>) {
    let stay = nursing(scene, 0, 13);
    scene.life.settle(stay);
    found_nursing(scene, stay, 3 * 24 + 26);
}

fn nursing_by_the_hour_at(scene: &mut Scene<'_>) {
    let stay = nursing(scene, 0, 12);
    scene.life.settle(stay);
}

/// The stay goes on, with a drip each day from this one on.
fn still_there(scene: &mut Scene<'_>, stay: usize, from: i64) {
    scene.life.encounters[stay].end = None;
    scene.life.encounters[stay].leaving = None;
    for day in from..from + 4 {
        scene.life.charge(stay, &SALINE, at(day, 11, 0, 0), 1);
    }
}

fn nursing_open(scene: &mut Scene<'_>) {
    let stay = nursing(scene, 4, 0);
    still_there(scene, stay, scene.day);
}

fn nursing_refunded(scene: &mut Scene<'_>) {
    let stay = nursing(scene, 2, 0);
    let last = scene.life.encounters[stay].lines.len() - 1;
    scene.life.refund_line(stay, last, whole(1), false);
    scene.life.settle(stay);
}

// ---- BIL110

/// A stay of three days with a round each day, on the day of discharge, and on so many days before admission.
fn rounds(scene: &mut Scene<'_>, before: i64) -> usize {
    let (facility, day) = (scene.hospital(), scene.day + 3);
    let stay = scene.life.lean_stay(facility, day, day + 3, &STROKE);
    for offset in -before..4 {
        scene.life.charge(stay, &STAY_FEE, at(day + offset, 8, 0, 0), 1);
    }
    stay
}

fn rounds_of(scene: &mut Scene<'_>, before: i64) {
    let stay = rounds(scene, before);
    scene.life.settle(stay);
    if before > 0 {
        scene.find_visit("BIL110", stay, STAY_FEE.price * before);
    }
}

fn rounds_far(scene: &mut Scene<'_>) {
    rounds_of(scene, 3);
}

fn rounds_edge(scene: &mut Scene<'_>) {
    rounds_of(scene, 1);
}

fn rounds_at(scene: &mut Scene<'_>) {
    rounds_of(scene, 0);
}

fn rounds_open(scene: &mut Scene<'_>) {
    let stay = rounds(scene, 2);
    still_there(scene, stay, scene.day + 3);
}

fn rounds_refunded(scene: &mut Scene<'_>) {
    let stay = rounds(scene, 1);
    let last = scene.life.encounters[stay].lines.len() - 1;
    scene.life.refund_line(stay, last, whole(1), true);
    scene.life.settle(stay);
}

// ---- BIL111

fn found_long_day(scene: &mut Scene<'_>, offset: i64, amount: i64) {
    let (person, day) = (scene.psn_no(), day_text(scene.day + offset));
    scene.find("BIL111", json(&[("psn_no", &person), ("day", &day), ("point", "血氧饱和度监测")]), amount);
}

/// Hours on one day of a stay, in ten-thousandths, less what is given back.
fn long_day(scene: &mut Scene<'_>, hours: i64, back: i64) {
    let (facility, day) = (scene.hospital(), scene.day);
    let stay = scene.life.lean_stay(facility, day, day + 3, &PNEUMONIA);
    let index = scene.life.charge(stay, &OXIMETRY, at(day + 1, 8, 0, 0), 1);
    let line = scene.life.line(stay, index);
    line.cnt = hours;
    line.reprice();
    if back > 0 {
        scene.life.refund_line(stay, index, back, true);
    }
    scene.life.settle(stay);
    let left = hours - back;
    if left > whole(24) {
        let paid = share(scene.inscp(stay, index), left, hours);
        found_long_day(scene, 1, share(paid, left - whole(24), left));
    }
}

fn long_day_far(scene: &mut Scene<'_>) {
    long_day(scene, whole(40), 0);
}

fn long_day_edge(scene: &mut Scene<'_>) {
    long_day(scene, whole(24) + 5_000, 0);
}

fn long_day_at(scene: &mut Scene<'_>) {
    long_day(scene, whole(24), 0);
}

fn long_day_partly_refunded(scene: &mut Scene<'_>) {
    long_day(scene, whole(30), whole(4));
}

fn long_day_refunded_to_limit(scene: &mut Scene<'_>) {
    long_day(scene, whole(30), whole(6));
}

fn long_day_at_two_facilities(scene: &mut Scene<'_>) {
    let first = scene.hospital();
    let second = scene.hospital_but(first);
    for (facility, hour, hours) in [(first, 0, 13), (second, 13, 13)] {
        let time = at(scene.day, hour, 10, 0);
        let visit = scene.life.visit(facility, "13", time, Some(&COLD));
        scene.life.charge(visit, &OXIMETRY, time + 600, hours);
        scene.life.settle(visit);
    }
    found_long_day(scene, 0, share(OXIMETRY.price * 26, 2, 26));
}

// ---- BIL112

/// A stay of three days that begins on the twelfth, and a test so many days after its first day.
fn outside(scene: &mut Scene<'_>, kind: &'static str, offset: i64) -> (usize, usize) {
    let back = (-offset).max(0);
    let (facility, day) = (scene.hospital(), scene.day + back);
    let stay = scene.life.lean_stay(facility, day, day + 3, &PNEUMONIA);
    scene.life.encounters[stay].med_type = kind;
    let line = scene.life.charge(stay, &LIVER, at(day + offset, 23, 30, 0), 1);
    (stay, line)
}

fn outside_of(scene: &mut Scene<'_>, kind: &'static str, offset: i64, found: bool) {
    let (stay, line) = outside(scene, kind, offset);
    scene.life.settle(stay);
    if found {
        scene.find_whole("BIL112", stay, line);
    }
}

fn before_far(scene: &mut Scene<'_>) {
    outside_of(scene, "21", -12, true);
}

fn before_edge(scene: &mut Scene<'_>) {
    outside_of(scene, "21", -4, true);
}

fn before_at(scene: &mut Scene<'_>) {
    outside_of(scene, "21", -3, false);
}

fn after_edge(scene: &mut Scene<'_>) {
    outside_of(scene, "21", 4, true);
}

fn after_at(scene: &mut Scene<'_>) {
    outside_of(scene, "21", 3, false);
}

fn before_from_emergency(scene: &mut Scene<'_>) {
    outside_of(scene, "24", -5, false);
}

fn after_from_emergency(scene: &mut Scene<'_>) {
    outside_of(scene, "24", 5, true);
}

fn before_for_an_examination(scene: &mut Scene<'_>) {
    let (stay, line) = outside(scene, "21", -6);
    scene.life.line(stay, line).etip = true;
    scene.life.settle(stay);
}

fn after_refunded(scene: &mut Scene<'_>) {
    let (stay, line) = outside(scene, "21", 4);
    scene.life.refund_line(stay, line, whole(1), true);
    scene.life.settle(stay);
}

// ---- BIL113

/// A line whose amount is so many cents more than quantity times price.
fn sum(scene: &mut Scene<'_>, item: &'static Item, cnt: i64, more: i64) -> (usize, usize) {
    let (visit, index) = scene.visit(0, &BACK_PAIN, item, cnt);
    let line = scene.life.line(visit, index);
    line.amount += more;
    line.first = if item.level == "02" { share(line.amount, 1, 10) } else { 0 };
    (visit, index)
}

fn sum_of(scene: &mut Scene<'_>, item: &'static Item, cnt: i64, more: i64, found: bool) {
    let (visit, line) = sum(scene, item, cnt, more);
    scene.life.settle(visit);
    if found {
        scene.find_line("BIL113", visit, line, more.max(0));
    }
}

fn sum_far(scene: &mut Scene<'_>) {
    sum_of(scene, &LIVER, 2, 3_600, true);
}

fn sum_edge(scene: &mut Scene<'_>) {
    sum_of(scene, &LIVER, 1, 6, true);
}

fn sum_at(scene: &mut Scene<'_>) {
    sum_of(scene, &LIVER, 1, 5, false);
}

/// Too little is no money at stake, but the record is wrong all the same.
fn sum_too_low(scene: &mut Scene<'_>) {
    sum_of(scene, &LIVER, 2, -1_000, true);
}

fn sum_unpaid(scene: &mut Scene<'_>) {
    let (visit, index) = sum(scene, &LIVER, 1, 100);
    let line = scene.life.line(visit, index);
    line.own = line.amount;
    scene.life.settle(visit);
    scene.find_line("BIL113", visit, index, 100);
}

fn sum_of_herbs_edge(scene: &mut Scene<'_>) {
    sum_of(scene, &ANGELICA, 30, 51, true);
}

fn sum_of_herbs_at(scene: &mut Scene<'_>) {
    sum_of(scene, &ANGELICA, 30, 50, false);
}

fn sum_refunded(scene: &mut Scene<'_>) {
    let (visit, _) = sum(scene, &LIVER, 1, 900);
    scene.settle_and_refund(visit);
}

// ---- BIL114

/// The four parts of a blood count, the last at this price, on these days.
fn parts(scene: &mut Scene<'_>, last: i64, days: [i64; 4]) -> (usize, Vec<usize>) {
    let (facility, time) = (scene.hospital(), scene.time(0));
    let visit = scene.life.visit(facility, "11", time, Some(&COLD));
    let items = [&HAEMOGLOBIN, &RED_CELLS, &WHITE_CELLS, &PLATELETS];
    let lines: Vec<usize> = items
        .into_iter()
        .zip(days)
        .map(|(item, offset)| scene.life.charge(visit, item, time + 300 + offset * 86_400, 1))
        .collect();
    let line = scene.life.line(visit, lines[3]);
    line.pric = last;
    line.reprice();
    (visit, lines)
}

fn parts_of(scene: &mut Scene<'_>, last: i64) {
    let (visit, _) = parts(scene, last, [0; 4]);
    scene.life.settle(visit);
    if last > 0 {
        let (id, day) = (scene.life.mdtrt_id(visit), day_text(scene.day));
        scene.find("BIL114", json(&[("mdtrt_id", &id), ("day", &day), ("package", "002501010150")]), last);
    }
}

fn parts_far(scene: &mut Scene<'_>) {
    parts_of(scene, 900);
}

fn parts_edge(scene: &mut Scene<'_>) {
    parts_of(scene, 1);
}

fn parts_at(scene: &mut Scene<'_>) {
    let (visit, lines) = parts(scene, 300, [0; 4]);
    let line = scene.life.line(visit, lines[0]);
    line.pric = 200;
    line.reprice();
    scene.life.settle(visit);
}

fn parts_one_missing(scene: &mut Scene<'_>) {
    let (visit, _) = parts(scene, 900, [0; 4]);
    scene.life.encounters[visit].lines.pop();
    scene.life.settle(visit);
}

fn parts_and_the_package(scene: &mut Scene<'_>) {
    let (visit, lines) = parts(scene, 900, [0; 4]);
    let time = scene.life.line(visit, lines[0]).time;
    scene.life.charge(visit, &BLOOD_COUNT, time, 1);
    scene.life.settle(visit);
}

fn parts_on_two_days(scene: &mut Scene<'_>) {
    let (visit, _) = parts(scene, 900, [0, 0, 0, 1]);
    scene.life.settle(visit);
}

fn parts_refunded(scene: &mut Scene<'_>) {
    let (visit, lines) = parts(scene, 900, [0; 4]);
    scene.life.refund_line(visit, lines[2], whole(1), true);
    scene.life.settle(visit);
}
