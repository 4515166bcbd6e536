-- The fifth and later fills of one drug in one month.
WITH numbered AS (
    SELECT *, strftime(day, '%Y-%m') AS month,
           row_number() OVER (PARTITION BY psn_no, generic, strftime(day, '%Y-%m') ORDER BY day, mdtrt_id) AS nth
    FROM fill WHERE inscp_amt > 0  -- a fill of which nothing is known to be paid is not counted
), judged AS (SELECT *, param('fills_per_month_max', day, region) AS most FROM numbered)
SELECT to_json({'psn_no': psn_no, 'generic': generic, 'month': month}) AS key, sum(inscp_amt) AS amount
FROM judged WHERE nth > most GROUP BY psn_no, generic, month;
