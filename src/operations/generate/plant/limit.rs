//! SCP102, SCP103, SCP105 to SCP109, SCP111, SCP112: items outside what the fund pays, for the age, the place, the disease, the
//! approval of the person, or because another fund should pay.

use super::{Recipe, Scene, hit, json, near, whole};
use crate::operations::generate::calendar::at;
use crate::operations::generate::catalogue::{
    AMLODIPINE, ANGONG, BACK_PAIN, BLOOD_COUNT, BRONCHITIS, CHILD_COLD, CHILD_MONTELUKAST, COLD, DIABETES, DINOPROST,
    Disease, GASTRITIS, GINKGO, HYDROQUINONE, HYPERTENSION, Item, LIRAGLUTIDE, METFORMIN, NURSING_NEWBORN, OVARY,
    OWN_PAD, PNEUMONIA, PREGNANCY, PROSTATE, SHUXUETONG, STROKE, STROKE_OR_BLEEDING, WORK_TRAINING,
};
use crate::operations::generate::life::share;

pub(super) const RECIPES: &[Recipe] = &[
    hit("SCP102", "child-far", 1, child_far),
    hit("SCP102", "child-edge", 1, child_edge),
    near("SCP102", "child-at", 1, child_at),
    hit("SCP102", "youth-edge", 1, youth_edge),
    near("SCP102", "youth-at", 1, youth_at),
    near("SCP102", "child-refunded", 1, child_refunded),
    hit("SCP102", "child-partly-refunded", 1, child_partly_refunded),
    hit("SCP103", "newborn-far", 1, newborn_far),
    hit("SCP103", "newborn-edge", 1, newborn_edge),
    near("SCP103", "newborn-at", 1, newborn_at),
    near("SCP103", "newborn-admitted-in-time", 6, newborn_admitted_in_time),
    hit("SCP103", "newborn-admitted-late", 6, newborn_admitted_late),
    near("SCP103", "newborn-refunded", 1, newborn_refunded),
    hit("SCP105", "ward-drug-in-clinic", 1, ward_drug_in_clinic),
    hit("SCP105", "ward-drug-in-emergency", 1, ward_drug_in_emergency),
    hit("SCP105", "emergency-pill-in-clinic", 1, emergency_pill_in_clinic),
    hit("SCP105", "emergency-pill-at-pharmacy", 1, emergency_pill_at_pharmacy),
    near("SCP105", "emergency-pill-in-emergency", 1, emergency_pill_in_emergency),
    near("SCP105", "ward-drug-on-the-ward", 4, ward_drug_on_the_ward),
    near("SCP105", "ward-drug-of-day-surgery", 2, ward_drug_of_day_surgery),
    near("SCP105", "ward-drug-at-home", 2, ward_drug_at_home),
    near("SCP105", "ward-drug-refunded", 1, ward_drug_refunded),
    hit("SCP106", "work-injury", 1, work_injury),
    hit("SCP106", "maternity-drug", 1, maternity_drug),
    near("SCP106", "maternity-visit", 1, maternity_visit),
    near("SCP106", "maternity-by-diagnosis", 1, maternity_by_diagnosis),
    near("SCP106", "maternity-by-insurance", 1, maternity_by_insurance),
    near("SCP106", "maternity-by-kind-of-care", 1, maternity_by_kind_of_care),
    near("SCP106", "work-injury-refunded", 1, work_injury_refunded),
    hit("SCP107", "indication-far", 1, indication_far),
    hit("SCP107", "indication-next-code", 1, indication_next_code),
    near("SCP107", "indication-met", 1, indication_met),
    near("SCP107", "indication-second-diagnosis", 1, indication_second_diagnosis),
    near("SCP107", "indication-by-approval", 1, indication_by_approval),
    hit("SCP107", "indication-other-approval", 1, indication_other_approval),
    near("SCP107", "indication-nobody-knows", 1, indication_nobody_knows),
    near("SCP107", "indication-refunded", 1, indication_refunded),
    hit("SCP108", "too-young-edge", 1, too_young_edge),
    near("SCP108", "young-enough", 1, young_enough),
    near("SCP108", "old-enough", 1, old_enough),
    hit("SCP108", "too-old-edge", 1, too_old_edge),
    hit("SCP108", "too-old-far", 1, too_old_far),
    near("SCP108", "age-refunded", 1, age_refunded),
    hit("SCP109", "prostate-of-a-woman", 1, prostate_of_a_woman),
    hit("SCP109", "ovary-of-a-man-besides", 1, ovary_of_a_man_besides),
    near("SCP109", "ovary-of-a-woman", 1, ovary_of_a_woman),
    near("SCP109", "ovary-of-nobody-knows", 1, ovary_of_nobody_knows),
    near("SCP109", "ovary-of-a-newborn", 1, ovary_of_a_newborn),
    hit("SCP109", "ovary-past-newborn", 1, ovary_past_newborn),
    near("SCP109", "prostate-refunded", 1, prostate_refunded),
    hit("SCP111", "approval-other-disease", 1, approval_other_disease),
    hit("SCP111", "approval-one-of-two", 1, approval_one_of_two),
    near("SCP111", "approval-right", 1, approval_right),
    near("SCP111", "approval-without-a-list", 1, approval_without_a_list),
    near("SCP111", "approval-not-used", 1, approval_not_used),
    near("SCP111", "approval-refunded", 1, approval_refunded),
    hit("SCP112", "burden-far", 4, burden_far),
    hit("SCP112", "burden-edge", 4, burden_edge),
    near("SCP112", "burden-at", 4, burden_at),
    near("SCP112", "burden-of-others", 4, burden_of_others),
    near("SCP112", "burden-outside-a-stay", 1, burden_outside_a_stay),
    near("SCP112", "burden-refunded", 4, burden_refunded),
];

