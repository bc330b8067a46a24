-- Topic ids of which something was loaded, whose titles changed, or whose clients were retired, came back or were erased
-- since the times to fix were counted.
WITH
    (SELECT argMax(until, number) FROM summary_progress WHERE job = 'ttr') AS summed,
    (SELECT count() FROM client_retirements WHERE loaded_time >= summed) AS moved
SELECT DISTINCT topic_type, topic_id
FROM
(
    SELECT topic_type, topic_id FROM state_messages WHERE state_messages.loaded_time >= summed
    UNION ALL
    SELECT topic_type, topic_id FROM subjects_touched WHERE subjects_touched.loaded_time >= summed
    UNION ALL
    SELECT topic_type, topic_id
    FROM subject_seen
    WHERE topic_id IN (SELECT topic_id FROM topic_titles WHERE topic_titles.loaded_time >= summed)
    UNION ALL
    SELECT topic_type, topic_id
    FROM current_states_data
    WHERE moved > 0 AND client_id IN (SELECT client_id FROM client_retirements WHERE loaded_time >= summed)
)
