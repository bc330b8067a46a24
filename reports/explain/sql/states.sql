-- What one client last said on every topic, unconfirmed states first, then the latest. The end of a resync is said on
-- topic 700: that is no state, so it is never unconfirmed.
SELECT
    s.topic_type AS topic,
    t.topic_name AS topic_name,
    s.topic_id AS id,
    if(titled.title != '', titled.title, s.topic_id) AS title,
    s.state_id AS state,
    n.state_name AS state_name,
    s.serial AS serial,
    s.message_time AS raised,
    s.received_time AS received,
    s.serial > 0 AND s.serial < {floor:UInt64} AND s.topic_type != 700 AS unconfirmed,
    count() OVER () AS all_states
FROM (SELECT topic_type, topic_id, state_id, serial, message_time, received_time FROM current_states
    WHERE client_id = {client:UUID}) AS s
LEFT JOIN (SELECT topic_type AS named_type, any(topic_name) AS topic_name FROM topic_names GROUP BY named_type) AS t
    ON t.named_type = s.topic_type
LEFT JOIN (SELECT topic_type AS named_type, state_id AS named, any(state_name) AS state_name FROM state_names
    GROUP BY named_type, named) AS n
    ON n.named_type = s.topic_type AND n.named = s.state_id
LEFT JOIN
(
    SELECT topic_type AS titled_type, topic_id AS titled_id, title FROM topic_id_titles
    WHERE topic_id IN (SELECT topic_id FROM current_states WHERE client_id = {client:UUID})
) AS titled ON titled.titled_type = s.topic_type AND titled.titled_id = s.topic_id
ORDER BY unconfirmed DESC, s.received_time DESC, s.topic_type, s.topic_id
LIMIT 200
