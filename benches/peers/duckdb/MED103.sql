-- Fills while more than the tolerated days of the same drug are in hand.
-- end_k = max(day_k, end_{k-1}) + days_k unrolls to S_k + max over j ≤ k of (day_j − S_{j−1}): two window sums.
WITH run AS (
    SELECT *, day - DATE '2000-01-01' AS d,
           sum(coalesce(days, 0)) OVER (PARTITION BY psn_no, generic ORDER BY day, mdtrt_id) AS s
    FROM fill
), reach AS (
    SELECT *, s + max(d - (s - coalesce(days, 0))) OVER (PARTITION BY psn_no, generic ORDER BY day, mdtrt_id) AS supply_end
    FROM run
), hand AS (
    SELECT *, lag(supply_end) OVER (PARTITION BY psn_no, generic ORDER BY day, mdtrt_id) - d AS in_hand FROM reach
)
SELECT to_json({'mdtrt_id': mdtrt_id, 'generic': generic, 'day': day}) AS key, share(inscp_amt, least(in_hand, days), days) AS amount
FROM hand WHERE days > 0 AND in_hand > param('repeat_tolerance_days', day, region);
