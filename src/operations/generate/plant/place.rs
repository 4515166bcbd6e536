//! IDN102, IDN103, IDN104: in two places at once, one pack sold twice, not insured on the day.

use super::{Recipe, Scene, hit, json, near, whole};
use crate::operations::generate::calendar::at;
use crate::operations::generate::catalogue::{
    BACK_PAIN, BLOOD_COUNT, INFUSION, LORATADINE, NOWHERE, OMEPRAZOLE, PNEUMONIA,
};
use crate::operations::generate::rows::fund_paid;

pub(super) const RECIPES: &[Recipe] = &[
    hit("IDN102", "at-once-far", 1, at_once_far),
    hit("IDN102", "at-once-edge", 1, at_once_edge),
    near("IDN102", "at-once-late-enough", 1, at_once_late_enough),
    hit("IDN102", "at-once-just-too-far", 1, at_once_just_too_far),
    near("IDN102", "at-once-next-door", 1, at_once_next_door),
    hit("IDN102", "at-once-at-a-pharmacy", 1, at_once_at_a_pharmacy),
    near("IDN102", "at-once-in-an-emergency", 1, at_once_in_an_emergency),
    near("IDN102", "at-once-nobody-knows-where", 1, at_once_nobody_knows_where),
    near("IDN102", "at-once-nobody-knows-when", 1, at_once_nobody_knows_when),
    near("IDN102", "at-once-refunded", 1, at_once_refunded),
    near("IDN102", "at-once-unpaid", 1, at_once_unpaid),
    hit("IDN103", "pack-sold-twice", 5, pack_sold_twice),
    hit("IDN103", "pack-sold-three-times", 9, pack_sold_three_times),
    near("IDN103", "pack-twice-in-one-visit", 1, pack_twice_in_one_visit),
    near("IDN103", "pack-other-code", 5, pack_other_code),
    near("IDN103", "pack-returned-and-sold", 5, pack_returned_and_sold),
    near("IDN103", "pack-unpaid", 5, pack_unpaid),
    near("IDN103", "pack-sold-to-one", 1, pack_sold_to_one),
    hit("IDN103", "pack-sold-to-another", 1, pack_sold_to_another),
    hit("IDN104", "before-insurance-far", 1, before_insurance_far),
    hit("IDN104", "before-insurance-edge", 1, before_insurance_edge),
    near("IDN104", "first-day-of-insurance", 1, first_day_of_insurance),
    hit("IDN104", "after-suspension-edge", 1, after_suspension_edge),
    near("IDN104", "last-day-before-suspension", 1, last_day_before_suspension),
    near("IDN104", "insured-again", 1, insured_again),
    near("IDN104", "before-the-gap", 1, before_the_gap),
    hit("IDN104", "in-the-gap", 1, in_the_gap),
    hit("IDN104", "stay-begun-before-insurance", 5, stay_begun_before_insurance),
    near("IDN104", "no-fund-money", 1, no_fund_money),
    near("IDN104", "before-insurance-refunded", 1, before_insurance_refunded),
];

// ---- IDN102

/// Facilities by how far they are from the first: 28.122, 20.723 and 19.243 km.
const FAR: usize = 19;
const JUST_TOO_FAR: usize = 14;
const NEAR: usize = 13;
/// Seconds that the 28.122 km take at 120 km/h, rounded down.
const WAY: i64 = 843;

