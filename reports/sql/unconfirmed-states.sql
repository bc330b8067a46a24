-- title: Unconfirmed states
-- group: Completeness
-- columns: netbios_name!, topic_name!, state_name, title, topic_id, unconfirmed_since, message_time, serial, topic_type,
--   client_id
-- empty: every state was told again by the latest resync of its client
-- description: States that only the site still holds: the client left them out when it sent everything again, as after
--   a reinstallation. They are kept and marked until the client reports on them again.
-- param client String = '': Client id (with or without GUID:) or computer name; empty takes all
-- param topic_type UInt32 = 0: One topic type; 0 takes all
-- order: client_id UUID, topic_type UInt32, topic_id String
-- note unconfirmed_since: arrival of the completion of the answer that left the state out
-- link netbios_name: /clients/{client_id}
-- link serial: /clients/{client_id}?serial={serial}
-- with: wanted, named, titled
WITH
    latest AS
    (
        SELECT client_id, topic_type, topic_id, state_id, serial, message_time, since
        FROM unconfirmed_states
        WHERE client_id NOT IN (SELECT client_id FROM retired_clients)
          AND ({client:String} = '' OR client_id IN (SELECT arrayJoin(wanted_ids)))
          AND ({topic_type:UInt32} = 0 OR topic_type = {topic_type:UInt32})
          AND ({after:UInt8} = 0 OR (client_id, topic_type, topic_id) > ({after_client_id:UUID},
              {after_topic_type:UInt32}, {after_topic_id:String}))
        ORDER BY client_id, topic_type, topic_id
        LIMIT {page_rows:UInt64}
    ),
    -- They are looked for once: read as a table, for their ids and for themselves.
    (SELECT groupArray((client_id, topic_type, topic_id, state_id, serial, message_time, since)) FROM latest) AS made,
    arrayMap(p -> p.1, made) AS page_ids,
    arrayMap(p -> p.3, made) AS page_topics,
    page AS
    (
        SELECT arrayJoin(made) AS p, p.1 AS client_id, p.2 AS topic_type, p.3 AS topic_id, p.4 AS state_id,
            p.5 AS serial, p.6 AS message_time, p.7 AS since
    )
SELECT
    c.netbios_name AS netbios_name,
    page.topic_type AS topic_type,
    if(t.topic != '', t.topic, concat('Topic type ', toString(page.topic_type))) AS topic,
    t.topic_name AS topic_name,
    if(titled.title != '', titled.title, page.topic_id) AS title,
    page.topic_id AS topic_id,
    if(n.state_name != '', n.state_name, concat('State ', toString(page.state_id))) AS state_name,
    page.message_time AS message_time,
    page.since AS unconfirmed_since,
    page.serial AS serial,
    page.client_id AS client_id
FROM page
LEFT JOIN (SELECT client_id, netbios_name FROM named) AS c ON c.client_id = page.client_id
LEFT JOIN titled ON titled.titled_type = page.topic_type AND titled.titled_id = page.topic_id
LEFT JOIN (SELECT topic_type AS named_type, any(topic_name) AS topic_name, any(topic) AS topic FROM topic_names
    GROUP BY named_type) AS t
    ON t.named_type = page.topic_type
LEFT JOIN (SELECT topic_type AS named_type, state_id AS named, any(state_name) AS state_name FROM state_names
    GROUP BY named_type, named) AS n
    ON n.named_type = page.topic_type AND n.named = page.state_id
ORDER BY client_id, topic_type, topic_id
