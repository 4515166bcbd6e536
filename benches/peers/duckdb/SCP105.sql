-- Items paid outside the care settings they are meant for; day surgery and home beds count as inpatient.
SELECT to_json({'mdtrt_id': mdtrt_id, 'feedetl_sn': feedetl_sn}) AS key, inscp_amt AS amount
FROM (
        SELECT l.*, string_split(k.settings, '|') AS settings FROM paid_line l
        JOIN know_care_setting k ON starts_with(l.hilist_code, k.code) AND in_force(k."from", k."until", l.day)
        QUALIFY row_number() OVER (PARTITION BY l.mdtrt_id, l.feedetl_sn ORDER BY length(k.code) DESC) = 1)
WHERE setting IS NOT NULL AND NOT list_contains(settings, setting)
  AND NOT (setting IN ('day_surgery', 'home_bed') AND list_contains(settings, 'inpatient'));
