-- Prescriptions all of whose herbs are paid only in company. The amount is that of all its herb lines: one of them unknown
-- leaves it unknown, and the prescription unanswered.
WITH herb AS (
    SELECT mdtrt_id, rx_drord_no, CASE WHEN rx_drord_no IS NULL THEN chrg_bchno END AS batch, inscp_amt,
           EXISTS (FROM know_herb_not_alone k WHERE starts_with(l.hilist_code, k.code) AND in_force(k."from", k."until", l.day)) AS alone
    FROM line l WHERE list_type IN ('102', '106')
)
SELECT to_json({'mdtrt_id': mdtrt_id, 'rx_drord_no': rx_drord_no, 'chrg_bchno': batch}) AS key,
       sum(inscp_amt) FILTER (inscp_amt > 0) AS amount
FROM herb WHERE rx_drord_no IS NOT NULL OR batch IS NOT NULL
GROUP BY mdtrt_id, rx_drord_no, batch HAVING bool_and(alone) AND bool_or(inscp_amt > 0) AND count(inscp_amt) = count(*);
