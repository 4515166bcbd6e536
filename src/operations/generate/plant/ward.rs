//! STY102, STY105 to STY109: two stays at once in one house, the chemist's counter from a hospital bed, beds without treatment,
//! stays for an examination's sake, too many stays, an empty bed.

use super::{Recipe, Scene, hit, json, near, whole};
use crate::operations::generate::calendar::{at, day_text};
use crate::operations::generate::catalogue::{
    AMLODIPINE, APPENDICITIS, BED, BLOOD_COUNT, CHEMOTHERAPY, CT, DISC, Disease, FRACTURE, GALLSTONES, INFUSION, Item,
    LORATADINE, NURSING_2, OMEPRAZOLE, PNEUMONIA, SALINE, STAY_FEE, STROKE,
};
use crate::operations::generate::life::share;

pub(super) const RECIPES: &[Recipe] = &[
    hit("STY102", "same-house-far", 13, same_house_far),
    hit("STY102", "same-house-edge", 11, same_house_edge),
    hit("STY102", "same-house-one-day-inside", 7, same_house_one_day_inside),
    near("STY102", "same-house-touch", 11, same_house_touch),
    near("STY102", "same-house-one-day-on-admission", 7, same_house_one_day_on_admission),
    near("STY102", "same-house-newborn", 11, same_house_newborn),
    hit("STY102", "same-house-newborn-no-more", 11, same_house_newborn_no_more),
    near("STY102", "same-house-refunded", 11, same_house_refunded),
    hit("STY105", "counter-in-the-middle", 9, counter_in_the_middle),
    hit("STY105", "counter-edge-after-admission", 9, counter_edge_after_admission),
    hit("STY105", "counter-edge-before-discharge", 9, counter_edge_before_discharge),
    hit("STY105", "counter-chronic", 9, counter_chronic),
    near("STY105", "counter-on-admission-day", 9, counter_on_admission_day),
    near("STY105", "counter-on-discharge-day", 9, counter_on_discharge_day),
    near("STY105", "counter-from-the-account", 9, counter_from_the_account),
    near("STY105", "counter-refunded", 9, counter_refunded),
    hit("STY106", "plain-far", 10, plain_far),
    hit("STY106", "plain-edge", 9, plain_edge),
    near("STY106", "plain-two-days", 9, plain_two_days),
    near("STY106", "plain-from-admission", 9, plain_from_admission),
    near("STY106", "plain-interrupted", 10, plain_interrupted),
    hit("STY106", "plain-for-a-refund", 9, plain_for_a_refund),
    near("STY106", "plain-by-bed-day", 10, plain_by_bed_day),
    near("STY106", "plain-in-rehabilitation", 10, plain_in_rehabilitation),
    near("STY106", "plain-in-psychiatry", 10, plain_in_psychiatry),
    near("STY106", "plain-refunded", 10, plain_refunded),
    hit("STY107", "examined-far", 4, examined_far),
    hit("STY107", "examined-share-edge", 4, examined_share_edge),
    near("STY107", "examined-share-at", 4, examined_share_at),
    hit("STY107", "examined-treatment-edge", 4, examined_treatment_edge),
    near("STY107", "examined-treatment-at", 4, examined_treatment_at),
    hit("STY107", "examined-three-days", 5, examined_three_days),
    near("STY107", "examined-four-days", 6, examined_four_days),
    near("STY107", "examined-refunded", 4, examined_refunded),
    hit("STY108", "six-stays", 24, six_stays),
    hit("STY108", "five-stays-edge", 1, five_stays_edge),
    near("STY108", "five-stays-ninety-days", 1, five_stays_ninety_days),
    near("STY108", "four-stays", 20, four_stays),
    near("STY108", "fifth-stay-planned", 20, fifth_stay_planned),
    hit("STY108", "planned-stay-counts", 20, planned_stay_counts),
    near("STY108", "five-stays-one-refunded", 20, five_stays_one_refunded),
    hit("STY109", "absent-far", 8, absent_far),
    hit("STY109", "absent-edge", 8, absent_edge),
    near("STY109", "absent-one-day", 8, absent_one_day),
    near("STY109", "absent-without-a-bed-charged", 8, absent_without_a_bed_charged),
    near("STY109", "absent-bed-refunded", 8, absent_bed_refunded),
    near("STY109", "absent-all-refunded", 8, absent_all_refunded),
];

