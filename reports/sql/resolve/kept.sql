-- A row where the summaries have the site's counts of a subject.
SELECT 1 AS kept
FROM subject_counts FINAL
WHERE kind = {kind:String} AND topic_id = {id:String} AND ({kind:String} != 'other' OR topic_type = {type:UInt32})
  AND deleted = 0
