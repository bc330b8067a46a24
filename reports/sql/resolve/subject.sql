-- The subjects of an id, of one kind or type where that is said.
SELECT kind, topic_type, topic_id, title, target, first_seen
FROM subjects
WHERE topic_id = {id:String} AND ({kind:String} = '' OR kind = {kind:String})
  AND ({type:UInt32} = 0 OR topic_type = {type:UInt32})
ORDER BY kind, topic_type
LIMIT 11
