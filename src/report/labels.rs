//! Chinese names for what evidence, keys and missing columns are called in the rules.
//!
//! Goes in: a name as the rules say it, `used`, `cap.max`, `other.end_day`, `$rx_days_long`. Comes out: words for it, where
//! there are some. Deliberately unknown here: values, masks, languages other than Chinese.
//!
//! To add one: a line in [`NAMES`], or in [`ALIASES`] for what a rule calls a joined table. A test goes over the evidence of
//! every rule and asks for its words.

use crate::model::tables::Table;

/// Measures, columns of views, and what joined tables hold.
const NAMES: &[(&str, &str)] = &[
    ("day", "日期"),
    ("month", "月份"),
    ("generic", "通用名"),
    ("atc4", "药品 ATC 四级"),
    ("stay_days", "住院天数"),
    ("days", "用药天数"),
    ("days_given", "用药天数由处方写明"),
    ("age", "年龄"),
    ("age_days", "日龄"),
    ("level", "机构级别"),
    ("setting", "就医方式"),
    ("region", "区划"),
    ("facility_region", "机构区划"),
    ("facility_name", "机构名称"),
    ("begin_day", "开始日期"),
    ("end_day", "结束日期"),
    ("death_day", "死亡日期"),
    ("stay_id", "住院的就诊ID"),
    ("stay_begin", "入院日期"),
    ("stay_end", "出院日期"),
    ("stay_from", "住院开始日期"),
    ("stay_until", "住院结束日期"),
    ("stay_open", "尚未出院"),
    ("stay_med_types", "住院各段的医疗类别"),
    ("stay_departments", "住院各段的出入院科室"),
    ("visit_fund_pay_sumamt", "该次就诊的基金支付总额"),
    ("open", "尚未结束"),
    ("diagnoses", "诊断"),
    ("items", "收费项目"),
    ("hardship", "困难群体"),
    ("special_case", "特殊情形"),
    ("used", "计费数量"),
    ("inscp_amt", "医保范围内金额"),
    ("paid", "医保范围内金额"),
    ("allowed", "上限"),
    ("raised", "当日转科，上限放宽"),
    ("kept", "应保留的金额"),
    ("lines", "相同明细的行数"),
    ("limit_days", "适用的天数上限"),
    ("chronic", "按慢性病管理"),
    ("excess", "单价超出"),
    ("max_allowed", "单价上限"),
    ("item", "项目"),
    ("in_hand", "手中余药天数"),
    ("self_pay", "自费合计"),
    ("first_day", "首次门诊日期"),
    ("paid_inside", "住院期间门诊的医保范围内金额"),
    ("during", "在住院期间"),
    ("shared_days", "重叠天数"),
    ("later_id", "后一次住院的就诊ID"),
    ("later_days", "后一次住院天数"),
    ("later_paid", "后一次住院的医保范围内金额"),
    ("gap_days", "间隔天数"),
    ("point", "限频项目"),
    ("mdtrt_id_1", "前一次就诊ID"),
    ("mdtrt_id_2", "后一次就诊ID"),
    ("pair", "包含与被包含的项目"),
    ("paid_b", "被包含项目的金额"),
    ("has_a", "收了包含的项目"),
    ("has_b", "收了被包含的项目"),
    ("pair.code", "包含的项目"),
    ("pair.code_b", "被包含的项目"),
    ("pair.window", "核对范围"),
    ("cap.max", "限定频次"),
    ("cap.point", "限频项目"),
    ("ceiling.max_price", "最高限价"),
    ("lim.sex", "限定性别"),
    ("lvl.min_level", "限定的最低级别"),
    ("lvl.first_prescription_only", "只限首次处方"),
    ("$bed_days_tolerance", "床日费宽限天数"),
    ("$readmission_days", "分解住院间隔天数"),
    ("$repeat_tolerance_days", "提前续方宽限天数"),
    ("$rx_days_emergency", "急诊处方最多天数"),
    ("$rx_days_long", "长处方最多天数"),
    ("$rx_days_ordinary", "普通处方最多天数"),
    ("$self_pay_ratio_max", "住院自费率上限"),
    ("$absent_days_min", "查床不在的最少天数"),
    ("$consultation_days_tolerance", "住院诊查费宽限天数"),
    ("$days_before_admission", "入院前可并入的天数"),
    ("$distance_km_min", "两家机构的最小距离"),
    ("$drugs_per_prescription_max", "每张处方药品种数上限"),
    ("$examination_share_min", "检查化验费占比"),
    ("$examination_stay_days", "仅检查住院的最多天数"),
    ("$fills_per_month_max", "同一药每月取药次数上限"),
    ("$hardship_out_of_catalogue_amount", "困难群体目录外单行费用关注线"),
    ("$later_operation_discount", "同组手术第二项起的折扣"),
    ("$no_treatment_days", "只有床位诊查护理费的连续天数"),
    ("$nursing_days_tolerance", "分级护理费宽限天数"),
    ("$second_line_look_back_days", "二线药往前看的天数"),
    ("$speed_kmh_max", "两地之间最快的速度"),
    ("$stays_in_window_max", "窗口内最多住院次数"),
    ("$stays_window_days", "频繁住院的窗口"),
    ("$takehome_days", "出院带药最多天数"),
    ("$takehome_days_chronic", "慢性病出院带药最多天数"),
    ("$takehome_days_special", "特殊慢性病出院带药最多天数"),
    ("$treatment_share_max", "药品治疗手术费占比"),
    ("$upload_hours_max", "明细上传的最长时限"),
    ("in_window", "窗口内合计"),
    ("operations", "手术项数"),
    ("undiscounted", "未打折的手术项数"),
    ("above", "超出折扣的金额"),
    ("hours", "小时数"),
    ("parts_charged", "已收的组成项数"),
    ("parts_sum", "组成项金额合计"),
    ("product", "数量乘单价"),
    ("difference", "差额"),
    ("tolerance", "允许误差"),
    ("visits", "就诊次数"),
    ("people", "人数"),
    ("last_day", "最后一天"),
    ("paid_later", "后来几次的医保范围内金额"),
    ("distance", "距离（公里）"),
    ("used_days", "用药天数合计"),
    ("herbs", "饮片行数"),
    ("fills", "开药次数"),
    ("beyond", "超出次数的金额"),
    ("generics", "通用名个数"),
    ("rest", "其余药品的金额"),
    ("line_count", "明细行数"),
    ("line_sum", "明细金额合计"),
    ("broken", "不平的恒等式"),
    ("scope_gap", "政策范围内金额的差额"),
    ("fund_gap", "各项基金支付的差额"),
    ("total_gap", "总费用的差额"),
    ("funds", "各项基金支付合计"),
    ("absent_days", "不在床的天数"),
    ("plain_days", "没有治疗的天数"),
    ("total", "费用合计"),
    ("examined", "检查化验金额"),
    ("treated", "用药治疗手术金额"),
    ("stay_age_days", "入院时日龄"),
    ("max", "上限"),
    ("group", "组"),
    ("parts", "组成项"),
    ("price", "打包价"),
    ("min_age", "最小年龄"),
    ("max_age", "最大年龄"),
    ("settings", "限定的就医方式"),
    ("first_line", "一线药"),
    ("fund", "应由哪项基金支付"),
    ("max_days", "最长天数"),
    ("code", "编码"),
    ("list_price", "标准价"),
    ("shared", "重叠天数"),
    ("main_diag", "主诊断"),
    ("is_main", "主诊断"),
];

