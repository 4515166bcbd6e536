//! What a county's hospitals charge: items with their codes and prices, diagnoses, facilities.
//!
//! Goes in: nothing. Comes out: constants. The items of the ordinary lists are chosen so that no rule can speak of them
//! beyond what an ordinary stay does (one bed, one nursing grade, one consultation a day); the items of the planted lists
//! are those the knowledge tables name. Not known here: persons, days, rules. Facilities and their names are made up.
//!
//! To add an item: a constant, and a place in a list if ordinary people are to be charged it. An item of a knowledge table
//! belongs in no ordinary list unless every ordinary use of it stays inside its limit.

/// How a drug is packed and taken; `days` is what one pack lasts when taken so.
#[derive(Debug, Clone, Copy)]
pub struct Pack {
    /// `0.25g×24粒/盒`.
    pub spec: &'static str,
    /// The pricing unit.
    pub unit: &'static str,
    /// Dosage form.
    pub form: &'static str,
    /// One dose.
    pub dose: &'static str,
    /// Times a day.
    pub frequency: &'static str,
    /// Days of supply of one pack, 0 where the texts do not say.
    pub days: i64,
}

/// One item of the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct Item {
    /// National code.
    pub code: &'static str,
    /// National name.
    pub name: &'static str,
    /// `list_type`: 101 drug, 201 service, 301 material.
    pub list_type: &'static str,
    /// `med_chrgitm_type`.
    pub charge: &'static str,
    /// `chrgitm_lv`: 01 paid in full scope, 02 a tenth first by the person, 03 by the person alone.
    pub level: &'static str,
    /// Price in cents.
    pub price: i64,
    /// For drugs.
    pub pack: Option<Pack>,
}

impl Item {
    /// The generic drug of the code, as MED103 groups by it.
    #[must_use]
    pub fn generic(&self) -> &'static str {
        match self.code.as_bytes().first() {
            Some(b'X') => &self.code[..10],
            Some(b'Z') => &self.code[..11],
            _ => self.code,
        }
    }
}

const fn service(code: &'static str, name: &'static str, charge: &'static str, price: i64) -> Item {
    Item { code, name, list_type: "201", charge, level: "01", price, pack: None }
}

const fn drug(code: &'static str, name: &'static str, charge: &'static str, price: i64, pack: Pack) -> Item {
    Item { code, name, list_type: "101", charge, level: "01", price, pack: Some(pack) }
}

const fn pack(
    spec: &'static str,
    unit: &'static str,
    form: &'static str,
    dose: &'static str,
    frequency: &'static str,
    days: i64,
) -> Pack {
    Pack { spec, unit, form, dose, frequency, days }
}

// Fees of a visit and of a stay's day.
pub const VISIT_FEE: Item = service("001102000010000", "普通门诊诊察费", "02", 500);
pub const EMERGENCY_FEE: Item = service("001102000030000", "急诊诊查费", "02", 1000);
pub const STAY_FEE: Item = service("001102000050000", "住院诊查费", "02", 800);
pub const BED: Item = service("001109000010300", "普通病房床位费（三人间）", "01", 3000);
pub const BED_DOUBLE: Item = service("001109000010200", "普通病房床位费（双人间）", "01", 4500);
pub const BED_INTENSIVE: Item = service("001109000030000", "监护病房床位费", "01", 8000);
pub const NURSING_2: Item = service("001201000040000", "Ⅱ级护理", "07", 1200);
pub const ORAL_CARE: Item = service("001201000140100", "口腔护理", "07", 500);