fn two_places(
    scene: &mut Scene<'_>,
    first: (usize, &'static str),
    second: (usize, &'static str),
    seconds: i64,
) -> (usize, usize) {
    let time = scene.time(0);
    let mut visits = [0; 2];
    for (visit, ((facility, kind), begin)) in visits.iter_mut().zip([(first, time), (second, time + seconds)]) {
        *visit = scene.life.visit(facility, kind, begin, (kind != "41").then_some(&BACK_PAIN));
        let item = if kind == "41" { &LORATADINE } else { &BLOOD_COUNT };
        scene.life.charge(*visit, item, begin + 60, 1);
        scene.life.settle(*visit);
    }
    (visits[0], visits[1])
}

fn found_two_places(scene: &mut Scene<'_>, first: (usize, &'static str), second: (usize, &'static str), seconds: i64) {
    let (one, two) = two_places(scene, first, second, seconds);
    let amount = scene.all_inscp(two);
    let (person, one, two) = (scene.psn_no(), scene.life.mdtrt_id(one), scene.life.mdtrt_id(two));
    scene.find("IDN102", json(&[("psn_no", &person), ("mdtrt_id_1", &one), ("mdtrt_id_2", &two)]), amount);
}

fn at_once_far(scene: &mut Scene<'_>) {
    found_two_places(scene, (0, "11"), (FAR, "11"), 240);
}

fn at_once_edge(scene: &mut Scene<'_>) {
    found_two_places(scene, (FAR, "11"), (0, "11"), WAY);
}

fn at_once_late_enough(scene: &mut Scene<'_>) {
    two_places(scene, (0, "11"), (FAR, "11"), WAY + 1);
}

fn at_once_just_too_far(scene: &mut Scene<'_>) {
    found_two_places(scene, (0, "11"), (JUST_TOO_FAR, "16"), 5);
}

fn at_once_next_door(scene: &mut Scene<'_>) {
    two_places(scene, (0, "11"), (NEAR, "11"), 5);
}

fn at_once_at_a_pharmacy(scene: &mut Scene<'_>) {
    found_two_places(scene, (0, "11"), (40, "41"), 600);
}

fn at_once_in_an_emergency(scene: &mut Scene<'_>) {
    two_places(scene, (0, "13"), (FAR, "11"), 240);
}

fn at_once_nobody_knows_where(scene: &mut Scene<'_>) {
    two_places(scene, (0, "11"), (NOWHERE, "11"), 240);
}

/// One of the visits has a day and no hour.
fn at_once_nobody_knows_when(scene: &mut Scene<'_>) {
    let (_, second) = two_places(scene, (0, "11"), (FAR, "11"), 240);
    scene.life.encounters[second].begin = at(scene.day, 0, 0, 0);
}

fn at_once_refunded(scene: &mut Scene<'_>) {
    let (first, _) = two_places(scene, (0, "11"), (FAR, "11"), 240);
    scene.life.refund_settlement(first, 0, || true);
}

fn at_once_unpaid(scene: &mut Scene<'_>) {
    let (first, _) = two_places(scene, (0, "11"), (FAR, "11"), 240);
    for line in 0..2 {
        let line = scene.life.line(first, line);
        line.own = line.amount;
    }
}

// ---- IDN103

/// A pack with this code on a day; found as sold again by the caller.
fn pack(scene: &mut Scene<'_>, facility: usize, offset: i64, code: &str) -> (usize, usize) {
    let time = scene.time(offset);
    let visit = scene.life.visit(facility, "41", time, None);
    let item = if offset == 0 { &LORATADINE } else { &OMEPRAZOLE };
    let line = scene.life.charge(visit, item, time, 1);
    scene.life.line(visit, line).trace = Some(code.to_owned());
    (visit, line)
}

fn trace_code(scene: &Scene<'_>) -> String {
    format!("82{:018}", scene.life.number + 1)
}

fn sold(scene: &mut Scene<'_>, places: &[(usize, i64)]) {
    let code = trace_code(scene);
    let mut amount = 0;
    for (nth, &(facility, offset)) in places.iter().enumerate() {
        let (visit, line) = pack(scene, facility, offset, &code);
        scene.life.settle(visit);
        amount += if nth > 0 { scene.inscp(visit, line) } else { 0 };
    }
    scene.find("IDN103", json(&[("trace_code", &code)]), amount);
}

fn pack_sold_twice(scene: &mut Scene<'_>) {
    sold(scene, &[(33, 0), (41, 4)]);
}

fn pack_sold_three_times(scene: &mut Scene<'_>) {
    sold(scene, &[(33, 0), (33, 1), (37, 8)]);
}

fn pack_twice_in_one_visit(scene: &mut Scene<'_>) {
    let code = trace_code(scene);
    let (visit, line) = pack(scene, 33, 0, &code);
    let time = scene.life.line(visit, line).time + 9;
    let again = scene.life.charge(visit, &OMEPRAZOLE, time, 1);
    scene.life.line(visit, again).trace = Some(code);
    scene.life.settle(visit);
}

fn pack_other_code(scene: &mut Scene<'_>) {
    let code = trace_code(scene);
    let (visit, _) = pack(scene, 33, 0, &code);
    scene.life.settle(visit);
    let (visit, _) = pack(scene, 41, 4, &format!("83{}", &code[2..]));
    scene.life.settle(visit);
}

fn pack_returned_and_sold(scene: &mut Scene<'_>) {
    let code = trace_code(scene);
    let (visit, _) = pack(scene, 33, 0, &code);
    scene.settle_and_refund(visit);
    let (visit, _) = pack(scene, 33, 4, &code);
    scene.life.settle(visit);
}

fn pack_unpaid(scene: &mut Scene<'_>) {
    let code = trace_code(scene);
    let (visit, line) = pack(scene, 33, 0, &code);
    let line = scene.life.line(visit, line);
    line.own = line.amount;
    scene.life.settle(visit);
    let (visit, _) = pack(scene, 41, 4, &code);
    scene.life.settle(visit);
}

/// The first to have the pack. Who comes next in the county, and lives the next recipe, has it too.
fn pack_sold_to_one(scene: &mut Scene<'_>) {
    scene.day = scene.life.first_day + 3;
    let code = trace_code(scene);
    let (visit, _) = pack(scene, 33, 0, &code);
    scene.life.settle(visit);
}

/// The second to have it, six days later: the truth is told here. Persons beyond the first of each recipe do not come in
/// this order, so their pack is their own.
fn pack_sold_to_another(scene: &mut Scene<'_>) {
    scene.day = scene.life.first_day + 9;
    let number = scene.life.number;
    let in_order = usize::try_from(number).is_ok_and(|number| number < super::recipes().len());
    let code = if in_order { format!("82{number:018}") } else { trace_code(scene) };
    let (visit, line) = pack(scene, 41, 0, &code);
    scene.life.settle(visit);
    if in_order {
        let amount = scene.inscp(visit, line);
        scene.find("IDN103", json(&[("trace_code", &code)]), amount);
    }
}

// ---- IDN104

/// Insured from and until, in days of the scene; a visit on its first day.
fn insured(scene: &mut Scene<'_>, from: i64, until: Option<i64>) -> usize {
    (scene.life.insured, scene.life.paused) = (scene.day + from, until.map(|until| scene.day + until));
    let (visit, line) = scene.visit(0, &BACK_PAIN, &BLOOD_COUNT, 1);
    let time = scene.life.line(visit, line).time;
    scene.life.charge(visit, &OMEPRAZOLE, time + 60, 1);
    visit
}

fn insured_of(scene: &mut Scene<'_>, from: i64, until: Option<i64>, found: bool) {
    let visit = insured(scene, from, until);
    scene.life.settle(visit);
    if found {
        found_settlement(scene, visit);
    }
}

fn found_settlement(scene: &mut Scene<'_>, visit: usize) {
    let amount = fund_paid(scene.life, visit, 0);
    let key = json(&[("setl_id", &scene.life.setl_id(visit, 0))]);
    scene.find("IDN104", key, amount);
}

fn before_insurance_far(scene: &mut Scene<'_>) {
    insured_of(scene, 40, None, true);
}

fn before_insurance_edge(scene: &mut Scene<'_>) {
    insured_of(scene, 1, None, true);
}

fn first_day_of_insurance(scene: &mut Scene<'_>) {
    insured_of(scene, 0, None, false);
}

fn after_suspension_edge(scene: &mut Scene<'_>) {
    insured_of(scene, -900, Some(-1), true);
}

fn last_day_before_suspension(scene: &mut Scene<'_>) {
    insured_of(scene, -900, Some(0), false);
}

fn insured_again(scene: &mut Scene<'_>) {
    insured_of(scene, 0, Some(-60), false);
}

fn before_the_gap(scene: &mut Scene<'_>) {
    insured_of(scene, 30, Some(0), false);
}

fn in_the_gap(scene: &mut Scene<'_>) {
    insured_of(scene, 1, Some(-1), true);
}

/// The day on which the stay began counts, not that of the settlement.
fn stay_begun_before_insurance(scene: &mut Scene<'_>) {
    scene.life.insured = scene.day + 1;
    let (facility, day) = (scene.hospital(), scene.day);
    let stay = scene.life.lean_stay(facility, day, day + 3, &PNEUMONIA);
    scene.life.daily(stay, day, day + 3);
    let index = scene.life.charge(stay, &INFUSION, at(day, 10, 0, 0), 1);
    let line = scene.life.line(stay, index);
    line.cnt = whole(60);
    line.reprice();
    scene.life.settle(stay);
    found_settlement(scene, stay);
}

fn no_fund_money(scene: &mut Scene<'_>) {
    scene.life.insutype = "310";
    scene.life.insured = scene.day + 5;
    let time = scene.time(0);
    let visit = scene.life.visit(35, "41", time, None);
    scene.life.charge(visit, &LORATADINE, time, 1);
    scene.life.settle(visit);
}

fn before_insurance_refunded(scene: &mut Scene<'_>) {
    let visit = insured(scene, 40, None);
    scene.settle_and_refund(visit);
}
