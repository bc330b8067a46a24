-- +goose NO TRANSACTION
-- +goose Up
-- Current states that the client did not send again when it sent its whole cache:
-- only the site still holds them. A baseline that was accepted since takes them as
-- they are.
CREATE VIEW IF NOT EXISTS unconfirmed_states AS
SELECT s.client_id AS client_id, topic_type, topic_id, topic_id_type, state_id, criticality, params,
       message_time, received_time, serial, f.completion_floor AS floor, f.completion_time AS since
FROM current_states_data AS s FINAL
INNER JOIN
(
    SELECT client_id, completion_floor, completion_time FROM client_floors WHERE completion_floor > baseline_floor
) AS f ON f.client_id = s.client_id
WHERE s.serial < f.completion_floor AND s.topic_type != 700;
