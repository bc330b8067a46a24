-- title: Scan states
-- group: Compliance
-- description: How far clients are with scanning for updates (topic type 501), per update source, with the age of their
--   answers. Unknown counts the clients that report to this site but never told of a scan at that source.
--   Topic ids that changed since the site's summary are counted anew, the smaller ones first, up to 300,000 states in
--   all. The others are as old as the summary; the report freshness tells since when that is.
-- param source String = '': The update source's id (topic id); empty takes every source
-- order: source String, _place UInt64
-- bars: source, state_name, clients
-- note percent: of all clients known to the site
-- link source: scan-states?source={source}
-- link clients: clients-in-state?topic_type=501&topic_id={source}&state_id={state_id}
WITH
    (SELECT count() FROM clients_seen FINAL
        WHERE client_id NOT IN (SELECT client_id FROM retired_clients)) AS all_clients,
    counted AS
    (
        SELECT topic_id, state_id, subject_states.clients AS clients, oldest, newest
        FROM subject_states
        WHERE {source:String} = '' AND topic_type = 501
        UNION ALL
        SELECT topic_id, state_id, count() AS clients, min(message_time) AS oldest, max(message_time) AS newest
        FROM current_states
        WHERE {source:String} != '' AND topic_type = 501 AND topic_id = {source:String}
          AND client_id NOT IN (SELECT client_id FROM retired_clients)
        GROUP BY topic_id, state_id
        UNION ALL
        SELECT {source:String} AS topic_id, toUInt32(0) AS state_id, toUInt64(0) AS clients,
               toDateTime64(0, 3, 'UTC') AS oldest, toDateTime64(0, 3, 'UTC') AS newest
        WHERE {source:String} != ''
    ),
    blocks AS
    (
        SELECT
            topic_id,
            groupArrayIf((CAST(state_id, 'Nullable(UInt32)'), clients, CAST(oldest, 'Nullable(DateTime64(3, \'UTC\'))'),
                          CAST(newest, 'Nullable(DateTime64(3, \'UTC\'))')), clients > 0) AS reported,
            greatest(toInt64(all_clients) - toInt64(sum(clients)), 0) AS silent
        FROM counted
        GROUP BY topic_id
    )
SELECT
    topic_id AS source,
    entry.1 AS state_id,
    multiIf(entry.1 IS NULL, 'Unknown: never told of a scan',
            n.state_name != '', n.state_name,
            concat('State ', toString(entry.1))) AS state_name,
    entry.2 AS clients,
    round(100 * clients / greatest(all_clients, 1), 1) AS percent,
    entry.3 AS oldest_message,
    entry.4 AS newest_message,
    ifNull(toUInt64(entry.1), toUInt64(4294967296)) AS _place
FROM blocks
ARRAY JOIN arrayPushBack(reported, (NULL, toUInt64(silent), NULL, NULL)) AS entry
LEFT JOIN (SELECT state_id AS named, any(state_name) AS state_name FROM state_names WHERE topic_type = 501
    GROUP BY named) AS n
    ON n.named = assumeNotNull(entry.1)