/// A visit with an item, settled, and found if so.
fn item_of(scene: &mut Scene<'_>, rule: &'static str, disease: &'static Disease, item: &'static Item, found: bool) {
    let (visit, line) = scene.visit(0, disease, item, 1);
    scene.life.settle(visit);
    if found {
        scene.find_whole(rule, visit, line);
    }
}

fn refunded_item(scene: &mut Scene<'_>, disease: &'static Disease, item: &'static Item) {
    let (visit, _) = scene.visit(0, disease, item, 1);
    scene.settle_and_refund(visit);
}

// ---- SCP102

fn child_far(scene: &mut Scene<'_>) {
    scene.aged(52, 0, 0);
    item_of(scene, "SCP102", &COLD, &CHILD_COLD, true);
}

fn child_edge(scene: &mut Scene<'_>) {
    scene.aged(15, 0, 0);
    item_of(scene, "SCP102", &COLD, &CHILD_COLD, true);
}

/// The day before the fifteenth birthday.
fn child_at(scene: &mut Scene<'_>) {
    scene.aged(15, 0, 1);
    item_of(scene, "SCP102", &COLD, &CHILD_COLD, false);
}

fn youth_edge(scene: &mut Scene<'_>) {
    scene.aged(19, 0, 0);
    item_of(scene, "SCP102", &BRONCHITIS, &CHILD_MONTELUKAST, true);
}

fn youth_at(scene: &mut Scene<'_>) {
    scene.aged(19, 0, 1);
    item_of(scene, "SCP102", &BRONCHITIS, &CHILD_MONTELUKAST, false);
}

fn child_refunded(scene: &mut Scene<'_>) {
    scene.aged(40, 0, 0);
    refunded_item(scene, &COLD, &CHILD_COLD);
}

fn child_partly_refunded(scene: &mut Scene<'_>) {
    scene.aged(40, 0, 0);
    let (visit, line) = scene.visit(0, &COLD, &CHILD_COLD, 2);
    scene.life.refund_line(visit, line, whole(1), true);
    scene.life.settle(visit);
    let amount = share(scene.inscp(visit, line), 1, 2);
    scene.find_line("SCP102", visit, line, amount);
}

// ---- SCP103

fn newborn_far(scene: &mut Scene<'_>) {
    scene.life.born = scene.day - 120;
    item_of(scene, "SCP103", &COLD, &NURSING_NEWBORN, true);
}

fn newborn_edge(scene: &mut Scene<'_>) {
    scene.life.born = scene.day - 29;
    item_of(scene, "SCP103", &COLD, &NURSING_NEWBORN, true);
}

fn newborn_at(scene: &mut Scene<'_>) {
    scene.life.born = scene.day - 28;
    item_of(scene, "SCP103", &COLD, &NURSING_NEWBORN, false);
}