// Tests, examinations and treatment that no rule concerns.
pub const BLOOD_COUNT: Item = service("002501010150000", "血细胞分析", "04", 1500);
pub const URINE: Item = service("002501020350000", "尿液分析", "04", 1000);
pub const GLUCOSE: Item = service("002503020010000", "葡萄糖测定", "04", 500);
pub const LIVER: Item = service("002503050010000", "肝功能检查", "04", 3600);
pub const KIDNEY: Item = service("002503070010000", "肾功能检查", "04", 2800);
pub const ELECTROLYTES: Item = service("002503040010000", "电解质测定", "04", 3200);
pub const PROTEIN_C: Item = service("002504030000000", "C反应蛋白测定", "04", 2000);
pub const ECG: Item = service("003107010010000", "常规心电图检查", "03", 2000);
pub const CHEST_FILM: Item = service("002102000030000", "胸部数字化摄影", "03", 6000);
pub const CT: Item = service("002103000010000", "X线计算机体层平扫", "03", 20_000);
pub const ULTRASOUND: Item = service("002203010010000", "彩色多普勒超声常规检查", "03", 8500);
pub const INFUSION: Item = service("001204000060000", "静脉输液", "05", 900);
pub const INJECTION: Item = service("001204000010000", "肌肉注射", "05", 200);
pub const OXYGEN: Item = service("001203000010000", "氧气吸入", "05", 400);
pub const NEBULISER: Item = service("001206000010000", "雾化吸入", "05", 800);
pub const DRESSING: Item = service("001205000010000", "小换药", "05", 1100);
pub const ACUPUNCTURE: Item = service("004300000020000", "普通针刺", "05", 2000);
pub const CATARACT: Item = service("003303060010000", "白内障超声乳化摘除术", "06", 180_000);
pub const HERNIA: Item = service("003310080010000", "腹股沟疝修补术", "06", 90_000);
pub const HOME_VISIT: Item = service("001111000010000", "家庭病床巡诊费", "02", 3000);
pub const HOME_BED: Item = service("001111000020000", "家庭病床建床费", "14", 5000);
pub const DIALYSIS: Item = service("003110000060000", "血液透析", "05", 40_000);
pub const DELIVERY_CHECK: Item = service("003112010250000", "产前检查", "03", 1500);

// Materials, one of them paid by the person alone.
pub const CATHETER: Item = Item {
    code: "C1401010010300012340",
    name: "一次性使用静脉留置针",
    list_type: "301",
    charge: "08",
    level: "02",
    price: 2800,
    pack: None,
};
pub const OWN_PAD: Item = Item {
    code: "C1901010010100056780",
    name: "一次性护理垫（自费）",
    list_type: "301",
    charge: "08",
    level: "03",
    price: 1800,
    pack: None,
};

/// Tests and examinations of an ordinary visit.
pub const TESTS: &[&Item] =
    &[&BLOOD_COUNT, &URINE, &GLUCOSE, &LIVER, &KIDNEY, &PROTEIN_C, &ECG, &CHEST_FILM, &ULTRASOUND];
/// Tests of a stay's first day.
pub const STAY_TESTS: &[&Item] = &[&BLOOD_COUNT, &URINE, &GLUCOSE, &LIVER, &KIDNEY, &ELECTROLYTES, &PROTEIN_C, &ECG];
/// Treatments of a stay's day.
pub const STAY_TREATMENTS: &[&Item] = &[&OXYGEN, &NEBULISER, &DRESSING, &ACUPUNCTURE];

// Drugs of acute visits; the packs of one fill never last longer than a week.
pub const AMOXICILLIN: Item =
    drug("XJ01CAA040E001010100001", "阿莫西林胶囊", "09", 1260, pack("0.25g×24粒/盒", "盒", "胶囊", "0.5g", "tid", 4));
pub const CEFUROXIME: Item =
    drug("XJ01DCT094A001010100002", "头孢呋辛酯片", "09", 1980, pack("0.25g×12片/盒", "盒", "片剂", "0.25g", "bid", 6));
pub const IBUPROFEN: Item =
    drug("XM01AEB172E002010100003", "布洛芬缓释胶囊", "09", 1540, pack("0.3g×14粒/盒", "盒", "胶囊", "0.3g", "bid", 7));
