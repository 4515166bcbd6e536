//! BIL101, BIL103, BIL106, BIL107, BIL108: contained items, daily caps, ceilings, lines charged twice, beds beyond the stay.

use super::{Scene, json, whole};
use crate::operations::generate::calendar::{at, day_text};
use crate::operations::generate::catalogue::{
    BACK_PAIN, BED, BED_DOUBLE, BED_INTENSIVE, BIRTH, BLOOD_COUNT, CERVIX_BIOPSY, COLD, CT, DELIVERY,
    DEVASCULARISATION, DIABETES, EMERGENCY_WATCH, FRUCTOSAMINE, GALLSTONES, GLUCOSE, HBA1C, HEART_WATCH, HYSTEROSCOPY,
    Item, LIVER, NURSING_2, ORAL_CARE, OXIMETRY, PNEUMONIA, SLEEP_WATCH, SPLENECTOMY, STROKE, TEAR_SUTURE,
    TOLERANCE_TEST, WATCH_BED, facilities,
};
use crate::operations::generate::life::share;

// ---- BIL101

const TOLERANCE_PAIR: &str = "00310205001|00250302001";

fn pair_on_day(scene: &mut Scene<'_>, pair: &str, offset: i64, amount: i64) {
    let (person, day) = (scene.psn_no(), day_text(scene.day + offset));
    scene.find("BIL101", json(&[("psn_no", &person), ("day", &day), ("pair", pair)]), amount);
}

fn pair_in_visit(scene: &mut Scene<'_>, pair: &str, encounter: usize, amount: i64) {
    let (person, id) = (scene.psn_no(), scene.life.mdtrt_id(encounter));
    scene.find("BIL101", json(&[("psn_no", &person), ("mdtrt_id", &id), ("pair", pair)]), amount);
}