/// A stay with one drug and one test: enough to be one, too little for any other rule.
fn small_stay(scene: &mut Scene<'_>, facility: usize, from: i64, until: i64, disease: &'static Disease) -> usize {
    let day = scene.day;
    let stay = scene.life.lean_stay(facility, day + from, day + until, disease);
    scene.life.charge(stay, &BLOOD_COUNT, at(day + from, 10, 5, 0), 1);
    scene.life.settle(stay);
    stay
}

// ---- STY102

fn same_house(scene: &mut Scene<'_>, first: (i64, i64), second: (i64, i64)) -> (usize, usize) {
    let facility = scene.hospital();
    let one = small_stay(scene, facility, first.0, first.1, &PNEUMONIA);
    (one, small_stay(scene, facility, second.0, second.1, &FRACTURE))
}

fn found_same_house(scene: &mut Scene<'_>, first: (i64, i64), second: (i64, i64)) {
    let (one, two) = same_house(scene, first, second);
    let length = (second.1 - second.0).max(1);
    let shared = (first.1.min(second.1) - first.0.max(second.0)).max(1).min(length);
    let amount = share(scene.life.settled_inscp(two, 0), shared, length);
    let (one, two) = (scene.life.mdtrt_id(one), scene.life.mdtrt_id(two));
    scene.find("STY102", json(&[("mdtrt_id_1", &one), ("mdtrt_id_2", &two)]), amount);
}

fn same_house_far(scene: &mut Scene<'_>) {
    found_same_house(scene, (0, 7), (2, 11));
}

fn same_house_edge(scene: &mut Scene<'_>) {
    found_same_house(scene, (0, 5), (4, 9));
}

fn same_house_one_day_inside(scene: &mut Scene<'_>) {
    found_same_house(scene, (0, 5), (3, 3));
}

fn same_house_touch(scene: &mut Scene<'_>) {
    same_house(scene, (0, 5), (5, 9));
}

fn same_house_one_day_on_admission(scene: &mut Scene<'_>) {
    same_house(scene, (0, 5), (0, 0));
}

/// A mother's stay and her child's run under one number until the child has its own.
fn same_house_newborn(scene: &mut Scene<'_>) {
    scene.life.born = scene.day - 28;
    same_house(scene, (0, 6), (3, 9));
}

fn same_house_newborn_no_more(scene: &mut Scene<'_>) {
    scene.life.born = scene.day - 29;
    found_same_house(scene, (0, 6), (3, 9));
}

fn same_house_refunded(scene: &mut Scene<'_>) {
    let (_, second) = same_house(scene, (0, 6), (3, 9));
    scene.life.refund_settlement(second, 0, || true);
}

// ---- STY105

/// A stay of seven days, and a pack from a pharmacy on a day of it.
fn counter(scene: &mut Scene<'_>, kind: &'static str, item: &'static Item, offset: i64) -> (usize, usize) {
    let facility = scene.hospital();
    small_stay(scene, facility, 0, 7, &STROKE);
    let time = scene.time(offset);
    let visit = scene.life.visit(34, kind, time, None);
    (visit, scene.life.charge(visit, item, time, 1))
}

/// Residents' fund pays at the counter, employees pay there from their account.
fn counter_of(scene: &mut Scene<'_>, insutype: &'static str, item: &'static Item, offset: i64, found: bool) {
    scene.life.insutype = insutype;
    let kind = if item.code == AMLODIPINE.code { "9929" } else { "41" };
    let (visit, line) = counter(scene, kind, item, offset);
    scene.life.settle(visit);
    if found {
        let amount = scene.inscp(visit, line);
        scene.find_visit("STY105", visit, amount);
    }
}

fn counter_in_the_middle(scene: &mut Scene<'_>) {
    counter_of(scene, "390", &LORATADINE, 3, true);
}

