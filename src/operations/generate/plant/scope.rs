//! SCP101 and SCP104: items of the other sex, drugs above the facility's level.

use super::{Scene, whole};
use crate::operations::generate::calendar::at;
use crate::operations::generate::catalogue::{
    APALUTAMIDE, BACK_PAIN, CAESAREAN, DANSHEN, DIABETES, DULAGLUTIDE, FETAL_HEART, FRACTURE, GLUCOSE, Item, METFORMIN,
    PNEUMONIA, PREGNANCY_TEST, PROSTATE_FLUID, PROSTATE_MASSAGE, SHENMAI, STROKE, TAMSULOSIN, WARM_WOMB_PILLS,
    XINGNAOJING,
};
use crate::operations::generate::life::share;

/// A visit of a person of this sex with this item, not yet settled.
fn charged(scene: &mut Scene<'_>, gend: u8, item: &'static Item, cnt: i64) -> (usize, usize) {
    scene.is(gend);
    let (facility, time) = (scene.hospital(), scene.time(0));
    let visit = scene.life.visit(facility, "11", time, Some(&BACK_PAIN));
    (visit, scene.life.charge(visit, item, time + 1200, cnt))
}

fn wrong(scene: &mut Scene<'_>, gend: u8, item: &'static Item, cnt: i64) {
    let (visit, line) = charged(scene, gend, item, cnt);
    scene.life.settle(visit);
    let amount = scene.inscp(visit, line);
    scene.find_line("SCP101", visit, line, amount);
}

pub(super) fn pills_for_a_man(scene: &mut Scene<'_>) {
    wrong(scene, 1, &WARM_WOMB_PILLS, 1);
}

pub(super) fn prostate_test_for_a_woman(scene: &mut Scene<'_>) {
    wrong(scene, 2, &PROSTATE_FLUID, 1);
}

pub(super) fn cancer_drug_for_a_woman(scene: &mut Scene<'_>) {
    wrong(scene, 2, &APALUTAMIDE, 1);
}

pub(super) fn class_of_drugs_for_a_woman(scene: &mut Scene<'_>) {
    wrong(scene, 2, &TAMSULOSIN, 1);
}

pub(super) fn caesarean_of_a_man(scene: &mut Scene<'_>) {
    scene.is(1);
    let (facility, day) = (scene.hospital(), scene.day);
    let stay = scene.life.stay(facility, day, day + 4, &FRACTURE);
    let line = scene.life.charge(stay, &CAESAREAN, at(day + 1, 9, 0, 0), 1);
    scene.life.settle(stay);
    let amount = scene.inscp(stay, line);
    scene.find_line("SCP101", stay, line, amount);
}

/// The encounter does not say or does not know the sex; the person's table does.
pub(super) fn sex_of_the_person(scene: &mut Scene<'_>) {
    for says in [None, Some(9)] {
        let (visit, line) = charged(scene, 1, &PREGNANCY_TEST, 1);
        scene.life.encounters[visit].gend = says;
        scene.life.settle(visit);
        let amount = scene.inscp(visit, line);
        scene.find_line("SCP101", visit, line, amount);
        scene.day += 2;
    }
}

pub(super) fn a_cent_paid(scene: &mut Scene<'_>) {
    let (visit, index) = charged(scene, 1, &FETAL_HEART, 1);
    let line = scene.life.line(visit, index);
    line.own = line.amount - 1;
    scene.life.settle(visit);
    scene.find_line("SCP101", visit, index, 1);
}

pub(super) fn nothing_paid(scene: &mut Scene<'_>) {
    let (visit, index) = charged(scene, 1, &FETAL_HEART, 1);
    let line = scene.life.line(visit, index);
    line.own = line.amount;
    scene.life.settle(visit);
}

pub(super) fn right_sex(scene: &mut Scene<'_>) {
    let (visit, _) = charged(scene, 2, &PREGNANCY_TEST, 1);
    scene.life.settle(visit);
}

pub(super) fn right_sex_of_a_man(scene: &mut Scene<'_>) {
    let (visit, _) = charged(scene, 1, &PROSTATE_MASSAGE, 2);
    scene.life.settle(visit);
}

pub(super) fn sex_unknown(scene: &mut Scene<'_>) {
    let (visit, _) = charged(scene, 9, &PREGNANCY_TEST, 1);
    scene.life.settle(visit);
}

pub(super) fn sexes_differ(scene: &mut Scene<'_>) {
    let (visit, _) = charged(scene, 2, &PREGNANCY_TEST, 1);
    scene.life.encounters[visit].gend = Some(1);
    scene.life.settle(visit);
}

pub(super) fn sex_refunded(scene: &mut Scene<'_>) {
    let (visit, _) = charged(scene, 1, &PREGNANCY_TEST, 1);
    scene.settle_and_refund(visit);
}

