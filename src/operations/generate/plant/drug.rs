//! MED102 and MED104 to MED110: drugs to take home, drugs bought too often, two of a class, too many on a prescription, the
//! second line first, courses too long, herbs alone and herbs never paid.

use super::{Recipe, Scene, hit, json, near, whole};
use crate::operations::generate::calendar::{at, civil, day_number, day_text};
use crate::operations::generate::catalogue::{
    AMLODIPINE, AMLODIPINE_OTHER, AMOXICILLIN, ANGELICA, ASTRAGALUS, BACK_PAIN, BLOOD_COUNT, CEFUROXIME, CETIRIZINE,
    CHRYSANTHEMUM, COLD, COLD_GRANULES, DERMATITIS, DESLORATADINE, Disease, FELODIPINE, GINSENG, HEART_FAILURE,
    HYPERTENSION, IBUPROFEN, Item, LORATADINE, LUNG_CANCER, NATRIURETIC, NIFEDIPINE, OMEPRAZOLE, PNEUMONIA, SMECTITE,
};
use crate::operations::generate::life::{Prescription, Supply, share};

pub(super) const RECIPES: &[Recipe] = &[
    hit("MED102", "home-far", 5, home_far),
    hit("MED102", "home-edge", 5, home_edge),
    near("MED102", "home-at", 5, home_at),
    hit("MED102", "home-chronic-edge", 5, home_chronic_edge),
    near("MED102", "home-chronic-at", 5, home_chronic_at),
    hit("MED102", "home-special-edge", 5, home_special_edge),
    near("MED102", "home-special-at", 5, home_special_at),
    near("MED102", "home-smallest-pack", 5, home_smallest_pack),
    near("MED102", "home-on-the-ward", 5, home_on_the_ward),
    near("MED102", "home-refunded", 5, home_refunded),
    hit("MED102", "home-partly-refunded", 5, home_partly_refunded),
    hit("MED104", "often-far", 1, often_far),
    hit("MED104", "often-edge", 1, often_edge),
    near("MED104", "often-at", 1, often_at),
    near("MED104", "often-over-two-months", 1, often_over_two_months),
    near("MED104", "often-two-lines-a-fill", 1, often_two_lines_a_fill),
    near("MED104", "often-one-refunded", 1, often_one_refunded),
    hit("MED105", "class-of-two", 1, class_of_two),
    hit("MED105", "class-of-three", 1, class_of_three),
    near("MED105", "class-one-generic", 1, class_one_generic),
    near("MED105", "class-in-two-visits", 1, class_in_two_visits),
    near("MED105", "class-in-a-stay", 4, class_in_a_stay),
    near("MED105", "class-one-unpaid", 1, class_one_unpaid),
    near("MED105", "class-one-refunded", 1, class_one_refunded),
    hit("MED106", "seven-drugs", 1, seven_drugs),
    hit("MED106", "six-drugs", 1, six_drugs),
    near("MED106", "five-drugs", 1, five_drugs),
    near("MED106", "six-drugs-on-two", 1, six_drugs_on_two),
    near("MED106", "six-drugs-without-a-number", 1, six_drugs_without_a_number),
    near("MED106", "six-drugs-of-the-ward", 4, six_drugs_of_the_ward),
    near("MED106", "six-drugs-one-refunded", 1, six_drugs_one_refunded),
    hit("MED107", "second-line-at-once", 1, second_line_at_once),
    hit("MED107", "first-line-too-long-ago", 1, first_line_too_long_ago),
    near("MED107", "first-line-just-in-time", 1, first_line_just_in_time),
    near("MED107", "first-line-on-the-same-day", 1, first_line_on_the_same_day),
    near("MED107", "first-line-unpaid", 8, first_line_unpaid),
    hit("MED107", "first-line-refunded", 8, first_line_refunded),
    near("MED107", "second-line-refunded", 1, second_line_refunded),
    hit("MED108", "course-far", 9, course_far),
    hit("MED108", "course-edge", 8, course_edge),
    near("MED108", "course-at", 8, course_at),
    near("MED108", "course-twice-a-day", 8, course_twice_a_day),
    hit("MED108", "course-in-a-cut-stay", 8, course_in_a_cut_stay),
    near("MED108", "course-one-refunded", 8, course_one_refunded),
    hit("MED109", "herb-alone", 1, herb_alone),
    hit("MED109", "two-herbs-of-the-list", 1, two_herbs_of_the_list),
    hit("MED109", "herb-alone-in-a-batch", 1, herb_alone_in_a_batch),
    near("MED109", "herb-in-company", 1, herb_in_company),
    near("MED109", "herb-in-unpaid-company", 1, herb_in_unpaid_company),
    near("MED109", "herb-without-a-number", 1, herb_without_a_number),
    near("MED109", "herb-refunded", 1, herb_refunded),
    hit("MED110", "ginseng", 1, ginseng),
    hit("MED110", "ginseng-in-company", 1, ginseng_in_company),
    near("MED110", "ginseng-unpaid", 1, ginseng_unpaid),
    near("MED110", "ginseng-refunded", 1, ginseng_refunded),
    hit("MED110", "ginseng-partly-refunded", 1, ginseng_partly_refunded),
];

