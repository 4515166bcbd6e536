-- A list by facility is read off an index from its beginning: nothing is sorted, and nothing behind the page is looked at.
drop index finding_by_facility;
create index finding_by_facility on finding (fixmedins_code, allocated desc, finding_id);
