//! SCP110: codes that were not in the insurance's catalogue on the day, and paid.

use super::{Recipe, Scene, hit, near, whole};
use crate::operations::generate::catalogue::{BEGUN, BRONCHITIS, DROPPED, ENDED, Item, RENUMBERED};
use crate::operations::generate::life::share;
use crate::operations::generate::listing::{FIRST_DAY, LAST_DAY};

pub(super) const RECIPES: &[Recipe] = &[
    hit("SCP110", "code-in-no-catalogue", 1, code_in_no_catalogue),
    hit("SCP110", "code-ended-the-day-before", 1, code_ended_the_day_before),
    near("SCP110", "code-on-its-last-day", 1, code_on_its_last_day),
    hit("SCP110", "code-begins-the-day-after", 1, code_begins_the_day_after),
    near("SCP110", "code-on-its-first-day", 1, code_on_its_first_day),
    near("SCP110", "code-whose-prefix-goes-on", 1, code_whose_prefix_goes_on),
    near("SCP110", "code-unpaid", 1, code_unpaid),
    near("SCP110", "code-refunded", 1, code_refunded),
    hit("SCP110", "code-partly-refunded", 1, code_partly_refunded),
];

/// The item at a visit; found when `out`.
fn charged(scene: &mut Scene<'_>, item: &'static Item, out: bool) {
    let (visit, line) = scene.visit(0, &BRONCHITIS, item, 1);
    scene.life.settle(visit);
    if out {
        scene.find_whole("SCP110", visit, line);
    }
}

/// The same on the day of this number since the first of the export.
fn on(scene: &mut Scene<'_>, day: i64, item: &'static Item, out: bool) {
    scene.day = scene.life.first_day + day;
    charged(scene, item, out);
}

fn code_in_no_catalogue(scene: &mut Scene<'_>) {
    charged(scene, &DROPPED, true);
}

fn code_ended_the_day_before(scene: &mut Scene<'_>) {
    on(scene, LAST_DAY + 1, &ENDED, true);
}

fn code_on_its_last_day(scene: &mut Scene<'_>) {
    on(scene, LAST_DAY, &ENDED, false);
}

fn code_begins_the_day_after(scene: &mut Scene<'_>) {
    on(scene, FIRST_DAY - 1, &BEGUN, true);
}

fn code_on_its_first_day(scene: &mut Scene<'_>) {
    on(scene, FIRST_DAY, &BEGUN, false);
}

/// The long code has ended; a shorter one that it begins with holds.
fn code_whose_prefix_goes_on(scene: &mut Scene<'_>) {
    on(scene, LAST_DAY + 1, &RENUMBERED, false);
}

fn code_unpaid(scene: &mut Scene<'_>) {
    let (visit, line) = scene.visit(0, &BRONCHITIS, &DROPPED, 1);
    let line = scene.life.line(visit, line);
    line.own = line.amount;
    scene.life.settle(visit);
}

fn code_refunded(scene: &mut Scene<'_>) {
    let (visit, _) = scene.visit(0, &BRONCHITIS, &DROPPED, 1);
    scene.settle_and_refund(visit);
}

fn code_partly_refunded(scene: &mut Scene<'_>) {
    scene.day = scene.life.first_day + LAST_DAY + 1;
    let (visit, line) = scene.visit(0, &BRONCHITIS, &ENDED, 3);
    scene.life.refund_line(visit, line, whole(1), true);
    scene.life.settle(visit);
    let amount = share(scene.inscp(visit, line), 2, 3);
    scene.find_line("SCP110", visit, line, amount);
}
