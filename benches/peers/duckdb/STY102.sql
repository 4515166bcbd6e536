-- Two stays of one person at one facility that share more than a day of transfer; newborns beside their mothers aside.
WITH pair AS (
    SELECT a.stay_id AS first_id, b.*, greatest(a.begin_day, b.begin_day) AS from_day, least(a.last_day, b.last_day) AS to_day,
           a.brdy AS a_brdy, a.begin_day AS a_begin, a.last_day AS a_last
    FROM stay a JOIN stay b
      ON b.psn_no = a.psn_no AND b.fixmedins_code = a.fixmedins_code
     AND (a.begin_day, a.stay_id) < (b.begin_day, b.stay_id)
)
SELECT to_json({'mdtrt_id_1': least(first_id, stay_id), 'mdtrt_id_2': greatest(first_id, stay_id)}) AS key,
       at_stake(share(inscp_amt, least(greatest(1, to_day - from_day), stay_days), stay_days)) AS amount
FROM pair
WHERE NOT coalesce(begin_day - brdy BETWEEN 0 AND 28, false) AND NOT coalesce(a_begin - a_brdy BETWEEN 0 AND 28, false)
  AND (from_day < to_day
       OR (begin_day = last_day AND a_begin < begin_day AND begin_day < a_last)
       OR (a_begin = a_last AND begin_day < a_begin AND a_begin < last_day));
