-- title: Scan states
-- group: Compliance
-- columns: source!, state_name!, clients!, percent, newest_message, oldest_message, state_id
-- empty: no client has told of a scan
-- description: How far clients are with scanning for updates (topic type 501), per update source, with the age of their
--   answers. Clients that never told of a scan at a source are in no line of it.
--   Topic ids that changed since the site's summary are counted anew, the smaller ones first, up to 300,000 states in
--   all. The others are as old as the summary; the report freshness tells since when that is.
-- param source String = '': The update source's id (topic id); empty takes every source
-- param collection String = '': Only the members of this collection; empty takes the site
-- order: source String, _place UInt64
-- bars: source, state_name, clients
-- note percent: of the clients that told of a scan at that source
-- link source: scan-states?source={source}&collection={collection}
-- link clients: clients-in-state?topic_type=501&topic_id={source}&state_id={state_id}&collection={collection}
WITH
    counted AS
    (
        SELECT topic_id, state_id, subject_states.clients AS clients, oldest, newest
        FROM subject_states
        WHERE {source:String} = '' AND {collection:String} = '' AND topic_type = 501
        UNION ALL
        SELECT topic_id, state_id, count() AS clients, min(message_time) AS oldest, max(message_time) AS newest
        FROM current_states
        WHERE ({source:String} != '' OR {collection:String} != '') AND topic_type = 501
          AND ({source:String} = '' OR topic_id = {source:String})
          AND client_id NOT IN (SELECT client_id FROM retired_clients)
          AND ({collection:String} = ''
               OR client_id IN (SELECT client_id FROM collection_members WHERE name = {collection:String}))
        GROUP BY topic_id, state_id
    )
SELECT
    if(titled.title != '', titled.title, counted.topic_id) AS title,
    counted.topic_id AS source,
    counted.state_id AS state_id,
    if(n.state_name != '', n.state_name, concat('State ', toString(counted.state_id))) AS state_name,
    counted.clients AS clients,
    intDiv(1000 * clients, greatest(sum(counted.clients) OVER (PARTITION BY counted.topic_id), 1)) / 10 AS percent,
    counted.oldest AS oldest_message,
    counted.newest AS newest_message,
    toUInt64(counted.state_id) AS _place
FROM counted
LEFT JOIN (SELECT state_id AS named, any(state_name) AS state_name FROM state_names WHERE topic_type = 501
    GROUP BY named) AS n
    ON n.named = counted.state_id
LEFT JOIN (SELECT topic_id AS titled_id, title FROM topic_id_titles WHERE topic_type = 501
    AND ({source:String} = '' OR topic_id = {source:String})) AS titled ON titled.titled_id = counted.topic_id