/// What rules call the tables and rows that they join.
const ALIASES: &[(&str, &str)] = &[
    ("cap", "限频表"),
    ("pair", "重复收费对照表"),
    ("ceiling", "限价表"),
    ("lim", "限性别表"),
    ("lvl", "限级别表"),
    ("nolong", "不得开长处方目录"),
    ("chron", "慢性病目录"),
    ("planned", "计划再入院目录"),
    ("bed", "床位费目录"),
    ("other", "另一次住院"),
    ("previous", "上一次住院"),
    ("inside", "所在住院"),
    ("prior", "此前上级机构用药"),
    ("transfer", "转院"),
    ("cyc", "限周期表"),
    ("op", "手术组表"),
    ("hour", "按小时计价表"),
    ("pkg", "打包收费表"),
    ("crs", "疗程表"),
    ("never", "不予支付饮片表"),
    ("alone", "单用不予支付饮片表"),
    ("sec", "二线药表"),
    ("special", "特殊慢性病目录"),
    ("dup", "不得重复的药类"),
    ("ind", "限适应症表"),
    ("absent", "查床记录"),
    ("of_day", "当日"),
    ("whole", "整次住院"),
    ("visit", "该次就诊"),
    ("first", "首次"),
    ("cat", "目录"),
    ("list", "病种用药目录"),
    ("pr", "对照表"),
    ("nurse", "护理项目表"),
    ("cons", "诊查项目表"),
    ("care", "长期照护目录"),
];

/// Words for a name.
pub(super) fn label(name: &str) -> Option<String> {
    if let Some(words) = of(NAMES, name) {
        return Some(words.to_owned());
    }
    let Some((alias, column)) = name.rsplit_once('.') else { return column_of_tables(name).map(str::to_owned) };
    let words = match column {
        "found" => return record(alias),
        "source" => "出处",
        _ => of(NAMES, column).or_else(|| column_of_tables(column))?,
    };
    Some(of(ALIASES, alias).map_or(words.to_owned(), |alias| format!("{alias}的{words}")))
}

/// Words for a row that was looked for under that name.
pub(super) fn record(alias: &str) -> Option<String> {
    of(ALIASES, alias).map(|words| format!("{words}记录"))
}

/// Words for a table: `fee_detail` → `费用明细`.
pub(super) fn table(name: &str) -> Option<&'static str> {
    let table = Table::ALL.into_iter().find(|table| table.name() == name)?;
    table.file_names().iter().find(|alias| !alias.is_ascii()).copied()
}

fn of<'a>(list: &[(&str, &'a str)], name: &str) -> Option<&'a str> {
    list.iter().find(|(known, _)| *known == name).map(|(_, words)| *words)
}

fn column_of_tables(name: &str) -> Option<&'static str> {
    let known = Table::ALL.into_iter().flat_map(Table::columns).find(|known| known.name == name)?;
    known.aliases.iter().find(|alias| !alias.is_ascii()).copied()
}
