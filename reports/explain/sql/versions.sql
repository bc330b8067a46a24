-- Every version of one message with its copies, first arrival first.
SELECT
    payload_hash,
    any(topic_type) AS topic,
    any(topic_id) AS id,
    any(state_id) AS state,
    any(message_time) AS raised,
    any(message_us) AS raised_us,
    max(bitTest(flags, 0)) AS suspect,
    max(bitTest(flags, 7)) AS jumped,
    min(received_time) AS received,
    argMin(source_file, received_time) AS source,
    argMin(receipt, received_time) AS relay_receipt,
    argMin(loaded_time, received_time) AS loaded,
    count() AS copies,
    any(t.topic_name) AS topic_name,
    any(n.state_name) AS state_name,
    any(titled.title) AS title
FROM (SELECT * FROM state_messages WHERE client_id = {client:UUID} AND serial = {serial:UInt64}) AS m
LEFT JOIN (SELECT topic_type AS named_type, any(topic_name) AS topic_name FROM topic_names GROUP BY named_type) AS t
    ON t.named_type = m.topic_type
LEFT JOIN (SELECT topic_type AS named_type, state_id AS named, any(state_name) AS state_name FROM state_names
    GROUP BY named_type, named) AS n
    ON n.named_type = m.topic_type AND n.named = m.state_id
LEFT JOIN
(
    SELECT topic_type AS titled_type, topic_id AS titled_id, title FROM topic_id_titles
    WHERE topic_id IN (SELECT topic_id FROM state_messages WHERE client_id = {client:UUID} AND serial = {serial:UInt64})
) AS titled ON titled.titled_type = m.topic_type AND titled.titled_id = m.topic_id
GROUP BY payload_hash
ORDER BY received, payload_hash
LIMIT 20