pub const OMEPRAZOLE: Item = drug(
    "XA02BCA224E003010100004",
    "奥美拉唑肠溶胶囊",
    "09",
    1120,
    pack("20mg×14粒/盒", "盒", "胶囊", "20mg", "bid", 7),
);
pub const SMECTITE: Item =
    drug("XA07BCM111P001010100005", "蒙脱石散", "09", 930, pack("3g×9袋/盒", "盒", "散剂", "3g", "tid", 3));
pub const LORATADINE: Item =
    drug("XR06AXL130A001010100006", "氯雷他定片", "09", 1450, pack("10mg×6片/盒", "盒", "片剂", "10mg", "qd", 6));
pub const COLD_GRANULES: Item =
    drug("ZA01AAG0101010100007", "感冒灵颗粒", "11", 1380, pack("10g×9袋/盒", "盒", "颗粒剂", "10g", "tid", 3));
pub const COUGH_LIQUID: Item =
    drug("ZA06AAJ0310010200008", "急支糖浆", "11", 2150, pack("10ml×12支/盒", "盒", "糖浆剂", "10ml", "tid", 4));
pub const EYE_DROPS: Item =
    drug("XS01AEO057G010010100009", "氧氟沙星滴眼液", "09", 860, pack("5ml:15mg", "支", "滴眼剂", "1滴", "遵医嘱", 0));
pub const PAIN_GEL: Item = drug(
    "XM02AAS252J010010100010",
    "双氯芬酸二乙胺乳胶剂",
    "09",
    1870,
    pack("20g:0.2g", "支", "乳膏剂", "适量", "外用", 0),
);
pub const CETIRIZINE: Item =
    drug("XR06AEX084A001010100011", "西替利嗪片", "09", 990, pack("10mg×7片/盒", "盒", "片剂", "1片", "qd", 7));
pub const DOMPERIDONE: Item =
    drug("XA03FAD158A001010100012", "多潘立酮片", "09", 1080, pack("10mg×21片/盒", "盒", "片剂", "10mg", "tid", 7));

/// Drugs of acute visits and of the pharmacy's counter.
pub const ACUTE_DRUGS: &[&Item] = &[
    &AMOXICILLIN,
    &CEFUROXIME,
    &IBUPROFEN,
    &OMEPRAZOLE,
    &SMECTITE,
    &LORATADINE,
    &COLD_GRANULES,
    &COUGH_LIQUID,
    &EYE_DROPS,
    &PAIN_GEL,
    &CETIRIZINE,
    &DOMPERIDONE,
];
/// Drugs of an emergency: a pack lasts at most three days.
pub const EMERGENCY_DRUGS: &[&Item] = &[&SMECTITE, &COLD_GRANULES];

// Drugs of chronic disease, a month or so in a pack.
pub const AMLODIPINE: Item =
    drug("XC08CAA252A001010100020", "苯磺酸氨氯地平片", "09", 1260, pack("5mg×28片/盒", "盒", "片剂", "5mg", "qd", 28));
/// The same generic in another maker's pack.
pub const AMLODIPINE_OTHER: Item =
    drug("XC08CAA252A001020300021", "苯磺酸氨氯地平片", "09", 2340, pack("5mg×14片/盒", "盒", "片剂", "1片", "qd", 14));
pub const METFORMIN: Item = drug(
    "XA10BAE039A001010100022",
    "盐酸二甲双胍片",
    "09",
    1530,
    pack("0.5g×60片/盒", "盒", "片剂", "0.5g", "bid", 30),
);
pub const ATORVASTATIN: Item =
    drug("XC10AAA373A001010100023", "阿托伐他汀钙片", "09", 1680, pack("20mg×28片/盒", "盒", "片剂", "20mg", "qn", 28));
