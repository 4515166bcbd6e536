//! The ten tables of a bureau's export: their names, their columns, what each column holds and how people write its header.
//!
//! Goes in: nothing. Comes out: [`Table`], [`Column`] and the Arrow schema of a table, which ingest writes, the engine
//! reads and the rule checker consults. Deliberately unknown here: files, rows, rules.
//!
//! To add a column: one line in the table's list below (name, kind, aliases). Ingest, `doctor`, the views of the engine
//! and the checker's "did you mean" see it from then on.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use hashbrown::HashMap;

/// What a column holds, and so how its text is read and in which Arrow type it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Free text or a code; leading zeros are kept. `Utf8`.
    Text,
    /// A 0/1 flag, kept as the text `0` or `1` (是/否, true/false, Y/N are read). `Utf8`.
    Flag,
    /// Yuan with two decimals. `Decimal128(16, 2)`.
    Money,
    /// A unit price or a ratio. `Decimal128(16, 6)`.
    Price,
    /// A quantity, a number of days, a count. `Decimal128(16, 4)`.
    Quantity,
    /// A coordinate in degrees. `Decimal128(16, 8)`.
    Degree,
    /// A calendar day. `Date32`.
    Day,
    /// Local civil time without zone, to the second. `Timestamp(Microsecond)`.
    Time,
}

impl Kind {
    /// The Arrow type a column of this kind is kept in.
    #[must_use]
    pub fn data_type(self) -> DataType {
        match self {
            Kind::Text | Kind::Flag => DataType::Utf8,
            Kind::Money => DataType::Decimal128(16, 2),
            Kind::Price => DataType::Decimal128(16, 6),
            Kind::Quantity => DataType::Decimal128(16, 4),
            Kind::Degree => DataType::Decimal128(16, 8),
            Kind::Day => DataType::Date32,
            Kind::Time => DataType::Timestamp(TimeUnit::Microsecond, None),
        }
    }

    /// Digits after the point for the decimal kinds.
    #[must_use]
    pub fn scale(self) -> Option<u32> {
        match self {
            Kind::Money => Some(2),
            Kind::Price => Some(6),
            Kind::Quantity => Some(4),
            Kind::Degree => Some(8),
            _ => None,
        }
    }
}

/// One column of a table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// The platform's name, used inside the program.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Without it the table does not load.
    pub required: bool,
    /// Other headers it is known by: the platform's second names, Chinese names.
    pub aliases: &'static [&'static str],
}

/// The tables of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    Settlement,
    Encounter,
    FeeDetail,
    Diagnosis,
    Operation,
    Facility,
    Person,
    Identity,
    Presence,
    SpecialCase,
}

impl Table {
    /// All tables: what was paid, for which visit, line by line; then what describes them.
    pub const ALL: [Table; 10] = [
        Table::Settlement,
        Table::Encounter,
        Table::FeeDetail,
        Table::Diagnosis,
        Table::Operation,
        Table::Facility,
        Table::Person,
        Table::Identity,
        Table::Presence,
        Table::SpecialCase,
    ];