/// A stay of five days of a child of so many days, cared for as a newborn on the third.
fn newborn_stay(scene: &mut Scene<'_>, age: i64) -> (usize, usize) {
    scene.life.born = scene.day - age;
    let (facility, day) = (scene.hospital(), scene.day);
    let stay = scene.life.lean_stay(facility, day, day + 5, &PNEUMONIA);
    let line = scene.life.charge(stay, &NURSING_NEWBORN, at(day + 3, 8, 0, 0), 1);
    scene.life.settle(stay);
    (stay, line)
}

fn newborn_admitted_in_time(scene: &mut Scene<'_>) {
    newborn_stay(scene, 28);
}

fn newborn_admitted_late(scene: &mut Scene<'_>) {
    let (stay, line) = newborn_stay(scene, 29);
    scene.find_whole("SCP103", stay, line);
}

fn newborn_refunded(scene: &mut Scene<'_>) {
    scene.life.born = scene.day - 90;
    refunded_item(scene, &COLD, &NURSING_NEWBORN);
}

// ---- SCP105

fn setting_of(scene: &mut Scene<'_>, kind: &'static str, item: &'static Item, found: bool) {
    let (facility, time) = (if kind == "41" { 36 } else { scene.hospital() }, scene.time(0));
    let visit = scene.life.visit(facility, kind, time, (kind != "41").then_some(&STROKE));
    let line = scene.life.charge(visit, item, time + 600, 1);
    scene.life.settle(visit);
    if found {
        scene.find_whole("SCP105", visit, line);
    }
}

fn ward_drug_in_clinic(scene: &mut Scene<'_>) {
    setting_of(scene, "11", &GINKGO, true);
}

fn ward_drug_in_emergency(scene: &mut Scene<'_>) {
    setting_of(scene, "13", &GINKGO, true);
}

fn emergency_pill_in_clinic(scene: &mut Scene<'_>) {
    setting_of(scene, "16", &ANGONG, true);
}

fn emergency_pill_at_pharmacy(scene: &mut Scene<'_>) {
    setting_of(scene, "41", &ANGONG, true);
}

fn emergency_pill_in_emergency(scene: &mut Scene<'_>) {
    setting_of(scene, "13", &ANGONG, false);
}

fn ward_drug_on_the_ward(scene: &mut Scene<'_>) {
    let (facility, day) = (scene.hospital(), scene.day);
    let stay = scene.life.lean_stay(facility, day, day + 3, &STROKE);
    scene.life.charge(stay, &GINKGO, at(day + 1, 9, 0, 0), 1);
    scene.life.settle(stay);
}

fn ward_drug_of_day_surgery(scene: &mut Scene<'_>) {
    setting_of(scene, "28", &GINKGO, false);
}

fn ward_drug_at_home(scene: &mut Scene<'_>) {
    setting_of(scene, "71", &GINKGO, false);
}

fn ward_drug_refunded(scene: &mut Scene<'_>) {
    refunded_item(scene, &STROKE, &GINKGO);
}

// ---- SCP106

fn work_injury(scene: &mut Scene<'_>) {
    item_of(scene, "SCP106", &BACK_PAIN, &HYDROQUINONE, true);
}

/// A young woman's visit of this kind for this disease.
fn maternity_of(scene: &mut Scene<'_>, kind: &'static str, disease: &'static Disease, found: bool) {
    scene.is(2);
    scene.life.born = scene.life.first_day - 28 * 365;
    let (visit, line) = scene.visit(0, disease, &DINOPROST, 1);
    scene.life.encounters[visit].med_type = kind;
    scene.life.settle(visit);
    if found {
        scene.find_whole("SCP106", visit, line);
    }
}

fn maternity_drug(scene: &mut Scene<'_>) {
    maternity_of(scene, "11", &GASTRITIS, true);
}

fn maternity_visit(scene: &mut Scene<'_>) {
    maternity_of(scene, "51", &GASTRITIS, false);
}

fn maternity_by_diagnosis(scene: &mut Scene<'_>) {
    maternity_of(scene, "11", &PREGNANCY, false);
}

fn maternity_by_insurance(scene: &mut Scene<'_>) {
    scene.life.insutype = "510";
    maternity_of(scene, "11", &GASTRITIS, false);
}

/// Only `matn_type` tells; without it this is `maternity-drug`, which is found.
fn maternity_by_kind_of_care(scene: &mut Scene<'_>) {
    maternity_of(scene, "11", &GASTRITIS, false);
    for visit in &mut scene.life.encounters {
        visit.maternity = Some("1");
    }
}

fn work_injury_refunded(scene: &mut Scene<'_>) {
    refunded_item(scene, &BACK_PAIN, &HYDROQUINONE);
}

