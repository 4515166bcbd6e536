-- Settlements of stays whose out-of-scope and over-price part is more than the limit's share of the bill.
SELECT to_json({'setl_id': setl_id}) AS key, cents(fulamt_ownpay_amt + overlmt_selfpay - most * medfee_sumamt) AS amount
FROM (SELECT *, param('self_pay_ratio_max', day, region) AS most FROM settlement WHERE setting = 'inpatient')
WHERE medfee_sumamt > 0 AND fulamt_ownpay_amt + overlmt_selfpay > most * medfee_sumamt
  AND mdtrt_id NOT IN (SELECT mdtrt_id FROM special_case);
