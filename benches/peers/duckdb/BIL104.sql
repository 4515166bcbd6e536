-- More of a point in the days that end on a line's day than the cycle allows, counted up to the line.
WITH capped AS (
    SELECT *, (day - DATE '2000-01-01') AS d FROM (
        SELECT l.*, k.point, k.max::DECIMAL(18,4) AS cap, k.days::INT AS cycle FROM paid_line l
        JOIN know_cycle_cap k ON starts_with(l.hilist_code, k.code) AND in_force(k."from", k."until", l.day)
        QUALIFY row_number() OVER (PARTITION BY l.mdtrt_id, l.feedetl_sn, k.point ORDER BY length(k.code) DESC) = 1)
), summed AS (
    SELECT c.*, (SELECT sum(b.cnt) FROM capped b
                 WHERE b.psn_no = c.psn_no AND b.point = c.point AND c.d - b.d < c.cycle
                   AND (b.d, b.mdtrt_id, b.feedetl_sn) <= (c.d, c.mdtrt_id, c.feedetl_sn)) AS used
    FROM capped c
)
SELECT to_json({'mdtrt_id': mdtrt_id, 'feedetl_sn': feedetl_sn}) AS key, share(inscp_amt, least(cnt, used - cap), cnt) AS amount
FROM summed WHERE used > cap;
