-- Topic ids that messages were loaded of, or that clients were erased from, since the counts were made.
WITH (SELECT argMax(until, number) FROM summary_progress WHERE job = 'counts') AS summed
SELECT topic_type, topic_id FROM state_messages WHERE state_messages.loaded_time >= summed GROUP BY topic_type, topic_id
UNION DISTINCT
SELECT topic_type, topic_id FROM subjects_touched WHERE subjects_touched.loaded_time >= summed
