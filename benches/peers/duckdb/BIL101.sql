-- A contains B, and both are charged: same person and facility, same day or, where the pair says so, same visit, or less than
-- one or six hours apart within a visit, where both lines have a time of day.
WITH pair AS (
    SELECT l.*, k.code, k.code_b, k."window" FROM paid_line l
    JOIN know_duplicate_pair k ON starts_with(l.hilist_code, k.code) AND in_force(k."from", k."until", l.day)
    QUALIFY row_number() OVER (PARTITION BY l.mdtrt_id, l.feedetl_sn, k.code_b ORDER BY length(k.code) DESC) = 1
), contained AS (
    SELECT DISTINCT b.psn_no, CASE WHEN a."window" = 'day' THEN b.day END AS day,
           CASE WHEN a."window" <> 'day' THEN b.mdtrt_id END AS mdtrt_id,
           a.code || '|' || a.code_b AS pair, b.mdtrt_id AS m, b.feedetl_sn, b.inscp_amt
    FROM pair a JOIN paid_line b
      ON b.psn_no = a.psn_no AND b.fixmedins_code = a.fixmedins_code AND starts_with(b.hilist_code, a.code_b)
     AND CASE WHEN a."window" = 'day' THEN b.day = a.day ELSE b.mdtrt_id = a.mdtrt_id END
     AND CASE a."window" WHEN 'hour' THEN abs(epoch_us(a.fee_ocur_time) - epoch_us(b.fee_ocur_time)) < 3600000000
                         WHEN '6hours' THEN abs(epoch_us(a.fee_ocur_time) - epoch_us(b.fee_ocur_time)) < 21600000000
                         ELSE true END
     AND (a."window" IN ('day', 'visit') OR (a.fee_ocur_time::TIME > TIME '00:00:00' AND b.fee_ocur_time::TIME > TIME '00:00:00'))
     AND NOT (b.mdtrt_id = a.mdtrt_id AND b.feedetl_sn = a.feedetl_sn)
)
SELECT to_json({'psn_no': psn_no, 'day': day, 'mdtrt_id': mdtrt_id, 'pair': pair}) AS key, sum(inscp_amt) AS amount
FROM contained GROUP BY psn_no, day, mdtrt_id, pair;
