//! BIL101 where the pair counts by the hour: contained items charged within one or six hours of the item that contains them.

use super::{Recipe, Scene, hit, json, near, whole};
use crate::operations::generate::calendar::at;
use crate::operations::generate::catalogue::{
    ARTERY_PRESSURE, BIRTH, DELIVERY, FETAL_HEART, HEART_WATCH, Item, PNEUMONIA, PREGNANCY,
};
use crate::operations::generate::life::share;

pub(super) const RECIPES: &[Recipe] = &[
    hit("BIL101", "six-hours-edge", 5, six_hours_edge),
    near("BIL101", "six-hours-at", 5, six_hours_at),
    hit("BIL101", "six-hours-contained-later", 5, six_hours_contained_later),
    near("BIL101", "six-hours-visit-before", 5, six_hours_visit_before),
    near("BIL101", "six-hours-no-time-of-day", 5, six_hours_no_time_of_day),
    hit("BIL101", "six-hours-one-of-two-near", 5, six_hours_one_of_two_near),
    hit("BIL101", "hour-edge", 6, hour_edge),
    near("BIL101", "hour-at", 6, hour_at),
    hit("BIL101", "hour-across-midnight", 6, hour_across_midnight),
    near("BIL101", "hour-container-refunded", 6, hour_container_refunded),
    hit("BIL101", "hour-partly-refunded", 6, hour_partly_refunded),
];

const BIRTH_PAIR: &str = "003314000020000|003112010260000";
const PRESSURE_PAIR: &str = "003107020020000|003107010220000";

fn found(scene: &mut Scene<'_>, pair: &str, encounter: usize, amount: i64) {
    let (person, id) = (scene.psn_no(), scene.life.mdtrt_id(encounter));
    scene.find("BIL101", json(&[("psn_no", &person), ("mdtrt_id", &id), ("pair", pair)]), amount);
}

/// A mother on the ward for three days.
fn birth(scene: &mut Scene<'_>) -> usize {
    scene.is(2);
    scene.life.born = scene.life.first_day - 29 * 365;
    let (facility, day) = (scene.hospital(), scene.day);
    let stay = scene.life.stay(facility, day, day + 3, &BIRTH);
    scene.life.encounters[stay].med_type = "52";
    scene.life.encounters[stay].operation = Some(("73.5900", "手法助产"));
    stay
}

/// Items charged on the second day of a stay, each at its second of the day.
fn charged(scene: &mut Scene<'_>, stay: usize, items: &[(&'static Item, i64, i64)]) -> Vec<usize> {
    let midnight = at(scene.day + 1, 0, 0, 0);
    items.iter().map(|&(item, second, cnt)| scene.life.charge(stay, item, midnight + second, cnt)).collect()
}

const HOUR: i64 = 3_600;

/// One second less than six hours before the delivery.
fn six_hours_edge(scene: &mut Scene<'_>) {
    let stay = birth(scene);
    let lines = charged(scene, stay, &[(&FETAL_HEART, 8 * HOUR + 1, 1), (&DELIVERY, 14 * HOUR, 1)]);
    scene.life.settle(stay);
    let amount = scene.inscp(stay, lines[0]);
    found(scene, BIRTH_PAIR, stay, amount);
}

fn six_hours_at(scene: &mut Scene<'_>) {
    let stay = birth(scene);
    charged(scene, stay, &[(&FETAL_HEART, 8 * HOUR, 1), (&DELIVERY, 14 * HOUR, 1), (&FETAL_HEART, 20 * HOUR, 1)]);
    scene.life.settle(stay);
}

fn six_hours_contained_later(scene: &mut Scene<'_>) {
    let stay = birth(scene);
    let lines = charged(scene, stay, &[(&DELIVERY, 9 * HOUR, 1), (&FETAL_HEART, 15 * HOUR - 1, 1)]);
    scene.life.settle(stay);
    let amount = scene.inscp(stay, lines[1]);
    found(scene, BIRTH_PAIR, stay, amount);
}