// ---- MED102

/// A stay of three days and packs to take home: of which disease, how many packs, for how many days.
fn home(scene: &mut Scene<'_>, disease: &'static Disease, packs: i64, days: i64) -> (usize, usize) {
    let (facility, day) = (scene.hospital(), scene.day);
    let stay = scene.life.lean_stay(facility, day, day + 3, disease);
    let index = scene.life.charge(stay, &OMEPRAZOLE, at(day + 3, 9, 0, 0), packs);
    let line = scene.life.line(stay, index);
    (line.supply, line.take_home) = (Supply::Days(whole(days)), true);
    (stay, index)
}

fn home_of(scene: &mut Scene<'_>, disease: &'static Disease, days: i64, limit: i64) {
    let (stay, line) = home(scene, disease, 2, days);
    scene.life.settle(stay);
    if days > limit {
        let amount = share(scene.inscp(stay, line), days - limit, days);
        scene.find_line("MED102", stay, line, amount);
    }
}

fn home_far(scene: &mut Scene<'_>) {
    home_of(scene, &PNEUMONIA, 28, 7);
}

fn home_edge(scene: &mut Scene<'_>) {
    home_of(scene, &PNEUMONIA, 8, 7);
}

fn home_at(scene: &mut Scene<'_>) {
    home_of(scene, &PNEUMONIA, 7, 7);
}

fn home_chronic_edge(scene: &mut Scene<'_>) {
    home_of(scene, &HYPERTENSION, 15, 14);
}

fn home_chronic_at(scene: &mut Scene<'_>) {
    home_of(scene, &HYPERTENSION, 14, 14);
}

fn home_special_edge(scene: &mut Scene<'_>) {
    home_of(scene, &LUNG_CANCER, 31, 30);
}

fn home_special_at(scene: &mut Scene<'_>) {
    home_of(scene, &LUNG_CANCER, 30, 30);
}

fn home_smallest_pack(scene: &mut Scene<'_>) {
    let (stay, _) = home(scene, &PNEUMONIA, 1, 28);
    scene.life.settle(stay);
}

/// Taken on the ward, not at home.
fn home_on_the_ward(scene: &mut Scene<'_>) {
    let (stay, line) = home(scene, &PNEUMONIA, 2, 14);
    scene.life.line(stay, line).take_home = false;
    scene.life.settle(stay);
}

fn home_refunded(scene: &mut Scene<'_>) {
    let (stay, line) = home(scene, &PNEUMONIA, 2, 14);
    scene.life.refund_line(stay, line, whole(2), true);
    scene.life.settle(stay);
}

fn home_partly_refunded(scene: &mut Scene<'_>) {
    let (stay, line) = home(scene, &PNEUMONIA, 3, 30);
    scene.life.refund_line(stay, line, whole(1), true);
    scene.life.settle(stay);
    let amount = share(share(scene.inscp(stay, line), 2, 3), 20 - 7, 20);
    scene.find_line("MED102", stay, line, amount);
}

// ---- MED104

