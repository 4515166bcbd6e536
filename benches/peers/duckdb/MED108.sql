-- A drug in a stay on more days than a course has: the lines after the last allowed day.
WITH course AS (
    SELECT c.*, o.stay_id, dense_rank() OVER (PARTITION BY o.stay_id, c.point ORDER BY c.day) AS nth
    FROM (
        SELECT l.*, k.point, k.max_days::INT AS max_days FROM paid_line l
        JOIN know_course_days k ON starts_with(l.hilist_code, k.code) AND in_force(k."from", k."until", l.day)
        QUALIFY row_number() OVER (PARTITION BY l.mdtrt_id, l.feedetl_sn, k.point ORDER BY length(k.code) DESC) = 1
    ) c JOIN part_of o USING (mdtrt_id)
)
SELECT to_json({'mdtrt_id': stay_id, 'point': point}) AS key, sum(inscp_amt) AS amount
FROM course WHERE nth > max_days GROUP BY stay_id, point;