pub const ASPIRIN: Item = drug(
    "XB01ACA231A002010100024",
    "阿司匹林肠溶片",
    "09",
    1350,
    pack("100mg×30片/盒", "盒", "片剂", "100mg", "qd", 30),
);
pub const VALSARTAN: Item =
    drug("XC09CAX143E001010100025", "缬沙坦胶囊", "09", 1820, pack("80mg×28粒/盒", "盒", "胶囊", "80mg", "qd", 28));
pub const GLIMEPIRIDE: Item =
    drug("XA10BBG095A001010100026", "格列美脲片", "09", 1950, pack("2mg×30片/盒", "盒", "片剂", "1片", "qd", 30));
/// What the chronic approval for high blood pressure or the heart covers.
pub const HEART_DRUGS: &[&Item] = &[&AMLODIPINE, &ATORVASTATIN, &ASPIRIN, &VALSARTAN];
/// What the chronic approval for diabetes covers.
pub const DIABETES_DRUGS: &[&Item] = &[&METFORMIN, &GLIMEPIRIDE, &ATORVASTATIN, &ASPIRIN, &VALSARTAN];

// Drugs of a stay.
pub const SALINE: Item =
    drug("XB05XAL204B002010100030", "氯化钠注射液", "09", 420, pack("250ml:2.25g", "瓶", "注射剂", "250ml", "qd", 0));
pub const GLUCOSE_DRIP: Item =
    drug("XB05BAP091B002010100031", "葡萄糖注射液", "09", 450, pack("250ml:12.5g", "瓶", "注射剂", "250ml", "qd", 0));
pub const CEFTRIAXONE: Item =
    drug("XJ01DDT101B001010100032", "注射用头孢曲松钠", "09", 1860, pack("1g", "支", "注射剂", "2g", "qd", 0));
pub const PANTOPRAZOLE: Item =
    drug("XA02BCP060B001010100033", "注射用泮托拉唑钠", "09", 2240, pack("40mg", "支", "注射剂", "40mg", "qd", 0));
pub const VITAMIN_C: Item =
    drug("XA11GAW035B002010100034", "维生素C注射液", "09", 160, pack("2ml:0.5g", "支", "注射剂", "1g", "qd", 0));
pub const AMBROXOL: Item =
    drug("XR05CBA176B002010100035", "盐酸氨溴索注射液", "09", 980, pack("2ml:15mg", "支", "注射剂", "15mg", "bid", 0));
pub const STAY_DRUGS: &[&Item] = &[&SALINE, &GLUCOSE_DRIP, &CEFTRIAXONE, &PANTOPRAZOLE, &VITAMIN_C, &AMBROXOL];

// Items that knowledge tables name; only planted people are charged them.
pub const ESTAZOLAM: Item =
    drug("XN05CDA125A001010100040", "艾司唑仑片", "09", 640, pack("1mg×20片/盒", "盒", "片剂", "1mg", "qn", 20));
pub const CAPECITABINE: Item =
    drug("XL01BCK004A001010100041", "卡培他滨片", "09", 36_000, pack("0.5g×12片/盒", "盒", "片剂", "1.5g", "bid", 2));
pub const APALUTAMIDE: Item =
    drug("XL02BBA326A001010102180", "阿帕他胺片", "09", 62_000, pack("60mg×28片/盒", "盒", "片剂", "240mg", "qd", 7));
pub const WARM_WOMB_PILLS: Item =
    drug("ZD03AAA0043010100166", "艾附暖宫丸", "11", 2500, pack("9g×10丸/盒", "盒", "丸剂", "1丸", "bid", 5));
pub const TAMSULOSIN: Item = drug(
    "XG04CAT059E002010100042",
    "盐酸坦索罗辛缓释胶囊",
    "09",
    4200,
    pack("0.2mg×7粒/盒", "盒", "胶囊", "0.2mg", "qn", 7),
);
pub const OXYTOCIN: Item =
    drug("XH01BBS194B002010100043", "缩宫素注射液", "09", 310, pack("1ml:10单位", "支", "注射剂", "10单位", "st", 0));