    /// Our name of the table, as it is used in files of a dataset and in case books.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Table::Settlement => "settlement",
            Table::Encounter => "encounter",
            Table::FeeDetail => "fee_detail",
            Table::Diagnosis => "diagnosis",
            Table::Operation => "operation",
            Table::Facility => "facility",
            Table::Person => "person",
            Table::Identity => "identity",
            Table::Presence => "presence",
            Table::SpecialCase => "special_case",
        }
    }

    /// The table of this name, if there is one.
    #[must_use]
    pub fn named(name: &str) -> Option<Table> {
        Table::ALL.into_iter().find(|t| t.name() == name)
    }

    /// Names that a file of this table may carry, lower case: the platform's, ours, Chinese.
    #[must_use]
    pub fn file_names(self) -> &'static [&'static str] {
        match self {
            Table::Settlement => &["settlement", "setl_d", "结算", "结算信息", "结算单", "结算表"],
            Table::Encounter => &["encounter", "mdtrt_d", "就诊", "就诊信息", "就诊记录", "就诊表"],
            Table::FeeDetail => &["fee_detail", "fee_list_d", "feedetl", "费用明细", "收费明细", "明细", "费用清单"],
            Table::Diagnosis => &["diagnosis", "setl_list_diag_d", "diseinfo", "诊断", "诊断信息"],
            Table::Operation => &["operation", "setl_list_oprn_d", "oprninfo", "手术", "手术操作", "手术信息"],
            Table::Facility => &["facility", "medins", "fixmedins", "定点机构", "医药机构", "机构"],
            Table::Person => &["person", "psn_info", "参保人", "人员", "人员信息", "参保人员"],
            Table::Identity => &["identity", "psn_idet", "人员身份", "身份", "困难人员"],
            Table::Presence => &["presence", "bed_check", "查床", "在床", "在院核查"],
            Table::SpecialCase => &["special_case", "特殊病例", "特殊病例登记"],
        }
    }

    /// The columns of the table, in the order in which files of a dataset have them.
    #[must_use]
    pub fn columns(self) -> &'static [Column] {
        match self {
            Table::Settlement => SETTLEMENT,
            Table::Encounter => ENCOUNTER,
            Table::FeeDetail => FEE_DETAIL,
            Table::Diagnosis => DIAGNOSIS,
            Table::Operation => OPERATION,
            Table::Facility => FACILITY,
            Table::Person => PERSON,
            Table::Identity => IDENTITY,
            Table::Presence => PRESENCE,
            Table::SpecialCase => SPECIAL_CASE,
        }
    }

    /// Columns that together name a row once. Empty: the whole row is the key.
    #[must_use]
    pub fn key(self) -> &'static [&'static str] {
        match self {
            Table::Settlement => &["setl_id"],
            Table::Encounter => &["mdtrt_id"],
            Table::FeeDetail => &["mdtrt_id", "feedetl_sn"],
            Table::Facility => &["fixmedins_code"],
            Table::Person => &["psn_no"],
            Table::Diagnosis | Table::Operation | Table::Identity | Table::Presence | Table::SpecialCase => &[],
        }
    }

    /// Position of a column in [`Table::columns`].
    #[must_use]
    pub fn position(self, column: &str) -> Option<usize> {
        static POSITIONS: LazyLock<Vec<HashMap<&str, usize>>> = LazyLock::new(|| {
            let of = |table: Table| table.columns().iter().enumerate().map(|(at, c)| (c.name, at)).collect();
            Table::ALL.into_iter().map(of).collect()
        });
        POSITIONS[self as usize].get(column).copied()
    }

    /// The Arrow schema: every column of the table, all nullable, in the order of [`Table::columns`].
    #[must_use]
    pub fn schema(self) -> SchemaRef {
        static SCHEMAS: LazyLock<Vec<SchemaRef>> = LazyLock::new(|| {
            Table::ALL
                .into_iter()
                .map(|t| {
                    let fields: Vec<Field> =
                        t.columns().iter().map(|c| Field::new(c.name, c.kind.data_type(), true)).collect();
                    Arc::new(Schema::new(fields))
                })
                .collect()
        });
        Arc::clone(&SCHEMAS[self as usize])
    }
}