/// Fills of a drug that lasts three days, on these days of the month; the fifth and later ones of it are found.
fn often(scene: &mut Scene<'_>, days: &[i64]) -> Vec<usize> {
    let (year, month, _) = civil(scene.day);
    let first = day_number(year, month, 1);
    scene.day = first;
    let mut visits = Vec::new();
    let mut amount = 0;
    for (nth, &day) in days.iter().enumerate() {
        let (visit, line) = scene.visit(day - 1, &BACK_PAIN, &SMECTITE, 1);
        scene.life.settle(visit);
        amount += if nth >= 4 { scene.inscp(visit, line) } else { 0 };
        visits.push(visit);
    }
    if amount > 0 && !days.contains(&33) {
        let month = day_text(first)[..7].to_owned();
        let person = scene.psn_no();
        let key = json(&[("psn_no", &person), ("generic", SMECTITE.generic()), ("month", &month)]);
        scene.find("MED104", key, amount);
    }
    visits
}

fn often_far(scene: &mut Scene<'_>) {
    often(scene, &[2, 6, 10, 14, 18, 22, 26]);
}

fn often_edge(scene: &mut Scene<'_>) {
    often(scene, &[1, 8, 14, 20, 27]);
}

fn often_at(scene: &mut Scene<'_>) {
    often(scene, &[1, 8, 14, 20]);
}

/// The fifth lies in the next month: no month has a 33rd day.
fn often_over_two_months(scene: &mut Scene<'_>) {
    often(scene, &[8, 14, 20, 26, 33]);
}

fn often_two_lines_a_fill(scene: &mut Scene<'_>) {
    let four = often(scene, &[3, 9, 15, 21]);
    let time = scene.life.encounters[four[1]].begin + 1000;
    let again = scene.life.charge(four[1], &SMECTITE, time, 1);
    scene.life.line(four[1], again).settlement = Some(0);
}

fn often_one_refunded(scene: &mut Scene<'_>) {
    let four = often(scene, &[3, 9, 15, 21]);
    scene.life.refund_settlement(four[2], 0, || true);
    let (visit, _) = scene.visit(26, &BACK_PAIN, &SMECTITE, 1);
    scene.life.settle(visit);
}

// ---- MED105

/// A visit with these drugs, one pack of each.
fn class(scene: &mut Scene<'_>, items: &[&'static Item]) -> (usize, Vec<usize>) {
    let (facility, time) = (scene.hospital(), scene.time(0));
    let visit = scene.life.visit(facility, "11", time, Some(&HYPERTENSION));
    let charge = |(item, second): (&&'static Item, i64)| scene.life.charge(visit, item, time + 900 + second, 1);
    (visit, items.iter().zip(0_i64..).map(charge).collect())
}

/// All but the dearest are found.
fn found_class(scene: &mut Scene<'_>, items: &[&'static Item]) {
    let (visit, lines) = class(scene, items);
    scene.life.settle(visit);
    let paid: Vec<i64> = lines.iter().map(|&line| scene.inscp(visit, line)).collect();
    let amount = paid.iter().sum::<i64>() - paid.iter().max().unwrap_or(&0);
    let (person, day) = (scene.psn_no(), day_text(scene.day));
    scene.find("MED105", json(&[("psn_no", &person), ("day", &day), ("atc4", "XC08CA")]), amount);
}

fn class_of_two(scene: &mut Scene<'_>) {
    found_class(scene, &[&AMLODIPINE, &NIFEDIPINE]);
}

fn class_of_three(scene: &mut Scene<'_>) {
    found_class(scene, &[&AMLODIPINE, &NIFEDIPINE, &FELODIPINE]);
}

fn class_one_generic(scene: &mut Scene<'_>) {
    let (visit, _) = class(scene, &[&AMLODIPINE, &AMLODIPINE_OTHER]);
    scene.life.settle(visit);
}

fn class_in_two_visits(scene: &mut Scene<'_>) {
    for item in [&AMLODIPINE, &NIFEDIPINE] {
        let (visit, _) = class(scene, &[item]);
        scene.life.settle(visit);
    }
}

fn class_in_a_stay(scene: &mut Scene<'_>) {
    let (facility, day) = (scene.hospital(), scene.day);
    let stay = scene.life.lean_stay(facility, day, day + 3, &HYPERTENSION);
    for item in [&AMLODIPINE, &NIFEDIPINE] {
        scene.life.charge(stay, item, at(day + 1, 9, 0, 0), 1);
    }
    scene.life.settle(stay);
}

