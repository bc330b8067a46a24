-- What compliance is asked about under an id.
SELECT kind, topic_type, title FROM subjects WHERE topic_id = {topic_id:String} ORDER BY kind, topic_type
