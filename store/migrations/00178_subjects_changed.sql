-- +goose NO TRANSACTION
-- +goose Up
-- Topic ids of which something was loaded since the summary, or whose clients were retired, came back or were erased
-- since; all, where none was made. States lie in the order of topics: they are looked through only when there is such a
-- client.
DROP VIEW IF EXISTS subjects_changed;
CREATE VIEW IF NOT EXISTS subjects_changed AS
WITH
    (SELECT argMax(until, number) FROM summary_progress WHERE job = 'subjects') AS summed,
    (SELECT count() FROM client_retirements WHERE loaded_time >= summed) AS moved
SELECT DISTINCT topic_type, topic_id
FROM
(
    SELECT topic_type, topic_id
    FROM state_messages
    WHERE state_messages.loaded_time >= summed
    UNION ALL
    SELECT topic_type, topic_id
    FROM subjects_touched
    WHERE subjects_touched.loaded_time >= summed
    UNION ALL
    SELECT topic_type, topic_id
    FROM current_states_data
    WHERE moved > 0 AND client_id IN (SELECT client_id FROM client_retirements WHERE loaded_time >= summed)
    UNION ALL
    SELECT topic_type, topic_id
    FROM instant_states_data
    WHERE moved > 0 AND client_id IN (SELECT client_id FROM client_retirements WHERE loaded_time >= summed)
);