/// A visit with these items, each at its own minute; not yet settled.
fn visit_with(
    scene: &mut Scene<'_>,
    facility: usize,
    offset: i64,
    charged: &[(&'static Item, i64)],
) -> (usize, Vec<usize>) {
    let time = scene.time(offset);
    let visit = scene.life.visit(facility, "11", time, Some(&BACK_PAIN));
    let lines = charged
        .iter()
        .zip(1_i64..)
        .map(|(&(item, cnt), minute)| scene.life.charge(visit, item, time + minute * 300, cnt))
        .collect();
    (visit, lines)
}

pub(super) fn emergency_watch_and_fee(scene: &mut Scene<'_>) {
    let (facility, time) = (scene.hospital(), scene.time(0));
    let visit = scene.life.visit(facility, "13", time, Some(&COLD));
    scene.life.charge(visit, &EMERGENCY_WATCH, time + 60, 1);
    let bed = scene.life.charge(visit, &WATCH_BED, time + 90, 1);
    scene.life.settle(visit);
    let (fee, bed) = (scene.inscp(visit, 0), scene.inscp(visit, bed));
    pair_on_day(scene, "001103000010000|001102000030000", 0, fee);
    pair_on_day(scene, "001103000010000|001109000050000", 0, bed);
}

pub(super) fn tolerance_test_and_glucose(scene: &mut Scene<'_>) {
    let facility = scene.hospital();
    let (visit, lines) =
        visit_with(scene, facility, 0, &[(&TOLERANCE_TEST, 1), (&GLUCOSE, 1), (&GLUCOSE, 1), (&GLUCOSE, 2)]);
    scene.life.settle(visit);
    let amount = lines[1..].iter().map(|&line| scene.inscp(visit, line)).sum();
    pair_on_day(scene, TOLERANCE_PAIR, 0, amount);
}

pub(super) fn hysteroscopy_and_biopsy(scene: &mut Scene<'_>) {
    scene.is(2);
    let facility = scene.hospital();
    let (visit, lines) = visit_with(scene, facility, 0, &[(&HYSTEROSCOPY, 1), (&CERVIX_BIOPSY, 1)]);
    scene.life.settle(visit);
    let amount = scene.inscp(visit, lines[1]);
    pair_on_day(scene, "003313060030000|003112010080000", 0, amount);
}

/// The first and the last second of one day.
pub(super) fn pair_at_both_ends_of_a_day(scene: &mut Scene<'_>) {
    let (facility, day) = (scene.hospital(), scene.day);
    let stay = scene.life.stay(facility, day, day + 4, &PNEUMONIA);
    scene.life.charge(stay, &SLEEP_WATCH, at(day + 2, 0, 0, 0), 1);
    let b = scene.life.charge(stay, &OXIMETRY, at(day + 2, 23, 59, 59), 8);
    scene.life.settle(stay);
    let amount = scene.inscp(stay, b);
    pair_on_day(scene, "003106040010000|003107010280000", 2, amount);
}

/// The last second of one day and the first of the next.
pub(super) fn pair_across_midnight(scene: &mut Scene<'_>) {
    let (facility, day) = (scene.hospital(), scene.day);
    let stay = scene.life.stay(facility, day, day + 4, &PNEUMONIA);
    scene.life.charge(stay, &SLEEP_WATCH, at(day + 1, 23, 59, 59), 1);
    scene.life.charge(stay, &OXIMETRY, at(day + 2, 0, 0, 0), 8);
    scene.life.settle(stay);
}

pub(super) fn pair_in_one_stay(scene: &mut Scene<'_>) {
    let (facility, day) = (scene.hospital(), scene.day);
    let stay = scene.life.stay(facility, day, day + 6, &GALLSTONES);
    scene.life.charge(stay, &DEVASCULARISATION, at(day + 1, 9, 0, 0), 1);
    let b = scene.life.charge(stay, &SPLENECTOMY, at(day + 3, 9, 0, 0), 1);
    scene.life.settle(stay);
    let amount = scene.inscp(stay, b);
    pair_in_visit(scene, "003310080260000|003309000180000", stay, amount);
}

pub(super) fn delivery_and_suture(scene: &mut Scene<'_>) {
    scene.is(2);
    scene.life.born = scene.life.first_day - 29 * 365;
    let (facility, day) = (scene.hospital(), scene.day);
    let stay = scene.life.stay(facility, day, day + 3, &BIRTH);
    scene.life.encounters[stay].med_type = "52";
    scene.life.encounters[stay].operation = Some(("73.5900", "手法助产"));
    scene.life.charge(stay, &DELIVERY, at(day, 20, 0, 0), 1);
    let b = scene.life.charge(stay, &TEAR_SUTURE, at(day + 1, 1, 0, 0), 1);
    scene.life.settle(stay);
    let amount = scene.inscp(stay, b);
    pair_in_visit(scene, "003314000020000|003313040020000", stay, amount);
}

pub(super) fn pair_in_two_stays(scene: &mut Scene<'_>) {
    let (facility, day) = (scene.hospital(), scene.day);
    let first = scene.life.stay(facility, day, day + 3, &GALLSTONES);
    scene.life.charge(first, &DEVASCULARISATION, at(day + 1, 9, 0, 0), 1);
    scene.life.settle(first);
    let second = scene.life.stay(facility, day + 20, day + 23, &STROKE);
    scene.life.charge(second, &SPLENECTOMY, at(day + 21, 9, 0, 0), 1);
    scene.life.settle(second);
}

/// Two visits at one facility on one day are one day.
pub(super) fn pair_in_two_visits_of_a_day(scene: &mut Scene<'_>) {
    let facility = scene.hospital();
    let (first, _) = visit_with(scene, facility, 0, &[(&TOLERANCE_TEST, 1)]);
    scene.life.settle(first);
    let time = at(scene.day, 15, 5, 0);
    let second = scene.life.visit(facility, "11", time, Some(&BACK_PAIN));
    let b = scene.life.charge(second, &GLUCOSE, time + 600, 1);
    scene.life.settle(second);
    let amount = scene.inscp(second, b);
    pair_on_day(scene, TOLERANCE_PAIR, 0, amount);
}

pub(super) fn pair_at_two_facilities(scene: &mut Scene<'_>) {
    let facility = scene.hospital();
    let (first, _) = visit_with(scene, facility, 0, &[(&TOLERANCE_TEST, 1)]);
    scene.life.settle(first);
    let other = scene.hospital_but(facility);
    let (second, _) = visit_with(scene, other, 0, &[(&GLUCOSE, 1)]);
    scene.life.settle(second);
}

pub(super) fn pair_on_two_days(scene: &mut Scene<'_>) {
    let facility = scene.hospital();
    for (offset, item) in [(0, &TOLERANCE_TEST), (1, &GLUCOSE)] {
        let (visit, _) = visit_with(scene, facility, offset, &[(item, 1)]);
        scene.life.settle(visit);
    }
}

/// The containing or the contained line stays unpaid, or is given back.
fn pair_without(scene: &mut Scene<'_>, line: usize, refund: bool) {
    let facility = scene.hospital();
    let (visit, lines) = visit_with(scene, facility, 0, &[(&TOLERANCE_TEST, 1), (&GLUCOSE, 2)]);
    if refund {
        let cnt = scene.life.line(visit, lines[line]).cnt;
        scene.life.refund_line(visit, lines[line], cnt, line == 0);
    } else {
        let unpaid = scene.life.line(visit, lines[line]);
        unpaid.own = unpaid.amount;
    }
    scene.life.settle(visit);
}

pub(super) fn pair_container_unpaid(scene: &mut Scene<'_>) {
    pair_without(scene, 0, false);
}

pub(super) fn pair_contained_unpaid(scene: &mut Scene<'_>) {
    pair_without(scene, 1, false);
}

pub(super) fn pair_container_refunded(scene: &mut Scene<'_>) {
    pair_without(scene, 0, true);
}

pub(super) fn pair_contained_refunded(scene: &mut Scene<'_>) {
    pair_without(scene, 1, true);
}

pub(super) fn pair_partly_refunded(scene: &mut Scene<'_>) {
    let facility = scene.hospital();
    let (visit, lines) = visit_with(scene, facility, 0, &[(&TOLERANCE_TEST, 1), (&GLUCOSE, 5)]);
    scene.life.refund_line(visit, lines[1], whole(3), true);
    scene.life.settle(visit);
    let amount = share(scene.inscp(visit, lines[1]), 2, 5);
    pair_on_day(scene, TOLERANCE_PAIR, 0, amount);
}

// ---- BIL103

fn over_cap(scene: &mut Scene<'_>, point: &str, offset: i64, amount: i64) {
    let (person, day) = (scene.psn_no(), day_text(scene.day + offset));
    scene.find("BIL103", json(&[("psn_no", &person), ("day", &day), ("point", point)]), amount);
}

/// A stay of five days; not yet settled.
fn five_days(scene: &mut Scene<'_>) -> usize {
    let (facility, day) = (scene.hospital(), scene.day);
    scene.life.stay(facility, day, day + 5, &STROKE)
}

pub(super) fn nursing_twice(scene: &mut Scene<'_>) {
    let stay = five_days(scene);
    scene.life.charge(stay, &NURSING_2, at(scene.day + 2, 8, 0, 0), 1);
    scene.life.settle(stay);
    over_cap(scene, "Ⅱ级护理", 2, NURSING_2.price);
}

pub(super) fn nursing_four_times(scene: &mut Scene<'_>) {
    let stay = five_days(scene);
    scene.life.charge(stay, &NURSING_2, at(scene.day + 1, 8, 0, 0), 3);
    scene.life.settle(stay);
    over_cap(scene, "Ⅱ级护理", 1, share(NURSING_2.price * 4, 3, 4));
    scene.find_visit("BIL109", stay, share(NURSING_2.price * 8, 2, 8));
}

pub(super) fn two_rooms_one_point(scene: &mut Scene<'_>) {
    let stay = five_days(scene);
    scene.life.charge(stay, &BED_DOUBLE, at(scene.day + 3, 8, 0, 0), 1);
    scene.life.settle(stay);
    over_cap(scene, "普通病房床位费", 3, share(BED.price + BED_DOUBLE.price, 1, 2));
}

fn oral_care(scene: &mut Scene<'_>, cnt: i64) {
    let stay = five_days(scene);
    scene.life.charge(stay, &ORAL_CARE, at(scene.day + 1, 8, 0, 0), cnt);
    scene.life.settle(stay);
    if cnt > 2 {
        over_cap(scene, "口腔护理", 1, share(ORAL_CARE.price * cnt, cnt - 2, cnt));
    }
}

pub(super) fn cap_of_two_over(scene: &mut Scene<'_>) {
    oral_care(scene, 3);
}

pub(super) fn cap_of_two_at(scene: &mut Scene<'_>) {
    oral_care(scene, 2);
}

/// Hours of watching the heart on one day, in ten-thousandths, less what is given back.
fn heart_watch(scene: &mut Scene<'_>, hours: i64, back: i64) {
    let stay = five_days(scene);
    let index = scene.life.charge(stay, &HEART_WATCH, at(scene.day + 1, 12, 0, 0), 1);
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
        over_cap(scene, "心电监测", 1, share(paid, left - whole(24), left));
    }
}

pub(super) fn hours_far(scene: &mut Scene<'_>) {
    heart_watch(scene, whole(48), 0);
}

pub(super) fn hours_edge(scene: &mut Scene<'_>) {
    heart_watch(scene, whole(24) + 5_000, 0);
}

pub(super) fn hours_at(scene: &mut Scene<'_>) {
    heart_watch(scene, whole(24), 0);
}

pub(super) fn hours_partly_refunded(scene: &mut Scene<'_>) {
    heart_watch(scene, whole(30), whole(4));
}

pub(super) fn hours_refunded_to_limit(scene: &mut Scene<'_>) {
    heart_watch(scene, whole(30), whole(6));
}

pub(super) fn hours_at_two_facilities(scene: &mut Scene<'_>) {
    let first = scene.hospital();
    let second = scene.hospital_but(first);
    for (facility, hour, hours) in [(first, 0, 14), (second, 14, 12)] {
        let time = at(scene.day, hour, 10, 0);
        let visit = scene.life.visit(facility, "13", time, Some(&COLD));
        scene.life.charge(visit, &HEART_WATCH, time + 600, hours);
        scene.life.settle(visit);
    }
    over_cap(scene, "心电监测", 0, share(HEART_WATCH.price * 26, 2, 26));
}

/// A day on which the department changes: `extra` nursing lines more than the day's own.
fn changed_department(scene: &mut Scene<'_>, extra: i64) {
    let stay = five_days(scene);
    scene.life.encounters[stay].changed_department = true;
    scene.life.charge(stay, &NURSING_2, at(scene.day + 2, 8, 0, 0), extra);
    scene.life.settle(stay);
    if extra > 1 {
        over_cap(scene, "Ⅱ级护理", 2, share(NURSING_2.price * (1 + extra), extra - 1, 1 + extra));
        scene.find_visit("BIL109", stay, share(NURSING_2.price * (5 + extra), extra - 1, 5 + extra));
    }
}

pub(super) fn department_two(scene: &mut Scene<'_>) {
    changed_department(scene, 1);
}

pub(super) fn department_three(scene: &mut Scene<'_>) {
    changed_department(scene, 2);
}

/// The day on which the person leaves one hospital for another: both charge, the first `extra` times.
fn changed_facility(scene: &mut Scene<'_>, extra: i64) {
    let (first, day) = (scene.hospital(), scene.day);
    let second = scene.hospital_but(first);
    let before = scene.life.stay(first, day, day + 3, &STROKE);
    scene.life.encounters[before].leaving = Some("2");
    scene.life.charge(before, &NURSING_2, at(day + 3, 7, 0, 0), extra);
    scene.life.settle(before);
    let after = scene.life.stay(second, day + 3, day + 7, &STROKE);
    scene.life.encounters[after].begin = at(day + 3, 17, 0, 0);
    scene.life.line(after, 0).time = at(day + 3, 17, 30, 0);
    scene.life.settle(after);
    if extra > 1 {
        over_cap(scene, "Ⅱ级护理", 3, share(NURSING_2.price * (1 + extra), extra - 1, 1 + extra));
        scene.find_visit("BIL109", before, share(NURSING_2.price * (3 + extra), extra - 1, 3 + extra));
    }
}

pub(super) fn facility_two(scene: &mut Scene<'_>) {
    changed_facility(scene, 1);
}

pub(super) fn facility_three(scene: &mut Scene<'_>) {
    changed_facility(scene, 2);
}

pub(super) fn cap_refunded(scene: &mut Scene<'_>) {
    let stay = five_days(scene);
    let extra = scene.life.charge(stay, &NURSING_2, at(scene.day + 2, 8, 0, 0), 1);
    scene.life.refund_line(stay, extra, whole(1), true);
    scene.life.settle(stay);
}

// ---- BIL106

/// A test at a facility of this index at this price, in cents.
fn priced(scene: &mut Scene<'_>, facility: usize, item: &'static Item, price: i64, cnt: i64) -> (usize, usize) {
    let time = scene.time(0);
    let visit = scene.life.visit(facility, "11", time, Some(&DIABETES));
    let index = scene.life.charge(visit, item, time + 300, cnt);
    let line = scene.life.line(visit, index);
    line.pric = price;
    line.reprice();
    (visit, index)
}

fn over_ceiling(scene: &mut Scene<'_>, facility: usize, item: &'static Item, price: i64, cnt: i64, ceiling: i64) {
    let (visit, line) = priced(scene, facility, item, price, cnt);
    scene.life.settle(visit);
    if price > ceiling + 1 {
        scene.find_line("BIL106", visit, line, (price - ceiling) * cnt);
    }
}

pub(super) fn price_far(scene: &mut Scene<'_>) {
    let facility = scene.hospital();
    let (visit, line) = priced(scene, facility, &FRUCTOSAMINE, 4500, 2);
    scene.life.settle(visit);
    scene.find_line("BIL106", visit, line, 1500 * 2);
    // Two in a week are one too many, too.
    scene.find_line("BIL104", visit, line, 4500);
}

pub(super) fn price_edge(scene: &mut Scene<'_>) {
    let facility = scene.hospital();
    over_ceiling(scene, facility, &FRUCTOSAMINE, 3002, 1, 3000);
}

pub(super) fn price_within_a_cent(scene: &mut Scene<'_>) {
    let facility = scene.hospital();
    over_ceiling(scene, facility, &FRUCTOSAMINE, 3001, 1, 3000);
}

pub(super) fn price_at(scene: &mut Scene<'_>) {
    let facility = scene.hospital();
    over_ceiling(scene, facility, &FRUCTOSAMINE, 3000, 1, 3000);
}

pub(super) fn price_level_one(scene: &mut Scene<'_>) {
    over_ceiling(scene, 7, &HBA1C, 7200, 1, 6400);
}

pub(super) fn price_level_two_at(scene: &mut Scene<'_>) {
    over_ceiling(scene, 3, &HBA1C, 7200, 1, 7200);
}

pub(super) fn price_level_three_edge(scene: &mut Scene<'_>) {
    over_ceiling(scene, 0, &HBA1C, 8002, 1, 8000);
}

pub(super) fn price_hours(scene: &mut Scene<'_>) {
    let facility = scene.hospital();
    over_ceiling(scene, facility, &HEART_WATCH, 700, 10, 600);
}

/// The line brings its own limit; `over`: the part above it was already taken off.
fn own_limit(scene: &mut Scene<'_>, limit: i64, price: i64, over: i64) {
    let facility = scene.hospital();
    let (visit, index) = priced(scene, facility, &CT, price, 1);
    let line = scene.life.line(visit, index);
    (line.limit, line.over) = (Some(limit), over);
    line.reprice();
    scene.life.settle(visit);
    if over == 0 && limit > 0 && limit < 9_999_900 && price > limit + 1 {
        scene.find_line("BIL106", visit, index, price - limit);
    }
}

pub(super) fn own_limit_far(scene: &mut Scene<'_>) {
    own_limit(scene, 18_000, 20_000, 0);
}

pub(super) fn own_limit_edge(scene: &mut Scene<'_>) {
    own_limit(scene, 18_000, 18_002, 0);
}

pub(super) fn own_limit_taken_off(scene: &mut Scene<'_>) {
    own_limit(scene, 18_000, 20_000, 2_000);
}

pub(super) fn own_limit_none(scene: &mut Scene<'_>) {
    own_limit(scene, 9_999_900, 20_000, 0);
}

pub(super) fn own_limit_zero(scene: &mut Scene<'_>) {
    own_limit(scene, 0, 20_000, 0);
}

/// No more can be at stake than the fund may pay on.
pub(super) fn price_capped_by_scope(scene: &mut Scene<'_>) {
    let facility = scene.hospital();
    let (visit, index) = priced(scene, facility, &FRUCTOSAMINE, 4500, 1);
    scene.life.line(visit, index).own = 4000;
    scene.life.settle(visit);
    scene.find_line("BIL106", visit, index, 500);
}

pub(super) fn price_refunded(scene: &mut Scene<'_>) {
    let facility = scene.hospital();
    let (visit, _) = priced(scene, facility, &FRUCTOSAMINE, 4500, 1);
    scene.settle_and_refund(visit);
}

pub(super) fn price_partly_refunded(scene: &mut Scene<'_>) {
    let facility = scene.hospital();
    let (visit, line) = priced(scene, facility, &FRUCTOSAMINE, 4500, 3);
    scene.life.refund_line(visit, line, whole(1), true);
    scene.life.settle(visit);
    scene.find_line("BIL106", visit, line, 1500 * 2);
    scene.find_line("BIL104", visit, line, 4500);
}

// ---- BIL107

/// `times` equal lines; then whatever makes them differ, then settled. Found unless made different.
fn repeated(
    scene: &mut Scene<'_>,
    item: &'static Item,
    times: usize,
    cnt: i64,
    change: impl Fn(&mut Scene<'_>, usize, &[usize]),
) -> (usize, Vec<usize>) {
    let (facility, time) = (scene.hospital(), scene.time(0));
    let visit = scene.life.visit(facility, "11", time, Some(&COLD));
    let lines: Vec<usize> = (0..times).map(|_| scene.life.charge(visit, item, time + 420, cnt)).collect();
    change(scene, visit, &lines);
    scene.life.settle(visit);
    (visit, lines)
}

fn found_repeated(scene: &mut Scene<'_>, visit: usize, lines: &[usize]) {
    let key = scene.same_line_key(visit, lines[0], &facilities());
    let amount = lines[1..].iter().map(|&line| scene.inscp(visit, line)).sum();
    scene.find("BIL107", key, amount);
}

pub(super) fn twice(scene: &mut Scene<'_>) {
    let (visit, lines) = repeated(scene, &BLOOD_COUNT, 2, 1, |_, _, _| {});
    found_repeated(scene, visit, &lines);
}

pub(super) fn three_times(scene: &mut Scene<'_>) {
    let (visit, lines) = repeated(scene, &LIVER, 3, 2, |_, _, _| {});
    found_repeated(scene, visit, &lines);
}

pub(super) fn twice_by_nobody(scene: &mut Scene<'_>) {
    let (visit, lines) = repeated(scene, &LIVER, 2, 1, |scene, visit, lines| {
        for &line in lines {
            scene.life.line(visit, line).doctor = None;
        }
    });
    found_repeated(scene, visit, &lines);
}

pub(super) fn three_times_one_refunded(scene: &mut Scene<'_>) {
    let (visit, lines) = repeated(scene, &BLOOD_COUNT, 3, 1, |scene, visit, lines| {
        scene.life.refund_line(visit, lines[2], whole(1), true);
    });
    found_repeated(scene, visit, &lines[..2]);
}

pub(super) fn twice_a_second_apart(scene: &mut Scene<'_>) {
    repeated(scene, &BLOOD_COUNT, 2, 1, |scene, visit, lines| scene.life.line(visit, lines[1]).time += 1);
}

pub(super) fn twice_other_quantity(scene: &mut Scene<'_>) {
    repeated(scene, &BLOOD_COUNT, 2, 1, |scene, visit, lines| {
        let line = scene.life.line(visit, lines[1]);
        line.cnt = whole(2);
        line.reprice();
    });
}

pub(super) fn twice_other_price(scene: &mut Scene<'_>) {
    repeated(scene, &BLOOD_COUNT, 2, 1, |scene, visit, lines| {
        let line = scene.life.line(visit, lines[1]);
        line.pric += 1;
        line.reprice();
    });
}

pub(super) fn twice_other_doctor(scene: &mut Scene<'_>) {
    repeated(scene, &BLOOD_COUNT, 2, 1, |scene, visit, lines| scene.life.line(visit, lines[1]).doctor = Some(2));
}

pub(super) fn twice_one_by_nobody(scene: &mut Scene<'_>) {
    repeated(scene, &BLOOD_COUNT, 2, 1, |scene, visit, lines| scene.life.line(visit, lines[1]).doctor = None);
}

pub(super) fn twice_one_refunded(scene: &mut Scene<'_>) {
    repeated(scene, &BLOOD_COUNT, 2, 1, |scene, visit, lines| {
        scene.life.refund_line(visit, lines[1], whole(1), false);
    });
}

pub(super) fn twice_one_partly_refunded(scene: &mut Scene<'_>) {
    repeated(scene, &BLOOD_COUNT, 2, 2, |scene, visit, lines| {
        scene.life.refund_line(visit, lines[1], whole(1), true);
    });
}

// ---- BIL108

/// What the beds of these encounters cost too much, all told: days allowed are the stay's and one.
fn beds(scene: &mut Scene<'_>, encounters: &[usize], days: i64) {
    let beds = encounters.iter().flat_map(|&e| &scene.life.encounters[e].lines).filter(|l| l.item.charge == "01");
    let (cnt, paid) = beds.fold((0, 0), |(cnt, paid), line| (cnt + line.cnt, paid + line.inscp()));
    let excess = cnt - whole(days + 1);
    let key = json(&[("mdtrt_id", &scene.life.mdtrt_id(encounters[0]))]);
    scene.find("BIL108", key, share(paid, excess, cnt));
}

/// A stay of four days with a bed on the day it ends, as some charge it, and beds of the intensive ward besides.
fn four_days(scene: &mut Scene<'_>, intensive: i64) -> (usize, Option<usize>) {
    let (facility, day) = (scene.hospital(), scene.day);
    let stay = scene.life.stay(facility, day, day + 4, &PNEUMONIA);
    scene.life.charge(stay, &BED, at(day + 4, 8, 0, 0), 1);
    let extra = (intensive > 0).then(|| {
        let index = scene.life.charge(stay, &BED_INTENSIVE, at(day + 1, 12, 0, 0), 1);
        let line = scene.life.line(stay, index);
        line.cnt = intensive;
        line.reprice();
        index
    });
    (stay, extra)
}

pub(super) fn beds_far(scene: &mut Scene<'_>) {
    let (facility, day) = (scene.hospital(), scene.day);
    let stay = scene.life.stay(facility, day, day + 4, &PNEUMONIA);
    for offset in 0..4 {
        scene.life.charge(stay, &BED_INTENSIVE, at(day + offset, 12, 0, 0), 1);
    }
    scene.life.settle(stay);
    beds(scene, &[stay], 4);
}

pub(super) fn beds_one_over(scene: &mut Scene<'_>) {
    let (stay, _) = four_days(scene, whole(1));
    scene.life.settle(stay);
    beds(scene, &[stay], 4);
}

pub(super) fn beds_half_over(scene: &mut Scene<'_>) {
    let (stay, _) = four_days(scene, 5_000);
    scene.life.settle(stay);
    beds(scene, &[stay], 4);
}

pub(super) fn beds_at(scene: &mut Scene<'_>) {
    let (stay, _) = four_days(scene, 0);
    scene.life.settle(stay);
}

pub(super) fn beds_refunded(scene: &mut Scene<'_>) {
    let (stay, extra) = four_days(scene, whole(1));
    if let Some(extra) = extra {
        scene.life.refund_line(stay, extra, whole(1), false);
    }
    scene.life.settle(stay);
}

/// Each day's bed charged twice: too many a day and too many for the stay, the same lines, the same money.
pub(super) fn beds_doubled(scene: &mut Scene<'_>) {
    let (facility, day) = (scene.hospital(), scene.day);
    let stay = scene.life.stay(facility, day, day + 4, &PNEUMONIA);
    for index in 0..scene.life.encounters[stay].lines.len() {
        let line = scene.life.line(stay, index);
        if line.item.code == BED.code {
            line.cnt = whole(2);
            line.reprice();
        }
    }
    scene.life.settle(stay);
    for offset in 0..4 {
        over_cap(scene, "普通病房床位费", offset, BED.price);
    }
    beds(scene, &[stay], 4);
}

pub(super) fn beds_of_an_open_stay(scene: &mut Scene<'_>) {
    let (stay, _) = four_days(scene, whole(1));
    scene.life.encounters[stay].end = None;
    scene.life.encounters[stay].leaving = None;
}

/// A stay cut midway: three days and three, a bed on the last day too, and beds of the intensive ward besides.
fn cut(scene: &mut Scene<'_>, intensive: i64, gap: i64) -> (usize, usize) {
    let (facility, day) = (scene.hospital(), scene.day);
    let first = scene.life.stay(facility, day, day + 3, &STROKE);
    if gap == 1 {
        scene.life.charge(first, &BED, at(day + 3, 23, 0, 0), 1);
        scene.life.settle(first);
    } else {
        scene.settle_midway(first);
    }
    let begin = day + 3 + gap;
    let second = scene.life.stay(facility, begin, begin + 3, &STROKE);
    if gap == 1 {
        scene.life.encounters[second].across_years = true;
    }
    scene.life.charge(second, &BED, at(begin + 3, 8, 0, 0), 1);
    for offset in 0..intensive {
        scene.life.charge(second, &BED_INTENSIVE, at(begin + offset, 12, 0, 0), 1);
    }
    scene.life.settle(second);
    (first, second)
}

pub(super) fn beds_of_a_cut_stay(scene: &mut Scene<'_>) {
    let (first, second) = cut(scene, 1, 0);
    beds(scene, &[first, second], 6);
}

pub(super) fn beds_of_a_cut_stay_at(scene: &mut Scene<'_>) {
    cut(scene, 0, 0);
}

pub(super) fn beds_of_a_stay_across_years(scene: &mut Scene<'_>) {
    let (first, second) = cut(scene, 2, 1);
    beds(scene, &[first, second], 7);
}