/// Listened to at a clinic in the morning, delivered on the ward two hours later: two encounters.
fn six_hours_visit_before(scene: &mut Scene<'_>) {
    let stay = birth(scene);
    let facility = scene.life.encounters[stay].facility;
    let time = at(scene.day, 8, 20, 0);
    let visit = scene.life.visit(facility, "51", time, Some(&PREGNANCY));
    scene.life.charge(visit, &FETAL_HEART, time + 600, 1);
    scene.life.settle(visit);
    scene.life.charge(stay, &DELIVERY, time + 2 * HOUR, 1);
    scene.life.settle(stay);
}

fn six_hours_no_time_of_day(scene: &mut Scene<'_>) {
    let stay = birth(scene);
    charged(scene, stay, &[(&FETAL_HEART, 0, 1), (&DELIVERY, 2 * HOUR, 1)]);
    scene.life.settle(stay);
}

/// One near, one of the day before, one without a time of day: only the near one is found.
fn six_hours_one_of_two_near(scene: &mut Scene<'_>) {
    let stay = birth(scene);
    let times =
        [(&FETAL_HEART, -13 * HOUR, 1), (&FETAL_HEART, 0, 1), (&FETAL_HEART, HOUR, 1), (&DELIVERY, 2 * HOUR, 1)];
    let lines = charged(scene, stay, &times);
    scene.life.settle(stay);
    let amount = scene.inscp(stay, lines[2]);
    found(scene, BIRTH_PAIR, stay, amount);
}

/// A stay of four days.
fn ward(scene: &mut Scene<'_>) -> usize {
    let (facility, day) = (scene.hospital(), scene.day);
    scene.life.stay(facility, day, day + 4, &PNEUMONIA)
}

/// Within the hour before and after; an hour sharp does not count.
fn hour_edge(scene: &mut Scene<'_>) {
    let stay = ward(scene);
    let times = [
        (&HEART_WATCH, 9 * HOUR, 1),
        (&HEART_WATCH, 9 * HOUR + 1, 2),
        (&ARTERY_PRESSURE, 10 * HOUR, 4),
        (&HEART_WATCH, 11 * HOUR - 1, 1),
        (&HEART_WATCH, 11 * HOUR, 1),
    ];
    let lines = charged(scene, stay, &times);
    scene.life.settle(stay);
    let amount = scene.inscp(stay, lines[1]) + scene.inscp(stay, lines[3]);
    found(scene, PRESSURE_PAIR, stay, amount);
}

fn hour_at(scene: &mut Scene<'_>) {
    let stay = ward(scene);
    charged(scene, stay, &[(&ARTERY_PRESSURE, 10 * HOUR, 4), (&HEART_WATCH, 11 * HOUR, 3)]);
    scene.life.settle(stay);
}

fn hour_across_midnight(scene: &mut Scene<'_>) {
    let stay = ward(scene);
    let lines = charged(scene, stay, &[(&HEART_WATCH, -HOUR / 2, 2), (&ARTERY_PRESSURE, HOUR / 3, 4)]);
    scene.life.settle(stay);
    let amount = scene.inscp(stay, lines[0]);
    found(scene, PRESSURE_PAIR, stay, amount);
}

fn hour_container_refunded(scene: &mut Scene<'_>) {
    let stay = ward(scene);
    let lines = charged(scene, stay, &[(&ARTERY_PRESSURE, 10 * HOUR, 4), (&HEART_WATCH, 10 * HOUR + 600, 3)]);
    scene.life.refund_line(stay, lines[0], whole(4), false);
    scene.life.settle(stay);
}

fn hour_partly_refunded(scene: &mut Scene<'_>) {
    let stay = ward(scene);
    let lines = charged(scene, stay, &[(&ARTERY_PRESSURE, 10 * HOUR, 4), (&HEART_WATCH, 10 * HOUR + 600, 5)]);
    scene.life.refund_line(stay, lines[1], whole(2), true);
    scene.life.settle(stay);
    let amount = share(scene.inscp(stay, lines[1]), 3, 5);
    found(scene, PRESSURE_PAIR, stay, amount);
}
