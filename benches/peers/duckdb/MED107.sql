-- A second-line drug for a person without any first-line one in the days before, where the data reach back that far.
WITH second AS (
        SELECT l.*, k.first_line FROM paid_line l
        JOIN know_second_line k ON starts_with(l.hilist_code, k.code) AND in_force(k."from", k."until", l.day)
        QUALIFY row_number() OVER (PARTITION BY l.mdtrt_id, l.feedetl_sn ORDER BY length(k.code) DESC) = 1
), judged AS (SELECT *, param('second_line_look_back_days', day, region)::INT AS back FROM second)
SELECT to_json({'mdtrt_id': mdtrt_id, 'feedetl_sn': feedetl_sn}) AS key, inscp_amt AS amount
FROM judged j
WHERE day - back >= (SELECT first_day FROM period)
  AND NOT EXISTS (FROM line b WHERE b.psn_no = j.psn_no AND j.day - b.day BETWEEN 0 AND j.back AND any_prefix(b.hilist_code, j.first_line));
