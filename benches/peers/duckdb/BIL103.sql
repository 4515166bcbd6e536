-- More of a point charged on a day than its cap; a cap of 1 is 2 in a visit with a change of ward and on a day of transfer.
WITH capped AS (
    SELECT l.*, k.point, k.max::DECIMAL(18,4) AS cap FROM paid_line l
    JOIN know_daily_cap k ON starts_with(l.hilist_code, k.code) AND in_force(k."from", k."until", l.day)
    QUALIFY row_number() OVER (PARTITION BY l.mdtrt_id, l.feedetl_sn, k.point ORDER BY length(k.code) DESC) = 1
), transfer AS (
    SELECT DISTINCT a.psn_no, a.last_day AS day
    FROM stay a JOIN stay b ON b.psn_no = a.psn_no AND b.fixmedins_code <> a.fixmedins_code AND b.begin_day = a.last_day
    WHERE NOT a.open
), used AS (
    SELECT c.psn_no, c.day, c.point, sum(c.cnt) AS cnt, sum(c.inscp_amt) AS paid, min(c.cap) AS cap,
           coalesce(bool_or(c.traf_dept_flag = '1'), false) OR bool_or(t.psn_no IS NOT NULL) AS one_more
    FROM capped c LEFT JOIN transfer t ON t.psn_no = c.psn_no AND t.day = c.day
    GROUP BY c.psn_no, c.day, c.point
), raised AS (SELECT *, CASE WHEN cap = 1 AND one_more THEN 2 ELSE cap END AS most FROM used)
SELECT to_json({'psn_no': psn_no, 'day': day, 'point': point}) AS key, share(paid, cnt - most, cnt) AS amount
FROM raised WHERE cnt > most;
