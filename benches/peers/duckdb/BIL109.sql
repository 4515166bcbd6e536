-- More nursing days charged than the stay has days, with the tolerance on top.
WITH part AS (
    SELECT l.*, o.stay_id, (CASE WHEN hourly = '1' THEN l.cnt::DOUBLE / 24 ELSE l.cnt END)::DECIMAL(18,8) AS days_charged
    FROM (
        SELECT l.*, k.hourly FROM paid_line l
        JOIN know_graded_nursing k ON starts_with(l.hilist_code, k.code) AND in_force(k."from", k."until", l.day)
        QUALIFY row_number() OVER (PARTITION BY l.mdtrt_id, l.feedetl_sn ORDER BY length(k.code) DESC) = 1
    ) l JOIN part_of o USING (mdtrt_id)
), used AS (
    SELECT stay_id, sum(days_charged) AS used, sum(inscp_amt) AS paid FROM part GROUP BY stay_id
), judged AS (
    SELECT u.*, s.open, s.stay_days + param('nursing_days_tolerance', s.last_day, s.region) AS most FROM used u JOIN stay s USING (stay_id)
)
SELECT to_json({'mdtrt_id': stay_id}) AS key, share(paid, used - most, used) AS amount
FROM judged WHERE NOT open AND used > most;
