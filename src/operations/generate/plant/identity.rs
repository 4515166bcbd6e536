//! IDN101: the card that was used after its holder died.

use super::{Scene, whole};
use crate::operations::generate::catalogue::{BACK_PAIN, BLOOD_COUNT, LORATADINE, PNEUMONIA, PROTEIN_C};
use crate::operations::generate::life::share;

/// A visit with a test on a day, every line of it found if `late`.
fn visit(scene: &mut Scene<'_>, offset: i64, late: bool) -> usize {
    let (facility, time) = (scene.hospital(), scene.time(offset));
    let visit = scene.life.visit(facility, "11", time, Some(&BACK_PAIN));
    scene.life.charge(visit, &BLOOD_COUNT, time + 400, 1);
    scene.life.settle(visit);
    if late {
        for line in 0..2 {
            let amount = scene.inscp(visit, line);
            scene.find_line("IDN101", visit, line, amount);
        }
    }
    visit
}

pub(super) fn at_the_pharmacy(scene: &mut Scene<'_>) {
    scene.life.died = Some(scene.day);
    let time = scene.time(12);
    let visit = scene.life.visit(35, "41", time, None);
    let line = scene.life.charge(visit, &LORATADINE, time, 1);
    scene.life.settle(visit);
    let amount = scene.inscp(visit, line);
    scene.find_line("IDN101", visit, line, amount);
}

pub(super) fn next_day(scene: &mut Scene<'_>) {
    scene.life.died = Some(scene.day);
    visit(scene, 1, true);
}

pub(super) fn same_day(scene: &mut Scene<'_>) {
    scene.life.died = Some(scene.day);
    visit(scene, 0, false);
}

pub(super) fn day_before_and_after(scene: &mut Scene<'_>) {
    scene.life.died = Some(scene.day + 3);
    visit(scene, 2, false);
    visit(scene, 20, true);
}

/// A stay that ends with death; the person's table does not know of it.
fn death_in_hospital(scene: &mut Scene<'_>, dated: bool) -> usize {
    let (facility, day) = (scene.hospital(), scene.day);
    let stay = scene.life.stay(facility, day, day + 4, &PNEUMONIA);
    scene.life.encounters[stay].leaving = if dated { None } else { Some("5") };
    scene.life.encounters[stay].died = dated.then_some(day + 4);
    stay
}

pub(super) fn after_death_in_hospital(scene: &mut Scene<'_>) {
    let stay = death_in_hospital(scene, false);
    scene.life.settle(stay);
    visit(scene, 9, true);
}

pub(super) fn after_death_date_of_the_stay(scene: &mut Scene<'_>) {
    let stay = death_in_hospital(scene, true);
    scene.life.settle(stay);
    visit(scene, 5, true);
}

pub(super) fn settled_later(scene: &mut Scene<'_>) {
    let stay = death_in_hospital(scene, false);
    scene.life.died = Some(scene.day + 4);
    let settlement = scene.life.settle(stay);
    scene.life.encounters[stay].settlements[settlement].time += 6 * 86_400;
}

pub(super) fn late_refunded(scene: &mut Scene<'_>) {
    scene.life.died = Some(scene.day);
    let (facility, time) = (scene.hospital(), scene.time(5));
    let visit = scene.life.visit(facility, "11", time, Some(&BACK_PAIN));
    scene.life.charge(visit, &BLOOD_COUNT, time + 400, 1);
    scene.settle_and_refund(visit);
}

pub(super) fn late_unpaid(scene: &mut Scene<'_>) {
    scene.life.died = Some(scene.day);
    let (facility, time) = (scene.hospital(), scene.time(5));
    let visit = scene.life.begin(facility, "11", time, Some(time + 3600), Some(&BACK_PAIN));
    let index = scene.life.charge(visit, &BLOOD_COUNT, time + 400, 1);
    let line = scene.life.line(visit, index);
    line.own = line.amount;
    scene.life.settle(visit);
}

pub(super) fn late_partly_refunded(scene: &mut Scene<'_>) {
    scene.life.died = Some(scene.day);
    let (facility, time) = (scene.hospital(), scene.time(5));
    let visit = scene.life.begin(facility, "11", time, Some(time + 3600), Some(&BACK_PAIN));
    let line = scene.life.charge(visit, &PROTEIN_C, time + 400, 4);
    scene.life.refund_line(visit, line, whole(1), true);
    scene.life.settle(visit);
    let amount = share(scene.inscp(visit, line), 3, 4);
    scene.find_line("IDN101", visit, line, amount);
}