pub const SHENMAI: Item =
    drug("ZA09HAC0101010100044", "参麦注射液", "11", 3150, pack("50ml", "瓶", "注射剂", "50ml", "qd", 0));
pub const DANSHEN: Item =
    drug("ZA12CAD0073010100045", "丹参注射液", "11", 1240, pack("10ml", "支", "注射剂", "20ml", "qd", 0));
pub const XINGNAOJING: Item =
    drug("ZA07AAX0718010100046", "醒脑静注射液", "11", 2780, pack("10ml", "支", "注射剂", "20ml", "qd", 0));
pub const DULAGLUTIDE: Item = drug(
    "XA10BJD332B002010100047",
    "度拉糖肽注射液",
    "09",
    14_900,
    pack("1.5mg:0.5ml", "支", "注射剂", "1.5mg", "qw", 0),
);
pub const PREGNANCY_TEST: Item = service("002501020210100", "尿妊娠试验（乳胶凝集法）", "04", 800);
pub const FETAL_HEART: Item = service("003112010260000", "胎心监测", "03", 1600);
pub const PROSTATE_FLUID: Item = service("002501040130000", "前列腺液常规检查", "04", 700);
pub const PROSTATE_MASSAGE: Item = service("003111000150000", "前列腺按摩", "05", 2600);
pub const CAESAREAN: Item = service("003314000120000", "剖宫产术", "06", 120_000);
pub const DELIVERY: Item = service("003314000020000", "单胎顺产接生", "06", 60_000);
pub const TEAR_SUTURE: Item = service("003313040020000", "阴道裂伤缝合术", "06", 30_000);
pub const EMERGENCY_WATCH: Item = service("001103000010000", "急诊监护费", "02", 6000);
pub const WATCH_BED: Item = service("001109000050000", "急诊观察床位费", "01", 2000);
pub const TOLERANCE_TEST: Item = service("003102050010000", "葡萄糖耐量试验", "03", 6000);
pub const HYSTEROSCOPY: Item = service("003313060030000", "宫腔镜检查", "03", 32_000);
pub const CERVIX_BIOPSY: Item = service("003112010080000", "宫颈活检术", "05", 9000);
pub const SLEEP_WATCH: Item = service("003106040010000", "睡眠呼吸监测", "03", 36_000);
pub const OXIMETRY: Item = service("003107010280000", "血氧饱和度监测", "05", 300);
pub const SPLENECTOMY: Item = service("003309000180000", "脾切除术", "06", 110_000);
pub const DEVASCULARISATION: Item = service("003310080260000", "门体静脉断流术", "06", 160_000);
pub const HEART_WATCH: Item = service("003107010220000", "心电监测", "05", 500);
pub const ARTERY_PRESSURE: Item = service("003107020020000", "持续有创性血压监测", "05", 1000);
pub const FRUCTOSAMINE: Item = service("002503020020000", "血清果糖胺测定", "04", 3000);
pub const HBA1C: Item = service("002503020030000", "糖化血红蛋白测定", "04", 6400);
pub const NURSING_1: Item = service("001201000030000", "Ⅰ级护理", "07", 2000);
pub const NURSING_SPECIAL: Item = service("001201000020000", "特级护理", "07", 500);
pub const NURSING_NEWBORN: Item = service("001201000070000", "新生儿护理", "07", 1800);
pub const BILE_DUCT: Item = service("003310060040000", "胆总管探查T管引流术", "06", 360_000);
pub const GALLBLADDER: Item = service("003310060010000", "胆囊肿大切开引流术", "06", 180_000);
pub const LIVER_WEDGE: Item = service("003310050140000", "肝楔形切除术", "06", 280_000);
pub const BOWEL_LOOSENING: Item = service("003310030040000", "肠粘连松解术", "06", 120_000);
pub const HAEMOGLOBIN: Item = service("002501010010000", "血红蛋白测定", "04", 500);
pub const RED_CELLS: Item = service("002501010020000", "红细胞计数", "04", 500);
pub const WHITE_CELLS: Item = service("002501010090000", "白细胞计数", "04", 500);
pub const PLATELETS: Item = service("002501010140000", "血小板计数", "04", 500);
pub const WORK_TRAINING: Item = service("003402000320000", "职业功能训练", "05", 3000);

