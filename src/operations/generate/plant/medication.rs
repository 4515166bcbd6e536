//! MED101 and MED103: too long a prescription, and the next one before the last ran out.

use super::{Scene, json, whole};
use crate::operations::generate::calendar::day_text;
use crate::operations::generate::catalogue::{
    AMLODIPINE, AMLODIPINE_OTHER, AMOXICILLIN, BRONCHITIS, CEFUROXIME, COLD, Disease, ESTAZOLAM, HYPERTENSION, Item,
    METFORMIN, OMEPRAZOLE, SMECTITE,
};
use crate::operations::generate::life::{Supply, share};

/// A visit with one drug: packs, days of supply.
fn drug(
    scene: &mut Scene<'_>,
    kind: &'static str,
    disease: Option<&'static Disease>,
    (item, packs, days): (&'static Item, i64, i64),
    offset: i64,
) -> (usize, usize) {
    let facility = match kind {
        "41" | "9929" => 30 + usize::try_from(scene.chance.below(16)).unwrap_or(0),
        _ => scene.hospital(),
    };
    let time = scene.time(offset);
    let visit = scene.life.visit(facility, kind, time, disease);
    let line = scene.life.charge(visit, item, time + 900, packs);
    scene.life.line(visit, line).supply = Supply::Days(whole(days));
    (visit, line)
}

fn settled_drug(
    scene: &mut Scene<'_>,
    kind: &'static str,
    disease: Option<&'static Disease>,
    what: (&'static Item, i64, i64),
    limit: i64,
) {
    let (visit, line) = drug(scene, kind, disease, what, 0);
    scene.life.settle(visit);
    if what.2 > limit {
        let amount = share(scene.inscp(visit, line), what.2 - limit, what.2);
        scene.find_line("MED101", visit, line, amount);
    }
}

macro_rules! prescriptions {
    ($($name:ident: $kind:literal, $disease:expr, $item:ident x $packs:literal for $days:literal, limit $limit:literal;)*) => {
        $(pub(super) fn $name(scene: &mut Scene<'_>) {
            settled_drug(scene, $kind, $disease, (&$item, $packs, $days), $limit);
        })*
    };
}

prescriptions! {
    ordinary_far: "11", Some(&BRONCHITIS), OMEPRAZOLE x 3 for 21, limit 7;
    ordinary_edge: "11", Some(&BRONCHITIS), OMEPRAZOLE x 2 for 8, limit 7;
    ordinary_at: "11", Some(&BRONCHITIS), OMEPRAZOLE x 2 for 7, limit 7;
    emergency_far: "13", Some(&COLD), AMOXICILLIN x 2 for 8, limit 3;
    emergency_edge: "13", Some(&COLD), AMOXICILLIN x 2 for 4, limit 3;
    emergency_at: "13", Some(&COLD), SMECTITE x 2 for 3, limit 3;
    chronic_far: "140104", Some(&HYPERTENSION), AMLODIPINE x 5 for 140, limit 84;
    chronic_edge: "140104", Some(&HYPERTENSION), METFORMIN x 3 for 85, limit 84;
    chronic_at: "140104", Some(&HYPERTENSION), AMLODIPINE x 3 for 84, limit 84;
    sedative_far: "140104", Some(&HYPERTENSION), ESTAZOLAM x 2 for 40, limit 7;
    sedative_edge: "140104", Some(&HYPERTENSION), CEFUROXIME x 2 for 8, limit 7;
    sedative_at: "9901", Some(&HYPERTENSION), CEFUROXIME x 2 for 7, limit 7;
    by_diagnosis_edge: "11", Some(&HYPERTENSION), AMLODIPINE x 3 for 85, limit 84;
    by_diagnosis_at: "11", Some(&HYPERTENSION), AMLODIPINE x 3 for 84, limit 84;
    pharmacy_edge: "41", None, OMEPRAZOLE x 2 for 8, limit 7;
    pharmacy_at: "41", None, OMEPRAZOLE x 2 for 7, limit 7;
    pharmacy_chronic_at: "9929", None, AMLODIPINE x 3 for 84, limit 84;
    pharmacy_chronic_far: "9929", None, AMLODIPINE x 4 for 112, limit 84;
}

pub(super) fn smallest_pack(scene: &mut Scene<'_>) {
    let (visit, _) = drug(scene, "11", Some(&COLD), (&AMLODIPINE, 1, 28), 0);
    scene.life.settle(visit);
}

/// The days are not given, but the texts say them.
fn texts(scene: &mut Scene<'_>, item: &'static Item, packs: i64, limit: i64) {
    let (visit, line) = drug(scene, "11", Some(&COLD), (item, packs, 1), 0);
    scene.life.line(visit, line).supply = Supply::Texts;
    scene.life.settle(visit);
    let days = item.pack.map_or(0, |pack| pack.days) * packs;
    if days > limit {
        let amount = share(scene.inscp(visit, line), days - limit, days);
        scene.find_line("MED101", visit, line, amount);
    }
}

pub(super) fn texts_far(scene: &mut Scene<'_>) {
    texts(scene, &METFORMIN, 2, 7);
}

pub(super) fn texts_edge(scene: &mut Scene<'_>) {
    texts(scene, &AMOXICILLIN, 2, 7);
}

pub(super) fn texts_below(scene: &mut Scene<'_>) {
    texts(scene, &SMECTITE, 2, 7);
}

pub(super) fn texts_do_not_parse(scene: &mut Scene<'_>) {
    let (visit, line) = drug(scene, "11", Some(&COLD), (&METFORMIN, 3, 1), 0);
    scene.life.line(visit, line).supply = Supply::Unknown;
    scene.life.settle(visit);
}

pub(super) fn refunded(scene: &mut Scene<'_>) {
    let (visit, _) = drug(scene, "11", Some(&COLD), (&OMEPRAZOLE, 4, 28), 0);
    scene.settle_and_refund(visit);
}

/// Four packs for 28 days, of which `back` are returned: a week a pack stays.
fn partly(scene: &mut Scene<'_>, (item, packs, days): (&'static Item, i64, i64), back: i64) {
    let (visit, line) = drug(scene, "11", Some(&COLD), (item, packs, days), 0);
    scene.life.refund_line(visit, line, whole(back), true);
    scene.life.settle(visit);
    let left = days * (packs - back) / packs;
    if left > 7 {
        let inscp = share(scene.inscp(visit, line), packs - back, packs);
        scene.find_line("MED101", visit, line, share(inscp, left - 7, left));
    }
}

pub(super) fn partly_refunded_still_over(scene: &mut Scene<'_>) {
    partly(scene, (&OMEPRAZOLE, 4, 28), 1);
}

pub(super) fn partly_refunded_to_limit(scene: &mut Scene<'_>) {
    partly(scene, (&OMEPRAZOLE, 4, 14), 2);
}

/// Fills one after the other: (day, packs, days); says which are early and what they cost too much.
struct Fills {
    end: Option<i64>,
}

impl Fills {
    fn fill(
        &mut self,
        scene: &mut Scene<'_>,
        kind: &'static str,
        what: (&'static Item, i64, i64),
        offset: i64,
    ) -> (usize, usize) {
        let disease = if matches!(kind, "41" | "9929") { None } else { Some(&HYPERTENSION) };
        let (visit, line) = drug(scene, kind, disease, what, offset);
        scene.life.settle(visit);
        self.take(scene, visit, what.0.generic(), offset, what.2, scene.inscp(visit, line));
        (visit, line)
    }

    fn take(&mut self, scene: &mut Scene<'_>, visit: usize, generic: &str, offset: i64, days: i64, inscp: i64) {
        let in_hand = self.end.map_or(0, |end| end - offset);
        if in_hand > 7 {
            let day = day_text(scene.day + offset);
            let id = scene.life.mdtrt_id(visit);
            let key = json(&[("mdtrt_id", &id), ("generic", generic), ("day", &day)]);
            scene.find("MED103", key, share(inscp, in_hand.min(days), days));
        }
        self.end = Some(self.end.unwrap_or(offset).max(offset) + days);
    }
}

fn two(
    scene: &mut Scene<'_>,
    first: (&'static str, &'static Item, i64, i64),
    second: (&'static str, &'static Item, i64, i64),
    after: i64,
) {
    let mut fills = Fills { end: None };
    fills.fill(scene, first.0, (first.1, first.2, first.3), 0);
    fills.fill(scene, second.0, (second.1, second.2, second.3), after);
}

pub(super) fn early_far(scene: &mut Scene<'_>) {
    two(scene, ("140104", &AMLODIPINE, 1, 28), ("140104", &AMLODIPINE, 1, 28), 9);
}

pub(super) fn early_edge(scene: &mut Scene<'_>) {
    two(scene, ("140104", &AMLODIPINE, 1, 28), ("140104", &AMLODIPINE, 1, 28), 20);
}

pub(super) fn early_at(scene: &mut Scene<'_>) {
    two(scene, ("140104", &AMLODIPINE, 1, 28), ("140104", &AMLODIPINE, 1, 28), 21);
}

pub(super) fn early_at_pharmacy(scene: &mut Scene<'_>) {
    two(scene, ("140104", &METFORMIN, 2, 60), ("9929", &METFORMIN, 1, 30), 12);
}

pub(super) fn early_in_counter_sale(scene: &mut Scene<'_>) {
    two(scene, ("9901", &METFORMIN, 1, 30), ("41", &METFORMIN, 1, 30), 6);
}

pub(super) fn other_pack_same_generic(scene: &mut Scene<'_>) {
    two(scene, ("140104", &AMLODIPINE, 1, 28), ("140104", &AMLODIPINE_OTHER, 2, 28), 10);
}

pub(super) fn other_generic(scene: &mut Scene<'_>) {
    two(scene, ("140104", &AMLODIPINE, 1, 28), ("140104", &AMLODIPINE, 1, 28), 22);
    let mut other = Fills { end: None };
    other.fill(scene, "140104", (&METFORMIN, 1, 30), 24);
}

pub(super) fn wholly_in_hand(scene: &mut Scene<'_>) {
    two(scene, ("140104", &AMLODIPINE, 3, 84), ("140104", &AMLODIPINE, 1, 28), 5);
}

pub(super) fn three_stacked(scene: &mut Scene<'_>) {
    let mut fills = Fills { end: None };
    for offset in [0, 22, 23] {
        fills.fill(scene, "140104", (&AMLODIPINE, 1, 28), offset);
    }
}

pub(super) fn two_lines_one_fill(scene: &mut Scene<'_>) {
    let mut fills = Fills { end: None };
    fills.fill(scene, "140104", (&AMLODIPINE, 1, 28), 0);
    let (visit, line) = drug(scene, "140104", Some(&HYPERTENSION), (&AMLODIPINE, 1, 28), 12);
    let time = scene.life.line(visit, line).time;
    let other = scene.life.charge(visit, &AMLODIPINE_OTHER, time + 5, 1);
    scene.life.line(visit, other).supply = Supply::Days(whole(14));
    scene.life.settle(visit);
    let inscp = scene.inscp(visit, line) + scene.inscp(visit, other);
    fills.take(scene, visit, AMLODIPINE.generic(), 12, 42, inscp);
}

pub(super) fn first_refunded(scene: &mut Scene<'_>) {
    let (visit, _) = drug(scene, "140104", Some(&HYPERTENSION), (&AMLODIPINE, 1, 28), 0);
    scene.settle_and_refund(visit);
    Fills { end: None }.fill(scene, "140104", (&AMLODIPINE, 1, 28), 3);
}

pub(super) fn first_partly_refunded(scene: &mut Scene<'_>) {
    let (visit, line) = drug(scene, "140104", Some(&HYPERTENSION), (&AMLODIPINE, 2, 56), 0);
    scene.life.refund_line(visit, line, whole(1), true);
    scene.life.settle(visit);
    Fills { end: Some(28) }.fill(scene, "140104", (&AMLODIPINE, 1, 28), 21);
}

pub(super) fn second_partly_refunded(scene: &mut Scene<'_>) {
    let mut fills = Fills { end: None };
    fills.fill(scene, "140104", (&AMLODIPINE, 1, 28), 0);
    let (visit, line) = drug(scene, "140104", Some(&HYPERTENSION), (&AMLODIPINE, 2, 56), 14);
    scene.life.refund_line(visit, line, whole(1), true);
    scene.life.settle(visit);
    let inscp = share(scene.inscp(visit, line), 1, 2);
    fills.take(scene, visit, AMLODIPINE.generic(), 14, 28, inscp);
}

pub(super) fn first_of_unknown_days(scene: &mut Scene<'_>) {
    let (visit, line) = drug(scene, "140104", Some(&HYPERTENSION), (&AMLODIPINE, 1, 28), 0);
    scene.life.line(visit, line).supply = Supply::Unknown;
    scene.life.settle(visit);
    Fills { end: None }.fill(scene, "140104", (&AMLODIPINE, 1, 28), 4);
}

/// Too long and too early at once: one line, two findings, its money counted once.
pub(super) fn long_and_early(scene: &mut Scene<'_>) {
    let mut fills = Fills { end: None };
    fills.fill(scene, "140104", (&AMLODIPINE, 3, 84), 0);
    let (visit, line) = fills.fill(scene, "140104", (&AMLODIPINE, 4, 112), 15);
    let amount = share(scene.inscp(visit, line), 112 - 84, 112);
    scene.find_line("MED101", visit, line, amount);
}
