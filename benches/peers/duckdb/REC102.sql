-- A settlement breaks an identity that holds for every sound one.
WITH term AS (
    SELECT a.setl_id,
           abs(a.inscp_amt - (a.medfee_sumamt - a.fulamt_ownpay_amt - a.overlmt_selfpay - a.preselfpay_amt)) AS scope,
           abs(a.hifp_pay + coalesce(a.cvlserv_pay, 0) + coalesce(a.hifes_pay, 0) + coalesce(a.hifmi_pay, 0) + coalesce(a.hifob_pay, 0)
               + coalesce(a.maf_pay, 0) + coalesce(a.oth_pay, 0) - a.fund_pay_sumamt) AS fund,
           abs(a.fund_pay_sumamt + a.acct_pay + a.cash_payamt + coalesce(a.ownpay_hosp_part, 0) - a.medfee_sumamt) AS whole
    FROM all_settlement a WHERE a.setl_id IN (SELECT setl_id FROM standing_settlement)
)
SELECT to_json({'setl_id': setl_id}) AS key, greatest(scope, fund, whole) AS amount
FROM term WHERE scope > 0.01 OR fund > 0.01 OR whole > 0.01;
