-- Topic ids that others have states of, too: they are counted anew. A topic id of the client alone may be its own name.
INSERT INTO subjects_touched (topic_type, topic_id)
WITH own AS
(
    SELECT topic_type, topic_id FROM current_states_data WHERE client_id = {client:UUID}
    UNION DISTINCT
    SELECT topic_type, topic_id FROM instant_states_data WHERE client_id = {client:UUID}
)
SELECT DISTINCT topic_type, topic_id
FROM
(
    SELECT topic_type, topic_id FROM current_states_data
    WHERE (topic_type, topic_id) IN (SELECT topic_type, topic_id FROM own) AND client_id != {client:UUID}
    UNION ALL
    SELECT topic_type, topic_id FROM instant_states_data
    WHERE (topic_type, topic_id) IN (SELECT topic_type, topic_id FROM own) AND client_id != {client:UUID}
)
