-- title: Topics, with how their clients stand
-- group: Compliance
-- columns: topic_name!, state_name!, pairs!, topic_ids, newest_message, topic_type, state_id
-- empty: no client has told of a topic
-- description: Every topic type that clients report on, with the number of topic ids, of clients, and of client and
--   topic pairs per state. Who said nothing is in no line: the report subject says of whom something is missing.
--   Topic ids that changed since the site's summary are counted anew, the smaller ones first, up to 300,000 states in
--   all. The others are as old as the summary; the report freshness tells since when that is.
-- param topic_type UInt32 = 0: One topic type; 0 takes all
-- param collection String = '': Only the members of this collection; empty takes the site
-- order: topic_type UInt32, _place UInt64
-- bars: topic_type, state_name, pairs
-- note pairs: one client's state of one topic id
-- link topic_type: compliance?topic_type={topic_type}&collection={collection}
-- link state_name: clients-in-state?topic_type={topic_type}&state_id={state_id}&collection={collection}
WITH
    -- A collection's are counted; the site's are summed up already.
    ids AS
    (
        SELECT topic_type, topic_id, state_id, subject_states.clients AS pairs, newest
        FROM subject_states
        WHERE {collection:String} = '' AND ({topic_type:UInt32} = 0 OR topic_type = {topic_type:UInt32})
        UNION ALL
        SELECT topic_type, topic_id, state_id, count() AS pairs, max(message_time) AS newest
        FROM current_states
        WHERE {collection:String} != '' AND ({topic_type:UInt32} = 0 OR topic_type = {topic_type:UInt32})
          AND client_id IN (SELECT client_id FROM collection_members WHERE name = {collection:String})
        GROUP BY topic_type, topic_id, state_id
    ),
    per_state AS
    (
        SELECT topic_type, state_id, sum(ids.pairs) AS pairs
        FROM ids
        GROUP BY topic_type, state_id
    ),
    per_type AS
    (
        SELECT topic_type, uniqExact(topic_id) AS topic_ids, max(ids.newest) AS newest
        FROM ids
        GROUP BY topic_type
    )
SELECT
    per_type.topic_type AS topic_type,
    if(t.topic != '', t.topic, concat('Topic type ', toString(per_type.topic_type))) AS topic,
    t.topic_name AS topic_name,
    topic_ids,
    per_state.state_id AS state_id,
    if(n.state_name != '', n.state_name, concat('State ', toString(per_state.state_id))) AS state_name,
    per_state.pairs AS pairs,
    newest AS newest_message,
    toUInt64(per_state.state_id) AS _place
FROM per_state
INNER JOIN per_type ON per_type.topic_type = per_state.topic_type
LEFT JOIN (SELECT topic_type AS named_type, any(topic_name) AS topic_name, any(topic) AS topic FROM topic_names
    GROUP BY named_type) AS t
    ON t.named_type = per_type.topic_type
LEFT JOIN (SELECT topic_type AS named_type, state_id AS named, any(state_name) AS state_name FROM state_names
    GROUP BY named_type, named) AS n
    ON n.named_type = per_type.topic_type AND n.named = per_state.state_id
