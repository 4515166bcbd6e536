-- Stays begun within the window back from this one: more than allowed.
WITH judged AS (
    SELECT *, param('stays_window_days', begin_day, region) AS back, param('stays_in_window_max', begin_day, region) AS most FROM stay
), counted AS (
    SELECT s.*, (SELECT count(*) FROM stay b WHERE b.psn_no = s.psn_no AND s.begin_day - b.begin_day < s.back
                 AND (b.begin_day, b.stay_id) <= (s.begin_day, s.stay_id)) AS n
    FROM judged s
)
SELECT to_json({'psn_no': psn_no, 'mdtrt_id': stay_id}) AS key, at_stake(inscp_amt) AS amount
FROM counted WHERE n > most AND NOT planned(main_diag, begin_day, coalesce(items, []));