// ---- SCP107

fn indication_far(scene: &mut Scene<'_>) {
    item_of(scene, "SCP107", &BACK_PAIN, &SHUXUETONG, true);
}

fn indication_next_code(scene: &mut Scene<'_>) {
    item_of(scene, "SCP107", &STROKE_OR_BLEEDING, &SHUXUETONG, true);
}

fn indication_met(scene: &mut Scene<'_>) {
    item_of(scene, "SCP107", &STROKE, &SHUXUETONG, false);
}

fn indication_second_diagnosis(scene: &mut Scene<'_>) {
    let (visit, _) = scene.visit(0, &BACK_PAIN, &SHUXUETONG, 1);
    scene.life.encounters[visit].diseases.push(&STROKE);
    scene.life.settle(visit);
}

/// A pen for diabetes under an approval of this number, with another disease's diagnosis.
fn pen_under(scene: &mut Scene<'_>, approval: &'static str) -> (usize, usize) {
    let (visit, line) = scene.visit(0, &HYPERTENSION, &LIRAGLUTIDE, 1);
    scene.life.encounters[visit].dise_no = Some(approval);
    scene.life.settle(visit);
    (visit, line)
}

fn indication_by_approval(scene: &mut Scene<'_>) {
    pen_under(scene, "M01600");
}

fn indication_other_approval(scene: &mut Scene<'_>) {
    let (visit, line) = pen_under(scene, "M03900");
    scene.find_whole("SCP107", visit, line);
}

fn indication_nobody_knows(scene: &mut Scene<'_>) {
    let (visit, _) = scene.visit(0, &BACK_PAIN, &SHUXUETONG, 1);
    scene.life.encounters[visit].diseases.clear();
    scene.life.settle(visit);
}

fn indication_refunded(scene: &mut Scene<'_>) {
    refunded_item(scene, &BACK_PAIN, &SHUXUETONG);
}

// ---- SCP108

fn training_of(scene: &mut Scene<'_>, years: i64, sooner: i64, found: bool) {
    scene.aged(years, 0, sooner);
    item_of(scene, "SCP108", &BACK_PAIN, &WORK_TRAINING, found);
}

fn too_young_edge(scene: &mut Scene<'_>) {
    training_of(scene, 16, 1, true);
}

fn young_enough(scene: &mut Scene<'_>) {
    training_of(scene, 16, 0, false);
}

fn old_enough(scene: &mut Scene<'_>) {
    training_of(scene, 61, 1, false);
}

fn too_old_edge(scene: &mut Scene<'_>) {
    training_of(scene, 61, 0, true);
}

fn too_old_far(scene: &mut Scene<'_>) {
    training_of(scene, 83, 0, true);
}

fn age_refunded(scene: &mut Scene<'_>) {
    scene.aged(70, 0, 0);
    refunded_item(scene, &BACK_PAIN, &WORK_TRAINING);
}

// ---- SCP109

/// A visit of a person of this sex with this diagnosis.
fn diagnosed(scene: &mut Scene<'_>, gend: u8, disease: &'static Disease) -> usize {
    scene.is(gend);
    let (visit, _) = scene.visit(0, disease, &BLOOD_COUNT, 1);
    scene.life.settle(visit);
    visit
}

fn found_diagnosis(scene: &mut Scene<'_>, visit: usize, disease: &Disease) {
    let id = scene.life.mdtrt_id(visit);
    scene.find("SCP109", json(&[("mdtrt_id", &id), ("diag_code", disease.code)]), 0);
}

fn prostate_of_a_woman(scene: &mut Scene<'_>) {
    let visit = diagnosed(scene, 2, &PROSTATE);
    found_diagnosis(scene, visit, &PROSTATE);
}

fn ovary_of_a_man_besides(scene: &mut Scene<'_>) {
    let visit = diagnosed(scene, 1, &BACK_PAIN);
    scene.life.encounters[visit].diseases.push(&OVARY);
    found_diagnosis(scene, visit, &OVARY);
}

fn ovary_of_a_woman(scene: &mut Scene<'_>) {
    diagnosed(scene, 2, &OVARY);
}

fn ovary_of_nobody_knows(scene: &mut Scene<'_>) {
    diagnosed(scene, 9, &OVARY);
}

