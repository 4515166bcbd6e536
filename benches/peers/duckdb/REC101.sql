-- The lines of a settlement do not add up to it.
SELECT to_json({'setl_id': t.setl_id}) AS key, abs(sum(l.det_item_fee_sumamt) - any_value(t.medfee_sumamt)) AS amount
FROM standing_settlement t JOIN standing_line l ON l.setl_id = t.setl_id
GROUP BY t.setl_id HAVING abs(sum(l.det_item_fee_sumamt) - any_value(t.medfee_sumamt)) > 0.01 * count(*);
