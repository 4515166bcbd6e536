-- Not in bed at the check on two days or more, and the bed charged.
WITH absent AS (
    SELECT DISTINCT o.stay_id, p.check_time::DATE AS day
    FROM presence p JOIN part_of o USING (mdtrt_id) JOIN stay s ON s.stay_id = o.stay_id
    WHERE p.on_bed_flag = '0' AND p.check_time::DATE BETWEEN s.begin_day AND s.last_day
), charged AS (
    SELECT o.stay_id, l.day, bool_or(l.med_chrgitm_type = '01') AS bed,
           sum(l.inscp_amt) FILTER (l.med_chrgitm_type IN ('01', '02', '07') AND l.inscp_amt > 0) AS paid, any_value(l.region) AS region
    FROM line l JOIN part_of o USING (mdtrt_id) GROUP BY ALL
), counted AS (SELECT *, count(*) OVER (PARTITION BY stay_id) AS days FROM absent JOIN charged USING (stay_id, day) WHERE bed)
SELECT to_json({'mdtrt_id': stay_id, 'day': day}) AS key, coalesce(paid, 0) AS amount
FROM counted WHERE days >= param('absent_days_min', day, region);