fn class_one_unpaid(scene: &mut Scene<'_>) {
    let (visit, lines) = class(scene, &[&AMLODIPINE, &NIFEDIPINE]);
    let line = scene.life.line(visit, lines[0]);
    line.own = line.amount;
    scene.life.settle(visit);
}

fn class_one_refunded(scene: &mut Scene<'_>) {
    let (visit, lines) = class(scene, &[&AMLODIPINE, &NIFEDIPINE]);
    scene.life.refund_line(visit, lines[1], whole(1), false);
    scene.life.settle(visit);
}

// ---- MED106

const SEVEN: [&Item; 7] = [&AMOXICILLIN, &CEFUROXIME, &IBUPROFEN, &OMEPRAZOLE, &SMECTITE, &LORATADINE, &COLD_GRANULES];

/// A visit with these drugs on prescription 1.
fn many(scene: &mut Scene<'_>, items: &[&'static Item]) -> (usize, Vec<usize>) {
    let (facility, time) = (scene.hospital(), scene.time(0));
    let visit = scene.life.visit(facility, "11", time, Some(&COLD));
    let mut lines = Vec::new();
    for (item, second) in items.iter().zip(0_i64..) {
        let line = scene.life.charge(visit, item, time + 900 + second, 1);
        scene.life.line(visit, line).prescription = Prescription::Number(1);
        lines.push(line);
    }
    (visit, lines)
}

fn found_many(scene: &mut Scene<'_>, items: &[&'static Item]) {
    let (visit, _) = many(scene, items);
    scene.life.settle(visit);
    let id = scene.life.mdtrt_id(visit);
    scene.find("MED106", json(&[("mdtrt_id", &id), ("rx_drord_no", "RX1")]), 0);
}

fn seven_drugs(scene: &mut Scene<'_>) {
    found_many(scene, &SEVEN);
}

fn six_drugs(scene: &mut Scene<'_>) {
    found_many(scene, &SEVEN[..6]);
}

fn five_drugs(scene: &mut Scene<'_>) {
    let (visit, _) = many(scene, &SEVEN[..5]);
    scene.life.settle(visit);
}

fn six_drugs_on_two(scene: &mut Scene<'_>) {
    let (visit, lines) = many(scene, &SEVEN[..6]);
    scene.life.line(visit, lines[5]).prescription = Prescription::Number(2);
    scene.life.settle(visit);
}

fn six_drugs_without_a_number(scene: &mut Scene<'_>) {
    let (visit, lines) = many(scene, &SEVEN[..6]);
    for line in lines {
        scene.life.line(visit, line).prescription = Prescription::Nameless;
    }
    scene.life.settle(visit);
}

fn six_drugs_of_the_ward(scene: &mut Scene<'_>) {
    let (facility, day) = (scene.hospital(), scene.day);
    let stay = scene.life.lean_stay(facility, day, day + 3, &PNEUMONIA);
    for (item, second) in SEVEN[..6].iter().zip(0_i64..) {
        let line = scene.life.charge(stay, item, at(day + 1, 9, 0, second), 1);
        scene.life.line(stay, line).prescription = Prescription::Number(1);
    }
    scene.life.settle(stay);
}

fn six_drugs_one_refunded(scene: &mut Scene<'_>) {
    let (visit, lines) = many(scene, &SEVEN[..6]);
    scene.life.refund_line(visit, lines[3], whole(1), true);
    scene.life.settle(visit);
}

// ---- MED107

/// A visit long ago, so that the data reach back far enough to miss the first line in.
fn long_ago(scene: &mut Scene<'_>, item: &'static Item, offset: i64) {
    let (visit, _) = scene.visit(offset, &DERMATITIS, item, 1);
    scene.life.settle(visit);
}

fn second_line(scene: &mut Scene<'_>, found: bool) -> usize {
    let (visit, line) = scene.visit(0, &DERMATITIS, &DESLORATADINE, 1);
    scene.life.settle(visit);
    if found {
        scene.find_whole("MED107", visit, line);
    }
    visit
}

fn second_line_at_once(scene: &mut Scene<'_>) {
    long_ago(scene, &BLOOD_COUNT, -200);
    second_line(scene, true);
}

