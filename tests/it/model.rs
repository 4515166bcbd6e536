//! Properties that always hold: money spread without losing a cent, days there and back, netting that adds up.

use fundaudit::engine::{Claims, Tables};
use fundaudit::ingest::TableBuilder;
use fundaudit::model::{Table, codes, day, money, supply};
use proptest::prelude::*;
use rust_decimal::Decimal;

proptest! {
    #[test]
    fn spread_parts_add_up_and_keep_their_order(total in 0_i64..10_000_000, weights in prop::collection::vec(0_i64..1_000_000, 1..40)) {
        let total = Decimal::new(total, 2);
        let decimals: Vec<Decimal> = weights.iter().map(|w| Decimal::new(*w, 2)).collect();
        let parts = money::spread(total, &decimals);
        if weights.iter().sum::<i64>() > 0 {
            prop_assert_eq!(parts.iter().sum::<Decimal>(), total);
            for (part, weight) in parts.iter().zip(&decimals) {
                // No part is further from its exact share than a cent.
                let exact = total * *weight / decimals.iter().sum::<Decimal>();
                prop_assert!((*part - exact).abs() < Decimal::new(1, 2), "{} {}", part, exact);
            }
        } else {
            prop_assert!(parts.iter().all(Decimal::is_zero));
        }
    }

    #[test]
    fn a_day_survives_its_text(number in -1_000_000_i32..2_900_000) {
        let text = day::text(number);
        if text.len() == 10 && !text.starts_with('-') && !text.starts_with("0000") {
            prop_assert_eq!(day::parse(&text), Some(number));
        }
    }

    #[test]
    fn age_grows_by_one_on_the_birthday(birth in -30_000_i32..20_000, years in 1_i32..100) {
        let (year, month, d) = day::to_ymd(birth);
        if let Some(birthday) = day::from_ymd(year + years, month, d) {
            prop_assert_eq!(day::age(birth, birthday), years);
            prop_assert_eq!(day::age(birth, birthday - 1), years - 1);
        }
    }

    /// Whatever reversals there are, every line and every cent is accounted for, and no net line is negative.
    #[test]
    fn netting_loses_no_line_and_no_cent(lines in prop::collection::vec((0_u8..3, 0_u8..3, -3_i32..4, 0_u8..4, any::<bool>()), 1..60), refund in 0_u8..4) {
        let mut fees = TableBuilder::new(Table::FeeDetail);
        for (number, (encounter, item, cnt, origin, named)) in lines.iter().enumerate() {
            let cnt = if *cnt == 0 { 1 } else { *cnt };
            let row = [
                ("feedetl_sn", number.to_string()),
                ("mdtrt_id", format!("M{encounter}")),
                ("setl_id", format!("T{encounter}")),
                ("psn_no", "P1".to_owned()),
                ("fixmedins_code", "H1".to_owned()),
                ("fee_ocur_time", format!("2026-03-{:02} 08:00:00", number % 28 + 1)),
                ("hilist_code", format!("00{item}")),
                ("cnt", cnt.to_string()),
                ("pric", "12.5".to_owned()),
                ("det_item_fee_sumamt", (Decimal::new(125, 1) * Decimal::from(cnt)).to_string()),
                ("inscp_amt", (Decimal::new(100, 1) * Decimal::from(cnt)).to_string()),
                ("init_feedetl_sn", if *named && cnt < 0 { origin.to_string() } else { String::new() }),
            ];
            let cells: Vec<(usize, &str)> = row.iter().map(|(name, text)| (Table::FeeDetail.position(name).unwrap(), text.as_str())).collect();
            fees.push(cells).unwrap();
        }
        let mut settlements = TableBuilder::new(Table::Settlement);
        for encounter in 0..3_u8 {
            for (id, origin, amount) in [(format!("T{encounter}"), String::new(), "100"), (format!("R{encounter}"), format!("T{encounter}"), "-100")] {
                if !origin.is_empty() && encounter >= refund {
                    continue;
                }
                let row = [
                    ("setl_id", id),
                    ("mdtrt_id", format!("M{encounter}")),
                    ("psn_no", "P1".to_owned()),
                    ("fixmedins_code", "H1".to_owned()),
                    ("setl_time", "2026-03-31".to_owned()),
                    ("medfee_sumamt", amount.to_owned()),
                    ("refd_setl_flag", if origin.is_empty() { "0" } else { "1" }.to_owned()),
                    ("init_setl_id", origin),
                ];
                let cells: Vec<(usize, &str)> = row.iter().map(|(name, text)| (Table::Settlement.position(name).unwrap(), text.as_str())).collect();
                settlements.push(cells).unwrap();
            }
        }
        let tables = Tables::from([(Table::FeeDetail, fees.finish()), (Table::Settlement, settlements.finish())]);
        let claims = Claims::net(&tables).unwrap();
        prop_assert!(claims.netting.adds_up(), "{:?}", claims.netting);
        prop_assert_eq!(claims.netting.lines.rows, lines.len() as u64);
        prop_assert_eq!(claims.netting.net.rows, claims.lines.num_rows() as u64);
        let totals = claims.lines.column("det_item_fee_sumamt").unwrap();
        let totals: &arrow::array::Decimal128Array = totals.as_any().downcast_ref().unwrap();
        prop_assert!(totals.iter().flatten().all(|fen| fen > 0));
        prop_assert_eq!(totals.iter().flatten().sum::<i128>(), claims.netting.net.fen);
        let counts = claims.lines.column("cnt").unwrap();
        let counts: &arrow::array::Decimal128Array = counts.as_any().downcast_ref().unwrap();
        // Money and quantity are reduced alike: 12.50 a piece before and after.
        prop_assert!(counts.iter().flatten().zip(totals.iter().flatten()).all(|(cnt, fen)| cnt * 1_250 == fen * 10_000));
    }
}

