-- +goose NO TRANSACTION
-- +goose Up
-- current_states with what people call things: the computer, the topic id, the topic type and the state, and the class of
-- the state.
CREATE VIEW IF NOT EXISTS v_current_states AS
SELECT
    s.client_id AS client_id, c.netbios_name AS netbios_name, s.topic_type AS topic_type, n.topic_title AS topic_title,
    s.topic_id AS topic_id, if(t.title != '', t.title, s.topic_id) AS title, s.topic_id_type AS topic_id_type,
    s.state_id AS state_id, if(n.state_name != '', n.state_name, concat('State ', toString(s.state_id))) AS state_name,
    if(k.class != '', k.class, 'other') AS class, s.criticality AS criticality, s.params AS params,
    s.message_time AS message_time, s.received_time AS received_time, s.serial AS serial
FROM current_states AS s
LEFT JOIN (SELECT client_id, netbios_name FROM clients) AS c ON c.client_id = s.client_id
LEFT JOIN (SELECT topic_type, topic_id, any(title) AS title FROM topic_id_titles GROUP BY topic_type, topic_id) AS t
    ON t.topic_type = s.topic_type AND t.topic_id = s.topic_id
LEFT JOIN (SELECT topic_type, state_id, any(topic_name) AS topic_title, any(state_names.state_name) AS state_name FROM state_names
    GROUP BY topic_type, state_id) AS n ON n.topic_type = s.topic_type AND n.state_id = s.state_id
LEFT JOIN classes AS k ON k.topic_type = s.topic_type AND k.state_id = s.state_id;
