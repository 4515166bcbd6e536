-- More than a day's hours of an hourly item on a day.
WITH used AS (
    SELECT psn_no, day, point, sum(cnt) AS cnt, sum(inscp_amt) AS paid, min(cap) AS cap
    FROM (
        SELECT l.*, k.point, k.max::DECIMAL(18,4) AS cap FROM paid_line l
        JOIN know_hourly_item k ON starts_with(l.hilist_code, k.code) AND in_force(k."from", k."until", l.day)
        QUALIFY row_number() OVER (PARTITION BY l.mdtrt_id, l.feedetl_sn, k.point ORDER BY length(k.code) DESC) = 1)
    GROUP BY ALL
)
SELECT to_json({'psn_no': psn_no, 'day': day, 'point': point}) AS key, share(paid, cnt - cap, cnt) AS amount
FROM used WHERE cnt > cap;
