-- title: Clients that report, but not on a topic
-- group: Clients
-- columns: netbios_name!, last_message_received!, title, topic_id, state_name, last_report, state_id, serial, client_id
-- empty: every client that reports has told of this topic within that time
-- description: Clients whose state on a topic is old although they have reported since: the ones a resync may help.
-- param topic_type UInt32 = 501: Topic type, for example 501 scans, 300 deployment compliance
-- param topic_id String = '': One topic id; empty takes every topic id of the type
-- param older_than_hours UInt32 = 168 in 1..100000: From which age of the state on
-- param reported_within_hours UInt32 = 24 in 1..100000: Only clients that reported anything within so many hours
-- param collection String = '': Only members of this collection
-- order: last_message_received DateTime64(6,'UTC'), client_id UUID, topic_id String
-- link client_id: client-states?client={client_id}
-- link netbios_name: /clients/{client_id}
-- with: named, titled
WITH
    latest AS
    (
        SELECT client_id, topic_id, state_id, received_time, serial
        FROM current_states
        WHERE topic_type = {topic_type:UInt32}
          AND ({topic_id:String} = '' OR topic_id = {topic_id:String})
          AND received_time < now64(3, 'UTC') - toIntervalHour({older_than_hours:UInt32})
          AND client_id NOT IN (SELECT client_id FROM retired_clients)
          AND ({collection:String} = ''
               OR client_id IN (SELECT client_id FROM collection_members WHERE name = {collection:String}))
          AND client_id IN
          (
              SELECT client_id FROM clients_seen
              WHERE last_report_time >= now64(3, 'UTC') - toIntervalHour({reported_within_hours:UInt32})
          )
          AND ({after:UInt8} = 0 OR (received_time, client_id, topic_id)
                > ({after_last_message_received:DateTime64(6,'UTC')}, {after_client_id:UUID}, {after_topic_id:String}))
        ORDER BY received_time, client_id, topic_id
        LIMIT {page_rows:UInt64}
    ),
    -- They are looked for once: read as a table, for their ids and for themselves.
    (SELECT groupArray((client_id, topic_id, state_id, received_time, serial)) FROM latest) AS made,
    arrayMap(p -> p.1, made) AS page_ids,
    arrayMap(p -> p.2, made) AS page_topics,
    page AS
    (
        SELECT arrayJoin(made) AS p, p.1 AS client_id, p.2 AS topic_id, p.3 AS state_id, p.4 AS received_time,
            p.5 AS serial
    )
SELECT
    c.netbios_name AS netbios_name,
    if(titled.title != '', titled.title, page.topic_id) AS title,
    page.topic_id AS topic_id,
    page.state_id AS state_id,
    if(n.state_name != '', n.state_name, concat('State ', toString(page.state_id))) AS state_name,
    page.received_time AS last_message_received,
    c.last_report_time AS last_report,
    page.serial AS serial,
    page.client_id AS client_id
FROM page
LEFT JOIN (SELECT client_id, netbios_name, last_report_time FROM named) AS c
    ON c.client_id = page.client_id
LEFT JOIN titled ON titled.titled_type = {topic_type:UInt32} AND titled.titled_id = page.topic_id
LEFT JOIN (SELECT state_id AS named, any(state_name) AS state_name FROM state_names
    WHERE topic_type = {topic_type:UInt32} GROUP BY named) AS n
    ON n.named = page.state_id
ORDER BY last_message_received, client_id, topic_id
