-- The cells of some subjects as they stand.
SELECT CAST(kind, 'String'), topic_id, required_day, days_to_fix, fixed, clock_day, machines
FROM subject_ttr FINAL
WHERE kind = {kind:String} AND topic_id IN (SELECT unhex(arrayJoin({ids:Array(String)})))
