-- More bed days charged than the stay has, with the tolerance on top.
WITH bed AS (
    SELECT l.*, o.stay_id FROM paid_line l JOIN part_of o USING (mdtrt_id)
    WHERE EXISTS (FROM know_bed_item k WHERE starts_with(l.hilist_code, k.code) AND in_force(k."from", k."until", l.day))
), used AS (
    SELECT b.stay_id, sum(b.cnt) AS cnt, sum(b.inscp_amt) AS paid FROM bed b GROUP BY b.stay_id
), judged AS (
    SELECT u.*, s.open, s.stay_days + param('bed_days_tolerance', s.last_day, s.region) AS most
    FROM used u JOIN stay s USING (stay_id)
)
SELECT to_json({'mdtrt_id': stay_id}) AS key, share(paid, cnt - most, cnt) AS amount
FROM judged WHERE NOT open AND cnt > most;
