//! REC101, REC102, REC103: lines that do not add up to their settlement, sums of a settlement that do not agree with each other,
//! lines uploaded late.

use super::{Recipe, Scene, hit, json, near, whole};
use crate::operations::generate::catalogue::{BACK_PAIN, LIVER};
use crate::operations::generate::life::Slip;

pub(super) const RECIPES: &[Recipe] = &[
    hit("REC101", "lines-far", 1, lines_far),
    hit("REC101", "lines-edge", 1, lines_edge),
    near("REC101", "lines-at", 1, lines_at),
    hit("REC101", "lines-too-many", 1, lines_too_many),
    near("REC101", "lines-refunded", 1, lines_refunded),
    near("REC101", "no-line", 1, no_line),
    hit("REC102", "scope-edge", 1, scope_edge),
    near("REC102", "scope-at", 1, scope_at),
    hit("REC102", "fund-far", 1, fund_far),
    hit("REC102", "cash-edge", 1, cash_edge),
    near("REC102", "cash-at", 1, cash_at),
    near("REC102", "fund-refunded", 1, fund_refunded),
    hit("REC103", "late-far", 1, late_far),
    hit("REC103", "late-edge", 1, late_edge),
    near("REC103", "late-at", 1, late_at),
    hit("REC103", "late-of-a-line-given-back", 1, late_of_a_line_given_back),
    near("REC103", "late-refunded", 1, late_refunded),
];

fn found(scene: &mut Scene<'_>, rule: &'static str, visit: usize, amount: i64) {
    let key = json(&[("setl_id", &scene.life.setl_id(visit, 0))]);
    scene.find(rule, key, amount);
}

/// A settlement of two lines and so many cents that no line shows; a cent a line is allowed.
fn lines(scene: &mut Scene<'_>, unlisted: i64) -> usize {
    let (visit, _) = scene.visit(0, &BACK_PAIN, &LIVER, 1);
    let settlement = scene.life.settle(visit);
    scene.life.encounters[visit].settlements[settlement].unlisted = unlisted;
    if unlisted.abs() > 2 {
        found(scene, "REC101", visit, unlisted.abs());
    }
    visit
}

fn lines_far(scene: &mut Scene<'_>) {
    lines(scene, 12_000);
}

fn lines_edge(scene: &mut Scene<'_>) {
    lines(scene, 3);
}

fn lines_at(scene: &mut Scene<'_>) {
    lines(scene, 2);
}

/// More lines than the settlement has money for.
fn lines_too_many(scene: &mut Scene<'_>) {
    let (visit, line) = scene.visit(0, &BACK_PAIN, &LIVER, 1);
    let first = scene.life.line(visit, line);
    first.own = first.amount;
    let settlement = scene.life.settle(visit);
    scene.life.encounters[visit].settlements[settlement].unlisted = -LIVER.price;
    found(scene, "REC101", visit, LIVER.price);
}

/// Taken back with the same sum; what was charged anew adds up.
fn lines_refunded(scene: &mut Scene<'_>) {
    let (visit, line) = scene.visit(0, &BACK_PAIN, &LIVER, 1);
    let settlement = scene.life.settle(visit);
    scene.life.encounters[visit].settlements[settlement].unlisted = 500;
    scene.life.refund_settlement(visit, settlement, || true);
    scene.life.encounters[visit].settlements[settlement + 1].unlisted = -500;
    let time = scene.life.line(visit, line).time + 9_000;
    scene.life.charge(visit, &LIVER, time, 1);
    scene.life.settle(visit);
}

/// A second settlement of which no line came: nobody can say whether it adds up.
fn no_line(scene: &mut Scene<'_>) {
    let (visit, _) = scene.visit(0, &BACK_PAIN, &LIVER, 1);
    scene.life.settle(visit);
    let second = scene.life.settle(visit);
    let second = &mut scene.life.encounters[visit].settlements[second];
    second.time += 1800;
    second.unlisted = 4_200;
}

fn slipped(scene: &mut Scene<'_>, slip: Slip) -> usize {
    let (visit, _) = scene.visit(0, &BACK_PAIN, &LIVER, 2);
    let settlement = scene.life.settle(visit);
    scene.life.encounters[visit].settlements[settlement].slip = Some(slip);
    let (Slip::Scope(cents) | Slip::Fund(cents) | Slip::Cash(cents)) = slip;
    if cents.abs() > 1 {
        found(scene, "REC102", visit, cents.abs());
    }
    visit
}

fn scope_edge(scene: &mut Scene<'_>) {
    slipped(scene, Slip::Scope(2));
}

fn scope_at(scene: &mut Scene<'_>) {
    slipped(scene, Slip::Scope(-1));
}

fn fund_far(scene: &mut Scene<'_>) {
    slipped(scene, Slip::Fund(1_000));
}

fn cash_edge(scene: &mut Scene<'_>) {
    slipped(scene, Slip::Cash(-2));
}

fn cash_at(scene: &mut Scene<'_>) {
    slipped(scene, Slip::Cash(1));
}

fn fund_refunded(scene: &mut Scene<'_>) {
    let (visit, _) = scene.visit(0, &BACK_PAIN, &LIVER, 2);
    scene.settle_and_refund(visit);
    scene.life.encounters[visit].settlements[0].slip = Some(Slip::Fund(700));
}

/// So many hours and seconds from the charge to its upload.
fn late(scene: &mut Scene<'_>, hours: i64, seconds: i64) -> (usize, usize) {
    let (visit, line) = scene.visit(0, &BACK_PAIN, &LIVER, 2);
    scene.life.line(visit, line).uploaded = hours * 3600 + seconds;
    (visit, line)
}

fn late_of(scene: &mut Scene<'_>, hours: i64, seconds: i64, found: bool) {
    let (visit, line) = late(scene, hours, seconds);
    scene.life.settle(visit);
    if found {
        scene.find_line("REC103", visit, line, 0);
    }
}

fn late_far(scene: &mut Scene<'_>) {
    late_of(scene, 400, 0, true);
}

fn late_edge(scene: &mut Scene<'_>) {
    late_of(scene, 72, 1, true);
}

fn late_at(scene: &mut Scene<'_>) {
    late_of(scene, 72, 0, false);
}

/// The row was late, whatever became of it.
fn late_of_a_line_given_back(scene: &mut Scene<'_>) {
    let (visit, line) = late(scene, 100, 0);
    scene.life.refund_line(visit, line, whole(2), true);
    scene.life.settle(visit);
    scene.find_line("REC103", visit, line, 0);
}

fn late_refunded(scene: &mut Scene<'_>) {
    let (visit, _) = late(scene, 100, 0);
    scene.settle_and_refund(visit);
}