const fn material(code: &'static str, name: &'static str, price: i64) -> Item {
    Item { code, name, list_type: "301", charge: "08", level: "01", price, pack: None }
}

const fn herb(code: &'static str, name: &'static str, price: i64) -> Item {
    let pack = Some(pack("", "克", "饮片", "", "", 0));
    Item { code, name, list_type: "102", charge: "10", level: "01", price, pack }
}

pub const INFUSION_SET: Item = material("C1403010010000000010", "一次性使用输液器", 350);
pub const SUTURE: Item = material("C1703010010000000011", "可吸收缝合线", 4600);
pub const ASTRAGALUS: Item = herb("T001700368", "黄芪", 20);
pub const CHRYSANTHEMUM: Item = herb("T000100467", "菊花", 30);
pub const ANGELICA: Item = herb("T001700122", "当归", 40);
pub const GINSENG: Item = herb("T001700805", "西洋参", 250);
pub const NIFEDIPINE: Item =
    drug("XC08CAX119A010010100060", "硝苯地平控释片", "09", 2180, pack("30mg×7片/盒", "盒", "片剂", "30mg", "qd", 7));
pub const FELODIPINE: Item =
    drug("XC08CAF101A010010100061", "非洛地平缓释片", "09", 1960, pack("5mg×10片/盒", "盒", "片剂", "5mg", "qd", 10));
pub const DESLORATADINE: Item =
    drug("XR06AXY072A001010100062", "枸地氯雷他定片", "09", 2860, pack("8.8mg×6片/盒", "盒", "片剂", "8.8mg", "qd", 6));
pub const NATRIURETIC: Item = drug(
    "XC01EBC109B001010100063",
    "注射用重组人脑利钠肽",
    "09",
    45_500,
    pack("0.5mg", "支", "注射剂", "0.5mg", "qd", 0),
);
pub const CHILD_COLD: Item = drug(
    "XN02BEX085P001010100064",
    "小儿氨酚黄那敏颗粒",
    "09",
    880,
    pack("6g×9袋/盒", "盒", "颗粒剂", "1袋", "tid", 3),
);
pub const CHILD_MONTELUKAST: Item =
    drug("XR03DCM082M001010100065", "孟鲁司特钠颗粒", "09", 3260, pack("4mg×5袋/盒", "盒", "颗粒剂", "4mg", "qn", 5));
pub const GINKGO: Item =
    drug("XC02CXY165B001010100066", "银杏达莫注射液", "09", 1480, pack("10ml", "支", "注射剂", "20ml", "qd", 0));
pub const ANGONG: Item =
    drug("ZA07AAA0061010100067", "安宫牛黄丸", "11", 38_000, pack("3g×1丸/盒", "盒", "丸剂", "1丸", "qd", 1));
pub const HYDROQUINONE: Item =
    drug("XD11AXQ064J010010100068", "氢醌乳膏", "09", 2600, pack("10g:0.2g", "支", "乳膏剂", "适量", "外用", 0));
pub const DINOPROST: Item =
    drug("XG02ADD082L001010100069", "地诺前列酮栓", "09", 98_000, pack("10mg", "枚", "栓剂", "1枚", "st", 0));
pub const SHUXUETONG: Item =
    drug("ZA12HAS0790010100070", "疏血通注射液", "11", 2960, pack("2ml", "支", "注射剂", "6ml", "qd", 0));