#[test]
fn half_a_cent_goes_up() {
    for (yuan, cents) in
        [("0.005", "0.01"), ("0.0049999", "0.00"), ("12.345", "12.35"), ("12.344999", "12.34"), ("2.675", "2.68")]
    {
        assert_eq!(money::to_cent(yuan.parse().unwrap()).to_string(), cents, "{yuan}");
    }
}

#[test]
fn days_of_supply_are_read_from_the_pack_or_not_at_all() {
    let days = |cnt: i64, unit: &str, spec: &str, dose: &str, often: &str| {
        supply::days_of_supply(Decimal::from(cnt), Some(unit), Some(spec), Some(dose), Some(often))
            .map(|d| d.to_string())
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(days(3, "盒", "0.25g×12片/盒", "0.5g", "tid"), some("6"));
    assert_eq!(days(2, "盒", "0.25g*24片/盒", "2片", "bid"), some("12"));
    assert_eq!(days(1, "瓶", "100片", "1片", "qod"), some("200"));
    assert_eq!(days(1, "盒", "5mg×7片/盒", "5mg", "qw"), some("49"));
    assert_eq!(days(1, "盒", "10mg×10片/盒", "30mg", "qd"), some("3.33333333"));
    assert_eq!(days(1, "盒", "10mg×12片×2板/盒", "10mg", "每日三次"), some("8"));
    for (unit, spec, dose, often) in [
        ("片", "0.25g×12片/盒", "0.5g", "tid"),
        ("盒", "12片装", "2片", "tid"),
        ("盒", "0.25g×12片/盒", "适量", "tid"),
        ("盒", "0.25g×12片/盒", "0.5g", "必要时"),
        ("盒", "12粒/盒", "0.5g", "tid"),
        ("盒", "0.25g×12片/盒", "5ml", "tid"),
        ("盒", "0.25g×0片/盒", "0.5g", "tid"),
        ("盒", "0.25g×12片/盒", "0片", "tid"),
    ] {
        assert_eq!(days(1, unit, spec, dose, often), None, "{unit} {spec} {dose} {often}");
    }
    assert_eq!(supply::days_of_supply(Decimal::ONE, None, None, None, None), None);
}

#[test]
fn codes_mean_what_the_dictionaries_say() {
    for (code, level) in [
        ("01", Some(3)),
        ("1", Some(3)),
        ("04", Some(3)),
        ("05", Some(2)),
        ("07", Some(2)),
        ("08", Some(1)),
        ("10", Some(1)),
        ("11", Some(0)),
        ("12", Some(3)),
        ("13", Some(2)),
        ("14", Some(1)),
        ("15", None),
        ("", None),
        ("三甲", None),
    ] {
        assert_eq!(codes::level(code), level, "{code}");
    }
    assert_eq!(codes::generic("XL02BBA326A001010102180"), "XL02BBA326");
    assert_eq!(codes::generic("ZD03AAA0043010100166"), "ZD03AAA0043");
    assert_eq!(codes::generic("T001700233"), "T001700233");
    assert_eq!(codes::generic("XJ01"), "XJ01");
    assert_eq!(codes::atc4("XL02BBA326A001010102180"), Some("XL02BB"));
    assert_eq!(codes::region_fit(Some("340602"), Some("340602")), Some(3));
    assert_eq!(codes::region_fit(Some("340600"), Some("340602")), Some(2));
    assert_eq!(codes::region_fit(Some("340000"), Some("340602")), Some(1));
    assert_eq!(codes::region_fit(None, Some("340602")), Some(0));
    assert_eq!(codes::region_fit(None, None), Some(0));
    assert_eq!(codes::region_fit(Some("340602"), Some("340621")), None);
    assert_eq!(codes::region_fit(Some("340600"), None), None);
}