fn counter_edge_after_admission(scene: &mut Scene<'_>) {
    counter_of(scene, "390", &OMEPRAZOLE, 1, true);
}

fn counter_edge_before_discharge(scene: &mut Scene<'_>) {
    counter_of(scene, "390", &LORATADINE, 6, true);
}

fn counter_chronic(scene: &mut Scene<'_>) {
    counter_of(scene, "310", &AMLODIPINE, 4, true);
}

fn counter_on_admission_day(scene: &mut Scene<'_>) {
    counter_of(scene, "390", &LORATADINE, 0, false);
}

fn counter_on_discharge_day(scene: &mut Scene<'_>) {
    counter_of(scene, "390", &LORATADINE, 7, false);
}

fn counter_from_the_account(scene: &mut Scene<'_>) {
    counter_of(scene, "310", &LORATADINE, 3, false);
}

fn counter_refunded(scene: &mut Scene<'_>) {
    scene.life.insutype = "390";
    let (visit, _) = counter(scene, "41", &LORATADINE, 3);
    scene.settle_and_refund(visit);
}

// ---- STY106

/// A stay of seven or more days with a drip on each day but these, on which there is only the bed, care and a round.
fn plain(scene: &mut Scene<'_>, length: i64, days: &[i64]) -> usize {
    let (facility, day) = (scene.hospital(), scene.day);
    let stay = scene.life.begin(facility, "21", at(day, 9, 10, 0), Some(at(day + length, 15, 20, 0)), Some(&DISC));
    scene.life.encounters[stay].leaving = Some("1");
    for offset in 0..length {
        if days.contains(&offset) {
            scene.life.charge(stay, &BED, at(day + offset, 23, 0, 0), 1);
            scene.life.charge(stay, &NURSING_2, at(day + offset, 23, 0, 1), 1);
            scene.life.charge(stay, &STAY_FEE, at(day + offset, 23, 0, 2), 1);
        } else {
            scene.life.charge(stay, &SALINE, at(day + offset, 11, 0, 0), 2);
        }
    }
    stay
}

fn found_plain(scene: &mut Scene<'_>, stay: usize, days: &[i64]) {
    let (Some(first), Some(last)) = (days.first(), days.last()) else { return };
    let each = BED.price + NURSING_2.price + STAY_FEE.price;
    let amount = each * (last - first + 1);
    let (first, last) = (day_text(scene.day + first), day_text(scene.day + last));
    let id = scene.life.mdtrt_id(stay);
    scene.find("STY106", json(&[("mdtrt_id", &id), ("first_day", &first), ("last_day", &last)]), amount);
}

fn plain_of(scene: &mut Scene<'_>, length: i64, days: &[i64], found: bool) -> usize {
    let stay = plain(scene, length, days);
    scene.life.settle(stay);
    if found {
        found_plain(scene, stay, days);
    }
    stay
}

fn plain_far(scene: &mut Scene<'_>) {
    plain_of(scene, 8, &[1, 2, 3, 4, 5, 6, 7], true);
}

fn plain_edge(scene: &mut Scene<'_>) {
    plain_of(scene, 7, &[2, 3, 4], true);
}

fn plain_two_days(scene: &mut Scene<'_>) {
    plain_of(scene, 7, &[2, 3], false);
}

/// The day of admission is not inside.
fn plain_from_admission(scene: &mut Scene<'_>) {
    plain_of(scene, 7, &[0, 1, 2], false);
}

fn plain_interrupted(scene: &mut Scene<'_>) {
    plain_of(scene, 7, &[1, 2, 4, 5], false);
}

/// The drip of the day in the middle was given back.
fn plain_for_a_refund(scene: &mut Scene<'_>) {
    let stay = plain(scene, 7, &[2, 3, 4]);
    let time = at(scene.day + 3, 11, 0, 0);
    let drip = scene.life.charge(stay, &SALINE, time, 1);
    scene.life.refund_line(stay, drip, whole(1), true);
    scene.life.settle(stay);
    found_plain(scene, stay, &[2, 3, 4]);
}

fn plain_by_bed_day(scene: &mut Scene<'_>) {
    let stay = plain_of(scene, 8, &[2, 3, 4, 5], false);
    scene.life.encounters[stay].med_type = "2105";
}

