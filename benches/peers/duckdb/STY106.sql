-- Days in a row inside a stay with nothing but bed, consultation and nursing.
WITH day_of_stay AS (
    SELECT o.stay_id, l.day, bool_and(l.med_chrgitm_type IN ('01', '02', '07')) AS idle, coalesce(sum(l.inscp_amt) FILTER (l.inscp_amt > 0), 0) AS paid, any_value(l.region) AS region
    FROM line l JOIN part_of o USING (mdtrt_id) JOIN stay s ON s.stay_id = o.stay_id
    WHERE s.begin_day < l.day AND l.day < s.last_day GROUP BY ALL
), island AS (
    SELECT *, (day - DATE '2000-01-01') - row_number() OVER (PARTITION BY stay_id ORDER BY day) AS run FROM day_of_stay WHERE idle
), quiet AS (
    SELECT stay_id, run, min(day) AS first_day, max(day) AS last_day, count(*) AS days, sum(paid) AS paid, any_value(region) AS region
    FROM island GROUP BY ALL
), long_care AS (
    SELECT o.stay_id FROM encounter e JOIN part_of o USING (mdtrt_id)
    JOIN know_long_stay_care k ON (starts_with(e.med_type, k.code) OR starts_with(e.adm_dept_codg, k.code) OR starts_with(e.dscg_dept_codg, k.code))
     AND in_force(k."from", k."until", e.begin_day)
)
SELECT to_json({'mdtrt_id': stay_id, 'first_day': first_day, 'last_day': last_day}) AS key, paid AS amount
FROM quiet WHERE days >= param('no_treatment_days', last_day, region) AND stay_id NOT IN (FROM long_care);
