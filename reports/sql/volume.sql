-- title: Message volume by topic
-- group: Site
-- columns: topic_name!, messages!, clients, per_client, newest_received, topic_type
-- empty: nothing arrived within that time
-- description: Which topics fill the site: messages stored per topic type, the busiest first, and how many clients sent
--   them.
-- param hours UInt32 = 24 in 1..10000: How many hours to look back
-- order: messages UInt64 desc, topic_type UInt32
-- note messages: distinct client and serial, or instant message
-- link topic_type: compliance?topic_type={topic_type}
SELECT
    m.topic_type AS topic_type,
    if(t.topic != '', t.topic, concat('Topic type ', toString(m.topic_type))) AS topic,
    t.topic_name AS topic_name,
    m.found AS messages,
    m.senders AS clients,
    round(m.found / greatest(m.senders, 1), 1) AS per_client,
    m.newest AS newest_received
FROM
(
    SELECT topic_type, uniqExact(client_id, serial, payload_hash) AS found, uniqExact(client_id) AS senders,
        max(received_time) AS newest
    FROM state_messages
    WHERE received_time >= now64(3, 'UTC') - toIntervalHour({hours:UInt32})
    GROUP BY topic_type
) AS m
LEFT JOIN (SELECT topic_type AS named_type, any(topic_name) AS topic_name, any(topic) AS topic FROM topic_names
    GROUP BY named_type) AS t
    ON t.named_type = m.topic_type
