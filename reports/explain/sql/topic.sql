-- What one client last said on one topic, with the names of both, and the title of the topic id.
SELECT
    s.state_id AS state,
    n.state_name AS state_name,
    s.serial AS serial,
    s.message_time AS raised,
    s.received_time AS received,
    s.found AS found,
    bitTest(s.flags, 0) AS suspect,
    t.topic_name AS topic_name,
    (SELECT any(title) FROM topic_id_titles WHERE topic_type = {type:UInt32} AND topic_id = {id:String}) AS title
FROM (SELECT toUInt32({type:UInt32}) AS topic_type) AS one
LEFT JOIN
(
    SELECT topic_type, state_id, serial, message_time, received_time, flags, 1 AS found
    FROM current_states
    WHERE topic_type = {type:UInt32} AND topic_id = {id:String} AND client_id = {client:UUID}
) AS s ON s.topic_type = one.topic_type
LEFT JOIN (SELECT topic_type AS named_type, any(topic_name) AS topic_name FROM topic_names GROUP BY named_type) AS t
    ON t.named_type = one.topic_type
LEFT JOIN (SELECT topic_type AS named_type, state_id AS named, any(state_name) AS state_name FROM state_names
    GROUP BY named_type, named) AS n
    ON n.named_type = one.topic_type AND n.named = s.state_id