/// The mother's diagnosis stands on her newborn's record.
fn ovary_of_a_newborn(scene: &mut Scene<'_>) {
    let visit = diagnosed(scene, 1, &OVARY);
    scene.life.born = scene.life.days(visit).0 - 28;
}

fn ovary_past_newborn(scene: &mut Scene<'_>) {
    let visit = diagnosed(scene, 1, &OVARY);
    scene.life.born = scene.life.days(visit).0 - 29;
    found_diagnosis(scene, visit, &OVARY);
}

fn prostate_refunded(scene: &mut Scene<'_>) {
    let visit = diagnosed(scene, 2, &PROSTATE);
    scene.life.refund_settlement(visit, 0, || true);
}

// ---- SCP111

/// A chronic visit under this approval with these drugs.
fn approved(
    scene: &mut Scene<'_>,
    kind: &'static str,
    approval: &'static str,
    items: &[&'static Item],
) -> (usize, usize) {
    let (facility, time) = (scene.hospital(), scene.time(0));
    let visit = scene.life.visit(facility, kind, time, Some(&DIABETES));
    scene.life.encounters[visit].dise_no = Some(approval);
    let mut last = 0;
    for (item, second) in items.iter().zip(0_i64..) {
        last = scene.life.charge(visit, item, time + 900 + second, 1);
    }
    scene.life.settle(visit);
    (visit, last)
}

fn approval_other_disease(scene: &mut Scene<'_>) {
    let (visit, line) = approved(scene, "140104", "M03900", &[&METFORMIN]);
    scene.find_whole("SCP111", visit, line);
}

fn approval_one_of_two(scene: &mut Scene<'_>) {
    let (visit, line) = approved(scene, "140201", "M03900", &[&AMLODIPINE, &METFORMIN]);
    scene.find_whole("SCP111", visit, line);
}

fn approval_right(scene: &mut Scene<'_>) {
    approved(scene, "140104", "M01600", &[&METFORMIN]);
}

fn approval_without_a_list(scene: &mut Scene<'_>) {
    approved(scene, "140104", "M99900", &[&METFORMIN]);
}

fn approval_not_used(scene: &mut Scene<'_>) {
    approved(scene, "9901", "M03900", &[&METFORMIN]);
}

fn approval_refunded(scene: &mut Scene<'_>) {
    let (visit, _) = approved(scene, "140104", "M03900", &[&METFORMIN]);
    scene.life.refund_settlement(visit, 0, || true);
}

// ---- SCP112

/// A stay in which the person pays so many cents alone, for a reason that somebody registered.
fn burden(scene: &mut Scene<'_>, hardship: Option<&'static str>, cents: i64) -> (usize, usize) {
    scene.life.hardship = hardship;
    let (facility, day) = (scene.hospital(), scene.day);
    let stay = scene.life.lean_stay(facility, day, day + 3, &PNEUMONIA);
    scene.life.encounters[stay].special_case = Some("患者要求使用目录外耗材并签字");
    let index = scene.life.charge(stay, &OWN_PAD, at(day + 1, 9, 0, 0), 1);
    let line = scene.life.line(stay, index);
    line.pric = cents;
    line.reprice();
    (stay, index)
}

fn burden_of(scene: &mut Scene<'_>, hardship: Option<&'static str>, cents: i64, found: bool) {
    let (stay, line) = burden(scene, hardship, cents);
    scene.life.settle(stay);
    if found {
        scene.find_line("SCP112", stay, line, 0);
    }
}

fn burden_far(scene: &mut Scene<'_>) {
    burden_of(scene, Some("20"), 320_000, true);
}

fn burden_edge(scene: &mut Scene<'_>) {
    burden_of(scene, Some("10"), 50_001, true);
}

fn burden_at(scene: &mut Scene<'_>) {
    burden_of(scene, Some("20"), 50_000, false);
}

fn burden_of_others(scene: &mut Scene<'_>) {
    burden_of(scene, None, 320_000, false);
}

fn burden_outside_a_stay(scene: &mut Scene<'_>) {
    scene.life.hardship = Some("30");
    let (visit, index) = scene.visit(0, &BACK_PAIN, &OWN_PAD, 1);
    let line = scene.life.line(visit, index);
    line.pric = 80_000;
    line.reprice();
    scene.life.settle(visit);
}

fn burden_refunded(scene: &mut Scene<'_>) {
    let (stay, line) = burden(scene, Some("40"), 70_000);
    scene.life.refund_line(stay, line, whole(1), true);
    scene.life.settle(stay);
}