fn plain_in_rehabilitation(scene: &mut Scene<'_>) {
    let stay = plain_of(scene, 8, &[2, 3, 4, 5], false);
    scene.life.encounters[stay].department = Some("A21");
}

fn plain_in_psychiatry(scene: &mut Scene<'_>) {
    let stay = plain_of(scene, 8, &[2, 3, 4, 5], false);
    scene.life.encounters[stay].department = Some("A15");
}

fn plain_refunded(scene: &mut Scene<'_>) {
    let stay = plain(scene, 7, &[2, 3, 4, 5]);
    scene.settle_and_refund(stay);
}

// ---- STY107

/// A stay of so many days with an examination, a treatment and other charges of these cents.
fn examined(scene: &mut Scene<'_>, days: i64, [examined, treated, other]: [i64; 3]) -> usize {
    let (facility, day) = (scene.hospital(), scene.day);
    let stay = scene.life.begin(facility, "21", at(day, 9, 10, 0), Some(at(day + days, 15, 20, 0)), Some(&GALLSTONES));
    scene.life.encounters[stay].leaving = Some("1");
    for (item, cents, hour) in [(&CT, examined, 10), (&INFUSION, treated, 11), (&STAY_FEE, other, 12)] {
        if cents > 0 {
            let index = scene.life.charge(stay, item, at(day, hour, 0, 0), 1);
            let line = scene.life.line(stay, index);
            line.pric = cents;
            line.reprice();
        }
    }
    stay
}

fn examined_of(scene: &mut Scene<'_>, days: i64, parts: [i64; 3], found: bool) {
    let stay = examined(scene, days, parts);
    scene.life.settle(stay);
    if found {
        let amount = scene.life.settled_inscp(stay, 0);
        scene.find_visit("STY107", stay, amount);
    }
}

fn examined_far(scene: &mut Scene<'_>) {
    examined_of(scene, 2, [68_000, 0, 5_800], true);
}

fn examined_share_edge(scene: &mut Scene<'_>) {
    examined_of(scene, 2, [24_501, 500, 10_000], true);
}

/// 245 of 350 yuan.
fn examined_share_at(scene: &mut Scene<'_>) {
    examined_of(scene, 2, [24_500, 500, 10_000], false);
}

fn examined_treatment_edge(scene: &mut Scene<'_>) {
    examined_of(scene, 2, [80_000, 9_999, 10_000], true);
}

/// 100 of 1,000 yuan.
fn examined_treatment_at(scene: &mut Scene<'_>) {
    examined_of(scene, 2, [80_000, 10_000, 10_000], false);
}

fn examined_three_days(scene: &mut Scene<'_>) {
    examined_of(scene, 3, [68_000, 1_000, 5_800], true);
}

fn examined_four_days(scene: &mut Scene<'_>) {
    examined_of(scene, 4, [68_000, 1_000, 5_800], false);
}

fn examined_refunded(scene: &mut Scene<'_>) {
    let stay = examined(scene, 2, [68_000, 0, 5_800]);
    scene.settle_and_refund(stay);
}

// ---- STY108

/// Stays of two days at another hospital each, begun on these days; those beyond the fourth of a window are found.
fn stays(scene: &mut Scene<'_>, days: &[i64], planned: Option<usize>) -> Vec<usize> {
    let diseases = [&PNEUMONIA, &STROKE, &APPENDICITIS, &GALLSTONES, &FRACTURE, &DISC];
    let stays: Vec<usize> = days
        .iter()
        .enumerate()
        .map(|(at, &day)| {
            let disease = if planned == Some(at) { &CHEMOTHERAPY } else { diseases[at % 6] };
            small_stay(scene, at % 6, day, day + 2, disease)
        })
        .collect();
    for (at, &day) in days.iter().enumerate() {
        let begun = days[..=at].iter().filter(|&&other| day - other < 90).count();
        if begun > 4 && planned != Some(at) {
            let amount = scene.life.settled_inscp(stays[at], 0);
            let (person, id) = (scene.psn_no(), scene.life.mdtrt_id(stays[at]));
            scene.find("STY108", json(&[("psn_no", &person), ("mdtrt_id", &id)]), amount);
        }
    }
    stays
}