pub const LIRAGLUTIDE: Item =
    drug("XA10BJL326B002010100071", "利拉鲁肽注射液", "09", 28_900, pack("18mg:3ml", "支", "注射剂", "0.6mg", "qd", 0));

// Items whose place in the insurance's catalogue changes, or that have none; see `listing`.
pub const DROPPED: Item = drug(
    "XR05CBN011A001010100080",
    "盐酸溴环己胺醇片",
    "09",
    1320,
    pack("30mg×20片/盒", "盒", "片剂", "30mg", "tid", 6),
);
pub const ENDED: Item = service("002504010110000", "血清淀粉样蛋白测定", "04", 3400);
pub const BEGUN: Item = service("002504030990000", "肝素结合蛋白测定", "04", 8800);
pub const RENUMBERED: Item = material("C1401020030000100081", "一次性使用采血针", 260);

/// A diagnosis.
#[derive(Debug, Clone, Copy)]
pub struct Disease {
    /// ICD-10 in the insurance's version.
    pub code: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What a doctor types when nobody asks for the code.
    pub words: &'static str,
}

const fn disease(code: &'static str, name: &'static str, words: &'static str) -> Disease {
    Disease { code, name, words }
}

pub const COLD: Disease = disease("J06.900", "急性上呼吸道感染", "感冒");
pub const BRONCHITIS: Disease = disease("J20.900", "急性支气管炎", "支气管炎 咳嗽3天");
pub const GASTRITIS: Disease = disease("K29.500", "慢性胃炎", "胃炎？");
pub const BACK_PAIN: Disease = disease("M54.500", "下背痛", "腰痛待查");
pub const DERMATITIS: Disease = disease("L30.900", "皮炎", "皮炎");
pub const CONJUNCTIVITIS: Disease = disease("H10.900", "结膜炎", "红眼");
/// Diagnoses of acute visits; none is in the table of chronic diseases.
pub const ACUTE: &[&Disease] = &[&COLD, &BRONCHITIS, &GASTRITIS, &BACK_PAIN, &DERMATITIS, &CONJUNCTIVITIS];

pub const HYPERTENSION: Disease = disease("I10.x00", "特发性高血压", "高血压");
pub const DIABETES: Disease = disease("E11.900", "2型糖尿病", "糖尿病");
pub const CORONARY: Disease = disease("I25.100", "动脉硬化性心脏病", "冠心病");
/// Chronic diseases, the number of their approval, and what it covers.
pub const CHRONIC: &[(&Disease, &str, &[&Item])] = &[
    (&HYPERTENSION, "M03900", HEART_DRUGS),
    (&DIABETES, "M01600", DIABETES_DRUGS),
    (&CORONARY, "M04600", HEART_DRUGS),
];

pub const PNEUMONIA: Disease = disease("J18.900", "肺炎", "肺炎");
pub const STROKE: Disease = disease("I63.900", "脑梗死", "脑梗");
pub const APPENDICITIS: Disease = disease("K35.800", "急性阑尾炎", "阑尾炎");
pub const GALLSTONES: Disease = disease("K80.200", "胆囊结石", "胆结石");
pub const FRACTURE: Disease = disease("S52.500", "桡骨远端骨折", "骨折");
pub const DISC: Disease = disease("M51.200", "腰椎间盘突出", "腰突");
/// Main diagnoses of ordinary stays: three different characters each.
pub const STAY_DISEASES: &[&Disease] = &[&PNEUMONIA, &STROKE, &APPENDICITIS, &GALLSTONES, &FRACTURE, &DISC];