pub(super) fn sex_line_refunded(scene: &mut Scene<'_>) {
    let (visit, line) = charged(scene, 1, &PREGNANCY_TEST, 1);
    scene.life.refund_line(visit, line, whole(1), false);
    scene.life.settle(visit);
}

pub(super) fn sex_partly_refunded(scene: &mut Scene<'_>) {
    let (visit, line) = charged(scene, 2, &PROSTATE_MASSAGE, 3);
    scene.life.refund_line(visit, line, whole(1), true);
    scene.life.settle(visit);
    let amount = share(scene.inscp(visit, line), 2, 3);
    scene.find_line("SCP101", visit, line, amount);
}

/// A drug at a facility of this index; found when `low`.
fn at_facility(scene: &mut Scene<'_>, facility: usize, item: &'static Item, offset: i64, low: bool) -> usize {
    let time = scene.time(offset);
    let kind = if facility >= 30 { "41" } else { "11" };
    let visit = scene.life.visit(facility, kind, time, (facility < 30).then_some(&STROKE));
    let line = scene.life.charge(visit, item, time + 1500, 2);
    scene.life.settle(visit);
    if low {
        let amount = scene.inscp(visit, line);
        scene.find_line("SCP104", visit, line, amount);
    }
    visit
}

fn township(scene: &mut Scene<'_>) -> usize {
    6 + usize::try_from(scene.chance.below(14)).unwrap_or(0)
}

pub(super) fn level_one(scene: &mut Scene<'_>) {
    let facility = township(scene);
    at_facility(scene, facility, &SHENMAI, 0, true);
}

pub(super) fn level_none(scene: &mut Scene<'_>) {
    let facility = 20 + usize::try_from(scene.chance.below(10)).unwrap_or(0);
    at_facility(scene, facility, &XINGNAOJING, 0, true);
}

pub(super) fn level_two(scene: &mut Scene<'_>) {
    let facility = 2 + usize::try_from(scene.chance.below(4)).unwrap_or(0);
    at_facility(scene, facility, &SHENMAI, 0, false);
}

pub(super) fn level_three(scene: &mut Scene<'_>) {
    at_facility(scene, 1, &DANSHEN, 0, false);
}

pub(super) fn level_of_the_facility(scene: &mut Scene<'_>) {
    let facility = township(scene);
    let visit = at_facility(scene, facility, &DANSHEN, 0, true);
    scene.life.encounters[visit].has_grade = false;
}

pub(super) fn level_at_pharmacy(scene: &mut Scene<'_>) {
    at_facility(scene, 33, &DANSHEN, 0, false);
}

pub(super) fn level_in_a_stay(scene: &mut Scene<'_>) {
    let (facility, day) = (township(scene), scene.day);
    let stay = scene.life.stay(facility, day, day + 4, &STROKE);
    let lines: Vec<usize> =
        (0..3).map(|offset| scene.life.charge(stay, &SHENMAI, at(day + offset, 16, 0, 0), 1)).collect();
    // One of the three is given back, without saying which line it was: the latest before it.
    scene.life.refund_line(stay, lines[1], whole(1), false);
    scene.life.settle(stay);
    for line in [lines[0], lines[2]] {
        let amount = scene.inscp(stay, line);
        scene.find_line("SCP104", stay, line, amount);
    }
}

pub(super) fn level_refunded(scene: &mut Scene<'_>) {
    let (facility, time) = (township(scene), scene.time(0));
    let visit = scene.life.visit(facility, "11", time, Some(&PNEUMONIA));
    scene.life.charge(visit, &SHENMAI, time + 60, 1);
    scene.settle_and_refund(visit);
}

/// A visit for a pen injector a month; found when the first prescription should have been elsewhere. Metformin goes before.
fn pen(scene: &mut Scene<'_>, facility: usize, offset: i64) -> (usize, usize) {
    let time = scene.time(offset);
    let visit = scene.life.visit(facility, "140104", time, Some(&DIABETES));
    scene.life.charge(visit, &METFORMIN, time + 500, 1);
    let line = scene.life.charge(visit, &DULAGLUTIDE, time + 600, 4);
    scene.life.settle(visit);
    (visit, line)
}

/// A drug whose first prescription only needs the level: prescribed there before.
pub(super) fn continued_at_low_level(scene: &mut Scene<'_>) {
    pen(scene, 2, 0);
    let facility = township(scene);
    pen(scene, facility, 24);
}

/// The same without the earlier prescription, and the data reach back far enough to say so.
pub(super) fn begun_at_low_level(scene: &mut Scene<'_>) {
    let (visit, _) = scene.visit(-366, &DIABETES, &GLUCOSE, 1);
    scene.life.settle(visit);
    let facility = township(scene);
    let (visit, line) = pen(scene, facility, 0);
    scene.find_whole("SCP104", visit, line);
}
