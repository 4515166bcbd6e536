-- The model of the second opinion: what the rules mean, told a second time in plain SQL.
--
-- For: comparing fundaudit with statements that share no code with it. Goes in: a dataset that `fundaudit ingest` wrote
-- (its Parquet, before anything is netted), the knowledge CSVs as tables `know_<name>` and the parameters as
-- `parameter` (the runner loads both). Comes out: `line`, `encounter`, `stay`, `settlement`, `fill`, … as tables.
-- Deliberately unknown here: the rule files and the engine. Every reading is written from the catalogue of rules alone;
-- a disagreement is a finding about one of the two, so neither may be bent to fit the other.
--
-- To add a rule: `<CODE>.sql` beside this file, one SELECT of `key` (JSON text) and `amount` (DECIMAL(16,2)).

-- ── money, numbers as text, knowledge ───────────────────────────────────────────────────────────────────────────────
-- money × part ÷ whole, exact, half up to the cent; integers throughout, because DuckDB divides decimals as doubles.
CREATE MACRO share(money, part, whole) AS
    CASE WHEN whole = 0 THEN NULL ELSE sign(money)::INT *
    ((2 * (abs(money) * 100)::HUGEINT * (part * 100000000)::HUGEINT + (whole * 100000000)::HUGEINT)
        // (2 * (whole * 100000000)::HUGEINT))::DECIMAL(18,0)::DECIMAL(20,2) / 100 END;
-- A stay that was not settled, or whose settlements are worth less than nothing, puts nothing at stake.
CREATE MACRO at_stake(x) AS greatest(coalesce(x, 0), 0);
CREATE MACRO cents(x) AS round(x, 2)::DECIMAL(16,2);
CREATE MACRO plain(x) AS CASE WHEN contains(x::VARCHAR, '.') THEN rtrim(rtrim(x::VARCHAR, '0'), '.') ELSE x::VARCHAR END;
CREATE MACRO in_force(valid_from, valid_until, service_day) AS
    (valid_from IS NULL OR valid_from <= service_day) AND (valid_until IS NULL OR service_day <= valid_until);
-- whether a code begins with an element of an `a|b|c` list
CREATE MACRO any_prefix(full_code, prefixes) AS
    len(list_filter(string_split(prefixes, '|'), lambda p: p <> '' AND starts_with(full_code, p))) > 0;

-- ── the tables as exported ──────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE all_settlement AS SELECT * FROM read_parquet(getvariable('dataset') || '/bucket-*/settlement.parquet');
CREATE TABLE all_encounter  AS SELECT * FROM read_parquet(getvariable('dataset') || '/bucket-*/encounter.parquet');
CREATE TABLE all_line       AS SELECT * FROM read_parquet(getvariable('dataset') || '/bucket-*/fee_detail.parquet');
CREATE TABLE all_diagnosis  AS SELECT * FROM read_parquet(getvariable('dataset') || '/bucket-*/diagnosis.parquet');
CREATE TABLE person         AS SELECT * FROM read_parquet(getvariable('dataset') || '/bucket-*/person.parquet');
CREATE TABLE identity       AS SELECT * FROM read_parquet(getvariable('dataset') || '/bucket-*/identity.parquet');
CREATE TABLE presence       AS SELECT * FROM read_parquet(getvariable('dataset') || '/bucket-*/presence.parquet');
CREATE TABLE special_case   AS SELECT * FROM read_parquet(getvariable('dataset') || '/bucket-*/special_case.parquet');
CREATE TABLE facility       AS SELECT * FROM read_parquet(getvariable('dataset') || '/facility.parquet');

CREATE TABLE period AS
SELECT min(d) AS first_day, max(d) AS last_day, max(d) AS as_of
FROM (SELECT fee_ocur_time::DATE AS d FROM all_line
      UNION ALL SELECT begntime::DATE FROM all_encounter
      UNION ALL SELECT endtime::DATE FROM all_encounter WHERE endtime IS NOT NULL);

-- ── refunds net out first: settlements, then lines ──────────────────────────────────────────────────────────────────
-- A refund that names no settlement of the data (`init_setl_id` is filled only sometimes) is removed too, but its negative
-- lines stay and look for their partners one by one: else what was paid back would be found again.
CREATE TABLE refund AS
SELECT r.setl_id, o.setl_id AS of_setl_id
FROM all_settlement r LEFT JOIN all_settlement o ON o.setl_id = r.init_setl_id AND o.setl_id <> r.setl_id
WHERE r.refd_setl_flag = '1';
CREATE TABLE refunded AS SELECT setl_id FROM refund UNION SELECT of_setl_id FROM refund WHERE of_setl_id IS NOT NULL;
CREATE TABLE refunded_with_lines AS
SELECT setl_id FROM refund WHERE of_setl_id IS NOT NULL UNION SELECT of_setl_id FROM refund WHERE of_setl_id IS NOT NULL;

CREATE TABLE standing_settlement AS
SELECT * REPLACE (coalesce(inscp_amt, medfee_sumamt - fulamt_ownpay_amt - overlmt_selfpay - preselfpay_amt) AS inscp_amt)
FROM all_settlement WHERE setl_id NOT IN (FROM refunded);
CREATE TABLE standing_line AS
SELECT * REPLACE (coalesce(inscp_amt, det_item_fee_sumamt - fulamt_ownpay_amt - overlmt_selfpay - preselfpay_amt) AS inscp_amt)
FROM all_line WHERE setl_id IS NULL OR setl_id NOT IN (FROM refunded_with_lines);

-- a reversal that names its line
CREATE TABLE named_reversal AS
SELECT mdtrt_id, init_feedetl_sn AS feedetl_sn, sum(cnt) AS cnt, sum(det_item_fee_sumamt) AS det_item_fee_sumamt,
       sum(fulamt_ownpay_amt) AS fulamt_ownpay_amt, sum(overlmt_selfpay) AS overlmt_selfpay,
       sum(preselfpay_amt) AS preselfpay_amt, sum(inscp_amt) AS inscp_amt
FROM standing_line WHERE cnt < 0 AND init_feedetl_sn IS NOT NULL GROUP BY ALL;

-- one that names none takes the latest earlier positive line of the same visit, code, price and absolute quantity that
-- no other reversal has taken: brackets that close. `floor_` lifts the walk where a reversal finds nothing open.
CREATE TABLE unnamed_pair AS
WITH walk AS (
    SELECT mdtrt_id, feedetl_sn, fee_ocur_time, hilist_code, pric, cnt, abs(cnt) AS size,
           sum(sign(cnt)::INT) OVER w AS s
    FROM standing_line l
    WHERE (cnt > 0 OR init_feedetl_sn IS NULL)
      AND (mdtrt_id, hilist_code) IN (SELECT (mdtrt_id, hilist_code) FROM standing_line WHERE cnt < 0 AND init_feedetl_sn IS NULL)
      AND NOT EXISTS (FROM named_reversal n WHERE n.mdtrt_id = l.mdtrt_id AND n.feedetl_sn = l.feedetl_sn)
    WINDOW w AS (PARTITION BY mdtrt_id, hilist_code, pric, abs(cnt) ORDER BY fee_ocur_time, cnt < 0, feedetl_sn)
), lifted AS (
    SELECT *, s - least(0, min(s) OVER (PARTITION BY mdtrt_id, hilist_code, pric, size
                                        ORDER BY fee_ocur_time, cnt < 0, feedetl_sn)) AS depth FROM walk
), levelled AS (
    SELECT *, CASE WHEN cnt > 0 THEN depth ELSE depth + 1 END AS level_ FROM lifted
)
SELECT mdtrt_id, feedetl_sn FROM (
    SELECT *, lead(cnt) OVER (PARTITION BY mdtrt_id, hilist_code, pric, size, level_
                              ORDER BY fee_ocur_time, cnt < 0, feedetl_sn) AS next_cnt FROM levelled)
WHERE cnt > 0 AND next_cnt < 0;

CREATE TABLE net_line AS
SELECT l.* REPLACE (
    l.cnt + coalesce(n.cnt, 0) AS cnt,
    l.det_item_fee_sumamt + coalesce(n.det_item_fee_sumamt, 0) AS det_item_fee_sumamt,
    l.fulamt_ownpay_amt + coalesce(n.fulamt_ownpay_amt, 0) AS fulamt_ownpay_amt,
    l.overlmt_selfpay + coalesce(n.overlmt_selfpay, 0) AS overlmt_selfpay,
    l.preselfpay_amt + coalesce(n.preselfpay_amt, 0) AS preselfpay_amt,
    l.inscp_amt + coalesce(n.inscp_amt, 0) AS inscp_amt,
    CASE WHEN n.cnt IS NULL THEN l.prd_days::DECIMAL(28,8)
         ELSE (l.prd_days::DECIMAL(28,8) * (l.cnt + n.cnt)::DECIMAL(10,4) / l.cnt)::DECIMAL(28,8) END AS prd_days)
FROM standing_line l
LEFT JOIN named_reversal n ON n.mdtrt_id = l.mdtrt_id AND n.feedetl_sn = l.feedetl_sn
WHERE l.cnt >= 0 AND l.cnt + coalesce(n.cnt, 0) >= 0 AND NOT (n.cnt IS NOT NULL AND l.cnt + n.cnt = 0)
  AND NOT EXISTS (FROM unnamed_pair u WHERE u.mdtrt_id = l.mdtrt_id AND u.feedetl_sn = l.feedetl_sn);

-- ── encounters: of which something remains, widened with person and facility ────────────────────────────────────────
CREATE MACRO level_of(hosp_lv) AS CASE
    WHEN lpad(trim(hosp_lv), 2, '0') IN ('01', '02', '03', '04', '12') THEN 3
    WHEN lpad(trim(hosp_lv), 2, '0') IN ('05', '06', '07', '13') THEN 2
    WHEN lpad(trim(hosp_lv), 2, '0') IN ('08', '09', '10', '14') THEN 1
    WHEN lpad(trim(hosp_lv), 2, '0') = '11' THEN 0 END;
CREATE MACRO known_sex(gend) AS CASE WHEN gend IN ('1', '2') THEN gend END;
CREATE MACRO one_of(a, b) AS CASE WHEN a IS NULL THEN b WHEN b IS NULL OR a = b THEN a END;

CREATE TABLE setting_of AS
SELECT m.med_type, k.setting
FROM (SELECT DISTINCT med_type FROM all_encounter UNION SELECT DISTINCT med_type FROM all_line) m
JOIN know_care_setting_of_med_type k ON starts_with(m.med_type, k.code)
QUALIFY row_number() OVER (PARTITION BY m.med_type ORDER BY length(k.code) DESC) = 1;

CREATE TABLE standing_encounter AS
SELECT * FROM all_encounter
WHERE mdtrt_id IN (SELECT mdtrt_id FROM net_line) OR mdtrt_id IN (SELECT mdtrt_id FROM standing_settlement);

CREATE TABLE mark AS  -- day of death, over everything that is known of the person
SELECT psn_no, min(day) AS death_day FROM (
    SELECT psn_no, die_date AS day FROM person
    UNION ALL SELECT psn_no, die_date FROM standing_encounter
    UNION ALL SELECT psn_no, endtime::DATE FROM standing_encounter WHERE dscg_way = '5')
WHERE day IS NOT NULL GROUP BY psn_no;

CREATE TABLE encounter AS
SELECT e.* REPLACE (one_of(known_sex(e.gend), known_sex(p.gend)) AS gend, one_of(e.brdy, p.brdy) AS brdy),
       s.setting, coalesce(level_of(e.hosp_lv), level_of(f.hosp_lv)) AS level,
       e.begntime::DATE AS begin_day, e.endtime::DATE AS end_day, f.admdvs AS facility_region,
       coalesce(e.insu_admdvs, p.insu_admdvs, f.admdvs) AS region, p.insu_admdvs AS person_region,
       f.lng, f.lat, coalesce(e.dscg_maindiag_code, d.diag_code) AS main_diag
FROM standing_encounter e
LEFT JOIN person p USING (psn_no)
LEFT JOIN facility f USING (fixmedins_code)
LEFT JOIN setting_of s ON s.med_type = e.med_type
LEFT JOIN (SELECT mdtrt_id, min(diag_code) AS diag_code FROM all_diagnosis WHERE maindiag_flag = '1' GROUP BY ALL) d
       ON d.mdtrt_id = e.mdtrt_id;

-- diagnoses of an encounter: the main one of the encounter and the coded rows
CREATE TABLE diagnosis AS
SELECT mdtrt_id, diag_code, bool_or(is_main) AS is_main
FROM (SELECT mdtrt_id, main_diag AS diag_code, true AS is_main FROM encounter
      UNION ALL SELECT mdtrt_id, diag_code, false FROM all_diagnosis WHERE mdtrt_id IN (SELECT mdtrt_id FROM encounter))
WHERE diag_code IS NOT NULL AND diag_code <> '' GROUP BY ALL;

-- ── days of supply of a line ────────────────────────────────────────────────────────────────────────────────────────
CREATE MACRO number_in(t) AS nullif(regexp_extract(t, '^\s*([0-9]+(\.[0-9]+)?)', 1), '')::DECIMAL(18,6);
CREATE MACRO unit_in(t) AS lower(regexp_extract(t, '^\s*[0-9]+(?:\.[0-9]+)?\s*([^0-9×xX*:/\s]+)', 1));
CREATE MACRO milli(unit) AS CASE  -- what one of the unit is in mg, in ml
    WHEN unit IN ('μg', 'µg', 'ug', 'mcg') THEN 0.001 WHEN unit IN ('mg', 'ml') THEN 1 WHEN unit IN ('g', 'l') THEN 1000
    WHEN unit = 'kg' THEN 1000000 END::DECIMAL(18,6);
CREATE MACRO dimension(unit) AS CASE WHEN unit IN ('μg', 'µg', 'ug', 'mcg', 'mg', 'g', 'kg') THEN 'mass'
    WHEN unit IN ('ml', 'l') THEN 'volume' END;
CREATE TABLE frequency AS FROM (VALUES
    ('st', 1, 1), ('prn', 1, 1), ('qd', 1, 1), ('qn', 1, 1), ('bid', 2, 1), ('tid', 3, 1), ('qid', 4, 1), ('qod', 1, 2),
    ('qw', 1, 7), ('biw', 2, 7), ('tiw', 3, 7), ('q12h', 2, 1), ('q8h', 3, 1), ('q6h', 4, 1), ('q4h', 6, 1),
    ('q2h', 12, 1), ('qh', 24, 1)) v(word, times, days);

CREATE TABLE daily_use AS  -- units in a pack, units used in `per_days` days
WITH parsed AS (
    SELECT spec, sin_dos_dscr, used_frqu_dscr,
           list_product(list_transform(regexp_extract_all(spec, '[×xX*]\s*([0-9]+)', 1), lambda t: t::DOUBLE))::BIGINT AS units,
           regexp_extract(spec, '[×xX*]\s*[0-9]+\s*([^0-9×xX*:/\s]+)', 1) AS unit_word,
           number_in(spec) AS strength, unit_in(spec) AS strength_unit,
           number_in(sin_dos_dscr) AS dose, unit_in(sin_dos_dscr) AS dose_unit, q.times, q.days AS per_days
    FROM (SELECT DISTINCT spec, sin_dos_dscr, used_frqu_dscr FROM all_line
          WHERE spec IS NOT NULL AND sin_dos_dscr IS NOT NULL AND used_frqu_dscr IS NOT NULL)
    JOIN frequency q ON q.word = lower(trim(used_frqu_dscr))
    WHERE regexp_matches(spec, '[×xX*]\s*[0-9]+')
)
SELECT spec, sin_dos_dscr, used_frqu_dscr, units * per_days AS numerator,
       CASE WHEN dose_unit = unit_word THEN 1 ELSE strength * milli(strength_unit) END::DECIMAL(18,6) AS one_unit,
       (CASE WHEN dose_unit = unit_word THEN dose ELSE dose * milli(dose_unit) END * times)::DECIMAL(18,6) AS a_day
FROM parsed
WHERE units > 0 AND dose > 0
  AND (dose_unit = unit_word OR (dimension(dose_unit) = dimension(strength_unit) AND strength > 0));

-- ── lines, widened ──────────────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE line AS
SELECT l.* REPLACE (coalesce(e.med_type, l.med_type) AS med_type),
       l.fee_ocur_time::DATE AS day,
       CASE WHEN l.hilist_code LIKE 'X%' THEN left(l.hilist_code, 10)
            WHEN l.hilist_code LIKE 'Z%' THEN left(l.hilist_code, 11) ELSE l.hilist_code END AS generic,
       l.list_type LIKE '1%' AS is_drug,
       s.setting, b.gend, b.brdy, coalesce(e.level, level_of(f.hosp_lv)) AS level, e.traf_dept_flag,
       e.begin_day, e.end_day, e.main_diag, e.dise_no,
       coalesce(t.insutype, e.insutype, p.insutype) AS insutype, e.matn_type,  -- whose fund paid: the settlement knows best
       CASE WHEN date_part('year', age(l.fee_ocur_time::DATE, b.brdy)) BETWEEN 0 AND 130 AND l.fee_ocur_time::DATE >= b.brdy
            THEN date_part('year', age(l.fee_ocur_time::DATE, b.brdy)) END AS age,
       CASE WHEN date_part('year', age(l.fee_ocur_time::DATE, b.brdy)) BETWEEN 0 AND 130 AND l.fee_ocur_time::DATE >= b.brdy
            THEN l.fee_ocur_time::DATE - b.brdy END AS age_days,
       m.death_day, f.admdvs AS facility_region,
       coalesce(t.insu_admdvs, e.insu_admdvs, p.insu_admdvs, f.admdvs) AS region,
       t.fund_pay_sumamt, t.acct_pay,
       l.prd_days > 0 AS days_given,
       CASE WHEN l.prd_days > 0 THEN l.prd_days
            WHEN l.cnt_prcunt IN ('盒', '瓶', '板', '桶', '罐')
            THEN (((l.cnt * 10000)::HUGEINT * d.numerator * (d.one_unit * 1000000)::HUGEINT * 10000 * 2
                    + (d.a_day * 1000000)::HUGEINT) // (2 * (d.a_day * 1000000)::HUGEINT))::DECIMAL(28,0)::DECIMAL(36,8) / 100000000
            END::DECIMAL(28,8) AS days
FROM net_line l
LEFT JOIN encounter e ON e.mdtrt_id = l.mdtrt_id
LEFT JOIN person p ON p.psn_no = l.psn_no
CROSS JOIN LATERAL (SELECT CASE WHEN e.mdtrt_id IS NULL THEN known_sex(p.gend) ELSE e.gend END AS gend,
                           CASE WHEN e.mdtrt_id IS NULL THEN p.brdy ELSE e.brdy END AS brdy) b
LEFT JOIN facility f ON f.fixmedins_code = l.fixmedins_code
LEFT JOIN standing_settlement t ON t.setl_id = l.setl_id
LEFT JOIN mark m ON m.psn_no = l.psn_no
LEFT JOIN setting_of s ON s.med_type = coalesce(e.med_type, l.med_type)
LEFT JOIN daily_use d ON d.spec = l.spec AND d.sin_dos_dscr = l.sin_dos_dscr AND d.used_frqu_dscr = l.used_frqu_dscr;

CREATE VIEW paid_line AS SELECT * FROM line WHERE inscp_amt > 0;

-- ── parameters: one value a name, day and region; the nearer region wins, then the later start ───────────────────────
CREATE TABLE parameter_on AS  -- odd names, so that a caller's `day` and `region` mean the caller's
SELECT p.name AS p_name, d.day AS p_day, r.region AS p_region, p.value AS p_value
FROM parameter p
CROSS JOIN (SELECT unnest(generate_series(first_day, greatest(last_day,
    (SELECT max(setl_time)::DATE FROM all_settlement)), INTERVAL 1 DAY))::DATE AS day FROM period) d
CROSS JOIN (SELECT DISTINCT coalesce(region, '') AS region FROM line UNION SELECT DISTINCT coalesce(region, '') FROM encounter
            UNION SELECT DISTINCT coalesce(insu_admdvs, '') FROM standing_settlement
            UNION SELECT '') r  -- no region: the nation's value
WHERE in_force(p.valid_from, p.valid_until, d.day)
  AND (p.region IS NULL OR p.region IN (r.region, left(r.region, 4) || '00', left(r.region, 2) || '0000'))
QUALIFY row_number() OVER (PARTITION BY p.name, d.day, r.region ORDER BY
    CASE WHEN p.region IS NULL THEN 0 WHEN p.region LIKE '%0000' THEN 1 WHEN p.region LIKE '%00' THEN 2 ELSE 3 END DESC,
    p.valid_from DESC NULLS LAST) = 1;
CREATE MACRO param(word, service_day, place) AS
    (SELECT p_value FROM parameter_on WHERE p_name = word AND p_day = service_day AND p_region = coalesce(place, ''));

-- ── what is charged, once a code: knowledge is matched on codes, then on days ───────────────────────────────────────
CREATE TABLE code AS SELECT DISTINCT hilist_code FROM line;

-- ── stays: encounters joined where the office cut them ──────────────────────────────────────────────────────────────
CREATE TABLE stay_part AS
WITH part AS (
    SELECT e.*, coalesce(e.end_day, p.as_of) AS last_day, e.end_day IS NULL AS open,
           EXISTS (FROM standing_settlement t WHERE t.mdtrt_id = e.mdtrt_id AND t.mid_setl_flag = '1') AS midway
    FROM encounter e CROSS JOIN period p WHERE e.setting = 'inpatient'
), cut AS (
    SELECT *, CASE WHEN NOT lag(open) OVER w AND begin_day - lag(last_day) OVER w IN (0, 1)
                    AND (lag(midway) OVER w OR ars_year_ipt_flag = '1' OR lag(ars_year_ipt_flag) OVER w = '1')
              THEN 0 ELSE 1 END AS starts
    FROM part WINDOW w AS (PARTITION BY psn_no, fixmedins_code ORDER BY begin_day, mdtrt_id)
)
SELECT *, sum(starts) OVER (PARTITION BY psn_no, fixmedins_code ORDER BY begin_day, mdtrt_id) AS run
FROM cut;

CREATE TABLE part_of AS
SELECT mdtrt_id, first_value(mdtrt_id) OVER (PARTITION BY psn_no, fixmedins_code, run ORDER BY begin_day, mdtrt_id) AS stay_id
FROM stay_part;

CREATE TABLE items_of_encounter AS SELECT mdtrt_id, list(DISTINCT hilist_code) AS items FROM line GROUP BY mdtrt_id;
CREATE TABLE items_of_stay AS
SELECT stay_id, list(DISTINCT hilist_code) AS items FROM line JOIN part_of USING (mdtrt_id) GROUP BY stay_id;

CREATE TABLE stay AS
WITH money AS (
    -- a settlement whose amount is not known leaves the stay's unknown
    SELECT stay_id, CASE WHEN count(inscp_amt) = count(*) THEN sum(inscp_amt) END AS inscp_amt, sum(medfee_sumamt) AS medfee_sumamt
    FROM standing_settlement JOIN part_of USING (mdtrt_id) GROUP BY stay_id
)
SELECT o.stay_id, s.psn_no, s.fixmedins_code, min(s.begin_day) AS begin_day, max(s.last_day) AS last_day,
       bool_or(s.open) AS open, greatest(1, max(s.last_day) - min(s.begin_day)) AS stay_days,
       list(s.med_type) AS med_types, any_value(s.setting) AS setting,
       any_value(i.items) AS items, list_distinct(flatten(list(coalesce(g.codes, [])))) AS diagnoses,
       arg_max_null(s.main_diag, struct_pack(a := s.begin_day, c := s.mdtrt_id)) AS main_diag,
       arg_max_null(s.dscg_way, struct_pack(a := s.begin_day, c := s.mdtrt_id)) AS dscg_way,
       any_value(m.inscp_amt) AS inscp_amt, any_value(m.medfee_sumamt) AS medfee_sumamt,
       any_value(s.region) AS region, any_value(s.brdy) AS brdy
FROM stay_part s JOIN part_of o USING (mdtrt_id) LEFT JOIN money m USING (stay_id)
LEFT JOIN items_of_stay i USING (stay_id)
LEFT JOIN (SELECT mdtrt_id, list(diag_code) AS codes FROM diagnosis GROUP BY mdtrt_id) g ON g.mdtrt_id = s.mdtrt_id
GROUP BY ALL;

-- a main diagnosis that is planned: by the longest prefix in force, with its companion item charged where it names one
CREATE MACRO planned(diag, service_day, items) AS coalesce((
    SELECT coalesce(k."with", '') = ''
        OR len(list_filter(items, lambda i: any_prefix(i, k."with"))) > 0
    FROM know_planned_readmission k WHERE starts_with(diag, k.code) AND in_force(k."from", k."until", service_day)
    ORDER BY length(k.code) DESC LIMIT 1), false);
CREATE TABLE chronic_visit AS
SELECT mdtrt_id FROM line WHERE med_type LIKE '14%' OR med_type IN ('9901', '9929')
UNION
SELECT d.mdtrt_id FROM diagnosis d JOIN encounter e USING (mdtrt_id)
JOIN know_chronic_disease k ON starts_with(d.diag_code, k.code) AND in_force(k."from", k."until", e.begin_day);

-- people in hardship, by day
CREATE TABLE hardship AS
SELECT DISTINCT i.psn_no, i.begntime::DATE AS begin_day, i.endtime::DATE AS end_day
FROM identity i JOIN know_identity_group k ON starts_with(i.psn_idet_type, k.code);

CREATE TABLE settlement AS
SELECT t.*, t.setl_time::DATE AS day, s.setting, e.begin_day, e.level,
       coalesce(t.insu_admdvs, e.insu_admdvs, p.insu_admdvs, f.admdvs) AS region
FROM standing_settlement t
LEFT JOIN encounter e USING (mdtrt_id)
LEFT JOIN person p ON p.psn_no = t.psn_no
LEFT JOIN facility f ON f.fixmedins_code = t.fixmedins_code
LEFT JOIN setting_of s ON s.med_type = coalesce(e.med_type, t.med_type);

-- fills: what a person took home of one drug on one day from one visit. A line of which it is not known whether it was
-- paid, or for how many days it is, leaves the fill unknown.
CREATE TABLE fill AS
SELECT psn_no, mdtrt_id, generic, day, any_value(region) AS region, sum(inscp_amt) AS inscp_amt,
       CASE WHEN count(days) = count(*) THEN sum(days) END AS days
FROM (SELECT * REPLACE (CASE WHEN inscp_amt IS NOT NULL THEN days END AS days) FROM line)
WHERE is_drug AND setting IN ('outpatient', 'pharmacy') AND (inscp_amt > 0 OR inscp_amt IS NULL)
GROUP BY psn_no, mdtrt_id, generic, day;
