-- title: Names of topics and states
-- group: Lookup
-- columns: topic_name!, state_name!, topic_type!, state_id!
-- empty: no topic type of this number has names
-- description: What the numbers mean: every topic type and state id of the catalog. Numbers it doesn't know are stored
--   and shown all the same.
-- param search String = '': Part of a topic's or state's name, or a topic type
-- order: topic_type UInt32, _place UInt64
-- note state_id: empty where the topic's states have no documented names
-- link topic_type: compliance?topic_type={topic_type}
SELECT
    t.topic_type AS topic_type,
    t.topic AS topic,
    t.topic_name AS topic_name,
    if(n.known = 1, CAST(n.state_id, 'Nullable(UInt32)'), NULL) AS state_id,
    n.state_name AS state_name,
    if(n.known = 1, toUInt64(n.state_id), toUInt64(4294967296)) AS _place
FROM (SELECT topic_type, any(topic_name) AS topic_name, any(topic) AS topic FROM topic_names GROUP BY topic_type) AS t
LEFT JOIN (SELECT topic_type, state_id, any(state_name) AS state_name, toUInt8(1) AS known FROM state_names
    GROUP BY topic_type, state_id) AS n
    ON n.topic_type = t.topic_type
WHERE {search:String} = '' OR toString(t.topic_type) = {search:String}
   OR positionCaseInsensitiveUTF8(t.topic, {search:String}) > 0
   OR positionCaseInsensitiveUTF8(t.topic_name, {search:String}) > 0
   OR positionCaseInsensitiveUTF8(n.state_name, {search:String}) > 0
