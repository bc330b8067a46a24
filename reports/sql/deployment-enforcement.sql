-- title: Enforcement states of a deployment
-- group: Compliance
-- description: How far clients have come with installing a deployment (topic type 301), with the failure codes they
--   gave. Unknown counts the clients that report to this site but never on that deployment's enforcement.
--   Topic ids that changed since the site's summary are counted anew, the smaller ones first, up to 300,000 states in
--   all. The others are as old as the summary; the report freshness tells since when that is.
-- param deployment String = '': The deployment's id (topic id); empty takes every deployment
-- order: deployment String, _place UInt64
-- bars: deployment, state_name, clients
-- note percent: of all clients known to the site
-- note error_codes: first parameters that look like failure codes (0x8…), most frequent first, at most three
-- link deployment: deployment-enforcement?deployment={deployment}
-- link clients: clients-in-state?topic_type=301&topic_id={deployment}&state_id={state_id}
WITH
    (SELECT count() FROM clients_seen FINAL
        WHERE client_id NOT IN (SELECT client_id FROM retired_clients)) AS all_clients,
    counted AS
    (
        SELECT topic_id, state_id, subject_states.clients AS clients, oldest, newest, codes
        FROM subject_states
        WHERE {deployment:String} = '' AND topic_type = 301
        UNION ALL
        SELECT
            topic_id,
            state_id,
            count() AS clients,
            min(message_time) AS oldest,
            max(message_time) AS newest,
            topKIf(3)(arrayFirst(p -> match(p, '^0[xX][89A-Fa-f][0-9A-Fa-f]{7}$'), params),
                      arrayExists(p -> match(p, '^0[xX][89A-Fa-f][0-9A-Fa-f]{7}$'), params)) AS codes
        FROM current_states
        WHERE {deployment:String} != '' AND topic_type = 301 AND topic_id = {deployment:String}
          AND client_id NOT IN (SELECT client_id FROM retired_clients)
        GROUP BY topic_id, state_id
        UNION ALL
        SELECT {deployment:String} AS topic_id, toUInt32(0) AS state_id, toUInt64(0) AS clients,
               toDateTime64(0, 3, 'UTC') AS oldest, toDateTime64(0, 3, 'UTC') AS newest, [] AS codes
        WHERE {deployment:String} != ''
    ),
    blocks AS
    (
        SELECT
            topic_id,
            groupArrayIf((CAST(state_id, 'Nullable(UInt32)'), clients, CAST(oldest, 'Nullable(DateTime64(3, \'UTC\'))'),
                          CAST(newest, 'Nullable(DateTime64(3, \'UTC\'))'), codes), clients > 0) AS reported,
            greatest(toInt64(all_clients) - toInt64(sum(clients)), 0) AS silent
        FROM counted
        GROUP BY topic_id
    )
SELECT
    topic_id AS deployment,
    entry.1 AS state_id,
    multiIf(entry.1 IS NULL, 'Unknown: never reported on this deployment',
            n.state_name != '', n.state_name,
            concat('State ', toString(entry.1))) AS state_name,
    entry.2 AS clients,
    round(100 * clients / greatest(all_clients, 1), 1) AS percent,
    entry.5 AS error_codes,
    entry.3 AS oldest_message,
    entry.4 AS newest_message,
    ifNull(toUInt64(entry.1), toUInt64(4294967296)) AS _place
FROM blocks
ARRAY JOIN arrayPushBack(reported, (NULL, toUInt64(silent), NULL, NULL, [])) AS entry
LEFT JOIN (SELECT state_id AS named, any(state_name) AS state_name FROM state_names WHERE topic_type = 301
    GROUP BY named) AS n
    ON n.named = assumeNotNull(entry.1)
