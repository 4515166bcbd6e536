-- Lines equal in visit, item, time, quantity, price and doctor.
SELECT to_json({'mdtrt_id': mdtrt_id, 'hilist_code': hilist_code, 'fee_ocur_time': strftime(fee_ocur_time, '%Y-%m-%d %H:%M:%S'),
                'cnt': plain(cnt), 'pric': plain(pric), 'bilg_dr_codg': bilg_dr_codg}) AS key,
       sum(inscp_amt) - arg_min(inscp_amt, feedetl_sn) AS amount
FROM paid_line GROUP BY mdtrt_id, hilist_code, fee_ocur_time, cnt, pric, bilg_dr_codg
HAVING count(DISTINCT feedetl_sn) > 1;
