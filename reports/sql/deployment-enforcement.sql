-- title: Enforcement states of a deployment
-- group: Compliance
-- columns: deployment!, state_name!, clients!, percent, error_codes, newest_message, oldest_message, state_id
-- empty: no deployment was enforced on this site
-- description: How far clients have come with installing a deployment (topic type 301), with the failure codes they
--   gave. Clients that never told of it are in no line: the report subject says of whom something is missing.
--   Topic ids that changed since the site's summary are counted anew, the smaller ones first, up to 300,000 states in
--   all. The others are as old as the summary; the report freshness tells since when that is.
-- param deployment String = '': The deployment's id (topic id); empty takes every deployment
-- param collection String = '': Only the members of this collection; empty takes the site
-- order: deployment String, _place UInt64
-- bars: deployment, state_name, clients
-- note percent: of the clients that told of that deployment's enforcement
-- note error_codes: first parameters that look like failure codes (0x8…), most frequent first, at most three
-- link deployment: deployment-enforcement?deployment={deployment}&collection={collection}
-- link clients: clients-in-state?topic_type=301&topic_id={deployment}&state_id={state_id}&collection={collection}
WITH
    counted AS
    (
        SELECT topic_id, state_id, subject_states.clients AS clients, oldest, newest, codes
        FROM subject_states
        WHERE {deployment:String} = '' AND {collection:String} = '' AND topic_type = 301
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
        WHERE ({deployment:String} != '' OR {collection:String} != '') AND topic_type = 301
          AND ({deployment:String} = '' OR topic_id = {deployment:String})
          AND client_id NOT IN (SELECT client_id FROM retired_clients)
          AND ({collection:String} = ''
               OR client_id IN (SELECT client_id FROM collection_members WHERE name = {collection:String}))
        GROUP BY topic_id, state_id
    )
SELECT
    if(titled.title != '', titled.title, counted.topic_id) AS title,
    counted.topic_id AS deployment,
    counted.state_id AS state_id,
    if(n.state_name != '', n.state_name, concat('State ', toString(counted.state_id))) AS state_name,
    counted.clients AS clients,
    intDiv(1000 * clients, greatest(sum(counted.clients) OVER (PARTITION BY counted.topic_id), 1)) / 10 AS percent,
    counted.codes AS error_codes,
    counted.oldest AS oldest_message,
    counted.newest AS newest_message,
    toUInt64(counted.state_id) AS _place
FROM counted
LEFT JOIN (SELECT state_id AS named, any(state_name) AS state_name FROM state_names WHERE topic_type = 301
    GROUP BY named) AS n
    ON n.named = counted.state_id
LEFT JOIN (SELECT topic_id AS titled_id, title FROM topic_id_titles WHERE topic_type = 301
    AND ({deployment:String} = '' OR topic_id = {deployment:String})) AS titled ON titled.titled_id = counted.topic_id