pub const PREGNANCY: Disease = disease("Z34.900", "正常妊娠监督", "产检");
pub const BIRTH: Disease = disease("O80.000", "头位顺产", "顺产");
pub const CATARACT_DISEASE: Disease = disease("H25.900", "老年性白内障", "白内障");
pub const CHEMOTHERAPY: Disease = disease("Z51.102", "恶性肿瘤术后化疗", "化疗");
pub const LUNG_CANCER: Disease = disease("C34.900", "肺恶性肿瘤", "肺癌");
pub const RENAL_FAILURE: Disease = disease("N18.900", "慢性肾脏病", "肾衰");
pub const HEART_FAILURE: Disease = disease("I50.900", "心力衰竭", "心衰");
pub const STROKE_OR_BLEEDING: Disease = disease("I64.x00", "脑卒中，未特指为出血或梗死", "中风");
pub const PROSTATE: Disease = disease("N40.x00", "前列腺增生", "前列腺大");
pub const OVARY: Disease = disease("N83.201", "卵巢囊肿", "卵巢囊肿");

/// A designated facility.
#[derive(Debug, Clone)]
pub struct Facility {
    /// `fixmedins_code`.
    pub code: String,
    /// A made-up name.
    pub name: String,
    /// 1 hospital, 2 pharmacy.
    pub kind: &'static str,
    /// `medins_type`.
    pub medins_type: &'static str,
    /// `hosp_lv`, none for a pharmacy.
    pub grade: Option<&'static str>,
    /// 0 to 3.
    pub level: i64,
    /// Longitude and latitude in degrees × 10⁶, where somebody took them down.
    pub at: Option<(i64, i64)>,
    /// Beds.
    pub beds: i64,
}

/// The region of everything: 沂源县.
pub const REGION: &str = "370323";

/// Indices of facilities by what they are.
pub const LEVEL_3: std::ops::Range<usize> = 0..2;
pub const LEVEL_2: std::ops::Range<usize> = 2..6;
pub const LEVEL_1: std::ops::Range<usize> = 6..20;
pub const LEVEL_0: std::ops::Range<usize> = 20..30;
pub const PHARMACIES: std::ops::Range<usize> = 30..46;
/// The one of which nobody took down where it is.
pub const NOWHERE: usize = 29;

/// The forty-six facilities of the county.
#[must_use]
pub fn facilities() -> Vec<Facility> {
    (0..PHARMACIES.end).map(facility).collect()
}

fn facility(index: usize) -> Facility {
    let number = i64::try_from(index).unwrap_or(0);
    let grades: &[&'static str] = match index {
        i if LEVEL_3.contains(&i) => &["02", "03"],
        i if LEVEL_2.contains(&i) => &["05", "06", "13", "07"],
        i if LEVEL_1.contains(&i) => &["08", "09", "10", "14"],
        _ => &["11"],
    };
    let pharmacy = PHARMACIES.contains(&index);
    let (level, name, medins_type, beds) = match index {
        i if LEVEL_3.contains(&i) => (3, format!("沂源示例第{}人民医院", ["一", "二"][i]), "A1", 900 - 200 * number),
        i if LEVEL_2.contains(&i) => {
            (2, format!("沂源示例{}医院", ["中医", "妇幼保健", "骨科", "康复"][i - 2]), "A1", 260 - 20 * number)
        }
        i if LEVEL_1.contains(&i) => (1, format!("示例镇第{}卫生院", i - 5), "B3", 40 + 3 * number),
        i if LEVEL_0.contains(&i) => (0, format!("示例村第{}卫生室", i - 19), "B6", 0),
        i => (0, format!("示例大药房第{}店", i - 29), "C1", 0),
    };
    Facility {
        code: if pharmacy { format!("P37032300{:03}", index - 29) } else { format!("H37032300{:03}", index + 1) },
        name,
        kind: if pharmacy { "2" } else { "1" },
        medins_type,
        grade: (!pharmacy).then(|| grades[index % grades.len()]),
        level,
        at: (index != NOWHERE)
            .then_some((118_050_000 + number * 7_310 % 260_000, 36_020_000 + number * 11_930 % 240_000)),
        beds,
    }
}
