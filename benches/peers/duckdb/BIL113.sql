-- Quantity times price is not what was charged.
SELECT to_json({'mdtrt_id': mdtrt_id, 'feedetl_sn': feedetl_sn}) AS key, greatest(0, cents(det_item_fee_sumamt - cnt * pric)) AS amount
FROM line WHERE abs(cnt * pric - det_item_fee_sumamt) > CASE WHEN list_type IN ('102', '106') THEN 0.50 ELSE 0.05 END;