fn six_stays(scene: &mut Scene<'_>) {
    stays(scene, &[0, 4, 8, 12, 16, 20], None);
}

fn five_stays_edge(scene: &mut Scene<'_>) {
    stays(scene, &[-89, -60, -40, -20, 0], None);
}

fn five_stays_ninety_days(scene: &mut Scene<'_>) {
    stays(scene, &[-90, -60, -40, -20, 0], None);
}

fn four_stays(scene: &mut Scene<'_>) {
    stays(scene, &[0, 5, 10, 15], None);
}

fn fifth_stay_planned(scene: &mut Scene<'_>) {
    stays(scene, &[0, 4, 8, 12, 16], Some(4));
}

fn planned_stay_counts(scene: &mut Scene<'_>) {
    stays(scene, &[0, 4, 8, 12, 16], Some(2));
}

fn five_stays_one_refunded(scene: &mut Scene<'_>) {
    let four = stays(scene, &[0, 4, 8, 12], None);
    scene.life.refund_settlement(four[1], 0, || true);
    small_stay(scene, 4, 16, 18, &DISC);
}

// ---- STY109

/// A stay of five days, a bed, care, a round and a drip each day; on these days at these hours nobody lay in the bed.
fn absent(scene: &mut Scene<'_>, checks: &[(i64, i64)]) -> usize {
    let (facility, day) = (scene.hospital(), scene.day);
    let stay = scene.life.lean_stay(facility, day, day + 5, &STROKE);
    scene.life.daily(stay, day, day + 5);
    scene.life.encounters[stay].absences = checks.iter().map(|&(offset, hour)| at(day + offset, hour, 10, 0)).collect();
    scene.life.encounters[stay].bed_checks = vec![at(day + 4, 10, 0, 0)];
    stay
}

fn absent_of(scene: &mut Scene<'_>, checks: &[(i64, i64)], found: &[i64]) {
    let stay = absent(scene, checks);
    scene.life.settle(stay);
    for offset in found {
        let (id, day) = (scene.life.mdtrt_id(stay), day_text(scene.day + offset));
        let amount = BED.price + NURSING_2.price + STAY_FEE.price;
        scene.find("STY109", json(&[("mdtrt_id", &id), ("day", &day)]), amount);
    }
}

fn absent_far(scene: &mut Scene<'_>) {
    absent_of(scene, &[(1, 21), (2, 21), (2, 23), (3, 22)], &[1, 2, 3]);
}

fn absent_edge(scene: &mut Scene<'_>) {
    absent_of(scene, &[(1, 21), (3, 21)], &[1, 3]);
}

fn absent_one_day(scene: &mut Scene<'_>) {
    absent_of(scene, &[(2, 8), (2, 22)], &[]);
}

fn absent_without_a_bed_charged(scene: &mut Scene<'_>) {
    let (facility, day) = (scene.hospital(), scene.day);
    let stay = scene.life.lean_stay(facility, day, day + 5, &STROKE);
    for offset in 0..5 {
        scene.life.charge(stay, &SALINE, at(day + offset, 9, 40, 0), 2);
    }
    scene.life.encounters[stay].absences = vec![at(day + 1, 21, 0, 0), at(day + 2, 21, 0, 0)];
    scene.life.settle(stay);
}

/// The bed of one of the two days was given back.
fn absent_bed_refunded(scene: &mut Scene<'_>) {
    let stay = absent(scene, &[(1, 21), (3, 21)]);
    let night = at(scene.day + 3, 23, 0, 0);
    let bed = scene.life.encounters[stay].lines.iter().position(|l| l.item.code == BED.code && l.time == night);
    if let Some(bed) = bed {
        scene.life.refund_line(stay, bed, whole(1), true);
    }
    scene.life.settle(stay);
}

fn absent_all_refunded(scene: &mut Scene<'_>) {
    let stay = absent(scene, &[(1, 21), (3, 21)]);
    scene.settle_and_refund(stay);
}
