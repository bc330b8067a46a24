-- +goose NO TRANSACTION
-- +goose Up
-- What was told before. Of topics whose first message retention has dropped, the latest is known.
INSERT INTO subject_seen (topic_type, topic_id, first_seen, origin)
SELECT topic_type, topic_id, min(received_time), max(if(topic_type = 500 AND topic_id_type = 3, params[4], ''))
FROM state_messages
GROUP BY topic_type, topic_id;
INSERT INTO subject_seen (topic_type, topic_id, first_seen, origin)
SELECT topic_type, topic_id, min(received_time), max(if(topic_type = 500 AND topic_id_type = 3, params[4], ''))
FROM current_states_data
GROUP BY topic_type, topic_id;
INSERT INTO subject_seen (topic_type, topic_id, first_seen)
SELECT topic_type, topic_id, min(received_time)
FROM instant_states_data
GROUP BY topic_type, topic_id;
