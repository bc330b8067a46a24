-- title: Topics, with how their clients stand
-- group: Compliance
-- description: Every topic type that clients report on, with the number of topic ids, of clients, and of client and
--   topic pairs per state. Unknown counts clients that never reported on a topic id which several others did report on;
--   where every client has topic ids of its own, it counts the clients that never reported on the topic type.
--   Topic ids that changed since the site's summary are counted anew, the smaller ones first, up to 300,000 states in
--   all. The others are as old as the summary; the report freshness tells since when that is.
-- param topic_type UInt32 = 0: One topic type; 0 takes all
-- order: topic_type UInt32, _place UInt64
-- bars: topic_type, state_name, pairs
-- note pairs: one client's state of one topic id
-- link topic_type: compliance?topic_type={topic_type}
-- link state_name: clients-in-state?topic_type={topic_type}&state_id={state_id}
WITH
    (SELECT count() FROM clients_seen FINAL
        WHERE client_id NOT IN (SELECT client_id FROM retired_clients)) AS all_clients,
    ids AS
    (
        SELECT topic_type, topic_id, state_id, subject_states.clients AS pairs, newest
        FROM subject_states
        WHERE {topic_type:UInt32} = 0 OR topic_type = {topic_type:UInt32}
    ),
    per_id AS
    (
        SELECT
            topic_type,
            topic_id,
            groupArray((state_id, pairs)) AS states,
            sum(pairs) AS reported,
            if(reported > 1, greatest(toInt64(all_clients) - toInt64(reported), 0), 0) AS silent,
            max(newest) AS newest
        FROM ids
        GROUP BY topic_type, topic_id
    ),
    per_type AS
    (
        SELECT
            topic_type,
            count() AS topic_ids,
            if(max(reported) > 1, sum(silent), greatest(toInt64(all_clients) - toInt64(sum(reported)), 0)) AS unknown,
            max(newest) AS newest,
            sumMap(arrayMap(s -> s.1, states), arrayMap(s -> s.2, states)) AS summed
        FROM per_id
        GROUP BY topic_type
    )
SELECT
    topic_type,
    t.topic_name AS topic_name,
    topic_ids,
    entry.1 AS state_id,
    multiIf(entry.1 IS NULL, 'Unknown: never reported on this topic',
            n.state_name != '', n.state_name,
            concat('State ', toString(entry.1))) AS state_name,
    entry.2 AS pairs,
    newest AS newest_message,
    ifNull(toUInt64(entry.1), toUInt64(4294967296)) AS _place
FROM per_type
ARRAY JOIN arrayPushBack(
    arrayMap((s, c) -> (CAST(s, 'Nullable(UInt32)'), c), summed.1, summed.2),
    (NULL, toUInt64(unknown))) AS entry
LEFT JOIN (SELECT topic_type AS named_type, any(topic_name) AS topic_name FROM topic_names GROUP BY named_type) AS t
    ON t.named_type = topic_type
LEFT JOIN (SELECT topic_type AS named_type, state_id AS named, any(state_name) AS state_name FROM state_names
    GROUP BY named_type, named) AS n
    ON n.named_type = topic_type AND n.named = assumeNotNull(entry.1)