const fn must(name: &'static str, kind: Kind, aliases: &'static [&'static str]) -> Column {
    Column { name, kind, required: true, aliases }
}

const fn may(name: &'static str, kind: Kind, aliases: &'static [&'static str]) -> Column {
    Column { name, kind, required: false, aliases }
}

use Kind::{Day, Degree, Flag, Money, Price, Quantity, Text, Time};

const SETTLEMENT: &[Column] = &[
    must("setl_id", Text, &["结算ID", "结算流水号", "结算编号", "结算单号"]),
    must("mdtrt_id", Text, &["就诊ID", "就诊流水号", "就诊编号", "就诊号"]),
    must("psn_no", Text, &["人员编号", "参保人编号", "个人编号"]),
    must(
        "fixmedins_code",
        Text,
        &["定点医药机构编号", "定点医药机构编码", "医药机构编码", "医疗机构编码", "机构编码", "机构编号"],
    ),
    may("insutype", Text, &["险种类型", "险种"]),
    may("med_type", Text, &["医疗类别"]),
    may("psn_type", Text, &["人员类别"]),
    may("insu_admdvs", Text, &["参保地医保区划", "参保地区划", "参保地"]),
    may("hosp_lv", Text, &["医院等级", "医疗机构等级"]),
    may("clct_grde", Text, &["缴费档次"]),
    may("begndate", Day, &["开始日期"]),
    may("enddate", Day, &["结束日期"]),
    must("setl_time", Time, &["结算时间", "结算日期"]),
    must("medfee_sumamt", Money, &["医疗费总额", "总费用", "医疗总费用"]),
    may("fulamt_ownpay_amt", Money, &["全自费金额", "全自费"]),
    may("overlmt_selfpay", Money, &["overlmt_amt", "超限价自费费用", "超限价金额", "超限价自费"]),
    may("preselfpay_amt", Money, &["先行自付金额", "先行自付"]),
    may("inscp_amt", Money, &["inscp_scp_amt", "符合政策范围金额", "政策范围内金额", "符合范围金额"]),
    may("act_pay_dedc", Money, &["实际支付起付线", "起付线"]),
    may("hifp_pay", Money, &["基本医疗保险统筹基金支出", "统筹基金支出", "统筹支付"]),
    may("cvlserv_pay", Money, &["公务员医疗补助资金支出", "公务员补助"]),
    may("hifes_pay", Money, &["企业补充医疗保险基金支出"]),
    may("hifmi_pay", Money, &["居民大病保险资金支出", "大病保险支出", "大病支付"]),
    may("hifob_pay", Money, &["职工大额医疗费用补助基金支出", "大额补助支出"]),
    may("maf_pay", Money, &["医疗救助基金支出", "医疗救助支付"]),
    may("oth_pay", Money, &["othfund_pay", "其他支出", "其他基金支出"]),
    may("fund_pay_sumamt", Money, &["基金支付总额", "基金支付"]),
    may("psn_pay", Money, &["个人支付金额", "个人负担总金额"]),
    may("acct_pay", Money, &["个人账户支出", "个人账户支付"]),
    may("cash_payamt", Money, &["psn_cash_pay", "现金支付金额", "个人现金支出", "现金支付"]),
    may("ownpay_hosp_part", Money, &["hosp_part_amt", "医院负担金额"]),
    may("refd_setl_flag", Flag, &["退费结算标志", "退费标志"]),
    may("init_setl_id", Text, &["原结算ID", "原结算流水号"]),
    may("mid_setl_flag", Flag, &["中途结算标志"]),
    may("dise_no", Text, &["病种编号", "病种编码"]),
    may("dise_name", Text, &["病种名称"]),
    may("year", Text, &["年度"]),
    may("crte_time", Time, &["数据创建时间", "创建时间", "上传时间"]),
];

const ENCOUNTER: &[Column] = &[
    must("mdtrt_id", Text, &["就诊ID", "就诊流水号", "就诊编号", "就诊号"]),
    must("psn_no", Text, &["人员编号", "参保人编号", "个人编号"]),
    must(
        "fixmedins_code",
        Text,
        &["定点医药机构编号", "定点医药机构编码", "医药机构编码", "医疗机构编码", "机构编码", "机构编号"],
    ),
    must("med_type", Text, &["医疗类别"]),
    may("insutype", Text, &["险种类型", "险种"]),
    may("insu_admdvs", Text, &["参保地医保区划", "参保地区划", "参保地"]),
    may("gend", Text, &["性别"]),
    may("brdy", Day, &["出生日期"]),
    may("hosp_lv", Text, &["医院等级", "医疗机构等级"]),
    must("begntime", Time, &["开始时间", "入院时间", "入院日期", "就诊时间", "就诊日期"]),
    may("endtime", Time, &["结束时间", "出院时间", "出院日期"]),
    may("ipt_otp_no", Text, &["住院/门诊号", "住院号", "门诊号"]),
    may("adm_dept_codg", Text, &["入院科室编码", "入院科室"]),
    may("dscg_dept_codg", Text, &["出院科室编码", "出院科室"]),
    may("adm_bed", Text, &["入院床位", "床位号"]),
    may("traf_dept_flag", Flag, &["转科标志", "转科室标志"]),
    may("dscg_maindiag_code", Text, &["出院主诊断编码", "主诊断编码", "住院主诊断代码", "主要诊断编码"]),
    may("dscg_maindiag_name", Text, &["出院主诊断名称", "主诊断名称", "住院主诊断名称"]),
    may("dscg_way", Text, &["离院方式", "出院方式"]),
    may("inhosp_stas", Text, &["在院状态"]),
    may("die_date", Day, &["死亡日期"]),
    may("matn_type", Text, &["生育类别"]),
    may("dise_no", Text, &["病种编号", "病种编码"]),
    may("refl_old_mdtrt_id", Text, &["转诊前就诊ID", "原就诊ID"]),
    may("ars_year_ipt_flag", Flag, &["跨年度住院标志"]),
    may("chfpdr_code", Text, &["主治医师代码", "主诊医师代码"]),
    may("mdtrt_cert_type", Text, &["就诊凭证类型"]),
    may("maf_psn_flag", Flag, &["医疗救助对象标志"]),
];

const FEE_DETAIL: &[Column] = &[
    must("feedetl_sn", Text, &["bkkp_sn", "费用明细流水号", "明细流水号", "记账流水号"]),
    must("mdtrt_id", Text, &["就诊ID", "就诊流水号", "就诊编号", "就诊号"]),
    may("setl_id", Text, &["结算ID", "结算流水号", "结算编号", "结算单号"]),
    must("psn_no", Text, &["人员编号", "参保人编号", "个人编号"]),
    must(
        "fixmedins_code",
        Text,
        &["定点医药机构编号", "定点医药机构编码", "医药机构编码", "医疗机构编码", "机构编码", "机构编号"],
    ),
    may("med_type", Text, &["医疗类别"]),
    must("fee_ocur_time", Time, &["费用发生时间", "费用发生日期", "收费时间", "收费日期"]),
    may("rx_drord_no", Text, &["处方/医嘱号", "处方号", "医嘱号"]),
    may("chrg_bchno", Text, &["收费批次号"]),
    must("hilist_code", Text, &["医保目录编码", "医保目录代码", "医保项目编码", "项目编码"]),
    may("hilist_name", Text, &["医保目录名称", "医保项目名称", "项目名称"]),
    may("list_type", Text, &["目录类别"]),
    may("med_chrgitm_type", Text, &["医疗收费项目类别", "收费项目类别"]),
    may("chrgitm_lv", Text, &["收费项目等级"]),
    must("cnt", Quantity, &["数量"]),
    may("pric", Price, &["单价"]),
    must("det_item_fee_sumamt", Money, &["明细项目费用总额", "金额", "费用总额", "明细金额"]),
    may("pric_uplmt_amt", Price, &["定价上限金额", "限价"]),
    may("selfpay_prop", Price, &["自付比例"]),
    may("fulamt_ownpay_amt", Money, &["全自费金额", "全自费"]),
    may("overlmt_selfpay", Money, &["overlmt_amt", "超限价自费费用", "超限价金额", "超限价自费"]),
    may("preselfpay_amt", Money, &["先行自付金额", "先行自付"]),
    may("inscp_amt", Money, &["inscp_scp_amt", "符合政策范围金额", "政策范围内金额", "符合范围金额"]),
    may("medins_list_codg", Text, &["医药机构目录编码", "医院项目编码"]),
    may("medins_list_name", Text, &["医药机构目录名称", "医院项目名称"]),
    may("spec", Text, &["规格"]),
    may("cnt_prcunt", Text, &["计价单位"]),
    may("dosform_name", Text, &["剂型", "剂型名称"]),
    may("sin_dos_dscr", Text, &["单次剂量描述", "单次剂量"]),
    may("used_frqu_dscr", Text, &["使用频次描述", "使用频次", "频次"]),
    may("prd_days", Quantity, &["周期天数", "用药天数"]),
    may("bilg_dept_codg", Text, &["开单科室编码", "开单科室"]),
    may("bilg_dr_codg", Text, &["bilg_dr_code", "开单医师编码", "开单医生编码", "开单医生"]),
    may("acord_dept_codg", Text, &["受单科室编码", "执行科室编码"]),
    may("dscg_tkdrug_flag", Flag, &["出院带药标志"]),
    may("etip_flag", Flag, &["外检标志"]),
    may("hosp_appr_flag", Flag, &["医院审批标志"]),
    may("tcmdrug_used_way", Text, &["中药使用方式"]),
    may("lmt_used_flag", Flag, &["限制使用标志"]),
    may("matn_fee_flag", Flag, &["生育费用标志"]),
    may("init_feedetl_sn", Text, &["原费用明细流水号", "原明细流水号"]),
    may("crte_time", Time, &["数据创建时间", "创建时间", "上传时间"]),
    may("drug_trac_codg", Text, &["药品追溯码", "追溯码"]),
];

const DIAGNOSIS: &[Column] = &[
    must("mdtrt_id", Text, &["就诊ID", "就诊流水号", "就诊编号", "就诊号"]),
    must("diag_code", Text, &["诊断代码", "诊断编码"]),
    may("diag_name", Text, &["诊断名称"]),
    may("diag_type", Text, &["诊断类别"]),
    may("maindiag_flag", Flag, &["主诊断标志"]),
    may("diag_srt_no", Text, &["诊断排序号"]),
    may("inout_diag_type", Text, &["出入院诊断类别"]),
    may("diag_time", Time, &["诊断时间"]),
];

const OPERATION: &[Column] = &[
    must("mdtrt_id", Text, &["就诊ID", "就诊流水号", "就诊编号", "就诊号"]),
    must("oprn_oprt_code", Text, &["手术操作代码", "手术代码"]),
    may("oprn_oprt_name", Text, &["手术操作名称", "手术名称"]),
    may("main_oprn_flag", Flag, &["主手术标志"]),
    may("oprn_oprt_date", Day, &["手术操作日期", "手术日期"]),
    may("oper_dr_code", Text, &["术者医师代码"]),
];

const FACILITY: &[Column] = &[
    must(
        "fixmedins_code",
        Text,
        &["定点医药机构编号", "定点医药机构编码", "医药机构编码", "医疗机构编码", "机构编码", "机构编号"],
    ),
    must("fixmedins_name", Text, &["定点医药机构名称", "医药机构名称", "医疗机构名称", "机构名称"]),
    may("fixmedins_type", Text, &["定点医疗服务机构类型", "机构类型"]),
    may("medins_type", Text, &["医疗机构类型"]),
    may("hosp_lv", Text, &["医院等级", "医疗机构等级"]),
    may("admdvs", Text, &["医保区划", "行政区划", "区划"]),
    may("lng", Degree, &["经度"]),
    may("lat", Degree, &["纬度"]),
    may("bed_cnt", Quantity, &["床位数"]),
    may("basic_drug_flag", Flag, &["基本药物制度标志"]),
];

const PERSON: &[Column] = &[
    must("psn_no", Text, &["人员编号", "参保人编号", "个人编号"]),
    may("psn_name", Text, &["姓名", "人员姓名"]),
    may("certno", Text, &["证件号码", "身份证号"]),
    may("gend", Text, &["性别"]),
    may("brdy", Day, &["出生日期"]),
    may("psn_type", Text, &["人员类别"]),
    may("insutype", Text, &["险种类型", "险种"]),
    may("insu_admdvs", Text, &["参保地医保区划", "参保地区划", "参保地"]),
    may("psn_insu_stas", Text, &["人员参保状态", "参保状态"]),
    may("psn_insu_date", Day, &["个人参保日期", "参保日期"]),
    may("paus_insu_date", Day, &["暂停参保日期", "停保日期"]),
    may("die_date", Day, &["死亡日期"]),
];

const IDENTITY: &[Column] = &[
    must("psn_no", Text, &["人员编号", "参保人编号", "个人编号"]),
    must("psn_idet_type", Text, &["人员身份类别", "身份类别"]),
    must("begntime", Time, &["开始时间", "开始日期"]),
    may("endtime", Time, &["结束时间", "结束日期"]),
];

const PRESENCE: &[Column] = &[
    must("mdtrt_id", Text, &["就诊ID", "就诊流水号", "就诊编号", "就诊号"]),
    must("check_time", Time, &["核查时间", "查床时间"]),
    may("check_way", Text, &["核查方式", "查床方式"]),
    must("on_bed_flag", Flag, &["在床标志"]),
    may("evidence_no", Text, &["证据编号"]),
];

const SPECIAL_CASE: &[Column] = &[
    must("mdtrt_id", Text, &["就诊ID", "就诊流水号", "就诊编号", "就诊号"]),
    must("reason", Text, &["原因", "登记原因"]),
    may("registered_by", Text, &["登记人"]),
    must("registered_time", Time, &["登记时间"]),
];
