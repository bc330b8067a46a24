-- +goose NO TRANSACTION
-- +goose Up
-- One row per (client_id, topic_type, topic_id), exact whether or not parts have
-- merged: the numbered message with the greatest serial, else the instant one that
-- arrived last.
CREATE VIEW IF NOT EXISTS current_states AS
SELECT client_id, topic_type, topic_id, topic_id_type, state_id, criticality, params,
       message_time, received_time, serial, user, flags
FROM current_states_data FINAL
UNION ALL
SELECT client_id, topic_type, topic_id, latest.1 AS topic_id_type, latest.2 AS state_id, latest.3 AS criticality,
       latest.4 AS params, latest.5 AS message_time, latest.6 AS received_time, toUInt64(0) AS serial,
       latest.7 AS user, latest.8 AS flags
FROM
(
    SELECT client_id, topic_type, topic_id,
           argMax((topic_id_type, state_id, criticality, params, message_time, received_time, user, flags),
                  (received_time, message_us, payload_hash)) AS latest
    FROM instant_states_data FINAL
    WHERE (topic_type, topic_id, client_id) NOT IN
    (
        SELECT topic_type, topic_id, client_id
        FROM current_states_data
        WHERE (topic_type, topic_id, client_id) IN (SELECT topic_type, topic_id, client_id FROM instant_states_data)
    )
    GROUP BY client_id, topic_type, topic_id
);