fn first_line_too_long_ago(scene: &mut Scene<'_>) {
    long_ago(scene, &LORATADINE, -181);
    second_line(scene, true);
}

fn first_line_just_in_time(scene: &mut Scene<'_>) {
    long_ago(scene, &LORATADINE, -180);
    second_line(scene, false);
}

fn first_line_on_the_same_day(scene: &mut Scene<'_>) {
    long_ago(scene, &BLOOD_COUNT, -200);
    let visit = second_line(scene, false);
    let time = scene.life.encounters[visit].begin + 60;
    let line = scene.life.charge(visit, &CETIRIZINE, time, 1);
    scene.life.line(visit, line).settlement = Some(0);
}

fn first_line_unpaid(scene: &mut Scene<'_>) {
    long_ago(scene, &BLOOD_COUNT, -200);
    let (visit, line) = scene.visit(-7, &DERMATITIS, &CETIRIZINE, 1);
    let line = scene.life.line(visit, line);
    line.own = line.amount;
    scene.life.settle(visit);
    second_line(scene, false);
}

fn first_line_refunded(scene: &mut Scene<'_>) {
    long_ago(scene, &BLOOD_COUNT, -200);
    let (visit, _) = scene.visit(-7, &DERMATITIS, &CETIRIZINE, 1);
    scene.settle_and_refund(visit);
    second_line(scene, true);
}

fn second_line_refunded(scene: &mut Scene<'_>) {
    long_ago(scene, &BLOOD_COUNT, -200);
    let visit = second_line(scene, false);
    scene.life.refund_settlement(visit, 0, || true);
}

// ---- MED108

/// A drug that is paid for three days of a stay, on these days of one of seven.
fn course(scene: &mut Scene<'_>, days: &[i64]) -> (usize, Vec<usize>) {
    let (facility, day) = (scene.hospital(), scene.day);
    let stay = scene.life.lean_stay(facility, day, day + 7, &HEART_FAILURE);
    let charge =
        |(&offset, nth): (&i64, i64)| scene.life.charge(stay, &NATRIURETIC, at(day + offset, 9 + nth, 0, 0), 1);
    (stay, days.iter().zip(0_i64..).map(charge).collect())
}

fn found_course(scene: &mut Scene<'_>, stay: usize, amount: i64) {
    let id = scene.life.mdtrt_id(stay);
    scene.find("MED108", json(&[("mdtrt_id", &id), ("point", "重组人脑利钠肽")]), amount);
}

fn course_far(scene: &mut Scene<'_>) {
    let (stay, _) = course(scene, &[0, 1, 2, 3, 4, 5]);
    scene.life.settle(stay);
    found_course(scene, stay, NATRIURETIC.price * 3);
}

fn course_edge(scene: &mut Scene<'_>) {
    let (stay, _) = course(scene, &[1, 2, 4, 6]);
    scene.life.settle(stay);
    found_course(scene, stay, NATRIURETIC.price);
}

fn course_at(scene: &mut Scene<'_>) {
    let (stay, _) = course(scene, &[1, 2, 3]);
    scene.life.settle(stay);
}

fn course_twice_a_day(scene: &mut Scene<'_>) {
    let (stay, _) = course(scene, &[1, 1, 2, 2, 3, 3]);
    scene.life.settle(stay);
}

/// Two parts of one stay, two days each.
fn course_in_a_cut_stay(scene: &mut Scene<'_>) {
    let (facility, day) = (scene.hospital(), scene.day);
    let mut stays = Vec::new();
    for begin in [0, 4] {
        let stay = scene.life.lean_stay(facility, day + begin, day + begin + 3, &HEART_FAILURE);
        for offset in [1, 2] {
            scene.life.charge(stay, &NATRIURETIC, at(day + begin + offset, 9, 0, 0), 1);
        }
        if begin == 0 {
            scene.settle_midway(stay);
        } else {
            scene.life.settle(stay);
        }
        stays.push(stay);
    }
    found_course(scene, stays[0], NATRIURETIC.price);
}

fn course_one_refunded(scene: &mut Scene<'_>) {
    let (stay, lines) = course(scene, &[1, 2, 3, 4]);
    scene.life.refund_line(stay, lines[1], whole(1), true);
    scene.life.settle(stay);
}

