-- A row where the site's counts of a subject at the end of a day are kept.
SELECT 1 AS kept
FROM subject_days FINAL
WHERE kind = {kind:String} AND day = {day:Date} AND topic_id = {id:String}
  AND ({kind:String} != 'other' OR topic_type = {type:UInt32}) AND deleted = 0
