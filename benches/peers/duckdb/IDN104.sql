-- The fund paid for an encounter that began before the insurance or after it.
SELECT to_json({'setl_id': setl_id}) AS key, fund_pay_sumamt AS amount
FROM settlement t JOIN person p USING (psn_no)
WHERE fund_pay_sumamt > 0
  AND CASE WHEN p.psn_insu_date > p.paus_insu_date THEN p.paus_insu_date < begin_day AND begin_day < p.psn_insu_date
           ELSE coalesce(begin_day < p.psn_insu_date, false) OR coalesce(begin_day > p.paus_insu_date, false) END;
