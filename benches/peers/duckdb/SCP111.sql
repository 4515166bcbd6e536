-- Drugs outside the list of the registered chronic disease.
SELECT to_json({'mdtrt_id': mdtrt_id, 'feedetl_sn': feedetl_sn}) AS key, inscp_amt AS amount
FROM paid_line l
WHERE is_drug AND med_type LIKE '14%'
  AND EXISTS (FROM know_chronic_drugs k WHERE list_contains(string_split(k.dise_no, '|'), l.dise_no) AND in_force(k."from", k."until", l.day))
  AND NOT EXISTS (FROM know_chronic_drugs k WHERE list_contains(string_split(k.dise_no, '|'), l.dise_no) AND in_force(k."from", k."until", l.day)
                  AND starts_with(l.hilist_code, k.code));