// ---- MED109 and MED110

/// A visit with so many grams of these herbs on one prescription.
fn herbs(scene: &mut Scene<'_>, herbs: &[&'static Item], prescription: Prescription) -> (usize, Vec<usize>) {
    let (facility, time) = (scene.hospital(), scene.time(0));
    let visit = scene.life.visit(facility, "11", time, Some(&BACK_PAIN));
    let mut lines = Vec::new();
    for (herb, second) in herbs.iter().zip(0_i64..) {
        let line = scene.life.charge(visit, herb, time + 600 + second, 30);
        scene.life.line(visit, line).prescription = prescription;
        lines.push(line);
    }
    (visit, lines)
}

fn found_herbs(scene: &mut Scene<'_>, listed: &[&'static Item], prescription: Prescription, name: &str, number: &str) {
    let (visit, lines) = herbs(scene, listed, prescription);
    scene.life.settle(visit);
    let amount = lines.iter().map(|&line| scene.inscp(visit, line)).sum();
    let id = scene.life.mdtrt_id(visit);
    scene.find("MED109", json(&[("mdtrt_id", &id), (name, number)]), amount);
}

fn herb_alone(scene: &mut Scene<'_>) {
    found_herbs(scene, &[&ASTRAGALUS], Prescription::Number(1), "rx_drord_no", "RX1");
}

fn two_herbs_of_the_list(scene: &mut Scene<'_>) {
    found_herbs(scene, &[&ASTRAGALUS, &CHRYSANTHEMUM], Prescription::Number(2), "rx_drord_no", "RX2");
}

fn herb_alone_in_a_batch(scene: &mut Scene<'_>) {
    found_herbs(scene, &[&CHRYSANTHEMUM], Prescription::Batch(3), "chrg_bchno", "B3");
}

fn herb_in_company(scene: &mut Scene<'_>) {
    let (visit, _) = herbs(scene, &[&ASTRAGALUS, &ANGELICA], Prescription::Number(1));
    scene.life.settle(visit);
}

fn herb_in_unpaid_company(scene: &mut Scene<'_>) {
    let (visit, lines) = herbs(scene, &[&ASTRAGALUS, &ANGELICA], Prescription::Number(1));
    let line = scene.life.line(visit, lines[1]);
    line.own = line.amount;
    scene.life.settle(visit);
}

fn herb_without_a_number(scene: &mut Scene<'_>) {
    let (visit, _) = herbs(scene, &[&ASTRAGALUS], Prescription::Nameless);
    scene.life.settle(visit);
}

fn herb_refunded(scene: &mut Scene<'_>) {
    let (visit, _) = herbs(scene, &[&ASTRAGALUS], Prescription::Number(1));
    scene.settle_and_refund(visit);
}

fn ginseng(scene: &mut Scene<'_>) {
    let (visit, lines) = herbs(scene, &[&GINSENG], Prescription::Number(1));
    scene.life.settle(visit);
    scene.find_whole("MED110", visit, lines[0]);
}

fn ginseng_in_company(scene: &mut Scene<'_>) {
    let (visit, lines) = herbs(scene, &[&ANGELICA, &GINSENG, &ASTRAGALUS], Prescription::Number(1));
    scene.life.settle(visit);
    scene.find_whole("MED110", visit, lines[1]);
}

fn ginseng_unpaid(scene: &mut Scene<'_>) {
    let (visit, lines) = herbs(scene, &[&GINSENG], Prescription::Number(1));
    let line = scene.life.line(visit, lines[0]);
    line.own = line.amount;
    scene.life.settle(visit);
}

fn ginseng_refunded(scene: &mut Scene<'_>) {
    let (visit, _) = herbs(scene, &[&GINSENG], Prescription::Number(1));
    scene.settle_and_refund(visit);
}

fn ginseng_partly_refunded(scene: &mut Scene<'_>) {
    let (visit, lines) = herbs(scene, &[&GINSENG], Prescription::Number(1));
    scene.life.refund_line(visit, lines[0], whole(10), true);
    scene.life.settle(visit);
    let amount = share(scene.inscp(visit, lines[0]), 20, 30);
    scene.find_line("MED110", visit, lines[0], amount);
}
