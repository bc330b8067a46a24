-- title: Compliance by topic
-- group: Compliance
-- description: How many clients are in each state of a topic, one block of rows per topic id (a deployment, an update,
--   a configuration item). Unknown counts the clients that report to this site but never did on that topic.
--   Topic ids that changed since the site's summary are counted anew, the smaller ones first, up to 300,000 states in
--   all. The others are as old as the summary; the report freshness tells since when that is.
-- param topic_type UInt32 = 300: Topic type; the report state-names lists them
-- param topic_id String = '': One topic id; empty takes every topic id of the type
-- order: topic_id String, _place UInt64
-- bars: topic_id, state_name, clients
-- note percent: of all clients known to the site
-- note newest_message: the client's own clock, at the latest change any client in this state told of
-- link clients: clients-in-state?topic_type={topic_type}&topic_id={topic_id}&state_id={state_id}
-- link topic_id: compliance?topic_type={topic_type}&topic_id={topic_id}
WITH
    (SELECT count() FROM clients_seen FINAL
        WHERE client_id NOT IN (SELECT client_id FROM retired_clients)) AS all_clients,
    counted AS
    (
        SELECT topic_id, state_id, subject_states.clients AS clients, newest
        FROM subject_states
        WHERE {topic_id:String} = '' AND topic_type = {topic_type:UInt32}
        UNION ALL
        SELECT topic_id, state_id, count() AS clients, max(message_time) AS newest
        FROM current_states
        WHERE {topic_id:String} != '' AND topic_type = {topic_type:UInt32} AND topic_id = {topic_id:String}
          AND client_id NOT IN (SELECT client_id FROM retired_clients)
        GROUP BY topic_id, state_id
        UNION ALL
        -- A topic id that nobody reported on is asked for in vain otherwise: then every client is Unknown.
        SELECT {topic_id:String} AS topic_id, toUInt32(0) AS state_id, toUInt64(0) AS clients,
            toDateTime64(0, 3, 'UTC') AS newest
        WHERE {topic_id:String} != ''
    ),
    blocks AS
    (
        SELECT
            topic_id,
            groupArrayIf((CAST(state_id, 'Nullable(UInt32)'), clients,
                CAST(newest, 'Nullable(DateTime64(3, \'UTC\'))')), clients > 0) AS reported,
            greatest(toInt64(all_clients) - toInt64(sum(clients)), 0) AS silent
        FROM counted
        GROUP BY topic_id
    )
SELECT
    {topic_type:UInt32} AS topic_type,
    topic_id,
    entry.1 AS state_id,
    multiIf(entry.1 IS NULL, 'Unknown: never reported on this topic',
            n.state_name != '', n.state_name,
            concat('State ', toString(entry.1))) AS state_name,
    entry.2 AS clients,
    round(100 * clients / greatest(all_clients, 1), 1) AS percent,
    entry.3 AS newest_message,
    ifNull(toUInt64(entry.1), toUInt64(4294967296)) AS _place
FROM blocks
ARRAY JOIN arrayPushBack(reported, (NULL, toUInt64(silent), NULL)) AS entry
LEFT JOIN (SELECT state_id AS named, any(state_name) AS state_name FROM state_names
    WHERE topic_type = {topic_type:UInt32} GROUP BY named) AS n
    ON n.named = assumeNotNull(entry.1)
