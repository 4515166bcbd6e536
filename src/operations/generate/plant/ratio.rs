//! RAT101: stays whose self-pay is over a tenth, at a tenth, and over it for a reason. The parts are chosen so that a tenth
//! comes out to the cent.

use super::Scene;
use crate::operations::generate::calendar::at;
use crate::operations::generate::catalogue::{CT, DRESSING, OWN_PAD, PNEUMONIA, STROKE};
use crate::operations::generate::life::share;

/// A stay of which the person pays alone exactly a tenth, and `more` cents.
fn tenth(scene: &mut Scene<'_>, more: i64) -> usize {
    let (facility, day) = (scene.hospital(), scene.day);
    let stay = scene.life.stay(facility, day, day + 5, &PNEUMONIA);
    let filler = scene.life.charge(stay, &DRESSING, at(day + 1, 10, 0, 0), 1);
    let other: i64 = scene.life.encounters[stay].lines.iter().map(|line| line.amount).sum();
    let line = scene.life.line(stay, filler);
    line.pric += (9 - other % 9) % 9;
    line.reprice();
    let other: i64 = scene.life.encounters[stay].lines.iter().map(|line| line.amount).sum();
    own(scene, stay, other / 9 + more);
    scene.life.encounters[stay].bed_checks = (1..5).map(|offset| at(day + offset, 10, 30, 0)).collect();
    stay
}

/// A line that the person pays alone.
fn own(scene: &mut Scene<'_>, stay: usize, cents: i64) -> usize {
    let index = scene.life.charge(stay, &OWN_PAD, at(scene.day + 1, 11, 0, 0), 1);
    let line = scene.life.line(stay, index);
    line.pric = cents;
    line.reprice();
    index
}

fn found(scene: &mut Scene<'_>, stay: usize, settlement: usize) {
    let lines = scene.life.encounters[stay].lines.iter().filter(|line| line.settlement == Some(settlement));
    let (fee, own) = lines.fold((0, 0), |(fee, own), line| (fee + line.amount, own + line.own + line.over));
    let key = super::json(&[("setl_id", &scene.life.setl_id(stay, settlement))]);
    scene.find("RAT101", key, share(own * 10 - fee, 1, 10));
}

fn settled(scene: &mut Scene<'_>, more: i64) {
    let stay = tenth(scene, more);
    let settlement = scene.life.settle(stay);
    found(scene, stay, settlement);
}

pub(super) fn far(scene: &mut Scene<'_>) {
    settled(scene, 36_000);
}

pub(super) fn edge(scene: &mut Scene<'_>) {
    settled(scene, 1);
}

pub(super) fn hardship(scene: &mut Scene<'_>) {
    scene.life.hardship = Some("20");
    settled(scene, 8_850);
}

pub(super) fn at_limit(scene: &mut Scene<'_>) {
    let stay = tenth(scene, 0);
    scene.life.settle(stay);
}

pub(super) fn special_case(scene: &mut Scene<'_>) {
    let stay = tenth(scene, 20_000);
    scene.life.encounters[stay].special_case = Some("患者要求使用目录外耗材并签字");
    scene.life.settle(stay);
}

pub(super) fn over_limit_price_counts(scene: &mut Scene<'_>) {
    let (facility, day) = (scene.hospital(), scene.day);
    let stay = scene.life.stay(facility, day, day + 4, &STROKE);
    let index = scene.life.charge(stay, &CT, at(day, 12, 0, 0), 1);
    let line = scene.life.line(stay, index);
    (line.pric, line.limit, line.over) = (26_000, Some(20_000), 6_000);
    line.reprice();
    own(scene, stay, 5_000);
    let settlement = scene.life.settle(stay);
    found(scene, stay, settlement);
}

pub(super) fn refunded(scene: &mut Scene<'_>) {
    let stay = tenth(scene, 15_000);
    scene.settle_and_refund(stay);
    let day = scene.day;
    scene.life.daily(stay, day, day + 5);
    scene.life.settle(stay);
}

pub(super) fn pad_given_back(scene: &mut Scene<'_>) {
    let stay = tenth(scene, 0);
    let pads = own(scene, stay, 9_000);
    scene.life.refund_line(stay, pads, super::whole(1), true);
    scene.life.settle(stay);
}

pub(super) fn outpatient(scene: &mut Scene<'_>) {
    let (facility, time) = (scene.hospital(), scene.time(0));
    let visit = scene.life.visit(facility, "11", time, Some(&PNEUMONIA));
    let line = scene.life.charge(visit, &OWN_PAD, time + 600, 5);
    scene.life.line(visit, line).reprice();
    scene.life.settle(visit);
}
